"""`python -m tools.measure`: what the edge needs in memory, measured by hand on this machine.

Owns: the command line, two measurements that are too long and too large for a test, and the table that all print.

    python -m tools.measure followers    one large object, many who download it at once, each at his own speed
    python -m tools.measure idle         many kept connections on which nothing happens
    python -m tools.measure memory       a million stored responses (tools/measure_memory.py)
    python -m tools.measure workers      one worker and two (tools/measure_workers.py)

The first two start the real `perigee run` with one worker and all defaults but the bounds on connections, and read the worker's
resident memory from /proc, so they need Linux. The origin and the clients are in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.benching.processes import BenchFault, Process, cpu_seconds, resident_bytes, workers_of
from tools.measure_memory import memory
from tools.measure_workers import workers
from tools.ports import free_port

MB = 1_000_000
PIECE = hashlib.shake_128(b"perigee").digest(MB)
"""The object is this over and over, so that a reader can tell each byte from its place."""
SPEEDS: tuple[int | None, ...] = (None, 40 * MB, None, 40 * MB, 20 * MB)
"""Bytes a second of a follower, None = as fast as they come; handed out in turn. The last one of all gets SLOWEST."""
SLOWEST = 10 * MB
FILES = 24_000

_NODE = """\
sites = []
[node]
name = "measured"
listen = ["127.0.0.1:{port}"]
admin = "off"
data_dir = "{folder}/data"
workers = 1
[log]
access = "off"
level = "warning"
[limits]
connections_per_client = 20000
idle = "10m"
[[site]]
hostnames = ["*"]
origins = ["http://127.0.0.1:{origin}"]
"""


@dataclass(slots=True)
class Origin:
    """Answers every GET with `size` bytes; asked: how often."""

    size: int
    port: int = 0
    asked: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                head = (
                    f"HTTP/1.1 200 OK\r\nContent-Length: {self.size}\r\nCache-Control: max-age=86400\r\n\r\n"
                )
                writer.write(head.encode())
                for start in range(0, self.size, MB):
                    writer.write(PIECE[: self.size - start])
                    await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the edge left, or the measurement is over
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Edge:
    """A `perigee run` that serves on `port`; worker: the process id of its worker."""

    port: int
    worker: int

    def memory(self, name: str = "VmRSS") -> int:
        """Resident bytes of the worker; VmHWM: the most it ever had."""
        return resident_bytes(self.worker, name)


@asynccontextmanager
async def running(size: int) -> AsyncIterator[tuple[Edge, Origin]]:
    """An edge in front of an origin whose object has `size` bytes."""
    origin = Origin(size)
    server = await asyncio.start_server(origin.answer, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="perigee-measure-") as name:
        folder, port = Path(name), free_port()
        file = folder / "node.toml"
        file.write_text(_NODE.format(port=port, folder=folder, origin=origin.port), encoding="utf-8")
        command = [sys.executable, "-m", "tools.perigee", "run", "--config", str(file)]
        with Process(command, core=None, log=folder / "output.txt") as process:
            await asyncio.to_thread(process.wait_for_port, port)
            async with server:
                yield Edge(port, await _worker_of(process.pid, folder / "output.txt")), origin


async def _worker_of(pid: int, log: Path) -> int:
    """The supervisor's one worker, once it serves."""
    for _ in range(600):
        if "serving" in log.read_text(errors="replace"):
            return workers_of(pid)[0]
        await asyncio.sleep(0.05)
    raise BenchFault(f"the edge does not serve:\n{log.read_text(errors='replace')[-2000:]}")


# -- followers --


async def download(port: int, speed: int | None) -> int:
    """Read the object at `speed` bytes a second, and look at every byte. How many came."""
    # A small buffer, so that a slow reader is slow for the edge, too, and not only for the kernel.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=256 * 1024)
    try:
        writer.write(b"GET /object HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise BenchFault(f"answered {head[:100]!r}")
        size, started = 0, time.monotonic()
        while data := await reader.read(256 * 1024):
            at = size % MB
            if data != (PIECE[at:] + PIECE)[: len(data)]:
                raise BenchFault(f"wrong bytes behind {size}")
            size += len(data)
            if speed is not None:
                await asyncio.sleep(max(0.0, started + size / speed - time.monotonic()))
        return size
    finally:
        writer.close()


async def followers(count: int, size: int) -> list[tuple[str, str]]:
    """The table of the first measurement."""
    speeds = [SPEEDS[number % len(SPEEDS)] for number in range(count - 1)] + [SLOWEST]
    async with running(size) as (edge, origin):
        before, started = edge.memory(), time.monotonic()
        got = await asyncio.gather(*(download(edge.port, speed) for speed in speeds))
        seconds, peak, after = time.monotonic() - started, edge.memory("VmHWM"), edge.memory()
        asked = origin.asked
        again = await download(edge.port, None)
    if set(got) != {size} or again != size:
        raise BenchFault(f"of {size} bytes came {sorted({*got, again})}")
    kinds = [
        f"{speeds.count(s)} at {'full speed' if s is None else f'{s // MB} MB/s'}"
        for s in dict.fromkeys(speeds)
    ]
    return [
        ("object", f"{size / MB:,.0f} MB"),
        ("followers", f"{count}: " + ", ".join(kinds)),
        ("requests at the origin", str(asked)),
        ("and after one more download", str(origin.asked)),
        ("time", f"{seconds:.1f} s, {sum(got) / seconds / MB:,.0f} MB/s in all"),
        ("worker's memory before", f"{before / MB:.1f} MB"),
        ("at its peak", f"{peak / MB:.1f} MB"),
        ("after", f"{after / MB:.1f} MB"),
    ]


# -- idle --


async def idle(count: int, *, settle: float = 5.0) -> list[tuple[str, str]]:
    """The table of the second measurement. settle: seconds for which nothing happens."""
    async with running(1000) as (edge, _), AsyncExitStack() as opened:
        # What the first connections bring with them (lazy imports, arenas) belongs to nobody.
        await _keep(edge.port, 200, opened)
        before, started = edge.memory(), time.monotonic()
        for _ in range(0, count, 500):
            await _keep(edge.port, min(500, count), opened)
        seconds = time.monotonic() - started
        spent = await _cpu_of(edge.worker, settle)  # the sweep looks at all of them meanwhile
        held = edge.memory()
    return [
        ("connections", f"{count:,}, each after one request"),
        ("opened in", f"{seconds:.1f} s"),
        ("worker's memory before", f"{before / MB:.1f} MB"),
        ("with all of them", f"{held / MB:.1f} MB"),
        ("per connection", f"{(held - before) / count / 1000:.2f} kB"),
        ("processor while nothing happens", f"{spent:.1%} of a core"),
    ]


async def _keep(port: int, count: int, opened: AsyncExitStack) -> None:
    """Open connections that have had their answer."""
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        opened.callback(writer.close)
        writer.write(b"GET /small HTTP/1.1\r\nHost: a\r\nUser-Agent: measure\r\nAccept: */*\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1000)


async def _cpu_of(pid: int, seconds: float) -> float:
    """The share of a core that a process uses."""
    before = cpu_seconds(pid)
    await asyncio.sleep(seconds)
    after = cpu_seconds(pid)
    if before is None or after is None:
        raise BenchFault(f"/proc does not tell the CPU time of {pid}")
    return (after - before) / seconds


# -- the command --


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Names on the left."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def main() -> None:
    """Measure what was asked for."""
    options = argparse.ArgumentParser(prog="python -m tools.measure", description=__doc__.split("\n")[0])
    options.add_argument("what", choices=("followers", "idle", "memory", "workers"))
    options.add_argument(
        "--count",
        type=int,
        help="followers (50), connections (10000), responses (1000000) or turns of one and two workers (3)",
    )
    options.add_argument("--size", type=int, default=1024, help="of the followers' object, MB")
    options.add_argument("--churn", type=int, help="memory: responses of 1 KB after those (half as many)")
    options.add_argument("--mixed", type=int, help="memory: and of 1 to 24 KB after those (a fifth as many)")
    options.add_argument("--capacity", type=int, default=2048, help="memory: of the memory tier, MiB")
    options.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="memory: for the node, to try allocators",
    )
    said = options.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        print(table(_measured(said)))
    except BenchFault as fault:
        raise SystemExit(f"measure: {fault}") from None


def _measured(said: argparse.Namespace) -> list[tuple[str, str]]:
    match said.what:
        case "followers":
            return asyncio.run(followers(said.count or 50, said.size * MB))
        case "idle":
            return asyncio.run(idle(said.count or 10_000))
        case "workers":
            return workers(said.count or 3)
    count = said.count or 1_000_000
    filling = memory(
        count,
        churn=count // 2 if said.churn is None else said.churn,
        mixed=count // 5 if said.mixed is None else said.mixed,
        mib=said.capacity,
        environment=dict(each.split("=", 1) for each in said.env),
    )
    return asyncio.run(filling)


if __name__ == "__main__":
    main()
