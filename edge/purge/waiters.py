"""Who waits until the purge log has been read up to a position.

Owns: `Waiters`. Rules: to tell them costs one comparison where nobody waits for what was read.
"""

from __future__ import annotations

import asyncio
import heapq


class Waiters:
    """Those of one reader."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    async def until(self, position: int, seconds: float) -> bool:
        """Wait until `reached` is told that position or a later one; False when that takes longer."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        waiting = (position, self._count, future)
        heapq.heappush(self._waiting, waiting)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)
        return True

    def reached(self, position: int) -> None:
        """All up to there has been read."""
        while self._waiting and self._waiting[0][0] <= position:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)
