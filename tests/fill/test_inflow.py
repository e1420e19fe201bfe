"""A storable body on its way in: read while it comes, stored when it is whole, given up when nobody wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.errors import UpstreamFault
from edge.fill.order import Streaming
from edge.fill.table import Follow, Lead, Outcome
from edge.semantics.rules import SiteRules, StoreRules
from tests.kit.disk import MB
from tests.kit.fills import (
    KEY,
    RESET,
    WINDOW,
    Bench,
    benched,
    rest_of,
    turns,
)
from tests.kit.scripted_upstream import Coming, fresh


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with benched() as bench:
        yield bench


# -- a body on its way --


@pytest.mark.parametrize("length", [6, None])
async def test_a_body_is_read_while_it_comes_and_stored_when_it_is_whole(length: int | None, bench: Bench):
    coming = Coming()
    bench.upstream.says(fresh(coming, length=length))
    lease = bench.lease()
    found = await bench.start(lease).found
    assert isinstance(found, Streaming)
    assert found.length == length
    reader = found.body.reader()
    coming.feed(b"abc")
    assert await reader.read() == b"abc"
    assert bench.held() == []
    assert bench.table.join(KEY, b"", fence=0, vouches=lambda _fence: True, now=1e9, patience=0.0) == Follow(
        lease
    )
    coming.feed(b"def")
    coming.reader.end()
    assert await rest_of(reader) == b"def"
    assert [stored.body_length for stored in bench.held()] == [6]
    await bench.ended()
    assert lease.outcome is Outcome.COMPLETE


async def test_the_store_has_the_whole_before_a_reader_sees_its_end(tmp_path: Path):
    async with benched(tmp_path) as bench:
        for size in (WINDOW // 2, 30 * WINDOW):
            bench.store.forget(KEY)
            coming = Coming()
            bench.upstream.says(fresh(coming, length=size))
            found = await bench.start(bench.lease()).found
            assert isinstance(found, Streaming)
            reader = found.body.reader()
            coming.feed(bytes(size))
            while reader.offset < size:
                await reader.read()
            assert bench.held() or bench.store.is_on_disk(KEY)
            coming.reader.end()
            await bench.ended()


async def test_a_body_that_breaks_off_is_told_and_not_stored(bench: Bench):
    coming = Coming()
    bench.upstream.says(fresh(coming, length=6))
    lease = bench.lease()
    found = await bench.start(lease).found
    assert isinstance(found, Streaming)
    coming.feed(b"abc")
    coming.reader.fail(RESET)
    reader = found.body.reader()
    with pytest.raises(UpstreamFault, match="reset"):
        await rest_of(reader)
    await bench.ended()
    assert reader.offset == 3
    assert bench.held() == []
    assert lease.outcome is Outcome.FAILED


async def test_a_large_body_goes_through_the_disk_and_is_found_there(tmp_path: Path):
    async with benched(tmp_path) as bench:
        coming = Coming()
        bench.upstream.says(fresh(coming, length=50 * WINDOW))
        found = await bench.start(bench.lease()).found
        assert isinstance(found, Streaming)
        reading = asyncio.ensure_future(rest_of(found.body.reader()))
        for number in range(50):
            coming.feed(bytes([number]) * WINDOW)
            await asyncio.sleep(0)
        coming.reader.end()
        assert await reading == b"".join(bytes([number]) * WINDOW for number in range(50))
        await bench.ended()
        (stored,) = await bench.store.load(KEY)
        assert stored.body_length == 50 * WINDOW
        assert bench.faults == []


async def test_a_fill_that_dies_in_mid_body_leaves_nobody_waiting_and_the_connection_to_nobody(bench: Bench):
    coming = Coming()
    bench.upstream.says(fresh(coming, length=6))
    lease = bench.lease()
    found = await bench.start(lease).found
    assert isinstance(found, Streaming)
    reader = found.body.reader()
    coming.feed(b"abc")
    assert await reader.read() == b"abc"
    bench.tasks[0].cancel()
    with pytest.raises(UpstreamFault, match="early"):
        await reader.read()
    await bench.ended()
    assert coming.is_dropped
    assert lease.outcome is Outcome.ABANDONED
    assert bench.held() == []


async def test_what_nobody_reads_and_nobody_stores_is_not_fetched_to_its_end(bench: Bench):
    """There is no disk, so a large body is stored nowhere."""
    coming = Coming()
    bench.upstream.says(fresh(coming, length=50 * WINDOW))
    lease = bench.lease()
    fill = bench.start(lease)
    found = await fill.found
    assert isinstance(found, Streaming)
    reader = found.body.reader()
    fill.leave()
    coming.feed(bytes(WINDOW))
    await reader.read()
    coming.feed(bytes(WINDOW))
    await reader.read()
    assert lease.outcome is None
    reader.close()
    coming.feed(bytes(WINDOW))
    await bench.ended()
    assert coming.is_dropped
    assert bench.table.under_way == 0


async def test_what_nobody_reads_is_fetched_to_its_end_when_it_is_stored(bench: Bench):
    coming = Coming()
    bench.upstream.says(fresh(coming, length=6))
    bench.start(bench.lease()).leave()
    await turns(lambda: bool(bench.upstream.requests))
    for piece in (b"abc", b"def"):
        coming.feed(piece)
        await asyncio.sleep(0)
    coming.reader.end()
    await bench.ended()
    assert len(bench.held()) == 1


async def test_a_body_whose_beginning_is_gone_can_not_be_joined_and_the_next_one_leads(bench: Bench):
    coming = Coming()
    bench.upstream.says(fresh(coming, length=50 * WINDOW))
    lease = bench.lease()
    found = await bench.start(lease).found
    assert isinstance(found, Streaming)
    reader = found.body.reader()
    for _ in range(3):
        coming.feed(bytes(WINDOW))
        await reader.read()
    await turns(lambda: not found.body.reaches(0))
    joined = bench.table.join(
        KEY, b"", fence=0, vouches=lambda _fence: True, now=bench.clock.mono(), patience=5.0
    )
    assert isinstance(joined, Lead)
    assert lease.outcome is None
    bench.table.taint(KEY)
    assert lease.tainted


# -- a store that fails --


async def test_a_disk_without_room_costs_the_copy_and_not_the_answer(tmp_path: Path):
    rules = SiteRules(store=StoreRules(max_object=64 * MB))
    async with benched(tmp_path, rules) as bench:
        for length in (20 * MB, None):
            coming = Coming()
            bench.upstream.says(fresh(coming, length=length))
            lease = bench.lease()
            found = await bench.start(lease).found
            assert isinstance(found, Streaming)
            reader = found.body.reader()
            for _ in range(20):
                coming.feed(bytes(MB))
                at = reader.offset
                while reader.offset < at + MB:
                    await reader.read()
            coming.reader.end()
            assert await rest_of(reader) == b""
            await bench.ended()
            assert lease.outcome is Outcome.COMPLETE
            assert len(bench.faults) == 1
            assert await bench.store.load(KEY) == []
            bench.faults.clear()


async def test_a_body_that_turns_out_larger_than_the_site_stores_is_not_stored_and_frees_the_disk(
    tmp_path: Path,
):
    async with benched(tmp_path, SiteRules(store=StoreRules(max_object=MB))) as bench:
        coming = Coming()
        bench.upstream.says(fresh(coming, length=None))
        found = await bench.start(bench.lease()).found
        assert isinstance(found, Streaming)
        slow, reader = found.body.reader(), found.body.reader()
        for _ in range(20):
            coming.feed(bytes(10 * WINDOW))
        reading = asyncio.ensure_future(rest_of(slow))
        while reader.offset < 150 * WINDOW:
            await reader.read()
        assert bench.store.disk is not None
        assert bench.store.disk.used_bytes == 0
        coming.reader.end()
        await rest_of(reader)
        await reading
        assert reader.offset == slow.offset == 200 * WINDOW
        await bench.ended()
        assert bench.faults == []
        assert await bench.store.load(KEY) == []
