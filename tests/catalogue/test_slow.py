"""Who takes forever: heads, bodies and readers, clients and origins. RFC 9110 s15.5.9, s15.6.5; RFC 5861 s4.

The limits are shrunk by settings, as an operator could; everything else is a default edge.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.kit.answer import Answer, Ending
from tests.kit.client import RawClient
from tests.kit.edge import Edge
from tests.kit.origin import Canned, Handler, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.yard import Yard, get, post

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CONFIG = """
[limits]
head_deadline = "300ms"
idle = "400ms"
body_grace = "300ms"
body_min_rate = "500B/s"
reader_stall = "300ms"
reader_min_rate = "100KiB/s"
write_buffer = "64KiB"

[[site]]
name = "slow"
hostnames = ["*"]
origins = ["{origin}"]
timeouts.first_byte = "300ms"
timeouts.between_bytes = "300ms"
"""
SOON = 3.0
"""Seconds within which everything here must have ended; the limits are a tenth of it, the machine may be busy."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def yard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Yard]:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, {"Cache-Control": "no-store"}, b"fine")
        config = CONFIG.format(origin=origin.url)
        async with Edge(tmp_path_factory.mktemp("edge"), config=config) as edge:
            yield Yard(origin, edge)


async def drip(client: RawClient, data: bytes, pause: float = 0.02) -> None:
    """Send a byte at a time, for as long as anybody listens."""
    try:
        for value in data:
            await client.send(bytes((value,)))
            await asyncio.sleep(pause)
    except ConnectionError:
        pass


async def dripping(
    yard: Yard, before: bytes, data: bytes, method: str = "GET"
) -> tuple[Answer, Ending, bytes]:
    """What becomes of a client that sends `before` at once and `data` a byte at a time."""
    async with await yard.edge.client() as client:
        await client.send(before)
        sending = asyncio.ensure_future(drip(client, data))
        try:
            answer = await client.read_answer(method, within=SOON)
            ending, rest = await client.wait_ended(within=SOON)
        finally:
            sending.cancel()
    return answer, ending, rest


DRIPS: dict[str, tuple[bytes, bytes]] = {
    "request line": (b"G", b"ET /" + b"a" * 1000),
    "name": (b"GET / HTTP/1.1\r\n", b"A" * 1000),
    "value": (b"GET / HTTP/1.1\r\nHost: a.test\r\nA: ", b"b" * 1000),
    "fields": (b"GET / HTTP/1.1\r\nHost: a.test\r\n", b"A: b\r\n" * 200),
    "behind a blank line": (b"\r\n", b"GET /" + b"a" * 1000),
}


@pytest.mark.parametrize("case", DRIPS.values(), ids=DRIPS)
async def test_a_head_that_drips_is_408_by_a_total_deadline(yard: Yard, case: tuple[bytes, bytes]) -> None:
    before = len(yard.origin.requests)
    answer, _, rest = await dripping(yard, *case)
    assert (answer.status, answer.header("Connection"), rest) == (408, b"close", b"")
    assert len(yard.origin.requests) == before


@pytest.mark.parametrize("case", DRIPS.values(), ids=DRIPS)
async def test_a_further_head_that_drips_is_408_too(yard: Yard, case: tuple[bytes, bytes]) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(get(target) + case[0])
        assert (await client.read_answer()).status == 200
        sending = asyncio.ensure_future(drip(client, case[1]))
        assert (await client.read_answer(within=SOON)).status == 408
        await client.wait_ended(within=SOON)
        sending.cancel()


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n", get("/first")],
    ids=["silent from the start", "a blank line", "silent after a request"],
)
async def test_a_silent_connection_is_closed(yard: Yard, data: bytes) -> None:
    async with await yard.edge.client() as client:
        await client.send(data)
        if b"GET" in data:
            assert (await client.read_answer()).status == 200
        assert await client.wait_ended(within=SOON) == (Ending.CLOSED, b"")


async def test_blank_lines_keep_nothing_open(yard: Yard) -> None:
    async with await yard.edge.client() as client:
        await client.send(get("/first"))
        assert (await client.read_answer()).status == 200
        sending = asyncio.ensure_future(drip(client, b"\r\n" * 500))
        await client.wait_ended(within=SOON)
        sending.cancel()


BODIES: dict[str, tuple[bytes, bytes]] = {
    "CL": (b"Content-Length: 10000", b"x" * 1000),
    "CL, nothing": (b"Content-Length: 10000", b""),
    "chunks": (b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 200),
    "one chunk": (b"Transfer-Encoding: chunked", b"ffff\r\n" + b"x" * 1000),
    "size line": (b"Transfer-Encoding: chunked", b"1;" + b"a" * 200),
    "trailers": (b"Transfer-Encoding: chunked", b"0\r\n" + b"A: b\r\n" * 100),
}


@pytest.mark.parametrize("case", BODIES.values(), ids=BODIES)
async def test_an_upload_that_drips_is_408_and_the_origin_sees_it_break_off(
    yard: Yard, case: tuple[bytes, bytes]
) -> None:
    target = yard.target()
    answer, _, _ = await dripping(yard, post(target, case[0]), case[1], "POST")
    assert (answer.status, answer.header("Connection")) == (408, b"close")
    await yard.never_finished(target)


async def test_an_upload_is_not_slow_because_its_origin_is(yard: Yard) -> None:
    """The client sends all it may; that nobody takes it for a while is not its fault."""
    target = yard.target()

    async def slow(request: OriginRequest, connection: OriginConnection) -> None:
        await asyncio.sleep(0.8)
        await connection.read_body()
        await connection.send_response(200, {}, b"%d" % len(request.body))

    yard.origin.on(target, slow, read_body=False)
    body = b"x" * 8_000_000
    answer = await yard.edge.request("POST", target, {}, body)
    # The pause is longer than this edge lets an origin stall: 504 is the origin's fault, 408 would be the client's.
    assert answer.status in {200, 502, 504}


async def test_a_reader_that_stalls_is_cut_and_holds_little(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"x" * 30_000_000))
    async with await yard.edge.client() as client:
        client.pause_reading()
        await client.send(get(target))
        await yard.edge.until(
            lambda: yard.edge.counted("perigee_bound_reached_total").get("reader_stall", 0) > 0, "a cut"
        )
    await yard.edge.until(lambda: not yard.edge.measures.requests_active.value, "the exchange's end")


async def test_a_reader_that_sips_is_cut(yard: Yard) -> None:
    """It takes something all the time, and would hold the response for ten minutes."""
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"x" * 30_000_000))
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", yard.edge.port))
        await loop.sock_sendall(sock, get(target))
        taken = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(SOON):
                while data := await loop.sock_recv(sock, 1000):
                    taken += len(data)
                    await asyncio.sleep(0.02)
    assert taken < 30_000_000
    await yard.edge.until(lambda: not yard.edge.measures.requests_active.value, "the exchange's end")


async def test_a_slow_reader_of_a_last_answer_gets_all_of_it(yard: Yard) -> None:
    """A connection that is to be closed waits for its reader, as long as he reads."""
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"x" * 2_000_000))
    async with await yard.edge.client() as client:
        await client.send(get(target, b"Connection: close"))
        await client.read_head()
        for at in range(1, 21):
            await client.read_body_until(100_000 * at)
            await asyncio.sleep(0.02)
        answer = await client.read_rest()
    assert (len(answer.body), answer.complete) == (2_000_000, True)


async def _never(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.stall()


async def _never_ends(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_head(200, {"Content-Length": "100", "Cache-Control": "max-age=60"})
    await connection.send_raw(b"part")
    await connection.stall()


async def _half_a_head(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_raw(b"HTTP/1.1 200 OK\r\nDate: ")
    await connection.stall()


@pytest.mark.parametrize("handler", [_never, _half_a_head], ids=["nothing", "half a head"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_an_origin_that_never_answers_is_504(yard: Yard, method: str, handler: Handler) -> None:
    target = yard.target()
    yard.origin.on(target, handler)
    async with await yard.edge.client() as client:
        answer = await client.request(method, target, within=SOON)
        assert (answer.status, answer.complete) == (504, True)
        assert b"error=" in (answer.header("Proxy-Status") or b"")


async def test_a_body_that_stalls_is_cut_for_the_client(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, _never_ends)
    async with await yard.edge.client() as client:
        answer = await client.get(target, within=SOON)
        assert (answer.status, answer.body, answer.complete) == (200, b"part", False)


async def test_a_herd_before_an_origin_that_never_answers_is_504_each(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, _never)
    answers = await asyncio.gather(*(yard.edge.get(target) for _ in range(24)))
    assert {(answer.status, answer.complete) for answer in answers} == {(504, True)}
    assert len(yard.origin.seen(target)) <= 4


async def test_something_stale_beats_an_origin_that_never_answers(yard: Yard) -> None:
    target = yard.target()
    said = {"Cache-Control": "max-age=1, stale-if-error=60", "Age": "1"}
    yard.origin.on(target, Canned(200, said, b"old"))
    assert (await yard.edge.get(target)).body == b"old"
    yard.origin.on(target, _never)
    answer = await yard.edge.get(target)
    assert (answer.status, answer.body) == (200, b"old")


async def test_a_slow_client_holds_up_nobody(yard: Yard) -> None:
    slow = [asyncio.ensure_future(dripping(yard, b"G", b"ET /" + b"a" * 1000)) for _ in range(50)]
    async with await yard.edge.client() as client:
        for _ in range(20):
            assert (await client.get("/quick", within=SOON)).status == 200
    assert {answer.status for answer, _, _ in await asyncio.gather(*slow)} == {408}
