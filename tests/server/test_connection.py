"""One client connection: requests in order, one at a time, each with its deadline."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from edge.errors import ClientFault, UpstreamFault
from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY, Fields, ResponseHead
from edge.server.connection import Waits
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.answer import Ending
from tests.kit.listening import Listening, counting, listening, saying, streaming, whole_body

GET = b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"


def get(target: str, *lines: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", "Host: a.test", *lines, "", "")).encode()


def post(target: str, *lines: str) -> bytes:
    return "\r\n".join((f"POST {target} HTTP/1.1", "Host: a.test", *lines, "", "")).encode()


def ready(body: bytes) -> Reply:
    return Reply(200, b"", EMPTY, body, len(body))


async def waits(edge: Listening, what: Waits) -> None:
    await edge.until(lambda: [c._waits for c in edge.connections] == [what], what.value)


# --- order ---


async def test_requests_are_answered_in_order_whether_ready_or_not():
    go = asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await go.wait()
        return ready(b"slow")

    async with listening({b"/slow": slow}, {b"/a": ready(b"a")}) as edge, await edge.client() as client:
        await client.send(get("/a") + get("/slow") + get("/a") + get("/slow") + get("/a"))
        assert (await client.read_answer()).body == b"a"
        await edge.asked(1)
        go.set()
        assert [(await client.read_answer()).body for _ in range(4)] == [b"slow", b"a", b"slow", b"a"]


async def test_one_request_is_under_way_at_a_time():
    go = asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await go.wait()
        return ready(b"slow")

    async with listening({b"/slow": slow}) as edge, await edge.client() as client:
        await client.send(get("/slow") * 5)
        await edge.asked(1)
        await client.send(get("/slow"))
        assert len(edge.node.asked) == 1
        go.set()
        assert [(await client.read_answer()).body for _ in range(6)] == [b"slow"] * 6


async def test_an_upload_that_was_sent_behind_a_slow_request_is_read_to_its_end():
    """More than is read ahead: reading was stopped, and must go on for the body."""
    go = asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await go.wait()
        return ready(b"slow")

    async with listening({b"/slow": slow, b"/up": counting}) as edge, await edge.client() as client:
        body = b"x" * 3_000_000
        sending = asyncio.ensure_future(
            client.send(get("/slow") + post("/up", f"Content-Length: {len(body)}") + body)
        )
        await edge.asked(1)
        await edge.until(lambda: edge.connections[0]._reading_paused, "reading to stop")
        go.set()
        assert (await client.read_answer()).body == b"slow"
        assert (await client.read_answer("POST")).body == b"3000000"
        await sending


async def test_requests_wait_while_their_client_does_not_read():
    big = bytes(200_000)
    async with listening({}, {b"/a": ready(big)}) as edge, await edge.client() as client:
        client.pause_reading()
        await client.send(GET * 60)
        await edge.until(lambda: any(c.sending.is_paused for c in edge.connections), "a full socket")
        (connection,) = edge.connections
        unsent = connection.transport.get_write_buffer_size()
        assert unsent <= DEFAULT_LIMITS.write_buffer + 2 * len(big)
        edge.pass_time(20)  # longer than a head may take: but it is the client's turn to read, not to send
        client.resume_reading()
        assert [len((await client.read_answer()).body) for _ in range(60)] == [len(big)] * 60
        await waits(edge, Waits.IDLE)


async def test_a_head_in_pieces_is_searched_once():
    async with listening({}, {b"/a": ready(b"a")}) as edge, await edge.client() as client:
        await client.send_bytewise(get("/a", "X: " + "y" * 500))
        assert (await client.read_answer()).body == b"a"
        await client.send(GET[:20])
        await waits(edge, Waits.HEAD)
        assert edge.connections[0]._seen == 20
        await client.send(GET[20:])
        assert (await client.read_answer()).body == b"a"
        assert edge.connections[0]._seen == 0


async def test_one_blank_line_may_stand_before_each_request_and_no_more():
    async with listening({}, {b"/a": ready(b"a")}) as edge, await edge.client() as client:
        for _ in range(3):
            await client.send(b"\r\n" + GET)
            assert (await client.read_answer()).body == b"a"
        await client.send(b"\r")
        await client.send(b"\n")
        await client.send(b"\r\n" + GET)
        assert (await client.read_answer()).status == 400


async def test_a_connection_serves_only_so_many_requests():
    limits = replace(DEFAULT_LIMITS, requests_per_connection=3)
    async with listening({}, {b"/a": ready(b"a")}, limits=limits) as edge, await edge.client() as client:
        await client.send(GET * 5)
        answers = [await client.read_answer() for _ in range(3)]
        assert [answer.header("Connection") for answer in answers] == [None, None, b"close"]
        assert await client.wait_ended() == (Ending.CLOSED, b"")


# --- bodies of requests ---


async def test_continue_is_said_when_somebody_asks_for_the_body():
    async with listening({b"/up": counting}) as edge, await edge.client() as client:
        await client.send(post("/up", "Content-Length: 3", "Expect: 100-continue"))
        assert await client.read_raw() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abc")
        assert (await client.read_answer("POST")).body == b"3"


async def test_an_upload_that_nobody_asks_for_is_never_told_to_continue():
    async with listening({b"/up": saying(b"no", 403)}) as edge, await edge.client() as client:
        await client.send(post("/up", "Content-Length: 3", "Expect: 100-continue"))
        answer = await client.read_answer("POST")
        assert (answer.status, answer.interim, answer.header("Connection")) == (403, [], b"close")
        assert (await client.wait_ended())[0] is Ending.CLOSED


async def test_an_unread_body_that_is_here_already_costs_no_connection():
    async with listening({b"/up": saying(b"no", 403)}) as edge, await edge.client() as client:
        for _ in range(2):
            await client.send(post("/up", "Content-Length: 3") + b"abc")
            answer = await client.read_answer("POST")
            assert (answer.status, answer.header("Connection")) == (403, None)


async def test_an_answer_to_an_unread_upload_is_not_lost_in_a_reset():
    async with listening({b"/up": saying(b"no", 413)}) as edge, await edge.client() as client:
        sending = asyncio.ensure_future(
            client.send(post("/up", "Content-Length: 90000000") + bytes(20_000_000))
        )
        assert (await client.read_answer("POST")).body == b"no"
        sending.cancel()
        assert (await client.wait_ended())[0] is Ending.CLOSED
        edge.pass_time(2.5)
        await edge.until(lambda: not edge.connections, "the connection's end")


async def test_a_body_that_is_malformed_behind_the_head_reaches_its_reader():
    faults: list[ClientFault] = []

    async def reads(exchange: Exchange) -> Reply:
        try:
            await whole_body(exchange)
        except ClientFault as fault:
            faults.append(fault)
            raise
        raise AssertionError("it was no body")

    async with listening({b"/up": reads}) as edge, await edge.client() as client:
        await client.send(post("/up", "Transfer-Encoding: chunked"))
        await edge.asked(1)
        await client.send(b"x\r\n" + GET)
        assert (await client.read_answer("POST")).status == 400
        assert await client.wait_ended() == (Ending.CLOSED, b"")
    assert [fault.status for fault in faults] == [400]


async def test_a_body_that_is_malformed_and_not_read_is_400_in_place_of_the_reply():
    go = asyncio.Event()

    async def ignores(exchange: Exchange) -> Reply:
        await go.wait()
        return ready(b"fine")

    async with listening({b"/up": ignores}) as edge, await edge.client() as client:
        await client.send(post("/up", "Transfer-Encoding: chunked"))
        await edge.asked(1)
        await client.send(b"x\r\n" + GET)
        await edge.until(
            lambda: edge.counted("perigee_requests_refused_total") != {}, "the body to be looked at"
        )
        go.set()
        assert (await client.read_answer("POST")).status == 400
        assert await client.wait_ended() == (Ending.CLOSED, b"")


async def test_a_body_that_turns_bad_while_the_reply_is_sent_ends_the_connection_after_it():
    go = asyncio.Event()
    answers = {b"/up": streaming(b"begun", go, b" and done")}
    async with listening(answers) as edge, await edge.client() as client:
        await client.send(post("/up", "Transfer-Encoding: chunked"))
        await client.read_head("POST")
        await client.send(b"x\r\n" + GET)
        await edge.until(
            lambda: edge.counted("perigee_requests_refused_total") != {}, "the body to be looked at"
        )
        go.set()
        answer = await client.read_rest()
        assert (answer.body, answer.complete) == (b"begun and done", True)
        assert await client.wait_ended() == (Ending.CLOSED, b"")


async def test_a_body_waits_for_its_reader_and_the_client_for_it():
    go = asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await go.wait()
        return await counting(exchange)

    async with listening({b"/up": slow}) as edge, await edge.client() as client:
        sending = asyncio.ensure_future(
            client.send(post("/up", "Content-Length: 20000000") + bytes(20_000_000))
        )
        await edge.until(
            lambda: bool(edge.connections) and edge.connections[0]._reading_paused, "reading to stop"
        )
        body = edge.connections[0]._body
        assert body is not None
        assert body.received <= 1_000_000
        edge.pass_time(1000)  # nobody asked for the body: the client is not slow
        go.set()
        assert (await client.read_answer("POST")).body == b"20000000"
        await sending


async def test_a_body_slower_than_the_least_rate_is_408_once_somebody_waits_for_it():
    async with listening({b"/up": counting}) as edge, await edge.client() as client:
        await client.send(post("/up", "Content-Length: 9999") + b"x")
        await edge.asked(1)
        await edge.until(
            lambda: edge.connections[0]._body is not None and edge.connections[0]._body.received == 1, "it"
        )
        edge.pass_time(10.0)
        assert edge.counted("perigee_bound_reached_total") == {}
        edge.pass_time(0.5)
        assert (await client.read_answer("POST")).status == 408
        assert edge.counted("perigee_bound_reached_total") == {"body_min_rate": 1}


# --- replies ---


async def test_a_fault_is_an_error_and_the_connection_lives_on():
    async def fails(exchange: Exchange) -> Reply:
        raise UpstreamFault("10.0.0.1 is down", proxy_status="connection_refused")

    async with listening({b"/a": fails}) as edge, await edge.client() as client:
        for _ in range(2):
            answer = await client.get("/a")
            assert (answer.status, answer.header("Proxy-Status")) == (502, b"edge;error=connection_refused")
            assert b"10.0.0.1" not in answer.body


async def test_our_own_mistake_is_500_and_logged(caplog: pytest.LogCaptureFixture):
    async def breaks(exchange: Exchange) -> Reply:
        raise ZeroDivisionError

    async with listening({b"/a": breaks}) as edge, await edge.client() as client:
        with caplog.at_level(logging.CRITICAL + 1):
            assert (await client.get("/a")).status == 500
            assert (await client.get("/a")).status == 500


async def test_interim_responses_go_to_those_who_can_take_them():
    async def hints(exchange: Exchange) -> Reply:
        exchange.on_interim(ResponseHead(103, b"", Fields(((b"Link", b"</a.css>"),))))
        return ready(b"a")

    async with listening({b"/a": hints}) as edge, await edge.client() as client:
        answer = await client.get("/a")
        assert [(i.status, i.headers) for i in answer.interim] == [(103, [(b"Link", b"</a.css>")])]
        await client.send(b"GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n")
        assert (await client.read_answer()).interim == []


async def test_a_refused_head_is_recorded_and_counted():
    async with listening({}) as edge, await edge.client() as client:
        await client.send(get("/a", "A : b"))
        assert (await client.read_answer()).status == 400
        assert [(one.line, one.status) for one in edge.recorded] == [(b"", 400)]
        assert edge.counted("perigee_requests_refused_total") == {"malformed header field": 1}
