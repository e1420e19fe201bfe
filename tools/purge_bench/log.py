"""A log to measure with, and orders to put into it.

Owns: `Log`, `orders`, `append_at`. Rules: the stream is made by the product's own code, so that it is the one that nodes use;
its servers fsync always; an order's note says when it was published.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.bus.address import BusAddress
from edge.bus.connection import Bus
from edge.bus.durability import make_durable
from edge.clock import SystemClock
from edge.measures import Measures
from edge.purge.log import PurgeLog
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder, encode
from edge.semantics.selectors import read_uri
from edge.settings.node import NatsSettings
from edge.tasks import TaskOwner
from tools.soaking.processes import TOKEN, LogCluster

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Log:
    """A stream that is ready, and who writes into it."""

    cluster: LogCluster
    address: BusAddress
    bus: Bus
    log: PurgeLog


@contextmanager
def in_memory(folder: Path) -> Iterator[Path]:
    """A folder on tmpfs where there is one, so that what is measured is not the disk; else `folder`."""
    memory = Path("/dev/shm")  # noqa: S108  # tmpfs, where the system has it
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="perigee-log-", dir=memory, ignore_cleanup_errors=True) as name:
        yield Path(name)


def flushes_a_second(folder: Path, count: int = 300) -> float:
    """How often this disk flushes a small append, one after the other: what a log server that fsyncs always is bound by."""
    file = folder / "flushed"
    with file.open("wb") as out:
        began = CLOCK.mono()
        for _ in range(count):
            out.write(b"x" * 300)
            out.flush()
            os.fsync(out.fileno())
        seconds = CLOCK.mono() - began
    file.unlink()
    return count / seconds


@asynccontextmanager
async def log(folder: Path, servers: int, *, memory: bool = False) -> AsyncIterator[Log]:
    """A new log on so many servers; ended at the end. memory: its files are on tmpfs."""
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(in_memory(folder)) if memory else folder
        cluster = await stack.enter_async_context(LogCluster(kept, servers))
        settings = NatsSettings(
            url=tuple(f"nats://127.0.0.1:{server.port}" for server in cluster.servers),
            token=TOKEN,
            replicas=servers,
            monitor=tuple(f"http://127.0.0.1:{server.monitor_port}" for server in cluster.servers),
        )
        address, measures = BusAddress.of(settings), Measures()
        bus = Bus(address, name="bench", clock=CLOCK, measures=measures)
        try:
            await bus.connect()
            await make_durable(bus, settings, CLOCK)
            yield Log(cluster, address, bus, PurgeLog(bus, CLOCK, measures))
        finally:
            await bus.aclose()


def orders(prefix: str) -> Iterator[PurgeOrder]:
    """One URL each, that nobody has stored; published when they are taken."""
    for number in itertools.count():
        yield PurgeOrder(
            f"{prefix}-{number}",
            UnixSeconds(CLOCK.now()),
            (read_uri(f"http://purged.example/assets/{prefix}/picture-{number:06d}.webp"),),
            by="bench",
            note=f"{CLOCK.mono():.6f}",
        )


async def append_at(rate: float, count: int, taken: Iterator[PurgeOrder], log_: PurgeLog) -> None:
    """Append so many orders, so many a second, whatever each takes. LogUnavailable."""
    began = CLOCK.mono()
    async with TaskOwner("publisher") as tasks:
        under_way = []
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - CLOCK.mono()))
            under_way.append(tasks.spawn(log_.append(next(taken)), name=f"{number}"))
        await asyncio.gather(*under_way)


async def append_all(count: int, taken: Iterator[PurgeOrder], log_: PurgeLog, *, at_once: int = 256) -> None:
    """Append so many orders as fast as may be."""
    slots = asyncio.Semaphore(at_once)

    async def one(order: PurgeOrder) -> None:
        try:
            await log_.append(order)
        finally:
            slots.release()

    async with TaskOwner("publisher") as tasks:
        under_way = []
        for number in range(count):
            await slots.acquire()
            under_way.append(tasks.spawn(one(next(taken)), name=f"{number}"))
        await asyncio.gather(*under_way)


async def last_of(log_: Log) -> int:
    """The last sequence number in the log."""
    info = await log_.bus.api(f"STREAM.INFO.{log_.address.stream}", within=5.0)
    return int(info["state"]["last_seq"])


async def publish_at(rate: float, seconds: float, taken: Iterator[PurgeOrder], log_: Log) -> int:
    """Publish so many a second without waiting for their acknowledgement; how many. It costs as little as may be."""
    began = CLOCK.mono()
    sent = 0
    while (now := CLOCK.mono()) - began < seconds:
        while sent < (now - began) * rate:
            await log_.bus.publish(log_.address.order_subject, encode(next(taken)))
            sent += 1
        await asyncio.sleep(0.005)
    return sent
