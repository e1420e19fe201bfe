"""`make bench`: Perigee beside nginx and Varnish on this machine.

Owns: the command line, what is measured in which order, and the bound on the whole run. One core serves and another makes the
load and is the origin; contenders take turns; everything is on loopback, in a folder of its own in memory where there is
one, and gone at the end. docs/performance.md says how to read it.

    make bench                           the table, in about seven minutes
    make bench ARGS="--quick"            the same, rough, in less than two
    make bench ARGS="hits misses"        some rows
    make bench ARGS="--write"            and put it into docs/performance.md
    make bench ARGS="--profile hits"     where the microseconds go
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tools.benching import profiling, report
from tools.benching.load import Builtin, Load, NoMeasurement, Wrk
from tools.benching.measuring import Bench, Row, measure
from tools.benching.processes import BenchFault, Cores, Process
from tools.benching.servers import Contender, Nginx, Perigee
from tools.benching.varnish import Varnish
from tools.benching.workloads import WORKLOADS, Workload
from tools.ports import free_port

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TURN_SECONDS, QUICK_SECONDS = 4.0, 1.0
ROUNDS, QUICK_ROUNDS = 3, 2
NOT_QUICK = ("strangers", "log")
"""Rows that `--quick` leaves out: hits once more."""
NEEDED_BYTES = 1 << 30
LIMIT_SECONDS = 540
"""What a run may take; a server that hangs ends it, and its processes with it."""


def main() -> None:
    """Run what was asked for."""
    options = _options().parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(LIMIT_SECONDS)
    try:
        _run(options)
    except BenchFault as fault:
        raise SystemExit(f"bench: {fault}") from None


def _stop(number: int, _frame: object) -> None:
    raise BenchFault(f"stopped by {signal.Signals(number).name}")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m tools.bench", description=(__doc__ or "").partition("\n")[0]
    )
    options.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {' '.join(WORKLOADS)}")
    options.add_argument("--quick", action="store_true", help="rough numbers in less than two minutes")
    options.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options.add_argument("--profile", metavar="ROW", help="say where our time goes in that row")
    options.add_argument("--rounds", type=int, help="turns of each contender")
    options.add_argument("--seconds", type=float, help="of one turn")
    options.add_argument("--alone", action="store_true", help="without nginx and Varnish")
    return options


def _run(options: argparse.Namespace) -> None:
    usual = [name for name in WORKLOADS if not (options.quick and name in NOT_QUICK)]
    wanted: list[str] = options.rows or usual
    unknown = [name for name in (*wanted, options.profile or "hits") if name not in WORKLOADS]
    if unknown:
        raise BenchFault(f"no such row: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    if options.profile and WORKLOADS[options.profile]().tls:
        raise BenchFault("the worker under a profiler speaks no TLS; its hits are those of --profile hits")
    seconds = options.seconds or (QUICK_SECONDS if options.quick else TURN_SECONDS)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    cores = Cores.of_this_machine()
    with _folder() as folder:
        port = free_port()
        command = [sys.executable, "-m", "tools.benching.origin", str(port)]
        with Process(command, core=cores.load, log=folder / "origin.txt") as origin:
            origin.wait_for_answer(port)
            bench = Bench(
                contenders=[Perigee()] if options.alone else _installed(),
                load=_load(cores, folder),
                cores=cores,
                origin=port,
                folder=folder,
                rounds=rounds,
                seconds=seconds,
            )
            if options.profile:
                print(profiling.profile(WORKLOADS[options.profile](), bench))
                return
            rows = _measured(wanted, bench)
    block = report.table(rows, [each.name for each in bench.contenders], _circumstances(bench))
    print(f"\n{block}")
    if options.write:
        report.write(PAGE, block)
        print(f"\nwritten into {PAGE.name}", file=sys.stderr)


def _measured(wanted: Sequence[str], bench: Bench) -> list[Row]:
    """Row by row; what a row says is shown as soon as it is known."""
    rows: list[Row] = []
    for name in wanted:
        workload = WORKLOADS[name]()
        why = _skipped(workload, bench)
        if why is not None:
            print(f"{name}: left out: {why}", file=sys.stderr, flush=True)
            continue
        try:
            row = measure(workload, bench)
        except NoMeasurement as fault:
            print(f"bench: no measurement: {fault}", file=sys.stderr, flush=True)
            continue
        rows.append(row)
        cells = "; ".join(f"{each} {report.cell(row, each)}" for each in row.turns)
        print(f"{name}: {cells}", file=sys.stderr, flush=True)
    return rows


def _skipped(workload: Workload, bench: Bench) -> str | None:
    """Why a row cannot be measured here; None = it can."""
    if workload.tls and not isinstance(bench.load, Wrk):
        return "the built-in client makes no load over TLS: install wrk"
    return None


def _installed() -> list[Contender]:
    found: list[Contender] = [Perigee()]
    contender: Contender
    for contender in (Nginx(), Varnish()):
        if contender.version() is None:
            print(f"bench: {contender.name} is not installed: measured without it", file=sys.stderr)
        else:
            found.append(contender)
    return found


def _load(cores: Cores, folder: Path) -> Load:
    if Wrk.is_installed():
        return Wrk(cores.load, folder)
    print(
        "bench: wrk is not installed; a client in Python makes the load, and is slower than what it measures: "
        "the rates below are its own, the CPU times per request are the servers'",
        file=sys.stderr,
    )
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})
    return Builtin()


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of our own, in memory where that has room, that is gone afterwards."""
    memory = Path("/dev/shm")  # noqa: S108  # tmpfs, where the system has it
    has_room = (
        memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > NEEDED_BYTES
    )
    with tempfile.TemporaryDirectory(
        prefix="perigee-bench-", dir=memory if has_room else None, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _circumstances(bench: Bench) -> report.Circumstances:
    return report.Circumstances(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.release()}",
        versions=tuple(each.version() or each.name for each in bench.contenders),
        cores=bench.cores.said,
        load=bench.load.name,
        rounds=bench.rounds,
        seconds=bench.seconds,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
