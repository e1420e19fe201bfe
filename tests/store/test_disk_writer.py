"""A response on its way to the disk: stored when it is finished, and otherwise nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.store.bodyfile import read_back
from edge.store.disk import NO_VARY, DiskTier
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_writer import BodyWriter
from edge.store.record import BLOCK_BYTES
from tests.kit.disk import body_files, body_of, opened, primary, whole

LARGE = 2 * BLOCK_BYTES + 77


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[DiskTier]:
    with opened(tmp_path) as tier:
        yield tier


def faulted(why: DiskFailure, doing: Callable[[], object]) -> None:
    with pytest.raises(DiskFault) as raised:
        doing()
    assert raised.value.why is why


def leave_unfinished(writer: BodyWriter, length: int, how: str) -> None:
    """Do with a writer of a body of `length` bytes everything but finish it."""
    match how:
        case "leave":
            with writer:
                writer.write(body_of(1, 1, length))
        case "long":
            writer.write(body_of(1, 1, length))
            faulted(DiskFailure.INCOMPLETE, partial(writer.write, b"x"))
        case "short":
            writer.write(body_of(1, 1, length - 1))
            faulted(DiskFailure.INCOMPLETE, partial(writer.finish, b"meta"))
        case "abort":
            writer.write(body_of(1, 1, length - 1))
            writer.abort()
        case _:
            writer.write(body_of(1, 1, length - 1))


@pytest.mark.parametrize("length", [10, LARGE])
@pytest.mark.parametrize("how", ["abort", "leave", "forget", "short", "long"])
def test_nothing_is_left_of_a_body_that_was_not_finished(
    tier: DiskTier, tmp_path: Path, length: int, how: str
) -> None:
    tier.put_small(primary(1), NO_VARY, b"before", b"body")
    used = tier.used_bytes
    leave_unfinished(tier.begin(primary(1), NO_VARY, length), length, how)
    assert body_files(tmp_path) == []
    assert tier.used_bytes == used
    assert whole(tier.read(primary(1))) == (b"before", b"body")


def test_abort_after_finish_changes_nothing(tier: DiskTier) -> None:
    writer = tier.begin(primary(1), NO_VARY, None)
    writer.write(body_of(1, 1, LARGE))
    writer.finish(b"meta")
    writer.abort()
    assert whole(tier.read(primary(1))) == (b"meta", body_of(1, 1, LARGE))


def test_a_body_stays_in_memory_up_to_the_limit_and_goes_to_a_file_beyond_it(
    tier: DiskTier, tmp_path: Path
) -> None:
    limit = tier.limits.inline_bytes
    with tier.begin(primary(1), NO_VARY, None) as writer:
        writer.write(bytes(limit))
        assert (writer.written, body_files(tmp_path)) == (limit, [])
        writer.write(b"x")
        assert (writer.written, len(body_files(tmp_path))) == (limit + 1, 1)
        writer.finish(b"meta")
    assert whole(tier.read(primary(1))) == (b"meta", bytes(limit) + b"x")


@pytest.mark.parametrize("end", ["finish", "abort"])
@pytest.mark.parametrize("length", [10, LARGE])
def test_a_body_can_be_read_back_while_it_grows_and_after_its_end(
    tier: DiskTier, tmp_path: Path, length: int, end: str
) -> None:
    body = body_of(1, 1, length)
    writer = tier.begin(primary(1), NO_VARY, None)
    writer.write(body[:7])
    descriptor = writer.open_for_reading()
    try:
        assert read_back(descriptor, 2, 5) == body[2:7]
        writer.write(body[7:])
        assert read_back(descriptor, 0, length) == body
        if end == "finish":
            writer.finish(b"meta")
            assert whole(tier.read(primary(1))) == (b"meta", body)
            tier.delete(primary(1), NO_VARY)
        else:
            writer.abort()
        assert body_files(tmp_path) == []
        assert tier.used_bytes == 0
        assert read_back(descriptor, 0, length) == body
    finally:
        os.close(descriptor)
