"""The adaptive limit, in front of an origin of which it knows nothing but how long it takes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin_shield.gradient import FIRST, LEAST, SAMPLES, Gradient

USUAL = 0.05


def driven(
    gradient: Gradient, knee: int, looks: int, *, wanted: int = 10_000, usual: float = USUAL
) -> list[int]:
    """An origin that serves `knee` requests at once; more of them queue up in it. wanted: how many there are to send."""
    limits = []
    for _ in range(looks):
        under_way = min(gradient.limit, wanted)
        for _ in range(SAMPLES):
            gradient.answered(usual * max(1.0, under_way / knee), under_way)
        limits.append(gradient.limit)
    return limits


@pytest.mark.parametrize("knee", [20, 50, 200])
def test_it_finds_about_what_the_origin_takes(knee: int):
    limits = driven(Gradient(1000), knee, 400)[-100:]
    assert knee <= min(limits) and max(limits) <= 2 * knee + 10


def test_an_origin_that_takes_less_than_the_beginning_is_found_too():
    """What it first sees is slow already, so it goes down only as far as it has learned what is usual."""
    gradient = Gradient(1000)
    driven(gradient, 100, 5, wanted=3)
    assert max(driven(gradient, 10, 200)[-50:]) <= 30


def test_where_nothing_becomes_slower_it_comes_to_the_cap_and_stays():
    assert set(driven(Gradient(300), 100_000, 300)[-10:]) == {300}


def test_it_does_not_grow_while_nobody_needs_more():
    assert driven(Gradient(300), 100_000, 100, wanted=5)[-1] == FIRST


def test_an_origin_that_becomes_slow_gets_fewer_and_once_quick_again_as_many():
    gradient = Gradient(200)
    driven(gradient, 100_000, 200)
    assert driven(gradient, 10, 100)[-1] <= 40
    assert driven(gradient, 100_000, 300)[-1] == 200


def test_failures_are_an_origin_that_has_too_much_to_do():
    gradient = Gradient(100)
    driven(gradient, 100_000, 200)
    for _ in range(SAMPLES * 50):
        gradient.failed(gradient.limit)
    assert gradient.limit == LEAST


def test_one_slow_page_in_a_few_moves_nothing():
    gradient = Gradient(100)
    driven(gradient, 100_000, 100)
    for n in range(SAMPLES * 10):
        gradient.answered(USUAL * (100 if n % 5 == 0 else 1), 100)
    assert gradient.limit == 100


def test_a_time_that_is_longer_for_another_reason_becomes_the_usual_one():
    """The origin was moved farther away: seen while little is under way, that is not our doing."""
    gradient = Gradient(100)
    driven(gradient, 100_000, 100)
    driven(gradient, 100_000, 100, usual=4 * USUAL)
    driven(gradient, 100_000, 200, usual=4 * USUAL, wanted=2)
    assert driven(gradient, 100_000, 200, usual=4 * USUAL)[-1] == 100


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_a_low_cap_is_kept(most: int):
    gradient = Gradient(most)
    assert gradient.limit == most
    for _ in range(SAMPLES * 20):
        gradient.failed(most)
    assert gradient.limit == min(most, LEAST)


@settings(max_examples=30)
@given(
    st.integers(1, 500),
    st.lists(st.tuples(st.floats(0, 100) | st.none(), st.integers(0, 1000)), max_size=20),
)
def test_it_is_never_outside_of_its_bounds(most: int, ends: list[tuple[float | None, int]]):
    gradient = Gradient(most)
    for seconds, under_way in ends * SAMPLES:
        if seconds is None:
            gradient.failed(under_way)
        else:
            gradient.answered(seconds, under_way)
        assert min(LEAST, most) <= gradient.limit <= most
