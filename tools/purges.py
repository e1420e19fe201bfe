"""`perigee purges` and `perigee nodes`: what was purged of late, and which nodes there are.

Owns: the two tables. Exit codes: 0; 1 where a node of the list is not live, not ready, or shares its name with another.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.purge.signing.private_keys import read_private
from tools.purge_client import PurgeClient
from tools.purge_progress import aligned

MAX_NAMED = 3
"""Things of one purge that stand on its line."""


def purges(api: str, limit: int, *, key: Path | None, keyid: str | None, to_json: bool) -> int:
    """Print the newest purges. Raises EdgeError."""
    said = _told(api, f"/v1/purges?limit={limit}", key, keyid)
    if to_json:
        print(json.dumps(said))
        return 0
    for line in aligned([("AT", "SEQ", "BY", "WHAT", "ID", "NOTE"), *map(_purge, said["purges"])]):
        print(line)
    return 0


def nodes(api: str, *, key: Path | None, keyid: str | None, to_json: bool) -> int:
    """Print the nodes. Raises EdgeError."""
    said = _told(api, "/v1/nodes", key, keyid)
    if to_json:
        print(json.dumps(said))
    else:
        head = ("NODE", "REGION", "ROLE", "STATE", "APPLIED", "BEHIND", "PROOF", "WORKERS", "LOAD", "VERSION")
        for line in aligned([head, *map(_node, said["nodes"])]):
            print(line)
        if not said["surveyed"]:
            print("this node has not listened for long enough to know all others")
    return 0 if all(one["ready"] and not one["contested"] for one in said["nodes"]) else 1


def _told(api: str, target: str, key: Path | None, keyid: str | None) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with PurgeClient(api, None if key is None else read_private(key, keyid)) as client:
            return await client.get(target)

    return asyncio.run(ask())


def _purge(one: dict[str, Any]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(one["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = [" ".join(str(value) for value in item.values()) for item in one["items"][:MAX_NAMED]]
    more = one["accepted"] - len(named)
    what = ", ".join([*named, *([f"{more} more"] if more else [])])
    return at, str(one["seq"]), one["by"], f"soft: {what}" if one["soft"] else what, one["id"], one["note"]


def _node(one: dict[str, Any]) -> tuple[str, ...]:
    proof = "-" if one["proof_age"] is None else f"{one['proof_age']:.1f} s"
    return (
        one["node"],
        one["region"],
        one["role"],
        _state(one),
        str(one["applied"]),
        str(one["behind"]),
        proof,
        str(one["workers"]),
        f"{one['load']:.2f}",
        one["version"],
    )


def _state(one: dict[str, Any]) -> str:
    if one["contested"]:
        return "two nodes have this name"
    if not one["live"]:
        return f"away for {one['silent']:.0f} s"
    return "ready" if one["ready"] else "not ready"
