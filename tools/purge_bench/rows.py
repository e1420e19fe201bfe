"""What is measured of purges, one function a row or more.

Owns: `ROWS`. Rules: real servers, real nodes, real files; each row has a log of its own and ends what it started; a row in
which anything is refused or lost is no measurement and raises `BenchFault`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from edge.purge.snapshot import save
from edge.tasks import TaskOwner
from tools.benching.client import fetch_all
from tools.benching.load import Builtin, Load, Wrk
from tools.benching.processes import BenchFault, Cores, Process, cpu_seconds
from tools.benching.workloads import WORKLOADS
from tools.ports import free_port
from tools.purge_bench.api import Signed, blast
from tools.purge_bench.followers import Reader, Reported
from tools.purge_bench.log import CLOCK, Log, append_all, append_at, last_of, log, orders, publish_at
from tools.soaking.processes import Node, NodeSetting
from tools.soaking.soak import write_key

READERS, PROCESSES = 20, 4


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the table."""

    what: str
    figure: str


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. seconds: of each run. missed: purges of the catch-up."""

    seconds: float
    missed: int
    cores: Cores


Row = Callable[[Path, Size], Awaitable[list[Said]]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the log is. memory: on tmpfs, for what would only measure the disk."""

    servers: int
    memory: bool = False

    def __str__(self) -> str:
        many = "1 log server" if self.servers == 1 else f"{self.servers} log servers"
        return f"{many}, its files in memory" if self.memory else many


# --- delivery --------------------------------------------------------------------------------------------------------


async def delivery(folder: Path, size: Size) -> list[Said]:
    """From publishing to being in force at 20 readers."""
    runs = ((Kept(1), 100), (Kept(3), 100), (Kept(1, memory=True), 200))
    return [await _delivered(folder / f"{at}", kept, rate, size) for at, (kept, rate) in enumerate(runs)]


async def _delivered(folder: Path, kept: Kept, rate: int, size: Size) -> Said:
    count = int(size.seconds * rate)
    async with log(folder / "log", kept.servers, memory=kept.memory) as one:
        work = append_at(rate, count, orders(f"d{rate}"), one.log)
        reported = await _read_by_others(one, folder, work, count)
    if reported.applied != count * READERS:
        raise BenchFault(f"{reported.applied} orders came into force of {count} at {READERS} readers")
    each = reported.cpu / reported.applied * 1e6
    return Said(
        f"from publishing to being in force, {READERS} readers in {PROCESSES} processes, {rate:,} purges/s, {kept}",
        f"{milliseconds(reported.delays)}; a reader spends {each:.0f} us CPU on each",
    )


async def _read_by_others(one: Log, folder: Path, work: Awaitable[None], count: int) -> Reported:
    """What readers in processes of their own report, once `work` is done and its so many orders have reached them."""
    command = [sys.executable, "-m", "tools.purge_bench.followers"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command,
            str(folder / f"readers-{number}"),
            str(READERS // PROCESSES),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 26,
        )
        for number in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(one.address.as_json()).encode() + b"\n")
        for process in processes:
            assert process.stdout is not None
            if await process.stdout.readline() != b"ready\n":
                raise BenchFault("a reader did not start")
        await work
        said = [json.loads((await process.communicate(b"%d\n" % count))[0]) for process in processes]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    delays = [delay for each in said for delay in each["delays"]]
    return Reported(sum(each["applied"] for each in said), delays, sum(each["cpu"] for each in said))


# --- the API ---------------------------------------------------------------------------------------------------------

BATCH = 500


@dataclass(frozen=True, slots=True)
class Asking:
    """items: URLs of each purge."""

    items: int
    connections: int


async def api(folder: Path, size: Size) -> list[Said]:
    """Purges a second through the signed API of one node."""
    found = []
    for at, kept in enumerate((Kept(1), Kept(3), Kept(1, memory=True))):
        for items, connections in ((1, 1), (1, 32), (BATCH, 8)):
            place = folder / f"{at}-{items}-{connections}"
            rate, p50 = await _ordered(place, kept, Asking(items, connections), size)
            what = "one URL each" if items == 1 else f"{items} URLs each"
            of_urls = "" if items == 1 else f" ({rate * items:,.0f} URLs/s)"
            found.append(
                Said(
                    f"signed purges through the API, {what}, {connections} connections, {kept}",
                    f"{rate:,.0f} purges/s{of_urls}, p50 {p50 * 1e3:.1f} ms",
                )
            )
    return found


async def _ordered(folder: Path, kept: Kept, asking: Asking, size: Size) -> tuple[float, float]:
    """Purges a second, and the median of what one takes, in seconds."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(log(folder / "log", kept.servers, memory=kept.memory))
        key = write_key(folder / "keys")
        node = Node("edge-1", folder / "edge-1", _setting(one, folder, origin=9, workers=1))
        stack.push_async_callback(node.kill)
        node.launch()
        await node.wait_ready()
        signed = Signed(node.place.admin_port, key, asking.items)
        seconds, answers = await blast(signed, asking.connections, size.seconds)
    return len(answers) / seconds, statistics.median(answers)


def _setting(one: Log, folder: Path, *, origin: int, workers: int) -> NodeSetting:
    return NodeSetting(
        fills={"bench": origin},
        hosts={"bench": "*"},
        log=one.cluster.settings,
        keys=folder / "keys",
        workers=workers,
        rate=1_000_000,
    )


# --- catching up -----------------------------------------------------------------------------------------------------


async def catch_up(folder: Path, size: Size) -> list[Said]:
    """A reader that was away. The log is in memory: filling it would take a disk that flushes each purge minutes."""
    async with log(folder / "log", 1, memory=True) as one:
        kept = folder / "reader" / "away"
        async with TaskOwner("before") as tasks:
            before = Reader(one.address, folder / "reader", "away")
            await before.start(tasks)
            await append_all(1, orders("before"), one.log)
            await _until_applied(before, 1)
            known = before.follower.snapshot()
            assert known is not None, "it has read the log"
            save(known, kept)
        await before.bus.aclose()
        await append_all(size.missed, orders("missed"), one.log)
        async with TaskOwner("after") as tasks:
            after = Reader(one.address, folder / "reader", "away")
            began, cpu = CLOCK.mono(), time.process_time()
            await after.start(tasks)
            await _until_applied(after, size.missed)
            seconds, cpu = CLOCK.mono() - began, time.process_time() - cpu
        await after.bus.aclose()
    return [
        Said(
            f"a reader catches up with {size.missed:,} purges that it missed",
            f"{seconds:.1f} s ({size.missed / seconds:,.0f}/s), {cpu / size.missed * 1e6:.0f} us CPU on each",
        )
    ]


async def _until_applied(reader: Reader, count: int) -> None:
    async with asyncio.timeout(120):
        while reader.applied < count:  # noqa: ASYNC110  # it rings no bell
            await asyncio.sleep(0.005)


# --- hits ------------------------------------------------------------------------------------------------------------

ARRIVING = 1_000


async def hits(folder: Path, size: Size) -> list[Said]:
    """Hits of one worker, while purges of other things arrive, and without."""
    cores = size.cores
    workload = WORKLOADS["hits"]()
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(log(folder / "log", 1, memory=True))
        port = free_port()
        command = [sys.executable, "-m", "tools.benching.origin", str(port)]
        origin = stack.enter_context(Process(command, core=cores.load, log=folder / "origin.txt"))
        await asyncio.to_thread(origin.wait_for_answer, port)
        write_key(folder / "keys")
        node = Node(
            "edge-1", folder / "edge-1", _setting(one, folder, origin=port, workers=1), core=cores.server
        )
        stack.push_async_callback(node.kill)
        node.launch()
        await node.wait_ready()
        for _ in range(2):
            await fetch_all(node.place.port, workload.distinct)
        load: Load = Wrk(cores.load, folder) if Wrk.is_installed() else Builtin()
        turns = []
        for number in range(2 * 3):
            rate = ARRIVING if number % 2 else 0
            turns.append(await _turn(load, node, rate, size, one, f"h{number}"))
    return _compared(turns)


@dataclass(frozen=True, slots=True)
class Turn:
    """hits: a second. worker, node: seconds of CPU for each hit, of the worker, and of the supervisor and the worker."""

    hits: float
    worker: float
    node: float


async def _turn(load: Load, node: Node, rate: int, size: Size, one: Log, tag: str) -> Turn:
    before, last = _spent(node), await last_of(one)
    publishing = asyncio.gather(*([publish_at(rate, size.seconds, orders(tag), one)] if rate else []))
    measured = await asyncio.to_thread(load.run, WORKLOADS["hits"](), node.place.port, size.seconds, tag)
    await publishing
    after, stored = _spent(node), await last_of(one) - last
    if stored < 0.95 * rate * size.seconds:
        raise BenchFault(f"only {stored} purges were stored in {size.seconds:g} s")
    worker, whole = ((b - a) / measured.requests for a, b in zip(before, after, strict=True))
    return Turn(measured.requests / measured.seconds, worker, whole)


def _spent(node: Node) -> tuple[float, float]:
    """Seconds of CPU, so far: of the worker, and of all processes of the node."""
    worker, whole = cpu_seconds(node.worker_pids()[0]), cpu_seconds(node.pid)
    if worker is None or whole is None:
        raise BenchFault("this system does not tell what processes spend")
    return worker, whole


def _compared(turns: Sequence[Turn]) -> list[Said]:
    without, with_ = turns[::2], turns[1::2]
    pairs = list(zip(without, with_, strict=True))
    ratio = statistics.median(b.hits / a.hits for a, b in pairs)
    of_worker = statistics.median(a.worker / b.worker for a, b in pairs)
    of_node = statistics.median(a.node / b.node for a, b in pairs)
    few, many = (statistics.median(turn.hits for turn in which) for which in (without, with_))
    before, after = (statistics.median(turn.worker for turn in which) * 1e6 for which in (without, with_))
    what = f"memory hits of one worker while {ARRIVING:,} purges/s arrive, and without; supervisor on the same core"
    spent = f"{after:.0f} and {before:.0f} us of the worker's CPU a hit: **{of_worker:.2f}**"
    by_cpu = f"{spent}, the supervisor's included {of_node:.2f}"
    return [Said(what, f"{many:,.0f} and {few:,.0f} hits/s: **{ratio:.2f}**; {by_cpu}")]


def milliseconds(seconds: Sequence[float]) -> str:
    """p50, p99 and the greatest."""
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3 for share in (0.5, 0.99, 1.0)]
    return f"p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, at most {at[2]:.1f} ms"


ROWS: dict[str, Row] = {"delivery": delivery, "api": api, "catch-up": catch_up, "hits": hits}
"""By the name they are called on the command line, in the order of the table."""
