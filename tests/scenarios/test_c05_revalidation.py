"""c05: what has expired is validated once for all who want it, in the foreground and behind their backs."""

import pytest

from tests.kit.herd import answers, followed, herd
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXPIRED = {"Cache-Control": "max-age=60", "Age": "100", "ETag": '"v1"'}
"""Stale as soon as it is stored, so that nobody has to wait."""
FRESH = {"Cache-Control": "max-age=600", "ETag": '"v1"'}


def validating(first: dict[str, str], then: dict[str, str]):
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if request.header("If-None-Match") == b'"v1"':
            await connection.send_response(304, then)
        else:
            await connection.send_response(200, first, b"body")

    return handler


async def test_fifty_clients_on_an_expired_object_are_one_conditional_request(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/c05/expired", validating(EXPIRED, FRESH))
    await world.get("/c05/expired")
    gate = origin.hold("/c05/expired")
    async with herd(world, 50, "/c05/expired") as clients:
        await followed(world, 49)
        gate.release()
        got = await answers(clients)
    assert {(answer.status, answer.body) for answer in got} == {(200, b"body")}
    seen = origin.seen("/c05/expired")
    assert [request.header("If-None-Match") for request in seen] == [None, b'"v1"']


async def test_a_client_with_the_same_validator_gets_304_from_the_same_fill(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/c05/both", validating(EXPIRED, FRESH))
    await world.get("/c05/both")
    gate = origin.hold("/c05/both")
    async with (
        herd(world, 1, "/c05/both") as plain,
        herd(world, 5, "/c05/both", {"If-None-Match": '"v1"'}) as knowing,
        herd(world, 5, "/c05/both", {"If-None-Match": '"v0"'}) as mistaken,
    ):
        await followed(world, 10)
        gate.release()
        got = [await answers(each) for each in (plain, knowing, mistaken)]
    assert [{answer.status for answer in each} for each in got] == [{200}, {304}, {200}]
    assert {answer.body for answer in got[2]} == {b"body"}
    assert len(origin.seen("/c05/both")) == 2


async def test_a_changed_object_is_fetched_once_for_all(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/c05/changed", [Canned(200, EXPIRED, b"old"), Canned(200, {**FRESH, "ETag": '"v2"'}, b"new")])
    await world.get("/c05/changed")
    gate = origin.hold("/c05/changed")
    async with herd(world, 50, "/c05/changed") as clients:
        await followed(world, 49)
        gate.release()
        got = await answers(clients)
    assert {answer.body for answer in got} == {b"new"}
    assert len(origin.seen("/c05/changed")) == 2


async def test_behind_the_backs_of_many_clients_there_is_one_revalidation(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 5861 s3. The clients are served stale and never wait."""
    expired = {**EXPIRED, "Cache-Control": "max-age=60, stale-while-revalidate=600"}
    origin.on("/c05/behind", validating(expired, FRESH))
    await world.get("/c05/behind")
    gate = origin.hold("/c05/behind")
    async with herd(world, 50, "/c05/behind") as clients:
        got = await answers(clients)
        await gate.wait_waiting(1)
        complete = await world.metric("perigee_fills_total", {"outcome": "complete"})
        gate.release()
        await world.wait_metric("perigee_fills_total", complete + 1, {"outcome": "complete"})
    assert {(answer.status, answer.body) for answer in got} == {(200, b"body")}
    assert all(b"stale-while-revalidate" in (a.header("Cache-Status") or b"") for a in got)
    assert len(origin.seen("/c05/behind")) == 2
    assert b"hit" in ((await world.get("/c05/behind")).header("Cache-Status") or b"")
    assert len(origin.seen("/c05/behind")) == 2


async def test_what_says_no_cache_is_validated_for_each_request(world: World, origin: ScriptedOrigin) -> None:
    """RFC 9111 s5.2.2.4."""
    no_cache = {"Cache-Control": "no-cache", "ETag": '"v1"'}
    origin.on("/c05/no-cache", validating(no_cache, no_cache))
    for asked in range(1, 4):
        answer = await world.get("/c05/no-cache")
        assert (answer.status, answer.body) == (200, b"body")
        seen = origin.seen("/c05/no-cache")
        assert len(seen) == asked
        assert seen[-1].header("If-None-Match") == (b'"v1"' if asked > 1 else None)


async def test_who_waits_for_what_says_no_cache_has_it_validated_for_himself(
    world: World, origin: ScriptedOrigin
) -> None:
    no_cache = {"Cache-Control": "no-cache", "ETag": '"v1"'}
    origin.on("/c05/each", validating(no_cache, no_cache))
    gate = origin.hold("/c05/each")
    async with herd(world, 8, "/c05/each") as clients:
        await followed(world, 7)
        gate.release()
        got = await answers(clients)
    assert {(answer.status, answer.body) for answer in got} == {(200, b"body")}
    assert len(origin.seen("/c05/each")) == 8


async def test_a_304_that_nobody_asked_for_is_no_answer_to_anybody(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9110 s15.4.5: the request was not conditional."""
    origin.on("/c05/unasked", Canned(304, {**FRESH, "ETag": '"other"'}))
    gate = origin.hold("/c05/unasked")
    async with herd(world, 10, "/c05/unasked") as clients:
        await followed(world, 9)
        gate.release()
        got = await answers(clients)
    assert {answer.status for answer in got} == {502}
    assert len(origin.seen("/c05/unasked")) == 2
    origin.on("/c05/unasked", Canned(200, FRESH, b"body"))
    assert (await world.get("/c05/unasked")).body == b"body"
