"""Load on one server, and what came of it.

Owns: `Measured`, `Load` and its kinds: wrk, where it is installed, one in Python, which is itself slower than what it
measures, and `OpenLoop` for a constant rate. Rule: a run with a failed request, or at another rate than it was to have,
measures nothing and raises `BenchFault`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edge.server.machine import new_loop
from tools.benching.client import Tally, keep_asking
from tools.benching.heads import Field, request_bytes
from tools.benching.pacing import KEPT_SHARE, LATE_SECONDS, Told
from tools.benching.processes import BenchFault, pinned
from tools.benching.workloads import Workload

T = TypeVar("T")
TRIES = 3
"""Runs at a constant rate until one is a measurement."""
ONCE = "/1k/once/{n}/"
"""What each URL of a workload without targets begins with; {n} is a number."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. bytes: heads included, 0 where they were not counted. p50, p99, p999: seconds, None where not measured.

    kept, late: of a constant rate, the share of requests that the client sent in time, and the seconds behind its schedule that
    99 of 100 did not exceed.
    """

    requests: int
    bytes: int
    seconds: float
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None
    kept: float | None = None
    late: float | None = None


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
        """Load 127.0.0.1:port, over TLS where the workload says so. tag: part of URLs that are asked for once, new for each
        run. BenchFault.
        """


def heads_of(workload: Workload, port: int, tag: str) -> bytes:
    """All request heads of a workload, a NUL byte between them."""
    host = f"127.0.0.1:{port}"
    targets = workload.targets or (ONCE + tag,)
    return b"\0".join(
        request_bytes(host, target, extra_of(workload, at)) for at, target in enumerate(targets)
    )


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
        url = f"{'https' if workload.tls else 'http'}://127.0.0.1:{port}/"
        file = self._folder / "heads"
        file.write_bytes(heads_of(workload, port, tag))
        command = [
            *("wrk", "-t", "1", "-c", str(workload.connections), "-d", f"{max(1, round(seconds))}s"),
            *("--timeout", "30s", "-s", str(Path(__file__).with_name("wrk.lua")), url, "--"),
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
            raise BenchFault(f"{workload.name}: {found['failures']} requests failed on {url}")
        return Measured(
            found["requests"],
            found["bytes"],
            found["microseconds"] / 1e6,
            found["p50"] / 1e6,
            found["p99"] / 1e6,
        )


class NoMeasurement(BenchFault):
    """The client was the bottleneck. Nobody is to blame, and nothing is known."""


class OpenLoop:
    """Requests at a constant rate, whatever becomes of the answers, from a process of its own."""

    def __init__(self, core: int | None, folder: Path) -> None:
        self._core = core
        self._folder = folder

    def run(self, workload: Workload, port: int, seconds: float) -> Measured:
        """Load 127.0.0.1:port at the workload's rate. BenchFault; NoMeasurement when the client fell behind in TRIES runs."""
        for _ in range(TRIES - 1):
            with suppress(NoMeasurement):
                return self._once(workload, port, seconds)
        return self._once(workload, port, seconds)

    def _once(self, workload: Workload, port: int, seconds: float) -> Measured:
        file = self._folder / "heads"
        file.write_bytes(heads_of(workload, port, ""))
        asked = (str(port), str(file), str(workload.rate), str(workload.connections), str(seconds))
        command = [sys.executable, "-m", "tools.benching.open_loop", *asked]
        said = subprocess.run(
            pinned(self._core, command), capture_output=True, text=True, check=False, timeout=seconds + 60
        )
        try:
            told = Told(**json.loads(said.stdout))
        except (TypeError, ValueError):
            raise BenchFault(f"{workload.name}: {said.stdout}{said.stderr}") from None
        return measured_at_rate(workload, told)


def measured_at_rate(workload: Workload, told: Told) -> Measured:
    """What an open loop told, as a measurement. BenchFault; NoMeasurement when its client did not keep to its schedule."""
    if told.kept < KEPT_SHARE or told.late > LATE_SECONDS:
        raise NoMeasurement(
            f"{workload.name}: the client did not keep {workload.rate:,} requests a second: it sent {told.kept:.1%} in time, "
            f"and 1 of 100 more than {told.late * 1e3:.1f} ms late; other work has its core"
        )
    if told.answered < told.due:
        raise BenchFault(f"{workload.name}: {told.due - told.answered} of {told.due} were not answered")
    return Measured(
        requests=told.answered,
        bytes=0,
        seconds=told.due / workload.rate,
        p50=told.p50,
        p99=told.p99,
        p999=told.p999,
        kept=told.kept,
        late=told.late,
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
