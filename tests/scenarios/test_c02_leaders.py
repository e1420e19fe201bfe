"""c02: the client that caused a fill leaves, or its fill dies: nobody hangs, nobody takes a part for the whole."""

import asyncio

import pytest

from tests.kit.answer import Ending
from tests.kit.bodies import body_of
from tests.kit.herd import answers, followed, herd
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600"}


async def test_a_fill_goes_on_without_the_client_that_caused_it(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/c02/left", Canned(200, FRESH, b"kept"))
    gate = origin.hold("/c02/left")
    client = await world.client()
    await client.send_request("GET", "/c02/left")
    await gate.wait_waiting(1)
    complete = await world.metric("perigee_fills_total", {"outcome": "complete"})
    client.abort()
    gate.release()
    await world.wait_metric("perigee_fills_total", complete + 1, {"outcome": "complete"})
    again = await world.get("/c02/left")
    assert (again.body, len(origin.seen("/c02/left"))) == (b"kept", 1)
    assert b"hit" in (again.header("Cache-Status") or b"")


async def test_a_body_goes_on_without_the_client_that_caused_it(world: World, origin: ScriptedOrigin) -> None:
    """Also a large one, of which nobody reads a byte any more."""
    body, step = body_of("/c02/large", 0, 6_000_000), Gate()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": str(len(body))})
        await connection.send_raw(body[:100_000])
        await step.passed()
        await connection.send_raw(body[100_000:])

    origin.on("/c02/large", handler)
    client = await world.client()
    await client.send_request("GET", "/c02/large")
    await client.read_head()
    await client.read_body_until(50_000)
    complete = await world.metric("perigee_fills_total", {"outcome": "complete"})
    client.abort()
    step.release()
    await world.wait_metric("perigee_fills_total", complete + 1, {"outcome": "complete"})
    assert (await world.get("/c02/large")).body == body
    assert len(origin.seen("/c02/large")) == 1


async def test_when_the_origin_resets_before_a_head_the_followers_try_once_more_and_hear_of_it(
    world: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        connection.reset()

    origin.on("/c02/reset", handler)
    gate = origin.hold("/c02/reset")
    async with herd(world, 24, "/c02/reset") as clients:
        await followed(world, 23)
        gate.release()
        got = await answers(clients)
    assert {answer.status for answer in got} == {502}
    assert all(b"connection_terminated" in (answer.header("Proxy-Status") or b"") for answer in got)
    # Two fills. The first may be sent again, as it is safe and no byte was answered; the second is a repetition itself.
    assert len(origin.seen("/c02/reset")) <= 3


async def test_when_the_leaders_fill_fails_a_follower_takes_over_and_the_rest_follow_him(
    world: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if len(origin.seen("/c02/handed")) == 1:
            await connection.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
        else:
            await connection.send_response(200, FRESH, b"second try")

    origin.on("/c02/handed", handler)
    gate = origin.hold("/c02/handed")
    async with herd(world, 24, "/c02/handed") as clients:
        await followed(world, 23)
        gate.release()
        got = await answers(clients)
    assert sorted(answer.status for answer in got) == [200] * 23 + [502]
    assert {answer.body for answer in got if answer.status == 200} == {b"second try"}
    assert len(origin.seen("/c02/handed")) == 2


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_when_the_origin_resets_in_mid_body_all_are_cut_and_nothing_is_stored(
    world: World, origin: ScriptedOrigin, framing: str
) -> None:
    target, steps = f"/c02/cut-{framing}", Gate()
    head = {"Content-Length": "100"} if framing == "length" else {"Transfer-Encoding": "chunked"}

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if len(origin.seen(target)) > 1:
            await connection.send_response(200, FRESH, b"whole")
            return
        await connection.send_head(200, {**FRESH, **head})
        await (connection.send_raw if framing == "length" else connection.send_chunk)(b"x" * 40)
        await steps.passed()
        connection.reset()

    origin.on(target, handler)
    async with herd(world, 24, target) as clients:
        for client in clients:
            assert (await client.read_head()).status == 200
            assert await client.read_body_until(40) == b"x" * 40
        steps.release()
        got = await asyncio.gather(*(client.read_rest() for client in clients))
    assert not any(answer.complete for answer in got)
    assert all(answer.ending is not Ending.OPEN for answer in got)
    assert len(origin.seen(target)) == 1
    again = await world.get(target)
    assert (again.body, len(origin.seen(target))) == (b"whole", 2)


@pytest.mark.slow
async def test_an_origin_that_never_answers_is_504_for_all_and_others_are_not_held_up(
    hasty: World, origin: ScriptedOrigin
) -> None:
    async def stall(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.stall()

    origin.on("/c02/stall", stall)
    origin.on("/c02/other", Canned(200, FRESH, b"quick"))
    async with herd(hasty, 24, "/c02/stall") as clients:
        await origin.wait_requests(1, "/c02/stall")
        assert (await hasty.get("/c02/other")).body == b"quick"
        got = await answers(clients)
    assert {answer.status for answer in got} == {504}
    assert all(b"connection_read_timeout" in (a.header("Proxy-Status") or b"") for a in got)
    assert len(origin.seen("/c02/stall")) <= 2


@pytest.mark.slow
async def test_an_origin_that_stalls_in_mid_body_is_a_cut_for_all(
    hasty: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": "100"})
        await connection.send_raw(b"x" * 40)
        await connection.stall()

    origin.on("/c02/stall-body", handler)
    async with herd(hasty, 24, "/c02/stall-body") as clients:
        got = await answers(clients)
    assert {(a.status, a.body, a.complete) for a in got} == {(200, b"x" * 40, False)}
