"""Who fetches what: joining, going alone, ending, being invalidated, and what is remembered as uncacheable."""

from __future__ import annotations

import pytest

from edge.fill.table import Alone, FillTable, Follow, Joined, Lead, Lease, Outcome

KEY, OTHER = b"k" * 32, b"o" * 32
PLAIN, GZIP = b"", b"gzip"
PATIENCE = 10.0


def join(
    table: FillTable[str], key: bytes = KEY, variant: bytes = PLAIN, *, need: int = 0, now: float = 0.0
) -> Joined[str]:
    """As by a node that vouches for just what it needs."""
    return table.join(
        key, variant, fence=need, vouches=lambda fence: fence >= need, now=now, patience=PATIENCE
    )


def lead(
    table: FillTable[str], key: bytes = KEY, variant: bytes = PLAIN, *, need: int = 0, now: float = 0.0
) -> Lease[str]:
    joined = join(table, key, variant, need=need, now=now)
    assert isinstance(joined, Lead), joined
    return joined.lease


def refresh(table: FillTable[str], *, need: int = 0, now: float = 0.0) -> Lease[str] | None:
    return table.lead_if_idle(
        KEY, PLAIN, fence=need, vouches=lambda fence: fence >= need, now=now, patience=PATIENCE
    )


def test_the_first_leads_and_all_others_follow_it():
    table = FillTable[str]()
    lease = lead(table)
    assert [join(table) for _ in range(5)] == [Follow(lease)] * 5
    assert lease.followers == 5
    assert table.under_way == 1


def test_another_key_and_another_variant_have_leases_of_their_own():
    table = FillTable[str]()
    leases = [lead(table), lead(table, OTHER), lead(table, variant=GZIP)]
    assert len({lease.number for lease in leases}) == 3
    assert join(table, variant=GZIP) == Follow(leases[2])
    assert table.under_way == 3


@pytest.mark.parametrize("outcome", Outcome)
def test_once_settled_the_next_one_leads_whatever_the_outcome(outcome: Outcome):
    table = FillTable[str]()
    lease = lead(table)
    assert table.settle(lease, outcome)
    assert lease.outcome is outcome
    assert lead(table) is not lease


def test_the_first_outcome_counts():
    table = FillTable[str]()
    lease = lead(table)
    assert table.settle(lease, Outcome.UNCACHEABLE)
    successor = lead(table)
    assert not table.settle(lease, Outcome.ABANDONED)
    assert lease.outcome is Outcome.UNCACHEABLE
    assert join(table) == Follow(successor)


def test_nothing_is_kept_of_what_is_settled():
    table = FillTable[str]()
    for number in range(100):
        table.settle(lead(table, b"%d" % number), Outcome.COMPLETE)
        table.settle(table.lead_alone(b"%d" % number, fence=0), Outcome.COMPLETE)
    assert table.under_way == 0
    assert not table._leases
    assert not table._running


# -- followers --


def test_beyond_the_bound_a_follower_goes_alone_and_comes_in_when_one_has_left():
    table = FillTable[str](max_followers=2)
    lease = lead(table)
    assert join(table) == join(table) == Follow(lease)
    assert join(table) == Alone(remembered=False)
    table.leave(lease)
    assert join(table) == Follow(lease)


def test_leaving_more_often_than_following_is_a_bug_of_the_caller():
    table = FillTable[str]()
    lease = lead(table)
    join(table)
    table.leave(lease)
    with pytest.raises(AssertionError):
        table.leave(lease)


def test_followers_may_leave_after_the_end():
    table = FillTable[str]()
    lease = lead(table)
    join(table)
    table.settle(lease, Outcome.FAILED)
    table.leave(lease)
    assert lease.followers == 0


# -- what can't be joined --


def test_a_fill_whose_fence_is_not_vouched_for_is_replaced():
    table = FillTable[str]()
    old = lead(table, need=4)
    assert join(table, need=4) == join(table, need=3) == Follow(old)
    new = lead(table, need=5)
    assert new.fence == 5
    assert join(table, need=3) == Follow(new)
    assert old.outcome is None


def test_what_is_vouched_for_is_the_fence_that_the_lease_has_now_and_not_what_the_joiner_would_open_it_with():
    table = FillTable[str]()
    asked: list[int] = []

    def vouches(fence: int) -> bool:
        asked.append(fence)
        return True

    lease = lead(table, need=2)
    table.stamp(lease, 4)
    for joined in (
        table.join(KEY, PLAIN, fence=9, vouches=vouches, now=0.0, patience=PATIENCE),
        table.lead_if_idle(KEY, PLAIN, fence=9, vouches=vouches, now=0.0, patience=PATIENCE),
    ):
        assert joined in (Follow(lease), None)
    assert asked == [4, 4]
    assert lease.fence == 4


def test_a_fence_is_raised_when_the_request_is_sent_and_never_falls():
    table = FillTable[str]()
    lease = lead(table, need=2)
    alone = table.lead_alone(KEY, fence=2)
    for each in (lease, alone):
        table.stamp(each, 5)
        assert each.fence == 5
        table.stamp(each, 3)
        assert each.fence == 5
    assert join(table, need=5) == Follow(lease)


def test_a_refresh_that_is_not_vouched_for_is_replaced_by_another():
    table = FillTable[str]()
    old = lead(table, need=1)
    assert refresh(table, need=1) is None
    new = refresh(table, need=2)
    assert new is not None
    assert (old.fence, new.fence) == (1, 2)
    assert join(table, need=2) == Follow(new)


def test_a_replaced_lease_that_ends_does_not_take_its_successor_away():
    table = FillTable[str]()
    old = lead(table, need=1)
    new = lead(table, need=2)
    assert table.settle(old, Outcome.COMPLETE)
    assert join(table, need=2) == Follow(new)


def test_an_overdue_head_is_timed_out_by_the_next_one_who_comes():
    table = FillTable[str]()
    old = lead(table, now=100.0)
    assert join(table, now=110.0) == Follow(old)
    assert table.under_way == 1
    new = lead(table, now=110.001)
    assert old.outcome is Outcome.TIMED_OUT
    assert join(table, now=110.002) == Follow(new)


def test_a_lease_whose_head_is_known_is_never_overdue():
    table = FillTable[str]()
    lease = lead(table)
    table.head_known(lease)
    assert join(table, now=1e9) == Follow(lease)


def test_what_a_timed_out_fill_says_later_changes_nothing():
    table = FillTable[str]()
    old = lead(table)
    new = lead(table, now=11.0)
    table.head_known(old)
    assert not table.settle(old, Outcome.COMPLETE)
    assert old.outcome is Outcome.TIMED_OUT
    assert join(table, now=11.0) == Follow(new)


def test_a_closed_lease_is_not_joined_but_lives_on_for_those_aboard():
    table = FillTable[str]()
    closed = lead(table)
    join(table)
    table.close(closed)
    table.close(closed)
    new = lead(table)
    table.close(closed)
    assert join(table) == Follow(new)
    assert table.taint(KEY) == 2
    assert table.settle(closed, Outcome.COMPLETE)
    assert closed.outcome is Outcome.COMPLETE
    assert closed.followers == 1


# -- invalidation --


def test_an_invalidation_taints_all_variants_under_way_and_nothing_else():
    table = FillTable[str]()
    plain, gzip, other = lead(table), lead(table, variant=GZIP), lead(table, OTHER)
    assert table.taint(KEY) == 2
    assert (plain.tainted, gzip.tainted, other.tainted) == (True, True, False)
    assert lead(table) is not plain
    assert join(table, OTHER) == Follow(other)


def test_what_begins_after_an_invalidation_is_clean():
    table = FillTable[str]()
    lead(table)
    table.taint(KEY)
    new = lead(table)
    assert not new.tainted
    assert join(table) == Follow(new)


def test_an_invalidation_of_what_nobody_fetches_is_nothing():
    table = FillTable[str]()
    table.settle(lead(table), Outcome.COMPLETE)
    assert table.taint(KEY) == 0
    assert not lead(table).tainted


def test_an_invalidation_reaches_a_fill_that_was_replaced_because_its_head_was_overdue():
    table = FillTable[str]()
    overdue = lead(table)
    new = lead(table, now=11.0)
    assert table.taint(KEY) == 2
    assert overdue.tainted
    assert new.tainted


def test_an_invalidation_reaches_a_fill_that_was_replaced_because_of_its_fence():
    table = FillTable[str]()
    low = lead(table, need=1)
    lead(table, need=2)
    table.taint(KEY)
    assert low.tainted


def test_an_invalidation_reaches_a_fill_for_one_client_alone():
    table = FillTable[str]()
    alone = table.lead_alone(KEY, fence=3)
    assert alone.fence == 3
    assert table.taint(KEY) == 1
    assert alone.tainted


def test_a_fill_for_one_client_alone_is_never_joined_and_keeps_nobody_from_leading():
    table = FillTable[str]()
    alone = table.lead_alone(KEY, fence=0)
    lease = lead(table)
    assert refresh(table) is None
    assert table.settle(alone, Outcome.COMPLETE)
    assert join(table) == Follow(lease)


# -- refreshing in the background --


def test_a_refresh_is_led_by_one_and_can_be_followed():
    table = FillTable[str]()
    lease = refresh(table)
    assert lease is not None
    assert refresh(table) is None
    assert join(table) == Follow(lease)


def test_a_refresh_takes_the_place_of_a_fill_that_could_not_serve_it():
    table = FillTable[str]()
    overdue = lead(table)
    assert refresh(table, now=5.0) is None
    assert refresh(table, now=11.0) is not None
    assert overdue.outcome is Outcome.TIMED_OUT


# -- what is remembered as uncacheable --


def test_a_key_remembered_as_uncacheable_is_not_collapsed_until_it_is_forgotten_by_time():
    table = FillTable[str]()
    table.remember_uncacheable(KEY, until=60.0)
    assert join(table, now=59.9) == Alone(remembered=True)
    assert isinstance(join(table, OTHER, now=59.9), Lead)
    assert isinstance(join(table, now=60.0), Lead)
    assert not table._uncacheable


def test_a_storable_answer_makes_a_key_collapse_again():
    table = FillTable[str]()
    table.remember_uncacheable(KEY, until=60.0)
    table.forget_uncacheable(KEY)
    table.forget_uncacheable(KEY)
    assert isinstance(join(table), Lead)


def test_the_keys_remembered_are_bounded_and_the_one_not_confirmed_for_longest_goes():
    table = FillTable[str](max_remembered=2)
    for key in (b"a", b"b", b"a", b"c"):
        table.remember_uncacheable(key, until=60.0)
    assert [table.is_remembered(key, 0.0) for key in (b"a", b"b", b"c")] == [True, False, True]
    assert len(table._uncacheable) == 2
