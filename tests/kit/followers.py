"""Followers of a real log, as the processes of a node have them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.clock import SystemClock
from edge.measures import Measures
from edge.purge.follower import Follower
from edge.purge.log import PurgeLog
from edge.purge.ticks import Ticks
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.semantics.selectors import Site
from edge.tasks import TaskOwner
from tests.kit.buses import bus_to
from tests.kit.waiting import PATIENCE, TookTooLong

INSTANCE = "i1"


@dataclass
class Node:
    """One process that reads the log. applied: ids of the orders, in the order in which they came into force."""

    bus: Bus
    follower: Follower
    log: PurgeLog
    measures: Measures
    tasks: TaskOwner
    applied: list[str] = field(default_factory=list)

    async def purge(self, order_id: str) -> int:
        """Order one; its sequence number."""
        order = PurgeOrder(order_id, UnixSeconds(0.0), (Site(order_id),))
        return (await self.log.append(order, within=PATIENCE)).seq

    async def has(self, *ids: str) -> None:
        """Wait until these came into force, in this order, and nothing else."""
        await seen(
            lambda: self.applied[-len(ids) :] == list(ids) or len(self.applied) > len(ids),
            lambda: self.applied,
        )
        assert self.applied == list(ids)

    async def caught_up(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.follower.caught_up.wait()


@asynccontextmanager
async def node(
    address: BusAddress,
    folder: Path,
    *,
    name: str = "n1",
    instance: str = INSTANCE,
    ticks: bool = True,
    least: tuple[str, int] = ("", 0),
) -> AsyncIterator[Node]:
    """One that reads. ticks: it is a supervisor, and proves itself current."""
    clock, measures = SystemClock(), Measures()
    async with bus_to(address, name=name, measures=measures) as bus, TaskOwner(name) as tasks:
        table = PurgeTable(lambda uri: ())
        follower = Follower(
            bus,
            table,
            folder=folder,
            node=name,
            instance=instance,
            clock=clock,
            measures=measures,
            least=least,
        )
        made = Node(bus, follower, PurgeLog(bus, clock, measures), measures, tasks)
        follower.on_order(lambda order, _position: made.applied.append(order.id))
        await follower.start(tasks)
        if ticks:
            await Ticks(bus, follower, node=name, instance=instance, clock=clock).start(tasks)
        yield made


async def seen(claim: Callable[[], bool], shown: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Wait for what changes without a bell."""
    try:
        async with asyncio.timeout(within):
            while not claim():  # noqa: ASYNC110 - it comes from another process
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise TookTooLong(f"waited {within} s; seen: {shown()}") from None
