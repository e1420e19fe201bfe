"""`perigee warm`: what it refuses, where it goes on, and a cold node that is filled from a warm one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.errors import ConfigFault, EdgeError
from edge.server.hot_set import worker_route
from tests.kit.edge import Edge
from tests.kit.origin import Canned, ScriptedOrigin
from tools.warm import Warm, budget_of, run
from tools.warming.filling import Budget

QUICK = Budget(rate=10_000)
NOBODY = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("rate", "nbytes", "budget"),
    [
        ("100/s", None, Budget(100.0)),
        ("30/m", "1GiB", Budget(0.5, 1 << 30)),
        ("7.5", "10 MB", Budget(7.5, 10_000_000)),
    ],
)
def test_budgets(rate: str, nbytes: str | None, budget: Budget):
    assert budget_of(rate, nbytes, 8) == budget


@pytest.mark.parametrize(
    ("rate", "nbytes"), [("0", None), ("x/s", None), ("1/h", None), ("1", "5"), ("1", "0B")]
)
def test_what_is_no_budget_is_refused(rate: str, nbytes: str | None):
    with pytest.raises(ConfigFault):
        budget_of(rate, nbytes, 8)


def test_nothing_to_warm_with_is_said(tmp_path: Path):
    (tmp_path / "urls").write_text("nothing\n")
    with pytest.raises(EdgeError, match=r"nothing to warm with \(1 left out\)"):
        run(Warm(NOBODY, url_list=tmp_path / "urls"), QUICK, to_json=True)


@pytest.mark.parametrize(
    "asked",
    [
        Warm("x"),
        Warm(NOBODY, peer="x"),
        Warm(NOBODY, peer=NOBODY, header=("x",)),
        Warm(NOBODY, sitemap="sitemap.xml"),
    ],
)
def test_what_is_no_address_or_field_is_refused(asked: Warm):
    with pytest.raises(ConfigFault):
        run(asked, QUICK, to_json=True)


@asynccontextmanager
async def admin_of(edge: Edge) -> AsyncIterator[str]:
    worker = edge.worker
    app = web.Application()
    app.add_routes(
        [worker_route(lambda: worker.node.sites, lambda: worker.store.contents, worker.clock.mono)]
    )
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


async def test_a_node_is_filled_with_what_another_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, {"Cache-Control": "max-age=60"}, b"abcd")
        async with (
            Edge(tmp_path / "a", origin=origin.url) as peer,
            Edge(tmp_path / "b", origin=origin.url) as cold,
            admin_of(peer) as admin,
        ):
            async with await peer.client() as client:
                for target in ("/hot", "/hot", "/once"):
                    await client.request("GET", target, [("Host", "a.example")])
            asked = Warm(f"http://127.0.0.1:{cold.port}", peer=admin)
            assert await asyncio.to_thread(run, asked, QUICK, to_json=False) == 0
            async with await cold.client() as client:
                answer = await client.request("GET", "/hot", [("Host", "a.example")])
    assert b";hit;" in (answer.header("Cache-Status") or b"")
    said = capsys.readouterr().out
    assert "1 of 1 URLs asked for" in said
    assert "1 stored now, 0 were there" in said


async def test_a_list_is_gone_on_with_until_it_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    urls, state = tmp_path / "urls", tmp_path / "state"
    urls.write_text("/1\n/2\n/3\n")
    async with ScriptedOrigin() as origin, Edge(tmp_path / "a", origin=origin.url) as edge:
        origin.default = Canned(200, {"Cache-Control": "max-age=60"}, b"abcd")
        asked = Warm(f"http://127.0.0.1:{edge.port}", url_list=urls, host="a.example", state=state)

        async def warmed(budget: Budget) -> dict[str, int]:
            await asyncio.to_thread(run, asked, budget, to_json=True)
            said: dict[str, int] = json.loads(capsys.readouterr().out)
            return said

        first = await warmed(replace(QUICK, nbytes=5, concurrency=1))
        assert (first["done"], first["begun_at"]) == (2, 0)
        second = await warmed(QUICK)
        assert (second["done"], second["begun_at"], second["stored"]) == (3, 2, 1)
        urls.write_text("/1\n")
        assert (await warmed(QUICK))["begun_at"] == 0


@pytest.mark.parametrize("content", ["x", "[]", '{"done": 1}', '{"digest": 1, "done": 1}'])
def test_a_state_that_is_none_is_refused(tmp_path: Path, content: str):
    (tmp_path / "urls").write_text("/1\n")
    (tmp_path / "state").write_text(content)
    asked = Warm(NOBODY, url_list=tmp_path / "urls", state=tmp_path / "state")
    with pytest.raises(ConfigFault, match="no state of a warming"):
        run(asked, QUICK, to_json=True)


def test_a_warming_that_nobody_answers_has_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "urls").write_text("/1\n")
    assert run(Warm(NOBODY, url_list=tmp_path / "urls"), QUICK, to_json=True) == 1
    assert json.loads(capsys.readouterr().out)["failures"]
