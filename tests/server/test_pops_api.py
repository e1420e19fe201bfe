"""The POPs over HTTP: what is told, and drains; no page in a browser can order one."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from edge.server.pops_api import pops_routes
from tests.kit.checked import CheckedNodes
from tests.kit.watchers import network, watching


async def test_pops_are_shown_drained_and_undrained(tmp_path: Path):
    async with CheckedNodes("fra-1", "iad-1") as nodes, watching(network(nodes), tmp_path) as one:
        app = web.Application()
        app.add_routes(pops_routes(one.watching))
        async with TestClient(TestServer(app)) as client:
            await one.sees("fra", lambda pop: pop["health"] == "up")
            shown = await (await client.get("/pops")).json()
            assert [each["pop"] for each in shown["pops"]] == ["fra", "iad"]
            answer = await client.post("/pops/fra/drain", json={})
            assert await answer.json() == {"pop": "fra", "drained": True, "seconds": 0.0}
            await one.sees("fra", lambda pop: pop["share"] == 0.0)
            assert (await client.post("/pops/fra/undrain", json={})).status == 200
            await one.sees("fra", lambda pop: pop["share"] == 1.0)


async def test_a_pop_that_is_not_there_and_a_form_of_a_browser_are_refused(tmp_path: Path):
    async with CheckedNodes("fra-1") as nodes, watching(network(nodes), tmp_path) as one:
        app = web.Application()
        app.add_routes(pops_routes(one.watching))
        async with TestClient(TestServer(app)) as client:
            answer = await client.post("/pops/lhr/drain", json={})
            assert answer.status == 404
            assert (await answer.json())["instead"] == "known: fra"
            assert (await client.post("/pops/fra/drain", data={"a": "b"})).status == 415
            assert one.pop("fra")["drain"] is None
