"""The hot set names what a plain request would get, hottest first, and no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from edge.server.hot_set import MAX_LIMIT, HotSet, HotUrl, hot_of, node_route, together, worker_route
from tests.kit.clock import ManualClock
from tests.kit.edge import Edge
from tests.kit.origin import Canned, ScriptedOrigin

CONFIG = """
[[site]]
name = "shop"
hostnames = ["shop.example"]
origins = ["{origin}"]
[site.key]
query = "none"
[[site]]
name = "all"
hostnames = ["*"]
origins = ["{origin}"]
"""


async def told(edge: Edge, limit: int = 100, clock: ManualClock | None = None) -> HotSet:
    mono = edge.worker.clock.mono if clock is None else clock.mono
    return await hot_of(edge.worker.node.sites, edge.worker.store.contents, limit=limit, mono=mono)


async def asked(
    edge: Edge, target: str, times: int = 2, *lines: tuple[str, str], host: str = "a.example"
) -> None:
    async with await edge.client() as client:
        for _ in range(times):
            answer = await client.request("GET", target, [("Host", host), *lines])
            assert answer.status == 200


@pytest.fixture
async def origin() -> Any:
    async with ScriptedOrigin() as running:
        running.default = Canned(200, {"Cache-Control": "public, max-age=60", "Vary": "Cookie"}, b"abcd")
        yield running


async def test_what_was_served_again_is_told_by_its_url(tmp_path: Path, origin: ScriptedOrigin):
    async with Edge(tmp_path, config=CONFIG.format(origin=origin.url)) as edge:
        await asked(edge, "/hot")
        await asked(edge, "/cold", times=1)
        assert await told(edge) == HotSet((HotUrl("http://a.example/hot", 2, 4),), 0, complete=True)


async def test_what_a_url_alone_does_not_make_is_counted_and_not_told(tmp_path: Path, origin: ScriptedOrigin):
    async with Edge(tmp_path, config=CONFIG.format(origin=origin.url)) as edge:
        await asked(edge, "/a?token=secret")
        await asked(edge, "/b", 2, ("Authorization", "Bearer secret"))
        assert await told(edge) == HotSet((), 2, complete=True)


async def test_a_site_that_ignores_queries_tells_the_path_and_variants_stay_unsaid(
    tmp_path: Path, origin: ScriptedOrigin
):
    async with Edge(tmp_path, config=CONFIG.format(origin=origin.url)) as edge:
        for cookie in ("session=one", "session=two"):
            await asked(edge, "/a?b=c", 2, ("Cookie", cookie), host="shop.example")
        hot = await told(edge)
    assert hot == HotSet((HotUrl("http://shop.example/a", 2, 4),), 0, complete=True)
    assert "session" not in str(hot.as_json())


async def test_there_are_no_more_than_wanted(tmp_path: Path, origin: ScriptedOrigin):
    async with Edge(tmp_path, config=CONFIG.format(origin=origin.url)) as edge:
        for name in ("c", "a", "b"):
            await asked(edge, f"/{name}")
        assert [each.url for each in (await told(edge, 2)).urls] == [
            "http://a.example/a",
            "http://a.example/b",
        ]


async def test_a_worker_that_has_no_time_says_so(tmp_path: Path, origin: ScriptedOrigin):
    class Hurried(ManualClock):
        def mono(self) -> float:
            self.advance(1.0)
            return super().mono()

    async with Edge(tmp_path, config=CONFIG.format(origin=origin.url)) as edge:
        for name in ("a", "b", "c"):
            await asked(edge, f"/{name}")
        hot = await told(edge, clock=Hurried())
    assert not hot.complete
    assert len(hot.urls) < 3


ONE: Mapping[str, Any] = {
    "urls": [{"url": "http://a/1", "uses": 2, "bytes": 5}, {"url": "http://a/2", "uses": 1, "bytes": 5}],
    "unnamed": 1,
    "complete": True,
}
OTHER: Mapping[str, Any] = {
    "urls": [{"url": "http://a/2", "uses": 2, "bytes": 7}],
    "unnamed": 0,
    "complete": True,
}


def test_workers_are_added_up():
    assert together([ONE, OTHER], workers=2, limit=9) == HotSet(
        (HotUrl("http://a/2", 3, 7), HotUrl("http://a/1", 2, 5)), 1, complete=True
    )
    assert together([ONE, OTHER], workers=2, limit=1).urls == (HotUrl("http://a/2", 3, 7),)


@pytest.mark.parametrize("said", [[ONE], [ONE, {**OTHER, "complete": False}]])
def test_a_worker_that_is_missing_makes_it_incomplete(said: list[Mapping[str, Any]]):
    assert not together(said, workers=2, limit=9).complete


async def test_both_routes_bound_what_is_asked_of_them(tmp_path: Path, origin: ScriptedOrigin):
    targets: list[str] = []

    async def ask(target: str) -> tuple[int, Iterable[Mapping[str, Any]]]:
        targets.append(target)
        return 2, [ONE, OTHER]

    async with Edge(tmp_path, config=CONFIG.format(origin=origin.url)) as edge:
        await asked(edge, "/hot")
        worker = edge.worker
        own = worker_route(lambda: worker.node.sites, lambda: worker.store.contents, worker.clock.mono)
        for route, first in ((own, "http://a.example/hot"), (node_route(ask), "http://a/2")):
            app = web.Application()
            app.add_routes([route])
            async with TestClient(TestServer(app)) as client:
                said = await (await client.get("/hot?limit=1")).json()
                assert [each["url"] for each in said["urls"]] == [first]
                for wrong in ("0", "x", str(MAX_LIMIT + 1), "-1", "9" * 99):
                    assert (await client.get(f"/hot?limit={wrong}")).status == 400
    assert targets == ["/hot?limit=2"]
