"""What is longer ago than the window does not count, and nothing more recent is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin_shield.window import SLICES, Window

SECONDS = 10.0


@pytest.mark.parametrize(
    "after,counts",
    [(0.0, (2, 1)), (8.9, (2, 1)), (9.0, (2, 1)), (10.0, (0, 0)), (1e9, (0, 0))],
)
def test_it_forgets_what_is_longer_ago(after: float, counts: tuple[int, int]):
    window = Window(SECONDS)
    window.count(100.0, failed=True)
    window.count(100.5, failed=False)
    assert window.counts(100.5 + after) == counts


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 4), st.booleans()), max_size=60))
def test_it_counts_what_a_list_of_times_would_to_a_tenth_of_its_length(steps: list[tuple[float, bool]]):
    window, ends, now = Window(SECONDS), [], 1_000.0
    for step, failed in steps:
        now += step
        window.count(now, failed=failed)
        ends.append((now, failed))
        counted = window.counts(now)
        for at, (low, high) in enumerate(
            zip(
                _counts(ends, now - SECONDS + SECONDS / SLICES),
                _counts(ends, now - SECONDS - SECONDS / SLICES),
                strict=True,
            )
        ):
            assert low <= counted[at] <= high


def _counts(ends: list[tuple[float, bool]], since: float) -> tuple[int, int]:
    recent = [failed for at, failed in ends if at > since]
    return len(recent), sum(recent)


def test_a_success_can_turn_out_to_be_none():
    window = Window(SECONDS)
    assert window.share(0.0) == 0.0
    for _ in range(4):
        window.count(1.0, failed=False)
    window.turn(2.0)
    assert (window.counts(2.0), window.share(2.0)) == ((4, 1), 0.25)
    window.clear()
    window.turn(2.0)
    assert window.share(2.0) == 0.0
