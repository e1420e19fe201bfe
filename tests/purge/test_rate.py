"""A site's bucket: what comes at once, what comes over time, and that there is no batch that could never pass."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.purge.rate import BURST_SECONDS, Buckets, whole_seconds


def test_ten_seconds_worth_comes_at_once_and_then_the_rate_holds():
    buckets = Buckets()
    assert buckets.take({"shop": 1_000}, 100.0, now=5.0) == 0.0
    assert buckets.take({"shop": 1}, 100.0, now=5.0) == 0.01
    assert buckets.take({"shop": 1}, 100.0, now=5.01) == 0.0
    assert buckets.take({"shop": 50}, 100.0, now=5.01) == 0.5


def test_a_batch_larger_than_a_bucket_passes_when_that_is_full_and_leaves_it_in_debt():
    buckets = Buckets()
    assert buckets.take({"shop": 100}, 1.0, now=0.0) == 0.0
    assert buckets.take({"shop": 1}, 1.0, now=0.0) == 91.0
    assert buckets.take({"shop": 1}, 1.0, now=91.0) == 0.0


def test_of_several_sites_all_give_or_none_does():
    buckets = Buckets()
    assert buckets.take({"shop": 10}, 1.0, now=0.0) == 0.0
    assert buckets.take({"shop": 1, "blog": 10}, 1.0, now=0.0) == 1.0
    assert buckets.take({"blog": 10}, 1.0, now=0.0) == 0.0


def test_one_site_never_waits_for_another():
    buckets = Buckets()
    assert buckets.take({"shop": 10_000}, 1.0, now=0.0) == 0.0
    assert buckets.take({"blog": 10}, 1.0, now=0.0) == 0.0


def test_a_rate_that_changes_holds_from_then_on():
    buckets = Buckets()
    assert buckets.take({"shop": 10}, 1.0, now=0.0) == 0.0
    assert buckets.take({"shop": 100}, 10.0, now=0.0) > 0.0, "an empty bucket stays empty"
    assert buckets.take({"shop": 100}, 10.0, now=10.0) == 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.0, 5.0)), max_size=40), st.integers(1, 20))
def test_over_any_time_no_more_is_let_through_than_a_burst_the_rate_and_one_batch(
    asked: list[tuple[int, float]], rate: int
):
    buckets, now, taken = Buckets(), 0.0, 0
    for cost, passed in asked:
        now += passed
        if buckets.take({"shop": cost}, rate, now) == 0.0:
            taken += cost
    assert taken <= rate * (BURST_SECONDS + now) + 40 + 1e-3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), st.integers(1, 20))
def test_who_waits_as_long_as_he_is_told_is_let_through(costs: list[int], rate: int):
    buckets, now = Buckets(), 0.0
    for cost in costs:
        wait = buckets.take({"shop": cost}, rate, now)
        if wait > 0.0:
            now += wait
            assert buckets.take({"shop": cost}, rate, now) == 0.0


def test_retry_after_is_whole_seconds_and_never_none():
    assert [whole_seconds(wait) for wait in (0.001, 1.0, 1.2)] == [1, 1, 2]
