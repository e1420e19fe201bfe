"""A cold node stays out of the way until it is filled; one that is back with its disk is warm at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.waiting import until
from tests.kit.world import READY_WITHIN, World
from tests.scenarios.conftest import site_file
from tools.warming.filling import Budget, fill
from tools.warming.wanted import Wanted

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

NODE = '[node]\nready_when = "warm"\nwarm_objects = 3\n'


async def readyz(world: World) -> tuple[int, dict[str, Any]]:
    answer = await world.admin("/readyz")
    return answer.status, json.loads(answer.body)


async def says_it_is_ready(world: World) -> bool:
    """To other nodes and DNS servers."""
    (node,) = json.loads((await world.admin("/v1/nodes")).body)["nodes"]
    ready: bool = node["ready"]
    return ready


async def is_cold_and_serving(world: World) -> bool:
    try:
        status, said = await readyz(world)
    except OSError:
        return False
    return status == 503 and said["warmth"]["objects"] == 0


async def test_a_node_is_ready_once_it_is_filled_and_at_once_when_it_comes_back(
    origin: ScriptedOrigin, tmp_path: Path
):
    origin.on("/k01", Canned(200, {"Cache-Control": "max-age=600"}, b"hello"))
    world = World(tmp_path, origin=None, config=site_file(origin.url, node=NODE))
    async with asyncio.TaskGroup() as group:
        group.create_task(world.start())  # ends when it is ready
        await until(lambda: is_cold_and_serving(world), within=READY_WITHIN)
        assert await says_it_is_ready(world) is False
        wanted = [Wanted("k01.example", f"/k01?{number}") for number in range(3)]
        filled = await fill(f"http://127.0.0.1:{world.port}", wanted, Budget(rate=1_000))
    assert filled.stored == 3
    assert (await readyz(world))[1]["warmth"]["warm"]
    await until(lambda: says_it_is_ready(world))
    await world.sigterm()
    await world.start()
    try:
        status, said = await readyz(world)
        assert (status, said["warmth"]["objects"]) == (200, 3)
        answer = await world.get("/k01?1", [("Host", "k01.example")])
        assert b";hit;" in (answer.header("Cache-Status") or b"")
    finally:
        await world.kill9()


async def test_the_hot_set_of_all_workers_is_told_at_the_admin_address(pair: World, origin: ScriptedOrigin):
    origin.on("/k02", Canned(200, {"Cache-Control": "max-age=600"}, b"hello"))
    async with await pair.client() as client:
        for _ in range(3):
            await client.request("GET", "/k02", [("Host", "k02.example")])
    said = json.loads((await pair.admin("/hot?limit=5000")).body)
    assert said["complete"]
    assert "http://k02.example/k02" in [each["url"] for each in said["urls"]]
