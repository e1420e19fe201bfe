"""disk.min_hits: what was never served again is not written, and nothing else changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.semantics.stored import StoredResponse
from edge.store.memory import MemoryTier
from edge.store.store import Store
from tests.kit.disk import MB, primary
from tests.kit.stores import (
    LARGE_BODY,
    SMALL_BODY,
    StoreRoom,
    freshened,
    response,
    store_room,
    version_of,
    writing_of,
)

TIGHT = 64 * 1024
"""Memory for some forty small responses, its fixed part included."""


@pytest.fixture
async def room(tmp_path: Path) -> StoreRoom:
    return store_room(tmp_path / "cache")


@pytest.fixture
async def store(room: StoreRoom) -> AsyncIterator[Store]:
    """Writes only what was hit."""
    async with room.store(min_hits=1, memory=TIGHT, max_object=TIGHT // 4) as store:
        yield store


def put(store: Store, name: int, length: int = SMALL_BODY) -> StoredResponse:
    stored, body = response(name, length)
    store.put(stored, body)
    return stored


async def hit(store: Store, stored: StoredResponse) -> None:
    assert await store.open_body(stored) is not None


async def written(store: Store) -> set[bytes]:
    """The keys on the disk, once all that waits is there."""
    await writing_of(store).settled()
    assert store.disk is not None
    return set(store.disk.index())


async def crowd_out(store: Store, first: int = 1_000) -> None:
    """Fill memory several times over with others that are hit, too: those that are not displace nobody who was."""
    for name in range(first, first + 200):
        await hit(store, put(store, name))


async def test_what_is_stored_is_not_written(store: Store):
    put(store, 1)
    assert await written(store) == set()
    assert not store.is_on_disk(primary(1))


async def test_by_default_it_is(room: StoreRoom):
    async with room.store() as store:
        put(store, 1)
        assert await written(store) == {primary(1)}


async def test_a_hit_alone_writes_nothing_yet(store: Store):
    await hit(store, put(store, 1))
    assert await written(store) == set()


async def test_what_was_hit_is_written_when_it_leaves_memory(store: Store):
    was_hit, was_not = put(store, 1), put(store, 2)
    await hit(store, was_hit)
    await crowd_out(store)
    assert not store.in_memory(was_hit.key)
    assert not store.in_memory(was_not.key)
    assert {primary(1), primary(2)} & await written(store) == {primary(1)}
    (found,) = await store.load(was_hit.key)
    assert version_of(found) == version_of(was_hit)


async def test_it_is_written_once(room: StoreRoom, store: Store):
    await hit(store, put(store, 1))
    for round_ in range(1, 4):
        await crowd_out(store, 1_000 * round_)
        assert primary(1) in await written(store)
        (found,) = await store.load(primary(1))
        await hit(store, found)
    rows = await written(store)
    assert room.writes("stored") == len(rows)


async def test_what_is_in_memory_at_the_end_and_was_hit_is_written(room: StoreRoom):
    async with room.store(min_hits=1) as store:
        await hit(store, put(store, 1))
        put(store, 2)
    async with room.store() as store:
        assert await written(store) == {primary(1)}


async def test_more_than_may_wait_at_a_time_is_written_at_the_end(room: StoreRoom):
    async with room.store(min_hits=1, bound=8 * 1024) as store:
        for name in range(20):
            await hit(store, put(store, name))
    assert room.writes("dropped") == 0
    async with room.store() as store:
        assert await written(store) == {primary(name) for name in range(20)}


async def test_of_two_variants_the_one_that_was_hit_is_written(room: StoreRoom):
    async with room.store(min_hits=1) as store:
        for language in (b"de", b"en"):
            stored, body = response(1, nominated=((b"accept-language", language),))
            store.put(stored, body)
            if language == b"de":
                await hit(store, stored)
    async with room.store() as store:
        (found,) = await store.load(primary(1))
        assert found.nominated == ((b"accept-language", b"de"),)


async def test_what_memory_cannot_take_is_written_at_once(store: Store):
    stored = put(store, 1, LARGE_BODY)
    assert not store.in_memory(stored.key)
    assert await written(store) == {primary(1)}


async def test_what_replaces_a_response_on_disk_is_written_at_once(room: StoreRoom):
    """Else the old one would come back when the new one leaves memory."""
    async with room.store() as store:
        put(store, 1)
    async with room.store(min_hits=1) as store:
        newer = put(store, 1)
        assert await written(store) == {primary(1)}
        store.memory.remove_key(primary(1))
        (found,) = await store.load(primary(1))
        assert version_of(found) == version_of(newer)


async def test_also_while_the_older_one_still_waits_to_be_written(room: StoreRoom):
    async with room.store() as store:
        put(store, 1)
        store.min_hits = 1
        newer = put(store, 1)
    async with room.store() as store:
        (found,) = await store.load(primary(1))
        assert version_of(found) == version_of(newer)


async def test_a_freshened_head_is_what_is_written(room: StoreRoom):
    async with room.store(min_hits=1) as store:
        stored = put(store, 1)
        await hit(store, stored)
        store.freshen(stored, freshened(stored))
    async with room.store() as store:
        (found,) = await store.load(primary(1))
        assert version_of(found) == b"freshened"


async def test_what_was_forgotten_is_not_written(room: StoreRoom):
    async with room.store(min_hits=1) as store:
        for name in (1, 2):
            stored = put(store, name)
            await hit(store, stored)
            if name == 1:
                store.forget(stored.key)
            else:
                store.forget_one(stored)
        assert not list(store.memory)
    async with room.store() as store:
        assert await written(store) == set()


async def test_what_comes_after_a_forgotten_one_is_written_though_the_old_row_still_stands(room: StoreRoom):
    async with room.store() as store:
        put(store, 1)
    async with room.store(min_hits=1) as store:
        store.forget(primary(1))
        newer = put(store, 1)
        await hit(store, newer)
    async with room.store() as store:
        (found,) = await store.load(primary(1))
        assert version_of(found) == version_of(newer)


async def test_the_setting_may_change_while_it_runs(store: Store):
    put(store, 1)
    store.min_hits = 0
    put(store, 2)
    store.min_hits = 1
    put(store, 3)
    assert await written(store) == {primary(2)}


async def test_another_workers_keys_are_never_written(room: StoreRoom):
    store = Store(
        MemoryTier(4 * MB),
        room.tier(),
        measures=room.measures,
        write_behind_bytes=MB,
        owns=lambda key: key != primary(1),
        min_hits=1,
    )
    await store.open()
    for name in (1, 2):
        await hit(store, put(store, name))
    await store.aclose()
    async with room.store() as store:
        assert await written(store) == {primary(2)}


async def test_without_a_disk_nothing_is_asked_of_it(room: StoreRoom):
    store = Store(MemoryTier(MB), None, measures=room.measures, write_behind_bytes=MB, min_hits=1)
    await store.open()
    stored = put(store, 1)
    await hit(store, stored)
    store.put(replace(stored), b"x" * SMALL_BODY)
    await store.aclose()
    assert room.writes("stored") == 0
