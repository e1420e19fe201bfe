"""How far a process has read is told when it moves, not more often than may be, and now and then in any case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.server.orders import Applied
from edge.server.reporting import report
from edge.tasks import TaskOwner
from tests.kit.waiting import Bell

HISTORY = "0123456789abcdef"
BASE = 1 << 48


class Reading:
    """A reader of the log that the test turns."""

    def __init__(self) -> None:
        self.caught_up = asyncio.Event()
        self.proven_at = float("-inf")
        self.applied = 0
        self.history = ""
        self._bell = Bell()

    def seq_of(self, position: int) -> int | None:
        return position - BASE if position >= BASE else None

    async def wait_applied(self, position: int, seconds: float) -> bool:
        await self._bell.until(lambda: self.applied >= position, "more", seen=lambda: self.applied)
        return True

    def reads(self, seq: int) -> None:
        self.history, self.applied, self.proven_at = HISTORY, BASE + seq, 5.0
        self._bell.ring()


class Told:
    """What was said."""

    def __init__(self) -> None:
        self.said: list[Applied] = []
        self._bell = Bell()

    def __call__(self, applied: Applied) -> None:
        self.said.append(applied)
        self._bell.ring()

    async def hears(self, applied: Applied) -> None:
        await self._bell.until(lambda: self.said[-1:] == [applied], f"{applied}", seen=lambda: self.said[-1:])


@asynccontextmanager
async def reporting() -> AsyncIterator[tuple[Reading, Told]]:
    reading, told = Reading(), Told()
    async with TaskOwner("reporting") as tasks:
        tasks.spawn(report(reading, told), name="report")
        yield reading, told


async def test_what_nothing_is_known_of_is_said_so():
    async with reporting() as (_, told):
        await told.hears(Applied("", 0, caught_up=False, proven_at=None))


async def test_each_move_is_told_at_once_and_many_as_one():
    async with reporting() as (reading, told):
        reading.caught_up.set()
        reading.reads(1)
        await told.hears(Applied(HISTORY, 1, caught_up=True, proven_at=5.0))
        before = len(told.said)
        for seq in range(2, 1000):
            reading.reads(seq)
        await told.hears(Applied(HISTORY, 999, caught_up=True, proven_at=5.0))
        assert len(told.said) - before <= 2


async def test_having_caught_up_once_is_said_for_good():
    async with reporting() as (reading, told):
        reading.reads(1)
        await told.hears(Applied(HISTORY, 1, caught_up=False, proven_at=5.0))
        reading.caught_up.set()
        await told.hears(Applied(HISTORY, 1, caught_up=True, proven_at=5.0))
        reading.caught_up.clear()
        reading.reads(2)
        await told.hears(Applied(HISTORY, 2, caught_up=True, proven_at=5.0))
