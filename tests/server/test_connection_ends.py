"""How a connection ends: by its deadlines, by the client, by what broke off, by the drain."""

from __future__ import annotations

import asyncio
import socket

import pytest

from edge.errors import ClientFault, UpstreamFault
from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY
from edge.server.connection import LINGER_SECONDS, Waits
from edge.wire.limits import DEFAULT_LIMITS as LIMITS
from edge.wire.limits import Limits, among_ours
from tests.kit.answer import Ending
from tests.kit.client import RawClient
from tests.kit.listening import Answer, Listening, Recorded, Stream, counting, listening, saying, streaming

GET = b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n"
READY = {b"/a": Reply(200, b"", EMPTY, b"ready", 5)}


async def waits(edge: Listening, what: Waits) -> None:
    await edge.until(lambda: [c._waits for c in edge.connections] == [what], what.value)


async def seen(edge: Listening, size: int) -> None:
    """So many bytes of a head have been looked at."""
    await edge.until(lambda: edge.connections[0]._seen == size, f"{size} bytes")


async def ended(client: RawClient) -> bool:
    return await client.wait_ended() == (Ending.CLOSED, b"")


def held(go: asyncio.Event) -> Answer:
    async def answer(exchange: Exchange) -> Reply:
        await go.wait()
        return Reply(200, b"", EMPTY, b"held", 4)

    return answer


# --- deadlines ---


async def test_a_connection_that_never_says_anything_is_closed_without_a_word():
    async with listening({}, READY) as edge, await edge.client() as client:
        await waits(edge, Waits.FIRST)
        edge.pass_time(LIMITS.head_deadline)
        assert edge.connections
        edge.pass_time(0.1)
        assert await ended(client)


async def test_the_deadline_of_a_head_is_for_all_of_it():
    async with listening({}, READY) as edge, await edge.client() as client:
        for at in range(5):
            await client.send(GET[at : at + 1])
            await seen(edge, at + 1)
            edge.pass_time(LIMITS.head_deadline / 5)
        edge.pass_time(0.1)
        assert (await client.read_answer()).status == 408
        assert await ended(client)
        assert edge.counted("perigee_bound_reached_total") == {"head_deadline": 1}


async def test_the_deadline_of_a_further_head_begins_with_its_first_byte():
    async with listening({}, READY) as edge, await edge.client() as client:
        assert (await client.get("/a")).body == b"ready"
        edge.pass_time(LIMITS.idle - 1)
        for at in range(5):
            await client.send(GET[at : at + 1])
            await seen(edge, at + 1)
            edge.pass_time(LIMITS.head_deadline / 5)
        edge.pass_time(0.1)
        assert (await client.read_answer()).status == 408


@pytest.mark.parametrize("pieces", [(b"\r\n",), (b"\r", b"\n")], ids=["whole", "in two"])
async def test_an_idle_connection_is_closed_and_blank_lines_do_not_keep_it(pieces: tuple[bytes, ...]):
    async with listening({}, READY) as edge, await edge.client() as client:
        assert (await client.get("/a")).body == b"ready"
        edge.pass_time(LIMITS.idle - 1)
        for piece in pieces[:-1]:
            await client.send(piece)
            await waits(edge, Waits.HEAD)
        await client.send(pieces[-1])
        await edge.until(lambda: edge.connections[0]._blank, "a blank line")
        edge.pass_time(LIMITS.head_deadline + 1.1 if len(pieces) == 2 else 1.1)
        assert await ended(client)


async def test_no_deadline_runs_while_an_exchange_is_under_way():
    go = asyncio.Event()
    async with listening({b"/held": held(go)}) as edge, await edge.client() as client:
        await client.send(GET.replace(b"/a", b"/held"))
        await edge.asked(1)
        edge.pass_time(10_000)
        go.set()
        assert (await client.read_answer()).body == b"held"


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(LIMITS, id="a client"),
        pytest.param(among_ours(LIMITS), id="a node, which may have a slow client"),
    ],
)
async def test_a_reader_that_takes_nothing_is_cut(limits: Limits):
    body = bytes(50_000_000)
    async with listening({b"/a": saying(body)}, limits=limits) as edge, await edge.client() as client:
        client.pause_reading()
        await client.send(GET)
        await edge.until(lambda: any(c.sending.is_paused for c in edge.connections), "a full socket")
        edge.pass_time(1)
        edge.pass_time(limits.reader_stall)
        assert edge.counted("perigee_bound_reached_total") == {}
        edge.pass_time(1)
        assert edge.counted("perigee_bound_reached_total") == {"reader_stall": 1}
        await edge.until(lambda: bool(edge.recorded), "the record")
        assert [(one.status, one.whole) for one in edge.recorded] == [(200, False)]
        assert edge.recorded[0].sent < len(body)
        assert edge.counted("perigee_requests_aborted_total") == {"us": 1}


async def test_a_last_answer_waits_for_a_reader_that_reads():
    """Lingering is short, and begins when the answer has left us."""
    big = {b"/a": Reply(200, b"", EMPTY, bytes(250_000), 250_000)}
    async with listening({}, big) as edge:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", edge.port))
        reader, writer = await asyncio.open_connection(sock=sock)
        async with RawClient(reader, writer, b"a.test") as client:
            client.pause_reading()
            await waits(edge, Waits.FIRST)
            (connection,) = edge.connections
            there = connection.transport.get_extra_info("socket")
            there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await waits(edge, Waits.LINGER)
            assert connection.sending.has_unsent
            for _ in range(3):
                edge.pass_time(LINGER_SECONDS + 0.1)
            client.resume_reading()
            assert len((await client.read_answer()).body) == 250_000
            assert await ended(client)


# --- the client ends ---


async def test_who_half_closes_gets_what_is_owed_and_then_the_end():
    go = asyncio.Event()
    async with listening({b"/held": held(go)}, READY) as edge, await edge.client() as client:
        await client.send(GET.replace(b"/a", b"/held") + GET + GET + GET[:10])
        await edge.asked(1)
        await client.half_close()
        await edge.until(lambda: edge.connections[0]._half_closed, "the FIN")
        go.set()
        assert [(await client.read_answer()).body for _ in range(3)] == [b"held", b"ready", b"ready"]
        assert await ended(client)
        await edge.until(lambda: not edge.connections, "the connection's end")


async def test_who_half_closes_and_reads_late_gets_all_the_same():
    big = {b"/a": Reply(200, b"", EMPTY, bytes(250_000), 250_000)}
    async with listening({}, big) as edge, await edge.client() as client:
        client.pause_reading()
        await client.send(GET * 60)
        await edge.until(lambda: any(c.sending.is_paused for c in edge.connections), "a full socket")
        await client.half_close()
        client.resume_reading()
        assert [len((await client.read_answer()).body) for _ in range(60)] == [250_000] * 60
        assert await ended(client)


@pytest.mark.parametrize(
    "data", [b"", GET[:10], GET + GET[:10]], ids=["nothing", "half a head", "a half after a whole"]
)
async def test_a_half_close_without_a_request_is_the_end(data: bytes):
    async with listening({}, READY) as edge, await edge.client() as client:
        await client.send(data)
        await client.half_close()
        ending, rest = await client.wait_ended()
        assert (ending, rest.count(b"ready")) == (Ending.CLOSED, data.count(GET))


async def test_a_half_close_within_a_body_is_no_end_of_it():
    async with listening({b"/up": counting}) as edge, await edge.client() as client:
        await client.send(POST + b"12345")
        await edge.asked(1)
        await client.half_close()
        assert (await client.read_answer("POST")).status == 400
        assert await ended(client)


async def test_a_client_that_leaves_ends_its_exchange_and_is_recorded():
    faults: list[BaseException] = []

    async def reads(exchange: Exchange) -> Reply:
        try:
            return await counting(exchange)
        except BaseException as fault:
            faults.append(fault)
            raise

    async with listening({b"/up": reads}) as edge:
        async with await edge.client() as client:
            await client.send(POST + b"12345")
            await edge.asked(1)
            client.abort()
        await edge.until(lambda: bool(edge.recorded), "the record")
        assert edge.recorded == [Recorded(POST.split(b"\r\n")[0], 499, 0, whole=False)]
        assert edge.counted("perigee_requests_aborted_total") == {"client": 1}
        assert edge.measures.requests_active.value == 0
    assert isinstance(faults[0], ClientFault | asyncio.CancelledError)


async def test_a_client_that_leaves_lets_go_of_the_body():
    never = asyncio.Event()
    stream = Stream([b"begun", never])

    async def answer(exchange: Exchange) -> Reply:
        return Reply(200, b"", EMPTY, stream, None)

    async with listening({b"/a": answer}) as edge:
        async with await edge.client() as client:
            await client.send(GET)
            await client.read_head()
            client.abort()
        await edge.until(lambda: stream.is_closed, "the body to be closed")


# --- what broke off ---


@pytest.mark.parametrize("length", [None, 100], ids=["chunked", "by length"])
async def test_a_body_that_breaks_off_is_cut(length: int | None):
    broken = streaming(b"part", UpstreamFault("it broke"), length=length)
    async with listening({b"/a": broken}) as edge, await edge.client() as client:
        answer = await client.get("/a")
        assert (answer.status, answer.body, answer.complete) == (200, b"part", False)
        assert edge.recorded == [Recorded(GET.split(b"\r\n")[0], 200, 4, whole=False)]
        assert edge.counted("perigee_requests_aborted_total") == {"upstream": 1}


async def test_a_body_shorter_than_announced_is_cut():
    async with listening({b"/a": streaming(b"part", length=5)}) as edge, await edge.client() as client:
        assert not (await client.get("/a")).complete


async def test_an_old_client_takes_a_reset_for_no_end():
    """A FIN would tell it that the body is complete."""
    broken = streaming(b"part", UpstreamFault("it broke"))
    async with listening({b"/a": broken}) as edge, await edge.client() as client:
        await client.send(b"GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n")
        answer = await client.read_answer()
        assert (answer.complete, answer.ending) == (False, Ending.RESET)


async def test_an_old_client_that_would_stay_is_closed_where_only_that_ends_the_body():
    async with listening({b"/a": streaming(b"all", b" of it")}) as edge, await edge.client() as client:
        await client.send(b"GET /a HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n")
        answer = await client.read_answer()
        assert (answer.body, answer.complete, answer.header("Connection")) == (b"all of it", True, b"close")


# --- the drain ---


async def test_a_drain_closes_who_is_idle_and_lets_the_others_finish():
    go = asyncio.Event()
    async with (
        listening({b"/held": held(go)}, READY) as edge,
        await edge.client() as idle,
        await edge.client() as busy,
        await edge.client() as new,
    ):
        assert (await idle.get("/a")).body == b"ready"
        await busy.send(GET.replace(b"/a", b"/held"))
        await edge.asked(1)
        await edge.until(lambda: len(edge.connections) == 3, "three connections")
        draining = asyncio.ensure_future(edge.listener.drain(60))
        assert await ended(idle)
        answer = await new.get("/a")
        assert (answer.body, answer.header("Connection")) == (b"ready", b"close")
        go.set()
        answer = await busy.read_answer()
        assert (answer.body, answer.header("Connection")) == (b"held", b"close")
        await busy.close()
        await new.close()
        assert await draining == 0


async def test_a_drain_that_begins_within_a_reply_ends_the_connection_after_it():
    go = asyncio.Event()
    async with listening({b"/a": streaming(b"begun", go, b" done")}) as edge, await edge.client() as client:
        await client.send(GET)
        assert (await client.read_head()).header("Connection") is None
        draining = asyncio.ensure_future(edge.listener.drain(60))
        await edge.until(lambda: edge.listener.draining, "the drain")
        go.set()
        assert (await client.read_rest()).body == b"begun done"
        assert await ended(client)
        assert await draining == 0


async def test_what_does_not_end_in_time_is_cut():
    async with listening({b"/held": held(asyncio.Event())}) as edge, await edge.client() as client:
        await client.send(GET.replace(b"/a", b"/held"))
        await edge.asked(1)
        assert await edge.listener.drain(0.01) == 1
        await client.wait_ended()


def test_lingering_is_short():
    assert LIMITS.head_deadline > LINGER_SECONDS
