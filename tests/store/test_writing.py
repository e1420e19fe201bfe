"""Writing behind: the order of what happened, bounds, and a disk that fails and comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreFault
from edge.store.codec import resident_bytes
from edge.store.disk import NO_VARY
from edge.store.pending import Delete, DropUnreadable, DropVariant, Rehead
from edge.store.writing import LARGE_BYTES
from tests.kit.disk import SMALL, body_files, primary, whole
from tests.kit.stores import (
    LARGE_BODY,
    SMALL_BODY,
    dropping,
    freshened,
    on_disk,
    queue,
    response,
    store_room,
    version_of,
    writing_held_up,
)

KEY = primary(1)
QUICK = replace(SMALL, busy_seconds=0.01)


# -- order --


@pytest.mark.parametrize("length", [0, SMALL_BODY, LARGE_BODY, LARGE_BYTES])
async def test_a_response_is_written_whatever_its_size_and_read_back_after_a_restart(
    length: int, tmp_path: Path
):
    room = store_room(tmp_path)
    async with room.writing(room.tier()) as writing:
        stored, body = queue(writing, length=length)
    tier = room.tier()
    tier.open()
    assert on_disk(tier) == (version_of(stored), body)
    tier.close()
    assert room.writes("stored") == 1
    assert not room.faults


async def test_what_happens_to_one_key_is_carried_out_in_that_order(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        with writing_held_up(writing):
            queue(writing)
            writing.add(Delete(KEY))
            stored, body = queue(writing, length=LARGE_BODY)
            writing.add(Rehead(freshened(stored)))
        await writing.settled()
        assert on_disk(tier) == (b"freshened", body)
        with writing_held_up(writing):
            queue(writing)
            writing.add(Delete(KEY))
        await writing.settled()
        assert on_disk(tier) is None
        assert body_files(tmp_path) == []


async def test_what_was_replaced_while_it_waited_is_not_written(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        with writing_held_up(writing):
            queue(writing, name=2)
            for _ in range(20):
                queue(writing)
            last, body = queue(writing)
        await writing.settled()
        assert on_disk(tier) == (version_of(last), body)
        assert tier.counters.puts == 2
        assert writing.waiting_bytes == 0


async def test_puts_that_wait_together_are_written_together(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        with writing_held_up(writing):
            for name in range(50):
                queue(writing, name, LARGE_BODY if name % 10 == 0 else SMALL_BODY)
        await writing.settled()
        assert len(tier) == 50
        assert room.writes("stored") == 50


async def test_a_new_head_is_written_only_under_its_own_body(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        old, _ = queue(writing)
        new, body = queue(writing)
        writing.add(Rehead(freshened(old)))
        await writing.settled()
        assert on_disk(tier) == (version_of(new), body)


async def test_dropping_a_body_does_not_drop_the_one_that_took_its_place(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        old, _ = queue(writing)
        await writing.settled()
        new, body = queue(writing)
        writing.add(dropping(old))
        await writing.settled()
        assert on_disk(tier) == (version_of(new), body)
        writing.add(dropping(new))
        await writing.settled()
        assert on_disk(tier) is None


async def test_an_unreadable_row_is_dropped_and_a_readable_one_is_not(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        await writing.run(lambda: tier.put_small(KEY, NO_VARY, b"of another version", b"body"))
        queue(writing, name=2)
        await writing.settled()
        for name in (1, 2):
            writing.add(DropUnreadable(primary(name), NO_VARY))
        await writing.settled()
        assert tier.variants(KEY) == ()
        assert on_disk(tier, 2) is not None


# -- something else in its place --


async def test_a_call_is_carried_out_behind_what_waits_for_its_key(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier) as writing:
        with writing_held_up(writing):
            _, body = queue(writing)
            looking = asyncio.ensure_future(writing.run_behind(KEY, lambda: whole(tier.read(KEY))))
            await asyncio.sleep(0)
            writing.add(Delete(KEY))
        found = await looking
        assert found is not None
        assert found[1] == body
        await writing.settled()
        assert on_disk(tier) is None


async def test_a_call_for_which_nothing_waits_does_not_wait_for_other_keys(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.writing(room.tier()) as writing:
        with writing_held_up(writing):
            for name in range(2, 300):
                queue(writing, name)
            seen = asyncio.ensure_future(writing.run_behind(KEY, lambda: room.writes("stored")))
            await asyncio.sleep(0)
        assert await seen < 298


async def test_what_comes_after_a_call_is_behind_it_even_when_its_caller_was_cancelled(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    _, body = response(1, LARGE_BODY)
    async with room.writing(tier) as writing:
        with writing_held_up(writing):
            calling = asyncio.ensure_future(
                writing.run_behind(KEY, lambda: tier.put_small(KEY, NO_VARY, b"old", body))
            )
            await asyncio.sleep(0)
            calling.cancel()
            await asyncio.sleep(0)
            writing.add(Delete(KEY))
        await writing.settled()
        assert tier.counters.puts == 1
        assert tier.variants(KEY) == ()
        assert not writing.pending.waits(KEY)


async def test_what_a_call_raises_is_raised_where_it_is_awaited(tmp_path: Path):
    room = store_room(tmp_path)

    def failing() -> None:
        raise StoreFault("this one")

    async with room.writing(room.tier()) as writing:
        for _ in range(2):
            with pytest.raises(StoreFault, match="this one"):
                await writing.run_behind(KEY, failing)
            queue(writing)
        with pytest.raises(StoreFault, match="this one"):
            await writing.run(failing)
    assert not room.faults


# -- bounds --


async def test_what_waits_is_bounded_in_bytes_and_what_does_not_fit_is_counted(tmp_path: Path):
    room = store_room(tmp_path)
    stored, _ = response(1)
    bound = 3 * (SMALL_BODY + resident_bytes(stored)) + 100
    tier = room.tier()
    async with room.writing(tier, bound=bound) as writing:
        with writing_held_up(writing):
            for name in range(10):
                queue(writing, name)
                assert writing.waiting_bytes <= bound
        await writing.settled()
        assert len(tier) == room.writes("stored") == 3
        assert room.writes("dropped") == 7
        assert writing.waiting_bytes == 0
        queue(writing, 11)
        await writing.settled()
        assert on_disk(tier, 11) is not None


async def test_heads_without_bodies_are_bounded_too(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.writing(room.tier(), bound=50_000) as writing:
        with writing_held_up(writing):
            for name in range(100):
                stored, _ = queue(writing, name, length=0)
                writing.add(Rehead(freshened(stored)))
            assert writing.waiting_bytes <= 50_000
        await writing.settled()
        assert room.writes("dropped") > 100


async def test_the_older_copy_of_what_was_dropped_does_not_come_back(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier, bound=10_000) as writing:
        old, _ = queue(writing)
        await writing.settled()
        queue(writing, length=20_000)
        assert writing.pending.seen(KEY, [old]) == []
        await writing.settled()
        assert on_disk(tier) is None


async def test_a_delete_is_never_dropped(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier, bound=10_000) as writing:
        queue(writing)
        await writing.settled()
        with writing_held_up(writing):
            for name in range(2, 10):
                queue(writing, name)
            assert room.writes("dropped")
            writing.add(Delete(KEY))
        await writing.settled()
        assert on_disk(tier) is None


async def test_deleting_what_is_not_there_takes_no_place(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.writing(room.tier()) as writing:
        for name in range(100):
            writing.add(Delete(primary(name)))
            writing.add(DropVariant(primary(name), ()))
        assert not writing._queue


async def test_when_more_waits_than_may_the_disk_is_emptied_and_nothing_old_is_seen_meanwhile(tmp_path: Path):
    room = store_room(tmp_path)
    tier = room.tier()
    async with room.writing(tier, max_operations=20) as writing:
        olds = [queue(writing, name)[0] for name in range(10)]
        await writing.settled()
        with writing_held_up(writing):
            queue(writing, 50)
            await asyncio.sleep(0)
            for _ in range(3):
                for old in olds:
                    writing.add(DropVariant(old.key, old.nominated))
            assert all(writing.pending.seen(old.key, [old]) == [] for old in olds)
            assert len(writing._queue) <= 20
            last, body = queue(writing, 51)
        await writing.settled()
        assert [on_disk(tier, name) for name in range(10)] == [None] * 10
        assert on_disk(tier, 51) == (version_of(last), body)
        assert writing.pending.seen(KEY, [olds[1]]) == [olds[1]]
        assert writing.waiting_bytes == 0


# -- the end --


async def test_closing_writes_all_that_waits(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.writing(room.tier()) as writing:
        for name in range(300):
            queue(writing, name)
    tier = room.tier()
    tier.open()
    assert len(tier) == 300
    tier.close()


async def test_after_closing_nothing_is_taken_and_closing_again_is_allowed(tmp_path: Path):
    room = store_room(tmp_path)
    async with room.writing(room.tier()) as writing:
        pass
    await writing.aclose()
    queue(writing)
    assert writing.waiting_bytes == 0
    with pytest.raises(StoreFault, match="closed"):
        await writing.run(lambda: None)
    with pytest.raises(StoreFault, match="closed"):
        await writing.run_behind(KEY, lambda: None)
