"""c04: who waits for a fill of another variant gets its own (RFC 9111 s4.1)."""

import pytest

from tests.kit.herd import answers, followed, herd
from tests.kit.origin import OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def by_language(request: OriginRequest, connection: OriginConnection) -> None:
    language = request.header("Accept-Language") or b"none"
    headers = {"Cache-Control": "max-age=600", "Vary": "Accept-Language"}
    await connection.send_response(200, headers, b"in " + language)


async def test_followers_of_another_variant_get_their_own(world: World, origin: ScriptedOrigin) -> None:
    origin.on("/c04/cold", by_language)
    gate = origin.hold("/c04/cold")
    async with (
        herd(world, 10, "/c04/cold", {"Accept-Language": "de"}) as german,
        herd(world, 10, "/c04/cold", {"Accept-Language": "fr"}) as french,
        herd(world, 10, "/c04/cold") as neither,
    ):
        await followed(world, 29)
        gate.release()
        got = [{answer.body for answer in await answers(each)} for each in (german, french, neither)]
    assert got == [{b"in de"}, {b"in fr"}, {b"in none"}]
    assert len(origin.seen("/c04/cold")) <= 6


async def test_where_the_variants_are_known_each_has_a_fill_of_its_own(
    world: World, origin: ScriptedOrigin
) -> None:
    """What is stored says how the URI varies: those for another variant wait for nobody else's."""
    origin.on("/c04/warm", by_language)
    await world.get("/c04/warm")
    gate = origin.hold("/c04/warm")
    async with (
        herd(world, 10, "/c04/warm", {"Accept-Language": "de"}) as german,
        herd(world, 10, "/c04/warm", {"Accept-Language": "fr"}) as french,
    ):
        await gate.wait_waiting(2)
        await followed(world, 18)
        gate.release()
        got = [{answer.body for answer in await answers(each)} for each in (german, french)]
    assert got == [{b"in de"}, {b"in fr"}]
    assert len(origin.seen("/c04/warm")) == 3
