"""`perigee roll`: the workers of a node that runs here are replaced, and it is shown how that goes.

Owns: where the node is, and how what it says looks. Exit codes: 0 every worker was replaced; 1 not all were, or (as EdgeError)
no node answers; 2 (as SettingsFault) the node file has errors, which the node would refuse, too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from edge.errors import EdgeError
from edge.server.rolling import Said
from edge.server.rolling_door import roll_of
from edge.settings.load import load_node
from edge.settings.node import NodeSettings


def run(config: Path | None, data_dir: str | None, *, to_json: bool) -> int:
    """Roll it and print what happens. EdgeError, SettingsFault."""
    if data_dir is not None:
        folder = Path(data_dir)
    else:
        folder = (NodeSettings() if config is None else load_node(config)).data_dir
    return asyncio.run(_roll(folder, json.dumps if to_json else line_of))


async def _roll(folder: Path, shown: Callable[[Said], str]) -> int:
    event: object = None
    async for said in roll_of(folder):
        event = said["event"]
        print(shown(said), flush=True)
    if event not in ("done", "failed"):
        raise EdgeError("the node ended while it rolled")
    return 0 if event == "done" else 1


def line_of(said: Said) -> str:
    """For people."""
    match said["event"]:
        case "begun":
            count = _workers(said)
            return f"a roll of {count} is under way already" if said.get("joined") else f"replacing {count}"
        case "leaving":
            where = "" if said["steered"] else "; connections wait for its successor"
            return f"worker {said['worker']} (process {said['pid']}) finishes what it has{where}"
        case "serving":
            return f"worker {said['worker']} (process {said['pid']}) serves, after {said['seconds']:.1f} s"
        case "done":
            return f"{_workers(said)} replaced in {said['seconds']:.1f} s"
        case "failed":
            return f"failed: {said['why']}"
        case other:
            return str(other)  # of a newer node


def _workers(said: Said) -> str:
    return "1 worker" if said["workers"] == 1 else f"{said['workers']} workers"
