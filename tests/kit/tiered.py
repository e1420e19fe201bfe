"""Tiered: edges and shields on the test's own event loop, each a whole worker, over real sockets.

    async with tiered(tmp_path, origin.url, edges=2, shields=2) as (edges, shields):
        answer = await edges[0].get("/a")

All know all shields by a list; a shield goes to the origin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from origin_shield.outward import Shielded
from tests.kit.edge import Edge
from tools.ports import free_ports

SECRET = "a secret of the nodes of a test"
HASTY = 'check = "50ms"\nrest = "50ms"\nslow_return = "0s"\nconnect = "500ms"\n'
"""For [tier]: what hangs or dies is known at once, and what returns is back at once."""


def node_file(
    origin: str, *, listen: int | None = None, shields: tuple[int, ...] = (), tier: str = "", site: str = ""
) -> str:
    """The text of a node file. listen, shields: ports. tier, site: further lines of [tier], and of [[site]]."""
    listening = "" if listen is None else f'listen = "127.0.0.1:{listen}"\n'
    listed = ", ".join(f'"127.0.0.1:{port}"' for port in shields)
    secrets = "" if "secrets" in tier else f'secrets = ["{SECRET}"]\n'
    return (
        '[purge]\nlog = "off"\n'
        f"[tier]\n{listening}shields = [{listed}]\n{secrets}{tier}\n"
        f'[[site]]\nname = "site"\nhostnames = ["*"]\norigins = ["{origin}"]\n{site}'
    )


@asynccontextmanager
async def tiered(
    directory: Path, origin: str, *, edges: int = 1, shields: int = 1, tier: str = HASTY, site: str = ""
) -> AsyncIterator[tuple[list[Edge], list[Edge]]]:
    """Both tiers, started; stopped in the end. A shield that a test stops it must start again."""
    ports = tuple(free_ports(shields))
    async with AsyncExitStack() as stack:
        below = [
            Edge(
                directory / f"shield-{at}",
                config=node_file(origin, listen=port, tier=tier, site=site),
                name=f"shield-{at}",
                outward=Shielded,
            )
            for at, port in enumerate(ports)
        ]
        above = [
            Edge(
                directory / f"edge-{at}",
                config=node_file(origin, shields=ports, tier=tier, site=site),
                name=f"edge-{at}",
                outward=Shielded,
            )
            for at in range(edges)
        ]
        for each in (*below, *above):
            await stack.enter_async_context(each)
        yield above, below
