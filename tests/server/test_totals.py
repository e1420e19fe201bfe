"""A node's counters never go back, whatever its workers do."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.metrics import Registry, Snapshot, flat
from edge.server.totals import Totals

ACCEPTED = "perigee_connections_total"
OPEN = "perigee_connections_open"


def snapshot(accepted: int, open_now: int = 0) -> Snapshot:
    registry = Registry()
    registry.counter(ACCEPTED, unit="connections", help="").of().value = accepted
    registry.gauge(OPEN, unit="connections", help="").of().value = open_now
    return registry.snapshot()


def accepted(total: Snapshot) -> float:
    return flat(total, ACCEPTED)[()]


def test_the_sum_is_of_all_workers():
    total = Totals().together({0: snapshot(3, 1), 1: snapshot(4, 2)}, {})
    assert (accepted(total), flat(total, OPEN)[()]) == (7, 3)


def test_what_a_worker_counted_stays_when_it_is_gone_but_not_what_it_held():
    totals = Totals()
    totals.together({0: snapshot(3, 1), 1: snapshot(4, 2)}, {})
    totals.ended(1)
    total = totals.together({0: snapshot(3, 1), 1: snapshot(1, 1)}, {})
    assert (accepted(total), flat(total, OPEN)[()]) == (8, 2)


def test_a_worker_that_does_not_answer_is_counted_as_it_last_was():
    totals = Totals()
    totals.together({0: snapshot(3, 1), 1: snapshot(4, 2)}, {})
    total = totals.together({0: snapshot(5, 1)}, {})
    assert (accepted(total), flat(total, OPEN)[()]) == (9, 1)
    assert accepted(totals.together({0: snapshot(5), 1: snapshot(6)}, {})) == 11


def test_what_ended_before_it_ever_answered_is_no_fault():
    totals = Totals()
    totals.ended(0)
    assert accepted(totals.together({0: snapshot(1)}, {})) == 1


def test_what_comes_of_a_worker_that_has_ended_meanwhile_is_late():
    totals = Totals()
    totals.together({0: snapshot(3), 1: snapshot(4)}, {})
    asked = totals.lives()
    totals.last_words(1, snapshot(6))
    older = {0: snapshot(5), 1: snapshot(5)}  # they answered before it said its last
    assert accepted(totals.together(older, {}, asked)) == 11
    totals.ended(1)
    assert accepted(totals.together(older, {}, asked)) == 11
    asked = totals.lives()
    assert accepted(totals.together({0: snapshot(5), 1: snapshot(1)}, {}, asked)) == 12


class Workers(RuleBasedStateMachine):
    """Workers count, die, are scraped, or keep silent: the sum that is shown never falls."""

    def __init__(self) -> None:
        super().__init__()
        self.totals = Totals()
        self.counts = {0: 0, 1: 0, 2: 0}
        self.shown = 0.0

    @rule(index=st.integers(0, 2), more=st.integers(1, 5))
    def count(self, index: int, more: int) -> None:
        self.counts[index] += more

    @rule(index=st.integers(0, 2))
    def die(self, index: int) -> None:
        self.counts[index] = 0
        self.totals.ended(index)

    @rule(index=st.integers(0, 2))
    def retire(self, index: int) -> None:
        self.totals.last_words(index, snapshot(self.counts[index]))
        self.die(index)

    @rule(index=st.integers(0, 2), is_planned=st.booleans())
    def die_while_asked(self, index: int, is_planned: bool) -> None:
        asked = self.totals.lives()
        answers = {each: snapshot(count) for each, count in self.counts.items()}
        self.retire(index) if is_planned else self.die(index)
        shown = accepted(self.totals.together(answers, snapshot(0), asked))
        assert shown >= self.shown
        self.shown = shown

    @rule(silent=st.sets(st.integers(0, 2)))
    def scrape(self, silent: set[int]) -> None:
        answers = {index: snapshot(count) for index, count in self.counts.items() if index not in silent}
        shown = accepted(self.totals.together(answers, snapshot(0)))
        assert shown >= self.shown
        self.shown = shown

    @invariant()
    def nothing_is_made_up(self) -> None:
        assert self.shown >= 0


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=20, stateful_step_count=20)
