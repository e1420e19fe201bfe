"""c01: a herd on a cold URL is one request to the origin, and everybody gets the bytes as they come."""

import asyncio

import pytest

from tests.kit.bodies import body_of
from tests.kit.herd import answers, followed, herd
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600"}


async def test_a_hundred_clients_on_a_cold_url_are_one_request(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/c01/hundred", Canned(200, FRESH, b"for all"))
    gate = origin.hold("/c01/hundred")
    async with herd(world, 100, "/c01/hundred") as clients:
        await followed(world, 99)
        gate.release()
        got = await answers(clients)
    assert {(answer.status, answer.body) for answer in got} == {(200, b"for all")}
    assert len(origin.seen("/c01/hundred")) == 1
    collapsed = [answer for answer in got if b"collapsed" in (answer.header("Cache-Status") or b"")]
    assert len(collapsed) == 99
    assert b"hit" in ((await world.get("/c01/hundred")).header("Cache-Status") or b"")


async def test_followers_read_on_while_the_origin_still_sends(world: World, origin: ScriptedOrigin) -> None:
    body = body_of("/c01/stream", 0, 30_000)
    steps = [Gate("first"), Gate("second")]

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": "30000"})
        for step, start in zip(steps, (0, 10_000), strict=True):
            await connection.send_raw(body[start : start + 10_000])
            await step.passed()
        await connection.send_raw(body[20_000:])

    origin.on("/c01/stream", handler)
    async with herd(world, 10, "/c01/stream") as clients:
        for client in clients:
            assert (await client.read_head()).status == 200
            assert await client.read_body_until(10_000) == body[:10_000]
        async with herd(world, 5, "/c01/stream") as late:
            for client in late:
                await client.read_head()
                assert await client.read_body_until(10_000) == body[:10_000]
            steps[0].release()
            for client in clients + late:
                assert await client.read_body_until(20_000) == body[:20_000]
            steps[1].release()
            got = await asyncio.gather(*(client.read_rest() for client in clients + late))
    assert all(answer.complete and answer.body == body for answer in got)
    assert len(origin.seen("/c01/stream")) == 1


async def test_followers_of_a_chunked_body_see_each_chunk_and_its_end(
    world: World, origin: ScriptedOrigin
) -> None:
    step = Gate()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Transfer-Encoding": "chunked"})
        await connection.send_chunk(b"one ")
        await step.passed()
        await connection.send_chunk(b"two")
        await connection.send_last_chunk()

    origin.on("/c01/chunked", handler)
    async with herd(world, 5, "/c01/chunked") as clients:
        for client in clients:
            await client.read_head()
            assert await client.read_body_until(4) == b"one "
        step.release()
        got = await asyncio.gather(*(client.read_rest() for client in clients))
    assert all(answer.complete and answer.body == b"one two" for answer in got)
    assert len(origin.seen("/c01/chunked")) == 1
    again = await world.get("/c01/chunked")
    assert (again.body, again.header("Content-Length")) == (b"one two", b"7")


async def test_two_workers_are_one_request_for_the_node(pair: World, origin: ScriptedOrigin) -> None:
    """Both workers have clients, the key has one owner; all misses meet there."""
    origin.on("/c01/pair", Canned(200, FRESH, b"for both"))
    gate = origin.hold("/c01/pair")
    async with herd(pair, 40, "/c01/pair") as clients:
        # The other worker's leader follows, too, or leads at the owner: 38 followers of clients at the least.
        await followed(pair, 38)
        gate.release()
        got = await answers(clients)
    assert {(answer.status, answer.body) for answer in got} == {(200, b"for both")}
    assert len(origin.seen("/c01/pair")) == 1
