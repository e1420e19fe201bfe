"""Slow origins meet their deadlines; slow readers are waited for (reliability 2.3, last row), on both loops."""

import asyncio
from dataclasses import replace

import pytest

from edge.errors import UpstreamFault
from edge.fill.body_reader import MAX_UNREAD
from edge.semantics.rules import Timeouts
from edge.wire.framing import CHUNKED
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import QUICK, Pieces, bench, fetch, whole

CLEAN = Canned(body=b"clean")
OK = b"HTTP/1.1 200 OK\r\n"


async def test_reading_stops_while_the_reader_is_behind():
    async def pour(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(body=b"x" * 16_000_000)

    async with ScriptedOrigin({"/big": pour, "/ping": CLEAN}) as origin, bench() as on:
        upstream = on.upstream(origin.port, timeouts=replace(QUICK, between_bytes=0.02))
        fetched = await fetch(upstream, "/big")
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.05  # longer than the origin may be silent: it is not, we are not listening
        turns = 0
        while turns < 20 or loop.time() < end:
            await whole(await fetch(upstream, "/ping"))
            turns += 1
        assert fetched.body.size <= 2 * MAX_UNREAD
        await origin.wait_connections(2)
        upstream = on.upstream(origin.port, timeouts=QUICK)
        assert len(await whole(fetched)) == 16_000_000


async def stall(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.stall()


async def half_a_head(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_raw(OK + b"X-A:")
    await connection.stall()


async def half_a_body(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_head(200, {"Content-Length": "10"})
    await connection.send_raw(b"hello")
    await connection.stall()


async def drip(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_head(200, {"Transfer-Encoding": "chunked"})
    while True:
        await connection.send_chunk(b"x")
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "name,rule,timeouts,token",
    [
        ("never answers", stall, Timeouts(first_byte=0.05), "connection_read_timeout"),
        ("stops in the head", half_a_head, Timeouts(first_byte=0.05), "connection_read_timeout"),
        ("stops in the body", half_a_body, Timeouts(between_bytes=0.05), "connection_read_timeout"),
        ("drips", drip, Timeouts(between_bytes=5.0, total=0.05), "http_response_timeout"),
        ("never answers, in all", stall, Timeouts(total=0.05), "http_response_timeout"),
    ],
)
async def test_an_origin_that_is_too_slow_is_a_504(name: str, rule, timeouts: Timeouts, token: str):
    async with ScriptedOrigin({"/slow": rule}) as origin, bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await whole(await fetch(on.upstream(origin.port, timeouts=timeouts), "/slow"))
        assert (raised.value.status, raised.value.proxy_status) == (504, token)
        await origin.wait_connections(0)
        assert len(origin.requests) == 1


async def test_a_stream_of_events_may_be_quiet():
    async def events(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {"Content-Type": "text/event-stream"})
        await connection.send_raw(b"data: 1\n\n")
        await asyncio.sleep(0.06)
        await connection.send_raw(b"data: 2\n\n")
        await connection.close()

    async with ScriptedOrigin({"/events": events}) as origin, bench() as on:
        upstream = on.upstream(origin.port, timeouts=replace(QUICK, between_bytes=0.02))
        assert await whole(await fetch(upstream, "/events")) == b"data: 1\n\ndata: 2\n\n"


async def test_an_origin_that_does_not_read_is_a_504():
    async with ScriptedOrigin() as origin, bench() as on:
        origin.on("/up", stall_unread, read_body=False)
        upstream = on.upstream(origin.port, timeouts=replace(QUICK, between_bytes=0.05))
        body = Pieces([b"x" * 1_000_000] * 200)
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream, "/up", "POST", body, framing=CHUNKED)
        assert raised.value.proxy_status == "connection_write_timeout"
        assert body.taken < 50
        origin.requests.clear()


async def stall_unread(request: OriginRequest, connection: OriginConnection) -> None:
    await asyncio.Event().wait()
