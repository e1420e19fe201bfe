"""A worker that is there and says nothing is replaced.

Owns: `Watchdog`. A process that is stopped, or whose loop does not turn, holds its share of the connections and of
the keys and is no use for either; nobody notices but those who wait for it. Rules: every `PERIOD_SECONDS` each
serving worker is asked whether it is ready (edge.server.admin); one that has not answered `MISSES` times in a row
is killed, and its keeper starts another. A loop that stands still that long is broken: nothing that may take long
runs on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence

from edge.server.keeper import Keeper

_log = logging.getLogger("perigee.supervisor")
PERIOD_SECONDS = 3.0
MISSES = 3
"""With the time an answer may take: a hung worker is replaced after 10 to 20 seconds."""


class Watchdog:
    """answering: which of these workers answer, asked all at once."""

    def __init__(
        self, keepers: Sequence[Keeper], answering: Callable[[Sequence[int]], Awaitable[Collection[int]]]
    ) -> None:
        self._keepers = keepers
        self._answering = answering
        self._missed: Counter[tuple[int, int]] = Counter()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Ask once."""
        seen = {keeper.index: keeper.seen() for keeper in self._keepers}
        asked = [index for index, each in seen.items() if each.served]
        answers = await self._answering(asked)
        missed: Counter[tuple[int, int]] = Counter()
        for keeper in self._keepers:
            each = seen[keeper.index]
            if not each.served or each.pid is None or keeper.index in answers:
                continue
            life = (keeper.index, each.pid)
            missed[life] = self._missed[life] + 1
            if missed[life] >= MISSES and keeper.seen().pid == each.pid:
                _log.error(
                    "worker does not answer; it is killed", extra={"worker": keeper.index, "pid": each.pid}
                )
                keeper.kill()
        self._missed = missed
