"""A node is filled within its budget, by what any client would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.kit.edge import Edge
from tests.kit.origin import Canned, ScriptedOrigin
from tools.warming.filling import Budget, Clock, Filled, fill
from tools.warming.wanted import Wanted

Handler = Callable[[web.Request], Awaitable[web.Response]]
QUICK = Budget(rate=10_000)


@asynccontextmanager
async def node(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{any:.*}", handler)
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def paths(count: int) -> list[Wanted]:
    return [Wanted("a.example", f"/{number}") for number in range(count)]


async def test_an_edge_has_it_afterwards(tmp_path: Path):
    async with ScriptedOrigin() as origin, Edge(tmp_path, origin=origin.url) as edge:
        origin.default = Canned(200, {"Cache-Control": "max-age=60"}, b"abcd")
        url = f"http://127.0.0.1:{edge.port}"
        first = await fill(url, paths(5), QUICK)
        again = await fill(url, paths(5), QUICK)
    assert (first.stored, first.hits, first.nbytes, first.statuses) == (5, 0, 20, {200: 5})
    assert (again.stored, again.hits) == (0, 5)
    assert len(origin.requests) == 5


async def test_a_request_is_what_a_client_sends():
    seen: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response()

    async with node(handler) as url:
        wanted = [Wanted("a.example", "/x"), Wanted("b.example", "/", is_secure=True)]
        await fill(url, wanted, Budget(10_000, concurrency=1), fields={"Accept-Encoding": "gzip"})
    assert seen == [
        {"Host": "a.example", "Accept-Encoding": "gzip"},
        {"Host": "b.example", "Accept-Encoding": "gzip", "X-Forwarded-Proto": "https"},
    ]


async def test_no_request_is_begun_when_the_bytes_are_used_up():
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=bytes(100))

    async with node(handler) as url:
        filled = await fill(url, paths(50), Budget(10_000, 250, 1))
    assert (filled.nbytes, filled.taken, filled.done, filled.total) == (300, 3, 3, 50)


async def test_requests_are_evenly_spaced():
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    now = 0.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(round(seconds, 3))
        now += seconds
        await asyncio.sleep(0)

    async with node(handler) as url:
        filled = await fill(url, paths(5), Budget(10, concurrency=1), clock=Clock(lambda: now, sleep))
    assert slept == [0.1] * 4
    assert round(filled.seconds, 3) == 0.4


async def test_it_goes_on_where_it_was_and_says_how_far_it_is():
    asked: list[str] = []
    hold = asyncio.Event()
    shown: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/3":
            await hold.wait()
        return web.Response()

    def show(filled: Filled) -> None:
        shown.append(filled.done)
        if filled.taken == 6:
            hold.set()

    async with node(handler) as url:
        filled = await fill(url, paths(6), Budget(10_000, concurrency=2), begin=2, shown=show)
    assert sorted(asked) == ["/2", "/3", "/4", "/5"]
    assert max(shown[:-1]) <= 3, "what is under way is not done"
    assert filled.done == 6


async def test_what_is_not_answered_is_counted_and_not_asked_again():
    filled = await fill("http://127.0.0.1:1", paths(3), QUICK)
    assert (sum(filled.failures.values()), filled.statuses) == (3, {})
