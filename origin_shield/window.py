"""How many of the last requests failed. PURE.

Owns: `Window`. Rules: what is older than `seconds` does not count, to a tenth of it; it takes the same small space whatever
comes. Time is any clock's that does not go backwards.
"""

from __future__ import annotations

from typing import Final

SLICES: Final = 10
"""Parts that a window is counted in; it forgets one at a time."""


class Window:
    """See the module. seconds: its length."""

    __slots__ = ("_all", "_failed", "_slice", "seconds")

    def __init__(self, seconds: float) -> None:
        assert seconds > 0, seconds
        self.seconds = seconds
        self._slice = 0
        self._all = [0] * SLICES
        self._failed = [0] * SLICES

    def count(self, now: float, *, failed: bool) -> None:
        """One request has ended."""
        at = self._move(now)
        self._all[at] += 1
        self._failed[at] += failed

    def turn(self, now: float) -> None:
        """One that was counted as a success was none after all."""
        self._failed[self._move(now)] += 1

    def counts(self, now: float) -> tuple[int, int]:
        """(all, failed of them)."""
        self._move(now)
        return sum(self._all), sum(self._failed)

    def share(self, now: float) -> float:
        """Of all, the share that failed; 0 where there were none."""
        counted, failed = self.counts(now)
        return min(1.0, failed / counted) if counted else 0.0

    def clear(self) -> None:
        """Forget everything."""
        self._all = [0] * SLICES
        self._failed = [0] * SLICES

    def _move(self, now: float) -> int:
        at = int(now * SLICES / self.seconds)
        passed = at - self._slice
        if not passed:
            return at % SLICES
        if passed >= SLICES:
            self.clear()
        else:
            for gone in range(self._slice + 1, at + 1):
                self._all[gone % SLICES] = self._failed[gone % SLICES] = 0
        self._slice = max(self._slice, at)
        return self._slice % SLICES
