"""Network: edges and shields of several regions as real processes that share one purge log and one origin.

    async with Network(tmp_path, origin.url, {"eu": (2, 2), "us": (2, 1)}) as network:
        answer = await network.edges["eu"][0].get("/a", {"Host": "regional.test"})

Each region is one POP. Two sites: `regional.test`, where each region's misses meet at its shields, and `world.test`, which has
the shields of the first region between those and the origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.purge.signing.key_files import written
from edge.purge.signing.keys import Key, Scope
from edge.purge.signing.private_keys import material_of
from tests.kit.nats import TOKEN, NatsServer
from tests.kit.signed import SIGNING
from tests.kit.valve import Valve
from tests.kit.waiting import PATIENCE, until
from tests.kit.world import World
from tools.ports import free_ports
from tools.purge_client import PurgeClient

REGIONAL, WORLD = "regional.test", "world.test"
AT_ONCE = 2
"""Nodes that are started at the same time: each takes a second of a processor, and patience is bounded."""

_NODE = """
sites = []
[node]
name = "{name}"
network = "{network}"
[log]
access = "off"
[disk]
capacity = "off"
[memory]
capacity = "16MiB"
[tier]
{listen}
secrets = ["a secret of the nodes of a test"]
check = "250ms"
rest = "250ms"
slow_return = "0s"
connect = "1s"
[purge]
keys = "{keys}"
[nats]
url = "{nats}"
token = "{token}"
replicas = 1
durability = "trusted"
"""
_SITE = """
[[site]]
name = "{name}"
hostnames = ["{host}"]
origins = ["{origin}"]
{more}
"""


class Network:
    """See the module. shape: by region, how many edges and how many shields. site: further TOML of both sites."""

    def __init__(
        self, directory: Path, origin: str, shape: Mapping[str, tuple[int, int]], *, site: str = ""
    ) -> None:
        self.edges: dict[str, list[World]] = {region: [] for region in shape}
        self.shields: dict[str, list[World]] = {region: [] for region in shape}
        self.names: dict[World, str] = {}
        self._directory = directory
        self._origin = origin
        self._shape = shape
        self._site = site
        self._stack = AsyncExitStack()
        self.valve: Valve
        """Between the purge log and all shields."""

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _begin(self) -> None:
        nats = await self._stack.enter_async_context(NatsServer(self._directory / "nats"))
        self.valve = await self._stack.enter_async_context(Valve(nats.port))
        keys = self._directory / "keys"
        keys.mkdir()
        held = Key(SIGNING.id, SIGNING.algorithm, material_of(SIGNING), Scope(may_purge_everything=True))
        (keys / "deploy.toml").write_text(written(held), encoding="utf-8")
        places = [
            (region, f"{region}-{kind}{at}")
            for region, counts in self._shape.items()
            for kind, count in zip(("edge", "shield"), counts, strict=True)
            for at in range(1, count + 1)
        ]
        ports = dict(zip((name for _, name in places), free_ports(len(places)), strict=True))
        file = self._directory / "network.toml"
        for region, name in places:
            is_shield = "shield" in name
            listen = f'listen = "127.0.0.1:{ports[name]}"' if is_shield else ""
            url = f"nats://127.0.0.1:{self.valve.listening}" if is_shield else nats.url
            config = _NODE.format(name=name, network=file, listen=listen, keys=keys, nats=url, token=TOKEN)
            for site, host in (("regional", REGIONAL), ("world", WORLD)):
                config += _SITE.format(name=site, host=host, origin=self._origin, more=self._site)
            world = World(self._directory / name, origin=None, config=config)
            (self.shields if is_shield else self.edges)[region].append(world)
            self.names[world] = name
        file.write_text(self._network(places, ports), encoding="utf-8")
        await self._start()
        await self.all_there()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def all_edges(self) -> list[World]:
        """Of all regions."""
        return [edge for edges in self.edges.values() for edge in edges]

    @property
    def all_shields(self) -> list[World]:
        """Of all regions."""
        return [shield for shields in self.shields.values() for shield in shields]

    def named(self, name: str) -> World:
        """The node of that name, as in Via."""
        return next(world for world, own in self.names.items() if own == name)

    async def start_again(self, name: str) -> None:
        """A node that was killed, until all others ask it again."""
        await self.named(name).start()
        await self.all_there()

    async def all_there(self) -> None:
        """Wait until nobody passes over any shield: who started before it may have missed it."""

        async def are_there() -> bool:
            return not any([await world.metric("perigee_shield_out") for world in self.names])

        await until(are_there, within=2 * PATIENCE)

    async def purge(self, *urls: str, at: World, wait: str = "?wait=global&timeout=8s") -> dict[str, Any]:
        """Ordered by a signed request to one node's API; what it says."""
        async with PurgeClient(f"http://127.0.0.1:{at.admin_port}", SIGNING) as client:
            return await client.post(f"/v1/purges{wait}", {"urls": list(urls)})

    async def purged_here(self, url: str, *, at: World) -> None:
        """Ordered at one node, until that one has applied it, whatever others have."""
        async with PurgeClient(f"http://127.0.0.1:{at.admin_port}", SIGNING) as client:
            said = await client.post("/v1/purges", {"urls": [url]})

            async def is_applied() -> bool:
                receipt = (await client.get(said["status_url"]))["receipt"]
                return self.names[at] in [node["node"] for node in receipt["applied"]]

            await until(is_applied)

    async def _start(self) -> None:
        worlds = list(self.names)
        for at in range(0, len(worlds), AT_ONCE):
            some = worlds[at : at + AT_ONCE]
            await asyncio.gather(*(self._stack.enter_async_context(world) for world in some))

    def _network(self, places: Sequence[tuple[str, str]], ports: Mapping[str, int]) -> str:
        lines = []
        for at, region in enumerate(self._shape):
            lines.append(f'[[region]]\nname = "{region}"\n')
            lines.append(
                f'[[pop]]\nname = "{region}-pop"\nregion = "{region}"\n'
                f'latitude = 50\nlongitude = {at}\naddresses = ["192.0.2.{at + 1}"]\n'
            )
        for region, name in places:
            role = "shield" if "shield" in name else "edge"
            lines.append(
                f'[[node]]\nname = "{name}"\npop = "{region}-pop"\nrole = "{role}"\n'
                f'http = "127.0.0.1:{ports[name]}"\n'
            )
        first = next(iter(self._shape))
        lines.append('[[route]]\nsite = "regional"\nhosts = ["regional.test"]\n')
        lines.append(f'[[route]]\nsite = "world"\nhosts = ["world.test"]\nsecond_tier = "{first}"\n')
        return "\n".join(lines)
