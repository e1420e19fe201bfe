"""The purge log in one worker: its own connection, its own reader, its own table.

Owns: `WorkerLog`, and `LogAccess`, what a worker is told of the log. Rules: a worker that cannot reach the log serves all
the same, with the doubt that the fence has then; it is ready once it has read all that there was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.measures import Measures
from edge.purge.follower import Follower
from edge.purge.log import PurgeLog
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.semantics.selectors import Selector
from edge.tasks import TaskOwner

PURGES = "purge"
"""The folder in the data directory for what is kept of the log."""

CATCH_UP_SECONDS = 3.0
"""How long a worker that starts keeps clients waiting for that; a beat and a tick take two at most."""

LEASE_SECONDS = 15.0
"""The log counts as silent in /readyz after this; what a site does about it is its own setting."""

GROUP_SECONDS = 2.0
"""How long the answer to an unsafe request waits until what it invalidates by group is in the log and in force here."""


@dataclass(frozen=True, slots=True)
class LogAccess:
    """instance: of the supervisor that speaks for this node, new at each start of it.

    least: (history, seq) that it has said it has applied; a worker vouches for nothing before it has read so far.
    """

    address: BusAddress
    instance: str
    least: tuple[str, int] = ("", 0)

    def as_json(self) -> dict[str, Any]:
        """For another process of ours."""
        return {"address": self.address.as_json(), "instance": self.instance, "least": list(self.least)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> LogAccess:
        """What `as_json` gave."""
        history, seq = said["least"]
        return cls(BusAddress.from_json(said["address"]), said["instance"], (history, seq))


class WorkerLog:
    """See the module. node, index: who we are. data_dir: of the node."""

    def __init__(
        self,
        access: LogAccess,
        table: PurgeTable,
        *,
        node: str,
        index: int,
        data_dir: Path,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self._clock = clock
        self._node = node
        self._bus = Bus(access.address, name=f"{node}/{index + 1}", clock=clock, measures=measures)
        self._log = PurgeLog(self._bus, clock, measures)
        self.follower = Follower(
            self._bus,
            table,
            folder=data_dir / PURGES,
            node=node,
            instance=access.instance,
            clock=clock,
            measures=measures,
            least=access.least,
        )

    async def start(self, tasks: TaskOwner) -> None:
        """Begin to read; returns before anything was read."""
        await self.follower.start(tasks)
        tasks.spawn(self._connect(), name="bus")

    async def _connect(self) -> None:
        with suppress(BusFault):  # it goes on trying, and says so itself
            await self._bus.connect()

    async def wait_caught_up(self) -> None:
        """Give it a moment to read what there is: until then everything stored is doubted, and the origin would feel it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await self.follower.caught_up.wait()

    async def aclose(self) -> None:
        """Leave the bus."""
        await self._bus.aclose()

    @property
    def is_caught_up(self) -> bool:
        """Whether all that was in the log at the start has been read."""
        return self.follower.caught_up.is_set()

    def described(self) -> dict[str, object]:
        """For /readyz: whether the log is heard, and how far it was read."""
        follower, now = self.follower, self._clock.mono()
        state = "catching-up" if not self.is_caught_up else "silent"
        return {
            "state": "current" if follower.is_current(now, LEASE_SECONDS) else state,
            "history": follower.history,
            "applied": follower.seq_of(follower.applied),
            "behind": follower.lag,
            "proof_age": round(now - follower.proven_at, 3) if isfinite(follower.proven_at) else None,
        }

    async def order(self, items: Sequence[Selector], order_id: str, by: str) -> bool:
        """Have it purged everywhere; whether it is in the log, and in force here, in time."""
        follower = self.follower
        order = PurgeOrder(order_id, UnixSeconds(self._clock.now()), tuple(items), by=by)
        try:
            appended = await self._log.append(order, within=GROUP_SECONDS)
        except BusFault:
            return False
        return await follower.wait_applied(follower.position_of(appended.seq), GROUP_SECONDS)
