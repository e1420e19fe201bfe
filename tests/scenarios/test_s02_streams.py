"""s02: what is no ordinary body passes as it comes: WebSocket, events, trailers, interim answers."""

import asyncio

import pytest

from tests.kit.answer import Ending
from tests.kit.origin import Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
}


async def echo(request: OriginRequest, connection: OriginConnection) -> None:
    """A WebSocket server as far as the edge can tell: bytes in, the same bytes out."""
    await connection.send_head(101, SWITCHED, reason="Switching Protocols")
    while data := await connection.read_some():
        await connection.send_raw(data)
    await connection.close()


@pytest.fixture(params=["world", "pair"])
def edge(request: pytest.FixtureRequest) -> World:
    world: World = request.getfixturevalue(request.param)
    return world


async def test_frames_of_a_websocket_come_back_to_the_byte(edge: World, origin: ScriptedOrigin) -> None:
    origin.on("/s02/echo", echo)
    async with await edge.client() as client:
        await client.send(UPGRADE % b"/s02/echo")
        answer = await client.read_head()
        assert (answer.status, answer.header("Upgrade")) == (101, b"websocket")
        assert answer.header("Connection") == b"Upgrade"
        assert answer.header("Sec-WebSocket-Accept") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        for frame in (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x00\xff" * 50_000):
            await client.send(frame)
            back = b""
            while len(back) < len(frame):
                back += await client.read_raw()
            assert back == frame
    await origin.wait_in_flight(0)


async def test_frames_sent_with_the_handshake_are_not_lost(edge: World, origin: ScriptedOrigin) -> None:
    origin.on("/s02/eager", echo)
    async with await edge.client() as client:
        await client.send(UPGRADE % b"/s02/eager" + b"at once")
        await client.read_head()
        assert await client.read_raw() == b"at once"


async def test_when_the_origin_ends_a_websocket_so_does_the_client_side(
    edge: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, SWITCHED)
        await connection.send_raw(b"bye")
        await connection.close()

    origin.on("/s02/bye", handler)
    async with await edge.client() as client:
        await client.send(UPGRADE % b"/s02/bye")
        await client.read_head()
        ending, rest = await client.wait_ended()
    assert (ending, rest) == (Ending.CLOSED, b"bye")


async def test_an_upgrade_that_the_origin_does_not_want_is_an_ordinary_exchange(
    edge: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(200, {"Cache-Control": "max-age=600"}, b"plain")

    path = f"/s02/plain-{len(edge.worker_pids)}"
    origin.on(path, handler)
    async with await edge.client() as client:
        for asked in (1, 2):
            await client.send(UPGRADE % path.encode())
            assert (await client.read_answer()).body == b"plain"
            assert len(origin.seen(path)) == asked


async def test_events_arrive_one_by_one(edge: World, origin: ScriptedOrigin) -> None:
    steps = [Gate() for _ in range(3)]

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        head = {
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache",
            "Transfer-Encoding": "chunked",
        }
        await connection.send_head(200, head)
        for number, step in enumerate(steps):
            await connection.send_chunk(b"data: %d\n\n" % number)
            await step.passed()
        await connection.send_last_chunk()

    origin.on("/s02/events", handler)
    async with await edge.client() as client:
        await client.send_request("GET", "/s02/events", {"Accept": "text/event-stream"})
        assert (await client.read_head()).status == 200
        for number, step in enumerate(steps, 1):
            assert len(await client.read_body_until(9 * number)) == 9 * number
            step.release()
        assert (await client.read_rest()).complete


async def test_each_client_has_a_stream_of_events_of_its_own_and_the_origin_hears_when_it_leaves(
    world: World, origin: ScriptedOrigin
) -> None:
    """Nobody waits for another's endless body: no-store releases him at once."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        head = {
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "Transfer-Encoding": "chunked",
        }
        await connection.send_head(200, head)
        await connection.send_chunk(b"data: 0\n\n")
        await connection.stall()

    origin.on("/s02/own", handler)
    clients = [await world.client() for _ in range(5)]
    for client in clients:
        await client.send_request("GET", "/s02/own")
    for client in clients:
        await client.read_head()
        assert await client.read_body_until(9) == b"data: 0\n\n"
    assert origin.in_flight == 5
    for client in clients:
        client.abort()
    await origin.wait_in_flight(0)


async def test_trailers_pass_to_who_accepts_them(edge: World, origin: ScriptedOrigin) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(
            200, {"Cache-Control": "no-store", "Transfer-Encoding": "chunked", "Trailer": "X-Sum"}
        )
        await connection.send_chunk(b"body")
        await connection.send_last_chunk({"X-Sum": "42"})

    origin.on("/s02/trailers", handler)
    async with await edge.client() as client:
        answer = await client.get("/s02/trailers", {"TE": "trailers", "Connection": "TE"})
        assert (answer.body, answer.trailers) == (b"body", [(b"X-Sum", b"42")])
        assert (await client.get("/s02/trailers")).trailers == []


async def test_early_hints_pass_before_the_answer(edge: World, origin: ScriptedOrigin) -> None:
    """RFC 8297; also through the worker that owns the key."""
    step = Gate()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(103, {"Link": "</a.css>; rel=preload"}, reason="Early Hints")
        await step.passed()
        await connection.send_response(200, {"Cache-Control": "max-age=600"}, b"body")

    path = f"/s02/hints-{len(edge.worker_pids)}"
    origin.on(path, handler)
    async with await edge.client() as client:
        await client.send_request("GET", path)
        reading = asyncio.get_running_loop().create_task(client.read_raw())
        assert (await reading).startswith(b"HTTP/1.1 103 ")
        step.release()
        answer = await client.read_answer()
    assert (answer.status, answer.body) == (200, b"body")
    assert (await edge.get(path)).interim == []
