"""e01: an origin that is down, ill or lying: stale where allowed, an honest error elsewhere, and nothing broken kept."""

import pytest

from tests.kit.herd import answers, followed, herd
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600", "ETag": '"v1"'}
EXPIRED = {"Cache-Control": "max-age=60, stale-if-error=600", "Age": "100", "ETag": '"v1"'}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failing_origin_is_stood_in_for_by_what_is_stale(
    world: World, origin: ScriptedOrigin, status: int
) -> None:
    """RFC 5861 s4: one attempt for all who wait, and all get the stale one."""
    path = f"/e01/ill-{status}"
    origin.on(path, [Canned(200, EXPIRED, b"old"), Canned(status, {}, b"ill")])
    await world.get(path)
    gate = origin.hold(path)
    async with herd(world, 20, path) as clients:
        await followed(world, 19)
        gate.release()
        got = await answers(clients)
    assert {(answer.status, answer.body) for answer in got} == {(200, b"old")}
    assert all(b"stale-if-error" in (a.header("Cache-Status") or b"") for a in got)
    assert len(origin.seen(path)) == 2


async def test_an_origin_that_is_down_is_stood_in_for_and_an_error_where_nothing_is_held(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/e01/down", Canned(200, {**EXPIRED, "Connection": "close"}, b"old"))
    await world.get("/e01/down")
    await origin.stop_listening()
    try:
        for connection in origin.connections:
            if connection.open:
                connection.reset()
        assert (await world.get("/e01/down")).body == b"old"
        async with herd(world, 10, "/e01/down") as clients:
            assert {answer.body for answer in await answers(clients)} == {b"old"}
        nothing = await world.get("/e01/nothing")
        assert nothing.status == 502
        assert b"connection_refused" in (nothing.header("Proxy-Status") or b"")
    finally:
        await origin.listen()
    origin.on("/e01/nothing", Canned(200, FRESH, b"back"))
    assert (await world.get("/e01/nothing")).body == b"back"


async def test_must_revalidate_forbids_it(world: World, origin: ScriptedOrigin) -> None:
    """RFC 9111 s5.2.2.2."""
    strict = {"Cache-Control": "max-age=60, must-revalidate", "Age": "100", "ETag": '"v1"'}
    origin.on("/e01/strict", [Canned(200, strict, b"old"), Canned(503, {}, b"ill")])
    await world.get("/e01/strict")
    assert (await world.get("/e01/strict")).status == 503


async def test_an_error_without_a_lifetime_is_not_kept(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/e01/error", [Canned(500, {}, b"ill"), Canned(200, FRESH, b"well")])
    assert (await world.get("/e01/error")).status == 500
    assert (await world.get("/e01/error")).body == b"well"


LIES = {
    "too short": b"Content-Length: 10\r\n\r\nshort",
    "no last chunk": b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "cut in a chunk": b"Transfer-Encoding: chunked\r\n\r\na\r\nshort",
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_body_that_ends_too_early_is_a_cut_and_is_not_kept(
    world: World, origin: ScriptedOrigin, lie: str, end: str
) -> None:
    path = f"/e01/lie-{list(LIES).index(lie)}-{end}"

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if len(origin.seen(path)) > 1:
            await connection.send_response(200, FRESH, b"whole body")
            return
        await connection.send_raw(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n" + LIES[lie])
        if end == "close":
            await connection.close()
        else:
            await gate.passed()
            connection.reset()

    origin.on(path, handler)
    gate = origin.hold(path + "-end")
    async with await world.client() as client:
        await client.send_request("GET", path)
        await client.read_head()
        await client.read_body_until(5)
        gate.release()
        assert not (await client.read_rest()).complete
    assert (await world.get(path)).body == b"whole body"


async def test_bytes_beyond_the_declared_length_are_nobodys(world: World, origin: ScriptedOrigin) -> None:
    """The connection is destroyed: its next user must not read them as an answer."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\nbody"
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        await connection.stall()

    origin.on("/e01/more", handler)
    origin.on("/e01/next", Canned(200, FRESH, b"good"))
    for _ in range(3):
        assert (await world.get("/e01/more")).body == b"body"
        assert (await world.get("/e01/next")).body == b"good"
