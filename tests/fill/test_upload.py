"""A request body on its way to the origin: at once, at the origin's pace, never finished unless it was."""

import asyncio
import socket
from dataclasses import dataclass, field

import pytest

from edge.errors import ClientFault, UpstreamFault
from edge.wire.framing import CHUNKED, Framing, Length
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import Pieces, bench, fetch, whole

CLEAN = Canned(body=b"clean")


@dataclass
class Slow:
    """A body whose pieces come when the test says; None ends it."""

    pieces: asyncio.Queue[bytes | Exception | None] = field(default_factory=asyncio.Queue)
    taken: int = 0

    async def read(self) -> bytes:
        piece = await self.pieces.get()
        self.taken += 1
        if isinstance(piece, Exception):
            raise piece
        return piece or b""


@pytest.mark.parametrize(
    "framing,pieces",
    [
        (CHUNKED, [b"hello", b" ", b"world"]),
        (Length(11), [b"hello", b" world"]),
        (Length(11), [b"hello world"]),
        (CHUNKED, [b"x" * 3_000_000, b"y"]),
        (Length(3_000_001), [b"x" * 3_000_000, b"y"]),
        (CHUNKED, []),
    ],
)
async def test_a_body_arrives_as_it_was_sent(framing: Framing, pieces: list[bytes]):
    async with ScriptedOrigin({"/up": CLEAN}) as origin, bench() as on:
        fetched = await fetch(on.upstream(origin.port), "/up", "POST", Pieces(pieces), framing=framing)
        assert await whole(fetched) == b"clean"
        request = origin.requests[0]
        assert (request.body, request.complete) == (b"".join(pieces), True)
        names = [name for name, _ in request.headers]
        assert names == [b"Host", b"Transfer-Encoding" if framing == CHUNKED else b"Content-Length"]
        assert on.destination(origin.port).idle == 1
        assert (await fetch(on.upstream(origin.port), "/up")).reused is True


async def test_head_and_first_piece_leave_together_but_the_head_does_not_wait():
    reads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reads.append(await reader.read(65536))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, bench() as on:
        upstream = on.upstream(server.sockets[0].getsockname()[1])
        await fetch(upstream, "/up", "POST", Pieces([b"hello"]), framing=Length(5))
        await fetch(upstream, "/up", "POST", Slow(), framing=Length(5))
    assert reads[0].endswith(b"\r\n\r\nhello")
    assert reads[1].endswith(b"\r\n\r\n")


@pytest.mark.parametrize("framing", [CHUNKED, Length(100)])
@pytest.mark.parametrize(
    "error", [ClientFault("too slow", status=408), ConnectionResetError("the client left")]
)
async def test_an_upload_that_breaks_off_never_looks_finished(framing: Framing, error: Exception):
    async with ScriptedOrigin({"/up": CLEAN}) as origin, bench() as on:
        with pytest.raises(type(error)) as raised:
            await fetch(
                on.upstream(origin.port, retries=3), "/up", "POST", Pieces([b"hello", error]), framing=framing
            )
        assert raised.value is error
        await origin.wait_connections(0)
        assert (len(origin.requests), origin.requests[0].complete) == (1, False)


async def test_an_upload_shorter_than_announced_never_looks_finished():
    async with ScriptedOrigin({"/up": CLEAN}) as origin, bench() as on:
        with pytest.raises(ClientFault):
            await fetch(on.upstream(origin.port), "/up", "POST", Pieces([b"hello"]), framing=Length(6))
        await origin.wait_connections(0)
        assert origin.requests[0].complete is False


async def test_a_mistake_of_ours_in_the_source_breaks_the_upload_too(caplog):
    async with ScriptedOrigin({"/up": CLEAN}) as origin, bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(origin.port), "/up", "POST", Pieces([KeyError("ours")]), framing=CHUNKED)
        assert raised.value.proxy_status == "proxy_internal_error"
        await origin.wait_connections(0)
    assert "task failed" in caplog.text


async def test_an_early_refusal_is_passed_on_and_the_rest_is_not_sent():
    async def refuse(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(413, body=b"too large")
        await connection.stall()

    async with ScriptedOrigin() as origin, bench() as on:
        origin.on("/up", refuse, read_body=False)
        body = Slow()
        body.pieces.put_nowait(b"hello")
        fetched = await fetch(on.upstream(origin.port), "/up", "POST", body, framing=CHUNKED)
        assert (fetched.head.status, await whole(fetched)) == (413, b"too large")
        await origin.wait_connections(0)
        assert (body.taken, origin.requests[0].complete) == (1, False)


async def test_a_refusal_that_closes_at_once_is_still_passed_on():
    """The peer's RST overtakes its answer: our next write fails before the loop has read it."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        async with bench() as on:
            body = Slow()
            upstream = on.upstream(listening.getsockname()[1])
            under_way = asyncio.ensure_future(fetch(upstream, "/up", "POST", body, framing=CHUNKED))
            peer, _ = await loop.sock_accept(listening)
            await loop.sock_recv(peer, 1)  # the rest stays unread: closing resets
            peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            peer.close()
            body.pieces.put_nowait(b"x" * 1000)
            fetched = await under_way
            assert (fetched.head.status, await whole(fetched)) == (413, b"no")
            assert on.destination(listening.getsockname()[1]).open == 0


@pytest.mark.parametrize("early", ["head", "all"])
async def test_an_early_good_answer_lets_the_upload_go_on(early: str):
    async def answer(request: OriginRequest, connection: OriginConnection) -> None:
        if early == "all":
            await connection.send_response(200, body=b"ok")
        else:
            await connection.send_head(200, {"Content-Length": "2"})
        await connection.read_body()
        if early == "head":
            await connection.send_raw(b"ok")

    async with ScriptedOrigin({"/ping": CLEAN}) as origin, bench() as on:
        origin.on("/up", answer, read_body=False)
        upstream = on.upstream(origin.port)
        body = Slow()
        body.pieces.put_nowait(b"hello")
        fetched = await fetch(upstream, "/up", "POST", body, framing=CHUNKED)
        assert fetched.head.status == 200
        if early == "all":
            assert await whole(fetched) == b"ok"
        body.pieces.put_nowait(b"world")
        body.pieces.put_nowait(None)
        assert await whole(fetched) == (b"ok" if early == "head" else b"")
        while not on.destination(origin.port).idle:  # noqa: ASYNC110 - the upload ends in a task of its own
            await asyncio.sleep(0)
        assert (await fetch(upstream, "/ping")).reused is True
        assert (origin.requests[0].body, origin.requests[0].complete) == (b"helloworld", True)


async def test_a_body_given_up_stops_its_upload():
    async def answer(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {"Content-Length": "2"})
        await connection.stall()

    async with ScriptedOrigin() as origin, bench() as on:
        origin.on("/up", answer, read_body=False)
        fetched = await fetch(on.upstream(origin.port), "/up", "POST", Slow(), framing=CHUNKED)
        fetched.body.abort()
        await origin.wait_connections(0)
        assert origin.requests[0].complete is False


async def test_an_origin_that_goes_away_ends_the_upload():
    async def leave(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.read_some()
        connection.reset()

    async with ScriptedOrigin() as origin, bench() as on:
        origin.on("/up", leave, read_body=False)
        body = Pieces([b"x" * 100_000] * 1000)
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(origin.port), "/up", "POST", body, framing=CHUNKED)
        assert raised.value.proxy_status == "connection_terminated"
        assert (body.taken < 1000, len(origin.requests)) == (True, 1)


async def test_an_upload_is_sent_at_the_origins_pace():
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(request: OriginRequest, connection: OriginConnection) -> None:
        entered.set()
        await release.wait()
        left = 30_000_000
        while left:
            left -= len(await connection.read_some(1 << 20))
        await connection.send_response(headers={"Connection": "close"})

    async with ScriptedOrigin({"/ping": CLEAN}) as origin, bench() as on:
        origin.on("/up", slow, read_body=False)
        upstream = on.upstream(origin.port)
        body = Pieces([b"x" * 1_000_000] * 30)
        under_way = asyncio.ensure_future(fetch(upstream, "/up", "POST", body, framing=Length(30_000_000)))
        await entered.wait()
        for _ in range(20):
            await whole(await fetch(upstream, "/ping"))
        assert body.taken < 30
        release.set()
        assert (await under_way).head.status == 200
