"""`python -m tools.trade_offs`: what some settings cost and bring, measured on real processes, for docs/trade-offs.md.

Owns: three measurements, and what they print.

    python -m tools.trade_offs log-loss           purge.on_log_loss: the purge log's server is killed
    python -m tools.trade_offs shields-gone       shield.fallback: the only shield is killed
    python -m tools.trade_offs cold LOG           how a node does at first: empty, warmed, and back with its disk

The first two ask for things of 8 KB, one after the other; a figure is what clients got and what reached the origin. The third
replays the first half of an access log through a node, and the second half through one that starts as the row says.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import EdgeError
from tools.ports import free_ports
from tools.purge_client import PurgeClient
from tools.purge_progress import aligned
from tools.replaying.access_lines import Line, Recorded, read
from tools.replaying.network import TierNode
from tools.replaying.origin import SizedOrigin, Thing, things_of
from tools.replaying.player import Plan, play
from tools.replaying.tally import Tally, percentile
from tools.soaking.processes import LogCluster, NotUp
from tools.warming.filling import Budget, fill
from tools.warming.wanted import from_hot, from_log

THINGS = 50
SIZE = 8_192
DAY = "max-age=86400"
FIRST = 500
"""Requests of the second half that are told apart: how it begins."""
LOST_AFTER_SECONDS = 5
SILENT_SECONDS = LOST_AFTER_SECONDS + 10.0

_SITE = """\
[[site]]
name = "{name}"
hostnames = ["{name}.example"]
origins = ["http://127.0.0.1:{origin}"]
{more}
"""

Table = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What clients got. origin: requests that reached it."""

    tally: Tally
    origin: int

    def row(self, name: str, when: str) -> tuple[str, ...]:
        """For the table."""
        rank = percentile(self.tally.first_bytes, 50)
        worst = percentile(self.tally.first_bytes, 99)
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.tally.statuses.items()))
        return name, when, statuses, str(self.origin), _millis(rank), _millis(worst)


HEAD: tuple[str, ...] = ("SETTING", "WHEN", "ANSWERS", "AT THE ORIGIN", "P50", "P99")


def _millis(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.1f} ms"


def lines_of(begin: int, count: int = THINGS) -> list[Line]:
    """Requests for so many things, each once."""
    return [Line("192.0.2.1", 0, "GET", f"/{at}", 200, SIZE) for at in range(begin, begin + count)]


async def ask(
    node: TierNode, host: str, lines: Sequence[Line], origin: SizedOrigin, *, at_once: int = 1
) -> Asked:
    """Send them. host: in Host."""
    before = origin.counted.requests
    tally = await play(lines, Plan((node.url,), host, concurrency=at_once))
    return Asked(tally, origin.counted.requests - before)


def sites_of(setting: str, values: Sequence[str], origin: int, more: str = "") -> str:
    """A site for each value of `table.name`, named after it."""
    table, _, name = setting.rpartition(".")
    return "".join(
        _SITE.format(name=value, origin=origin, more=f'[site.{table}]\n{name} = "{value}"\n{more}')
        for value in values
    )


@asynccontextmanager
async def started(*nodes: TierNode) -> AsyncIterator[None]:
    """They serve while the context lasts. NotUp."""
    try:
        for node in nodes:
            node.launch()
            await node.wait_ready()
        yield
    finally:
        for node in nodes:
            await node.kill()


async def log_loss(folder: Path) -> Table:
    """purge.on_log_loss, with the log there, away, and the origin away too."""
    values = ("revalidate", "serve", "refuse")
    origin = SizedOrigin({f"/{at}": Thing(200, SIZE) for at in range(THINGS)}, DAY)
    table: Table = [HEAD]
    lines = lines_of(0)
    async with LogCluster(folder / "log", size=1) as log, origin.serving("127.0.0.1", 0) as port:
        more = f'log_loss_after = "{LOST_AFTER_SECONDS}s"'
        sites = sites_of("purge.on_log_loss", values, port, more)
        node = TierNode("edge-1", folder / "edge", origin=port, log=log.settings, sites=sites)
        async with started(node):
            for value in values:
                await ask(node, f"{value}.example", lines, origin)
                table.append((await ask(node, f"{value}.example", lines, origin)).row(value, "as always"))
            await log.servers[0].kill()
            await asyncio.sleep(SILENT_SECONDS)
            for value in values:
                asked = await ask(node, f"{value}.example", lines, origin)
                table.append(asked.row(value, "log away"))
            origin.is_closed = True
            for value in values:
                asked = await ask(node, f"{value}.example", lines, origin)
                table.append(asked.row(value, "log and origin away"))
    return table


async def shields_gone(folder: Path) -> Table:
    """shield.fallback: what is not stored at the edge, with the shield there, in the moment it is gone, and after."""
    values = ("origin", "shields", "stale")
    origin = SizedOrigin({f"/{at}": Thing(200, SIZE) for at in range(3 * THINGS)}, DAY)
    table: Table = [HEAD]
    async with LogCluster(folder / "log", size=1) as log, origin.serving("127.0.0.1", 0) as port:
        sites = sites_of("shield.fallback", values, port)
        (listen,) = free_ports(1)
        own = f'listen = "127.0.0.1:{listen}"'
        shield = TierNode("shield-1", folder / "shield", origin=port, tier=own, log=log.settings, sites=sites)
        above = f'shields = ["127.0.0.1:{listen}"]'
        edge = TierNode("edge-1", folder / "edge", origin=port, tier=above, log=log.settings, sites=sites)
        async with started(shield, edge):
            for value in values:
                asked = await ask(edge, f"{value}.example", lines_of(0), origin)
                table.append(asked.row(value, "as always"))
            await shield.kill()
            for begin, when in ((THINGS, "at first"), (2 * THINGS, "then")):
                for value in values:
                    asked = await ask(edge, f"{value}.example", lines_of(begin), origin)
                    table.append(asked.row(value, f"shield gone, {when}"))
    return table


# --- cold start ------------------------------------------------------------------------------------------------------


def halves(recorded: Recorded) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """The log in two."""
    middle = len(recorded.lines) // 2
    return recorded.lines[:middle], recorded.lines[middle:]


async def _begins(node: TierNode, lines: Sequence[Line], origin: SizedOrigin, name: str) -> tuple[str, ...]:
    """How a node does with the second half."""
    host = "replayed.example"
    first = await ask(node, host, lines[:FIRST], origin, at_once=8)
    rest = await ask(node, host, lines[FIRST:], origin, at_once=8)
    asked = first.tally.requests + rest.tally.requests
    saved = first.tally.requests - first.origin, asked - first.origin - rest.origin
    return (
        name,
        f"{saved[0] / first.tally.requests:.1%}",
        f"{saved[1] / asked:.1%}",
        str(first.origin + rest.origin),
    )


async def cold(folder: Path, recorded: Recorded) -> Table:
    """A node that goes on, one that is back with its disk, an empty one, and two that were warmed."""
    first, second = halves(recorded)
    origin = SizedOrigin(things_of(recorded.lines), DAY)
    head = ("THE NODE", f"HITS OF THE FIRST {FIRST}", "OF ALL", "AT THE ORIGIN")
    table: Table = [head]
    async with LogCluster(folder / "log", size=1) as log, origin.serving("127.0.0.1", 0) as port:

        def node(name: str) -> TierNode:
            return TierNode(name, folder / name, origin=port, log=log.settings)

        old = node("old")
        async with started(old):
            await ask(old, "replayed.example", first, origin, at_once=8)
            async with PurgeClient(f"http://127.0.0.1:{old.admin_port}") as client:
                hot = from_hot(await client.get("/hot?limit=5000"))
            await old.kill()
            old.launch()
            await old.wait_ready()
            table.append(await _begins(old, second, origin, "killed and back, with its disk"))
        everything = from_log(first, "replayed.example")
        wishes = ((), hot.wanted, everything.wanted)
        for wanted, name in zip(wishes, ("empty", "hot set of a peer", "access log"), strict=True):
            fresh = node(name.replace(" ", "-"))
            async with started(fresh):
                before = origin.counted.requests
                filled = await fill(fresh.url, wanted, Budget(rate=500))
                cost = origin.counted.requests - before
                how = f"{name}: {cost} fetched before, {filled.nbytes / 1e6:.0f} MB" if wanted else name
                table.append(await _begins(fresh, second, origin, how))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    works: dict[str, Callable[[Path], Coroutine[Any, Any, Table]]] = {
        "log-loss": log_loss,
        "shields-gone": shields_gone,
    }
    parser = argparse.ArgumentParser(prog="trade_offs", description="What settings cost and bring.")
    parser.add_argument("what", choices=[*works, "cold"])
    parser.add_argument("log", type=Path, nargs="?", help="cold: an access log")
    parser.add_argument("--limit", type=int, default=2_000_000, help="lines of the log that are read")
    asked = parser.parse_args(arguments)
    if (asked.what == "cold") is (asked.log is None):
        print("trade_offs: an access log goes with cold, and with nothing else", file=sys.stderr)
        return 2
    try:
        if asked.log is not None:
            recorded = read(asked.log, asked.limit)
            works["cold"] = lambda folder: cold(folder, recorded)
        with tempfile.TemporaryDirectory(prefix="perigee-trade-offs-") as folder:
            table = asyncio.run(works[asked.what](Path(folder)))
    except (EdgeError, NotUp) as error:
        print(f"trade_offs: {error}", file=sys.stderr)
        return 1
    for line in aligned(table):
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
