"""u01: after an unsafe method's success nothing older is served by any worker, from memory or from disk (RFC 9111 s4.4)."""

import asyncio

import pytest

from tests.kit.bodies import body_of
from tests.kit.herd import answers, followed, herd
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600"}


def changing(origin: ScriptedOrigin, path: str, *, status: int = 200, length: int = 20) -> None:
    """A resource whose version is the number of unsafe requests that it had so far."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        version = sum(seen.method not in (b"GET", b"HEAD") for seen in origin.seen(path))
        if request.method == b"GET":
            await connection.send_response(200, FRESH, body_of(path, version, length))
        else:
            await connection.send_response(status, {}, b"")

    origin.on(path, handler)


@pytest.mark.parametrize("length", [20, 200_000, 6_000_000], ids=["row", "file", "spooled"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_what_was_stored_is_gone(
    world: World, origin: ScriptedOrigin, method: str, length: int
) -> None:
    path = f"/u01/{method}/{length}"
    changing(origin, path, length=length)
    for _ in range(2):
        assert (await world.get(path)).body == body_of(path, 0, length)
    assert len(origin.seen(path)) == 1
    assert (await world.request(method, path, body=b"x")).status == 200
    for _ in range(2):
        assert (await world.get(path)).body == body_of(path, 1, length)
    assert len(origin.seen(path)) == 3


@pytest.mark.parametrize(
    "method,status", [("GET", 200), ("HEAD", 200), ("OPTIONS", 200), ("POST", 400), ("PUT", 500)]
)
async def test_a_safe_method_or_a_failure_forgets_nothing(
    world: World, origin: ScriptedOrigin, method: str, status: int
) -> None:
    path = f"/u01/{method}-{status}"
    changing(origin, path, status=status)
    await world.get(path)
    await world.request(method, path)
    assert b"hit" in ((await world.get(path)).header("Cache-Status") or b"")


async def test_all_variants_are_gone(world: World, origin: ScriptedOrigin) -> None:
    path = "/u01/variants"
    varied = {**FRESH, "Vary": "X"}
    origin.on(path, Canned(200, varied, b"old"))
    for value in "123":
        await world.get(path, {"X": value})
    await world.request("DELETE", path)
    origin.on(path, Canned(200, varied, b"new"))
    assert [(await world.get(path, {"X": value})).body for value in "123"] == [b"new"] * 3


async def test_location_and_content_location_are_gone_where_they_are_of_the_same_origin(
    world: World, origin: ScriptedOrigin
) -> None:
    for path in ("/u01/made", "/u01/named", "/u01/other"):
        changing(origin, path)
        await world.get(path)
    told = {"Location": "/u01/made", "Content-Location": f"{world.url}/u01/named"}
    origin.on("/u01/maker", Canned(201, told))
    assert (await world.request("POST", "/u01/maker", body=b"x")).status == 201
    origin.on("/u01/stranger", Canned(201, {"Location": "http://elsewhere.test/u01/other"}))
    await world.request("POST", "/u01/stranger", body=b"x")
    words = [
        (await world.get(path)).header("Cache-Status") or b""
        for path in ("/u01/made", "/u01/named", "/u01/other")
    ]
    assert [b"hit" in word for word in words] == [False, False, True]


@pytest.mark.parametrize("length", [20, 6_000_000], ids=["small", "spooled"])
async def test_a_fill_under_way_stores_nothing_and_is_not_joined(
    world: World, origin: ScriptedOrigin, length: int
) -> None:
    """It asked before the change; whoever asks after it must not get what it brings."""
    path, step = f"/u01/under-way-{length}", Gate()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if request.method != b"GET":
            await connection.send_response(204)
        elif len(origin.seen(path)) == 1:
            old = body_of(path, 0, length)
            await connection.send_head(200, {**FRESH, "Content-Length": str(length)})
            await connection.send_raw(old[: length // 2])
            await step.passed()
            await connection.send_raw(old[length // 2 :])
        else:
            await connection.send_response(200, FRESH, body_of(path, 1, length))

    origin.on(path, handler)
    async with herd(world, 5, path) as before:
        for client in before:
            await client.read_head()
        assert (await world.request("PUT", path, body=b"new")).status == 204
        assert (await world.get(path)).body == body_of(path, 1, length)
        step.release()
        got = await asyncio.gather(*(client.read_rest() for client in before))
    assert all(answer.body == body_of(path, 0, length) for answer in got)
    after = await world.get(path)
    assert after.body == body_of(path, 1, length)
    assert len(origin.seen(path)) == 3


async def test_those_who_wait_for_a_head_when_the_change_comes_were_there_before_it(
    world: World, origin: ScriptedOrigin
) -> None:
    """They may get the old answer; nobody after them may."""
    path = "/u01/waiting"
    changing(origin, path)
    gate = origin.hold(path)
    async with herd(world, 5, path) as before, await world.client() as writer:
        await followed(world, 4)
        await writer.send_request("PUT", path, body=b"x")
        await gate.wait_waiting(2)
        gate.release()
        assert (await writer.read_answer("PUT")).status == 200
        after = await world.get(path)
        assert {answer.status for answer in await answers(before)} == {200}
    assert after.body == body_of(path, 1, 20)
    assert (await world.get(path)).body == body_of(path, 1, 20)


async def test_every_worker_forgets_before_the_writer_hears_of_it(
    pair: World, origin: ScriptedOrigin
) -> None:
    """Each connection is another worker's by chance; twenty are of both."""
    path = "/u01/pair"
    changing(origin, path)
    for version in range(5):
        async with herd(pair, 20, path) as clients:
            assert {answer.body for answer in await answers(clients)} == {body_of(path, version, 20)}
        assert (await pair.request("POST", path, body=b"x")).status == 200
    assert len(origin.seen(path)) <= 5 + 5 * 2
