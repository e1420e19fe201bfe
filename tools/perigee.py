"""The `perigee` command: one thin typer app.

Owns: the names, options and help of the subcommands, and the exit codes: 0 done, 1 it failed or found something wrong,
2 it was asked wrongly (usage, settings). The work of each subcommand is in a module of its own, imported when it is
called, so that `--help` is quick. Rule: results go to standard output (`--json` where a program may want them), what is
about the run goes to standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigFault, EdgeError
from tools.geo_app import geo
from tools.pops_app import drain, pops, undrain
from tools.replay_app import replay, replay_origin
from tools.roll_app import roll
from tools.warm_app import warm

FAILED = 1
MISUSED = 2

app = typer.Typer(
    name="perigee",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Perigee: a CDN that you run.",
)
app.add_typer(geo, name="geo")
for command in (drain, undrain, pops, replay, replay_origin, roll, warm):
    app.command()(command)

Origin = Annotated[str | None, typer.Option(help="Origin to put the edge in front of, as http://host:port.")]
Listen = Annotated[
    str | None, typer.Option(help="Where clients come in, HOST:PORT (default: 127.0.0.1:8080).")
]
Admin = Annotated[str | None, typer.Option(help="Metrics and health, HOST:PORT (default: 127.0.0.1:8081).")]
DataDir = Annotated[str | None, typer.Option(help="What is kept on disk (default: var/perigee).")]
Workers = Annotated[str | None, typer.Option(help="Worker processes (default: one per core).")]
Config = Annotated[Path | None, typer.Option(help="Node file (TOML).", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
LogLevel = Annotated[
    str | None,
    typer.Option(help="debug, info, warning or error (default: log.level of the file, else info)."),
]
LogFormat = Annotated[
    str | None,
    typer.Option(help="How the application's log looks: text or json (default: log.form, else text)."),
]


@app.command()
def run(
    *,
    origin: Origin = None,
    listen: Listen = None,
    admin: Admin = None,
    data_dir: DataDir = None,
    workers: Workers = None,
    config: Config = None,
    node: Annotated[str | None, typer.Option(help="This node's name.")] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Run an edge: in front of one origin (--origin), or as a file says (--config)."""
    from edge.settings.node import Overrides
    from tools.run import run as work

    if origin is None and config is None:
        raise typer.BadParameter("say --origin http://host:port, or --config FILE", param_hint="run")
    said = Overrides(name=node, listen=listen, admin=admin, data_dir=data_dir, workers=workers, origin=origin)
    raise typer.Exit(work(config, said, log_level=log_level, log_format=log_format))


@app.command()
def dns(
    *,
    config: Annotated[Path, typer.Option(help="Network file (TOML).", metavar="FILE")],
    listen: Annotated[
        str | None, typer.Option(help="Where queries come in, HOST:PORT (default: dns.listen of the file).")
    ] = None,
    admin: Admin = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Copies of databases (default: var/perigee-dns).")
    ] = None,
    workers: Workers = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Run the authoritative DNS server of a network."""
    from tools.dns import run as work

    raise typer.Exit(
        work(
            config,
            listen=listen,
            admin=admin,
            data_dir=data_dir,
            workers=workers,
            log_level=log_level,
            log_format=log_format,
        )
    )


@app.command()
def demo(
    *,
    origin: Annotated[
        str | None, typer.Option(help="Your own origin; without it a small bundled one is started.")
    ] = None,
    listen: Annotated[str, typer.Option(help="Where clients come in, HOST:PORT.")] = "127.0.0.1:8080",
    admin: Annotated[str, typer.Option(help="Metrics and health, HOST:PORT.")] = "127.0.0.1:8081",
    data_dir: Annotated[str, typer.Option(help="What is kept on disk.")] = "var/perigee",
    workers: Workers = None,
) -> None:
    """Run an edge in front of an origin, and say what to try."""
    from tools.demo import Demo
    from tools.demo import run as work

    raise typer.Exit(
        work(Demo(origin=origin, listen=listen, admin=admin, data_dir=Path(data_dir), workers=workers))
    )


@app.command()
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Node files (TOML), whose site files are checked with them; or site files.",
            metavar="FILE...",
        ),
    ],
    *,
    here: Annotated[
        bool, typer.Option("--here", help="Also what only this machine knows: folders, certificates.")
    ] = False,
    json: Json = False,
) -> None:
    """Say everything that is wrong with settings: file, line, setting, and what to write instead."""
    from tools.check import run as work

    raise typer.Exit(work(*files, here=here, to_json=json))


@app.command()
def explain(
    url: Annotated[str, typer.Argument(help="What to ask for; through an edge, or at an origin.")],
    *,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="Request header, 'Name: value'.")
    ] = None,
    method: Annotated[str, typer.Option("--method", "-X", help="Request method.")] = "GET",
    config: Annotated[
        Path | None, typer.Option(help="Node file whose sites' rules apply; without it the defaults.")
    ] = None,
    json: Json = False,
) -> None:
    """Say why a response is cached or not: the verdict, the arithmetic of its lifetime, its key, what would change it."""
    from tools.explain import run as work

    raise typer.Exit(work(url, header or [], method=method, config=config, to_json=json))


@app.command()
def sign(
    *,
    key: Annotated[
        Path,
        typer.Option(help="File of the private key, as `perigee keys new` wrote it.", metavar="FILE.pem"),
    ],
    url: Annotated[str, typer.Option(help="Where the request goes, exactly as it will be sent.")],
    method: Annotated[str, typer.Option("--method", "-X", help="Request method.")] = "POST",
    data: Annotated[
        str | None, typer.Option(help="File with the body, - for standard input.", metavar="FILE")
    ] = None,
    content_type: Annotated[str, typer.Option(help="Of the body.")] = "application/json",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="Request header, 'Name: value'; printed too.")
    ] = None,
    keyid: Annotated[
        str | None, typer.Option("--id", help="The key's id (default: FILE without .pem).")
    ] = None,
    expires: Annotated[int | None, typer.Option(help="Seconds for which it holds.", min=1)] = None,
    json: Json = False,
) -> None:
    """Sign a request (RFC 9421): print its headers as arguments of curl.

    eval curl "$(perigee sign --key deploy.pem --url URL --data FILE)" --data-binary @FILE URL
    """
    from tools.sign import Asked
    from tools.sign import run as work

    asked = Asked(url, key, method, data, content_type, tuple(header or ()), keyid, expires)
    raise typer.Exit(work(asked, to_json=json))


Api = Annotated[
    str, typer.Option(help="A node's admin address, or its purge.listen; any node will do.", metavar="URL")
]
SignedBy = Annotated[
    Path | None,
    typer.Option(
        "--key", help="File of the private key, as `perigee keys new` wrote it.", metavar="FILE.pem"
    ),
]
KeyId = Annotated[str | None, typer.Option("--id", help="The key's id (default: FILE without .pem).")]
DEFAULT_API = "http://127.0.0.1:8081"


Urls = Annotated[
    list[str] | None, typer.Option("--url", help="A URL, with all its variants; may be repeated.")
]
Prefixes = Annotated[
    list[str] | None, typer.Option("--prefix", help="HOST/PATH: what is below it; may be repeated.")
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag of the site (--site); may be repeated.")]
Hosts = Annotated[list[str] | None, typer.Option("--host", help="All of a host; may be repeated.")]
Site = Annotated[str | None, typer.Option(help="The site whose tags are meant; without --tag all of it.")]
Everything = Annotated[bool, typer.Option("--all", help="Everything, of all sites.")]
Soft = Annotated[bool, typer.Option("--soft", help="Make it stale instead of gone.")]
Wait = Annotated[
    str | None, typer.Option(help="global or region: until every live node there has applied it.")
]
Timeout = Annotated[float, typer.Option(help="Seconds that --wait may take.", min=0)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what it would name, order nothing.")]
Note = Annotated[str, typer.Option(help="For whoever looks back, such as a ticket.")]


@app.command()
def purge(
    *,
    url: Urls = None,
    prefix: Prefixes = None,
    tag: Tags = None,
    host: Hosts = None,
    site: Site = None,
    everything: Everything = False,
    soft: Soft = False,
    wait: Wait = None,
    timeout: Timeout = 30.0,
    dry_run: DryRun = False,
    note: Note = "",
    key: SignedBy = None,
    keyid: KeyId = None,
    api: Api = DEFAULT_API,
    json: Json = False,
) -> None:
    """Purge what is cached, on every node; with --wait, watch it arrive."""
    from tools.purge import Asked
    from tools.purge import run as work

    asked = Asked(
        api=api,
        key=key,
        keyid=keyid,
        urls=url or (),
        tags=tag or (),
        site=site,
        prefixes=prefix or (),
        hosts=host or (),
        everything=everything,
        soft=soft,
        note=note,
        wait=wait,
        seconds=timeout,
        dry_run=dry_run,
    )
    raise typer.Exit(work(asked, to_json=json))


@app.command()
def purges(
    *,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=500)] = 20,
    key: SignedBy = None,
    keyid: KeyId = None,
    api: Api = DEFAULT_API,
    json: Json = False,
) -> None:
    """Say who purged what, and when."""
    from tools.purges import purges as work

    raise typer.Exit(work(api, limit, key=key, keyid=keyid, to_json=json))


@app.command()
def nodes(*, key: SignedBy = None, keyid: KeyId = None, api: Api = DEFAULT_API, json: Json = False) -> None:
    """Say which nodes there are, and how far each has read the purge log."""
    from tools.purges import nodes as work

    raise typer.Exit(work(api, key=key, keyid=keyid, to_json=json))


keys = typer.Typer(
    no_args_is_help=True,
    help="The keys of those who may purge. To change a key without a gap: make a second one with the same scope (new), give "
    "it to whoever signs, and revoke the first when it is not used any more. Both are taken meanwhile.",
)
app.add_typer(keys, name="keys")

Keys = Annotated[Path, typer.Option("--dir", help="The nodes' folder of keys.", metavar="DIR")]


@keys.command("new")
def keys_new(
    name: Annotated[str, typer.Argument(help="The key's id, and its files' name.")],
    *,
    folder: Keys,
    private: Annotated[
        Path | None,
        typer.Option(help="Where the private key is written (default: NAME.pem here).", metavar="FILE"),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(help="A site that it may purge; may be repeated (default: every site)."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="url, variant, tag, prefix, host or site: what it may purge by; may be repeated (default: all)."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="It may also empty the whole cache at once.")
    ] = False,
    algorithm: Annotated[str, typer.Option(help="ed25519, or hmac-sha256: a shared secret.")] = "ed25519",
) -> None:
    """Make a key: DIR/NAME.toml for the nodes, and NAME.pem for whoever signs."""
    from tools.keys import NewKey
    from tools.keys import new as work

    written_to = Path(f"{name}.pem") if private is None else private
    raise typer.Exit(work(NewKey(name, folder, written_to, algorithm, site or [], kind or [], everything)))


@keys.command("list")
def keys_list(*, folder: Keys, json: Json = False) -> None:
    """Show the keys, and what is wrong with their files."""
    from tools.keys import show as work

    raise typer.Exit(work(folder, to_json=json))


@keys.command("revoke")
def keys_revoke(name: Annotated[str, typer.Argument(help="The key's id.")], *, folder: Keys) -> None:
    """Refuse a key from now on. Its file stays, so that its use is noticed."""
    from tools.keys import revoke as work

    raise typer.Exit(work(name, folder))


def main() -> None:
    """Run the command line; our own errors are said in their words, not as tracebacks."""
    try:
        app()
    except ConfigFault as fault:
        print(fault.detail, file=sys.stderr)
        raise SystemExit(MISUSED) from None
    except EdgeError as error:
        print(f"perigee: {error.detail}", file=sys.stderr)
        raise SystemExit(FAILED) from None


if __name__ == "__main__":
    main()
