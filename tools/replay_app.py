"""`perigee replay` and `perigee replay-origin`: options and help. The work is in tools.replay, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_ORIGIN = "127.0.0.1:3000"
DEFAULT_CACHE_CONTROL = "max-age=86400"

Log = Annotated[
    Path, typer.Argument(help="An access log in the common or combined form; .gz is unpacked.", metavar="LOG")
]
CacheControl = Annotated[str, typer.Option(help="What that origin says about caching; empty: nothing.")]
Limit = Annotated[int, typer.Option(help="Lines of the log that are read.", min=1, max=2_000_000)]


def replay(
    log: Log,
    *,
    against: Annotated[
        list[str],
        typer.Option(
            help="An edge, as http://HOST:PORT; may be repeated: clients are spread.", metavar="URL"
        ),
    ],
    spread: Annotated[
        str, typer.Option(help="address: a client stays with one edge; turns: requests go round.")
    ] = "address",
    speed: Annotated[
        float | None,
        typer.Option(help="So many times as fast as the log (default: as fast as may be).", min=0.001),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1, max=10_000)] = 16,
    copies: Annotated[
        int, typer.Option(help="So many clients for each of the log's, for a busier site.", min=1, max=1000)
    ] = 1,
    host: Annotated[
        str | None, typer.Option(help="What the edges are asked for in Host (default: their own address).")
    ] = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Send methods other than GET and HEAD too, without bodies.")
    ] = False,
    origin_size_from_log: Annotated[
        bool,
        typer.Option(
            "--origin-size-from-log",
            help="Serve meanwhile, at --origin-listen, what the log asks for in the sizes it has, and count.",
        ),
    ] = False,
    origin_listen: Annotated[str, typer.Option(help="HOST:PORT of that origin.")] = DEFAULT_ORIGIN,
    cache_control: CacheControl = DEFAULT_CACHE_CONTROL,
    limit: Limit = 2_000_000,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Send the requests of an access log again, and say what each tier made of them."""
    from tools.replay import Replay, place_of, plan_of
    from tools.replay import run as work
    from tools.replaying.player import Plan

    plan = Plan((), host, concurrency=concurrency, speed=speed, copies=copies, unsafe=unsafe)
    origin = place_of(origin_listen) if origin_size_from_log else None
    asked = Replay(log, plan_of(against, spread, plan), limit, origin, cache_control)
    raise typer.Exit(work(asked, to_json=json))


def replay_origin(
    log: Log,
    *,
    listen: Annotated[str, typer.Option(help="Where it listens, HOST:PORT.")] = DEFAULT_ORIGIN,
    cache_control: CacheControl = DEFAULT_CACHE_CONTROL,
    limit: Limit = 2_000_000,
) -> None:
    """Be an origin that has what an access log asks for, in the sizes it has, and count."""
    from tools.replay import run_origin as work

    raise typer.Exit(work(log, listen, cache_control, limit))
