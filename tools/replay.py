"""`perigee replay` and `perigee replay-origin`: an access log sent again, and an origin that has what it asks for.

Owns: what the options mean, the print-outs. Exit codes: 0; 1 where no request was answered, or (as EdgeError) there is no
log. What is counted and how stands in tools.replaying.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from yarl import URL

from edge.errors import ConfigFault, EdgeError
from tools.replaying.access_lines import MAX_LINES, Recorded, read
from tools.replaying.origin import Counted, SizedOrigin, things_of
from tools.replaying.player import Plan, play
from tools.replaying.spread import Spread
from tools.replaying.tally import Tally, as_json, as_text

SHOWN_EVERY = 500
"""Requests from one line of progress to the next."""
MAX_EDGES = 256


@dataclass(frozen=True, slots=True)
class Replay:
    """What was asked for. origin: (host, port) of an origin that is served meanwhile, None = none."""

    log: Path
    plan: Plan
    limit: int = MAX_LINES
    origin: tuple[str, int] | None = None
    cache_control: str = "max-age=86400"


def plan_of(against: list[str], spread: str, plan: Plan) -> Plan:
    """The plan with edges, as written: http://HOST[:PORT] each. ConfigFault."""
    edges = tuple(address_of(edge, "--against") for edge in against)
    if not 1 <= len(edges) <= MAX_EDGES:
        raise ConfigFault(f"--against: 1 to {MAX_EDGES} edges")
    try:
        spread_by = Spread(spread)
    except ValueError:
        words = ", ".join(each.value for each in Spread)
        raise ConfigFault(f"--spread: {spread!r} is no way to spread clients; allowed: {words}") from None
    return replace(plan, edges=edges, spread=spread_by)


def address_of(text: str, option: str) -> str:
    """http://HOST:PORT without a path, as written for `option`. ConfigFault."""
    try:
        url = URL(text)
        is_good = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        url, is_good = URL(), False
    if not is_good or url.path != "/" or url.query_string or url.fragment:
        raise ConfigFault(f"{option}: {text!r} is no address of an edge; write http://HOST[:PORT]")
    return str(url.origin())


def place_of(text: str) -> tuple[str, int]:
    """HOST:PORT. ConfigFault."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ConfigFault(f"{text!r} is no place to listen at; write HOST:PORT")
    return host.strip("[]"), int(port)


def checked(cache_control: str) -> str:
    """A Cache-Control that may stand in a response. ConfigFault."""
    if not (cache_control.isascii() and cache_control.isprintable()):
        raise ConfigFault(f"--cache-control: {cache_control!r} is no field value")
    return cache_control


def run(asked: Replay, *, to_json: bool) -> int:
    """Replay it and print what came of it. Raises EdgeError."""
    recorded = read(asked.log, asked.limit)
    tally, counted = asyncio.run(_replayed(asked, recorded, quiet=to_json))
    if to_json:
        said: dict[str, Any] = {"log": _log_said(recorded), **as_json(tally)}
        if counted is not None:
            said["origin"] = counted.as_json()
        print(json.dumps(said))
    else:
        for line in (*_log_lines(recorded), *as_text(tally), *_origin_lines(counted)):
            print(line)
    return 0 if tally.statuses else 1


async def _replayed(asked: Replay, recorded: Recorded, *, quiet: bool) -> tuple[Tally, Counted | None]:
    async with _served(asked, recorded) as counted:
        tally = await play(recorded.lines, asked.plan, progress(recorded, asked.plan, quiet=quiet))
        return tally, counted


@asynccontextmanager
async def _served(asked: Replay, recorded: Recorded) -> AsyncIterator[Counted | None]:
    if asked.origin is None:
        yield None
        return
    origin = SizedOrigin(things_of(recorded.lines), checked(asked.cache_control))
    host, port = asked.origin
    try:
        async with origin.serving(host, port):
            yield origin.counted
    except OSError as error:
        raise EdgeError(f"the origin cannot listen at {host}:{port}: {error}") from None


def progress(recorded: Recorded, plan: Plan, *, quiet: bool = False) -> Callable[[Tally], None]:
    """A line on standard error, where somebody watches."""
    console = Console(stderr=True, quiet=quiet)
    total = len(recorded.lines) * plan.copies

    def show(tally: Tally) -> None:
        done = tally.statuses.total() + tally.failures.total()
        if console.is_terminal and done % SHOWN_EVERY == 0:
            console.print(f"{done} of {total} requests, {tally.nbytes / 1e6:.0f} MB", end="\r")

    return show


def _log_said(recorded: Recorded) -> dict[str, Any]:
    bad = {wrong.value: count for wrong, count in recorded.bad.items()}
    return {
        "lines": len(recorded.lines),
        "bad": bad,
        "is_cut": recorded.is_cut,
        "seconds": recorded.seconds,
        "clients": len({line.client for line in recorded.lines}),
        "targets": len({line.target for line in recorded.lines}),
    }


def _log_lines(recorded: Recorded) -> list[str]:
    said = _log_said(recorded)
    asked = f"{said['lines']} requests of {said['clients']} clients for {said['targets']} targets"
    lines = [f"{asked} over {recorded.seconds / 3600:.1f} h"]
    lines += [f"{count} lines left out: {wrong}" for wrong, count in said["bad"].items()]
    if recorded.is_cut:
        lines.append("the log has more lines than --limit")
    return lines


def _origin_lines(counted: Counted | None) -> list[str]:
    if counted is None:
        return []
    asked = f"origin: {counted.requests} requests ({counted.not_modified} answered 304)"
    return [f"{asked}, {counted.nbytes} body bytes, {len(counted.targets)} targets"]


def run_origin(log: Path, listen: str, cache_control: str, limit: int = MAX_LINES) -> int:
    """Serve what the log asks for until SIGINT or SIGTERM; then say what was counted. Raises EdgeError."""
    host, port = place_of(listen)
    recorded = read(log, limit)
    origin = SizedOrigin(things_of(recorded.lines), checked(cache_control))

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with origin.serving(host, port) as bound:
            print(f"listening on {host}:{bound}", file=sys.stderr, flush=True)
            await stopped.wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        raise EdgeError(f"the origin cannot listen at {listen}: {error}") from None
    for line in _origin_lines(origin.counted):
        print(line)
    return 0
