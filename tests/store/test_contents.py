"""Going through all that a store holds: what is looked at, and what is dropped of it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from edge.errors import StoreFault
from edge.measures import Measures
from edge.store.contents import KEYS, ROWS
from edge.store.disk import NO_VARY, DiskRecord, DiskTier
from edge.store.disk_limits import DiskLimits
from edge.store.memory import MemoryTier
from edge.store.store import Store
from tests.kit.disk import MB, SMALL, primary
from tests.kit.stores import (
    LARGE_BODY,
    forgotten_by_memory,
    freshened,
    ids,
    put,
    store_room,
    version_of,
    writing_held_up,
    writing_of,
)

KEY = primary(1)


class SlowlyRead(DiskTier):
    """What was read is given out only when the test says so."""

    def __init__(self, directory: Path, ceiling_bytes: int, *, limits: DiskLimits) -> None:
        super().__init__(directory, ceiling_bytes, limits=limits)
        self.has_read, self.go_on = threading.Event(), threading.Event()

    def read(self, primary: bytes, variant: bytes = NO_VARY) -> DiskRecord | None:
        record = super().read(primary, variant)
        self.has_read.set()
        self.go_on.wait(10)
        return record


def is_even(key: bytes) -> bool:
    return key[0] % 2 == 0


async def test_a_store_without_a_disk_has_what_memory_has():
    store = Store(MemoryTier(MB, MB // 2), None, measures=Measures(), write_behind_bytes=MB)
    contents = store.contents
    put(store)
    (held,) = contents.held(KEY)
    assert (contents.keys_in_memory(), contents.keys_on_disk(), contents.keys_that_wait()) == ([KEY], [], [])
    assert (await contents.look([KEY]), await contents.drop_rows([]), contents.waits(KEY)) == ([], [], False)
    assert list(contents.batches([KEY])) == []
    contents.drop_held(held)
    contents.drop_held(held)
    assert contents.keys_in_memory() == []


async def test_of_the_disk_only_what_is_owned_is_seen(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        for name in range(20):
            put(store, name)
    owned = [primary(name) for name in range(20) if is_even(primary(name))]
    assert 0 < len(owned) < 20
    disk = DiskTier(tmp_path, 4 * MB, owns=is_even, limits=SMALL)
    store = Store(MemoryTier(MB), disk, measures=Measures(), write_behind_bytes=MB, owns=is_even)
    await store.open()
    assert set(store.contents.keys_on_disk()) == set(owned)
    rows = [
        row
        for batch in store.contents.batches(map(primary, range(20)))
        for row in await store.contents.look(batch)
    ]
    assert {each.row.primary for each in rows} == set(owned)
    assert len(await store.contents.drop_rows(rows)) == len(owned)
    await store.aclose()
    async with store_room(tmp_path).store() as store:
        assert set(store.contents.keys_on_disk()) == {primary(name) for name in range(20)} - set(owned)


async def test_all_variants_of_a_key_are_looked_at_without_their_bodies(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        stored = [put(store, length=LARGE_BODY)[0], put(store, gzip=True)[0]]
        await writing_of(store).settled()
        rows = await store.contents.look([KEY])
        assert {version_of(each.stored) for each in rows if each.stored} == set(map(version_of, stored))
        assert store.disk is not None
        assert sum(each.row.size for each in rows) == store.disk.used_bytes


async def test_a_batch_has_so_many_rows_and_is_not_long_looked_for(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        for name in range(ROWS):
            put(store, name, 10)
        put(store, 0, 10, gzip=True)
        await writing_of(store).settled()
        names = [*range(ROWS), *range(1000, 1000 + 2 * KEYS)]
        sizes = [len(batch) for batch in store.contents.batches(map(primary, names))]
        assert sizes == [ROWS - 1, 1, 0]


async def test_a_store_that_is_closed_says_so(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        put(store)
    with pytest.raises(StoreFault):
        await store.contents.look([KEY])


async def test_a_row_that_was_replaced_while_it_was_judged_stays(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        put(store)
        await writing_of(store).settled()
        rows = await store.contents.look([KEY])
        new, _ = put(store)
        assert await store.contents.drop_rows(rows) == []
        await writing_of(store).settled()
        assert await store.contents.drop_rows(rows) == []
        store.memory.remove_key(KEY)
        assert ids(await store.load(KEY)) == [new.body_id]


async def test_a_row_whose_new_head_waits_stays_with_it(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        stored, _ = put(store, length=LARGE_BODY)
        await forgotten_by_memory(store)
        rows = await store.contents.look([KEY])
        with writing_held_up(writing_of(store)):
            store.freshen(stored, freshened(stored))
            assert await store.contents.drop_rows(rows) == []
        await writing_of(store).settled()
        assert ids(await store.load(KEY)) == [stored.body_id]


async def test_a_look_up_that_has_read_what_is_dropped_meanwhile_does_not_bring_it_back(tmp_path: Path):
    disk = SlowlyRead(tmp_path, 4 * MB, limits=SMALL)
    store = Store(MemoryTier(MB), disk, measures=Measures(), write_behind_bytes=MB)
    await store.open()
    put(store)
    await forgotten_by_memory(store)
    rows = await store.contents.look([KEY])
    loading = asyncio.ensure_future(store.load(KEY))
    await asyncio.to_thread(disk.has_read.wait, 10)
    assert await store.contents.drop_rows(rows) == rows
    disk.go_on.set()
    assert await loading == []
    assert list(store.memory) == []
    await store.aclose()
