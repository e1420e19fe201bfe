"""Further tries are a share of all requests, or a few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.rules import RetryRules
from origin_shield.retries import WINDOW, RetryBudget


def taken(budget: RetryBudget, times: int, now: float) -> int:
    return sum(budget.take(now) for _ in range(times))


@pytest.mark.parametrize(
    "requests,share,minimum,retries",
    [
        (0, 0.2, 10, 10),
        (50, 0.2, 10, 10),
        (100, 0.2, 10, 20),
        (1000, 0.2, 10, 200),
        (1000, 0.0, 0, 0),
        (3, 1.0, 0, 3),
    ],
)
def test_a_share_of_the_requests_or_the_minimum(requests: int, share: float, minimum: int, retries: int):
    budget = RetryBudget(RetryRules(share, minimum))
    for _ in range(requests):
        budget.request(5.0)
    assert taken(budget, 2000, 5.0) == retries


def test_it_is_had_again_once_the_window_has_passed():
    budget = RetryBudget(RetryRules(0.0, 2))
    assert taken(budget, 5, 100.0) == 2
    assert taken(budget, 5, 100.0 + WINDOW / 2) == 0
    assert taken(budget, 5, 100.0 + WINDOW) == 2


def test_what_was_free_leaves_less_for_the_others():
    budget = RetryBudget(RetryRules(0.0, 2))
    budget.spend(1.0)
    assert taken(budget, 5, 1.0) == 1
    budget.spend(1.0)
    assert taken(budget, 5, 1.0) == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=150), st.floats(0, 1), st.integers(0, 5))
def test_an_origin_never_gets_more_than_the_share_on_top(
    steps: list[tuple[float, bool]], share: float, minimum: int
):
    """Also when every single one of them fails and wants another try."""
    budget, now, times = RetryBudget(RetryRules(share, minimum)), 50.0, []
    for step, wants in steps:
        now += step
        budget.request(now)
        times.append((now, wants and budget.take(now)))
        requests = sum(at > now - 1.1 * WINDOW for at, _ in times)
        recent = sum(took for at, took in times if at > now - 0.9 * WINDOW)
        assert recent <= max(minimum, share * requests)
