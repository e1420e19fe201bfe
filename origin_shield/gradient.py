"""How many requests an origin takes at once, found out from how long it takes. PURE.

Owns: `Gradient`. What an unloaded origin takes is its usual time. While it takes about that, more may be sent; when it takes
longer, requests queue up in it, and fewer are sent, in proportion to how much longer. (The idea of TCP Vegas; Netflix's
concurrency-limits and Envoy's filter do the like.)

Rules: the usual time is learned where we are not the cause of a longer one: at once when it is shorter, and slowly when it is
longer while little is under way. An adaptive limit that learns its usual time under load takes the overload for the usual, and
ends at the cap. Failures count as an origin that has too much to do. The limit is never outside of its bounds.
"""

from __future__ import annotations

from math import sqrt
from statistics import median
from typing import Final

FIRST: Final = 20
"""Where it begins: little enough to learn a time by, and left within seconds where there is more to be had."""
LEAST: Final = 4
"""The lowest limit: below it nothing is learned."""
SAMPLES: Final = 25
"""Answers that are looked at together. The median of them is not moved by one slow page."""
TOLERANCE: Final = 1.5
"""A time is long beyond this many times the usual one."""
SMOOTH: Final = 0.3
"""How far one look moves the limit towards where it should be."""
SLOWLY: Final = 0.1
"""How far one look moves the usual time up."""


class Gradient:
    """The limit of one origin in one worker. most: the cap that it never exceeds."""

    __slots__ = ("_failed", "_limit", "_peak", "_seconds", "_usual", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._limit = float(min(FIRST, most))
        self._usual: float | None = None
        self._seconds: list[float] = []
        self._failed = 0
        self._peak = 0

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return min(max(int(self._limit), 1), self.most)

    def answered(self, seconds: float, under_way: int) -> bool:
        """One was answered after so long, so many being under way. True = the limit may have changed."""
        self._seconds.append(seconds)
        return self._saw(under_way)

    def failed(self, under_way: int) -> bool:
        """One was not answered. True = the limit may have changed."""
        self._failed += 1
        return self._saw(under_way)

    def _saw(self, under_way: int) -> bool:
        self._peak = max(self._peak, under_way)
        if len(self._seconds) + self._failed < SAMPLES:
            return False
        self._look()
        self._seconds.clear()
        self._failed = self._peak = 0
        return True

    def _look(self) -> None:
        least = min(LEAST, self.most)
        slope = 1.0 - 0.5 * self._failed / SAMPLES
        if self._seconds:
            now = median(self._seconds)
            usual = self._learned(now, least)
            slope = min(slope, max(0.5, TOLERANCE * usual / now)) if now > 0 else slope
        room = sqrt(self._limit) if slope == 1.0 and self._peak > self._limit / 2 else 0.0
        wanted = self._limit * slope + room
        moved = self._limit + SMOOTH * (wanted - self._limit)
        self._limit = min(max(moved, float(least)), float(self.most))

    def _learned(self, now: float, least: int) -> float:
        usual = self._usual
        if usual is None or now < usual:
            usual = now
        elif self._peak <= max(self._limit / 2, least):
            usual += SLOWLY * (now - usual)
        self._usual = usual
        return usual
