"""s03: a range of what is not stored fetches the whole once, and does not wait for the rest of it."""

from pathlib import Path

import pytest

from tests.kit.bodies import body_of
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRESH = {"Cache-Control": "max-age=600", "ETag": '"v1"'}
SIZE = 6_000_000


async def test_a_range_of_a_large_slow_object_comes_as_soon_as_its_bytes_are_there(
    world: World, origin: ScriptedOrigin
) -> None:
    body, step = body_of("/s03/slow", 0, SIZE), Gate()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": str(SIZE)})
        await connection.send_raw(body[:3_000_000])
        await step.passed()
        await connection.send_raw(body[3_000_000:])

    origin.on("/s03/slow", handler)
    complete = await world.metric("perigee_fills_total", {"outcome": "complete"})
    first = await world.get("/s03/slow", {"Range": "bytes=0-99"})
    assert (first.status, first.body) == (206, body[:100])
    assert first.header("Content-Range") == b"bytes 0-99/6000000"
    middle = await world.get("/s03/slow", {"Range": "bytes=2000000-2000999"})
    assert (middle.status, middle.body) == (206, body[2_000_000:2_001_000])
    async with await world.client() as waits:
        await waits.send_request("GET", "/s03/slow", {"Range": "bytes=-10"})
        assert (await waits.read_head()).status == 206
        step.release()
        assert (await waits.read_rest()).body == body[-10:]
    assert [request.header("Range") for request in origin.seen("/s03/slow")] == [None]
    await world.wait_metric("perigee_fills_total", complete + 1, {"outcome": "complete"})
    later = await world.get("/s03/slow", {"Range": "bytes=5999990-"})
    assert (later.status, later.body) == (206, body[-10:])
    assert b"hit" in (later.header("Cache-Status") or b"")


async def test_several_ranges_of_a_fill_under_way_are_one_multipart(
    world: World, origin: ScriptedOrigin
) -> None:
    body = body_of("/s03/parts", 0, SIZE)
    origin.on("/s03/parts", Canned(200, FRESH, body))
    for _ in range(2):
        answer = await world.get("/s03/parts", {"Range": "bytes=0-9,3000000-3000009,-10"})
        assert answer.status == 206
        assert (answer.header("Content-Type") or b"").startswith(b"multipart/byteranges; boundary=")
        assert answer.complete
        at = [answer.body.find(body[start : start + 10]) for start in (0, 3_000_000, SIZE - 10)]
        assert -1 not in at
        assert at == sorted(at)
    assert len(origin.seen("/s03/parts")) == 1


async def test_a_range_beyond_the_end_is_416_and_the_whole_is_stored_all_the_same(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/s03/beyond", Canned(200, FRESH, b"short"))
    answer = await world.get("/s03/beyond", {"Range": "bytes=10-"})
    assert (answer.status, answer.header("Content-Range")) == (416, b"bytes */5")
    assert (await world.get("/s03/beyond")).body == b"short"
    assert len(origin.seen("/s03/beyond")) == 1


async def test_if_range_with_another_validator_gets_the_whole(world: World, origin: ScriptedOrigin) -> None:
    """RFC 9110 s13.1.5."""
    origin.on("/s03/if", Canned(200, FRESH, b"0123456789"))
    for _ in range(2):
        whole = await world.get("/s03/if", {"Range": "bytes=0-1", "If-Range": '"v0"'})
        assert (whole.status, whole.body) == (200, b"0123456789")
        part = await world.get("/s03/if", {"Range": "bytes=0-1", "If-Range": '"v1"'})
        assert (part.status, part.body) == (206, b"01")
    assert len(origin.seen("/s03/if")) == 1


async def test_a_range_of_what_may_not_be_stored_goes_to_the_origin_as_it_is(
    world: World, origin: ScriptedOrigin
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if request.header("Range"):
            head = {"Cache-Control": "no-store", "Content-Range": "bytes 0-1/10"}
            await connection.send_response(206, head, b"01")
        else:
            await connection.send_response(200, {"Cache-Control": "no-store"}, b"0123456789")

    origin.on("/s03/private", handler)
    for _ in range(2):
        answer = await world.get("/s03/private", {"Range": "bytes=0-1"})
        assert (answer.status, answer.body) == (206, b"01")
    assert [request.header("Range") for request in origin.seen("/s03/private")] == [
        None,
        b"bytes=0-1",
        b"bytes=0-1",
    ]


async def test_a_range_of_a_body_of_unknown_length_is_the_whole_now_and_a_part_once_it_is_stored(
    world: World, origin: ScriptedOrigin
) -> None:
    origin.on("/s03/chunked", Canned(200, FRESH, b"0123456789", chunked=True))
    first = await world.get("/s03/chunked", {"Range": "bytes=0-1"})
    assert first.body in (b"0123456789", b"01")
    assert first.status == (206 if first.body == b"01" else 200)
    second = await world.get("/s03/chunked", {"Range": "bytes=0-1"})
    assert (second.status, second.body) == (206, b"01")
    assert len(origin.seen("/s03/chunked")) == 1


async def test_ranges_come_from_disk_after_a_restart(origin: ScriptedOrigin, tmp_path: Path) -> None:
    body = body_of("/s03/disk", 0, SIZE)
    origin.on("/s03/disk", Canned(200, FRESH, body))
    async with World(tmp_path, origin=origin.url) as world:
        assert (await world.get("/s03/disk", {"Range": "bytes=0-9"})).body == body[:10]
        assert (await world.get("/s03/disk")).body == body
        await world.restart()
        for start in (0, 65_530, 1_000_000, SIZE - 10):
            answer = await world.get("/s03/disk", {"Range": f"bytes={start}-{start + 9}"})
            assert (answer.status, answer.body) == (206, body[start : start + 10])
    assert len(origin.seen("/s03/disk")) == 1
