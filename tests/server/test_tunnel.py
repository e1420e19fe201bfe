"""An upgraded connection: bytes both ways until either side ends, and none of them lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from edge.errors import UpstreamFault
from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY, Fields
from edge.server.request_body import HIGH_BYTES
from edge.server.tunnel import TunnelBody
from edge.wire.limits import Limits
from tests.kit.answer import Ending
from tests.kit.client import RawClient
from tests.kit.listening import Listening, listening

UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@dataclass(eq=False)
class Far:
    """The other end of a tunnel, in the test's hands."""

    to_client: asyncio.Queue[bytes | UpstreamFault] = field(default_factory=asyncio.Queue)
    heard: bytes = b""
    is_closed: bool = False
    may_take: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> bytes:
        said = await self.to_client.get()
        if isinstance(said, UpstreamFault):
            raise said
        return said

    async def write(self, data: bytes) -> None:
        await self.may_take.wait()
        self.heard += data

    def close(self) -> None:
        self.is_closed = True
        self.to_client.put_nowait(b"")

    async def answer(self, exchange: Exchange) -> Reply:
        return Reply(101, b"", Fields(((b"Sec-WebSocket-Accept", b"x"),)), None, None, tunnel=self)


async def upgraded(edge: Listening, client: RawClient, first: bytes = b"") -> None:
    await client.send(UPGRADE + first)
    answer = await client.read_head()
    assert (answer.status, answer.header("Connection"), answer.header("Upgrade")) == (
        101,
        b"Upgrade",
        b"websocket",
    )
    assert answer.header("Sec-WebSocket-Accept") == b"x"
    assert answer.header("Content-Length") is None


@pytest.fixture
def far() -> Far:
    made = Far()
    made.may_take.set()
    return made


async def test_bytes_go_both_ways(far: Far):
    async with listening({b"/ws": far.answer}) as edge, await edge.client() as client:
        await upgraded(edge, client, b"early")
        await edge.until(lambda: far.heard == b"early", "what came with the head")
        far.to_client.put_nowait(b"down")
        assert await client.read_raw() == b"down"
        await client.send(b" up")
        await edge.until(lambda: far.heard == b"early up", "what came later")


async def test_what_the_far_end_said_last_is_delivered_before_the_end(far: Far):
    async with listening({b"/ws": far.answer}) as edge, await edge.client() as client:
        await upgraded(edge, client)
        for _ in range(20):
            far.to_client.put_nowait(bytes(100_000))
        far.to_client.put_nowait(b"bye")
        far.to_client.put_nowait(b"")
        ending, rest = await client.wait_ended()
        assert (ending, len(rest), rest[-3:]) == (Ending.CLOSED, 2_000_003, b"bye")
        assert far.is_closed
        await edge.until(lambda: bool(edge.recorded), "the record")
        assert (edge.recorded[0].sent, edge.recorded[0].whole) == (2_000_003, True)


@pytest.mark.parametrize("way", ["half", "whole"])
async def test_what_the_client_said_last_is_delivered_before_the_end(far: Far, way: str):
    async with listening({b"/ws": far.answer}) as edge, await edge.client() as client:
        await upgraded(edge, client)
        await client.send(b"bye")
        await (client.half_close() if way == "half" else client.close())
        await edge.until(lambda: far.is_closed, "the far end to be closed")
        assert far.heard == b"bye"
        await edge.until(lambda: not edge.connections, "the connection's end")


async def test_what_waits_when_the_client_ends_is_delivered_all_the_same():
    far = Far()
    async with listening({b"/ws": far.answer}) as edge, await edge.client() as client:
        await upgraded(edge, client)
        await client.send(b"one")
        await edge.until(lambda: _received(edge) == 3, "the first")
        await client.send(b"two")
        await edge.until(lambda: _received(edge) == 6, "the second")
        await client.half_close()
        await edge.until(lambda: edge.connections[0]._half_closed, "the FIN")
        far.may_take.set()
        await edge.until(lambda: far.is_closed, "the far end to be closed")
        assert far.heard == b"onetwo"


def _received(edge: Listening) -> int:
    body = edge.connections[0]._body
    return 0 if body is None else body.received


async def test_who_half_closed_before_the_switch_is_heard_all_the_same(far: Far):
    go = asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await go.wait()
        return await far.answer(exchange)

    async with listening({b"/ws": slow}) as edge, await edge.client() as client:
        await client.send(UPGRADE + b"early")
        await client.half_close()
        await edge.until(lambda: any(c._half_closed for c in edge.connections), "the FIN")
        go.set()
        assert (await client.read_head()).status == 101
        await edge.until(lambda: far.is_closed, "the far end to be closed")
        assert far.heard == b"early"


async def test_a_client_that_breaks_ends_the_far_end(far: Far):
    async with listening({b"/ws": far.answer}) as edge:
        async with await edge.client() as client:
            await upgraded(edge, client)
            client.abort()
        await edge.until(lambda: far.is_closed, "the far end to be closed")
        assert edge.measures.requests_active.value == 0


async def test_a_far_end_that_breaks_ends_the_client(far: Far):
    async with listening({b"/ws": far.answer}) as edge, await edge.client() as client:
        await upgraded(edge, client)
        far.to_client.put_nowait(UpstreamFault("it broke"))
        await client.wait_ended()
        assert far.is_closed


async def test_a_far_end_that_takes_nothing_stops_the_client():
    far = Far()
    async with listening({b"/ws": far.answer}) as edge, await edge.client() as client:
        await upgraded(edge, client)
        sending = asyncio.ensure_future(client.send(bytes(6_000_000)))
        await edge.until(lambda: edge.connections[0]._reading_paused, "reading to stop")
        body = edge.connections[0]._body
        assert body is not None
        assert body.received <= 4 * HIGH_BYTES
        edge.pass_time(10_000)  # a silent tunnel has no deadline of ours
        assert edge.connections
        far.may_take.set()
        await edge.until(lambda: len(far.heard) == 6_000_000, "all of it")
        await sending


async def test_without_a_switch_what_follows_is_a_request():
    async def no(exchange: Exchange) -> Reply:
        return Reply(200, b"", EMPTY, b"no", 2)

    async with listening({b"/ws": no, b"/a": no}) as edge, await edge.client() as client:
        await client.send(UPGRADE + b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert [(await client.read_answer()).body for _ in range(2)] == [b"no", b"no"]
        assert len(edge.node.asked) == 2


def test_a_silent_tunnel_is_too_slow_after_its_limit_and_not_while_bytes_move_either_way():
    sent = 0
    body = TunnelBody(lambda: None, lambda: None, b"", lambda: sent)
    limits = Limits(tunnel_idle=10.0)
    assert not body.is_too_slow(1.0, limits)
    assert not body.is_too_slow(10.0, limits)
    sent = 1
    assert not body.is_too_slow(10.0, limits)
    body.feed(b"x")
    assert not body.is_too_slow(10.0, limits)
    assert not body.is_too_slow(10.0, limits)
    assert body.is_too_slow(0.1, limits)
    assert body.bound == "tunnel_idle"
