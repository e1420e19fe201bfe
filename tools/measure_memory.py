"""`python -m tools.measure memory`: what a stored response costs a worker beyond its body, and whether the ceiling holds.

Owns: the filling, the looks at the worker meanwhile, and the arithmetic. A real `perigee run` with one worker and no disk is
filled through real requests, each URL once and each answer with an ETag and a Last-Modified of its own, as a real origin has
them; then it goes on for longer, with bodies of one size, and with bodies of many, which is what fragments an allocator.
Resident memory is read from /proc, what the memory tier believes from the metrics. The origin is a process apart.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.benching.client import fetch_all
from tools.benching.processes import BenchFault, Cores, Process, resident_bytes, workers_of
from tools.ports import free_ports

KB, MB = 1024, 1_000_000
BODY = KB
MIXED_KB = (1, 1, 1, 1, 2, 2, 3, 4, 6, 8, 12, 16, 24)
"""Bodies of the last stage are of one of these sizes, at random: many small, few large."""
WARM_UP = 300
"""Requests before the base is taken: what the first ones bring with them (lazy imports, arenas) belongs to no response."""
CONNECTIONS = 16

_NODE = """\
sites = []
[node]
name = "measured"
listen = ["127.0.0.1:{port}"]
admin = "127.0.0.1:{admin}"
data_dir = "{folder}/data"
workers = 1
[memory]
capacity = "{mib}MiB"
[disk]
capacity = "off"
[log]
access = "off"
level = "warning"
[limits]
requests_per_connection = 100000000
[[site]]
hostnames = ["*"]
origins = ["http://127.0.0.1:{origin}"]
"""

_GAUGE = re.compile(r'^(perigee_stored_\w+)\{[^}]*tier="memory"[^}]*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the worker. resident: bytes. objects, charged: what the memory tier holds, and counts for it in bytes."""

    resident: int
    objects: int
    charged: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What was seen after so many `stored` responses. body: bytes of one, None where they differ."""

    said: str
    body: int | None
    look: Look


def overhead(look: Look, base: Look, body: int) -> float:
    """Resident bytes for each response beyond its body and the base."""
    return (look.resident - base.resident - look.objects * body) / look.objects


def charged(look: Look, base: Look, body: int) -> float:
    """The same, as the tier counts it. What the empty tier has is its own, not a response's."""
    return (look.charged - base.charged - look.objects * body) / look.objects


def beyond(look: Look, base: Look, capacity: int) -> float:
    """Resident memory to the ceiling and the base together: 1.1 = a tenth above."""
    return look.resident / (capacity + base.resident - base.charged)


def table_of(base: Look, capacity: int, stages: list[Stage]) -> list[tuple[str, str]]:
    """The rows. base: the worker before the first response."""
    rows = [
        ("ceiling", f"{capacity / MB:,.1f} MB"),
        ("base: the worker without responses", f"{(base.resident - base.charged) / MB:.1f} MB"),
    ]
    for stage in stages:
        look = stage.look
        said = f"{look.objects:,} held, charged {look.charged / MB:,.1f} MB, resident {look.resident / MB:,.1f} MB"
        said += f" = {beyond(look, base, capacity):.3f} of ceiling and base"
        if stage.body is not None:
            said += f"; overhead of one {overhead(look, base, stage.body):,.0f} bytes"
            said += f" (charged: {charged(look, base, stage.body):,.0f})"
        rows.append((stage.said, said))
    return rows


def gauges(text: str) -> Mapping[str, float]:
    """Those of the memory tier, by name, out of a page of metrics."""
    return {name: float(value) for name, value in _GAUGE.findall(text)}


@dataclass(frozen=True, slots=True)
class _Worker:
    """A node that serves on `port`."""

    port: int
    admin: int
    pid: int

    def look(self) -> Look:
        """Blocks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=30) as answer:
            found = gauges(answer.read().decode())
        try:
            objects, counted = found["perigee_stored_responses"], found["perigee_stored_bytes"]
        except KeyError as error:
            raise BenchFault(f"the metrics do not tell {error}") from None
        return Look(resident_bytes(self.pid), int(objects), int(counted))


@asynccontextmanager
async def _running(mib: int, environment: Mapping[str, str]) -> AsyncIterator[_Worker]:
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory(prefix="perigee-measure-") as name:
        folder = Path(name)
        origin_port, port, admin = free_ports(3)
        file = folder / "node.toml"
        file.write_text(
            _NODE.format(port=port, admin=admin, folder=folder, mib=mib, origin=origin_port), encoding="utf-8"
        )
        asked = [sys.executable, "-m", "tools.benching.origin", str(origin_port)]
        served = [sys.executable, "-m", "tools.perigee", "run", "--config", str(file)]
        inherited = {**os.environ, **environment}
        with (
            Process(asked, core=cores.load, log=folder / "origin.txt") as origin,
            Process(served, core=cores.server, log=folder / "output.txt", env=inherited) as node,
        ):
            await asyncio.to_thread(origin.wait_for_answer, origin_port)
            await asyncio.to_thread(node.wait_for_answer, port)
            yield _Worker(port, admin, workers_of(node.pid)[0])


def _targets(size: str, tag: str, count: int) -> Iterator[str]:
    return (f"/{size}/own/{tag}/picture-{number:07d}.webp" for number in range(count))


def _mixed(count: int) -> Iterator[str]:
    dice = random.Random(3)
    sizes = (dice.choice(MIXED_KB) for _ in range(count))
    return (f"/{size}k/own/mixed/picture-{number:07d}.webp" for number, size in enumerate(sizes))


async def _store(worker: _Worker, targets: Iterator[str]) -> None:
    tally = await fetch_all(worker.port, targets, connections=CONNECTIONS)
    if tally.failures:
        raise BenchFault(f"{tally.failures} connections failed")


async def memory(
    count: int,
    *,
    churn: int,
    mixed: int,
    mib: int,
    environment: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Store `count` responses of 1 KB, then `churn` more, then `mixed` more of several sizes, in a tier of `mib` MiB.

    environment: what the worker has beside ours, to try settings of its allocator. BenchFault.
    """
    async with _running(mib, environment or {}) as worker:
        await _store(worker, itertools.repeat("/1k/own/warm", WARM_UP))
        base = await asyncio.to_thread(worker.look)
        stages: list[Stage] = []
        for said, body, targets in (
            (f"after {count // 10:,} of 1 KB", BODY, _targets("1k", "first", count // 10)),
            (f"after {count:,} of 1 KB", BODY, _targets("1k", "more", count - count // 10)),
            (f"after {churn:,} more", BODY, _targets("1k", "churn", churn)),
            (f"after {mixed:,} more of 1 to {max(MIXED_KB)} KB", None, _mixed(mixed)),
        ):
            await _store(worker, targets)
            stages.append(Stage(said, body, await asyncio.to_thread(worker.look)))
            print(f"measure: {said}: {stages[-1].look}", file=sys.stderr, flush=True)
    return table_of(base, mib * KB * KB, stages)
