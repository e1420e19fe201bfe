"""`perigee roll`: its options and help. The work is in tools.roll, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def roll(
    *,
    config: Annotated[
        Path | None, typer.Option(help="The node file of the edge that runs.", metavar="FILE")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Its data folder (default: as the node file says, else var/perigee).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Say what happens as JSON, a line each.")] = False,
) -> None:
    """Replace the workers of an edge on this machine, one after the other, while it serves."""
    from tools.roll import run as work

    raise typer.Exit(work(config, data_dir, to_json=json))
