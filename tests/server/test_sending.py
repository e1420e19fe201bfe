"""Replies on the wire: their framing, who gets a body, and how full the socket may be. RFC 9112 s6."""

from __future__ import annotations

import pytest

from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY, Fields, Line
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.listening import Answer, Stream, listening, saying, streaming

LARGE = bytes(range(256)) * 8192  # 2 MiB, more than a socket's buffer may hold


@pytest.mark.parametrize(
    "method,version,status,framing,body",
    [
        ("GET", "1.1", 200, [("Content-Length", b"4")], b"body"),
        ("GET", "1.0", 200, [("Content-Length", b"4"), ("Connection", b"close")], b"body"),
        ("HEAD", "1.1", 200, [("Content-Length", b"4")], b""),
        ("POST", "1.1", 404, [("Content-Length", b"4")], b"body"),
        ("HEAD", "1.1", 502, [("Content-Length", b"4")], b""),
        ("GET", "1.1", 204, [], b""),
        ("GET", "1.1", 304, [], b""),
    ],
)
async def test_a_body_at_hand(
    method: str, version: str, status: int, framing: list[tuple[str, bytes]], body: bytes
):
    await _check(saying(b"body", status), method, version, framing, body)


@pytest.mark.parametrize(
    "method,version,length,framing,body",
    [
        ("GET", "1.1", 4, [("Content-Length", b"4")], b"body"),
        ("GET", "1.1", None, [("Transfer-Encoding", b"chunked")], b"body"),
        ("GET", "1.0", 4, [("Content-Length", b"4"), ("Connection", b"close")], b"body"),
        ("GET", "1.0", None, [("Connection", b"close")], b"body"),
        ("HEAD", "1.1", 4, [("Content-Length", b"4")], b""),
    ],
)
async def test_a_body_that_comes(
    method: str, version: str, length: int | None, framing: list[tuple[str, bytes]], body: bytes
):
    await _check(streaming(b"bo", b"dy", length=length), method, version, framing, body)


async def _check(
    answer: Answer, method: str, version: str, framing: list[tuple[str, bytes]], body: bytes
) -> None:
    async with listening({b"/a": answer}) as edge, await edge.client() as client:
        for _ in range(1 if version == "1.0" else 2):
            await client.send(f"{method} /a HTTP/{version}\r\nHost: a.test\r\n\r\n".encode())
            read = await client.read_answer(method)
            assert (read.body, read.complete) == (body, True)
            names = ("Content-Length", "Transfer-Encoding", "Connection")
            assert [(name, value) for name in names if (value := read.header(name)) is not None] == framing


async def test_a_length_among_the_fields_is_not_written_twice():
    fields = Fields(((b"content-length", b"9"), (b"X", b"1")))
    async with listening({b"/a": saying(b"body", fields=fields)}) as edge, await edge.client() as client:
        answer = await client.get("/a")
        assert answer.headers == [(b"X", b"1"), (b"Content-Length", b"4")]


@pytest.mark.parametrize("asks", [True, False])
async def test_trailers_go_to_those_who_ask(asks: bool):
    async def answer(exchange: Exchange) -> Reply:
        return Reply(200, b"", EMPTY, Stream([b"body"], trailers=Fields(((b"X-Sum", b"1"),))), None)

    async with listening({b"/a": answer}) as edge, await edge.client() as client:
        read = await client.get("/a", {"TE": "trailers"} if asks else {})
        assert read.trailers == ([(b"X-Sum", b"1")] if asks else [])


@pytest.mark.parametrize("answer", [saying(LARGE), streaming(LARGE[:1_000_000], LARGE[1_000_000:])])
async def test_a_large_body_waits_for_its_reader(answer: Answer):
    async with listening({b"/a": answer}) as edge, await edge.client() as client:
        client.pause_reading()
        await client.send_request("GET", "/a")
        await edge.until(
            lambda: bool(edge.recorded) or any(c.sending.is_paused for c in edge.connections), "a full socket"
        )
        for connection in edge.connections:
            assert (
                connection.transport.get_write_buffer_size()
                <= DEFAULT_LIMITS.write_buffer + len(LARGE) // 2 + 64
            )
        client.resume_reading()
        assert (await client.read_answer()).body == LARGE


@pytest.mark.parametrize("body", [LARGE, memoryview(LARGE)[1:]], ids=["whole", "a view"])
async def test_a_large_body_that_is_ready_is_decided_on_once(body: bytes | memoryview):
    """It takes a task to write, and no second look for what to write."""
    ready = {b"/a": Reply(200, b"", EMPTY, body, len(body))}
    async with listening({}, ready) as edge, await edge.client() as client:
        for _ in range(2):
            assert (await client.get("/a")).body == bytes(body)
        assert edge.node.asked == []
        await edge.until(lambda: len(edge.recorded) == 2, "the records")
        assert [(one.sent, one.whole) for one in edge.recorded] == [(len(body), True)] * 2


async def test_a_small_view_goes_out_whole():
    ready = {b"/a": Reply(206, b"", EMPTY, memoryview(b"12345")[1:3], 2)}
    async with listening({}, ready) as edge, await edge.client() as client:
        assert (await client.get("/a")).body == b"23"


READY_LINES: tuple[Line, ...] = ((b"X", b"1"), (b"Content-Length", b"4"))


@pytest.mark.parametrize(
    "first,closing",
    [
        (b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n", None),
        (b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", b"close"),
        (b"GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n", b"close"),
        (b"GET /a HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n", b"keep-alive"),
    ],
)
async def test_a_ready_head_is_completed_for_its_client(first: bytes, closing: bytes | None):
    head = b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 4\r\n"
    ready = {b"/a": Reply(200, b"", EMPTY, b"body", 4, ready=head)}
    async with listening({}, ready) as edge, await edge.client() as client:
        await client.send(first)
        answer = await client.read_answer()
        assert (answer.headers[:2], answer.body) == (list(READY_LINES), b"body")
        assert answer.header("Connection") == closing
