"""`make replay-tiers LOG=FILE`: what a shield spares an origin, by a real access log.

Owns: the rows, the runs, the table, and its place in docs/performance.md. For each row the log is replayed twice from empty
caches: through edges that ask the origin themselves, and through edges with shields behind them, all real `perigee run`
processes; the origin has what the log asks for in the sizes it has, and counts. Rules: beside what was saved stands the most
that could be: the first request for a target must reach the origin, whatever is in front of it. Edges whose caches hold
all ask for a target once each; for those with less room, how often they ask is counted, not reckoned. Shields have
room for all. A run in which a request fails measures nothing.

    python -m tools.replay_tiers LOG                       # all rows
    python -m tools.replay_tiers LOG address turns --write # some, and into the page
    python -m tools.replay_tiers LOG turns --edge-memory 48MiB --edge-disk off   # with other edges
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from edge.errors import EdgeError
from edge.settings.units import parse_size
from tools.replaying.access_lines import Recorded, read
from tools.replaying.network import Network, Room, network
from tools.replaying.origin import Counted, SizedOrigin, things_of
from tools.replaying.player import SAFE, Plan, play
from tools.replaying.spread import Spread, edge_of, namesake
from tools.replaying.tally import Tally
from tools.soaking.processes import NotUp

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- replay-tiers: begin -->", "<!-- replay-tiers: end -->"
EDGES, SHIELDS = 4, 2
DAY = "max-age=86400"


@dataclass(frozen=True, slots=True)
class Row:
    """One way to replay the log. cache_control: what the origin says.

    memory, disk: the capacities of an edge, as settings have them; None = room for all that the log asks for.
    """

    name: str
    what: str
    spread: Spread
    copies: int = 1
    speed: float | None = None
    cache_control: str = DAY
    memory: str | None = None
    disk: str | None = None

    @property
    def has_room(self) -> bool:
        """Whether an edge holds all that it ever asked for."""
        return self.memory is None and self.disk is None


def small(spread: Spread, megabytes: int) -> Row:
    """Edges as small POPs have them: memory only."""
    how = "each client stays with one edge" if spread is Spread.ADDRESS else "requests go round"
    what = f"{how}; edges have {megabytes} MiB of memory and no disk"
    return Row(f"small-{megabytes}-{spread.value}", what, spread, memory=f"{megabytes}MiB", disk="off")


ROWS = (
    Row("address", "each client stays with one edge", Spread.ADDRESS),
    Row("turns", "requests go round", Spread.TURNS),
    Row("twice-address", "each client stays with one edge, twice as many clients", Spread.ADDRESS, 2),
    Row("twice-turns", "requests go round, twice as many clients", Spread.TURNS, 2),
    Row("busy-address", "each client stays with one edge, four times as many clients", Spread.ADDRESS, 4),
    Row("busy-turns", "requests go round, four times as many clients", Spread.TURNS, 4),
    Row(
        "expiring",
        "each client stays with one edge, the log's own times, what is stored is fresh for 6 of its hours",
        Spread.ADDRESS,
        speed=3000,
        cache_control="max-age=7",
    ),
    *(small(spread, megabytes) for megabytes in (64, 32, 16, 8) for spread in Spread),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one replay."""

    counted: Counted
    tally: Tally
    edges: tuple[str, ...]
    shields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Least:
    """What the origin is asked for at least. alone: by edges that each ask for a target once, or as often as they did."""

    alone: int
    alone_bytes: int
    shielded: int
    shielded_bytes: int

    @property
    def requests(self) -> float:
        """The share of requests that a shield can save at most."""
        return _saved(self.alone, self.shielded)

    @property
    def nbytes(self) -> float:
        """The same of bytes."""
        return _saved(self.alone_bytes, self.shielded_bytes)


def least_of(recorded: Recorded, row: Row, edges: int = EDGES) -> Least:
    """Of a log whose targets never expire."""
    things = things_of(recorded.lines)
    asked: set[tuple[int, str]] = set()
    turn = 0
    for line in recorded.lines:
        if line.method not in SAFE:
            continue
        for copy in range(row.copies):
            asked.add((edge_of(row.spread, namesake(line.client, copy), turn, edges), line.target))
            turn += 1
    sizes = {target: things[target].size if target in things else 0 for _, target in asked}
    return Least(len(asked), sum(sizes[target] for _, target in asked), len(sizes), sum(sizes.values()))


def least_beside(least: Least, row: Row, alone: Run) -> Least:
    """The same for edges without room for all: they ask again for what they lost, and shields can save that, too."""
    if row.has_room:
        return least
    return replace(least, alone=alone.counted.requests, alone_bytes=alone.counted.nbytes)


def _saved(alone: int, shielded: int) -> float:
    return 1 - shielded / alone if alone else 0.0


async def measured(recorded: Recorded, row: Row, *, edges: int, shields: int, concurrency: int) -> Run:
    """One replay from empty caches. NotUp, EdgeError."""
    origin = SizedOrigin(things_of(recorded.lines), row.cache_control)
    with tempfile.TemporaryDirectory(prefix="perigee-replay-") as folder:
        async with (
            origin.serving("127.0.0.1", 0) as port,
            network(
                Path(folder), origin=port, edges=edges, shields=shields, room=Room.of(row.memory, row.disk)
            ) as nodes,
        ):
            plan = Plan(
                nodes.urls,
                "replayed.example",
                row.spread,
                concurrency=concurrency,
                speed=row.speed,
                copies=row.copies,
            )
            tally = await play(recorded.lines, plan)
    if tally.failures:
        raise EdgeError(f"{row.name}: requests failed, so nothing was measured: {dict(tally.failures)}")
    return Run(origin.counted, tally, *_names(nodes))


def _names(nodes: Network) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(node.name for node in nodes.edges), tuple(node.name for node in nodes.shields)


HEAD = (
    "| replay | origin, edges alone | origin, with shields | saved | at most | hit ratio of edges | of shields | of both |\n"
    "|---|---|---|---|---|---|---|---|"
)


def table_line(row: Row, alone: Run, shielded: Run, least: Least) -> str:
    """One row of the table."""
    saved = _saved(alone.counted.requests, shielded.counted.requests)
    saved_bytes = _saved(alone.counted.nbytes, shielded.counted.nbytes)
    late = max(alone.tally.late, shielded.tally.late)
    least = least_beside(least, row, alone)
    most = "" if row.speed is not None else f"{least.requests:.1%}, {least.nbytes:.1%} of bytes"
    cells = (
        row.what if row.speed is None else f"{row.what} (the latest request {late:.1f} s late)",
        _origin(alone.counted),
        _origin(shielded.counted),
        f"**{saved:.1%}**, {saved_bytes:.1%} of bytes",
        most,
        _ratio(shielded.tally.hit_ratio(shielded.edges)),
        _ratio(shielded.tally.hit_ratio(shielded.shields)),
        _ratio(1 - shielded.counted.requests / shielded.tally.requests),
    )
    return f"| {' | '.join(cells)} |"


def _origin(counted: Counted) -> str:
    return f"{counted.requests:,} requests, {counted.nbytes / 1e6:,.0f} MB"


def _ratio(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def between_markers(page: str, block: str) -> str:
    """The page with `block` between its markers. ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


async def _all(recorded: Recorded, rows: Sequence[Row], concurrency: int) -> list[str]:
    lines = [HEAD]
    for row in rows:
        alone, shielded = [
            await measured(recorded, row, edges=EDGES, shields=shields, concurrency=concurrency)
            for shields in (0, SHIELDS)
        ]
        lines.append(table_line(row, alone, shielded, least_of(recorded, row)))
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def edged(row: Row, memory: str | None, disk: str | None) -> Row:
    """The row with other edges. None: as the row has it."""
    if memory is None and disk is None:
        return row
    row = replace(row, memory=memory or row.memory, disk=disk or row.disk)
    what = f"{row.what.partition(';')[0]}; edges have memory {row.memory or 'enough'}, disk {row.disk or 'enough'}"
    return replace(row, what=what)


def _size(text: str) -> str:
    if parse_size(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write one as 16MiB")
    return text


def _size_or_off(text: str) -> str:
    return text if text == "off" else _size(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rows and print the table."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="replay_tiers", description="What a shield spares an origin.")
    parser.add_argument("log", type=Path, help="an access log, common or combined; .gz is unpacked")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {', '.join(names)}")
    parser.add_argument("--limit", type=int, default=2_000_000, help="lines of the log that are read")
    parser.add_argument("--concurrency", type=int, default=16, help="requests at a time")
    parser.add_argument(
        "--edge-memory", type=_size, metavar="SIZE", help="memory.capacity of an edge, as in 16MiB"
    )
    parser.add_argument(
        "--edge-disk", type=_size_or_off, metavar="SIZE", help='disk.capacity of an edge, or "off"'
    )
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.rows if name not in names]:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(names)}", file=sys.stderr)
        return 1
    rows = [
        edged(row, asked.edge_memory, asked.edge_disk)
        for row in ROWS
        if not asked.rows or row.name in asked.rows
    ]
    try:
        recorded = read(asked.log, asked.limit)
        table = "\n".join(asyncio.run(_all(recorded, rows, asked.concurrency)))
    except (EdgeError, NotUp) as error:
        print(f"replay_tiers: {error}", file=sys.stderr)
        return 1
    head = (
        f"{datetime.now(UTC):%Y-%m-%d}, {EDGES} edges, {SHIELDS} shields, {asked.concurrency} requests at a time; "
        f"{len(recorded.lines):,} requests of {len({line.client for line in recorded.lines}):,} clients for "
        f"{len({line.target for line in recorded.lines}):,} targets."
    )
    text = f"{head}\n\n{table}"
    print(text)
    if asked.write:
        PAGE.write_text(between_markers(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
