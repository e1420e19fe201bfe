"""A deadline that is moved far more often than it passes.

Owns: `Deadline`. Moving it is an attribute write: the loop's timer is left where it is, and when it fires too
early it is set anew for what is left. Only an earlier deadline replaces the timer. So a request costs no
timer of its own, and neither does a piece of a body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Calls `overdue` once when the loop's time passes `at`, unless it was moved or cleared before."""

    __slots__ = ("_fires_at", "_loop", "_overdue", "_timer", "at")

    def __init__(self, loop: asyncio.AbstractEventLoop, overdue: Callable[[], None]) -> None:
        self._loop = loop
        self._overdue = overdue
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = NEVER
        self.at = NEVER
        """In the loop's time."""

    def move(self, at: float) -> None:
        """Set, or move, to the loop's time `at`; NEVER clears it."""
        self.at = at
        if at < self._fires_at:
            if self._timer is not None:
                self._timer.cancel()
            self._fires_at = at
            self._timer = self._loop.call_at(at, self._look)

    def clear(self) -> None:
        """None for now. The timer stays; it will find nothing to do."""
        self.at = NEVER

    def close(self) -> None:
        """Drop the timer too."""
        self.at = self._fires_at = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        self._fires_at = NEVER
        if self.at == NEVER:
            return
        if self._loop.time() < self.at:
            self.move(self.at)
        else:
            self.at = NEVER
            self._overdue()
