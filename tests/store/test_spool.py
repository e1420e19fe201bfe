"""A large body on its way in: read while it grows, published whole or not at all."""

from __future__ import annotations

import asyncio
import gc
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreFault
from edge.store.codec import decode
from edge.store.record import BLOCK_BYTES
from tests.kit.disk import SMALL, body_files, body_of, primary, whole
from tests.kit.spools import SpoolRoom, open_bodies, spooling
from tests.kit.stores import response

LENGTH = 2 * BLOCK_BYTES + 77
DATA = body_of(1, 1, LENGTH)


def stored_body(room: SpoolRoom, name: int = 1) -> bytes | None:
    found = whole(room.tier.read(primary(name)))
    return None if found is None else found[1]


async def test_what_was_appended_is_read_back_before_it_is_finished(tmp_path: Path):
    async with spooling(tmp_path) as room:
        spool = await room.spool(LENGTH)
        await spool.append(DATA[:10])
        assert await spool.read(3, 100) == DATA[3:10]
        await spool.append(DATA[10:])
        assert await spool.read(0, LENGTH) == DATA
        assert await spool.read(LENGTH - 5, 100) == DATA[-5:]
        assert stored_body(room) is None


async def test_a_finished_body_is_stored_with_its_head_and_told_of(tmp_path: Path):
    stored, _ = response(1, LENGTH)
    async with spooling(tmp_path) as room:
        spool = await room.spool(LENGTH)
        await spool.append(DATA)
        assert room.published == []
        await spool.finish(stored)
        assert room.published == [stored]
        spool.abort()
        found = whole(room.tier.read(primary(1)))
        assert found is not None
        assert found[1] == DATA
        assert decode(found[0]).body_id == stored.body_id


async def test_it_is_readable_after_finishing_and_after_it_was_replaced(tmp_path: Path):
    stored, _ = response(1, LENGTH)
    async with spooling(tmp_path) as room:
        spool = await room.spool(LENGTH)
        await spool.append(DATA)
        await spool.finish(stored)
        room.tier.delete_primary(primary(1))
        assert body_files(tmp_path) == []
        assert await spool.read(0, LENGTH) == DATA


async def test_an_aborted_body_leaves_nothing_but_is_readable_by_those_who_have_it(tmp_path: Path):
    async with spooling(tmp_path) as room:
        spool = await room.spool()
        await spool.append(DATA)
        spool.abort()
        spool.abort()
        assert body_files(tmp_path) == []
        assert room.tier.used_bytes == 0
        assert await spool.read(0, LENGTH) == DATA
        with pytest.raises(StoreFault, match="given up"):
            await spool.append(b"more")


async def test_a_body_that_was_never_appended_to_can_be_aborted_and_can_not_be_read(tmp_path: Path):
    async with spooling(tmp_path) as room:
        spool = await room.spool()
        with pytest.raises(StoreFault):
            await spool.read(0, 10)
        spool.abort()


async def test_reading_where_nothing_was_appended_is_a_fault(tmp_path: Path):
    async with spooling(tmp_path) as room:
        spool = await room.spool()
        await spool.append(DATA[:10])
        for offset in (10, 11, LENGTH):
            with pytest.raises(StoreFault):
                await spool.read(offset, 1)
        spool.abort()


async def test_a_body_shorter_than_announced_is_not_published(tmp_path: Path):
    stored, _ = response(1, LENGTH)
    async with spooling(tmp_path) as room:
        spool = await room.spool(LENGTH)
        await spool.append(DATA[:-1])
        with pytest.raises(StoreFault, match="incomplete"):
            await spool.finish(stored)
        assert stored_body(room) is None
        assert room.published == []
        assert body_files(tmp_path) == []
        assert await spool.read(0, LENGTH) == DATA[:-1]


async def test_a_full_disk_is_a_fault_and_what_was_written_is_readable(tmp_path: Path):
    async with spooling(tmp_path, ceiling=BLOCK_BYTES + 100_000) as room:
        spool = await room.spool()
        await spool.append(DATA[:BLOCK_BYTES])
        with pytest.raises(StoreFault):
            await spool.append(DATA[BLOCK_BYTES:])
        assert await spool.read(0, LENGTH) == DATA[:BLOCK_BYTES]
        assert body_files(tmp_path) == []


async def test_a_head_that_is_too_large_is_not_published(tmp_path: Path):
    stored, _ = response(1, LENGTH)
    async with spooling(tmp_path, limits=replace(SMALL, meta_bytes=100)) as room:
        spool = await room.spool()
        await spool.append(DATA)
        with pytest.raises(StoreFault):
            await spool.finish(stored)
        assert stored_body(room) is None
        assert await spool.read(0, 10) == DATA[:10]


async def test_no_descriptor_is_left_when_the_last_one_lets_go(tmp_path: Path):
    stored, _ = response(1, LENGTH)
    async with spooling(tmp_path, limits=replace(SMALL, idle_files=0)) as room:
        before = open_bodies(tmp_path)
        for end in ("finish", "abort", "forget"):
            spool = await room.spool()
            await spool.append(DATA)
            assert open_bodies(tmp_path) > before
            if end == "finish":
                await spool.finish(stored)
            elif end == "abort":
                spool.abort()
            del spool
            gc.collect()
            assert open_bodies(tmp_path) == before, end
        assert len(body_files(tmp_path)) == 1


async def test_aborting_while_a_write_is_under_way_leaves_the_file_to_the_writing_thread(tmp_path: Path):
    async with spooling(tmp_path) as room:
        spool = await room.spool()
        await spool.append(DATA)
        entered, go_on = threading.Event(), threading.Event()
        write = spool._writer.write

        def slow() -> None:
            entered.set()
            go_on.wait()
            write(DATA)

        writing = asyncio.ensure_future(room.write(lambda: spool._alone(slow)))
        await asyncio.to_thread(entered.wait)
        spool.abort()
        assert len(body_files(tmp_path)) == 1
        go_on.set()
        await writing
        assert body_files(tmp_path) == []
        assert await spool.read(0, LENGTH) == DATA


async def test_a_fill_cancelled_while_its_write_waits_for_the_thread_writes_nothing(tmp_path: Path):
    async with spooling(tmp_path) as room:
        spool = await room.spool()
        go_on = threading.Event()
        holding_up = asyncio.ensure_future(room.write(go_on.wait))
        appending = asyncio.ensure_future(spool.append(DATA))
        await asyncio.sleep(0)
        assert room.writes == 3
        appending.cancel()
        spool.abort()
        go_on.set()
        await holding_up
        await room.write(lambda: None)
        assert body_files(tmp_path) == []
        assert room.tier.used_bytes == 0
