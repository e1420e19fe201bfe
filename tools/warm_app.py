"""`perigee warm`: its options and help. The work is in tools.warm, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def warm(
    *,
    to: Annotated[str, typer.Option(help="The node's address for clients, http://HOST:PORT.", metavar="URL")],
    url_list: Annotated[
        Path | None, typer.Option(help="URLs or (with --host) paths, one a line.", metavar="FILE")
    ] = None,
    sitemap: Annotated[
        str | None, typer.Option(help="A sitemap, or an index of sitemaps.", metavar="URL")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="An access log: what was asked for most comes first.", metavar="FILE"),
    ] = None,
    peer: Annotated[
        str | None,
        typer.Option("--from", help="Admin address of a warm node: its hot set.", metavar="URL"),
    ] = None,
    limit: Annotated[int, typer.Option(help="URLs of a peer's hot set.", min=1, max=5_000)] = 1_000,
    host: Annotated[str, typer.Option(help="Host of paths in a list or a log.")] = "",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="Sent with each, 'Name: value'; Accept-Encoding is worth it."),
    ] = None,
    rate: Annotated[str, typer.Option(help="Requests a second (100/s) or minute (30/m).")] = "100/s",
    nbytes: Annotated[
        str | None, typer.Option("--bytes", help="No request is begun after so many bytes, as in 1GiB.")
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1, max=1_000)] = 8,
    state: Annotated[
        Path | None,
        typer.Option(help="How far it got is kept there, and the next run goes on.", metavar="FILE"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Fill a node before clients come: by a list, a sitemap, a log, or what another node is asked for."""
    from tools.warm import Warm, budget_of
    from tools.warm import run as work

    if sum(source is not None for source in (url_list, sitemap, log, peer)) != 1:
        raise typer.BadParameter("say one of --url-list, --sitemap, --log, --from", param_hint="warm")
    asked = Warm(to, url_list, sitemap, log, peer, limit, host, tuple(header or ()), state)
    raise typer.Exit(work(asked, budget_of(rate, nbytes, concurrency), to_json=json))
