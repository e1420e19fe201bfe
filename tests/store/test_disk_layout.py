"""The directory: one process at a time opens it, a damaged database leaves it, a sweep takes only what it owns."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.store.bodyfile import file_name
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_layout import bodies_of, open_directory, sweep
from tests.kit.disk import SMALL, primary, variant


@contextmanager
def somebody_is_opening(root: Path) -> Iterator[None]:
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_who_hangs_in_opening_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    with somebody_is_opening(tmp_path), pytest.raises(DiskFault) as raised:
        open_directory(tmp_path, replace(SMALL, opening_seconds=0.04))
    assert raised.value.why is DiskFailure.BUSY


def test_it_opens_as_soon_as_the_other_has(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        with somebody_is_opening(tmp_path):
            waiting = thread.submit(open_directory, tmp_path, SMALL)
            assert not waiting.done()
        assert waiting.result().seen == []


def test_the_last_damaged_database_is_kept_without_its_bodies(tmp_path: Path) -> None:
    for number in (1, 2):
        opened = open_directory(tmp_path, SMALL)
        opened.rows.close()
        (bodies_of(tmp_path) / "ab").mkdir()
        (tmp_path / "live" / "cache.db").write_bytes(b"damage %d" % number * 1000)
        assert open_directory(tmp_path, SMALL).set_aside
        assert (tmp_path / "damaged" / "cache.db").read_bytes().startswith(b"damage %d" % number)
        assert not (tmp_path / "damaged" / "bodies").exists()
        assert list(bodies_of(tmp_path).iterdir()) == []


def test_a_database_that_another_process_has_set_aside_is_not_set_aside_again(tmp_path: Path) -> None:
    one, two = open_directory(tmp_path, SMALL), open_directory(tmp_path, SMALL)
    again = open_directory(tmp_path, SMALL, broken=one.rows)
    assert again.set_aside
    assert not open_directory(tmp_path, SMALL, broken=two.rows).set_aside
    assert again.rows.is_in_place


def test_a_sweep_takes_only_what_it_owns(tmp_path: Path) -> None:
    def put(name: int, generation: bytes, suffix: str = "") -> Path:
        path = tmp_path / (file_name(primary(name) + variant(0), generation) + suffix)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path

    new, old = b"\x02" * 8, b"\x01" * 8
    kept = put(1, new)
    gone = [put(1, old), put(1, new, ".part"), put(2, new)]
    theirs = [put(3, old), put(3, new, ".part")]
    found, removed = sweep(
        tmp_path, owns=lambda key: key != primary(3), generation_of={primary(1) + variant(0): new}.get
    )
    assert (found, removed) == ({primary(1) + variant(0)}, 3)
    assert all(path.exists() for path in (kept, *theirs))
    assert not any(path.exists() for path in gone)
