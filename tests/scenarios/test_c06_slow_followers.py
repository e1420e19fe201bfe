"""c06: everybody reads at his own pace; the slow neither hold up the quick nor make memory grow."""

from pathlib import Path

import pytest

from tests.kit.bodies import body_of
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World
from tests.scenarios.conftest import site_file

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600"}
NO_DISK = '[disk]\ncapacity = "off"\n'
LARGE = 12_000_000
"""More than a fill holds in memory and all socket buffers of a connection take."""


async def test_a_reader_who_stands_still_holds_up_nobody(world: World, origin: ScriptedOrigin) -> None:
    body = body_of("/c06/large", 0, LARGE)
    origin.on("/c06/large", Canned(200, FRESH, body))
    gate = origin.hold("/c06/large")
    async with await world.client() as slow, await world.client() as quick:
        await slow.send_request("GET", "/c06/large")
        slow.pause_reading()
        await gate.wait_waiting(1)
        await quick.send_request("GET", "/c06/large")
        await world.wait_metric("perigee_fills_followed", 1)
        gate.release()
        assert (await quick.read_answer()).body == body
        # The fill is over; the slow one goes on behind it and loses nothing.
        slow.resume_reading()
        got = await slow.read_answer()
    assert got.complete
    assert got.body == body
    assert len(origin.seen("/c06/large")) == 1


async def test_without_a_disk_who_stands_still_is_cut_off_and_the_others_get_all(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    """The fill waits for the slowest of its readers, and limits.reader_stall bounds that."""
    body = body_of("/c06/no-disk", 0, LARGE)
    origin.on("/c06/no-disk", Canned(200, FRESH, body))
    gate = origin.hold("/c06/no-disk")
    config = site_file(origin.url, node=NO_DISK + '[limits]\nreader_stall = "300ms"\n')
    async with (
        World(tmp_path, origin=None, config=config) as world,
        await world.client() as slow,
        await world.client() as quick,
    ):
        await slow.send_request("GET", "/c06/no-disk")
        slow.pause_reading()
        await gate.wait_waiting(1)
        await quick.send_request("GET", "/c06/no-disk")
        await world.wait_metric("perigee_fills_followed", 1)
        gate.release()
        assert (await quick.read_answer()).body == body
        assert await world.metric("perigee_bound_reached_total", {"bound": "reader_stall"}) == 1
    assert len(origin.seen("/c06/no-disk")) == 1


async def test_who_comes_when_the_beginning_is_gone_gets_a_fetch_of_his_own(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    """Without a disk the first bytes of a large body are soon nowhere any more."""
    body, step = body_of("/c06/late", 0, LARGE), Gate()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": str(LARGE)})
        await connection.send_raw(body[:8_000_000])
        if len(origin.seen("/c06/late")) == 1:
            await step.passed()
        await connection.send_raw(body[8_000_000:])

    origin.on("/c06/late", handler)
    async with (
        World(tmp_path, origin=None, config=site_file(origin.url, node=NO_DISK)) as world,
        await world.client() as first,
    ):
        await first.send_request("GET", "/c06/late")
        await first.read_head()
        await first.read_body_until(8_000_000)
        late = await world.get("/c06/late")
        assert (late.complete, late.body == body) == (True, True)
        step.release()
        assert (await first.read_rest()).body == body


async def test_without_a_disk_what_fits_into_memory_is_kept_there(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    body = body_of("/c06/middle", 0, 3_000_000)
    origin.on("/c06/middle", Canned(200, FRESH, body))
    async with World(tmp_path, origin=None, config=site_file(origin.url, node=NO_DISK)) as world:
        for _ in range(2):
            assert (await world.get("/c06/middle")).body == body
    assert len(origin.seen("/c06/middle")) == 1
