"""Which nonces were used. PURE. RFC 9421 section 7.2.2.

Owns: `Nonces`. Rules: a nonce is remembered per key until no request with it could be taken any more; it is fed from the
log of purges, in which each order has its key's id and nonce, so a replay is found on every node and after a restart.

The memory is bounded. When it is full, what would be forgotten soonest goes early, and from then on every request that is
as old as the one forgotten counts as seen: a replay is never let through for want of memory; what is refused instead is
an honest request that took minutes to arrive while somebody with a key sends hundreds a second.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

MAX_NONCES = 200_000
"""Ten minutes' worth of 300 purges a second; about 60 MB."""


class Remembered(NamedTuple):
    """A nonce that was used. until: unix seconds, inclusive."""

    until: float
    keyid: str
    nonce: str


@dataclass(frozen=True, slots=True)
class UsedNonces:
    """A snapshot. horizon: the latest `until` of what was forgotten early; None = nothing was."""

    remembered: tuple[Remembered, ...] = ()
    horizon: float | None = None


class Nonces:
    """The used nonces of all keys. max_age, skew: seconds, as in `Policy`."""

    def __init__(
        self, max_age: float, skew: float, *, capacity: int = MAX_NONCES, was: UsedNonces = UsedNonces()
    ) -> None:
        assert capacity > 0, capacity
        self._max_age = max_age
        self._window = max_age + skew
        self._capacity = capacity
        self._used: set[tuple[str, str]] = set()
        self._by_end: list[Remembered] = []
        self._horizon = was.horizon
        for one in was.remembered:
            self._add(one)

    def seen(self, keyid: str, nonce: str, *, created: float) -> bool:
        """Whether the nonce was used, or may have been: `created` is as old as what had to be forgotten early."""
        if (keyid, nonce) in self._used:
            return True
        return self._horizon is not None and created + self._max_age <= self._horizon

    def remember(self, keyid: str, nonce: str, *, at: float, now: float) -> None:
        """Note that a nonce was used. at: when the signature was created, or when the order was made that it asked for.

        An order is made at most `skew` before the signature's `created`, by the clock that judged both.
        """
        while self._by_end and self._by_end[0].until < now:
            self._drop()
        if at + self._window >= now:
            self._add(Remembered(at + self._window, keyid, nonce))

    def snapshot(self) -> UsedNonces:
        """All that is remembered, in no order; `Nonces(..., was=snapshot)` goes on from it."""
        return UsedNonces(tuple(self._by_end), self._horizon)

    def __len__(self) -> int:
        return len(self._by_end)

    def _add(self, one: Remembered) -> None:
        used = (one.keyid, one.nonce)
        if used in self._used:
            return
        self._used.add(used)
        heapq.heappush(self._by_end, one)
        if len(self._by_end) > self._capacity:
            until = self._drop().until
            self._horizon = until if self._horizon is None else max(self._horizon, until)

    def _drop(self) -> Remembered:
        gone = heapq.heappop(self._by_end)
        self._used.discard((gone.keyid, gone.nonce))
        return gone
