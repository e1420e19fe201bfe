"""Small responses out of rows without a thread: the same as `load` would find, and only when nothing stands against it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.store.at_hand import LEAST_WINDOW, MOST_VARIANTS, MOST_WINDOW, AskedLately
from edge.store.pace import Pace
from edge.store.store import Store
from tests.kit.clock import ManualClock
from tests.kit.disk import database, primary
from tests.kit.stores import (
    LARGE_BODY,
    SMALL_BODY,
    StoreRoom,
    forgotten_by_memory,
    freshened,
    put,
    response,
    store_room,
    writing_held_up,
    writing_of,
)

TINY = 3000
"""Memory that takes two small responses."""


@pytest.fixture
def room(tmp_path: Path) -> StoreRoom:
    return store_room(tmp_path)


def found(store: Store, name: int = 1) -> list[tuple[bytes, bytes]]:
    """Identity and body of what is at hand."""
    return [(held.value.body_id, held.body) for held in store.at_hand(primary(name))]


async def test_what_only_the_disk_has_is_at_hand_and_comes_into_memory(room: StoreRoom):
    async with room.store() as store:
        stored, body = put(store)
        await forgotten_by_memory(store)
        (held,) = store.at_hand(primary(1))
        assert (held.value.body_id, held.body, held.clean) == (stored.body_id, body, stored.fence)
        assert held in store.memory
        assert store.at_hand(primary(1)) == (held,)
        assert room.reads("found") == 1


async def test_all_variants_are_at_hand_or_none(room: StoreRoom):
    async with room.store() as store:
        one, two = put(store), put(store, gzip=True)
        await forgotten_by_memory(store)
        assert sorted(found(store)) == sorted((stored.body_id, body) for stored, body in (one, two))
        put(store, 2)
        put(store, 2, LARGE_BODY, gzip=True)
        await forgotten_by_memory(store, 2)
        assert found(store, 2) == []


async def test_too_many_variants_are_the_threads(room: StoreRoom):
    async with room.store() as store:
        for number in range(MOST_VARIANTS + 1):
            stored, body = response(1, nominated=((b"accept-language", b"%d" % number),))
            store.put(stored, body)
            await forgotten_by_memory(store)
            assert bool(found(store)) == (number < MOST_VARIANTS)
            store.memory.remove_key(primary(1))


async def test_a_file_is_the_threads(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, LARGE_BODY)
        await forgotten_by_memory(store)
        assert found(store) == []
        assert len(await store.load(primary(1))) == 1


async def test_what_was_asked_for_once_pushes_nobody_out_of_a_full_memory(room: StoreRoom):
    async with room.store(memory=TINY + 20_000, max_object=TINY) as store:
        put(store, 1)
        await forgotten_by_memory(store, 1)
        for name in range(2, 40):
            put(store, name)
        evictions = store.memory.evictions
        (held,) = store.at_hand(primary(1))
        assert held not in store.memory
        assert store.memory.evictions == evictions
        (again,) = store.at_hand(primary(1))
        assert again in store.memory
        assert again.body == held.body


async def test_nothing_is_at_hand_while_something_waits_to_be_written(room: StoreRoom):
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        with writing_held_up(writing_of(store)):
            new = freshened(stored)
            store.freshen(stored, new)
            assert found(store) == []
            assert [each.head for each in await store.load(primary(1))] == [new.head]


@pytest.mark.parametrize("how", ["forget", "forget_one"])
async def test_what_was_forgotten_is_not_at_hand(room: StoreRoom, how: str):
    async with room.store() as store:
        stored, _ = put(store)
        await forgotten_by_memory(store)
        with writing_held_up(writing_of(store)):
            store.forget(primary(1)) if how == "forget" else store.forget_one(stored)
            assert found(store) == []
        await writing_of(store).settled()
        assert found(store) == []


async def test_nothing_is_at_hand_while_a_thread_reads_it(room: StoreRoom):
    async with room.store() as store:
        put(store)
        await forgotten_by_memory(store)
        loading = asyncio.ensure_future(store.load(primary(1)))
        await asyncio.sleep(0)
        assert found(store) == []
        assert len(await loading) == 1


async def test_damage_is_left_to_the_threads_which_drop_it(room: StoreRoom, tmp_path: Path):
    async with room.store() as store:
        put(store)
        await forgotten_by_memory(store)
        with database(tmp_path) as rows:
            ((value,),) = rows.execute("SELECT value FROM Cache").fetchall()
            rows.execute("UPDATE Cache SET value = ?", (value[:-1] + bytes((value[-1] ^ 1,)),))
        assert found(store) == []
        assert store.disk is not None
        assert store.disk.counters.damaged_records == 0
        assert await store.load(primary(1)) == []
        assert store.disk.counters.damaged_records == 1
        assert not store.is_on_disk(primary(1))


async def test_a_head_of_another_version_is_left_to_the_threads(room: StoreRoom):
    async with room.store() as store:
        assert store.disk is not None
        store.disk.put_small(primary(1), bytes(16), b"another version", b"body")
        assert found(store) == []
        assert await store.load(primary(1)) == []


async def test_a_slow_disk_is_read_once_and_then_left_to_the_threads(room: StoreRoom):
    """The disk is scripted by its clock: it jumps while the first row is read."""
    clock = ManualClock()

    def jumping() -> float:
        clock.advance(0.03)
        return clock.mono()

    pace = Pace(jumping, lambda: int(clock.mono() * 1000))
    async with room.store() as store:
        for name in (1, 2):
            put(store, name)
            await forgotten_by_memory(store, name)
        assert store._at_hand is not None
        store._at_hand._pace = pace
        assert len(found(store, 1)) == 1
        assert found(store, 2) == []
        assert len(await store.load(primary(2))) == 1
        assert room.reads("found") == 2


async def test_a_closed_store_has_nothing_at_hand(room: StoreRoom):
    async with room.store() as store:
        put(store)
        await forgotten_by_memory(store)
    assert found(store) == []


async def test_a_restart_finds_it_at_hand(room: StoreRoom):
    async with room.store() as store:
        stored, body = put(store)
        put(store, 1, SMALL_BODY, gzip=True)
    async with room.store() as store:
        assert (stored.body_id, body) in found(store)


def test_who_asks_again_soon_is_known_and_later_is_not():
    asked = AskedLately()
    assert not asked.again(b"a" * 32, 64)
    assert asked.again(b"a" * 32, 64)
    for number in range(2000):
        asked.again(b"%032d" % number, 64)
    assert not asked.again(b"a" * 32, 64)


def test_a_window_that_grows_and_shrinks_forgets_and_goes_on():
    asked = AskedLately()
    for window in (0, 10_000, 100_000_000, 64):
        assert not asked.again(b"a" * 32, window)
        assert asked.again(b"a" * 32, window)


def test_a_key_that_is_remembered_takes_four_bytes():
    asked = AskedLately()
    assert asked._table.itemsize * len(asked._table) == 4 * LEAST_WINDOW
    asked.again(b"a" * 32, 100_000_000)
    assert asked._table.itemsize * len(asked._table) == 4 * MOST_WINDOW
