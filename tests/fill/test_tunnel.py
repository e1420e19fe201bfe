"""A WebSocket's way through: 101 only when asked, then bytes both ways (RFC 9110 s7.8)."""

import asyncio

import pytest

from edge.errors import UpstreamFault
from edge.semantics.rules import Timeouts
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import bench, fetch, whole

SWITCH = {"Connection": "Upgrade", "Upgrade": "websocket"}


async def echo(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_head(101, SWITCH)
    await connection.send_raw(b"first")
    while data := await connection.read_some():
        await connection.send_raw(data)
    await connection.close()


async def test_bytes_go_both_ways_until_we_close():
    async with ScriptedOrigin({"/ws": echo}) as origin, bench() as on:
        timeouts = Timeouts(between_bytes=0.02, total=0.05)
        upstream = on.upstream(origin.port, timeouts=timeouts)
        fetched = await fetch(upstream, "/ws", upgrade=b"websocket")
        assert (fetched.head.status, fetched.tunnel is not None) == (101, True)
        tunnel = fetched.tunnel
        assert tunnel is not None
        assert await tunnel.read() == b"first"
        await asyncio.sleep(0.08)  # quieter, and longer, than a response may be
        await tunnel.write(b"x" * 1_000_000)
        echoed = 0
        while echoed < 1_000_000:
            echoed += len(await tunnel.read())
        tunnel.close()
        await origin.wait_connections(0)
        assert origin.requests[0].header("Upgrade") == b"websocket"
        assert origin.requests[0].header("Connection") == b"Upgrade"
        assert on.destination(origin.port).open == 0


async def test_the_peers_close_is_the_end():
    async def leave(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, SWITCH)
        await connection.send_raw(b"bye")
        await connection.close()

    async with ScriptedOrigin({"/ws": leave}) as origin, bench() as on:
        tunnel = (await fetch(on.upstream(origin.port), "/ws", upgrade=b"websocket")).tunnel
        assert tunnel is not None
        assert [await tunnel.read(), await tunnel.read()] == [b"bye", b""]
        with pytest.raises(UpstreamFault):
            await tunnel.write(b"x")
        tunnel.close()
        tunnel.abort()


async def test_a_break_is_a_fault():
    async def break_off(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, SWITCH)
        await connection.read_some()
        connection.reset()

    async with ScriptedOrigin({"/ws": break_off}) as origin, bench() as on:
        tunnel = (await fetch(on.upstream(origin.port), "/ws", upgrade=b"websocket")).tunnel
        assert tunnel is not None
        await tunnel.write(b"x")
        with pytest.raises(UpstreamFault):
            await tunnel.read()


async def test_giving_up_closes_the_connection():
    async with ScriptedOrigin({"/ws": echo}) as origin, bench() as on:
        tunnel = (await fetch(on.upstream(origin.port), "/ws", upgrade=b"websocket")).tunnel
        assert tunnel is not None
        tunnel.abort()
        await origin.wait_connections(0)


async def test_a_refused_upgrade_is_an_ordinary_response():
    async with ScriptedOrigin({"/ws": Canned(403, body=b"no")}) as origin, bench() as on:
        upstream = on.upstream(origin.port)
        fetched = await fetch(upstream, "/ws", upgrade=b"websocket")
        assert (fetched.head.status, fetched.tunnel, await whole(fetched)) == (403, None, b"no")
        assert (await fetch(upstream, "/ws")).reused is True


@pytest.mark.parametrize("protocol", ["h2c", "websocket, h2c", ""])
async def test_a_switch_to_another_protocol_is_a_502(protocol: str):
    async def switch(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, {"Connection": "Upgrade", "Upgrade": protocol})
        await connection.stall()

    async with ScriptedOrigin({"/ws": switch}) as origin, bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(origin.port), "/ws", upgrade=b"websocket")
        assert (raised.value.status, raised.value.proxy_status) == (502, "http_upgrade_failed")
        await origin.wait_connections(0)
