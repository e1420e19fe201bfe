"""The only reader of clocks.

Owns: `now`, the time that HTTP dates, ages and freshness are reckoned in, and `mono`, for timeouts and leases.

`now` starts at the wall clock and then advances by the monotonic one, so that somebody who sets the machine's clock
neither resurrects what has expired (a step back) nor expires everything at once (a step forward). It follows the wall
clock slowly: while the two differ, it runs up to `MAX_SLEW` faster or slower, which is also the most by which any
freshness lifetime is ever mismeasured. It never goes backwards. `discipline`, called once a second, does the following
and says when the wall clock was stepped; while `is_suspect`, windows on times that others wrote (signatures) are not to
be relied on.

The monotonic clock is the one that counts suspended time where the system has such a clock (Linux: CLOCK_BOOTTIME):
a machine that slept has stored responses that are as old as they look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

STEP_SECONDS = 1.0
"""A wall clock that moved more than this against the monotonic one between two looks was stepped; NTP slews by less."""

MAX_SLEW = 0.05
"""Seconds per second: an hour's error is gone in 20 hours, a day's in 20 days."""

SLEW_OVER_SECONDS = 20.0
"""A difference of less than MAX_SLEW times this is corrected in proportion, so that following does not oscillate."""


class Clock(Protocol):
    """What everything that needs the time is given."""

    def now(self) -> float:
        """Unix seconds; never goes backwards."""

    def mono(self) -> float:
        """Seconds since some moment in the past; for differences only."""

    def at(self, mono: float) -> float:
        """What `now` says at the moment at which `mono` said that; for a moment just past. It saves a look at the clock."""


def monotonic() -> Callable[[], float]:
    """What reads the monotonic clock, in seconds."""
    boottime: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return time.monotonic
    return partial(time.clock_gettime, boottime)


class SystemClock:
    """The machine's clocks.

    not_before: unix seconds that `now` starts at if the wall clock is behind them (what the store last wrote, so that
    a clock set back between two runs resurrects nothing). wall, mono: the clocks to read.
    """

    __slots__ = ("_base_mono", "_base_now", "_rate", "_seen_drift", "_wall", "mono", "steps")

    def __init__(
        self,
        *,
        not_before: float = 0.0,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] | None = None,
    ) -> None:
        self._wall = wall
        # An attribute and no method: it is read several times a request.
        self.mono: Callable[[], float] = monotonic() if mono is None else mono
        """Seconds, for differences only; counts suspended time where the system can."""
        self._base_mono = self.mono()
        at = self._wall()
        self._seen_drift = at - self._base_mono
        self._base_now = max(at, not_before)
        self._rate = 1.0
        self.steps = 0
        """How often the wall clock was stepped since the start."""

    def now(self) -> float:
        """Unix seconds; never goes backwards, whatever is done to the wall clock."""
        return self._base_now + (self.mono() - self._base_mono) * self._rate

    def at(self, mono: float) -> float:
        """Unix seconds at that monotonic second, since the last `discipline`."""
        return self._base_now + (mono - self._base_mono) * self._rate

    def offset(self) -> float:
        """Seconds by which the wall clock is ahead of `now` (negative: behind)."""
        return self._wall() - self.now()

    @property
    def is_suspect(self) -> bool:
        """Whether `now` and the wall clock disagree by more than STEP_SECONDS."""
        return abs(self.offset()) > STEP_SECONDS

    def discipline(self) -> float | None:
        """Follow the wall clock a little; to be called about once a second. The step's seconds if it was stepped."""
        mono, wall = self.mono(), self._wall()
        self._base_now += (mono - self._base_mono) * self._rate
        self._base_mono = mono
        correction = (wall - self._base_now) / SLEW_OVER_SECONDS
        self._rate = 1.0 + min(max(correction, -MAX_SLEW), MAX_SLEW)
        drift = wall - mono
        moved, self._seen_drift = drift - self._seen_drift, drift
        if abs(moved) <= STEP_SECONDS:
            return None
        self.steps += 1
        return moved
