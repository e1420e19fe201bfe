"""What was forgotten, freshened or replaced, seen through what is under way: nothing old comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreFault
from edge.semantics.stored import StoredResponse
from edge.store.store import Store
from tests.kit.disk import MB, SMALL, body_files, primary
from tests.kit.spools import open_bodies
from tests.kit.stores import (
    GZIP,
    LARGE_BODY,
    SMALL_BODY,
    TINY,
    forgotten_by_memory,
    freshened,
    ids,
    locked_by_another,
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


async def test_whoever_waits_for_it_knows_that_what_was_forgotten_has_left_the_disk(tmp_path: Path):
    """Not even kill -9 brings it back then: another tier over the same directory does not find it."""
    room = store_room(tmp_path)
    async with room.store() as store:
        put(store)
        await writing_of(store).settled()
        with writing_held_up(writing_of(store)):
            store.forget(KEY)
            waiting = asyncio.ensure_future(store.forgotten(KEY))
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting
        assert store.disk is not None
        assert store.disk.variants(KEY) == ()
        await store.forgotten(KEY)


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
