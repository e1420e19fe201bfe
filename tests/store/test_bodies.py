"""Bodies as they are read: every range exactly, damage as a cut, descriptors given back."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from edge.errors import StoreFault
from edge.semantics.message import EMPTY
from edge.store.bodies import READ_BYTES, ByteStream, DiskBody, MemoryBody, StoredBody
from edge.store.disk import NO_VARY, DiskTier
from edge.store.pace import Pace
from edge.store.record import BLOCK_BYTES, FILE_HEADER_BYTES
from tests.kit.disk import SMALL, body_files, body_of, flip, opened, opened_body, primary
from tests.kit.spools import open_bodies

T = TypeVar("T")
LENGTH = 5 * BLOCK_BYTES + 77
DATA = body_of(1, 1, LENGTH)
RANGES = [
    (0, LENGTH),
    (0, 0),
    (0, 1),
    (LENGTH - 1, LENGTH),
    (BLOCK_BYTES - 1, BLOCK_BYTES + 1),
    (READ_BYTES - 1, READ_BYTES),
    (READ_BYTES, 2 * READ_BYTES),
    (17, LENGTH - 17),
    (LENGTH, LENGTH),
]


async def at_once(blocking: Callable[[], T]) -> T:
    """The reading thread of these tests: the caller's own."""
    return blocking()


async def pieces_of(stream: ByteStream) -> list[bytes]:
    pieces = []
    while piece := await stream.read():
        pieces.append(piece)
    assert await stream.read() == b""
    return pieces


def disk_body(tier: DiskTier) -> DiskBody:
    tier.put_small(primary(1), NO_VARY, b"meta", DATA)
    return DiskBody(opened_body(tier.read(primary(1))), LENGTH, at_once, Pace())


@pytest.mark.parametrize("start, stop", RANGES)
async def test_a_range_of_memory_is_one_piece(start: int, stop: int):
    body: StoredBody = MemoryBody(DATA)
    assert body.length == LENGTH
    assert body.at_hand is DATA
    stream = body.stream(start, stop)
    assert stream.trailers == EMPTY
    assert await pieces_of(stream) == [DATA[start:stop]] * (start < stop)
    stream.close()
    body.close()


@pytest.mark.parametrize("start, stop", RANGES)
async def test_a_range_of_a_file_is_exactly_its_bytes_read_a_few_blocks_at_a_time(
    start: int, stop: int, tmp_path: Path
):
    with opened(tmp_path) as tier:
        body: StoredBody = disk_body(tier)
        assert body.length == LENGTH
        assert body.at_hand is None
        pieces = await pieces_of(body.stream(start, stop))
        assert b"".join(pieces) == DATA[start:stop]
        assert all(len(piece) <= READ_BYTES for piece in pieces)
        body.close()


async def test_streams_of_one_file_do_not_disturb_each_other(tmp_path: Path):
    with opened(tmp_path) as tier:
        body = disk_body(tier)
        one, two = body.stream(0, LENGTH), body.stream(100, LENGTH)
        body.close()
        got: tuple[list[bytes], list[bytes]] = ([], [])
        while (piece := await one.read()) and (other := await two.read()):
            got[0].append(piece)
            got[1].append(other)
        assert b"".join(got[0]) == DATA
        assert b"".join(got[1]) == DATA[100:]


async def test_a_closed_stream_gives_nothing_more(tmp_path: Path):
    with opened(tmp_path) as tier:
        stream = disk_body(tier).stream(0, LENGTH)
        assert len(await stream.read()) == READ_BYTES
        stream.close()
        assert await stream.read() == b""


async def test_a_damaged_block_is_a_fault_in_mid_stream_and_never_a_clean_end(tmp_path: Path):
    with opened(tmp_path) as tier:
        body = disk_body(tier)
        (file,) = body_files(tmp_path)
        flip(file, FILE_HEADER_BYTES + 4 * BLOCK_BYTES + 5)
        stream = body.stream(0, LENGTH)
        assert await stream.read() + await stream.read() == DATA[: 2 * READ_BYTES]
        with pytest.raises(StoreFault, match="damaged"):
            await stream.read()
        assert tier.variants(primary(1)) == ()


async def test_a_file_that_was_cut_is_a_fault(tmp_path: Path):
    with opened(tmp_path) as tier:
        body = disk_body(tier)
        (file,) = body_files(tmp_path)
        os.truncate(file, FILE_HEADER_BYTES + BLOCK_BYTES)
        with pytest.raises(StoreFault):
            await pieces_of(body.stream(0, LENGTH))


async def test_a_body_that_says_it_is_longer_than_it_is_does_not_end_cleanly(tmp_path: Path):
    with opened(tmp_path) as tier:
        tier.put_small(primary(1), NO_VARY, b"meta", DATA)
        body = DiskBody(opened_body(tier.read(primary(1))), LENGTH + 1, at_once, Pace())
        with pytest.raises(StoreFault, match="shorter"):
            await pieces_of(body.stream(0, LENGTH + 1))


async def test_a_body_that_is_deleted_while_it_is_read_is_read_to_its_end(tmp_path: Path):
    with opened(tmp_path) as tier:
        stream = disk_body(tier).stream(0, LENGTH)
        first = await stream.read()
        tier.delete_primary(primary(1))
        assert body_files(tmp_path) == []
        assert first + b"".join(await pieces_of(stream)) == DATA


async def test_the_file_is_closed_with_its_last_stream(tmp_path: Path):
    with opened(tmp_path, limits=replace(SMALL, idle_files=0)) as tier:
        tier.put_small(primary(1), NO_VARY, b"meta", DATA)
        before = open_bodies(tmp_path)
        body = disk_body(tier)
        streams = [body.stream(0, LENGTH), body.stream(0, 10)]
        body.close()
        del body
        gc.collect()
        assert open_bodies(tmp_path) == before + 1
        while streams:
            streams.pop().close()
        gc.collect()
        assert open_bodies(tmp_path) == before
