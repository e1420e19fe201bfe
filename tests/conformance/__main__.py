"""`python -m tests.conformance [--against URL] [--id TEST] [--workers N]`: the suite by hand, with a table by suite.

Without --against it starts an edge of its own. With it, the cache at URL must have http://127.0.0.1:PORT as its
origin (--origin-port, 8000 unless set), where the suite's server is started.
"""

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.conformance.record import recorded
from tests.conformance.score import Kind, Scored, departures, summary, table
from tests.conformance.suite import run_suite, suite_origin
from tests.kit.world import World
from tools.ports import free_ports


async def main() -> int:
    """Run, print, and return the exit code: 1 when the run departs from the record."""
    arguments = _arguments()
    async with AsyncExitStack() as stack:
        base: str = arguments.against
        port: int = arguments.origin_port if base else free_ports(1)[0]
        origin = await stack.enter_async_context(suite_origin(port))
        if not base:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            world = World(Path(directory), origin=origin, workers=arguments.workers)
            base = (await stack.enter_async_context(world)).url
        scored = await run_suite(base, only=arguments.id)
    if not scored:
        return 0
    return _show(scored, every=arguments.failures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--against", default="", metavar="URL", help="a cache that runs already")
    parser.add_argument("--origin-port", type=int, default=8000, help="where that cache finds its origin")
    parser.add_argument("--workers", type=int, default=1, help="of the edge we start")
    parser.add_argument("--id", default="", help="one test only, with all heads exchanged")
    parser.add_argument("--failures", action="store_true", help="name every test that does not pass")
    return parser.parse_args()


def _show(scored: list[Scored], *, every: bool) -> int:
    console = Console(soft_wrap=True, highlight=False)
    grid = Table("suite", *(kind.value for kind in Kind))
    for suite, counts in table(scored):
        grid.add_row(suite, *("{}/{}".format(*counts[kind]) if kind in counts else "" for kind in Kind))
    console.print(grid)
    found = departures(scored, recorded())
    shown = (
        [s for s in scored if not s.passed and s.test.kind is not Kind.CHECK] if every else list(found.lost)
    )
    for s in shown:
        console.print(f"{s.verdict.value:9}{s.test.kind.value:9} {s.test.id}: {s.message}", markup=False)
    if found.gained:
        console.print(f"newly passing, not recorded yet: {' '.join(found.gained)}")
    console.print(summary(scored))
    return 1 if found.lost or found.gained else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
