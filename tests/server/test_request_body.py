"""A request body between its socket and its reader."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from edge.errors import ClientFault
from edge.server.request_body import HIGH_BYTES, LOW_BYTES, RequestBody
from edge.wire.body import decoder
from edge.wire.framing import CHUNKED, Framing, Length
from edge.wire.limits import DEFAULT_LIMITS


@dataclass
class Wire:
    """What a body asks of its connection."""

    said: list[str] = field(default_factory=list)

    def body(self, framing: Framing, *, expects: bool = False) -> RequestBody:
        on_first = (lambda: self.said.append("continue")) if expects else None
        return RequestBody(
            decoder(framing, DEFAULT_LIMITS),
            lambda: self.said.append("pause"),
            lambda: self.said.append("resume"),
            on_first,
        )


async def whole(body: RequestBody) -> bytes:
    read = b""
    while piece := await body.read():
        read += piece
    return read


async def waiting(body: RequestBody) -> asyncio.Task[bytes]:
    """A reader that waits by now."""
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    assert not reading.done()
    return reading


@pytest.mark.parametrize(
    "framing,data",
    [(Length(5), b"hello"), (CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")],
    ids=["length", "chunked"],
)
async def test_what_comes_is_read_and_what_lies_behind_is_given_back(framing: Framing, data: bytes):
    for cut in range(len(data)):
        body = Wire().body(framing)
        rest = body.feed(data[:cut]) + body.feed(data[cut:] + b"GET")
        assert (rest, body.done, body.received) == (b"GET", True, 5)
        assert await whole(body) == b"hello"
        assert await body.read() == b""


async def test_a_reader_waits_for_the_next_piece():
    body = Wire().body(Length(10))
    reading = await waiting(body)
    body.feed(b"hello")
    assert await reading == b"hello"
    reading = await waiting(body)
    body.feed(b"world")
    assert await reading == b"world"
    assert await body.read() == b""


async def test_a_fault_reaches_who_waits_and_who_comes_later_and_what_came_before_is_dropped():
    body = Wire().body(Length(10))
    reading = await waiting(body)
    body.fail(ClientFault("first"))
    body.fail(ClientFault("second"))
    with pytest.raises(ClientFault, match="first"):
        await reading
    body = Wire().body(Length(10))
    body.feed(b"hello")
    body.fail(ClientFault("first"))
    with pytest.raises(ClientFault, match="first"):
        await body.read()


async def test_what_bends_the_grammar_is_a_fault_for_both_sides():
    body = Wire().body(CHUNKED)
    reading = await waiting(body)
    with pytest.raises(ClientFault):
        body.feed(b"x\r\n")
    with pytest.raises(ClientFault):
        await reading
    assert body.fault is not None
    assert not body.done


async def test_a_body_that_was_read_whole_cannot_fail_any_more():
    body = Wire().body(Length(5))
    body.feed(b"hello")
    assert await whole(body) == b"hello"
    body.fail(ClientFault("too late"))
    assert await body.read() == b""
    assert body.fault is None


async def test_more_than_enough_stops_the_socket_until_little_is_left():
    wire = Wire()
    body = wire.body(Length(10 * HIGH_BYTES))
    step = HIGH_BYTES // 4
    for _ in range(4):
        body.feed(bytes(step))
    assert wire.said == []
    body.feed(b"x")
    body.feed(b"x")
    assert wire.said == ["pause"]
    left = HIGH_BYTES + 2
    while left >= LOW_BYTES:
        assert wire.said == ["pause"]
        left -= len(await body.read())
    assert wire.said == ["pause", "resume"]


async def test_a_complete_body_stops_nothing_however_much_of_it_waits():
    wire = Wire()
    body = wire.body(Length(2 * HIGH_BYTES))
    body.feed(bytes(2 * HIGH_BYTES))
    assert (wire.said, body.done) == ([], True)


async def test_the_client_is_told_to_continue_once_and_only_when_it_is_waited_for():
    wire = Wire()
    body = wire.body(Length(5), expects=True)
    assert wire.said == []
    reading = await waiting(body)
    assert wire.said == ["continue"]
    body.feed(b"hello")
    assert await reading == b"hello"
    assert await body.read() == b""
    assert wire.said == ["continue"]
    wire = Wire()
    body = wire.body(Length(5), expects=True)
    body.feed(b"he")
    assert await body.read() == b"he"
    assert wire.said == []


LIMITS = replace(DEFAULT_LIMITS, body_grace=10.0, body_min_rate=100)


@pytest.mark.parametrize(
    "received,seconds,slow",
    [
        (0, 10.0, False),
        (0, 10.5, True),
        (1, 10.5, True),
        (100 * 5, 10.0, False),
        (100 * 5, 10.5, True),
        (100 * 6, 10.5, False),
        (100 * 95 - 1, 100.0, True),
        (100 * 95, 100.0, False),
    ],
)
async def test_a_body_is_too_slow_below_the_rate_and_beyond_the_grace(
    received: int, seconds: float, slow: bool
):
    body = Wire().body(Length(10**9))
    if received:
        body.feed(bytes(received))
        await body.read()
    reading = await waiting(body)
    assert body.is_too_slow(seconds, LIMITS) is slow
    reading.cancel()


async def test_only_time_in_which_somebody_waits_counts():
    body = Wire().body(Length(10**9))
    assert not body.is_too_slow(1000.0, LIMITS)
    body.feed(b"x")
    assert not body.is_too_slow(1000.0, LIMITS)
    assert await body.read() == b"x"
    reading = await waiting(body)
    assert not body.is_too_slow(6.0, LIMITS)
    assert body.is_too_slow(6.0, LIMITS)
    body.fail(ClientFault("slow"))
    assert not body.is_too_slow(6.0, LIMITS)
    with pytest.raises(ClientFault):
        await reading


async def test_trailers_are_no_part_of_the_body():
    body = Wire().body(CHUNKED)
    assert body.feed(b"5\r\nhello\r\n0\r\nA: b\r\n\r\nGET") == b"GET"
    assert await whole(body) == b"hello"
