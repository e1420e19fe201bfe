"""d01: what is on disk outlives the process, and what is damaged there is a miss, never an answer."""

import resource
from pathlib import Path

import pytest

from tests.kit.bodies import body_of
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World
from tests.scenarios.conftest import site_file

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

FRESH = {"Cache-Control": "max-age=600"}
LENGTHS = (0, 20, 40_000, 300_000, 3_000_000, 6_000_000)
"""A row, files, what memory takes and what only the disk does."""


def objects(origin: ScriptedOrigin, place: str) -> dict[str, bytes]:
    """A resource of each length: target to body."""
    bodies = {f"{place}/{length}": body_of(f"{place}/{length}", 0, length) for length in LENGTHS}
    for target, body in bodies.items():
        origin.on(target, Canned(200, {**FRESH, "X-Of": target}, body))
    return bodies


async def all_right(world: World, bodies: dict[str, bytes]) -> list[bytes]:
    """Ask for all; each must be right. Their Cache-Status."""
    words = []
    for target, body in bodies.items():
        answer = await world.get(target)
        assert (answer.status, answer.complete) == (200, True)
        assert answer.body == body, target
        assert answer.header("X-Of") == target.encode()
        words.append(answer.header("Cache-Status") or b"")
    return words


async def test_a_restart_serves_from_disk(origin: ScriptedOrigin, tmp_path: Path) -> None:
    bodies = objects(origin, "/d01/restart")
    async with World(tmp_path, origin=origin.url) as world:
        await all_right(world, bodies)
        await world.restart()
        for _ in range(2):
            assert all(b";hit" in word for word in await all_right(world, bodies))
    assert all(len(origin.seen(target)) == 1 for target in bodies)


async def test_small_ones_come_into_memory_on_their_first_hit(origin: ScriptedOrigin, tmp_path: Path) -> None:
    bodies = objects(origin, "/d01/promoted")
    async with World(tmp_path, origin=origin.url) as world:
        await all_right(world, bodies)
        await world.restart()
        assert await world.metric("perigee_stored_responses", {"tier": "memory"}) == 0
        await all_right(world, bodies)
        small = sum(length <= 1 << 20 for length in LENGTHS)
        assert await world.metric("perigee_stored_responses", {"tier": "memory"}) == small
        assert all(b";hit" in word for word in await all_right(world, bodies))


async def test_two_workers_share_the_disk(origin: ScriptedOrigin, tmp_path: Path) -> None:
    bodies = objects(origin, "/d01/shared")
    async with World(tmp_path, origin=origin.url, workers=2) as world:
        await all_right(world, bodies)
        await world.restart()
        for _ in range(4):
            await all_right(world, bodies)
    assert all(len(origin.seen(target)) == 1 for target in bodies)


async def test_another_number_of_workers_finds_what_the_others_left(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    bodies = objects(origin, "/d01/number")
    async with World(tmp_path, origin=origin.url, workers=1) as world:
        await all_right(world, bodies)
    async with World(tmp_path, origin=origin.url, workers=2) as world:
        await all_right(world, bodies)


@pytest.mark.parametrize("where", ["bodies", "database"])
async def test_flipped_bits_are_a_miss(origin: ScriptedOrigin, tmp_path: Path, where: str) -> None:
    bodies = objects(origin, f"/d01/flipped-{where}")
    world = World(tmp_path, origin=origin.url)
    async with world:
        await all_right(world, bodies)
        assert await world.sigterm() == 0
        damaged = damage(world.data_dir, "bodies/" if where == "bodies" else "cache.db")
        assert damaged
        await world.start()
        await all_right(world, bodies)
        assert (await world.get("/d01/alive")).status == 404
        words = await all_right(world, bodies)
        assert all(b";hit" in word for word in words), words


def damage(directory: Path, which: str) -> int:
    """Flip a bit every 1000 bytes in each file with that in its path."""
    count = 0
    for file in directory.rglob("*"):
        if file.is_file() and which in str(file):
            data = bytearray(file.read_bytes())
            for at in range(len(data) // 2, len(data), 1000):
                data[at] ^= 0x10
            file.write_bytes(data)
            count += 1
    return count


async def test_cut_body_files_are_a_miss(origin: ScriptedOrigin, tmp_path: Path) -> None:
    bodies = objects(origin, "/d01/cut")
    async with World(tmp_path, origin=origin.url) as world:
        await all_right(world, bodies)
        assert await world.sigterm() == 0
        for file in (world.data_dir / "cache" / "live" / "bodies").rglob("*"):
            if file.is_file():
                with file.open("r+b") as opened:
                    opened.truncate(file.stat().st_size // 2)
        await world.start()
        await all_right(world, bodies)


async def test_bytes_that_are_damaged_under_a_reader_end_in_a_cut_not_in_a_body(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    target = "/d01/under"
    body = body_of(target, 0, 20_000_000)
    origin.on(target, Canned(200, FRESH, body))
    async with World(tmp_path, origin=origin.url) as world, await world.client() as client:
        assert (await world.get(target)).body == body
        await client.send_request("GET", target)
        assert (await client.read_head()).status == 200
        client.pause_reading()
        assert damage(world.data_dir, "bodies/") == 1
        client.resume_reading()
        hurt = await client.read_rest()
        assert not hurt.complete
        assert body.startswith(hurt.body)
        for _ in range(2):
            assert (await world.get(target)).body == body
    assert len(origin.seen(target)) == 2


async def test_a_disk_that_takes_no_more_costs_copies_and_no_answers(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    """RLIMIT_FSIZE stands for the full disk: writes fail in the middle of a body."""
    bodies = objects(origin, "/d01/full")
    async with World(tmp_path, origin=origin.url) as world:
        (worker,) = world.worker_pids
        unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
        for _ in range(2):
            await all_right(world, bodies)
        assert await world.metric("perigee_store_writes_total", {"outcome": "failed"}) > 0
        assert (await world.admin("/readyz")).status == 200
        resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
        await all_right(world, bodies)
        assert b";hit" in (await all_right(world, bodies))[-1]


async def test_an_object_larger_than_the_whole_disk_tier_passes_through(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    bodies = objects(origin, "/d01/tiny")
    config = site_file(
        origin.url, node='[disk]\ncapacity = "1MiB"\n[memory]\ncapacity = "1MiB"\nmax_object = "64KiB"\n'
    )
    async with World(tmp_path, origin=None, config=config) as world:
        for _ in range(3):
            await all_right(world, bodies)
        assert await world.metric("perigee_stored_bytes", {"tier": "disk"}) <= 1 << 20
        assert await world.metric("perigee_stored_bytes", {"tier": "memory"}) <= 1 << 20
    assert len(origin.seen("/d01/tiny/6000000")) == 3


async def test_a_body_longer_than_the_site_stores_is_not_kept_though_it_did_not_say_so(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    config = site_file(origin.url, '[site.limits]\nmax_object = "1MiB"\n')
    body = body_of("/d01/undeclared", 0, 3_000_000)

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(200, FRESH, body, chunked=True)

    origin.on("/d01/undeclared", handler)
    async with World(tmp_path, origin=None, config=config) as world:
        for asked in (1, 2):
            assert (await world.get("/d01/undeclared")).body == body
            assert len(origin.seen("/d01/undeclared")) == asked


async def test_an_endless_body_that_nobody_reads_any_more_is_given_up(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    """It is too large to be kept, so there is nobody left for whom it comes."""
    config = site_file(origin.url, '[site.limits]\nmax_object = "1MiB"\n')

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Transfer-Encoding": "chunked"})
        while True:
            await connection.send_chunk(bytes(50_000))

    origin.on("/d01/endless", handler)
    async with World(tmp_path, origin=None, config=config) as world:
        async with await world.client() as client:
            await client.send_request("GET", "/d01/endless")
            await client.read_head()
            await client.read_body_until(2_000_000)
            client.abort()
        await origin.wait_in_flight(0)
        assert (await world.get("/d01/other")).status == 404
