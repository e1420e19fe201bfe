"""How many requests a second a node answers, all its workers together.

Owns: `RequestRate`. Rules: workers are asked for their totals every PERIOD_SECONDS; what one that does not answer did
meanwhile is counted when it does; a total that fell is that of a new process. The rate is smoothed, so that what the other
nodes make of it (edge.geo.load) does not follow every gust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from edge.clock import Clock

PERIOD_SECONDS = 2.0
SMOOTHING = 0.4
"""Of what is new: after four periods, nearly nine tenths of a change are felt."""

Served = Callable[[], Awaitable[Mapping[int, int]]]
"""How many requests each worker has answered since it began, by its index; those that do not say are left out."""


class RequestRate:
    """now: requests a second; None = nothing is known yet."""

    def __init__(self) -> None:
        self.now: float | None = None
        self._totals: dict[int, int] = {}
        self._at: float | None = None

    def take(self, totals: Mapping[int, int], at: float) -> None:
        """totals: by worker. at: monotonic seconds. The first time there is nothing to compare with."""
        if self._at is not None and at > self._at:
            grown = sum(total - self._before(index, total) for index, total in totals.items())
            rate = grown / (at - self._at)
            self.now = rate if self.now is None else self.now + (rate - self.now) * SMOOTHING
        self._totals.update(totals)
        self._at = at

    def _before(self, index: int, total: int) -> int:
        before = self._totals.get(index, 0)
        return before if before <= total else 0

    async def keep(self, served: Served, clock: Clock) -> None:
        """Ask until cancelled."""
        while True:
            self.take(await served(), clock.mono())
            await asyncio.sleep(PERIOD_SECONDS)
