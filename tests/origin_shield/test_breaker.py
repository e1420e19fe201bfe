"""The circuit breaker: tables of what opens and closes it, and a model of what it must never do."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.semantics.rules import BreakerRules
from origin_shield.breaker import LONG_BODY, Breaker, Permit, State

RULES = BreakerRules(share=0.5, requests=4, window=10.0, rest=5.0, rest_max=20.0, probes=2)
CLOSED, HALF_OPEN, OPEN = State.CLOSED, State.HALF_OPEN, State.OPEN
VERDICT = {"+": True, "-": False, "o": None}


def passed(breaker: Breaker, verdicts: str, now: float) -> Breaker:
    """One request after the other: "+" worked, "-" failed, "o" nothing was learned."""
    for verdict in verdicts:
        permit = breaker.enter(now)
        assert permit is not None, "it let nobody pass"
        breaker.leave(permit, VERDICT[verdict], now)
    return breaker


def opened(times: int = 1, now: float = 0.0) -> tuple[Breaker, float]:
    """A breaker that has opened so often in a row, and when that was."""
    breaker = passed(Breaker(RULES), "----", now)
    for _ in range(times - 1):
        now += breaker.rest(now)
        passed(breaker, "-", now)
    return breaker, now


@pytest.mark.parametrize(
    "verdicts,state",
    [
        ("", CLOSED),
        ("---", CLOSED),  # too few
        ("----", OPEN),
        ("--++", CLOSED),  # it is judged when one fails
        ("++--", OPEN),
        ("+++-", CLOSED),
        ("+++---", OPEN),
        ("ooo---", CLOSED),  # nothing was learned of those
        ("ooo----", OPEN),
    ],
)
def test_it_opens_at_a_share_of_enough_requests(verdicts: str, state: State):
    assert passed(Breaker(RULES), verdicts, 1.0).state(1.0) is state


def test_what_is_longer_ago_than_the_window_does_not_count():
    breaker = passed(Breaker(RULES), "---", 1.0)
    assert passed(breaker, "-", 12.0).state(12.0) is CLOSED


def test_it_may_be_off():
    rules = BreakerRules(share=None, requests=1)
    assert passed(Breaker(rules), "-" * 100, 1.0).state(1.0) is CLOSED


def test_while_it_is_open_nobody_passes_and_it_says_for_how_long():
    breaker, _ = opened()
    assert (breaker.enter(4.9), breaker.rest(4.0), breaker.rest(5.0)) == (None, 1.0, 0.0)
    assert breaker.state(5.0) is HALF_OPEN


def test_a_few_at_a_time_may_try_and_as_many_successes_close_it():
    breaker, _ = opened()
    first, second = breaker.enter(5.0), breaker.enter(5.0)
    assert first is not None and second is not None
    assert breaker.enter(5.0) is None
    breaker.leave(first, True, 6.0)
    assert breaker.state(6.0) is HALF_OPEN
    breaker.leave(second, True, 6.0)
    assert breaker.state(6.0) is CLOSED
    assert passed(breaker, "---", 6.0).state(6.0) is CLOSED, "what was before is forgotten"


def test_a_probe_of_which_nothing_was_learned_makes_room_for_another():
    breaker, _ = opened()
    assert passed(breaker, "oooooo++", 5.0).state(5.0) is CLOSED


def test_one_failure_opens_it_again():
    breaker, _ = opened()
    assert passed(breaker, "+-", 5.0).state(5.0) is OPEN


@pytest.mark.parametrize("times,rest", [(1, 5.0), (2, 10.0), (3, 20.0), (4, 20.0), (40, 20.0)])
def test_each_time_it_rests_twice_as_long_up_to_a_bound(times: int, rest: float):
    breaker, now = opened(times)
    assert breaker.rest(now) == rest


def test_once_closed_it_begins_with_the_shortest_rest_again():
    breaker, now = opened(3)
    now += 20.0
    passed(breaker, "++----", now)
    assert breaker.rest(now) == 5.0


def test_what_was_sent_before_it_changed_says_nothing():
    breaker = Breaker(RULES)
    early = [breaker.enter(0.0) for _ in range(6)]
    for permit in early[:4]:
        assert permit is not None
        breaker.leave(permit, False, 0.0)
    late, later = early[4:]
    assert late is not None and later is not None
    assert breaker.leave(late, True, 5.0) is False
    assert breaker.leave(later, False, 5.0) is False
    assert breaker.state(5.0) is HALF_OPEN
    assert passed(breaker, "++", 5.0).state(5.0) is CLOSED


def heard(breaker: Breaker, now: float) -> Permit:
    """One whose body comes still."""
    permit = breaker.enter(now)
    assert permit is not None
    breaker.heard(permit, now)
    return permit


def test_a_body_that_breaks_off_makes_a_failure_of_a_success():
    breaker = Breaker(RULES)
    permits = [heard(breaker, 0.0) for _ in range(4)]
    assert [
        breaker.leave(permit, worked, 1.0)
        for permit, worked in zip(permits, (True, False, False), strict=False)
    ] == [
        False,
        False,
        True,
    ]
    assert breaker.state(1.0) is OPEN


def test_a_head_counts_at_once_and_its_end_does_not_count_again():
    breaker = Breaker(RULES)
    for permit in [heard(breaker, 0.0) for _ in range(3)]:
        breaker.leave(permit, True, 0.0)
    assert passed(breaker, "--", 0.0).state(0.0) is CLOSED
    assert passed(breaker, "-", 0.0).state(0.0) is OPEN


def test_a_probe_counts_when_its_body_has_ended():
    breaker, _ = opened()
    first, second = heard(breaker, 5.0), heard(breaker, 5.0)
    assert (breaker.state(5.0), breaker.enter(5.0)) == (HALF_OPEN, None)
    breaker.leave(first, True, 5.0)
    assert breaker.leave(second, False, 5.0) is True


def test_or_when_it_has_come_for_a_while():
    breaker, _ = opened()
    first, second = heard(breaker, 5.0), heard(breaker, 5.5)
    assert breaker.state(5.0 + LONG_BODY) is HALF_OPEN
    assert breaker.state(5.5 + LONG_BODY) is CLOSED
    assert breaker.leave(first, True, 9.0) is breaker.leave(second, False, 9.0) is False


def test_a_long_one_that_breaks_off_while_it_is_tried_still_opens_it_again():
    breaker, _ = opened()
    long = heard(breaker, 5.0)
    assert breaker.state(5.0 + LONG_BODY) is HALF_OPEN
    assert breaker.leave(long, False, 7.0) is True


def test_a_permit_comes_back_once():
    breaker = Breaker(RULES)
    permit = breaker.enter(0.0)
    assert permit is not None
    breaker.leave(permit, True, 0.0)
    with pytest.raises(AssertionError, match="once"):
        breaker.leave(permit, True, 0.0)


class BreakerModel(RuleBasedStateMachine):
    """Whatever comes back, in whatever order and however late."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(RULES)
        self.now = 0.0
        self.out: list[tuple[Permit, State]] = []

    @rule(seconds=st.floats(0, 8))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def one_enters(self) -> None:
        state = self.breaker.state(self.now)
        permit = self.breaker.enter(self.now)
        assert (state is not OPEN) or permit is None
        if permit is not None:
            self.out.append((permit, state))

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def one_is_heard(self, data: st.DataObject) -> None:
        permit, _ = data.draw(st.sampled_from(self.out))
        if permit.heard_at is None:
            self.breaker.heard(permit, self.now)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), worked=st.sampled_from([True, False, None]))
    def one_leaves(self, data: st.DataObject, worked: bool | None) -> None:
        permit, _ = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        before = self.breaker.state(self.now)
        opened = self.breaker.leave(permit, worked, self.now)
        after = self.breaker.state(self.now)
        assert opened == (before is not OPEN and after is OPEN)
        assert not opened or worked is False
        if before is not CLOSED and after is CLOSED:
            assert before is HALF_OPEN and worked

    @invariant()
    def no_more_probes_than_allowed(self) -> None:
        if self.breaker.state(self.now) is HALF_OPEN:
            turn = self.breaker._turn
            assert sum(permit.turn == turn for permit, _ in self.out) <= RULES.probes

    @invariant()
    def it_never_rests_for_longer_than_the_bound(self) -> None:
        assert self.breaker.rest(self.now) <= RULES.rest_max

    @precondition(lambda self: not self.out)
    @rule()
    def an_origin_that_works_is_found_again(self) -> None:
        self.now += self.breaker.rest(self.now)
        passed(self.breaker, "+" * RULES.probes, self.now)
        assert self.breaker.state(self.now) is CLOSED


TestBreaker = BreakerModel.TestCase
TestBreaker.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
