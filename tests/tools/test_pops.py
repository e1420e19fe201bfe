"""`perigee pops`, `drain` and `undrain` before a vantage point with real nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.errors import EdgeError
from edge.server.pops_api import pops_routes
from tests.kit.checked import CheckedNodes
from tests.kit.watchers import Watcher, network, watching
from tools.pops import drain, pops


@asynccontextmanager
async def serving(folder: Path, nodes: CheckedNodes) -> AsyncIterator[tuple[Watcher, str]]:
    async with watching(network(nodes), folder) as one:
        app = web.Application()
        app.add_routes(pops_routes(one.watching))
        async with TestServer(app) as server:
            await one.sees("fra", lambda pop: pop["health"] == "up")
            yield one, str(server.make_url(""))


async def test_a_pop_is_drained_shown_and_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    async with CheckedNodes("fra-1", "iad-1") as nodes, serving(tmp_path, nodes) as (one, api):
        assert await asyncio.to_thread(lambda: drain("fra", api, drained=True, to_json=False)) == 0
        await one.sees("fra", lambda pop: pop["share"] == 0)
        assert await asyncio.to_thread(lambda: pops(api, to_json=False)) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "fra gets no new clients any more, at once"
        assert lines[1].split() == ["POP", "REGION", "HEALTH", "SHARE", "LOAD", "STATE", "SEEN", "BY"]
        assert lines[2].split()[:6] == ["fra", "all", "up", "0%", "-", "drained"]
        assert lines[2].endswith("by dns-1  dns-1: up")
        assert lines[3].split() == ["iad", "all", "up", "100%", "-", "-", "dns-1:", "up"]
        assert await asyncio.to_thread(lambda: drain("fra", api, drained=False, to_json=True)) == 0
        assert json.loads(capsys.readouterr().out) == {"pop": "fra", "drained": False, "seconds": 0.0}
        await one.sees("fra", lambda pop: pop["share"] == 1)


async def test_a_pop_that_is_down_is_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    async with CheckedNodes("fra-1", "iad-1") as nodes, serving(tmp_path, nodes) as (one, api):
        await nodes["iad-1"].stop()
        await one.sees("iad", lambda pop: pop["health"] == "down")
        assert await asyncio.to_thread(lambda: pops(api, to_json=True)) == 1
        (_, iad) = json.loads(capsys.readouterr().out)["pops"]
        assert (iad["health"], iad["nodes_out"]) == ("down", ["iad-1"])
        assert await asyncio.to_thread(lambda: pops(api, to_json=False)) == 1
        assert "without iad-1" in capsys.readouterr().out


async def test_a_pop_that_is_not_there_is_told(tmp_path: Path):
    async with CheckedNodes("fra-1") as nodes, serving(tmp_path, nodes) as (_, api):
        with pytest.raises(EdgeError, match="there is no POP 'l/r'; known: fra"):
            await asyncio.to_thread(lambda: drain("l/r", api, drained=True, to_json=False))
