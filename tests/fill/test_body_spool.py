"""One body through a spool: bounded memory, readers anywhere in it, and a spool that fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.errors import StoreFault, UpstreamFault
from edge.fill.body import BLOCK_BYTES, FillBody
from tests.kit.disk import body_of
from tests.kit.fills import WINDOW, cut, quiet, rest_of, write
from tests.kit.spools import spooling

BROKEN = UpstreamFault("it broke off")


# -- with a spool --

BIG = 5 * BLOCK_BYTES + 12_345
BOUND = BLOCK_BYTES + 2 * WINDOW
"""What may be in memory: the window, what waits for the next block, and the piece that was added last."""


async def test_fifty_readers_at_different_speeds_get_the_same_bytes_out_of_bounded_memory(tmp_path: Path):
    data = body_of(1, 1, BIG)
    async with spooling(tmp_path) as room:
        body = FillBody(WINDOW)
        body.spool = await room.spool(BIG)
        readers = [body.reader() for _ in range(50)]
        got: list[list[bytes]] = [[] for _ in readers]
        for number, piece in enumerate(cut(data, WINDOW)):
            body.add(piece)
            await body.make_room()
            assert body.held_bytes <= BOUND
            for each, reader in enumerate(readers):
                if (number + 1) % (each + 1) == 0:
                    got[each].append(await reader.read())
        offsets = {reader.offset for reader in readers}
        assert min(offsets) < BIG // 2
        assert max(offsets) == BIG
        assert len(offsets) > 10
        body.end()
        rests = await asyncio.gather(*map(rest_of, readers))
        assert all(b"".join(pieces) + rest == data for pieces, rest in zip(got, rests, strict=True))


async def test_a_stalled_reader_holds_up_nobody_where_there_is_a_spool(tmp_path: Path):
    data = body_of(1, 1, BIG)
    async with spooling(tmp_path) as room:
        body = FillBody(WINDOW)
        body.spool = await room.spool()
        stalled, quick = body.reader(), body.reader()
        writing = asyncio.ensure_future(write(body, data, piece=WINDOW))
        assert await rest_of(quick) == data
        await writing
        assert stalled.offset == 0
        assert not body.is_whole_in_memory
        assert await rest_of(stalled) == data


@pytest.mark.parametrize(
    "start, stop",
    [
        (0, 1),
        (5, 6),
        (BLOCK_BYTES - 1, BLOCK_BYTES + 1),
        (BIG - 5, BIG),
        (100, 3 * BLOCK_BYTES),
        (BIG - 20_000, None),
    ],
)
async def test_a_range_of_what_was_spooled_is_exactly_its_bytes(start: int, stop: int | None, tmp_path: Path):
    data = body_of(1, 1, BIG)
    async with spooling(tmp_path) as room:
        body = FillBody(WINDOW)
        body.spool = await room.spool()
        early = body.reader(start, stop)
        await write(body, data, piece=WINDOW)
        assert await rest_of(early) == data[start:stop]
        assert body.reaches(start)
        assert await rest_of(body.reader(start, stop)) == data[start:stop]


async def test_a_body_that_turns_out_large_is_spooled_from_its_first_byte(tmp_path: Path):
    data = body_of(1, 1, BIG)
    async with spooling(tmp_path) as room:
        body = FillBody(WINDOW)
        await write(body, data[:WINDOW], end=False)
        body.spool = await room.spool()
        await write(body, data[WINDOW:], end=False)
        await body.flush()
        body.end()
        assert await body.spool.read(0, 100) == data[:100]
        assert await rest_of(body.reader()) == data


async def test_what_was_appended_by_the_caller_is_not_spooled_again(tmp_path: Path):
    data = body_of(1, 1, 3 * BLOCK_BYTES)
    async with spooling(tmp_path) as room:
        body = FillBody(WINDOW)
        spool = body.spool = await room.spool(len(data))
        await write(body, data[:-100], end=False)
        await body.flush()
        await spool.append(data[-100:])
        body.add_spooled(data[-100:])
        await body.flush()
        body.end()
        assert await rest_of(body.reader()) == data


async def test_when_the_spool_fails_nobody_breaks_off_and_the_writer_waits_for_the_slowest(tmp_path: Path):
    data = body_of(1, 1, 3 * BIG)
    async with spooling(tmp_path, ceiling=4 * BLOCK_BYTES) as room:
        body = FillBody(WINDOW)
        body.spool = await room.spool()
        behind, ahead = body.reader(), body.reader()
        reading = asyncio.ensure_future(rest_of(ahead))
        at = 0
        with pytest.raises(StoreFault):
            while True:
                body.add(data[at : at + WINDOW])
                at += WINDOW
                await body.make_room()
        assert BLOCK_BYTES < at < len(data)
        assert behind.offset == 0
        body.lose_spool()
        writing = asyncio.ensure_future(write(body, data[at:], piece=WINDOW))
        await quiet(lambda: (body.size, ahead.offset))
        assert not writing.done()
        assert body.held_bytes <= BOUND + WINDOW
        assert await rest_of(behind) == data
        assert await reading == data
        await writing


async def test_when_the_spool_fails_and_the_slowest_leaves_the_others_go_on(tmp_path: Path):
    data = body_of(1, 1, 3 * BIG)
    async with spooling(tmp_path, ceiling=4 * BLOCK_BYTES) as room:
        body = FillBody(WINDOW)
        body.spool = await room.spool()
        behind, ahead = body.reader(), body.reader()
        reading = asyncio.ensure_future(rest_of(ahead))
        for piece in cut(data, WINDOW):
            body.add(piece)
            try:
                await body.make_room()
            except StoreFault:
                body.lose_spool()
                behind.close()
        body.end()
        assert await reading == data
        assert not body.reaches(0)
        with pytest.raises(StoreFault, match="gone"):
            await rest_of(body.reader())


async def test_a_spool_that_fails_before_anything_was_written_leaves_a_body_without_one(tmp_path: Path):
    data = body_of(1, 1, BIG)
    async with spooling(tmp_path, ceiling=1000) as room:
        body = FillBody(WINDOW)
        body.spool = await room.spool()
        reader = body.reader()
        body.add(data[:BLOCK_BYTES])
        with pytest.raises(StoreFault):
            await body.make_room()
        body.lose_spool()
        writing = asyncio.ensure_future(write(body, data[BLOCK_BYTES:]))
        assert await rest_of(reader) == data
        await writing


async def test_a_body_that_breaks_off_is_read_out_of_its_aborted_spool_up_to_where_it_broke(tmp_path: Path):
    data = body_of(1, 1, BIG)
    async with spooling(tmp_path) as room:
        body = FillBody(WINDOW)
        spool = body.spool = await room.spool()
        reader = body.reader()
        await write(body, data, piece=WINDOW, end=False)
        body.fail(BROKEN)
        spool.abort()
        got = b""
        with pytest.raises(UpstreamFault, match="broke off"):
            while True:
                got += await reader.read()
        assert got == data
