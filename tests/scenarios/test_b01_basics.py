"""b01: miss, hit, expiry: the ordinary life of a response, as an operator sees it."""

import pytest

from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.world import World
from tests.scenarios.conftest import site_file

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600", "ETag": '"v1"', "Content-Type": "text/plain"}


@pytest.fixture(params=["world", "pair"])
def edge(request: pytest.FixtureRequest) -> World:
    world: World = request.getfixturevalue(request.param)
    return world


async def test_a_miss_is_stored_and_a_hit_is_the_same_answer_with_an_age(
    edge: World, origin: ScriptedOrigin
) -> None:
    path = f"/b01/hit-{len(edge.worker_pids)}"
    origin.on(path, Canned(200, FRESH, b"body"))
    miss, *hits = [await edge.get(path) for _ in range(6)]
    assert b"fwd=uri-miss" in (miss.header("Cache-Status") or b"")
    assert b"stored" in (miss.header("Cache-Status") or b"")
    for hit in hits:
        assert (hit.status, hit.body, hit.header("ETag")) == (200, b"body", b'"v1"')
        assert hit.age is not None
        assert (hit.header("Date"), hit.header("Content-Type")) == (miss.header("Date"), b"text/plain")
    assert b";hit" in (hits[-1].header("Cache-Status") or b"")
    assert len(origin.seen(path)) == 1


async def test_head_and_conditions_are_answered_from_what_get_stored(
    edge: World, origin: ScriptedOrigin
) -> None:
    path = f"/b01/head-{len(edge.worker_pids)}"
    origin.on(path, Canned(200, FRESH, b"body"))
    await edge.get(path)
    head = await edge.request("HEAD", path)
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", b"4")
    same = await edge.get(path, {"If-None-Match": '"v1"'})
    assert (same.status, same.body, same.header("ETag")) == (304, b"", b'"v1"')
    assert (await edge.get(path, {"If-None-Match": '"v0"'})).body == b"body"
    assert len(origin.seen(path)) == 1


async def test_head_never_stores_a_body_that_get_would_be_given(edge: World, origin: ScriptedOrigin) -> None:
    path = f"/b01/head-first-{len(edge.worker_pids)}"
    origin.on(path, Canned(200, FRESH, b"body"))
    assert (await edge.request("HEAD", path)).status == 200
    assert (await edge.get(path)).body == b"body"
    assert [request.method for request in origin.seen(path)] == [b"HEAD", b"GET"]


async def test_one_connection_carries_many_requests_in_order(edge: World, origin: ScriptedOrigin) -> None:
    paths = [f"/b01/pipelined/{number}" for number in range(20)]
    for path in paths:
        origin.on(path, Canned(200, FRESH, path.encode()))
    async with await edge.client() as client:
        for _ in range(2):
            got = await client.pipeline([("GET", path, {}) for path in paths])
            assert [answer.body for answer in got] == [path.encode() for path in paths]


async def test_hosts_are_apart_and_a_host_that_no_site_names_is_421(
    origin: ScriptedOrigin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for host in ("one.test", "two.test"):
        origin.on("/b01/host", Canned(200, FRESH, host.encode()), host=host)
    config = site_file(origin.url).replace('["*"]', '["one.test", "two.test"]')
    async with World(tmp_path_factory.mktemp("hosts"), origin=None, config=config) as world:
        for _ in range(2):
            for host in ("one.test", "two.test"):
                assert (await world.get("/b01/host", {"Host": host})).body == host.encode()
        assert (await world.get("/b01/host", {"Host": "three.test"})).status == 421
    assert len(origin.seen("/b01/host")) == 2


async def test_every_request_is_counted_with_its_reason(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/b01/counted", Canned(200, FRESH, b"body"))
    hits = await world.metric("perigee_requests_total", {"cache": "hit", "because": "fresh"})
    misses = await world.metric("perigee_requests_total", {"cache": "uri-miss"})
    for _ in range(4):
        await world.get("/b01/counted")
    await world.wait_metric("perigee_requests_total", misses + 1, {"cache": "uri-miss"})
    assert await world.wait_metric("perigee_requests_total", hits + 3, {"cache": "hit"}) >= hits + 3
