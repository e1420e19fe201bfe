"""The memory tier: stored responses in RAM, found by primary key, counted to the byte, under a ceiling that holds.

Rules:

* `used_bytes` + `fixed_bytes` never exceeds `capacity_bytes`, not even for a moment: what a newcomer replaces leaves
  first, then the victims, then the newcomer is in.
* What a response is charged is fixed when it is put: what the caller says that value and body occupy, its key, and
  `HELD_OVERHEAD` for the structures around them. It changes only through `resize`.
* A hit is `get` (one dictionary look-up, nothing allocated) and `held.visited = True` on the variant that is served.
* Victims are handed back, for the caller to demote to disk. What was replaced, removed or refused is not: it is not to
  be kept anywhere.

It must not know what a stored response is (`V`), what a variant's identity means, or what time it is. One event loop
owns it; nothing here awaits or locks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Final, Generic, TypeVar

from edge.store.eviction import SMALL_SHARE, Policy, Resident, S3Fifo

V = TypeVar("V")

HELD_OVERHEAD: Final = 328
"""Bytes a response costs beyond its payload: Held 112, its group's tuple 48, its place in the table 30 to 60, the heads
of the two bytes objects 66, the size 28, and 16 for the allocator. tests/store/test_memory.py holds it to the truth."""


class Held(Resident, Generic[V]):
    """A stored response in memory. `size` is all it is charged, in bytes; whoever serves it writes `visited = True`.

    clean: the purge position up to which it was found clean; whoever looked it up in the purge table raises it.
    """

    __slots__ = ("body", "clean", "identity", "ready", "value")

    def __init__(self, key: bytes, identity: Hashable, value: V, body: bytes, size: int) -> None:
        super().__init__(key, size)
        self.identity = identity
        self.value = value
        self.body = body
        self.ready: Any = None  # what edge.replying rendered of it, kept beside it
        self.clean = 0

    @property
    def was_hit(self) -> bool:
        """Whether it, or what it replaced, was ever served."""
        return self.visited or self.was_visited

    def __repr__(self) -> str:
        return f"Held({self.key!r}, {self.identity!r}, size={self.size}, visited={self.visited})"


class MemoryTier(Generic[V]):
    """Variants of stored responses by primary key, within `capacity_bytes`. Counters are plain, read on scrape."""

    __slots__ = (
        "_policy",
        "capacity_bytes",
        "evicted_bytes",
        "evictions",
        "groups",
        "max_object_bytes",
        "objects",
        "refusals",
        "used_bytes",
    )

    def __init__(
        self, capacity_bytes: int, max_object_bytes: int | None = None, policy: Policy | None = None
    ) -> None:
        """`max_object_bytes`: the largest payload admitted; None = a tenth of the capacity, the small queue's share,
        since anything larger empties that queue by its arrival. `policy`: None = S3-FIFO (docs/why/003-eviction.md).
        """
        assert capacity_bytes > 0, capacity_bytes
        self.capacity_bytes = capacity_bytes
        self.max_object_bytes = (
            capacity_bytes // SMALL_SHARE if max_object_bytes is None else max_object_bytes
        )
        self.used_bytes = 0
        self.objects = 0
        self.evictions = 0
        self.evicted_bytes = 0
        self.refusals = 0
        self._policy: Policy = S3Fifo(capacity_bytes) if policy is None else policy
        # A tuple a key, made anew on change: look-ups hand it out as it is, and nobody sees it move. Others may read
        # the table itself (it stays the same dictionary) where a call of `get` costs too much.
        self.groups: dict[bytes, tuple[Held[V], ...]] = {}

    @property
    def fixed_bytes(self) -> int:
        """What the tier occupies when empty, part of `capacity_bytes`: the ghosts' table."""
        return self._policy.fixed_bytes

    @property
    def ghost_hits(self) -> int:
        """Responses that came back soon after they had been evicted: many = the memory is too small."""
        return self._policy.ghost_hits

    def get(self, key: bytes) -> tuple[Held[V], ...]:
        """The variants held under `key`, in the order they were put; empty when there are none. Marks nothing."""
        return self.groups.get(key, ())

    def keys(self) -> list[bytes]:
        """Those of all that is held now."""
        return list(self.groups)

    def __iter__(self) -> Iterator[Held[V]]:
        """All that was held when the iteration began; the tier may change meanwhile."""
        for group in tuple(self.groups.values()):
            yield from group

    def __contains__(self, held: Held[V]) -> bool:
        """Whether this very `Held` is still in."""
        return any(each is held for each in self.groups.get(held.key, ()))

    def admits(self, key: bytes, size: int) -> bool:
        """Whether `put` would take a payload of `size` bytes under `key`."""
        room = self.capacity_bytes - self.fixed_bytes
        return size <= self.max_object_bytes and charge(key, size) <= room

    def has_room(self, key: bytes, size: int) -> bool:
        """Whether `put` would take a payload of `size` bytes under `key` without a victim."""
        return self.admits(key, size) and charge(key, size) + self.used_bytes <= (
            self.capacity_bytes - self.fixed_bytes
        )

    def put(
        self, key: bytes, identity: Hashable, value: V, body: bytes, size: int, *, clean: int = 0
    ) -> list[Held[V]]:
        """Hold a response, in place of the one with the same `identity` under `key`; the victims, oldest first.

        `size` = bytes that `value` and `body` occupy. A payload that `admits` denies is counted in `refusals` and not
        held, and what it would have replaced is gone all the same: it has been superseded.
        """
        former = self.remove(key, identity) if key in self.groups else None
        charged, room = charge(key, size), self.capacity_bytes - self._policy.fixed_bytes
        if size > self.max_object_bytes or charged > room:  # as `admits` says
            self.refusals += 1
            return []
        newcomer = Held(key, identity, value, body, charged)
        newcomer.clean = clean
        if former is None:
            self._policy.place(newcomer)
        else:
            # Freshened or fetched again, it is as popular as it was: it does not queue up as a stranger.
            newcomer.queue = former.queue
            newcomer.visited, newcomer.was_visited = former.visited, former.was_visited
        evicted = self._make_room(newcomer, charged) if self.used_bytes + charged > room else []
        self.groups[key] = (*self.groups.get(key, ()), newcomer)
        self.objects += 1
        self.used_bytes += newcomer.size
        self._policy.admit(newcomer)
        return evicted

    def remove(self, key: bytes, identity: Hashable) -> Held[V] | None:
        """Forget the variant `identity` of `key`; the removed one, None when it was not held."""
        for held in self.groups.get(key, ()):
            if held.identity == identity:
                self._policy.remove(held)
                self._discard(held)
                return held
        return None

    def remove_key(self, key: bytes) -> tuple[Held[V], ...]:
        """Forget all variants of `key`; the removed ones."""
        group = self.groups.pop(key, ())
        for held in group:
            self._policy.remove(held)
            self.objects -= 1
            self.used_bytes -= held.size
        return group

    def resize(self, held: Held[V], delta: int) -> list[Held[V]] | None:
        """Charge `held` for `delta` bytes more (less, when negative); the victims, never `held` itself.

        None = refused, nothing has changed: `held` has left meanwhile, or would not fit into an empty tier.
        """
        grown = held.size + delta
        assert grown >= charge(held.key, 0), (held, delta)
        room = self.capacity_bytes - self.fixed_bytes
        if held not in self or grown > room:
            return None
        if self.used_bytes + delta <= room:
            self._policy.resize(held, delta)
            self.used_bytes += delta
            return []
        # Out of its queue while the others make room, and back at the new end: so it cannot be its own victim.
        self._policy.remove(held)
        held.size = grown
        evicted = self._make_room(held, delta)
        self.used_bytes += delta
        self._policy.admit(held)
        return evicted

    def _make_room(self, newcomer: Held[V], need: int) -> list[Held[V]]:
        """Let victims leave until `need` more bytes fit."""
        room = self.capacity_bytes - self.fixed_bytes
        evicted: list[Held[V]] = []
        while self.used_bytes + need > room:
            victim = self._policy.victim(newcomer)
            assert isinstance(victim, Held), victim
            self._discard(victim)
            self.evictions += 1
            self.evicted_bytes += victim.size
            evicted.append(victim)
        return evicted

    def _discard(self, held: Held[V]) -> None:
        """Take out of the index what has left the policy."""
        rest = tuple(each for each in self.groups[held.key] if each is not held)
        if rest:
            self.groups[held.key] = rest
        else:
            del self.groups[held.key]
        self.objects -= 1
        self.used_bytes -= held.size


def charge(key: bytes, size: int) -> int:
    """What the tier counts for a payload of `size` bytes under `key`, in bytes."""
    return size + len(key) + HELD_OVERHEAD
