"""A network on one machine to replay a log through: edges, and where they are wanted shields, real `perigee run` processes.

Owns: `TierNode`, `Network`, `Room`. Rules: all have one purge log, and a worker each; nobody has anything stored at the start;
shields have room for all; only what was started here is ended (tools.soaking.processes).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from edge.settings.units import SIZE_UNITS, parse_size
from tools.ports import free_ports
from tools.soaking.processes import LOOK_SECONDS, START_SECONDS, LogCluster, Member, NotUp

SECRET = "replayed-on-loopback-only"

_NODE = """\
sites = []
[node]
name = "{name}"
listen = ["127.0.0.1:{port}"]
admin = "127.0.0.1:{admin}"
data_dir = "{folder}/data"
workers = 1
[log]
access = "off"
level = "warning"
[memory]
capacity = "{memory}"
max_object = "{max_object}"
[disk]
capacity = "{disk}"
[limits]
connections_per_client = 20000
[tier]
secrets = ["{secret}"]
{tier}
{log}
{sites}
"""

_SITE = """\
[[site]]
name = "replayed"
hostnames = ["*"]
origins = ["http://127.0.0.1:{origin}"]
"""


@dataclass(frozen=True, slots=True)
class Room:
    """What a node has for what it stores: memory.capacity and disk.capacity, as settings have them."""

    memory: str = "256MiB"
    disk: str = "4GiB"

    @classmethod
    def of(cls, memory: str | None, disk: str | None) -> Room:
        """None = room for all."""
        return cls(memory or cls().memory, disk or cls().disk)

    @property
    def max_object(self) -> str:
        """memory.max_object: the default, or all there is where that is less."""
        usual = 4 * SIZE_UNITS["MiB"]
        return f"{min(usual, parse_size(self.memory) or usual)}B"


_PLENTY = Room()


class TierNode(Member):
    """One node.

    tier: the rest of its [tier] table; log: its [nats] table; sites: its sites, None = one for every host.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        origin: int,
        tier: str = "",
        log: str = "",
        sites: str | None = None,
        room: Room = _PLENTY,
    ) -> None:
        folder.mkdir(parents=True)
        super().__init__(name, folder / "output.txt")
        self.port, self.admin_port = free_ports(2)
        self.file = folder / "node.toml"
        said = _NODE.format(
            name=name,
            port=self.port,
            admin=self.admin_port,
            folder=folder,
            secret=SECRET,
            memory=room.memory,
            max_object=room.max_object,
            disk=room.disk,
            tier=tier,
            log=log,
            sites=_SITE.format(origin=origin) if sites is None else sites,
        )
        self.file.write_text(said, encoding="utf-8")

    def command(self) -> list[str]:
        """`perigee run`."""
        return [sys.executable, "-m", "tools.perigee", "run", "--config", str(self.file)]

    @property
    def url(self) -> str:
        """Where clients are served."""
        return f"http://127.0.0.1:{self.port}"

    async def wait_ready(self) -> None:
        """NotUp with what it wrote."""
        for _ in range(int(START_SECONDS / LOOK_SECONDS)):
            if not self.is_running:
                break
            if await self._is_ready():
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise NotUp(f"{self.name} is not ready:\n{self.last_words()}")

    async def _is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self.admin_port}/readyz"
        try:
            async with ClientSession(timeout=ClientTimeout(total=2.0)) as session, session.get(url) as answer:
                return answer.status == 200
        except (ClientError, TimeoutError):
            return False


@dataclass(frozen=True, slots=True)
class Network:
    """Which are the edges and which the shields."""

    edges: tuple[TierNode, ...]
    shields: tuple[TierNode, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients are served."""
        return tuple(edge.url for edge in self.edges)


@asynccontextmanager
async def network(
    folder: Path, *, origin: int, edges: int, shields: int, room: Room = _PLENTY
) -> AsyncIterator[Network]:
    """It serves while the context lasts. room: of each edge. NotUp."""
    async with LogCluster(folder / "log", size=1) as cluster:
        listens = [f"127.0.0.1:{port}" for port in free_ports(shields)]
        above = [
            TierNode(
                f"shield-{at + 1}",
                folder / f"shield-{at + 1}",
                origin=origin,
                tier=f'listen = "{listen}"',
                log=cluster.settings,
            )
            for at, listen in enumerate(listens)
        ]
        asked = ", ".join(f'"{listen}"' for listen in listens)
        below = [
            TierNode(
                f"edge-{at + 1}",
                folder / f"edge-{at + 1}",
                origin=origin,
                tier=f"shields = [{asked}]",
                log=cluster.settings,
                room=room,
            )
            for at in range(edges)
        ]
        try:
            for tier in (above, below):  # an edge that does not find its shields goes back to them slowly
                for node in tier:
                    node.launch()
                for node in tier:
                    await node.wait_ready()
            yield Network(tuple(below), tuple(above))
        finally:
            for node in (*above, *below):
                await node.kill()
