"""The table that `make bench` prints, and its place in docs/performance.md. PURE but for `write`.

Owns: the markdown of it. Rules: a number is a median with its least and greatest; a ratio is ours to theirs; the date, the
machine and all versions stand above the table.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.benching.measuring import Row, Turn
from tools.benching.workloads import Unit

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under what it was measured."""

    date: str
    machine: str
    versions: tuple[str, ...]
    cores: str
    load: str
    rounds: int
    seconds: float


def table(rows: Sequence[Row], names: Sequence[str], said: Circumstances) -> str:
    """The whole block. names: contenders in their order, ours first."""
    ours, *others = names
    head = ["workload", *names, *(f"{ours} / {other}" for other in others)]
    how = f"{said.rounds} turns each of {said.seconds:g} s, in the order A B A B; median (least-greatest)"
    lines = [
        f"{said.date}, {said.machine}; {said.cores}; {'; '.join(said.versions)}. Load: {said.load}, {how}.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for row in rows:
        cells = [row.workload.title, *(cell(row, name) for name in names)]
        cells += [_ratio(row, ours, other) for other in others]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(row: Row, name: str) -> str:
    """What one contender did."""
    turns = row.turns.get(name)
    if not turns:
        return "-"
    values = [turn.value for turn in turns]
    middle, low, high = (_number(value) for value in (statistics.median(values), min(values), max(values)))
    if row.workload.unit is Unit.REQUESTS_AT_ORIGIN:
        slowest = max(turn.measured.seconds for turn in turns)
        return f"{middle} ({low}-{high}), all answered in {slowest:.2f} s"
    return f"{middle} {row.workload.unit.value} ({low}-{high}){_more(turns)}"


def _more(turns: Sequence[Turn]) -> str:
    """Latency and the server's CPU time, where they were measured."""
    tails = [turn.measured.p99 for turn in turns if turn.measured.p99 is not None]
    costs = [turn.cpu for turn in turns if turn.cpu is not None]
    more = f", p99 {statistics.median(tails) * 1e3:.1f} ms" if tails else ""
    return more + (f", {_micros(statistics.median(costs))} CPU" if costs else "")


def _micros(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _ratio(row: Row, ours: str, theirs: str) -> str:
    if row.workload.unit is Unit.REQUESTS_AT_ORIGIN:
        return ""
    ratio, by_cpu = row.ratio(ours, theirs), row.ratio_by_cpu(ours, theirs)
    if ratio is None:
        return ""
    return f"**{ratio:.2f}**" + (f", by CPU time {by_cpu:.2f}" if by_cpu is not None else "")


def between_markers(page: str, block: str) -> str:
    """The page with `block` between its markers. ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def write(file: Path, block: str) -> None:
    """Put `block` between the markers of `file`. ValueError, OSError."""
    file.write_text(between_markers(file.read_text(), block))
