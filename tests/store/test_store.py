"""Memory and disk as one: what was put is found, what was forgotten is not, whatever is under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.stored import StoredResponse
from edge.store.bodies import StoredBody
from edge.store.disk import NO_VARY
from edge.store.memory import MemoryTier
from edge.store.record import FILE_HEADER_BYTES
from edge.store.store import Store
from tests.kit.disk import MB, SMALL, body_files, flip, primary
from tests.kit.spools import open_bodies
from tests.kit.stores import (
    LARGE_BODY,
    SMALL_BODY,
    freshened,
    locked_by_another,
    reading_held_up,
    response,
    store_room,
    version_of,
    writing_held_up,
    writing_of,
)

KEY = primary(1)
GZIP = ((b"accept-encoding", b"gzip"),)
TINY = 3000
"""Memory that takes a small response or two, and no large one."""


def put(
    store: Store, name: int = 1, length: int = SMALL_BODY, *, gzip: bool = False
) -> tuple[StoredResponse, bytes]:
    stored, body = response(name, length, nominated=GZIP if gzip else ())
    store.put(stored, body)
    return stored, body


async def whole(body: StoredBody | None) -> bytes | None:
    if body is None:
        return None
    if body.at_hand is not None:
        return body.at_hand
    stream = body.stream(0, body.length)
    pieces = []
    while piece := await stream.read():
        pieces.append(piece)
    return b"".join(pieces)


def ids(found: list[StoredResponse]) -> list[bytes]:
    return sorted(stored.body_id for stored in found)


async def forgotten_by_memory(store: Store, name: int = 1) -> None:
    """Written, and then evicted from memory."""
    await writing_of(store).settled()
    store.memory.remove_key(primary(name))


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


# -- forgetting --


@pytest.mark.parametrize("length", [SMALL_BODY, LARGE_BODY])
async def test_what_was_forgotten_is_gone_at_once_and_after_a_restart(length: int, tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        stored, _ = put(store, length=length)
        put(store, length=length, gzip=True)
        await writing_of(store).settled()
        with writing_held_up(writing_of(store)):
            store.forget(KEY)
            assert not store.is_on_disk(KEY)
            assert store.in_memory(KEY) == ()
            assert await store.load(KEY) == []
            assert await store.open_body(stored) is None
        await writing_of(store).settled()
        assert await store.load(KEY) == []
    async with room.store() as store:
        assert not store.is_on_disk(KEY)
        assert body_files(tmp_path) == []


async def test_what_is_forgotten_while_it_waits_is_gone_and_stays_gone(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        with writing_held_up(writing_of(store)):
            stored, _ = put(store, length=LARGE_BODY)
            store.forget(KEY)
            assert await store.load(KEY) == []
            assert await store.open_body(stored) is None
    async with room.store() as store:
        assert await store.load(KEY) == []


@pytest.mark.parametrize("length", [SMALL_BODY, LARGE_BODY])
async def test_what_is_put_after_forgetting_is_found_and_stays(length: int, tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        put(store, length=length)
        await writing_of(store).settled()
        with writing_held_up(writing_of(store)):
            store.forget(KEY)
            new, body = put(store, length=length)
            assert await store.load(KEY) == [new]
            assert await whole(await store.open_body(new)) == body
    async with room.store() as store:
        (found,) = await store.load(KEY)
        assert found.body_id == new.body_id


@pytest.mark.parametrize("change", ["forget", "forget_one", "put", "freshen"])
async def test_a_look_up_under_way_does_not_bring_back_what_changed_meanwhile(change: str, tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        old, _ = put(store)
        await forgotten_by_memory(store)
        with reading_held_up(store):
            loading = asyncio.ensure_future(store.load(KEY))
            await asyncio.sleep(0)
            expected = []
            if change == "forget":
                store.forget(KEY)
            elif change == "forget_one":
                store.forget_one(old)
            elif change == "put":
                expected = [put(store)[0]]
            else:
                expected = [freshened(old)]
                store.freshen(old, expected[0])
        assert [version_of(each) for each in await loading] == [version_of(each) for each in expected]
        assert [version_of(held.value) for held in store.in_memory(KEY)] == [
            version_of(each) for each in expected
        ]
        await writing_of(store).settled()
        assert [version_of(each) for each in await store.load(KEY)] == [version_of(each) for each in expected]


async def test_what_is_forgotten_just_when_a_look_up_has_ended_is_not_handed_out(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        put(store)
        await forgotten_by_memory(store)
        loading = asyncio.ensure_future(store.load(KEY))
        await asyncio.sleep(0)
        task = store._loading[KEY].task
        assert task is not None
        task.add_done_callback(lambda _: store.forget(KEY))
        assert await loading == []


@pytest.mark.parametrize("change", ["forget_one", "put", "freshen"])
async def test_a_look_up_under_way_when_a_change_is_written_looks_again(change: str, tmp_path: Path):
    """It may have read what was there before, and after the writing nothing would hide that."""
    room = store_room(tmp_path)
    async with room.store() as store:
        old, _ = put(store)
        put(store, gzip=True)
        await forgotten_by_memory(store)
        with reading_held_up(store):
            with writing_held_up(writing_of(store)):
                if change == "forget_one":
                    store.forget_one(old)
                elif change == "put":
                    put(store)
                    store.memory.remove_key(KEY)
                else:
                    store.freshen(old, freshened(old))
                loading = asyncio.ensure_future(store.load(KEY))
                await asyncio.sleep(0)
            began_as = store._loading[KEY]
            await writing_of(store).settled()
            assert began_as.is_void
        found = await loading
        assert len(found) == (1 if change == "forget_one" else 2)
        assert old not in found


async def test_a_body_that_is_forgotten_and_deleted_while_it_is_opened_is_not_handed_out(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        for forget_one in (False, True):
            stored, body = put(store, length=LARGE_BODY)
            await writing_of(store).settled()
            with reading_held_up(store):
                opening = asyncio.ensure_future(store.open_body(stored))
                await asyncio.sleep(0)
                if forget_one:
                    store.forget_one(stored)
                else:
                    store.forget(KEY)
                await writing_of(store).settled()
                # As if the file had been opened before that: what is read now is the same again.
                store.put(stored, body)
                await writing_of(store).settled()
            assert await opening is None
            assert not store._opening


async def test_a_body_that_is_forgotten_while_it_is_opened_is_not_handed_out(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        stored, _ = put(store, length=LARGE_BODY)
        await writing_of(store).settled()
        with reading_held_up(store):
            opening = asyncio.ensure_future(store.open_body(stored))
            await asyncio.sleep(0)
            store.forget(KEY)
        assert await opening is None
        await writing_of(store).settled()
    assert open_bodies(tmp_path) == 0


@pytest.mark.parametrize("length", [SMALL_BODY, LARGE_BODY])
async def test_one_response_is_forgotten_and_the_other_variants_stay(length: int, tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        plain, _ = put(store, length=length)
        gzip, _ = put(store, length=length, gzip=True)
        await writing_of(store).settled()
        with writing_held_up(writing_of(store)):
            store.forget_one(plain)
            assert ids(await store.load(KEY)) == [gzip.body_id]
            assert await store.open_body(plain) is None
        await writing_of(store).settled()
        assert ids(await store.load(KEY)) == [gzip.body_id]
    async with room.store() as store:
        assert ids(await store.load(KEY)) == [gzip.body_id]


async def test_forgetting_what_was_replaced_leaves_what_replaced_it(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        old, _ = put(store)
        new, _ = put(store)
        store.forget_one(old)
        assert await store.load(KEY) == [new]
    async with room.store() as store:
        assert ids(await store.load(KEY)) == [new.body_id]


async def test_what_could_not_be_deleted_stays_hidden_until_it_is(tmp_path: Path):
    room = store_room(tmp_path, limits=replace(SMALL, busy_seconds=0.01))
    async with room.store() as store:
        put(store)
        await writing_of(store).settled()
        with locked_by_another(tmp_path):
            store.forget(KEY)
            await writing_of(store).settled()
            assert room.faults
            assert not store.is_on_disk(KEY)
            assert await store.load(KEY) == []
        await store.tend()
        assert store.disk is not None
        assert store.disk.variants(KEY) == ()


# -- freshening --


@pytest.mark.parametrize("length", [SMALL_BODY, LARGE_BODY])
@pytest.mark.parametrize("waits", [True, False])
async def test_a_freshened_head_is_seen_at_once_and_after_a_restart(length: int, waits: bool, tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store(max_object=TINY) as store:
        old, body = put(store, length=length)
        if not waits:
            await writing_of(store).settled()
        with writing_held_up(writing_of(store)):
            new = freshened(old)
            store.freshen(old, new)
            assert await store.load(KEY) == [new]
            assert await whole(await store.open_body(new)) == body
    async with room.store() as store:
        (found,) = await store.load(KEY)
        assert version_of(found) == b"freshened"
        assert await whole(await store.open_body(found)) == body


async def test_freshening_what_was_forgotten_brings_nothing_back(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        for forgetting in ("key", "one"):
            old, _ = put(store)
            await writing_of(store).settled()
            if forgetting == "key":
                store.forget(KEY)
            else:
                store.forget_one(old)
            store.freshen(old, freshened(old))
            assert await store.load(KEY) == []
            await writing_of(store).settled()
            assert await store.load(KEY) == []


async def test_freshening_what_was_replaced_leaves_what_replaced_it(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        old, _ = put(store)
        new, _ = put(store)
        store.freshen(old, freshened(old))
        assert await store.load(KEY) == [new]
        await forgotten_by_memory(store)
        assert ids(await store.load(KEY)) == [new.body_id]


async def test_a_response_whose_variant_changed_is_forgotten(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        old, _ = put(store)
        store.freshen(old, replace(old, nominated=GZIP))
        assert await store.load(KEY) == []
        await writing_of(store).settled()
        assert await store.load(KEY) == []


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


# -- spooled bodies --


async def spooled(store: Store, stored: StoredResponse, body: bytes) -> None:
    spool = await store.open_spool(stored, len(body))
    assert spool is not None
    await spool.append(body)
    await spool.finish(stored)


async def test_a_spooled_body_replaces_what_was_in_memory(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        put(store)
        new, body = response(1, LARGE_BODY)
        await spooled(store, new, body)
        (found,) = await store.load(KEY)
        assert found.body_id == new.body_id
        assert await whole(await store.open_body(found)) == body
    async with room.store() as store:
        assert ids(await store.load(KEY)) == [new.body_id]


async def test_a_spooled_body_is_not_overtaken_by_what_was_put_before_it(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.store() as store:
        new, body = response(1, LARGE_BODY)
        spool = await store.open_spool(new, None)
        assert spool is not None
        await spool.append(body)
        with writing_held_up(writing_of(store)):
            put(store)
            put(store, 2)
            finishing = asyncio.ensure_future(spool.finish(new))
            await asyncio.sleep(0)
        await finishing
        assert ids(await store.load(KEY)) == [new.body_id]
    async with room.store() as store:
        assert ids(await store.load(KEY)) == [new.body_id]


async def test_a_spooled_body_survives_what_was_forgotten_before_it_and_not_what_is_forgotten_after(
    tmp_path: Path,
):
    room = store_room(tmp_path)
    async with room.store() as store:
        put(store)
        new, body = response(1, LARGE_BODY)
        spool = await store.open_spool(new, None)
        assert spool is not None
        await spool.append(body)
        with writing_held_up(writing_of(store)):
            store.forget(KEY)
            finishing = asyncio.ensure_future(spool.finish(new))
            await asyncio.sleep(0)
        await finishing
        assert ids(await store.load(KEY)) == [new.body_id]
        store.forget(KEY)
        assert await store.load(KEY) == []
    async with room.store() as store:
        assert await store.load(KEY) == []


async def test_a_body_being_published_when_its_key_is_forgotten_does_not_stay(tmp_path: Path):
    room = store_room(tmp_path)
    for cancelled in (False, True):
        async with room.store() as store:
            new, body = response(1, LARGE_BODY)
            spool = await store.open_spool(new, None)
            assert spool is not None
            await spool.append(body)
            with writing_held_up(writing_of(store)):
                finishing = asyncio.ensure_future(spool.finish(new))
                await asyncio.sleep(0)
                if cancelled:
                    finishing.cancel()
                    await asyncio.sleep(0)
                store.forget(KEY)
            await asyncio.gather(finishing, return_exceptions=True)
            assert await store.load(KEY) == []
            await writing_of(store).settled()
            assert await store.load(KEY) == []


async def test_a_body_too_large_for_the_disk_has_no_spool(tmp_path: Path):
    room = store_room(tmp_path, ceiling=MB)
    async with room.store() as store:
        stored, _ = response(1, 2 * MB)
        with pytest.raises(StoreFault):
            await store.open_spool(stored, 2 * MB)


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
