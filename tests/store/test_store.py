"""Memory and disk as one: what was put is found, what was forgotten is not, whatever is under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreFault
from edge.measures import Measures
from edge.store.disk import NO_VARY
from edge.store.memory import MemoryTier
from edge.store.record import FILE_HEADER_BYTES
from edge.store.store import Store
from tests.kit.disk import MB, SMALL, body_files, flip, primary
from tests.kit.spools import open_bodies
from tests.kit.stores import (
    LARGE_BODY,
    TINY,
    forgotten_by_memory,
    freshened,
    ids,
    put,
    reading_held_up,
    response,
    store_room,
    version_of,
    whole,
    writing_held_up,
    writing_of,
)

KEY = primary(1)


# -- finding --


async def test_what_was_put_is_in_memory_at_once_and_on_disk_after_a_restart(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, body = put(store)
        assert [held.value for held in store.in_memory(KEY)] == [stored]
    async with room.store() as store:
        assert store.in_memory(KEY) == ()
        assert store.is_on_disk(KEY)
        (again,) = await store.load(KEY)
        assert (again.body_id, version_of(again)) == (stored.body_id, version_of(stored))
        assert await whole(await store.open_body(again)) == body
        assert [held.body for held in store.in_memory(KEY)] == [body]
    assert not room.faults


async def test_what_comes_into_memory_is_clean_up_to_its_fence(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        stored, body = response(1)
        store.put(replace(stored, fence=7), body)
        assert [held.clean for held in store.in_memory(KEY)] == [7]
        store.in_memory(KEY)[0].clean = 9
        await forgotten_by_memory(store)
        await store.load(KEY)
        assert [held.clean for held in store.in_memory(KEY)] == [7]


async def test_a_store_without_a_disk_has_what_memory_has():
    store = Store(MemoryTier(MB, MB // 2), None, measures=Measures(), write_behind_bytes=MB)
    await store.open()
    stored, body = put(store)
    assert not store.is_on_disk(KEY)
    assert not store.can_spool(KEY)
    assert await store.open_spool(stored, None) is None
    assert await store.load(KEY) == [stored]
    assert await whole(await store.open_body(stored)) == body
    store.memory.remove_key(KEY)
    assert await store.open_body(stored) is None
    assert await store.load(KEY) == []
    await store.tend()
    await store.aclose()


async def test_a_disk_that_is_not_open_is_a_store_without_one(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(opened=False) as store:
        stored, body = put(store)
        assert not store.can_spool(KEY)
        assert await store.open_spool(stored, None) is None
        assert await store.load(KEY) == [stored]
        assert await whole(await store.open_body(stored)) == body
        store.forget(KEY)
        assert await store.load(KEY) == []
        assert not store.is_on_disk(KEY)


async def test_a_disk_that_cannot_be_opened_is_reported_and_memory_serves_on(tmp_path: Path):
    directory = tmp_path / "store"
    directory.write_bytes(b"not a directory")
    room = store_room(directory)
    async with room.store() as store:
        assert len(room.faults) == 1
        stored, _ = put(store)
        await writing_of(store).settled()
        assert await store.load(KEY) == [stored]
        directory.unlink()
        await store.tend()
        second, _ = put(store, 2)
        await forgotten_by_memory(store, 2)
        assert ids(await store.load(second.key)) == [second.body_id]


async def test_all_variants_are_found_of_memory_and_of_the_disk(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        plain, _ = put(store)
        await forgotten_by_memory(store)
        gzip, _ = put(store, gzip=True)
        assert ids(await store.load(KEY)) == sorted((plain.body_id, gzip.body_id))


async def test_a_large_body_stays_on_disk_and_is_streamed_from_there(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=LARGE_BODY // 2) as store:
        _, body = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        assert store.in_memory(KEY) == ()
        (found,) = await store.load(KEY)
        assert store.in_memory(KEY) == ()
        opened = await store.open_body(found)
        assert opened is not None
        assert opened.at_hand is None
        assert await whole(opened) == body


async def test_an_empty_body_needs_no_disk(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, _ = response(1, 0)
        assert await whole(await store.open_body(stored)) == b""


async def test_what_waits_to_be_written_is_found_though_memory_has_no_room_for_it(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        old, _ = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        with writing_held_up(writing_of(store)):
            new, body = put(store, length=LARGE_BODY)
            assert store.in_memory(KEY) == ()
            assert await store.load(KEY) == [new]
            assert await whole(await store.open_body(new)) == body
            assert await store.open_body(old) is None


async def test_memory_is_newer_than_the_disk(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        old, _ = put(store)
        await forgotten_by_memory(store)
        with writing_held_up(writing_of(store)):
            new, body = put(store)
            assert await store.load(KEY) == [new]
        assert await whole(await store.open_body(new)) == body
        assert await store.open_body(old) is None


# -- coalescing --


async def test_many_look_ups_read_the_disk_once(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        with reading_held_up(store):
            loads = [asyncio.ensure_future(store.load(KEY)) for _ in range(20)]
            await asyncio.sleep(0)
        found = await asyncio.gather(*loads)
        assert [ids(each) for each in found] == [[stored.body_id]] * 20
        assert len({id(each[0]) for each in found}) == 1
        assert room.reads("found") == 1
        assert not store._loading


@pytest.mark.parametrize("cancelled", [0, 3])
async def test_a_look_up_that_is_cancelled_takes_nothing_from_the_others(cancelled: int, tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        with reading_held_up(store):
            loads = [asyncio.ensure_future(store.load(KEY)) for _ in range(5)]
            await asyncio.sleep(0)
            gone = loads.pop(cancelled)
            gone.cancel()
            await asyncio.sleep(0)
        found = await asyncio.gather(*loads)
        assert [ids(each) for each in found] == [[stored.body_id]] * 4
        assert gone.cancelled()
        assert room.reads("found") == 1


async def test_when_all_look_ups_are_cancelled_nothing_is_left_of_them(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        with reading_held_up(store):
            loads = [asyncio.ensure_future(store.load(KEY)) for _ in range(3)]
            await asyncio.sleep(0)
            for load in loads:
                load.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
        assert ids(await store.load(KEY)) == [stored.body_id]
        assert not store._loading


async def test_closing_waits_for_look_ups_that_are_under_way(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        loading = asyncio.ensure_future(store.load(KEY))
        await asyncio.sleep(0)
    assert ids(await loading) == [stored.body_id]


async def test_the_disk_stays_open_while_a_look_up_reads_from_it(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        with reading_held_up(store):
            loading = asyncio.ensure_future(store.load(KEY))
            await asyncio.sleep(0)
            closing = asyncio.ensure_future(store.aclose())
            await asyncio.wait((closing,), timeout=0.1)
            assert store.disk is not None
            assert store.disk.is_open
        await closing
        assert ids(await loading) == [stored.body_id]
        assert room.faults == []


# -- damage --


async def test_a_damaged_body_in_mid_look_up_is_a_miss(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        put(store, length=LARGE_BODY)
        await forgotten_by_memory(store)
        (file,) = body_files(tmp_path)
        flip(file, FILE_HEADER_BYTES + 10)
        assert not any(await asyncio.gather(store.load(KEY), store.load(KEY)))
        assert len(room.faults) == 1
        assert not store.is_on_disk(KEY)


async def test_a_damaged_table_is_no_body_and_then_a_miss(tmp_path: Path):
    room = store_room(tmp_path, limits=replace(SMALL, idle_files=0))
    async with room.store(max_object=TINY) as store:
        stored, _ = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        (file,) = body_files(tmp_path)
        flip(file, -1)
        assert await store.open_body(stored) is None
        assert await store.load(KEY) == []


async def test_a_damaged_block_cuts_the_stream_and_is_then_a_miss(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        stored, _ = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        (file,) = body_files(tmp_path)
        flip(file, FILE_HEADER_BYTES + 10)
        with pytest.raises(StoreFault):
            await whole(await store.open_body(stored))
        assert await store.load(KEY) == []


async def test_a_body_of_another_response_is_never_given_out(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        old, _ = put(store, length=LARGE_BODY)
        new, body = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        assert await store.open_body(old) is None
        assert await whole(await store.open_body(new)) == body


async def test_a_record_of_another_version_is_a_miss_and_leaves_the_disk(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        disk = store.disk
        assert disk is not None
        await writing_of(store).run(lambda: disk.put_small(KEY, NO_VARY, b"of another version", b"body"))
        assert await store.load(KEY) == []
        await writing_of(store).settled()
        assert not store.is_on_disk(KEY)


async def test_a_body_that_cannot_be_read_now_is_no_body_but_is_not_forgotten(tmp_path: Path):
    room = store_room(tmp_path, limits=replace(SMALL, open_files=1))
    async with room.store(max_object=TINY) as store:
        stored, body = put(store, length=LARGE_BODY)
        other, other_body = put(store, 2, length=LARGE_BODY)
        await writing_of(store).settled()
        held = await store.open_body(stored)
        assert await store.open_body(other) is None
        assert await whole(held) == body
        del held
        assert await whole(await store.open_body(other)) == other_body


# -- whose key it is --


async def test_a_worker_writes_only_the_keys_it_owns(tmp_path: Path):
    room = store_room(tmp_path)
    store = Store(
        MemoryTier(4 * MB, MB),
        room.tier(),
        measures=room.measures,
        write_behind_bytes=MB,
        owns=lambda key: key != KEY,
    )
    await store.open()
    stored, _ = put(store)
    put(store, 2)
    assert not store.can_spool(KEY)
    assert store.can_spool(primary(2))
    assert await store.open_spool(stored, None) is None
    store.freshen(stored, freshened(stored))
    await writing_of(store).settled()
    assert store.disk is not None
    assert len(store.disk) == 1
    store.forget_one(freshened(stored))
    store.forget(KEY)
    assert await store.load(KEY) == []
    await store.aclose()


# -- the end --


async def test_after_closing_a_store_serves_what_memory_has_and_raises_nothing(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        large, _ = put(store, 2, LARGE_BODY)
        stored, body = put(store)
    await store.aclose()
    assert await whole(await store.open_body(stored)) == body
    assert await store.open_body(large) is None
    assert await store.load(large.key) == []
    put(store)
    store.forget(KEY)
    assert await store.load(KEY) == []


async def test_a_closed_store_has_no_body_open(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        stored, body = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        assert await whole(await store.open_body(stored)) == body
    assert open_bodies(tmp_path) == 0
