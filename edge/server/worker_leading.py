"""What a worker of a network's node needs to know where its clients are and which POP is the one for them.

Owns: `WorkerLeading`: the worker's atlas and what it was told of the network, put together anew whenever one of them changes
(edge.geo.router, edge.leading). Rules: only a node of a network has one; databases are read before the first client is served,
and a database that is damaged, or not there, keeps nobody from serving.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from edge.clock import Clock
from edge.geo.atlas import Atlas
from edge.geo.keeper import AtlasKeeper
from edge.geo.measures import LeadMeasures
from edge.geo.router import Router
from edge.geo.view_message import heard_of
from edge.leading import Leading
from edge.measures import Measures
from edge.settings.node import NodeSettings
from edge.tasks import TaskOwner

FOLDER = "geo"
"""In the data folder: private copies of databases."""

_log = logging.getLogger("perigee.geo")


class WorkerLeading:
    """See the module. settings: of a node of a network. state: as edge.geo.view_message says it, None = nothing yet."""

    def __init__(
        self, settings: NodeSettings, state: Mapping[str, object] | None, measures: Measures, clock: Clock
    ) -> None:
        assert settings.network is not None, "a node that stands alone leads nobody"
        self._settings = settings
        self._said = state
        self._network = settings.network
        self._folder = settings.data_dir / FOLDER
        self._keeper = AtlasKeeper(self._network.geo, self._folder)
        self.leading = Leading(
            settings.name.encode(),
            self._router(),
            measures=LeadMeasures(measures.registry),
            trusted=settings.trusted_proxies,
            clock=clock,
        )

    async def start(self, tasks: TaskOwner) -> None:
        """Read the databases, and look at them now and then. OSError when the folder cannot be had."""
        self._tasks = tasks
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(self._keeper.refresh)
        self._renew()
        self._keeping = tasks.spawn(self._keeper.keep(self._take), name="atlas")

    def show(self, said: Mapping[str, object]) -> None:
        """Health or load changed."""
        self._said = said
        self._renew()

    def apply(self, settings: NodeSettings) -> None:
        """New settings; other databases are there a moment later."""
        assert settings.network is not None, "a node leaves its network by a restart only"
        before, self._settings, self._network = self._network, settings, settings.network
        self.leading.trusted = settings.trusted_proxies
        self._renew()
        if self._network.geo != before.geo:
            self._tasks.spawn(self._open_others(), name="other databases")

    async def _open_others(self) -> None:
        keeper = AtlasKeeper(self._network.geo, self._folder)
        await asyncio.to_thread(keeper.refresh)
        self._keeping.cancel()
        self._keeper = keeper
        self._renew()
        self._keeping = self._tasks.spawn(keeper.keep(self._take), name="atlas")

    def _take(self, _atlas: Atlas) -> None:
        _log.info("a new atlas", extra={"generation": self._keeper.generation})
        self._renew()

    def _renew(self) -> None:
        self.leading.router = self._router()

    def _router(self) -> Router:
        place = self._settings.place
        assert place is not None, "a node of a network has a place in it"
        state = heard_of(self._network, self._said)
        return Router(self._network, place, self._keeper.atlas, state)
