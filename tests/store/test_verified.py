"""What is remembered of a file, and by what a change of it shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.store.verified import PROBE_BYTES, Verified, is_resident, stamp_of


@pytest.fixture
def descriptor(tmp_path: Path):
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(opened, b"a" * 1000)
    yield opened
    os.close(opened)


def test_blocks_are_known_one_by_one():
    known = Verified((1, 2, 3, 4), 0.0, 5)
    for number in (1, 2, 4):
        known.add(number)
    assert [number in known for number in range(5)] == [False, True, True, False, True]
    assert [known.covers(*span) for span in ((1, 3), (4, 5), (2, 2))] == [True, True, True]
    assert [known.covers(*span) for span in ((0, 2), (1, 4), (0, 5))] == [False, False, False]


def test_the_same_file_has_the_same_stamp_and_is_one_of_its_own(descriptor: int, tmp_path: Path):
    assert stamp_of(descriptor) == stamp_of(descriptor)
    (tmp_path / "other").write_bytes(b"a" * 1000)
    with (tmp_path / "other").open("rb") as other:
        assert stamp_of(descriptor) != stamp_of(other.fileno())


@pytest.mark.parametrize("change", ["size", "mtime", "name"])
def test_a_change_shows(descriptor: int, tmp_path: Path, change: str):
    os.utime(descriptor, ns=(1, 1))
    before = stamp_of(descriptor)
    if change == "size":
        os.truncate(descriptor, 999)
    elif change == "mtime":
        os.utime(descriptor, ns=(1, 2))
    else:
        while stamp_of(descriptor) == before:  # the kernel's clock may tick once in 4 ms only
            (tmp_path / "file").rename(tmp_path / "moved")
            (tmp_path / "moved").rename(tmp_path / "file")
    assert stamp_of(descriptor) != before


@pytest.mark.parametrize("length", [0, 1, PROBE_BYTES, 3 * PROBE_BYTES + 1])
def test_what_was_just_written_is_in_memory(descriptor: int, length: int):
    os.pwrite(descriptor, bytes(length), 0)
    assert is_resident(descriptor, 0, length)


def test_what_was_let_go_of_is_not_in_memory(tmp_path: Path):
    opened = os.open(tmp_path / "large", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(opened, os.urandom(32 * PROBE_BYTES))
        os.fsync(opened)
        os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(opened, (bytearray(1),), 16 * PROBE_BYTES, os.RWF_NOWAIT)
        except BlockingIOError:
            assert not is_resident(opened, 0, 32 * PROBE_BYTES)
        except OSError:
            pytest.skip("this file system cannot tell")
        else:
            pytest.skip("this file system lets go of nothing")
    finally:
        os.close(opened)
