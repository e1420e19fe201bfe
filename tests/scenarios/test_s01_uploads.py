"""s01: request bodies stream through with back-pressure; one that breaks off never looks finished."""

import hashlib
from pathlib import Path

import pytest

from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.waiting import PATIENCE
from tests.kit.world import World
from tests.scenarios.conftest import site_file
from tools.benching.processes import resident_bytes

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIECE = hashlib.shake_128(b"piece").digest(1_000_000)
PIECES = 200
WHOLE = len(PIECE) * PIECES


async def digest_of(connection: OriginConnection, length: int) -> tuple[int, str]:
    """Read a body of known length in the origin without keeping it."""
    digest, left = hashlib.sha256(), length
    while left and (data := await connection.read_some(min(left, 1 << 18))):
        digest.update(data)
        left -= len(data)
    return length - left, digest.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_200_mb_pass_through_whole_and_memory_stays_flat(
    origin: ScriptedOrigin, tmp_path: Path, method: str
) -> None:
    begin, got = Gate(), []

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await begin.passed()
        got.append(await digest_of(connection, WHOLE))
        request.complete = True
        await connection.send_response(201, {}, b"taken")

    origin.on("/s01/large", handler, read_body=False)
    async with World(tmp_path, origin=origin.url) as world, await world.client() as client:
        (worker,) = world.worker_pids
        await world.get("/s01/warm")
        before = resident_bytes(worker, "VmHWM")
        await client.send(
            f"{method} /s01/large HTTP/1.1\r\nHost: a\r\nContent-Length: {WHOLE}\r\n\r\n".encode()
        )
        await begin.wait_waiting(1)
        begin.release()
        for _ in range(PIECES):
            await client.send(PIECE)
        answer = await client.read_answer(method, within=6 * PATIENCE)
        grown = resident_bytes(worker, "VmHWM") - before
    assert (answer.status, answer.body) == (201, b"taken")
    wanted = hashlib.sha256()
    for _ in range(PIECES):
        wanted.update(PIECE)
    assert got == [(WHOLE, wanted.hexdigest())]
    assert grown < 16_000_000, f"the worker grew by {grown} bytes"


async def test_an_origin_that_does_not_read_stops_the_client(world: World, origin: ScriptedOrigin) -> None:
    """What is on the way is bounded by the buffers: the client can not send all of its body."""
    begin, got = Gate(), []

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await begin.passed()
        got.append((await digest_of(connection, 60_000_000))[0])
        request.complete = True
        await connection.send_response(204)

    origin.on("/s01/paused", handler, read_body=False)
    async with await world.client() as client:
        await client.send(b"PUT /s01/paused HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n")
        await begin.wait_waiting(1)
        taken = await client.send_until_stuck(PIECE, 60)
        assert taken < 60
        begin.release()
        for _ in range(60 - taken - 1):
            await client.send(PIECE)
        assert (await client.read_answer("PUT")).status == 204
    assert got == [60_000_000]


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("end", ["reset", "close"])
async def test_a_client_that_aborts_leaves_a_broken_request_at_the_origin(
    world: World, origin: ScriptedOrigin, framing: str, end: str
) -> None:
    """RFC 9112 s8. Varnish 7.1 sends the final chunk here, and the origin takes half a file for a whole one."""
    path, ended = f"/s01/abort-{framing}-{end}", Gate()
    raw = bytearray()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        try:
            while data := await connection.read_some():
                raw.extend(data)
        except ConnectionError:
            pass
        await ended.passed()

    origin.on(path, handler, read_body=False)
    line = "Content-Length: 100" if framing == "length" else "Transfer-Encoding: chunked"
    part = b"x" * 40 if framing == "length" else b"28\r\n" + b"x" * 40 + b"\r\n"
    client = await world.client()
    await client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode() + part)
    await origin.wait_requests(1, path)
    client.abort() if end == "reset" else await client.close()
    await ended.wait_waiting(1)
    ended.release()
    assert raw.count(b"x") <= 40
    assert not raw.endswith(b"0\r\n\r\n")
    assert len(origin.seen(path)) == 1


async def test_expect_100_continue_is_answered_when_the_origin_wants_the_body(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9110 s10.1.1."""
    origin.on("/s01/expect", Canned(201, {}, b"made"))
    async with await world.client() as client:
        await client.send(
            b"PUT /s01/expect HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await client.read_raw()) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert (await client.read_answer("PUT")).status == 201
    assert origin.seen("/s01/expect")[0].body == b"body"


async def test_an_early_refusal_reaches_the_client_in_mid_upload(
    world: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.read_some(10)
        await connection.send_response(413, {"Connection": "close"}, b"too much")

    origin.on("/s01/refused", handler, read_body=False)
    async with await world.client() as client:
        await client.send(b"POST /s01/refused HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
        await client.send(PIECE[:1000])
        answer = await client.read_answer("POST")
    assert (answer.status, answer.body) == (413, b"too much")
    assert answer.header("Connection") == b"close"
    assert len(origin.seen("/s01/refused")) == 1


async def test_an_upload_is_sent_once_also_when_the_origin_breaks_off(
    world: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        connection.reset()

    origin.on("/s01/once", handler)
    answer = await world.request("POST", "/s01/once", body=b"x" * 1000)
    assert answer.status == 502
    assert len(origin.seen("/s01/once")) == 1


async def test_a_body_beyond_the_sites_bound_is_413_and_the_origin_sees_nothing(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    config = site_file(origin.url, '[site.limits]\nmax_request_body = "1KiB"\n')
    origin.on("/s01/bound", Canned(200))
    async with World(tmp_path, origin=None, config=config) as world, await world.client() as client:
        assert (await world.request("POST", "/s01/bound", body=b"x" * 1025)).status == 413
        assert origin.seen("/s01/bound") == []
        await client.send(b"POST /s01/bound HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.send(b"400\r\n" + b"x" * 1024 + b"\r\n" + b"1\r\nx\r\n0\r\n\r\n")
        assert (await client.read_answer("POST")).status == 413
    assert not any(request.complete for request in origin.seen("/s01/bound"))
