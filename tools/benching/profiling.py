"""Where our microseconds go: the cost of a request, divided among the functions that it runs through.

Owns: `profile`. Two runs. The first, without a profiler, says what a request costs in CPU time; the second, under cProfile,
says how that is shared out. A profiler makes each call dearer, small functions more than large ones, so the shares are
multiplied with the true cost, and what is left is a budget to look at first, not a measurement to the nanosecond. "other"
is the event loop, the kernel (recv, send) and everything below the threshold.
"""

from __future__ import annotations

import os
import pstats
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from tools.benching.measuring import Bench, fill, measure, take_turn
from tools.benching.processes import BenchFault, cpu_seconds
from tools.benching.servers import Perigee, Place
from tools.benching.workloads import Workload

SHOWN = 40


@dataclass(frozen=True, slots=True)
class Cost:
    """One function. calls: per request. own, all: microseconds per request without and with what it calls."""

    name: str
    calls: float
    own: float
    all: float


def profile(workload: Workload, bench: Bench) -> str:
    """The budget of one request of `workload`, as a table."""
    alone = replace(bench, contenders=[Perigee()], rounds=1)
    plain = measure(workload, alone).turns[Perigee.name][0]
    if plain.cpu is None:
        raise BenchFault("this system does not tell a process's CPU time")
    stats, requests, spent = _profiled(workload, alone)
    shown = costs(stats, requests, plain.cpu / (spent / requests))[:SHOWN]
    cost = f"{plain.cpu * 1e6:.1f} us of CPU per request, kernel included"
    lines = [
        f"{workload.title}: {cost} ({1 / plain.cpu:,.0f} requests per second of one core)",
        "",
        "| own us | with callees us | calls | function |",
        "|---|---|---|---|",
        *(f"| {cost.own:.2f} | {cost.all:.2f} | {cost.calls:.2f} | {cost.name} |" for cost in shown),
        f"| {plain.cpu * 1e6 - sum(cost.own for cost in shown):.2f} | | | other |",
    ]
    return "\n".join(lines)


def _profiled(workload: Workload, bench: Bench) -> tuple[pstats.Stats, int, float]:
    """The profile of one turn, its requests, and its CPU seconds."""
    folder = bench.folder / "profiled"
    folder.mkdir()
    file = folder / "profile"
    running = Perigee(profile=file).start(workload, Place(folder, bench.origin, bench.cores.server))
    with running.process:
        fill(workload, Perigee(), running)
        os.kill(running.process.pid, signal.SIGUSR1)
        before = cpu_seconds(running.process.pid)
        turn = take_turn(workload, running, bench, "profiled")
        after = cpu_seconds(running.process.pid)
    if before is None or after is None or not file.exists():
        raise BenchFault(f"no profile was written:\n{(folder / 'output.txt').read_text()[-2000:]}")
    return pstats.Stats(str(file)), turn.measured.requests, after - before


def costs(stats: pstats.Stats, requests: int, scale: float) -> list[Cost]:
    """Each function, dearest first. scale: what a profiled second is without the profiler."""
    root = str(Path(__file__).resolve().parent.parent.parent) + os.sep
    found: list[Cost] = []
    for (file, line, function), (_, calls, own, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        where = file.removeprefix(root) if file.startswith(root) else Path(file).name
        name = function if file == "~" else f"{where}:{line} {function}"
        each = 1e6 * scale / requests
        found.append(Cost(name.replace("|", "/"), calls / requests, own * each, cumulative * each))
    return sorted((cost for cost in found if cost.own >= 0.01), key=lambda cost: -cost.own)
