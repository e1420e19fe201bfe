"""`python -m tools.measure workers`: what a second worker brings, as far as this machine can tell.

Owns: a run of hits with one worker and one with two, in turns, and what is read of each worker meanwhile: its share of the
connections and of the CPU time. Two workers need a core each and the load generator one more; where there are fewer, rates say
nothing of workers, and the table says so: what remains true is CPU time per request and how connections are spread.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Timer

from tools.benching.load import Measured, Wrk
from tools.benching.measuring import fill
from tools.benching.processes import BenchFault, Process, cpu_seconds, workers_of
from tools.benching.servers import Perigee, Place, Running, perigee_settings, started
from tools.benching.workloads import WORKLOADS, Workload
from tools.ports import free_port

ENOUGH_CORES = 3
LOOK_AFTER = 0.5
"""Of a turn: then connections are counted, when all are open and none is closed yet."""
_ESTABLISHED = "01"
_SOCKET = re.compile(r"socket:\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Turn:
    """One run. connections, cpu: of each worker, how many it has and the seconds that it spent."""

    measured: Measured
    connections: tuple[int, ...]
    cpu: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.measured.requests / self.measured.seconds

    @property
    def cost(self) -> float:
        """CPU seconds of all workers for one request."""
        return sum(self.cpu) / self.measured.requests


def has_enough(cores: int) -> bool:
    """Whether rates of one and two workers can be compared."""
    return cores >= ENOUGH_CORES


def table_of(one: Sequence[Turn], two: Sequence[Turn], cores: int) -> list[tuple[str, str]]:
    """The rows. one, two: turns of one worker and of two, side by side."""
    if has_enough(cores):
        gain = statistics.median(b.rate / a.rate for a, b in zip(one, two, strict=True))
        said = f"{gain:.2f} times the hits of one"
    else:
        said = (
            f"not to be told with {cores} cores: two workers and the load generator need {ENOUGH_CORES}; "
            "the rates above are those of whoever had a core"
        )
    return [
        ("one worker", _said(one)),
        ("two workers", _said(two)),
        ("CPU time of a request, two workers / one", f"{_cost(two) / _cost(one):.2f}"),
        ("connections of each, by turn", "; ".join(_pair(turn.connections) for turn in two)),
        ("share of the work of each, by turn", "; ".join(_shares(turn.cpu) for turn in two)),
        ("the second worker brings", said),
    ]


def _cost(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.cost for turn in turns)


def _said(turns: Sequence[Turn]) -> str:
    rate = statistics.median(turn.rate for turn in turns)
    return f"{rate:,.0f} hits/s, {_cost(turns) * 1e6:.1f} us CPU a hit"


def _pair(counts: Sequence[int]) -> str:
    return " and ".join(map(str, counts))


def _shares(spent: Sequence[float]) -> str:
    return " and ".join(f"{each / (sum(spent) or 1.0):.0%}" for each in spent)


def established(table: str, port: int) -> set[str]:
    """Inodes of the sockets that are connected at our `port`, out of /proc/net/tcp."""
    found: set[str] = set()
    for line in table.splitlines()[1:]:
        columns = line.split()
        if int(columns[1].rpartition(":")[2], 16) == port and columns[3] == _ESTABLISHED:
            found.add(columns[9])
    return found


def connections_of(pid: int, port: int) -> int:
    """How many clients of `port` a process has. OSError."""
    inodes = established(Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii"), port)
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            found = _SOCKET.fullmatch(str(each.readlink()))
            count += found is not None and found[1] in inodes
    return count


@dataclass(frozen=True, slots=True)
class _Node:
    running: Running
    workers: tuple[int, ...]

    def turn(self, load: Wrk, row: Workload, seconds: float) -> Turn:
        """One run of load."""
        before = self._spent()
        seen: list[tuple[int, ...]] = []

        def look() -> None:
            seen.append(tuple(connections_of(each, self.running.port) for each in self.workers))

        looking = Timer(LOOK_AFTER * seconds, look)
        looking.start()
        measured = load.run(row, self.running.port, seconds, "workers")
        looking.join()
        if not seen:
            raise BenchFault("/proc does not tell the connections of a worker")
        spent = tuple(after - was for was, after in zip(before, self._spent(), strict=True))
        return Turn(measured, seen[0], spent)

    def _spent(self) -> list[float]:
        return [cpu_seconds(each) or 0.0 for each in self.workers]


@contextmanager
def _serving(count: int, row: Workload, folder: Path, origin: int, cores: Sequence[int]) -> Iterator[_Node]:
    """A node with so many workers that has all of the row. BenchFault."""
    folder.mkdir()
    port, file = free_port(), folder / "node.toml"
    file.write_text(
        perigee_settings(row, folder=folder, port=port, origin=origin, workers=count), encoding="utf-8"
    )
    command = [sys.executable, "-m", "tools.perigee", "run", "--config", str(file)]
    if has_enough(len(cores)):
        command = ["taskset", "-c", ",".join(map(str, cores[:2])), *command]
    with started(command, Place(folder, origin, None), port) as process:
        node = _Node(Running(process, port), tuple(workers_of(process.pid)))
        if len(node.workers) != count:
            raise BenchFault(f"{len(node.workers)} workers instead of {count}")
        fill(row, Perigee(), node.running)
        yield node


def workers(rounds: int = 3, seconds: float = 4.0) -> list[tuple[str, str]]:
    """The table. BenchFault without wrk, or where /proc does not tell."""
    if not Wrk.is_installed():
        raise BenchFault("wrk is not installed, and the client in Python is slower than one worker")
    cores = sorted(os.sched_getaffinity(0)) if shutil.which("taskset") else []
    row = replace(WORKLOADS["hits"](), connections=64)
    with tempfile.TemporaryDirectory(prefix="perigee-measure-") as name:
        folder, origin = Path(name), free_port()
        asked = [sys.executable, "-m", "tools.benching.origin", str(origin)]
        with Process(asked, core=cores[-1] if cores else None, log=folder / "origin.txt") as serving:
            serving.wait_for_answer(origin)
            load = Wrk(cores[-1] if has_enough(len(cores)) else None, folder)
            with (
                _serving(1, row, folder / "one", origin, cores) as one,
                _serving(2, row, folder / "two", origin, cores) as two,
            ):
                turns = [(one.turn(load, row, seconds), two.turn(load, row, seconds)) for _ in range(rounds)]
    return table_of([a for a, _ in turns], [b for _, b in turns], len(cores))
