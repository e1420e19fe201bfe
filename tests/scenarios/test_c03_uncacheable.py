"""c03: an answer for one client alone releases all who waited for it, and the key is remembered as such."""

import asyncio

import pytest

from tests.kit.herd import answers, followed, herd
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def numbered(request: OriginRequest, connection: OriginConnection) -> None:
    """Every answer is another one, for its client alone."""
    await connection.send_response(200, {"Cache-Control": "private"}, b"%d" % request.number)


async def test_waiting_clients_get_an_answer_of_their_own_all_at_once(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/c03/private", numbered)
    gate = origin.hold("/c03/private")
    async with herd(world, 20, "/c03/private") as clients:
        await followed(world, 19)
        assert len(origin.seen("/c03/private")) == 1
        gate.release()
        gate = origin.hold("/c03/private")
        reading = asyncio.gather(*(client.read_answer() for client in clients))
        # All of them stand at the origin together: nobody queues behind another.
        await gate.wait_waiting(19)
        gate.release()
        got = await reading
    assert {answer.status for answer in got} == {200}
    assert len({answer.body for answer in got}) == 20
    assert len(origin.seen("/c03/private")) == 20


async def test_the_next_clients_do_not_even_wait(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/c03/again", numbered)
    await world.get("/c03/again")
    gate = origin.hold("/c03/again")
    async with herd(world, 10, "/c03/again") as clients:
        await gate.wait_waiting(10)
        gate.release()
        got = await answers(clients)
    assert len({answer.body for answer in got}) == 10


async def test_a_storable_answer_ends_the_memory(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/c03/turned", [Canned(200, {"Cache-Control": "private"}, b"1")])
    await world.get("/c03/turned")
    origin.on("/c03/turned", Canned(200, {"Cache-Control": "max-age=600"}, b"2"))
    await world.get("/c03/turned")
    assert (await world.get("/c03/turned")).body == b"2"
    assert len(origin.seen("/c03/turned")) == 2


async def test_a_stranger_never_gets_what_came_for_a_client_with_authorization(
    world: World, origin: ScriptedOrigin
) -> None:
    """RFC 9111 s3.5. The one with Authorization leads; the others follow him, and then ask for themselves."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        who = request.header("Authorization") or b"nobody"
        await connection.send_response(200, {"Cache-Control": "max-age=600"}, b"for " + who)

    origin.on("/c03/known", handler)
    gate = origin.hold("/c03/known")
    async with herd(world, 1, "/c03/known", {"Authorization": "me"}) as knows:
        await gate.wait_waiting(1)
        async with herd(world, 10, "/c03/known") as clients:
            await followed(world, 10)
            gate.release()
            got, mine = await answers(clients), await answers(knows)
    assert mine[0].body == b"for me"
    assert {answer.body for answer in got} == {b"for nobody"}
