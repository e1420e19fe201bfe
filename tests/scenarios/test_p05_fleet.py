"""Two nodes with two workers each, as real processes that share one purge log: who has applied what, and who is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.purge.signing.key_files import written
from edge.purge.signing.keys import Key, Scope
from edge.purge.signing.private_keys import material_of, pem, write_private
from tests.kit.nats import TOKEN, NatsServer
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.signed import SIGNING
from tests.kit.waiting import until
from tests.kit.world import World
from tools.purge import Asked, run

pytestmark = pytest.mark.slow

NODE = """
sites = []
[node]
name = "{name}"
region = "{region}"
[log]
access = "off"
[purge]
keys = "{keys}"
[nats]
url = "{nats}"
token = "{token}"
replicas = 1
durability = "trusted"
[[site]]
name = "shop"
hostnames = ["*"]
origins = ["{origin}"]
"""


@dataclass
class Two:
    """Node a in region eu, node b in region us."""

    a: World
    b: World
    origin: ScriptedOrigin
    key: Path

    async def purge(self, capsys: pytest.CaptureFixture[str], **asked: Any) -> tuple[int, dict[str, Any]]:
        """Everything, ordered at node a by the command line; its exit code, and what it says."""
        said = Asked(f"http://127.0.0.1:{self.a.admin_port}", self.key, everything=True, **asked)
        code = await asyncio.to_thread(run, said, to_json=True)
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, told

    async def nodes(self, of: World) -> dict[str, dict[str, Any]]:
        """What a node knows of both."""
        said = json.loads((await of.admin("/v1/nodes")).body)
        return {node["node"]: node for node in said["nodes"]}


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    keys = tmp_path / "keys"
    keys.mkdir()
    held = Key(SIGNING.id, SIGNING.algorithm, material_of(SIGNING), Scope(may_purge_everything=True))
    write_private(keys / "deploy.toml", written(held))
    write_private(tmp_path / "deploy.pem", pem(SIGNING))
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(NatsServer(tmp_path / "nats"))
        answer = Canned(200, {"Cache-Control": "max-age=600"}, b"hello")
        origin = await stack.enter_async_context(ScriptedOrigin({"/a": answer}))
        worlds = [
            World(
                tmp_path / name,
                origin=None,
                workers=2,
                config=NODE.format(
                    name=name, region=region, keys=keys, nats=nats.url, token=TOKEN, origin=origin.url
                ),
            )
            for name, region in (("a", "eu"), ("b", "us"))
        ]
        await asyncio.gather(*(stack.enter_async_context(world) for world in worlds))
        yield Two(worlds[0], worlds[1], origin, tmp_path / "deploy.pem")


async def test_both_acknowledge_and_one_that_was_away_catches_up_before_it_is_ready(
    two: Two, capsys: pytest.CaptureFixture[str]
):
    for world in (two.a, two.b):
        assert (await world.get("/a")).status == 200
        assert (await world.get("/a")).status == 200
    assert len(two.origin.requests) == 2

    code, said = await two.purge(capsys, wait="global")
    assert code == 0
    assert [node["node"] for node in said["receipt"]["applied"]] == ["a", "b"]
    assert [one["region"] for one in said["receipt"]["regions"]] == ["eu", "us"]
    for world in (two.a, two.b):
        assert (await world.get("/a")).status == 200
    assert len(two.origin.requests) == 4

    await two.b.kill9()
    code, said = await two.purge(capsys, wait="region")
    assert code == 0, "region eu has no other node"
    code, said = await two.purge(capsys, wait="global")
    assert code == 0
    assert [node["node"] for node in said["receipt"]["away"]] == ["b"]
    assert not (await two.nodes(two.a))["b"]["live"]

    await two.b.start()
    assert (await two.nodes(two.b))["b"]["applied"] >= said["seq"]
    assert (await two.b.get("/a")).status == 200
    assert len(two.origin.requests) == 5

    async def is_back() -> bool:
        return bool((await two.nodes(two.a))["b"]["ready"])

    await until(is_back)
    code, said = await two.purge(capsys, dry_run=True)
    assert [node["node"] for node in said["nodes"]] == ["a", "b"]
    assert said["total"] == {"objects": 1, "bytes": 5, "hot_objects": 0, "complete": True}
