"""The memory tier against a dictionary: whatever is put, hit, resized, removed and scanned, in whatever order."""

import itertools
from collections.abc import Hashable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.store.eviction import Policy, S3Fifo, Sieve
from edge.store.memory import Held, MemoryTier, charge

CAPACITY = 40_000
MAX_OBJECT = 15_000

KEYS = st.sampled_from([b"/%d" % number for number in range(12)])
IDENTITIES = st.sampled_from(["", "gzip", "br"])
SIZES = st.one_of(st.integers(0, 3_000), st.integers(0, MAX_OBJECT + 2_000), st.just(MAX_OBJECT))


class WatchedTier(MemoryTier[int]):
    """Keeps the most that `used_bytes` ever was, also in the middle of a call."""

    peak = 0

    @property
    def used_bytes(self) -> int:
        return self._used

    @used_bytes.setter
    def used_bytes(self, used: int) -> None:
        assert used >= 0, used
        self._used = used
        self.peak = max(self.peak, used)


class MemoryTierModel(RuleBasedStateMachine):
    """`held` is the model: what must be found, in the order of `put`, with its value and what it is charged."""

    def build(self) -> Policy:
        return S3Fifo(CAPACITY)

    @initialize(crowd=st.integers(0, 60))
    def start(self, crowd: int) -> None:
        self.policy = self.build()
        self.tier = WatchedTier(CAPACITY, MAX_OBJECT, self.policy)
        self.room = CAPACITY - self.tier.fixed_bytes
        self.held: dict[tuple[bytes, Hashable], tuple[int, int]] = {}
        self.departed: list[Held[int]] = []
        self.serial = itertools.count()
        self.evictions = 0
        self.scan(crowd, 800)

    def leave(self, evicted: list[Held[int]]) -> None:
        """Victims were in, are charged what they were, and were needed: without the last one there was no room."""
        for victim in evicted:
            assert self.held.pop((victim.key, victim.identity)) == (victim.value, victim.size)
            assert victim not in self.tier
        assert not evicted or self.tier.used_bytes + evicted[-1].size > self.room
        self.evictions += len(evicted)
        self.departed += evicted

    @rule(key=KEYS, identity=IDENTITIES, size=SIZES)
    def put(self, key: bytes, identity: Hashable, size: int) -> None:
        value = next(self.serial)
        self.departed += [held for held in self.tier.get(key) if held.identity == identity]
        self.held.pop((key, identity), None)
        admitted = self.tier.admits(key, size)
        assert admitted is (size <= MAX_OBJECT)
        self.leave(self.tier.put(key, identity, value, b"", size))
        if admitted:
            self.held[key, identity] = (value, charge(key, size))

    @rule(key=KEYS)
    def hit(self, key: bytes) -> None:
        for held in self.tier.get(key):
            held.visited = True

    @rule(key=KEYS, identity=IDENTITIES)
    def remove(self, key: bytes, identity: Hashable) -> None:
        removed = self.tier.remove(key, identity)
        known = self.held.pop((key, identity), None)
        assert (removed and (removed.value, removed.size)) == known
        self.departed += [removed] if removed else []

    @rule(key=KEYS)
    def remove_key(self, key: bytes) -> None:
        removed = self.tier.remove_key(key)
        known = [each for each in self.held if each[0] == key]
        assert [(held.key, held.identity) for held in removed] == known
        for held in removed:
            assert self.held.pop((held.key, held.identity)) == (held.value, held.size)
        self.departed += removed

    @rule(key=KEYS, delta=st.integers(-2_000, CAPACITY))
    def resize(self, key: bytes, delta: int) -> None:
        for held in self.tier.get(key)[:1]:
            delta = max(delta, charge(key, 0) - held.size)
            grown = held.size + delta
            evicted = self.tier.resize(held, delta)
            assert (evicted is None) is (grown > self.room)
            if evicted is not None:
                self.leave(evicted)
                self.held[held.key, held.identity] = (held.value, grown)

    @precondition(lambda self: self.departed)
    @rule(data=st.data())
    def resize_one_that_has_left(self, data: st.DataObject) -> None:
        assert self.tier.resize(data.draw(st.sampled_from(self.departed)), 1) is None

    @rule(count=st.integers(1, 100), size=st.integers(0, 3_000))
    def scan(self, count: int, size: int) -> None:
        """A crawler: keys never seen before, each asked for once. What is hot must not suffer."""
        hot = self.hot()
        for number in itertools.islice(self.serial, count):
            key = b"/scan/%d" % number
            self.leave(self.tier.put(key, "", number, b"", size))
            self.held[key, ""] = (number, charge(key, size))
        assert all(held in self.tier for held in hot)

    def hot(self) -> list[Held[int]]:
        """What stands in main, where that is within its share and none in small is about to be moved there."""
        assert isinstance(self.policy, S3Fifo)
        main = [held for held in self.tier if held.queue is self.policy._main]
        moving = sum(held.size for held in self.tier if held.visited and held.queue is self.policy._small)
        within = self.policy._main.bytes + moving <= self.room - self.policy._small_share
        return main if within and not self.policy._filling else []

    @invariant()
    def everything_is_found_and_nothing_else(self) -> None:
        assert {(held.key, held.identity): (held.value, held.size) for held in self.tier} == self.held
        for key in {key for key, _ in self.held}:
            assert [held.identity for held in self.tier.get(key)] == [
                other for each, other in self.held if each == key
            ]

    @invariant()
    def every_byte_is_counted_and_the_ceiling_was_never_passed(self) -> None:
        assert self.tier.used_bytes == sum(size for _, size in self.held.values())
        assert self.tier.objects == len(self.held)
        assert self.tier.evictions == self.evictions
        assert self.tier.peak <= self.room

    @invariant()
    def the_policy_holds_exactly_the_same(self) -> None:
        queues = {id(held.queue): held.queue for held in self.tier if held.queue is not None}
        assert sum(queue.bytes for queue in queues.values()) == self.tier.used_bytes
        assert sum(queue.length for queue in queues.values()) == self.tier.objects


class SieveTierModel(MemoryTierModel):
    """The same for the other policy, which promises nothing to the hot."""

    def build(self) -> Policy:
        return Sieve()

    def hot(self) -> list[Held[int]]:
        return []


BUDGET = settings(max_examples=60, stateful_step_count=40, deadline=None)

TestMemoryTierWithS3Fifo = pytest.mark.slow(MemoryTierModel.TestCase)
TestMemoryTierWithS3Fifo.settings = BUDGET
TestMemoryTierWithSieve = pytest.mark.slow(SieveTierModel.TestCase)
TestMemoryTierWithSieve.settings = BUDGET
