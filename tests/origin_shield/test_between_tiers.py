"""What a client sees of two tiers is what it would see of one: fields, bodies, methods, ages, ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.answer import Answer, Ending
from tests.kit.edge import Edge
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.tiered import tiered

FRESH = {"Cache-Control": "max-age=60", "ETag": '"v1"'}
HOST = {"Host": "a.example"}
LARGE = bytes(range(256)) * 4 * 1024 * 2  # 2 MiB


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        yield origin


Both = tuple[Edge, Edge]


@pytest.fixture
async def both(origin: ScriptedOrigin, tmp_path: Path) -> AsyncIterator[Both]:
    """An edge and its shield."""
    async with tiered(tmp_path, origin.url) as ((edge,), (shield,)):
        yield edge, shield


def members(answer: Answer) -> list[bytes]:
    """Cache-Status without the numbers of ttl."""
    said = answer.header("Cache-Status") or b""
    return [re.sub(rb"ttl=-?[0-9]+", b"ttl", member) for member in said.split(b", ")]


def stored(edge: Edge) -> float:
    """Responses in memory."""
    return edge.counted("perigee_stored_responses").get("memory", 0)


# --- what is said ---


async def test_both_tiers_say_what_they_did(origin: ScriptedOrigin, both: Both):
    origin.default = Canned(200, FRESH, b"body")
    edge, _ = both
    miss = b"fwd=uri-miss;fwd-status=200;ttl;stored;detail=nothing-stored"
    assert members(await edge.get("/a", HOST)) == [b"shield-0;" + miss, b"edge-0;" + miss]
    again = await edge.get("/a", HOST)
    assert members(again)[1:] == [b"edge-0;hit;ttl;detail=fresh"]
    assert again.header_lines("Via") == [b"1.1 shield-0", b"1.1 edge-0"]


async def test_what_is_for_our_tiers_reaches_both_and_no_client(origin: ScriptedOrigin, both: Both):
    secret = {"Surrogate-Control": "max-age=30", "Surrogate-Key": "t", "Cache-Control": "no-store"}
    origin.default = Canned(200, secret, b"body")
    edge, shield = both
    answer = await edge.get("/a", HOST)
    assert all(member.endswith(b"stored;detail=nothing-stored") for member in members(answer))
    names = {name.lower() for name, _ in answer.headers}
    assert not {name for name in names if name.startswith((b"surrogate", b"perigee"))}
    assert stored(edge) == stored(shield) == 1
    origin.default = Canned(200, {"CDN-Cache-Control": "max-age=30", "Cache-Control": "no-store"}, b"body")
    answer = await edge.get("/b", HOST)
    assert answer.header("CDN-Cache-Control") == b"max-age=30"
    assert (await edge.get("/b", HOST)).age is not None
    assert len(origin.requests) == 2


async def test_what_is_for_one_client_alone_is_stored_nowhere(origin: ScriptedOrigin, both: Both):
    origin.default = Canned(200, {"Cache-Control": "private, max-age=60"}, b"mine")
    edge, shield = both
    for _ in range(2):
        answer = await edge.get("/a", HOST)
        assert answer.body == b"mine"
        assert not [name for name, _ in answer.headers if name.lower().startswith(b"perigee")]
    assert len(origin.requests) == 2
    assert stored(edge) == stored(shield) == 0


async def test_the_origin_hears_of_the_client_and_of_both_nodes(origin: ScriptedOrigin, both: Both):
    origin.default = Canned(200, FRESH, b"body")
    await both[0].get("/a?b", HOST)
    (request,) = origin.requests
    assert (request.target, request.header("Host")) == (b"/a?b", b"a.example")
    assert request.header("X-Forwarded-For") == b"127.0.0.1"
    assert request.header("CDN-Loop") == b"edge-0, shield-0"
    assert request.header("Via") == b"1.1 edge-0, 1.1 shield-0"
    assert not [name for name, _ in request.headers if name.lower().startswith(b"perigee")]


async def test_a_loop_is_seen(origin: ScriptedOrigin, both: Both):
    edge, _ = both
    assert (await edge.get("/a", {**HOST, "CDN-Loop": "shield-0"})).status == 508
    assert (await edge.get("/a", {**HOST, "CDN-Loop": ", ".join(f"n{n}" for n in range(17))})).status == 508
    assert not origin.requests


# --- age ---


# --- what is as large as is let in ---


async def test_what_an_edge_lets_in_its_shield_does_too(origin: ScriptedOrigin, both: Both):
    """Nodes add to a request on its way: with the same bounds, the client of an edge would get the shield's 431."""
    origin.default = Canned(200, {"Cache-Control": "no-store"}, b"body")
    limits = DEFAULT_LIMITS
    client = await both[0].client()
    many = HOST | {f"X-{at}": "" for at in range(limits.request_fields - 2)}
    async with client:
        assert (await client.request("GET", "/many", many)).status == 200
        room = limits.request_head - len(b"GET /long HTTP/1.1\r\nHost: a.example\r\nX: \r\n\r\n")
        assert (await client.request("GET", "/long", HOST | {"X": "a" * (room - 2)})).status == 200
        assert (await client.request("GET", "/long", HOST | {"X": "a" * (room + 1)})).status == 431
    assert [request.path for request in origin.requests] == ["/many", "/long"]


async def test_an_answer_as_large_as_an_edge_takes_passes_and_is_nobodys_fault(
    origin: ScriptedOrigin, both: Both
):
    """Else whoever can make an origin say much could take every shield out of service."""
    edge, _ = both
    fields = {f"X-{at}": "" for at in range(DEFAULT_LIMITS.response_fields - 3)}
    origin.on("/many", Canned(200, fields | {"Cache-Control": "no-store"}, b"body"))
    room = DEFAULT_LIMITS.response_head - 128
    origin.on("/long", Canned(200, {"X": "a" * room, "Cache-Control": "no-store"}, b"body"))
    for path in ("/many", "/many", "/long", "/long"):
        answer = await edge.get(path, HOST)
        assert (answer.status, members(answer)[0][:8]) == (200, b"shield-0")
    assert edge.counted("perigee_shield_requests_total") == {"answered": 4}


@pytest.mark.parametrize(
    ("said", "by", "left"),
    [("0", b"edge-0", None), ("1", b"shield-0", None), ("2", b"", b"0"), ("9", b"", b"7")],
)
async def test_each_node_is_one_of_those_that_may_forward(
    origin: ScriptedOrigin, both: Both, said: str, by: bytes, left: bytes | None
):
    """RFC 9110 s7.6.2: left is what the origin is told, None = somebody before it answered."""
    answer = await both[0].request("OPTIONS", "/a", HOST | {"Max-Forwards": said})
    assert [request.header("Max-Forwards") for request in origin.requests] == ([] if left is None else [left])
    if left is None:
        assert (answer.status, members(answer)[0]) == (204, by + b";detail=method")


async def test_ages_add_up_and_what_comes_stale_stays_so(origin: ScriptedOrigin, both: Both):
    """Two tiers that each may serve what is stale for a minute do not make two minutes of it."""
    edge, shield = both
    said = {"Cache-Control": "max-age=10, stale-while-revalidate=60", "ETag": '"v1"'}
    origin.default = Canned(200, {**said, "Age": "40"}, b"old")
    assert (await shield.get("/a", HOST)).age == 40
    gate = origin.hold("/a")
    first = await edge.get("/a", HOST)  # from the shield, which serves it stale
    assert first.age is not None and first.age >= 40
    assert b"shield-0;hit" in members(first)[0]
    again = await edge.get("/a", HOST)  # and so does the edge
    assert again.age is not None and again.age >= 40
    gate.release()
    # what the shield may not serve any more, no edge gets from it
    origin.on("/b", [Canned(200, {**said, "Age": "70"}, b"old"), Canned(200, said, b"new")])
    await shield.get("/b", HOST)
    assert (await edge.get("/b", HOST)).body == b"new"


async def test_age_counts_from_the_origin(origin: ScriptedOrigin, both: Both):
    edge, _ = both
    past = formatdate(usegmt=True)
    origin.default = Canned(200, {**FRESH, "Age": "20", "Date": past}, b"body")
    for _ in range(2):
        answer = await edge.get("/a", HOST)
        assert answer.age in {20, 21}
    assert len(origin.requests) == 1


# --- validating ---


async def test_the_shield_answers_the_edges_validation(origin: ScriptedOrigin, both: Both):
    edge, shield = both
    origin.on(
        "/a", [Canned(200, {"Cache-Control": "max-age=0", "ETag": '"v1"'}, b"body"), Canned(304, FRESH)]
    )
    assert (await edge.get("/a", HOST)).body == b"body"
    second = await edge.get("/a", HOST)  # edge -> shield -> origin: 304, 304
    assert second.body == b"body"
    assert [request.header("If-None-Match") for request in origin.requests] == [None, b'"v1"']
    assert all(b"fwd=stale;fwd-status=304" in member for member in members(second)[-1:])
    assert (await edge.get("/a", HOST)).body == (await shield.get("/a", HOST)).body == b"body"
    assert len(origin.requests) == 2


async def test_a_clients_validation_costs_the_origin_nothing(origin: ScriptedOrigin, both: Both):
    origin.default = Canned(200, FRESH, b"body")
    edge, shield = both
    await shield.get("/a", HOST)
    answer = await edge.get("/a", {**HOST, "If-None-Match": '"v1"'})
    assert (answer.status, answer.body) == (304, b"")
    part = await edge.get("/a", {**HOST, "Range": "bytes=1-2"})
    assert (part.status, part.body) == (206, b"od")
    head = await edge.request("HEAD", "/a", HOST)
    assert (head.status, head.header("Content-Length")) == (200, b"4")
    assert len(origin.requests) == 1


# --- methods, bodies, ends ---


async def test_what_changes_things_goes_through_and_is_sent_once(origin: ScriptedOrigin, both: Both):
    edge, shield = both
    origin.default = Canned(200, FRESH, b"before")
    await edge.get("/a", HOST)
    origin.default = Canned(201, {}, b"done")
    answer = await edge.request("POST", "/a", HOST, LARGE)
    assert (answer.status, answer.body) == (201, b"done")
    (posted,) = [request for request in origin.requests if request.method == b"POST"]
    assert posted.body == LARGE
    # both have forgotten what it changed
    origin.default = Canned(200, FRESH, b"after")
    assert (await edge.get("/a", HOST)).body == b"after"
    assert (await shield.get("/a", HOST)).body == b"after"


async def test_interim_answers_and_trailers_pass(origin: ScriptedOrigin, both: Both):
    async def early(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(103, {"Link": "</a.css>; rel=preload"})
        await connection.send_response(200, FRESH, b"body", chunked=True, trailers={"X-Sum": "1"})

    origin.on("/a", early)
    answer = await both[0].get("/a", {**HOST, "TE": "trailers", "Connection": "TE"})
    assert [interim.status for interim in answer.interim] == [103]
    assert (answer.body, answer.trailers) == (b"body", [(b"X-Sum", b"1")])


async def test_a_tunnel_goes_through_both(origin: ScriptedOrigin, both: Both):
    async def echo(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, {"Connection": "Upgrade", "Upgrade": "websocket"})
        await connection.send_raw(b"hello")
        await connection.close()

    origin.on("/a", echo)
    async with await both[0].client() as client:
        await client.send_request("GET", "/a", {**HOST, "Connection": "Upgrade", "Upgrade": "websocket"})
        assert (await client.read_head()).status == 101
        assert await client.read_raw() == b"hello"


async def test_a_body_that_a_shields_end_cuts_is_neither_ended_nor_stored(origin: ScriptedOrigin, both: Both):
    edge, shield = both
    rest = asyncio.Event()

    async def slow(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": str(len(LARGE))})
        await connection.send_raw(LARGE[: 1 << 20])
        await rest.wait()

    origin.on("/a", slow)
    clients = [await edge.client() for _ in range(3)]
    for client in clients:
        await client.send_request("GET", "/a", HOST)
        await client.read_head()
        await client.read_body_until(1 << 16)
    await shield.stop()
    for client in clients:
        answer = await client.read_rest()
        assert not answer.complete
        assert answer.ending in {Ending.CLOSED, Ending.RESET}
        await client.close()
    rest.set()
    assert stored(edge) == 0
    origin.on("/a", Canned(200, FRESH, LARGE))
    assert (await edge.get("/a", HOST)).body == LARGE  # by the next way
    await shield.start()


async def test_a_body_without_a_length_that_a_shields_end_cuts_has_no_end(origin: ScriptedOrigin, both: Both):
    edge, shield = both
    rest = asyncio.Event()

    async def slow(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Transfer-Encoding": "chunked"})
        await connection.send_raw(b"5\r\nhello\r\n")
        await rest.wait()

    origin.on("/a", slow)
    async with await edge.client() as client:
        await client.send_request("GET", "/a", HOST)
        await client.read_head()
        await client.read_body_until(5)
        await shield.stop()
        assert not (await client.read_rest()).complete
    rest.set()
    await shield.start()


async def test_what_an_origin_cannot_give_is_stale_at_either_tier(origin: ScriptedOrigin, both: Both):
    edge, shield = both
    origin.default = Canned(200, {"Cache-Control": "max-age=0, stale-if-error=60"}, b"old")
    await shield.get("/a", HOST)
    await edge.get("/b", HOST)
    await origin.stop_listening()
    for connection in origin.connections:
        await connection.close()
    for path in ("/a", "/b"):
        answer = await edge.get(path, HOST)
        assert (answer.status, answer.body) == (200, b"old")
    assert (await edge.get("/c", HOST)).status == 502
    await origin.listen()


async def test_what_stands_in_for_an_error_at_the_shield_is_for_all_who_wait_at_the_edge(
    origin: ScriptedOrigin, both: Both
):
    """Else each of them would ask the shield by itself, all through an outage."""
    edge, _ = both
    fails = Canned(503, {}, b"down")
    origin.on("/a", [Canned(200, {"Cache-Control": "max-age=0, stale-if-error=60"}, b"old"), fails])
    await edge.get("/a", HOST)
    gate = origin.hold("/a")
    asking = [asyncio.ensure_future(edge.get("/a", HOST)) for _ in range(10)]
    await gate.wait_waiting(1)
    await edge.until(lambda: edge.counted("perigee_fills_followed") == {"": 9.0}, "nine to follow")
    before = edge.counted("perigee_shield_requests_total")["answered"]
    gate.release()
    answers = await asyncio.gather(*asking)
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"old")}
    assert edge.counted("perigee_shield_requests_total")["answered"] == before + 1
    assert len(origin.requests) == 2
    for answer in answers:
        assert not [name for name, _ in answer.headers if name.lower().startswith(b"perigee")]
