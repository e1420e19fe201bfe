"""`perigee pops`, `drain` and `undrain`: their options and help. The work is in tools.pops, imported when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

Pop = Annotated[str, typer.Argument(help="The POP, as in the network file.")]
Api = Annotated[
    str,
    typer.Option(
        help="A DNS server's admin address; any of them will do, the others hear of it.", metavar="URL"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
DEFAULT_API = "http://127.0.0.1:8082"


def drain(pop: Pop, *, api: Api = DEFAULT_API, json: Json = False) -> None:
    """Lead no new clients to a POP, over health.drain_ramp, until `perigee undrain`."""
    from tools.pops import drain as work

    raise typer.Exit(work(pop, api, drained=True, to_json=json))


def undrain(pop: Pop, *, api: Api = DEFAULT_API, json: Json = False) -> None:
    """Lead clients to a POP again, over health.drain_ramp."""
    from tools.pops import drain as work

    raise typer.Exit(work(pop, api, drained=False, to_json=json))


def pops(*, api: Api = DEFAULT_API, json: Json = False) -> None:
    """Say which POPs are up, what share of their clients they get, and who says so."""
    from tools.pops import pops as work

    raise typer.Exit(work(api, to_json=json))
