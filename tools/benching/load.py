"""Load on one server, and what came of it.

Owns: `Measured`, `Load` and its two kinds: wrk, where it is installed, and one in Python, which is itself slower than what it
measures. Rule: a run with a failed request measures nothing and raises `BenchFault`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edge.server.machine import new_loop
from tools.benching.client import Tally, keep_asking
from tools.benching.heads import Field, request_bytes
from tools.benching.processes import BenchFault, pinned
from tools.benching.workloads import Workload

T = TypeVar("T")
ONCE = "/1k/once/{n}/"
"""What each URL of a workload without targets begins with; {n} is a number."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. bytes: heads included. p50, p99: seconds, None where they were not measured."""

    requests: int
    bytes: int
    seconds: float
    p50: float | None = None
    p99: float | None = None


def extra_of(workload: Workload, number: int) -> tuple[Field, ...]:
    """The fields that the request of that number has beyond those of all."""
    return (
        (*workload.extra, ("Cookie", f"_ga=GA1.1.{number:010d}.1700000000; theme=dark"))
        if workload.cookies
        else workload.extra
    )


class Load(Protocol):
    """Makes a steady load."""

    name: str

    def run(self, workload: Workload, port: int, seconds: float, tag: str) -> Measured:
        """Load 127.0.0.1:port. tag: part of URLs that are asked for once, new for each run. BenchFault."""


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run it on the fastest loop there is."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


class Wrk:
    """wrk 4 with one thread."""

    name = "wrk"

    def __init__(self, core: int | None, folder: Path) -> None:
        self._core = core
        self._folder = folder

    @staticmethod
    def is_installed() -> bool:
        """True when there is a wrk."""
        return shutil.which("wrk") is not None

    def run(self, workload: Workload, port: int, seconds: float, tag: str) -> Measured:
        """See Load."""
        host = f"127.0.0.1:{port}"
        targets = workload.targets or (ONCE + tag,)
        file = self._folder / "heads"
        file.write_bytes(
            b"\0".join(
                request_bytes(host, target, extra_of(workload, at)) for at, target in enumerate(targets)
            )
        )
        command = [
            *("wrk", "-t", "1", "-c", str(workload.connections), "-d", f"{max(1, round(seconds))}s"),
            *("--timeout", "30s", "-s", str(Path(__file__).with_name("wrk.lua")), f"http://{host}/", "--"),
            *(() if workload.targets else ("once",)),
            str(file),
        ]
        said = subprocess.run(
            pinned(self._core, command), capture_output=True, text=True, check=False, timeout=seconds + 60
        )
        try:
            found = json.loads(said.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise BenchFault(f"wrk failed:\n{said.stdout}{said.stderr}") from None
        if found["failures"]:
            raise BenchFault(f"{workload.name}: {found['failures']} requests failed on {host}")
        return Measured(
            found["requests"],
            found["bytes"],
            found["microseconds"] / 1e6,
            found["p50"] / 1e6,
            found["p99"] / 1e6,
        )


class Builtin:
    """The one in Python."""

    name = "a built-in client in Python, which is the bottleneck"

    def run(self, workload: Workload, port: int, seconds: float, tag: str) -> Measured:
        """See Load."""
        targets = itertools.cycle(workload.targets) if workload.targets else once(tag)
        began = time.perf_counter()
        tally: Tally = run_loop(keep_asking(port, targets, workload.extra, workload.connections, seconds))
        if tally.failures:
            raise BenchFault(f"{workload.name}: {tally.failures} requests failed on port {port}")
        return Measured(tally.requests, tally.bytes, time.perf_counter() - began)


def once(tag: str) -> itertools.chain[str]:
    """Targets that never come again, for as many as are taken."""
    return itertools.chain.from_iterable(
        ((ONCE + tag).replace("{n}", str(number)),) for number in itertools.count()
    )
