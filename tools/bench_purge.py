"""`make bench-purge`: how quick purges are on this machine.

Owns: the command line and the table. What is measured stands in tools/purge_bench/rows.py. Everything is on loopback, in a
folder of its own on disk (the log fsyncs each purge, which is part of what is measured), and gone at the end.

    make bench-purge                             all rows, in about three minutes
    make bench-purge ARGS="hits catch-up"        some rows
    make bench-purge ARGS="--write"              and put them into docs/performance.md
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge.server.machine import new_loop
from tools.benching.processes import BenchFault, Cores
from tools.purge_bench.log import flushes_a_second
from tools.purge_bench.rows import ROWS, Said, Size
from tools.soaking.processes import NotUp

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- bench-purge: begin -->", "<!-- bench-purge: end -->"
SECONDS = 8.0
MISSED = 100_000


def main() -> None:
    """Run what was asked for."""
    options = _options().parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        raise SystemExit(f"bench: no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    size = Size(options.seconds, options.missed, Cores.of_this_machine())
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            said = runner.run(measured(options.rows or list(ROWS), size))
    except (BenchFault, NotUp) as fault:
        raise SystemExit(f"bench: {fault}") from None
    block = table(said, _circumstances(size))
    print(f"\n{block}")
    if options.write:
        PAGE.write_text(between_markers(PAGE.read_text(encoding="utf-8"), block), encoding="utf-8")
        print(f"\nwritten into {PAGE.name}", file=sys.stderr)


async def measured(names: Sequence[str], size: Size) -> list[Said]:
    """The lines of these rows; each is shown as soon as it is known."""
    found: list[Said] = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="perigee-bench-", ignore_cleanup_errors=True) as folder:
            for said in await ROWS[name](Path(folder), size):
                found.append(said)
                print(f"{said.what}: {said.figure}", file=sys.stderr, flush=True)
    return found


def table(said: Sequence[Said], circumstances: str) -> str:
    """The whole block."""
    lines = [circumstances, "", "| what | figure |", "|---|---|"]
    return "\n".join([*lines, *(f"| {one.what} | {one.figure} |" for one in said)])


def between_markers(page: str, block: str) -> str:
    """The page with `block` between its markers. ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def _circumstances(size: Size) -> str:
    commit = subprocess.run(
        ["git", "describe", "--always"], capture_output=True, text=True, check=False
    ).stdout.strip()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="perigee-bench-") as folder:
        flushes = flushes_a_second(Path(folder))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Perigee {commit or '(no commit)'} on Python "
        f"{sys.version.split()[0]}, everything on one machine, whose disk flushes {flushes:,.0f} small appends a second, one "
        f"after the other; {size.seconds:g} s each; load average afterwards {load:.1f}."
    )


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m tools.bench_purge", description=(__doc__ or "").partition("\n")[0]
    )
    options.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {' '.join(ROWS)}")
    options.add_argument("--seconds", type=float, default=SECONDS, help="of one run")
    options.add_argument("--missed", type=int, default=MISSED, help="purges to catch up with")
    options.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return options


if __name__ == "__main__":
    main()
