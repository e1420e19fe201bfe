"""The table that `make bench` prints, and its place in docs/performance.md. PURE but for `write`.

Owns: the markdown of it. Rules: a number is a median with its least and greatest; a ratio is ours to that of the better of the
others, who is named where there are several, and the ratio by CPU time is to the cheaper one; the date, the machine and all
versions stand above the table.
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
    against = others if len(others) < 2 else ["the better"]
    head = ["workload", *names, *(f"{ours} / {other}" for other in against)]
    how = f"{said.rounds} turns each of {said.seconds:g} s, in the order {_order(names)}; median (least-greatest)"
    lines = [
        f"{said.date}, {said.machine}; {said.cores}; {'; '.join(said.versions)}. Load: {said.load}, {how}.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for row in rows:
        cells = [row.workload.title, *(cell(row, name) for name in names)]
        cells += [_ratio(row, ours, others)] if others else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _order(names: Sequence[str]) -> str:
    letters = "ABCDEFGH"[: max(2, len(names))]
    return " ".join((*letters, *letters))


def cell(row: Row, name: str) -> str:
    """What one contender did."""
    turns = row.turns.get(name)
    if not turns:
        return "-"
    if row.workload.unit is Unit.P99_SECONDS:
        return _latencies(turns)
    values = [turn.value for turn in turns]
    middle, low, high = (_number(value) for value in (statistics.median(values), min(values), max(values)))
    if row.workload.unit is Unit.REQUESTS_AT_ORIGIN:
        slowest = max(turn.measured.seconds for turn in turns)
        return f"{middle} ({low}-{high}), all answered in {slowest:.2f} s"
    return f"{middle} {row.workload.unit.value} ({low}-{high}){_more(turns)}"


def _latencies(turns: Sequence[Turn]) -> str:
    """A constant rate: three percentiles, and what the client says of itself."""

    def middle(name: str) -> float:
        return statistics.median(getattr(turn.measured, name) or 0.0 for turn in turns)

    p99 = [turn.value for turn in turns]
    spread = f"{_millis(statistics.median(p99))} ({_millis(min(p99))}-{_millis(max(p99))})"
    costs = [turn.cpu for turn in turns if turn.cpu is not None]
    return (
        f"p99 {spread} ms, p50 {_millis(middle('p50'))}, p99.9 {_millis(middle('p999'))}"
        + (f", {_micros(statistics.median(costs))} CPU" if costs else "")
        + f"; sent in time {min(turn.measured.kept or 0.0 for turn in turns):.1%}, p99 of lateness {_millis(middle('late'))} ms"
    )


def _millis(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


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


def _ratio(row: Row, ours: str, others: Sequence[str]) -> str:
    better = row.better(others)
    if row.workload.unit is Unit.REQUESTS_AT_ORIGIN or better is None:
        return ""
    ratio = row.ratio(ours, better)
    if ratio is None:
        return ""
    cheaper = row.cheaper(others)
    by_cpu = None if cheaper is None else row.ratio_by_cpu(ours, cheaper)
    several = len(others) > 1
    said = f"**{ratio:.2f}**" + (f" ({better})" if several else "")
    if by_cpu is not None:
        said += f", by CPU time {by_cpu:.2f}" + (f" ({cheaper})" if several and cheaper != better else "")
    return said


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
