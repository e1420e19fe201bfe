"""Readers of the purge log in a process of their own: `python -m tools.purge_bench.followers FOLDER COUNT` with the log's
address as a line of JSON on standard input.

Owns: that program, and `Reported`, what it prints. Rules: each reader is what a worker has - a connection, a table, a
`Follower` - in one event loop with the others of its process; an order says in its note when it was published, by the
clock that all processes of a machine share; the first line that is printed says that all have caught up with the log, or
begin it; the second, once each has applied as many orders as another line of standard input says, is the report.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.clock import SystemClock
from edge.measures import Measures
from edge.purge.follower import Follower
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.server.machine import new_loop
from edge.tasks import TaskOwner

STILL_SECONDS = 3.0
"""No order in so many seconds: there will be none."""


@dataclass(frozen=True, slots=True)
class Reported:
    """applied: orders, of all readers together. delays: seconds from publishing to being in force. cpu: seconds of all,
    since they began to wait.
    """

    applied: int
    delays: Sequence[float]
    cpu: float


class Reader:
    """One that notes when orders came into force."""

    def __init__(self, address: BusAddress, folder: Path, name: str) -> None:
        clock, measures = SystemClock(), Measures()
        self.bus = Bus(address, name=name, clock=clock, measures=measures)
        self.follower = Follower(
            self.bus,
            PurgeTable(lambda _uri: ()),
            folder=folder / name,
            node=name,
            instance="0" * 16,
            clock=clock,
            measures=measures,
        )
        self.delays: list[float] = []
        self.applied = 0
        self._clock = clock
        self.follower.on_order(self._took)

    async def start(self, tasks: TaskOwner) -> None:
        """Connect, and read on from here."""
        await self.bus.connect()
        await self.follower.start(tasks)
        while not self.follower.history:  # noqa: ASYNC110  # it rings no bell
            await asyncio.sleep(0.01)

    def _took(self, order: PurgeOrder, _position: int) -> None:
        self.applied += 1
        if order.note:
            self.delays.append(self._clock.mono() - float(order.note))


async def read(address: BusAddress, folder: Path, count: int) -> None:
    """Until each has applied what standard input says, or no longer comes nearer to it."""
    loop = asyncio.get_running_loop()
    readers = [Reader(address, folder, f"reader-{number}") for number in range(count)]
    async with TaskOwner("readers") as tasks:
        for reader in readers:
            await reader.start(tasks)
        print("ready", flush=True)
        began = time.process_time()
        wanted = int(await loop.run_in_executor(None, sys.stdin.readline))
        await _settled(readers, wanted)
        said = Reported(
            sum(reader.applied for reader in readers),
            [round(delay, 6) for reader in readers for delay in reader.delays],
            time.process_time() - began,
        )
        print(json.dumps(asdict(said)), flush=True)
    for reader in readers:
        await reader.bus.aclose()


async def _settled(readers: Sequence[Reader], wanted: int) -> None:
    known = -1
    while (applied := sum(reader.applied for reader in readers)) < wanted * len(readers) and applied > known:
        known = applied
        await asyncio.sleep(STILL_SECONDS)


def main() -> None:
    """See the module."""
    address = BusAddress.from_json(json.loads(sys.stdin.readline()))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(read(address, Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
