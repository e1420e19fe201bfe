"""Fleets: several nodes on the test's own event loop, each with a connection of its own to a real nats-server.

    async with Party(server) as party:
        a, b = await party.join("a"), await party.join("b")
        a.applies(7)

The clock is one for all and moved by hand; what a node says of itself is what the test set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from edge.bus.connection import Bus
from edge.fleet.fleet import Fleet
from edge.fleet.presence import Presence
from edge.measures import Measures
from edge.tasks import TaskOwner
from tests.kit.clock import ManualClock
from tests.kit.nats import NatsServer
from tests.kit.waiting import until

HISTORY = "0123456789abcdef"


class OneNode:
    """A node: what it says, and what it hears."""

    def __init__(self, bus: Bus, presence: Presence, clock: ManualClock, measures: Measures) -> None:
        self.bus = bus
        self.said = presence
        self.measures = measures
        self.asked: list[Mapping[str, Any]] = []
        self.hold: asyncio.Event | None = None
        """Answers wait for it."""
        self.tasks = TaskOwner(f"fleet {presence.node}")
        self.fleet = Fleet(bus, lambda: self.said, answer=self._answer, clock=clock, measures=measures)

    async def _answer(self, question: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        self.asked.append(question)
        if self.hold is not None:
            await self.hold.wait()
        return {"node": self.said.node, "seen": question.get("what")}

    def applies(self, seq: int, history: str = HISTORY) -> None:
        """Say so."""
        self.said = replace(self.said, applied=seq, history=history)
        self.fleet.moved()

    async def sees(self, **applied: int) -> None:
        """Wait until it has heard of these nodes that they have applied so much."""

        async def heard() -> bool:
            said = {each.presence.node: each.presence.applied for each in self.fleet.nodes()}
            return applied.items() <= said.items()

        await until(heard, every=0.005)

    async def fall_silent(self) -> None:
        """As a process that is killed: not a word."""
        await self.tasks.aclose()
        await self.bus.aclose()

    def counted(self, outcome: str) -> float:
        """Messages of presence with that outcome."""
        return self.measures.presences.of(outcome).value


class Party:
    """All of them."""

    def __init__(self, server: NatsServer) -> None:
        self.clock = ManualClock()
        self._server = server
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def bus(self, name: str) -> tuple[Bus, Measures]:
        """A connection and nothing more."""
        measures = Measures()
        bus = Bus(self._server.address(), name=name, clock=self.clock, measures=measures)
        self._stack.push_async_callback(bus.aclose)
        await bus.connect()
        return bus, measures

    async def join(
        self, name: str, *, region: str = "eu", instance: str = "one", applied: int = 0
    ) -> OneNode:
        """One more node."""
        bus, measures = await self.bus(name)
        presence = Presence(name, instance, region, history=HISTORY, applied=applied, ready=True, workers=1)
        node = OneNode(bus, presence, self.clock, measures)
        self._stack.push_async_callback(node.tasks.aclose)
        await node.fleet.start(node.tasks)
        return node
