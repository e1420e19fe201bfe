"""Purging, in the process that outlives the workers: the bus, the log, who has applied what, and where purges are ordered.

Owns: `Purging`: the order in which the parts begin and end. DESIGN section 4. Rules:
* The bus is there before the first worker is, and until the last one is gone; then this node says that it leaves.
* A server of our own must start, and a log that cannot be trusted (edge.bus.durability) ends the start. Servers of a
  network may be away just now: the node starts all the same, is not ready, takes no purges, and goes on trying.
* What this node says it has applied is what holds for all its processes (edge.server.acknowledged).
* Nothing of this exists with purge.log = "off".
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.bus.durability import make_durable
from edge.bus.embedded import EmbeddedServer
from edge.bus.faults import BusFault
from edge.errors import ConfigFault
from edge.fleet.fleet import Fleet
from edge.fleet.presence import MAX_ADDRESSES, Presence
from edge.purge.desk_dry_run import asked
from edge.purge.follower import Follower
from edge.purge.snapshot import SnapshotKeeper
from edge.purge.ticks import Ticks
from edge.semantics.purge_order import encode
from edge.semantics.purge_table import PurgeTable
from edge.server.acknowledged import Acknowledged
from edge.server.orders import Applied
from edge.server.purge_counter import Ground, PurgeCounter
from edge.server.reporting import report
from edge.server.request_rate import RequestRate
from edge.server.surveying import answer_of
from edge.server.worker_admin import ask
from edge.server.worker_log import PURGES, LogAccess
from edge.settings.sites import Homes, purged_keys
from edge.tasks import TaskOwner

OWN_SECONDS = 10.0
SHARED_SECONDS = 2.0
"""How long the start waits for the first connection: to a server that we have just started, and to those of a network."""
SERVED_SECONDS = 2.0
"""How long a worker may take to say how many requests it answered."""
LOOK_SECONDS = 1.0
"""Between two looks at whether anything is wrong with the log."""
DURABLE_AGAIN_SECONDS = 5.0
"""Between two looks at a log that cannot be trusted, or does not answer."""
SERVERS = "nats"
"""The folder in the data directory for a server of our own."""

_log = logging.getLogger("perigee.purge")


class Purging:
    """See the module. Made by `purging`."""

    def __init__(self, ground: Ground, address: BusAddress, tasks: TaskOwner) -> None:
        settings, clock, measures = ground.settings(), ground.clock, ground.measures
        folder = settings.data_dir / PURGES
        self._ground = ground
        self._tasks = tasks
        self._complaint: str | None = None
        self._rate = RequestRate()
        self.instance = secrets.token_hex(8)
        self.bus = Bus(address, name=settings.name, clock=clock, measures=measures)
        self.table = PurgeTable(
            lambda uri: purged_keys(uri, ground.settings().sites), max_items=settings.purge.keep
        )
        self.follower = Follower(
            self.bus,
            self.table,
            folder=folder,
            node=settings.name,
            instance=self.instance,
            clock=clock,
            measures=measures,
        )
        self._ticks = Ticks(self.bus, self.follower, node=settings.name, instance=self.instance, clock=clock)
        self._snapshots = SnapshotKeeper(self.follower.snapshot, folder, clock)
        self._homes = Homes(settings.sites)
        self.acknowledged = Acknowledged()
        self.fleet = Fleet(self.bus, self._say, answer=self._answer, clock=clock, measures=measures)
        self.counter = PurgeCounter(self.bus, self.follower, self.fleet, ground)

    async def start(self) -> None:
        """Connect, look at the log, begin to read it and to speak. ConfigFault; BusFault of a server of our own."""
        try:
            await self.bus.connect(within=OWN_SECONDS if self.bus.address.is_own else SHARED_SECONDS)
            await self._make_durable()
        except BusFault as fault:
            if self.bus.address.is_own:
                raise
            _log.warning("the purge log cannot be reached yet", extra={"why": fault.detail})
            self._complaint = fault.detail
        await self.counter.start(self._tasks)  # it hears of every order that is read
        await self.follower.start(self._tasks)
        await self._ticks.start(self._tasks)
        self._tasks.spawn(self._look_after(), name="durable")
        self._tasks.spawn(report(self.follower, self._read), name="report")
        self._tasks.spawn(self._snapshots.run(self.follower.caught_up), name="snapshots")
        self._tasks.spawn(self._rate.keep(self._served, self._ground.clock), name="rate")
        await self.fleet.start(self._tasks)

    async def _make_durable(self) -> None:
        ground = self._ground
        await make_durable(self.bus, ground.settings().nats, ground.clock)
        self._complaint = None
        self.counter.open()

    async def _look_after(self) -> None:
        """Servers may be away at the start, and a log can be removed later: then somebody has to make it, and to say so."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._complaint is None and self.follower.fault is None:
                continue
            try:
                await self.bus.connected(DURABLE_AGAIN_SECONDS)
                await self._make_durable()
            except (BusFault, ConfigFault) as fault:
                if fault.detail != self._complaint:
                    _log.error("the purge log takes no purges now", extra={"why": fault.detail})
                self._complaint = fault.detail
                await asyncio.sleep(DURABLE_AGAIN_SECONDS)

    async def aclose(self) -> None:
        """Say that this node is gone, and end."""
        await self.counter.aclose()
        await self.fleet.leave()
        await self._tasks.aclose()
        await self._snapshots.save()
        await self.bus.aclose()

    # -- what the processes of this node have applied --

    @property
    def access(self) -> LogAccess:
        """For a worker that is started now."""
        said = self.acknowledged
        return LogAccess(self.bus.address, self.instance, (said.history, said.seq))

    def worker_starts(self, index: int) -> None:
        """A worker's process is about to be started."""
        self._moved(self.acknowledged.started(index))

    def worker_applied(self, index: int, applied: Applied) -> None:
        """How far it is."""
        self._moved(self.acknowledged.reported(index, applied))

    def worker_ended(self, index: int) -> None:
        """Its process is gone."""
        self._moved(self.acknowledged.ended(index))

    def _read(self, applied: Applied) -> None:
        self._moved(self.acknowledged.read(applied))

    def _moved(self, moved: bool) -> None:
        if moved:
            self.fleet.moved()

    def serving_changed(self) -> None:
        """The node drains: others should know at once."""
        self.fleet.moved()

    def rekey(self) -> None:
        """The sites' rules are others now."""
        self.table.rekey()
        if self._homes.moved(self._ground.settings().sites):
            self.table.begin(self.table.applied)

    # -- what is said --

    def _say(self) -> Presence:
        ground, settings, serving = self._ground, self._ground.settings(), self._ground.serving()
        said = self.acknowledged
        proven = said.proven_at
        return Presence(
            node=settings.name,
            instance=self.instance,
            region=settings.region,
            pop="" if settings.place is None else settings.place.pop,
            role="edge" if settings.place is None else settings.place.role.value,
            version=ground.version,
            history=said.history,
            applied=said.seq,
            ready=serving.ready and said.all_caught_up(serving.replaced),
            proof_age=None if proven is None else max(0.0, ground.clock.mono() - proven),
            workers=len(serving.indices),
            load=load(),
            rate=self._rate.now,
            addresses=serving.addresses[:MAX_ADDRESSES],
        )

    async def _served(self) -> Mapping[int, int]:
        """How many requests each worker has answered."""
        ground = self._ground
        indices = ground.serving().indices
        answers = await asyncio.gather(
            *(ask(ground.socket_of(index), "/served", seconds=SERVED_SECONDS) for index in indices)
        )
        totals = {index: said.get("requests") for index, said in zip(indices, answers, strict=True) if said}
        return {index: total for index, total in totals.items() if isinstance(total, int)}

    def described(self) -> dict[str, Any]:
        """For /readyz. caught_up: every process has read all that there was when it started, but for one being replaced."""
        said, clock, follower = self.acknowledged, self._ground.clock, self.follower
        proven = said.proven_at
        return {
            "connected": self.bus.is_connected,
            "server": self.bus.server or None,
            "complaint": self._complaint or self.counter.complaint(),
            "caught_up": said.all_caught_up(self._ground.serving().replaced),
            "history": said.history or None,
            "applied": said.seq,
            "behind": follower.lag,
            "proof_age": None if proven is None else round(max(0.0, clock.mono() - proven), 3),
            "suspended": follower.suspended,
            "nodes": {
                state: int(self._ground.measures.fleet_nodes.of(state).read()) for state in ("live", "away")
            },
        }

    async def _answer(self, question: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """How much a purge would name, of all workers."""
        order = asked(question)
        if order is None:
            return {"error": "a question that this version does not know"}
        indices: Sequence[int] = self._ground.serving().indices
        target, body = f"/survey?seconds={seconds:g}", encode(order)
        sockets = (self._ground.socket_of(index) for index in indices)
        answers = await asyncio.gather(
            *(ask(socket, target, seconds=seconds, body=body) for socket in sockets)
        )
        return answer_of([said for said in answers if said is not None], workers=len(indices))


@asynccontextmanager
async def purging(ground: Ground) -> AsyncIterator[Purging]:
    """Begin, and end in the end. ConfigFault, EdgeError, OSError when it cannot begin."""
    settings = ground.settings()
    async with AsyncExitStack() as stack:
        address = BusAddress.of(settings.nats)
        if not settings.nats.url:
            server = EmbeddedServer(
                settings.nats,
                settings.data_dir.absolute() / SERVERS,
                name=settings.name,
                clock=ground.clock,
                measures=ground.measures,
            )
            stack.push_async_callback(server.aclose)
            await server.start()
            address = BusAddress.of(settings.nats, own_url=server.url, own_token=server.token)
        tasks = await stack.enter_async_context(TaskOwner("purging"))
        purges = Purging(ground, address, tasks)
        stack.push_async_callback(purges.aclose)
        await purges.start()
        yield purges


def load() -> float:
    """Of this machine: 0 = idle, 1 = every core has work to do (or more)."""
    return min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
