"""Two workers of one node: together they are one cache, and each of them serves on without the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.settings.sites import SiteTable
from tests.kit.answer import Answer
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.waiting import until
from tests.kit.workers import OneWorker, settings_for, workers

LARGE = bytes(range(256)) * 4 * 1024 * 2  # 2 MiB, more than a fill holds in memory
FRESH = {"Cache-Control": "max-age=60"}
HIT = b"edge;hit;ttl;detail=fresh"
Pair = tuple[OneWorker, OneWorker]


def member(answer: Answer) -> bytes:
    """Cache-Status without its ttl's number, which goes with the time."""
    return re.sub(rb"ttl=[0-9]+", b"ttl", answer.header("Cache-Status") or b"")


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"body")
        yield origin


@pytest.fixture
async def pair(origin: ScriptedOrigin, tmp_path: Path) -> AsyncIterator[Pair]:
    async with workers(settings_for(tmp_path, origin.url)) as (one, other):
        yield one, other


async def test_a_response_is_fetched_once_for_the_node(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    target = owner.owned("/a")
    first = await other.get(target)
    assert member(first) == b"edge;fwd=uri-miss;fwd-status=200;ttl;stored;detail=nothing-stored"
    assert first.header_lines("Via") == [b"1.1 edge"]
    assert member(await other.get(target)) == HIT
    assert member(await owner.get(target)) == HIT
    assert len(origin.requests) == 1


async def test_a_crowd_at_both_is_one_request(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    target = owner.owned("/a")
    gate = origin.hold("/a")
    asking = [asyncio.ensure_future(worker.get(target)) for worker in (owner, other) for _ in range(3)]
    await gate.wait_waiting(1)
    gate.release()
    assert [answer.body for answer in await asyncio.gather(*asking)] == [b"body"] * 6
    assert len(origin.requests) == 1


async def test_only_the_owner_writes_to_the_disk_they_share(pair: Pair):
    owner, other = pair
    target = owner.owned("/a")
    await other.get(target)
    assert owner.worker.store.disk is not None and other.worker.store.disk is not None
    await owner.worker.store.tend()
    assert (len(owner.worker.store.disk), len(other.worker.store.disk)) == (1, 0)


@pytest.mark.parametrize("through", ["owner", "other"])
async def test_what_one_worker_hears_of_a_change_both_forget(
    origin: ScriptedOrigin, pair: Pair, through: str
):
    owner, other = pair
    target = owner.owned("/a")
    origin.on(target, [Canned(200, FRESH, b"old"), Canned(204), Canned(200, FRESH, b"new")])
    for worker in pair:
        assert (await worker.get(target)).body == b"old"
    answer = await (owner if through == "owner" else other).request("DELETE", target)
    assert answer.status == 204
    for worker in pair:
        assert (await worker.get(target)).body == b"new"
    assert len(origin.requests) == 3


async def test_a_large_body_passes_through_and_is_kept_by_its_owner(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    target = owner.owned("/large")
    origin.on("/large", Canned(200, FRESH, LARGE))
    first, second = await other.get(target), await other.get(target)
    assert first.complete and second.complete
    assert first.body == second.body == LARGE
    assert member(second) == HIT
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"Range": "bytes=1048570-1048580"}, 206, LARGE[1048570:1048581]),
        ({"If-None-Match": '"1"'}, 304, b""),
    ],
    ids=["a range", "a conditional"],
)
async def test_a_part_of_a_large_body_comes_from_its_owner_too(
    origin: ScriptedOrigin, pair: Pair, headers: dict[str, str], status: int, body: bytes
):
    owner, other = pair
    target = owner.owned("/large")
    origin.on("/large", Canned(200, {**FRESH, "ETag": '"1"'}, LARGE))
    assert (await owner.get(target)).body == LARGE
    for _ in range(2):
        answer = await other.get(target, headers)
        assert (answer.status, answer.body) == (status, body)
        assert member(answer) == HIT
    assert len(origin.requests) == 1


async def test_head_asks_the_owner(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    target = owner.owned("/a")
    await owner.get(target)
    answer = await other.request("HEAD", target)
    assert (answer.status, answer.header("Content-Length")) == (200, b"4")
    assert member(answer) == HIT
    assert len(origin.requests) == 1


async def test_without_the_owner_the_other_goes_to_the_origin_itself(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    target = owner.owned("/a")
    await owner.stop()
    answer = await other.get(target)
    assert (answer.status, answer.body) == (200, b"body")
    assert member(await other.get(target)) == HIT
    assert len(origin.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_owner_that_takes_its_socket_away_is_asked_no_more(
    origin: ScriptedOrigin, pair: Pair, method: str
):
    owner, other = pair
    target = owner.owned("/a")
    other.worker._tier_socket_of(0).unlink()
    answer = await other.request(method, target, body=b"x" if method == "POST" else None)
    assert (answer.status, answer.body) == (200, b"body")
    assert len(origin.requests) == 1


async def test_what_is_only_wanted_from_the_cache_is_asked_of_the_owner(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    target, wish = owner.owned("/a"), {"Cache-Control": "only-if-cached"}
    assert (await other.get(target, wish)).status == 504
    await owner.get(target)
    assert member(await other.get(target, wish)) == HIT
    assert len(origin.requests) == 1
    await owner.stop()
    answer = await other.get(owner.owned("/b"), wish)
    assert (answer.status, member(answer)) == (504, b"edge;detail=only-if-cached")


async def test_without_the_other_a_change_still_is_answered_and_counted(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    await other.stop()
    assert (await owner.request("DELETE", owner.owned("/a"))).status == 200
    assert owner.counted("perigee_bound_reached_total") == {"peer_patience": 1.0}


@pytest.mark.parametrize("name", ["Perigee-Authority", "Perigee-Hops", "Perigee-Forget", "Perigee-Anything"])
async def test_no_client_speaks_as_a_worker(origin: ScriptedOrigin, pair: Pair, name: str):
    """Whatever it says, to whomever, goes no further."""
    owner, other = pair
    target = owner.owned("/a")
    value = {
        "Perigee-Authority": "http b.example 80",
        "Perigee-Hops": "203.0.113.9",
        "Perigee-Forget": owner.key(target).hex(),
    }.get(name, "1")
    for worker in (other, owner):
        assert (await worker.get(target, {name: value})).body == b"body"
    (request,) = origin.requests
    assert request.header(name) is None
    assert request.header("Host") == b"a.example"
    assert request.header("X-Forwarded-For") == b"127.0.0.1"


async def test_the_origin_sees_the_client_whichever_worker_asks(origin: ScriptedOrigin, pair: Pair):
    owner, other = pair
    await owner.get(owner.owned("/a"), {"X-Forwarded-For": "203.0.113.9"})
    await other.get(owner.owned("/b"), {"X-Forwarded-For": "203.0.113.9"})
    one, two = ([line for line in request.headers if line[0] != b"Host"] for request in origin.requests)
    assert one == two
    assert origin.requests[1].header("X-Forwarded-For") == b"127.0.0.1"


# --- new settings ---


async def test_new_sites_count_from_the_next_request(origin: ScriptedOrigin, pair: Pair):
    worker = pair[0]
    settings = worker.worker.settings
    (site,) = settings.sites
    async with ScriptedOrigin() as second:
        second.default = Canned(200, FRESH, b"second")
        (moved,) = settings_for(Path("unused"), second.url).sites
        for one in pair:
            one.worker.apply(replace(settings, sites=SiteTable((moved,))))
        assert (await worker.get("/new")).body == b"second"
    for one in pair:
        one.worker.apply(replace(settings, sites=SiteTable((replace(site, hostnames=(b"b.example",)),))))
    assert (await worker.get("/new")).status == 421


async def test_a_proxy_that_is_trusted_from_now_on_is_believed(origin: ScriptedOrigin, pair: Pair):
    worker = pair[0]
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Cache-Control": "no-store"}
    await worker.get(worker.owned("/a"), said)
    trusting = replace(worker.worker.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    worker.worker.apply(trusting)
    await worker.get("/b", said)
    shown = [(r.header("X-Forwarded-For"), r.header("X-Forwarded-Proto")) for r in origin.requests]
    assert shown == [(b"127.0.0.1", b"http"), (b"203.0.113.9, 127.0.0.1", b"https")]


async def test_new_limits_count_from_the_next_request(origin: ScriptedOrigin, pair: Pair):
    worker = pair[0]
    target = worker.owned("/a")
    await worker.get(target)
    several = {"Range": "bytes=0-0,2-2"}
    assert (await worker.get(target, several)).status == 206
    settings = worker.worker.settings
    worker.worker.apply(
        replace(settings, limits=replace(settings.limits, ranges=1, request_line=100, response_head=60))
    )
    assert (await worker.get(target, several)).status == 200
    assert (await worker.get("/" + "x" * 200)).status == 414
    await origin.wait_connections(1)
    for connection in origin.connections:
        await connection.close()
    await origin.wait_connections(0)
    assert (await worker.get(worker.owned("/b"))).status == 502


# --- readiness, the end ---


async def test_it_is_ready_until_it_drains(pair: Pair):
    worker = pair[0].worker
    assert worker.readiness() == (
        True,
        {
            "started": True,
            "draining": False,
            "disk": "open",
            "store_fault": None,
            "sites": 1,
            "stored": {"memory": 0, "disk": 0},
            "purge_log": {"state": "off"},
        },
    )
    assert await worker.drain(0.0) == 0
    is_ready, detail = worker.readiness()
    assert (is_ready, detail["draining"]) == (False, True)


async def test_a_disk_that_cannot_be_used_is_told_and_does_not_matter(origin: ScriptedOrigin, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").write_bytes(b"not a directory")
    async with workers(settings_for(tmp_path, origin.url), count=1) as (worker,):
        is_ready, detail = worker.worker.readiness()
        assert is_ready
        assert detail["disk"] == "failed"
        assert detail["store_fault"]
        for _ in range(2):
            assert (await worker.get("/a")).body == b"body"
    assert len(origin.requests) == 1


async def test_what_was_stored_is_there_after_a_restart(origin: ScriptedOrigin, tmp_path: Path):
    settings = settings_for(tmp_path, origin.url)
    for _ in range(2):
        async with workers(settings) as (one, other):
            for target in (one.owned("/a"), other.owned("/a")):
                assert (await one.get(target)).body == b"body"
    assert len(origin.requests) == 2


@pytest.mark.parametrize("how", ["key", "group"])
async def test_what_an_owner_could_not_be_told_its_successor_knows(
    origin: ScriptedOrigin, pair: Pair, how: str
):
    """Its memory is gone, but what is on its disk would be served again (RFC 9111 s4.4, RFC 9875)."""
    owner, other = pair
    target = owner.owned("/a")
    grouped = {**FRESH, "Cache-Groups": '"red"'}
    origin.on(target, [Canned(200, grouped, b"old"), Canned(200, grouped, b"new")])
    changing = other.owned("/b") if how == "group" else target
    if how == "group":
        origin.on(changing, Canned(200, {"Cache-Group-Invalidation": '"red"'}, b"done"))
    else:
        origin.on(
            target, [Canned(200, grouped, b"old"), Canned(200, {}, b"done"), Canned(200, grouped, b"new")]
        )
    assert (await owner.get(target)).body == b"old"
    await owner.stop()
    assert (await other.request("DELETE", changing)).body == b"done"
    successor = await owner.again()
    assert (await successor.get(target)).body == b"new"
    assert (await successor.get(target)).body == b"new"
    assert other.counted("perigee_bound_reached_total")["peer_patience"] >= 1


@pytest.mark.parametrize("through", ["owner", "other"])
async def test_without_a_log_what_a_group_held_leaves_the_disk_of_its_owner(
    origin: ScriptedOrigin, pair: Pair, through: str
):
    """Whoever hears of it: only the owner can give the space back, which the others told."""
    owner, other = pair
    target = owner.owned("/a")
    disk = owner.worker.store.disk
    assert disk is not None
    origin.on(target, Canned(200, {**FRESH, "Cache-Groups": '"red"'}, b"old"))
    origin.on("/b", Canned(200, {"Cache-Group-Invalidation": '"red"'}, b"done"))
    await owner.get(target)
    await owner.worker.store.tend()
    assert len(disk) == 1
    asked = owner if through == "owner" else other
    assert (await asked.request("DELETE", "/b")).body == b"done"

    async def is_swept() -> bool:
        return len(disk) == 0

    await until(is_swept)
