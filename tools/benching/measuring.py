"""One workload on all contenders, side by side: A B A B.

Owns: `Row` and `measure`. Rules: all contenders are up during the whole row, and take turns, so that what else the machine
does meets them alike; each fills its cache first, and a look at how often the origin was asked meanwhile shows that hits
were hits and misses misses. The ratio of a row is the median of the ratios of turns that stood side by side.
"""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from tools.benching.certificates import trusting
from tools.benching.client import crowd, fetch_all
from tools.benching.load import Load, Measured, OpenLoop, run_loop
from tools.benching.processes import BenchFault, Cores, cpu_seconds
from tools.benching.servers import Contender, Place, Running
from tools.benching.workloads import Origin, Unit, Workload


@dataclass(frozen=True, slots=True)
class Turn:
    """One measured run of one contender. value: in the workload's unit. cpu: seconds of all its processes per request."""

    value: float
    measured: Measured
    cpu: float | None


@dataclass(slots=True)
class Row:
    """What came of a workload: the turns of each contender by name."""

    workload: Workload
    turns: dict[str, list[Turn]] = field(default_factory=dict)

    def values(self, name: str) -> list[float]:
        """The values of a contender, in the order measured."""
        return [turn.value for turn in self.turns.get(name, ())]

    def better(self, others: Sequence[str]) -> str | None:
        """Who of them did better, by the median; None when nobody did anything."""
        medians = {name: statistics.median(found) for name in others if (found := self.values(name))}
        if not medians:
            return None
        best = min if self.workload.unit is Unit.P99_SECONDS else max
        return best(medians, key=lambda name: medians[name])

    def cheaper(self, others: Sequence[str]) -> str | None:
        """Who of them spent the least CPU time on a request, by the median; None when nobody's is known."""
        medians = {
            name: statistics.median(known)
            for name in others
            if (known := [turn.cpu for turn in self.turns.get(name, ()) if turn.cpu])
        }
        return min(medians, key=lambda name: medians[name]) if medians else None

    def ratio(self, ours: str, theirs: str) -> float | None:
        """Ours to theirs, pair by pair, the median; None when one of them is missing."""
        pairs = list(zip(self.values(ours), self.values(theirs), strict=False))
        return statistics.median(a / b for a, b in pairs) if pairs else None

    def ratio_by_cpu(self, ours: str, theirs: str) -> float | None:
        """What theirs spends on a request to what ours does: the ratio when nothing but the servers' core is short."""
        costs = [
            (a.cpu, b.cpu) for a, b in zip(self.turns.get(ours, ()), self.turns.get(theirs, ()), strict=False)
        ]
        known = [b / a for a, b in costs if a and b]
        return statistics.median(known) if known else None


@dataclass(frozen=True, slots=True)
class Bench:
    """What all rows share. origin: its port. seconds: of one turn."""

    contenders: Sequence[Contender]
    load: Load
    cores: Cores
    origin: int
    folder: Path
    rounds: int
    seconds: float


def measure(workload: Workload, bench: Bench) -> Row:
    """All turns of one row. BenchFault when a contender did not do what the row is about."""
    row = Row(workload)
    with ExitStack() as stack:
        running: list[tuple[Contender, Running]] = []
        for contender in contenders_of(workload, bench.contenders):
            folder = bench.folder / f"{workload.name}-{contender.name}"
            folder.mkdir()
            one = contender.start(workload, Place(folder, bench.origin, bench.cores.server))
            for process in one.processes:
                stack.enter_context(process)
            running.append((contender, one))
        for contender, one in running:
            fill(workload, contender, one)
        for turn in range(bench.rounds):
            for contender, one in running:
                taken = take_turn(workload, one, bench, f"{contender.name}{turn}")
                row.turns.setdefault(contender.name, []).append(taken)
    return row


def contenders_of(workload: Workload, contenders: Sequence[Contender]) -> list[Contender]:
    """Ours, and those whom the row is about and who can take part."""
    asked = [each for each in contenders if each is contenders[0] or each.name in workload.beside]
    return [each for each in asked if each.cannot(workload) is None]


def fill(workload: Workload, contender: Contender, running: Running) -> None:
    """Ask for everything once, and once more so that what is admitted at the second hit is in."""
    tls = trusting(running.certificate) if running.certificate is not None else None
    for _ in range(2 if workload.targets else 0):
        tally = run_loop(fetch_all(running.port, workload.distinct, tls=tls))
        if tally.failures:
            raise BenchFault(
                f"{workload.name}: {contender.name} failed {tally.failures} times to fill its cache"
            )
    time.sleep(workload.settle_seconds)


def take_turn(workload: Workload, running: Running, bench: Bench, tag: str) -> Turn:
    """One measured run. tag: new for each, part of URLs that are asked for once."""
    before, spent = _asked(bench.origin), spent_by(running)
    if workload.clients_at_once:
        measured = _crowd(workload, running.port, tag)
    elif workload.rate:
        measured = OpenLoop(bench.cores.load, bench.folder).run(workload, running.port, bench.seconds)
    else:
        measured = bench.load.run(workload, running.port, bench.seconds, tag)
    asked, after = _asked(bench.origin) - before, spent_by(running)
    check(workload, measured, asked, tag)
    cpu = None if spent is None or after is None else (after - spent) / measured.requests
    value = value_of(workload.unit, measured, asked)
    return Turn(value, measured, cpu)


def spent_by(running: Running) -> float | None:
    """CPU seconds of all that a contender runs, None where the system does not tell."""
    all_spent = [cpu_seconds(process.pid) for process in running.processes]
    known = [spent for spent in all_spent if spent is not None]
    return sum(known) if len(known) == len(all_spent) else None


def value_of(unit: Unit, measured: Measured, asked: int) -> float:
    """The number of a run. asked: requests at the origin meanwhile."""
    match unit:
        case Unit.PER_SECOND:
            return measured.requests / measured.seconds
        case Unit.BYTES_PER_SECOND:
            return measured.bytes / measured.seconds / 1e6
        case Unit.REQUESTS_AT_ORIGIN:
            return float(asked)
        case Unit.P99_SECONDS:
            assert measured.p99 is not None, "a constant rate has its latencies"
            return measured.p99
        case _ as never:
            assert_never(never)


def _crowd(workload: Workload, port: int, tag: str) -> Measured:
    began = time.perf_counter()
    tally = run_loop(crowd(port, f"/cold/{tag}", workload.clients_at_once))
    if tally.failures or tally.requests != workload.clients_at_once:
        raise BenchFault(f"{workload.name}: {tally.failures} of {workload.clients_at_once} clients failed")
    return Measured(tally.requests, tally.bytes, time.perf_counter() - began)


def check(workload: Workload, measured: Measured, asked: int, tag: str) -> None:
    """Hits must not reach the origin and each miss must."""
    if not measured.requests:
        raise BenchFault(f"{workload.name} {tag}: no request was answered")
    if workload.origin is Origin.NOTHING and asked:
        raise BenchFault(f"{workload.name} {tag}: the origin was asked {asked} times for what was stored")
    if workload.origin is Origin.EVERY_REQUEST and asked < measured.requests:
        raise BenchFault(f"{workload.name} {tag}: {measured.requests - asked} answers were no misses")


def _asked(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/count", timeout=10) as answer:
        return int(answer.read())
