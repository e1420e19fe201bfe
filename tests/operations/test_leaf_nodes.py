"""Two regions: a node beside the log's server, and one behind a leaf node, as docs/operations/nats.md shows them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.kit.nats import TOKEN, NatsServer
from tests.kit.origin import ScriptedOrigin
from tests.kit.purging import Pages, answer_of, purge, purgeable, versions
from tests.kit.waiting import until
from tests.kit.world import World
from tools.ports import free_ports

NODE = """
[node]
name = "{region}-1"
region = "{region}"
[nats]
url = "{url}"
token = "{token}"
replicas = 1
domain = "cdn"
monitor = "{monitor}"
"""


@pytest.mark.slow
async def test_a_purge_at_either_end_of_a_leaf_node_is_in_force_at_both(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    listens = f'leafnodes {{ listen: "127.0.0.1:{port}", authorization {{ user: leaf, password: leaf }} }}'
    remote = f'leafnodes {{ reconnect: "1s", remotes: [ {{ url: "nats://leaf:leaf@127.0.0.1:{port}" }} ] }}'
    async with AsyncExitStack() as stack:
        hub = NatsServer(tmp_path / "hub", "hub", jetstream=", domain: cdn", more=listens)
        leaf = NatsServer(tmp_path / "leaf", "leaf", jetstream=", domain: sgp", more=remote)
        await stack.enter_async_context(hub)
        await stack.enter_async_context(leaf)
        pages = Pages(await stack.enter_async_context(ScriptedOrigin()))
        worlds = {
            region: purgeable(
                tmp_path / region,
                pages.origin.url,
                workers=1,
                node=NODE.format(region=region, url=server.url, token=TOKEN, monitor=hub.monitor),
            )
            for region, server in (("eu", hub), ("sgp", leaf))
        }
        await asyncio.gather(*(stack.enter_async_context(world) for world in worlds.values()))
        for world in worlds.values():
            await _both_are_live(world)
            known = pages.version
            for each in worlds.values():
                assert await versions(each, "/a", times=2) == {known}
            pages.version += 1
            receipt = answer_of(await purge(world, {"urls": ["http://shop.example/a"]}))["receipt"]
            assert receipt["done"]
            assert [node["node"] for node in receipt["applied"]] == ["eu-1", "sgp-1"]
            for each in worlds.values():
                assert await versions(each, "/a", times=2) == {pages.version}


async def _both_are_live(world: World) -> None:
    async def are() -> bool:
        said = answer_of(await world.admin("/v1/nodes"))
        return said["surveyed"] and [node["node"] for node in said["nodes"] if node["live"]] == [
            "eu-1",
            "sgp-1",
        ]

    await until(are)
