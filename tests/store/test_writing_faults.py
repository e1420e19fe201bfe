"""Writing behind to a disk that fails: the next one is tried, and what should have gone does not come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.semantics.message import UnixSeconds
from edge.semantics.stored import NOWHERE
from edge.store.pending import Delete, Put
from edge.store.writing import LARGE_BYTES
from tests.kit.disk import SMALL, primary
from tests.kit.stores import (
    dropping,
    locked_by_another,
    on_disk,
    queue,
    response,
    store_room,
    writing_held_up,
)

KEY = primary(1)
LARGE = replace(NOWHERE, path=b"/" + b"x" * 3000)
QUICK = replace(SMALL, busy_seconds=0.01)


# -- faults --


async def test_one_response_that_cannot_be_written_does_not_take_the_others_with_it(tmp_path: Path):
    room = store_room(tmp_path, limits=replace(QUICK, meta_bytes=2000))
    tier = room.tier()
    too_large, body = response(99)
    too_large = replace(too_large, selectors=LARGE)
    async with room.writing(tier) as writing:
        with writing_held_up(writing):
            queue(writing, 98)
            queue(writing, 1)
            writing.add(Put(too_large, body))
            queue(writing, 2)
        await writing.settled()
        assert on_disk(tier, 1) is not None
        assert on_disk(tier, 2) is not None
        assert on_disk(tier, 99) is None
        assert room.writes("failed") == 1
        assert room.writes("stored") == 3
        assert len(room.faults) == 1


async def test_an_error_that_nobody_thought_of_is_a_fault_and_the_next_one_is_written(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    strange, body = response(1)
    strange = replace(strange, freshness=replace(strange.freshness, response_time=UnixSeconds("late")))  # type: ignore[arg-type]
    async with room.writing(tier) as writing:
        writing.add(Put(strange, body))
        await writing.settled()
        assert len(room.faults) == 1
        queue(writing)
        await writing.settled()
        await writing.tend()
        queue(writing)
        await writing.settled()
        assert on_disk(tier) is not None


async def test_the_older_copy_of_what_could_not_be_written_does_not_come_back(tmp_path: Path):
    room = store_room(tmp_path, limits=replace(QUICK, meta_bytes=2000))
    tier = room.tier()
    async with room.writing(tier) as writing:
        old, _ = queue(writing)
        await writing.settled()
        new, body = response(1)
        writing.add(Put(replace(new, selectors=LARGE), body))
        await writing.settled()
        assert writing.pending.seen(KEY, [old]) == []
        await writing.tend()
        assert on_disk(tier) is None
        assert not writing.pending.is_hidden(KEY)


async def test_a_delete_that_failed_keeps_its_key_hidden_until_it_was_carried_out(tmp_path: Path):
    room = store_room(tmp_path, limits=QUICK)
    tier = room.tier()
    async with room.writing(tier) as writing:
        stored, _ = queue(writing)
        await writing.settled()
        with locked_by_another(tmp_path):
            writing.add(Delete(KEY))
            await writing.settled()
            assert room.faults
            assert on_disk(tier) is not None
            assert writing.pending.is_hidden(KEY)
            await writing.tend()
            assert writing.pending.is_hidden(KEY)
        queue(writing, 2)
        await writing.settled()
        assert on_disk(tier) is None
        assert not writing.pending.is_hidden(KEY)
        assert writing.pending.seen(KEY, [stored]) == [stored]


async def test_what_is_owed_is_paid_at_the_latest_when_it_closes(tmp_path: Path):
    room = store_room(tmp_path, limits=QUICK)
    async with room.writing(room.tier()) as writing:
        stored, _ = queue(writing)
        await writing.settled()
        with locked_by_another(tmp_path):
            writing.add(dropping(stored))
            await writing.settled()
    tier = room.tier()
    tier.open()
    assert tier.variants(KEY) == ()
    tier.close()


async def test_a_disk_that_cannot_be_opened_is_tried_again_and_brings_back_nothing_that_was_deleted(
    tmp_path: Path,
):
    directory = tmp_path / "store"
    room = store_room(directory)
    async with room.writing(room.tier()) as writing:
        for name in (1, 2):
            queue(writing, name)
    directory.rename(tmp_path / "aside")
    directory.write_bytes(b"not a directory")
    tier = room.tier()
    async with room.writing(tier) as writing:
        writing.add(Delete(KEY))
        queue(writing, 3)
        await writing.settled()
        assert len(room.faults) >= 2
        assert writing.pending.is_hidden(KEY)
        directory.unlink()
        (tmp_path / "aside").rename(directory)
        await writing.tend()
        assert tier.is_open
        assert on_disk(tier, 1) is None
        assert on_disk(tier, 2) is not None
        assert not writing.pending.is_hidden(KEY)


async def test_a_fault_that_meets_many_at_once_is_reported_once(tmp_path: Path):
    directory = tmp_path / "store"
    directory.write_bytes(b"not a directory")
    room = store_room(directory)
    async with room.writing(room.tier()) as writing:
        room.faults.clear()
        with writing_held_up(writing):
            for name in range(50):
                queue(writing, name)
            queue(writing, 50, LARGE_BYTES)
        await writing.settled()
        assert room.writes("failed") == 51
        assert len(room.faults) <= 6
