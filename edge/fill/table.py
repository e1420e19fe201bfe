"""Who fetches what: the fill table. PURE (a state machine; the clock comes in as `now`).

Owns: at most one joinable lease per (key, variant), who may join it, how it ends, and which keys are remembered as
uncacheable. Knows nothing of sockets, bodies or tasks: `fill` on a lease is the caller's own object.

Rules:
* A lease ends exactly once; the first outcome counts (`settle`), later calls change nothing.
* A lease can be joined while its outcome may still serve the joiner: not once it is tainted (an invalidation came after
  its request went out), not when the joiner's node does not vouch for its fence up to what the joiner needs, not when
  its head is overdue, not beyond the bound on followers. A lease that can't be joined is replaced; it lives on for
  those already aboard, and can still be tainted until its owner settles it.
* A lease's fence is what it was opened with until its request is really sent, and is raised then (`stamp`).
* UNCACHEABLE is remembered for a while: its requests are not collapsed, or they would queue behind each other
  (Varnish: hit-for-miss; Pingora: cacheability predictor).

DESIGN section 3. groupcache leaves a key stuck when its leader panics: here the owner settles in `finally`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Generic, TypeVar

from edge.values import value

F = TypeVar("F")


class Outcome(Enum):
    """How a fill ended."""

    COMPLETE = "complete"
    """The whole body came and was stored (or the stored response was freshened)."""
    UNCACHEABLE = "uncacheable"
    """The answer serves its leader only."""
    FAILED = "failed"
    """No usable answer, or the body broke off."""
    ABANDONED = "abandoned"
    """The leader's task died."""
    TIMED_OUT = "timed-out"
    """The head was overdue and another lease took its place."""


@dataclass(slots=True, eq=False)
class Lease(Generic[F]):
    """The right and the duty to fetch one key. fence: the purge position that what it brings is clean up to."""

    key: bytes
    variant: bytes
    number: int
    fence: int
    head_due: float
    """Monotonic seconds by which the head must be known."""
    fill: F | None = None
    followers: int = 0
    has_head: bool = False
    tainted: bool = False
    outcome: Outcome | None = None


@value(frozen=True, slots=True)
class Lead(Generic[F]):
    """Fetch it, others may follow."""

    lease: Lease[F]


@value(frozen=True, slots=True)
class Follow(Generic[F]):
    """Someone fetches it; wait for that."""

    lease: Lease[F]


@value(frozen=True, slots=True)
class Alone:
    """Fetch it for yourself only. remembered: True = the key is known as uncacheable, False = too many followers."""

    remembered: bool


Joined = Lead[F] | Follow[F] | Alone

Vouches = Callable[[int], bool]
"""Whether the joiner's node vouches for a fence up to the joiner's need, by what is known of the request
(edge.semantics.purge_table.PurgeTable.vouches_unseen)."""


@dataclass(slots=True)
class FillTable(Generic[F]):
    """The table of one worker. max_followers: bound on those waiting for one lease. max_remembered: keys kept."""

    max_followers: int = 10_000
    max_remembered: int = 65_536
    _leases: dict[bytes, dict[bytes, Lease[F]]] = field(default_factory=dict)
    """Those that may be found: by key and variant."""
    _running: dict[bytes, set[Lease[F]]] = field(default_factory=dict)
    """Those whose owner may still store something: by key."""
    _uncacheable: OrderedDict[bytes, float] = field(default_factory=OrderedDict)
    _number: int = 0

    def join(
        self,
        key: bytes,
        variant: bytes,
        *,
        fence: int,
        vouches: Vouches,
        now: float,
        patience: float,
    ) -> Joined[F]:
        """Lead, follow, or go alone.

        fence: of a lease that this opens, max(applied, need). vouches: for whom it does not hold, a lease is none.
        patience: seconds to the head.
        """
        if self.is_remembered(key, now):
            return Alone(remembered=True)
        variants = self._leases.get(key)
        held = None if variants is None else variants.get(variant)
        if held is not None and self._is_joinable(held, vouches, now):
            if held.followers >= self.max_followers:
                return Alone(remembered=False)
            held.followers += 1
            return Follow(held)
        return Lead(self._open(key, variant, fence, now + patience))

    def lead_if_idle(
        self,
        key: bytes,
        variant: bytes,
        *,
        fence: int,
        vouches: Vouches,
        now: float,
        patience: float,
    ) -> Lease[F] | None:
        """A lease for a background refresh, None when one that would do is under way already."""
        held = self._leases.get(key, {}).get(variant)
        if held is not None and self._is_joinable(held, vouches, now):
            return None
        return self._open(key, variant, fence, now + patience)

    def lead_alone(self, key: bytes, *, fence: int) -> Lease[F]:
        """A lease that nobody can join, for who goes alone: an invalidation must reach what he may store, too."""
        self._number += 1
        lease: Lease[F] = Lease(key, b"", self._number, fence, inf)
        self._running.setdefault(key, set()).add(lease)
        return lease

    def stamp(self, lease: Lease[F], fence: int) -> None:
        """Its request is sent now. fence: max(applied, need) as of now; the lease's never falls."""
        lease.fence = max(lease.fence, fence)

    def _open(self, key: bytes, variant: bytes, fence: int, head_due: float) -> Lease[F]:
        self._number += 1
        lease: Lease[F] = Lease(key, variant, self._number, fence, head_due)
        self._leases.setdefault(key, {})[variant] = lease
        self._running.setdefault(key, set()).add(lease)
        return lease

    def _is_joinable(self, lease: Lease[F], vouches: Vouches, now: float) -> bool:
        if lease.tainted or not vouches(lease.fence):
            return False
        if not lease.has_head and now > lease.head_due:
            self._end(lease, Outcome.TIMED_OUT)
            return False
        return True

    def leave(self, lease: Lease[F]) -> None:
        """A follower needs it no more. Each Follow is left exactly once."""
        assert lease.followers > 0, f"more left than followed: {lease!r}"
        lease.followers -= 1

    def head_known(self, lease: Lease[F]) -> None:
        """The head came in time."""
        lease.has_head = True

    def close(self, lease: Lease[F]) -> None:
        """Nobody joins it any more, for it could not serve him; those aboard stay."""
        variants = self._leases.get(lease.key)
        if variants is not None and variants.get(lease.variant) is lease:
            del variants[lease.variant]
            if not variants:
                del self._leases[lease.key]

    def settle(self, lease: Lease[F], outcome: Outcome) -> bool:
        """The owner ends his lease and stores nothing from here on.

        True when this was its end, False when it had ended before (then its outcome stays).
        """
        running = self._running.get(lease.key)
        if running is not None:
            running.discard(lease)
            if not running:
                del self._running[lease.key]
        return self._end(lease, outcome)

    def _end(self, lease: Lease[F], outcome: Outcome) -> bool:
        if lease.outcome is not None:
            return False
        lease.outcome = outcome
        self.close(lease)
        return True

    def taint(self, key: bytes) -> int:
        """An invalidation of `key` came: what is under way is neither stored nor joined. How many there were."""
        running = self._running.get(key, ())
        for lease in running:
            lease.tainted = True
        return len(running)

    def remember_uncacheable(self, key: bytes, until: float) -> None:
        """Do not collapse `key` before `until` (monotonic seconds). The oldest key is forgotten beyond the bound."""
        self._uncacheable[key] = until
        self._uncacheable.move_to_end(key)
        if len(self._uncacheable) > self.max_remembered:
            self._uncacheable.popitem(last=False)

    def is_remembered(self, key: bytes, now: float) -> bool:
        """True while `key` is remembered as uncacheable."""
        until = self._uncacheable.get(key)
        if until is None:
            return False
        if now >= until:
            del self._uncacheable[key]
            return False
        return True

    def forget_uncacheable(self, key: bytes) -> None:
        """A storable answer came: collapse again."""
        self._uncacheable.pop(key, None)

    @property
    def under_way(self) -> int:
        """Leases that can be found in the table."""
        return sum(len(variants) for variants in self._leases.values())
