"""Real spools over a real disk tier: what a fill writes through, without a store around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from edge.semantics.stored import StoredResponse
from edge.store.disk import DiskTier
from edge.store.disk_limits import DiskLimits
from edge.store.spool import DiskSpool
from tests.kit.disk import MB, SMALL, primary, variant
from tests.kit.process import descriptors

T = TypeVar("T")


def open_bodies(directory: Path) -> int:
    """Descriptors of body files under `directory`, unlinked ones too."""
    bodies = str(directory / "live" / "bodies")
    return sum(link.startswith(bodies) for link in descriptors())


class SpoolRoom:
    """Makes spools. written, published: what went through the writing thread, what became a stored response."""

    def __init__(self, tier: DiskTier, writing: ThreadPoolExecutor, reading: ThreadPoolExecutor) -> None:
        self.tier = tier
        self.writes = 0
        """Calls that were handed to the writing thread."""
        self.published: list[StoredResponse] = []
        self._writing = writing
        self._reading = reading

    async def write(self, blocking: Callable[[], T]) -> T:
        self.writes += 1
        return await asyncio.get_running_loop().run_in_executor(self._writing, blocking)

    async def read(self, blocking: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, blocking)

    async def spool(self, length: int | None = None, *, name: int = 1) -> DiskSpool:
        writer = await self.write(lambda: self.tier.begin(primary(name), variant(0), length))
        return DiskSpool(
            writer, write=self.write, finish=self.write, read=self.read, published=self.published.append
        )


@asynccontextmanager
async def spooling(
    directory: Path, ceiling: int = 64 * MB, limits: DiskLimits = SMALL
) -> AsyncIterator[SpoolRoom]:
    """A room for spools; nothing of an unfinished one may be left at its end."""
    tier = DiskTier(directory, ceiling, limits=limits)
    with ThreadPoolExecutor(1) as writing, ThreadPoolExecutor(4) as reading:
        tier.open()
        try:
            yield SpoolRoom(tier, writing, reading)
        finally:
            tier.close()
