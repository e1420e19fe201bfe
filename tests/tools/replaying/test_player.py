"""A replay sends what the log has, to whom the plan says, when it says, and adds up what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tools.replaying.access_lines import Line
from tools.replaying.player import Plan, play
from tools.replaying.spread import Spread
from tools.replaying.tally import Tally
from tools.replaying.tiers import Did

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def line(target: str = "/a", method: str = "GET", at: int = 0, client: str = "192.0.2.1") -> Line:
    return Line(client, at, method, target, 200, 3)


@asynccontextmanager
async def edges(handler: Handler, count: int = 1) -> AsyncIterator[tuple[str, ...]]:
    servers = []
    for _ in range(count):
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
    try:
        yield tuple(str(server.make_url("")).rstrip("/") for server in servers)
    finally:
        for server in servers:
            await server.close()


async def test_a_request_goes_out_as_it_stands_in_the_log():
    seen: list[tuple[str, str, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, dict(request.headers)))
        return web.Response(text="abc", headers={"Cache-Status": "e1;hit"})

    async with edges(handler) as urls:
        lines = [line("/a?b=%2541&c=[]"), line("//x", "HEAD", client="crawler.example"), line("/p", "POST")]
        tally = await play(lines, Plan(urls, host="site.example", concurrency=1))
    assert [(method, target) for method, target, _ in seen] == [("GET", "/a?b=%2541&c=[]"), ("HEAD", "//x")]
    assert seen[0][2] == {"Host": "site.example", "X-Forwarded-For": "192.0.2.1"}
    assert seen[1][2] == {"Host": "site.example"}
    assert (tally.requests, tally.skipped, tally.nbytes) == (2, 1, 3)
    assert tally.tiers["e1"][Did.HIT] == 2


async def test_other_methods_go_out_when_they_are_wanted():
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.method)

    async with edges(handler) as urls:
        tally = await play([line(method="POST")], Plan(urls, unsafe=True))
    assert (tally.requests, tally.nbytes, tally.skipped) == (1, 4, 0)


async def test_turns_and_copies_go_to_all_edges():
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async with edges(handler, 3) as urls:
        tally = await play([line()] * 2, Plan(urls, spread=Spread.TURNS, copies=3))
    assert tally.edges == [2, 2, 2]


async def test_no_more_are_under_way_than_the_plan_allows():
    under_way = most = 0
    release = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            release.set()
        await release.wait()
        under_way -= 1
        return web.Response()

    async with edges(handler) as urls:
        tally = await play([line()] * 10, Plan(urls, concurrency=3))
    assert (most, tally.requests) == (3, 10)


async def test_a_replay_keeps_the_times_of_the_log():
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async with edges(handler) as urls:
        quick = await play([line(at=0), line(at=60)], Plan(urls, speed=600))
        late = await play([line(at=0), line(at=60)], Plan(urls))
    assert quick.seconds >= 0.1
    assert late.seconds < 60


async def test_what_breaks_off_is_no_answer():
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "10"})
        await answer.prepare(request)
        await answer.write(b"abc")
        assert request.transport is not None
        request.transport.abort()
        return answer

    shown: list[Tally] = []
    async with edges(handler) as urls:
        tally = await play([line()], Plan(urls), shown.append)
    assert sum(tally.failures.values()) == 1
    assert (tally.statuses, len(shown)) == ({}, 1)


@pytest.mark.parametrize("edge", ["http://127.0.0.1:1"])
async def test_nobody_there_is_a_failure(edge: str):
    tally = await play([line()], Plan((edge,)))
    assert sum(tally.failures.values()) == 1
