"""What a purge would name is counted: once each, in bounded time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.measures import Measures
from edge.semantics.stored import StoredResponse
from edge.store.contents import ROWS
from edge.store.disk import DiskTier
from edge.store.memory import MemoryTier
from edge.store.store import Store
from edge.store.survey import REST_SECONDS, REST_TURNS, TURN_SECONDS, Survey, survey
from tests.kit.clock import ManualClock
from tests.kit.disk import MB, SMALL, primary
from tests.kit.stores import (
    LARGE_BODY,
    SMALL_BODY,
    forgotten_by_memory,
    put,
    response,
    store_room,
    writing_of,
)
from tests.kit.sweeps import Rests


def all_of_it(_stored: StoredResponse) -> bool:
    return True


async def surveyed(
    store: Store, match=all_of_it, *, seconds: float = 60.0, clock: ManualClock | None = None, rests=None
):
    clock = clock or ManualClock()
    return await survey(store.contents, match, seconds=seconds, mono=clock.mono, sleep=rests or Rests(clock))


async def test_an_empty_store_has_nothing(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        assert await surveyed(store) == Survey(0, 0, 0, 0, complete=True)


async def test_each_response_counts_once_wherever_it_is(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        put(store, 1)  # on disk and in memory
        put(store, 2)
        put(store, 3, LARGE_BODY)
        await forgotten_by_memory(store, 2)
        store.memory.remove_key(primary(3))
        alone, body = response(4)
        store.memory.put(alone.key, (), alone, body, 1000)
        put(store, 1, gzip=True)
        await writing_of(store).settled()
        found = await surveyed(store)
        assert (found.objects, found.bytes, found.complete) == (5, LARGE_BODY + 4 * SMALL_BODY, True)


async def test_only_what_matches_is_counted_and_all_is_examined(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        kept = [put(store, name)[0] for name in range(6)]
        await writing_of(store).settled()
        wanted = {kept[0].body_id, kept[5].body_id}
        for name in (4, 5):
            store.memory.remove_key(primary(name))
        found = await surveyed(store, lambda stored: stored.body_id in wanted)
        assert found == Survey(2, 2 * SMALL_BODY, 0, 4 + 6, complete=True)


async def test_what_was_served_from_memory_is_hot(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        for name in range(3):
            put(store, name)
        store.in_memory(primary(1))[0].visited = True
        store.in_memory(primary(2))[0].was_visited = True
        await writing_of(store).settled()
        assert (await surveyed(store)).hot_objects == 2


async def test_copies_of_what_others_own_are_counted_by_these_but_hot_here(tmp_path: Path):
    def owns(key: bytes) -> bool:
        return key != primary(1)

    disk = DiskTier(tmp_path, 4 * MB, owns=owns, limits=SMALL)
    store = Store(MemoryTier(MB), disk, measures=Measures(), write_behind_bytes=MB, owns=owns)
    await store.open()
    for name in (1, 2):
        put(store, name)
        store.in_memory(primary(name))[0].visited = True
    await writing_of(store).settled()
    assert await surveyed(store) == Survey(1, SMALL_BODY, 2, 3, complete=True)
    await store.aclose()


async def test_a_head_that_was_freshened_does_not_count_twice(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        stored, _ = put(store)
        await writing_of(store).settled()
        store.freshen(stored, replace(stored, fence=5))
        await writing_of(store).settled()
        assert (await surveyed(store)).objects == 1


async def test_what_the_sweep_would_drop_as_unreadable_is_not_counted(tmp_path: Path):
    async with store_room(tmp_path).store() as store:
        assert store.disk is not None
        disk = store.disk
        await writing_of(store).run(
            lambda: disk.put_small(primary(1), bytes(16), b"of another time", b"body")
        )
        assert await surveyed(store) == Survey(0, 0, 0, 1, complete=True)


async def test_it_rests_after_each_turn_for_longer_than_the_turn(tmp_path: Path):
    clock = ManualClock()
    rests = Rests(clock)

    def match(_stored: StoredResponse) -> bool:
        clock.advance(TURN_SECONDS / 2)
        return True

    async with store_room(tmp_path).store() as store:
        for name in range(5):
            put(store, name)
        await writing_of(store).settled()
        found = await surveyed(store, match, clock=clock, rests=rests)
        assert (found.objects, found.complete) == (5, True)
    in_memory, on_disk = rests.taken[:3], rests.taken[3:]
    assert in_memory == pytest.approx([REST_TURNS * TURN_SECONDS] * 2 + [REST_SECONDS])
    assert on_disk == [REST_SECONDS]


@pytest.mark.parametrize(("seconds", "objects"), [(0.0, 0), (0.001, 2), (7.0, 4), (100.0, 2 * ROWS)])
async def test_it_says_whether_the_time_was_enough(tmp_path: Path, seconds: float, objects: int):
    clock = ManualClock()

    def match(_stored: StoredResponse) -> bool:
        clock.advance(TURN_SECONDS / 2)
        return True

    async def slowly(_seconds: float) -> None:
        clock.advance(5.0)

    async with store_room(tmp_path).store() as store:
        for name in range(2 * ROWS):
            put(store, name, 10)
        await writing_of(store).settled()
        for name in range(4, 2 * ROWS):
            store.memory.remove_key(primary(name))
        found = await surveyed(store, match, seconds=seconds, clock=clock, rests=slowly)
        assert (found.objects, found.complete) == (objects, seconds == 100.0)
