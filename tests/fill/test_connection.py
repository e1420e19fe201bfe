"""What an origin may do wrong (reliability 2.3), on both loops, over real sockets.

Every row says what the origin sends for /bad, how it goes on, and what comes of it. After every row the next request must
get its own answer: on a new connection unless the row says the old one is still good.
"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, replace

import pytest

from edge.errors import UpstreamFault
from edge.semantics.message import ResponseHead
from edge.wire.limits import Limits
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import bench, fetch, whole

CLEAN = Canned(body=b"clean")
OK = b"HTTP/1.1 200 OK\r\n"
PROTOCOL = "http_protocol_error"
INCOMPLETE = "http_response_incomplete"
TERMINATED = "connection_terminated"


@dataclass(frozen=True)
class Row:
    """end: fin, rst or stay. head: the fault of the fetch; body: the fault of reading; got: what was read."""

    name: str
    sent: bytes
    end: str = "stay"
    head: str | None = None
    body: str | None = None
    got: bytes = b""
    method: str = "GET"
    reused: bool = False


def bad_head(name: str, sent: bytes, token: str = PROTOCOL) -> Row:
    return Row(name, sent, head=token)


ROWS = [
    # RFC 9112 s8: an incomplete message
    Row("length, cut by FIN", OK + b"Content-Length: 9\r\n\r\nhello", "fin", body=INCOMPLETE, got=b"hello"),
    Row("length, cut by RST", OK + b"Content-Length: 9\r\n\r\nhello", "rst", body=INCOMPLETE, got=b"hello"),
    Row("chunked, no last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "fin", body=INCOMPLETE, got=b"hello"),
    Row("chunked, inside a chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhello", "fin", body=INCOMPLETE, got=b"hello"),
    Row("chunked, inside a size", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1", "fin", body=INCOMPLETE, got=b"hello"),
    Row("chunked, before the trailer's end", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "fin", body=INCOMPLETE, got=b"hello"),
    Row("chunked, cut by RST", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "rst", body=INCOMPLETE, got=b"hello"),
    Row("close-delimited, FIN", OK + b"\r\nhello", "fin", got=b"hello"),
    Row("close-delimited, RST", OK + b"\r\nhello", "rst", body=INCOMPLETE, got=b"hello"),
    Row("head, cut by FIN", OK + b"Content-Le", "fin", head=INCOMPLETE),
    Row("head, cut by RST", OK + b"Content-Le", "rst", head=INCOMPLETE),
    # RFC 9112 s6.3(1), s9.2: more than there should be
    Row("more than the length", OK + b"Content-Length: 5\r\n\r\nhelloworld", got=b"hello"),
    Row("two responses", OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 6\r\n\r\npoison", got=b"hello"),
    Row("two chunked responses", (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n") * 2, got=b"a"),
    Row("body on HEAD", OK + b"Content-Length: 5\r\n\r\nhello", method="HEAD"),
    Row("body on 204", b"HTTP/1.1 204 No Content\r\n\r\nhello"),
    Row("body on 304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"),
    Row("HEAD without a body", OK + b"Content-Length: 5\r\n\r\n", method="HEAD", reused=True),
    Row("304 without a body", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", reused=True),
    Row("an empty body", OK + b"Content-Length: 0\r\n\r\n", reused=True),
    Row("chunked", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", got=b"hello", reused=True),
    Row("Connection: close", OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", got=b"hello"),
    Row("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", got=b"hello"),
    Row("HTTP/1.0 keep-alive", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", got=b"hello", reused=True),
    # RFC 9112 s6.3: two readers could see two ends
    bad_head("two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    bad_head("the same length twice", OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    bad_head("a list of lengths", OK + b"Content-Length: 5, 5\r\n\r\nhello"),
    bad_head("a signed length", OK + b"Content-Length: +5\r\n\r\nhello"),
    bad_head("an empty length", OK + b"Content-Length:\r\n\r\nhello"),
    bad_head("length and coding", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    bad_head("an unknown coding", OK + b"Transfer-Encoding: gzip\r\n\r\n", "http_response_transfer_coding"),
    bad_head("two codings", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "http_response_transfer_coding"),
    bad_head("coding in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "http_response_transfer_coding"),
    # RFC 9112 s7.1: bad chunks, in the first read: a 502 is still possible
    bad_head("a bad chunk size", OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    bad_head("a chunk longer than its size", OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"),
    bad_head("chunks that end in LF", OK + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n"),
    bad_head("a bad trailer", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nBad trailer\r\n\r\n"),
    # RFC 9112 s2.2, s5: lines
    bad_head("NUL in a value", OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    bad_head("CR in a value", OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n"),
    bad_head("LF line ends", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    bad_head("a fold", OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    bad_head("a space before the colon", OK + b"Content-Length : 5\r\n\r\nhello"),
    bad_head("a bad name", OK + b"X(: a\r\nContent-Length: 0\r\n\r\n"),
    bad_head("an empty name", OK + b": a\r\nContent-Length: 0\r\n\r\n"),
    bad_head("a line without a colon", OK + b"nonsense\r\nContent-Length: 0\r\n\r\n"),
    # RFC 9112 s4: status lines
    bad_head("two digits", b"HTTP/1.1 99 OK\r\n\r\n"),
    bad_head("four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    bad_head("no status", b"HTTP/1.1 OK\r\n\r\n"),
    bad_head("another version", b"HTTP/2.0 200 OK\r\n\r\n"),
    bad_head("lower case", b"http/1.1 200 OK\r\n\r\n"),
    bad_head("ICY", b"ICY 200 OK\r\n\r\n"),
    bad_head("HTTP/0.9", b"<html>hello</html>"),
    bad_head("garbage", b"\x16\x03\x01\x00\x05hello"),
    bad_head("an empty line first", b"\r\n" + OK + b"Content-Length: 0\r\n\r\n"),
    bad_head("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    # RFC 9110 s15.2: bounds
    bad_head("300 early hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 300 + OK + b"Content-Length: 0\r\n\r\n"),
    bad_head("a head of 2 MB", OK + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", "http_response_header_section_size"),
    bad_head("20k fields", OK + b"a: b\r\n" * 20_000 + b"\r\n", "http_response_header_section_size"),
]  # fmt: skip


def scripted(row: Row, *, bytewise: bool = False, tail: bytes = b""):
    async def answer(request: OriginRequest, connection: OriginConnection) -> None:
        sent = row.sent + tail
        try:
            if bytewise:
                for at in range(len(sent)):
                    await connection.send_raw(sent[at : at + 1])
            else:
                await connection.send_raw(sent)
        except ConnectionError:
            return
        if row.end == "rst":
            await asyncio.sleep(0)
            connection.reset()
        elif row.end == "fin":
            await connection.close()

    return answer


async def hold_row(row: Row, origin: ScriptedOrigin) -> None:
    async with bench() as on:
        upstream = on.upstream(origin.port, retries=0)
        head = body = None
        got = b""
        try:
            fetched = await fetch(upstream, "/bad", row.method)
            while piece := await fetched.body.read():
                got += piece
            assert fetched.body.close_delimited == ("close-delimited" in row.name)
        except UpstreamFault as fault:
            if fault.proxy_status == row.body:
                body = fault.proxy_status
            else:
                head = fault.proxy_status
            assert fault.status == 502  # noqa: PT017 - which part raised it is the point
        assert (head, body, got) == (row.head, row.body, got if row.end == "rst" else row.got)
        after = await fetch(upstream, "/clean")
        assert (await whole(after), after.reused) == (b"clean", row.reused)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_an_origin_that_does_this_harms_its_own_response_only(row: Row):
    async with ScriptedOrigin({"/bad": scripted(row), "/clean": CLEAN}) as origin:
        await hold_row(row, origin)


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.sent) < 200], ids=lambda row: row.name)
async def test_it_does_not_matter_how_the_bytes_come(row: Row):
    if row.head == PROTOCOL and b"chunked\r\n\r\n" in row.sent:
        row = replace(row, head=None, body=PROTOCOL)  # the head was handed on before the fault came
    async with (
        ScriptedOrigin({"/bad": scripted(row, bytewise=True), "/clean": CLEAN}) as origin,
        bench() as on,
    ):
        upstream = on.upstream(origin.port, retries=0)
        fault = None
        try:
            await whole(await fetch(upstream, "/bad", row.method))
        except UpstreamFault as raised:
            fault = raised.proxy_status
        assert fault in (row.head, row.body)
        after = await fetch(upstream, "/clean")
        assert await whole(after) == b"clean"


@pytest.mark.parametrize("row", [row for row in ROWS if row.reused], ids=lambda row: row.name)
async def test_a_byte_behind_a_good_response_costs_the_connection(row: Row):
    async with ScriptedOrigin({"/bad": scripted(row, tail=b"H"), "/clean": CLEAN}) as origin:
        await hold_row(replace(row, reused=False), origin)


async def test_a_byte_on_an_idle_connection_costs_the_connection():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, bench() as on:
        upstream = on.upstream(origin.port)
        await whole(await fetch(upstream, "/a"))
        await origin.connections[0].send_raw(OK + b"Content-Length: 6\r\n\r\npoison")
        await origin.wait_connections(0)
        again = await fetch(upstream, "/a")
        assert (await whole(again), again.reused) == (b"clean", False)
        assert on.counted("perigee_upstream_connections_total")["destroyed"] == 1


async def test_bytes_the_loop_has_not_seen_yet_cost_the_connection_too():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        async with bench() as on:
            upstream = on.upstream(listening.getsockname()[1])
            first = asyncio.ensure_future(fetch(upstream, "/a"))
            peer, _ = await loop.sock_accept(listening)
            await loop.sock_recv(peer, 4096)
            peer.sendall(OK + b"Content-Length: 1\r\n\r\na")
            assert (await first).body.small == b"a"
            peer.sendall(
                OK + b"Content-Length: 6\r\n\r\npoison"
            )  # from here to the next send the loop does not turn
            second = asyncio.ensure_future(fetch(upstream, "/b"))
            other, _ = await loop.sock_accept(listening)
            await loop.sock_recv(other, 4096)
            other.sendall(OK + b"Content-Length: 1\r\n\r\nb")
            assert (await second).body.small == b"b"
            peer.close()
            other.close()


async def test_a_server_that_talks_first_is_none():
    left = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, bench() as on:
        upstream = on.upstream(server.sockets[0].getsockname()[1], retries=0)
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream)
        assert raised.value.status == 502
        await left.wait()


async def test_interim_responses_are_handed_on_but_for_100():
    sent = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    row = Row("", sent + OK + b"Content-Length: 2\r\n\r\nhi")
    for bytewise in (False, True):
        async with ScriptedOrigin({"/bad": scripted(row, bytewise=bytewise)}) as origin, bench() as on:
            seen: list[ResponseHead] = []
            fetched = await fetch(on.upstream(origin.port), "/bad", on_interim=seen.append)
            assert await whole(fetched) == b"hi"
            assert [head.status for head in seen] == [103, 102]
            assert seen[0].fields.get(b"link") == b"</a.css>"


@pytest.mark.parametrize("count,is_good", [(2, True), (3, False)])
async def test_interim_responses_are_counted(count: int, is_good: bool):
    row = Row("", b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + OK + b"Content-Length: 0\r\n\r\n")
    async with (
        ScriptedOrigin({"/bad": scripted(row)}) as origin,
        bench(limits=Limits(interim_responses=2)) as on,
    ):
        upstream = on.upstream(origin.port)
        if is_good:
            assert (await fetch(upstream, "/bad")).head.status == 200
        else:
            with pytest.raises(UpstreamFault, match="interim"):
                await fetch(upstream, "/bad")


async def test_trailers_are_there_after_the_end():
    rule = Canned(body=b"x", chunked=True, trailers={"X-Digest": "1", "Content-Length": "9"})
    async with ScriptedOrigin({"/t": rule}) as origin, bench() as on:
        fetched = await fetch(on.upstream(origin.port), "/t")
        assert await whole(fetched) == b"x"
        assert list(fetched.body.trailers) == [(b"X-Digest", b"1")]


async def test_an_abandoned_body_closes_its_connection():
    async def endless(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {"Transfer-Encoding": "chunked"})
        while True:
            await connection.send_chunk(b"x" * 1000)

    async with ScriptedOrigin({"/endless": endless}) as origin, bench() as on:
        fetched = await fetch(on.upstream(origin.port), "/endless")
        assert await fetched.body.read()
        fetched.body.abort()
        await origin.wait_connections(0)
        with pytest.raises(UpstreamFault):
            await fetched.body.read()


async def stall(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.stall()


async def test_a_fetch_that_is_cancelled_closes_its_connection():
    async with ScriptedOrigin({"/a": stall}) as origin, bench() as on:
        under_way = asyncio.ensure_future(fetch(on.upstream(origin.port), "/a"))
        await origin.wait_requests(1)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        await origin.wait_connections(0)
        assert on.destination(origin.port).open == 0


async def test_the_times_of_a_response_are_when_it_was_sent_and_when_its_head_was_there():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, bench() as on:
        gate = origin.hold("/a")
        sent = on.clock.now()
        under_way = asyncio.ensure_future(fetch(on.upstream(origin.port), "/a"))
        await gate.wait_waiting(1)
        on.clock.advance(3.0)
        gate.release()
        fetched = await under_way
        assert (fetched.timings.sent, fetched.timings.answered) == (sent, sent + 3.0)
