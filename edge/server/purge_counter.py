"""Where purges are ordered: the desk, its keys, and three doors - the admin address, purge.listen, and the workers' PURGE.

Owns: `PurgeCounter`; and `Ground`, what all of purging stands on. Rules: it is closed (503) until the log is known to keep
what it acknowledges; what a signature that still holds may have ordered is read back from the log before anything is taken,
for as long as that takes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from edge.bus.connection import Bus
from edge.clock import SystemClock
from edge.fleet.fleet import Fleet
from edge.measures import Measures
from edge.purge.desk import APPEND_SECONDS, PurgeDesk
from edge.purge.follower import Follower
from edge.purge.log import Appended, LogUnavailable, Past, PurgeLog
from edge.purge.signing.folder import KeyFolder
from edge.semantics.purge_order import PurgeOrder
from edge.server import sockets
from edge.server.purge_api import PurgeApi
from edge.server.purge_method import serve_purge_method
from edge.server.run_dir import purge_socket_of
from edge.settings.node import NodeSettings
from edge.tasks import TaskOwner

KEYS = "keys"
"""The folder in the data directory for the keys that may purge, where no other is named."""
RECALL_AGAIN_SECONDS = 1.0

_log = logging.getLogger("perigee.purge")


@dataclass(frozen=True, slots=True)
class Serving:
    """What the supervisor knows of its workers. indices: of those that serve. ready: all of them do, and none drains."""

    indices: tuple[int, ...]
    ready: bool
    addresses: tuple[str, ...]
    replaced: int | None = None
    """The worker that is being replaced, while there are others that serve."""


@dataclass(frozen=True, slots=True)
class Ground:
    """settings: those in force. serving: now. socket_of: where a worker answers."""

    settings: Callable[[], NodeSettings]
    serving: Callable[[], Serving]
    socket_of: Callable[[int], Path]
    run_dir: Path
    clock: SystemClock
    measures: Measures
    version: str


class OpenLog:
    """The log for who orders: it takes nothing while it is closed."""

    def __init__(self, log: PurgeLog) -> None:
        self._log = log
        self.is_open = False

    async def append(self, order: PurgeOrder, *, within: float = APPEND_SECONDS) -> Appended:
        """Store it durably. LogUnavailable."""
        if not self.is_open:
            raise LogUnavailable("it is not known yet whether the log keeps what it acknowledges")
        return await self._log.append(order, within=within)

    async def history(self, *, limit: int = 100, before: int | None = None) -> list[Past]:
        """The newest orders, newest first. LogUnavailable."""
        return await self._log.history(limit=limit, before=before)


class PurgeCounter:
    """See the module."""

    def __init__(self, bus: Bus, follower: Follower, fleet: Fleet, ground: Ground) -> None:
        self._ground = ground
        self._follower = follower
        self.log = OpenLog(PurgeLog(bus, ground.clock, ground.measures))
        clock = ground.clock
        self.desk = PurgeDesk(
            self.log,
            follower,
            keys=lambda: self._keys.ring,
            settings=ground.settings,
            clock=clock,
            wall=lambda: clock.now() + clock.offset(),
            new_id=lambda: secrets.token_hex(16),
            measures=ground.measures,
        )
        self.api = PurgeApi(self.desk, self.log, fleet, settings=ground.settings, clock=clock)
        self._keys: KeyFolder
        self._workers: web.AppRunner | None = None

    def open(self) -> None:
        """The log keeps what it acknowledges."""
        self.log.is_open = True

    async def start(self, tasks: TaskOwner) -> None:
        """Read the keys and open the doors. SettingsFault, EdgeError, OSError."""
        ground, settings = self._ground, self._ground.settings()
        folder = settings.data_dir / KEYS if settings.purge.keys is None else settings.purge.keys
        if settings.purge.keys is None:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        self._keys = await asyncio.to_thread(KeyFolder.load, folder, measures=ground.measures)
        self._follower.on_order(self.desk.took)
        tasks.spawn(self._keys.run(), name="keys")
        tasks.spawn(self._recall(), name="recall")
        self._workers = await serve_purge_method(self.api.purge_by_method, purge_socket_of(ground.run_dir))
        if settings.purge.listen is not None:
            await self.api.start((await sockets.bind(settings.purge.listen, 1))[0])

    async def _recall(self) -> None:
        while True:
            try:
                await self.desk.recall()
            except LogUnavailable as fault:
                _log.debug("the nonces of the log cannot be read back yet", extra={"why": fault.detail})
                await asyncio.sleep(RECALL_AGAIN_SECONDS)
            else:
                return

    def complaint(self) -> str | None:
        """What is wrong with the keys; None = nothing."""
        return self._keys.complaint()

    async def aclose(self) -> None:
        """Close the doors; any number of times."""
        await self.api.aclose()
        if self._workers is not None:
            await self._workers.cleanup()
