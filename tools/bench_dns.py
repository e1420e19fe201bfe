"""`make bench-dns`: our DNS server beside PowerDNS (GeoIP backend) and gdnsd, each on one core, asked by dnsperf on another.

Owns: the turns and the table. All servers run at the same time and are asked in turn (A B C A B C), so that what else the
machine does hits all alike; the median of a server's turns counts, and beside it the time that its process took for a query,
which says more on a machine that is busy.

    python -m tools.bench_dns [ROW ...] [--rounds 3] [--seconds 4]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tools.benching.dns_queries import WORKLOADS, places, queries
from tools.benching.dns_servers import ALL, Contender
from tools.benching.processes import BenchFault, Cores, Process, cpu_seconds, pinned
from tools.mmdb import mmdb_bytes
from tools.ports import free_port

OUTSTANDING = 60
WARM_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """rate: answers a second. micros: of the server's processor time for each, None = unknown. lost: queries."""

    rate: float
    micros: float | None
    lost: int


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    contender: Contender
    process: Process
    port: int


def turn(running: Running, workload: str, file: Path, *, seconds: int, core: int | None) -> Turn:
    """Ask one server for a while. BenchFault when dnsperf does not say how it went."""
    mode = "tcp" if workload == "tcp" else "udp"
    line = ["dnsperf", "-s", "127.0.0.1", "-p", str(running.port), "-m", mode, "-d", str(file), "-B", "-W"]
    line += ["-l", str(seconds), "-q", str(OUTSTANDING), "-c", "1", "-T", "1"]
    before = cpu_seconds(running.process.pid)
    said = subprocess.run(pinned(core, line), capture_output=True, text=True, check=False).stdout
    after = cpu_seconds(running.process.pid)
    return read(said, None if before is None or after is None else after - before)


def read(said: str, spent: float | None) -> Turn:
    """What dnsperf printed. spent: seconds of the server's processor time."""
    rate = re.search(r"Queries per second:\s+([0-9.]+)", said)
    done = re.search(r"Queries completed:\s+([0-9]+)", said)
    lost = re.search(r"Queries lost:\s+([0-9]+)", said)
    if rate is None or done is None or lost is None or not int(done[1]):
        raise BenchFault(f"dnsperf did not come to an end:\n{said[-1000:]}")
    micros = None if spent is None else spent / int(done[1]) * 1e6
    return Turn(float(rate[1]), micros, int(lost[1]))


def table(rows: Mapping[str, Mapping[str, Sequence[Turn]]], names: Sequence[str]) -> str:
    """Markdown: a line for each workload, with our ratio to each other server."""
    others = [name for name in names if name != names[0]]
    head = ["asked", *names, *(f"{names[0]} / {other}" for other in others)]
    lines = [head, ["---"] * len(head)]
    for workload, turns in rows.items():
        ratios = [_ratio(turns[names[0]], turns[other]) for other in others]
        lines.append(
            [f"`{workload}`: {WORKLOADS[workload]}", *(_cell(turns[name]) for name in names), *ratios]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(turns: Sequence[Turn]) -> str:
    micros = [each.micros for each in turns if each.micros is not None]
    lost = sum(each.lost for each in turns)
    said = f"{median(each.rate for each in turns):,.0f}/s"
    said += f", {median(micros):.1f} us" if micros else ""
    return said + (f", {lost} lost" if lost else "")


def _ratio(ours: Sequence[Turn], theirs: Sequence[Turn]) -> str:
    by_rate = median(each.rate for each in ours) / median(each.rate for each in theirs)
    spent = [[each.micros for each in turns if each.micros] for turns in (ours, theirs)]
    by_time = f", by processor time {median(spent[1]) / median(spent[0]):.2f}" if all(spent) else ""
    return f"**{by_rate:.2f}**{by_time}"


def measure(wanted: Sequence[str], contenders: Sequence[Contender], *, rounds: int, seconds: int) -> str:
    """The table, and under it what it was measured with."""
    cores = Cores.of_this_machine()
    rows: dict[str, dict[str, list[Turn]]] = {}
    with tempfile.TemporaryDirectory(prefix="perigee-dns-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "places.mmdb").write_bytes(mmdb_bytes(places(), database_type="GeoLite2-City"))
        running: list[Running] = []
        for contender in contenders:
            port = free_port()
            process = stack.enter_context(contender.start(folder / contender.name, port, cores.server))
            process.wait_for_port(port)
            running.append(Running(contender, process, port))
        for workload in wanted:
            file = folder / f"{workload}.queries"
            file.write_bytes(b"".join(queries(workload)))
            rows[workload] = {each.contender.name: [] for each in running}
            for each in running:
                turn(each, workload, file, seconds=WARM_SECONDS, core=cores.load)
            for _ in range(rounds):
                for each in running:
                    made = turn(each, workload, file, seconds=seconds, core=cores.load)
                    rows[workload][each.contender.name].append(made)
            cells = "; ".join(
                f"{each.contender.name} {_cell(rows[workload][each.contender.name])}" for each in running
            )
            print(f"{workload}: {cells}", file=sys.stderr, flush=True)
    versions = ", ".join(each.version() or each.name for each in contenders)
    how = f"{versions}; {cores.said}; dnsperf, {OUTSTANDING} outstanding, {rounds} rounds of {seconds} s, median"
    return f"{table(rows, [each.name for each in contenders])}\n\n{how}"


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(prog="python -m tools.bench_dns", description=__doc__.split("\n")[0])
    options.add_argument("rows", nargs="*", help=f"of {', '.join(WORKLOADS)}")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=4)
    said = options.parse_args()
    unknown = [row for row in said.rows if row not in WORKLOADS]
    if unknown:
        raise SystemExit(f"bench: no such row: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    if shutil.which("dnsperf") is None:
        raise SystemExit("bench: dnsperf is not installed (Debian: apt-get install dnsperf)")
    installed = [each for each in ALL if each.version() is not None]
    for each in ALL:
        if each not in installed:
            print(f"bench: {each.name} is not installed: its column is left out", file=sys.stderr)
    try:
        print(measure(said.rows or list(WORKLOADS), installed, rounds=said.rounds, seconds=said.seconds))
    except BenchFault as fault:
        raise SystemExit(f"bench: {fault}") from None


if __name__ == "__main__":
    main()
