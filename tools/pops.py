"""`perigee pops`, `perigee drain` and `perigee undrain`: what a DNS server knows of POPs, and orders to it.

Owns: the table. Exit codes: 0; 1 where a POP of the table is down, or (as EdgeError) there is no such POP or no answer.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tools.purge_client import PurgeClient
from tools.purge_progress import aligned


def drain(pop: str, api: str, *, drained: bool, to_json: bool) -> int:
    """Order it. Raises EdgeError."""

    async def order() -> dict[str, Any]:
        async with PurgeClient(api) as client:
            return await client.post(f"/pops/{quote(pop, safe='')}/{'drain' if drained else 'undrain'}", {})

    said = asyncio.run(order())
    if to_json:
        print(json.dumps(said))
        return 0
    ramp = f"over {said['seconds']:g} s" if said["seconds"] else "at once"
    print(f"{said['pop']} gets {'no new clients any more' if drained else 'its clients back'}, {ramp}")
    return 0


def pops(api: str, *, to_json: bool) -> int:
    """Print the POPs. Raises EdgeError."""

    async def ask() -> dict[str, Any]:
        async with PurgeClient(api) as client:
            return await client.get("/pops")

    said = asyncio.run(ask())
    if to_json:
        print(json.dumps(said))
    else:
        for line in aligned(
            [("POP", "REGION", "HEALTH", "SHARE", "LOAD", "STATE", "SEEN BY"), *map(_row, said["pops"])]
        ):
            print(line)
        if said["bus"] == "away":
            print("the bus is away: what was known last holds, and this server's own checks")
    return 1 if any(one["health"] == "down" for one in said["pops"]) else 0


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["pop"],
        one["region"],
        one["health"],
        f"{one['share']:.0%}",
        "-" if one["load"] is None else f"{one['load']:.2f}",
        _state(one),
        ", ".join(f"{name}: {said['health']}" for name, said in sorted(one["opinions"].items())) or "nobody",
    )


def _state(one: dict[str, Any]) -> str:
    """Why it has less than its share; "-" = it has all of it."""
    order = one["drain"]
    words = []
    if one["drained"] and order is not None and order["drained"]:
        at = datetime.fromtimestamp(order["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words.append(f"drained at {at} by {order['by']}")
    elif one["drained"]:
        words.append("drained by the network file" if one["state"] == "drain" else "its drain ends")
    if one["ready"] < 1:
        words.append(f"ready for {one['ready']:.0%}")
    if one["passes_on"]:
        words.append(f"passes {one['passes_on']:.0%} on")
    if one["nodes_out"]:
        words.append(f"without {', '.join(one['nodes_out'])}")
    return "; ".join(words) or "-"
