"""The fill table against a list of what is under way: whatever happens, in whatever order.

Whoever asks either leads, follows, or goes alone. The model knows every lease that was ever given, its followers, what
the table was told about it, and therefore whom it may be joined by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.fill.table import Alone, FillTable, Follow, Lead, Lease, Outcome

MAX_FOLLOWERS = 3
MAX_REMEMBERED = 2
PATIENCE = 5.0

keys = st.sampled_from([b"a", b"b", b"c"])
variants = st.sampled_from([b"", b"gzip"])
needs = st.integers(0, 3)


@dataclass(eq=False)
class Known:
    """A lease, as the model sees it. ended: its owner has settled it; waiting: followers that have not left."""

    lease: Lease[object]
    opened: float
    is_joinable_kind: bool
    replaced: bool = False
    head: bool = False
    tainted: bool = False
    ended: bool = False
    waiting: int = 0
    fence: int = 0
    outcomes: list[Outcome] = field(default_factory=list)


class FillTableModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = FillTable[object](max_followers=MAX_FOLLOWERS, max_remembered=MAX_REMEMBERED)
        self.now = 0.0
        self.known: dict[int, Known] = {}
        self.remembered: dict[bytes, float] = {}

    # -- what the model says --

    def is_remembered(self, key: bytes) -> bool:
        return self.remembered.get(key, 0.0) > self.now

    def is_overdue(self, known: Known) -> bool:
        return not known.head and self.now > known.opened + PATIENCE

    def joinable(self, key: bytes, variant: bytes, need: int) -> Known | None:
        """The one that may be joined: the newest of its key and variant, and only that."""
        found = [
            known
            for known in self.known.values()
            if (known.lease.key, known.lease.variant) == (key, variant) and known.is_joinable_kind
        ]
        newest = found[-1] if found else None
        if newest is None or newest.outcomes or newest.tainted or newest.replaced:
            return None
        return None if newest.fence < need or self.is_overdue(newest) else newest

    def opened(self, lease: Lease[object], *, joinable: bool = True) -> None:
        assert lease.number not in self.known
        assert lease.outcome is None
        assert not lease.tainted
        for known in self.known.values():
            same = (known.lease.key, known.lease.variant) == (lease.key, lease.variant)
            if joinable and same and known.is_joinable_kind and not known.replaced:
                known.replaced = True
                overdue = known.fence >= lease.fence and not known.tainted and self.is_overdue(known)
                if overdue and not known.outcomes:
                    known.outcomes.append(Outcome.TIMED_OUT)
        self.known[lease.number] = Known(lease, self.now, joinable, fence=lease.fence)

    def under_way(self) -> list[Known]:
        return [known for known in self.known.values() if not known.ended]

    # -- what happens --

    @rule(key=keys, variant=variants, need=needs)
    def ask(self, key: bytes, variant: bytes, need: int) -> None:
        expected = self.joinable(key, variant, need)
        joined = self.table.join(
            key, variant, fence=need, vouches=lambda fence: fence >= need, now=self.now, patience=PATIENCE
        )
        match joined:
            case Alone(remembered=True):
                assert self.is_remembered(key)
            case Alone(remembered=False):
                assert not self.is_remembered(key)
                assert expected is not None
                assert expected.waiting == MAX_FOLLOWERS
            case Follow(lease):
                assert expected is not None
                assert lease is expected.lease
                assert not self.is_remembered(key)
                expected.waiting += 1
            case Lead(lease):
                assert expected is None
                assert not self.is_remembered(key)
                assert lease.fence == need
                self.opened(lease)

    @rule(key=keys, variant=variants, need=needs)
    def refresh(self, key: bytes, variant: bytes, need: int) -> None:
        expected = self.joinable(key, variant, need)
        lease = self.table.lead_if_idle(
            key, variant, fence=need, vouches=lambda fence: fence >= need, now=self.now, patience=PATIENCE
        )
        assert (lease is None) is (expected is not None)
        if lease is not None:
            self.opened(lease)

    @rule(key=keys, fence=needs)
    def go_alone(self, key: bytes, fence: int) -> None:
        self.opened(self.table.lead_alone(key, fence=fence), joinable=False)

    @precondition(lambda self: self.under_way())
    @rule(data=st.data())
    def head_comes(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.under_way()))
        known.head = True
        self.table.head_known(known.lease)

    @precondition(lambda self: self.under_way())
    @rule(data=st.data(), fence=needs)
    def send(self, data: st.DataObject, fence: int) -> None:
        """More than once where it is sent again."""
        known = data.draw(st.sampled_from(self.under_way()))
        known.fence = max(known.fence, fence)
        self.table.stamp(known.lease, fence)

    @precondition(lambda self: self.under_way())
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.under_way()))
        known.replaced = True
        self.table.close(known.lease)

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(), outcome=st.sampled_from([each for each in Outcome if each is not Outcome.TIMED_OUT])
    )
    def settle(self, data: st.DataObject, outcome: Outcome) -> None:
        """By its owner, who may say it again: a leader that dies says ABANDONED in `finally`."""
        known = data.draw(st.sampled_from(list(self.known.values())))
        was_first = self.table.settle(known.lease, outcome)
        assert was_first is (not known.outcomes)
        if was_first:
            known.outcomes.append(outcome)
        known.ended = True

    @precondition(lambda self: any(known.waiting for known in self.known.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from([known for known in self.known.values() if known.waiting]))
        known.waiting -= 1
        self.table.leave(known.lease)

    @rule(key=keys)
    def invalidate(self, key: bytes) -> None:
        reached = [known for known in self.under_way() if known.lease.key == key]
        assert self.table.taint(key) == len(reached)
        for known in reached:
            known.tainted = True

    @rule(key=keys, seconds=st.sampled_from([1.0, 10.0]))
    def remember(self, key: bytes, seconds: float) -> None:
        self.table.remember_uncacheable(key, self.now + seconds)
        self.remembered.pop(key, None)
        self.remembered[key] = self.now + seconds
        # The bound counts those that have run out and were not asked for since; so the model forgets only what must go.
        while len(self.remembered) > MAX_REMEMBERED:
            del self.remembered[next(iter(self.remembered))]

    @rule(key=keys)
    def forget(self, key: bytes) -> None:
        self.table.forget_uncacheable(key)
        self.remembered.pop(key, None)

    @rule(key=keys)
    def look_whether_remembered(self, key: bytes) -> None:
        assert self.table.is_remembered(key, self.now) is self.is_remembered(key)
        if not self.is_remembered(key):
            self.remembered.pop(key, None)

    @rule(seconds=st.sampled_from([0.5, PATIENCE, PATIENCE + 0.5]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # -- what always holds --

    @invariant()
    def every_lease_has_ended_once_at_most_and_as_the_model_says(self) -> None:
        for known in self.known.values():
            lease = known.lease
            assert known.outcomes == ([] if lease.outcome is None else [lease.outcome])
            assert len(known.outcomes) <= 1
            assert lease.followers == known.waiting <= MAX_FOLLOWERS
            assert lease.tainted is known.tainted
            assert lease.fence == known.fence

    @invariant()
    def what_can_be_found_is_unsettled_and_one_for_each_key_and_variant(self) -> None:
        found = [lease for leases in self.table._leases.values() for lease in leases.values()]
        assert all(lease.outcome is None for lease in found)
        assert len({(lease.key, lease.variant) for lease in found}) == len(found) == self.table.under_way
        assert all(self.known[lease.number].is_joinable_kind for lease in found)

    @invariant()
    def nothing_is_kept_of_what_has_ended(self) -> None:
        kept = [lease for leases in self.table._running.values() for lease in leases]
        assert {lease.number for lease in kept} == {known.lease.number for known in self.under_way()}
        assert all(self.table._leases.values())
        assert all(self.table._running.values())

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        assert len(self.table._uncacheable) <= MAX_REMEMBERED

    def teardown(self) -> None:
        """When all leaders have died, no key is stuck: whoever asks leads."""
        for known in self.under_way():
            self.table.settle(known.lease, Outcome.ABANDONED)
        self.now += 100.0
        for key in (b"a", b"b", b"c"):
            for variant in (b"", b"gzip"):
                joined = self.table.join(
                    key, variant, fence=9, vouches=lambda _fence: True, now=self.now, patience=PATIENCE
                )
                assert isinstance(joined, Lead)
                self.table.settle(joined.lease, Outcome.COMPLETE)
        assert not self.table._leases
        assert not self.table._running
        assert not self.table._uncacheable


TestFillTable = pytest.mark.slow(FillTableModel.TestCase)
TestFillTable.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
