"""Buses to real servers, closed in the end."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.bus.durability import make_durable
from edge.clock import Clock, SystemClock
from edge.measures import Measures
from edge.settings.node import Durability, NatsSettings
from tests.kit.nats import NatsServer

TRUSTED = NatsSettings(durability=Durability.TRUSTED)


@asynccontextmanager
async def bus_to(
    address: BusAddress,
    *,
    name: str = "n1/test",
    clock: Clock | None = None,
    measures: Measures | None = None,
) -> AsyncIterator[Bus]:
    """A connected one."""
    bus = Bus(address, name=name, clock=clock or SystemClock(), measures=measures or Measures())
    try:
        await bus.connect(within=10.0)
        yield bus
    finally:
        await bus.aclose()


@asynccontextmanager
async def log_of_its_own(folder: Path, **changes: Any) -> AsyncIterator[tuple[NatsServer, Bus]]:
    """A single server, a bus to it, and the stream made. changes: of the address."""
    async with NatsServer(folder) as server, bus_to(server.address(**changes)) as bus:
        await make_durable(bus, TRUSTED, SystemClock())
        yield server, bus


def counted(measures: Measures, name: str) -> Mapping[tuple[str, ...], float]:
    """The cells of a counter that are not zero."""
    cells = measures.registry.snapshot()[name]["cells"]
    return {tuple(cell["values"]): cell["value"] for cell in cells if cell["value"]}
