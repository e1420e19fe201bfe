"""Which origins are passed over, for how long, and that never all are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.rules import CheckRules, EjectionRules
from origin_shield.health import ENOUGH, LEAST, Health, in_service

EJECTION = EjectionRules(failures=3, share=0.5, time=10.0, time_max=40.0, max_share=0.5, slow_start=20.0)
CHECK = CheckRules(path=b"/up", down_after=2, up_after=2)


def health(**changed) -> Health:
    names = EjectionRules.__dataclass_fields__
    return Health(EjectionRules(**{name: getattr(EJECTION, name) for name in names} | changed), CHECK)


def seen(of: Health, ends: str, now: float) -> Health:
    """Requests ("+" answered, "-" not) and checks ("u" up, "d" down)."""
    for end in ends:
        match end:
            case "+":
                of.worked(now)
            case "-":
                of.failed(now)
            case _:
                of.checked(end == "u", now)
    return of


@pytest.mark.parametrize(
    "ends,out",
    [
        ("", False),
        ("--", False),
        ("---", True),
        ("--+--", False),
        ("-+" * 12, True),  # half of 24
        ("-+" * 9, False),  # too few for a share
        ("-++" * 12, False),  # a third
        ("d", False),
        ("dd", True),
        ("dud", False),
        ("dduu", False),
        ("ddu", True),
        ("ddudu", True),
        ("---u", True),
        ("---uu", False),  # a check is proof
        ("---ddu", True),
        ("--dd", True),
        ("ddd---uu", False),
    ],
)
def test_what_takes_it_out_and_brings_it_back(ends: str, out: bool):
    assert seen(health(), ends, 100.0).is_out(100.0) is out


def test_either_rule_may_be_off():
    assert not seen(health(failures=None), "-" * (ENOUGH - 1), 1.0).is_out(1.0)
    assert seen(health(failures=None), "-" * ENOUGH, 1.0).is_out(1.0)
    assert not seen(health(failures=None, share=None), "-" * 100, 1.0).is_out(1.0)


def test_each_event_is_told_once():
    of = health()
    assert [of.failed(1.0) for _ in range(5)] == [False, False, True, False, False]
    assert [of.checked(False, 1.0) for _ in range(3)] == [False, False, False], "it is out already"
    of = health()
    assert [of.checked(False, 1.0) for _ in range(4)] == [False, True, False, False]


def test_an_ejection_ends_by_itself_and_what_is_down_by_checks_stays():
    assert seen(health(), "---", 100.0).is_out(109.9)
    assert not seen(health(), "---", 100.0).is_out(110.0)
    assert seen(health(), "dd", 100.0).is_out(1e6)


def test_it_stays_away_twice_as_long_when_that_happens_again_soon():
    of, now, times = health(), 0.0, []
    for _ in range(5):
        seen(of, "---", now)
        began = now
        while of.is_out(now):
            now += 1.0
        times.append(now - began)
    assert times == [10.0, 20.0, 40.0, 40.0, 40.0]
    now += EJECTION.time_max
    assert not seen(of, "---", now).is_out(now + 10.0), "that is long ago"


def test_failures_while_it_is_out_do_not_count_afterwards():
    of = seen(health(), "-----", 100.0)
    assert not of.is_out(110.0)
    assert not seen(of, "--", 110.0).is_out(110.0)


@pytest.mark.parametrize(
    "after,share", [(0.0, LEAST), (1.0, LEAST), (5.0, 0.25), (10.0, 0.5), (20.0, 1.0), (99.0, 1.0)]
)
def test_who_returns_gets_its_share_slowly(after: float, share: float):
    of = seen(health(), "---", 100.0)
    assert of.share(109.0) == LEAST
    assert of.share(110.0 + after) == pytest.approx(share)


def test_one_that_never_was_out_has_its_share_at_once():
    assert health().share(0.0) == 1.0
    assert seen(health(slow_start=0.0), "---", 0.0).share(10.0) == 1.0


@pytest.mark.parametrize(
    "origins,max_share,serving",
    [
        ("i", 0.5, "i"),
        ("o", 0.5, "o"),  # of one, none may be passed over
        ("o", 1.0, ""),
        ("oi", 0.5, "i"),
        ("oo", 0.5, "o"),
        ("ooo", 0.5, "oo"),
        ("oooo", 0.5, "oo"),
        ("ioio", 0.5, "ii"),
        ("oooi", 0.34, "ooi"),
        ("oi", 0.0, "oi"),
    ],
)
def test_no_more_than_a_share_is_passed_over(origins: str, max_share: float, serving: str):
    healths = [seen(health(), "---" if kind == "o" else "", 1.0) for kind in origins]
    told = in_service(healths, max_share, 2.0)
    assert "".join(kind for kind, serves in zip(origins, told, strict=True) if serves) == serving


def test_those_that_went_first_are_passed_over():
    healths = [seen(health(), "---", at) for at in (3.0, 1.0, 2.0, 4.0)]
    assert in_service(healths, 0.5, 5.0) == (True, False, False, True)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 15), st.sampled_from("+-ud")), max_size=60))
def test_it_is_out_only_for_a_cause_and_never_for_ever_without_checks(steps: list[tuple[float, str]]):
    of, now, told = health(), 0.0, []
    for step, end in steps:
        was_out, before = of.is_out(now), now
        now += step
        was_still = of.is_out(now)
        assert was_out or not was_still, "time takes nobody out"
        told.append(end)
        seen(of, end, now)
        if of.is_out(now) and not was_still:
            assert end in "-d" and told.count(end) >= 2
        if not of.is_out(now) and was_still:
            assert end == "u"
        assert LEAST <= of.share(now) <= 1.0
        assert before <= now
    if "d" not in told:
        assert not of.is_out(now + EJECTION.time_max)
