"""What is written down for a worker that is away is read once, by its successor."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.message import Authority, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import Group
from edge.server.missed import MAX_BYTES, Missed, missed_by, note, take

KEYS = tuple(bytes([number]) * 32 for number in range(3))
ORDER = PurgeOrder(
    "a" * 32,
    UnixSeconds(1_795_514_656.0),
    (Group(Authority(b"http", b"a.example", 80), b"red"),),
    by="origin",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return missed_by(tmp_path, 1)


def test_all_of_it_comes_once(file: Path):
    assert take(file) == Missed()
    assert note(file, Missed(KEYS[:2]))
    assert note(file, Missed(orders=(ORDER,)))
    assert note(file, Missed(KEYS[2:]))
    assert file.stat().st_mode & 0o777 == 0o600
    assert take(file) == Missed(KEYS, (ORDER,))
    assert take(file) == Missed()
    assert list(file.parent.iterdir()) == []


def test_each_worker_has_a_file_of_its_own(file: Path):
    note(file, Missed(KEYS))
    assert take(missed_by(file.parent, 0)) == Missed()
    assert take(file) == Missed(KEYS)


@pytest.mark.parametrize("cut", [b"key 0", b"key xy\n", b"order {}\n", b"order [", b"\n", b"\xff\n"])
def test_a_line_that_is_none_is_left_out(file: Path, cut: bytes):
    note(file, Missed(KEYS))
    with file.open("ab") as opened:
        opened.write(cut)
    assert take(file).keys[:3] == KEYS
    assert take(file) == Missed()


def test_it_grows_to_its_bound_and_no_further(file: Path):
    with file.open("wb") as opened:
        opened.truncate(MAX_BYTES)
    assert not note(file, Missed(KEYS))
    assert file.stat().st_size == MAX_BYTES
