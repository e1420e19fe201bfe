"""The line carries messages in order, and its end says that the other process is gone."""

from __future__ import annotations

import socket

from edge.server.control import Line
from edge.server.orders import Drain, Ready, Reload


async def both_ends() -> tuple[Line, Line]:
    ours, its = socket.socketpair()
    return await Line.over(ours), await Line.over(its)


async def test_messages_come_in_their_order_both_ways():
    ours, its = await both_ends()
    ours.send(Reload())
    ours.send(Drain(1.0))
    its.send(Ready())
    assert [await its.receive(), await its.receive(), await ours.receive()] == [Reload(), Drain(1.0), Ready()]
    await ours.aclose()
    await its.aclose()


async def test_the_end_of_the_line_is_heard():
    ours, its = await both_ends()
    ours.send(Reload())
    await ours.aclose()
    assert await its.receive() == Reload()
    assert await its.receive() is None
    await its.aclose()


async def test_sending_to_a_process_that_is_gone_is_harmless():
    ours, its = await both_ends()
    await its.aclose()
    for _ in range(3):
        ours.send(Reload())
        assert await ours.receive() is None
    await ours.aclose()


async def test_half_a_message_is_none():
    raw, its = socket.socketpair()
    line = await Line.over(its)
    raw.sendall(b'{"is": "Rel')
    raw.close()
    assert await line.receive() is None
    await line.aclose()
