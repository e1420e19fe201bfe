"""Vantage points on the test's own loop, before real sockets and a real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.clock import SystemClock
from edge.measures import Measures
from edge.server.watching import Watching
from edge.settings.network import HealthSettings, Network, NetworkNode, Pop
from edge.settings.node import NatsSettings
from edge.tasks import TaskOwner
from tests.kit.checked import CheckedNodes
from tests.kit.nats import TOKEN, NatsServer
from tests.kit.waiting import until

QUICK = HealthSettings(
    interval=0.05,
    timeout=0.05,
    down_after=2,
    up_after=1,
    slow_start=0.0,
    drain_ramp=0.0,
    opinion_life=5.0,
)


def network(nodes: CheckedNodes, bus: NatsServer | None = None, **health: Any) -> Network:
    """A POP for each node, named like it up to its hyphen."""
    return Network(
        pops=tuple(Pop(name.partition("-")[0], "all") for name in nodes),
        nodes=tuple(
            NetworkNode(name, name.partition("-")[0], http=node.at, admin=node.at)
            for name, node in nodes.items()
        ),
        health=replace(QUICK, **health),
        nats=NatsSettings() if bus is None else NatsSettings(url=(bus.url,), token=TOKEN),
    )


class Watcher:
    """A vantage point and what it told."""

    def __init__(self, watching: Watching, measures: Measures, told: list[dict[str, Any]]) -> None:
        self.watching, self.measures, self.told = watching, measures, told

    def pop(self, name: str) -> Mapping[str, Any]:
        return next(each for each in self.watching.described()["pops"] if each["pop"] == name)

    async def sees(self, pop: str, claim: Callable[[Mapping[str, Any]], bool]) -> None:
        """Wait until that is so of the POP."""

        async def so() -> bool:
            return claim(self.pop(pop))

        await until(so, every=0.01)

    async def is_on_the_bus(self) -> None:
        async def so() -> bool:
            return bool(self.watching.described()["bus"] == "connected")

        await until(so, every=0.01)


@asynccontextmanager
async def watching(said: Network, folder: Path, vantage: str | None = "dns-1") -> AsyncIterator[Watcher]:
    """One that has begun."""
    folder.mkdir(exist_ok=True)
    measures, told = Measures(), list[dict[str, Any]]()
    watches = Watching(
        said, vantage=vantage, folder=folder, clock=SystemClock(), measures=measures, show=told.append
    )
    async with TaskOwner(vantage or "listener") as tasks:
        try:
            await watches.start(tasks)
            yield Watcher(watches, measures, told)
        finally:
            await tasks.aclose()
            await watches.aclose()
