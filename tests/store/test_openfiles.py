"""Open descriptors: shared, kept a while, bounded, and given back."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.openfiles import OpenBody, OpenFiles


class Shelf:
    """Files a, b, c, ... and an OpenFiles over them."""

    def __init__(self, directory: Path, *, idle: int, most: int) -> None:
        self.directory = directory
        self.files = OpenFiles(idle=idle, most=most)
        self.loads: list[str] = []
        for name in "abcdef":
            (directory / name).write_bytes(name.encode())

    def lease(self, name: str) -> OpenBody:
        def load(descriptor: int) -> bytes:
            self.loads.append(name)
            return os.pread(descriptor, 10, 0)

        return self.files.lease(name, self.directory / name, load)

    def read(self, name: str) -> None:
        self.files.release(self.lease(name))


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def few_descriptors(spare: int) -> Iterator[None]:
    """Let the process open `spare` descriptors more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_readers_of_one_body_share_a_descriptor(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=1, most=4)
    one, two = shelf.lease("a"), shelf.lease("a")
    assert one is two
    assert one.table == b"a"
    assert len(shelf.files) == 1
    shelf.files.release(one)
    assert is_open(two.descriptor)
    shelf.files.release(two)
    assert shelf.loads == ["a"]


def test_the_least_recently_used_idle_one_is_closed_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=2, most=4)
    for name in "abac":
        shelf.read(name)
    shelf.loads.clear()
    for name in "acb":
        shelf.read(name)
    assert shelf.loads == ["b"]


def test_a_forgotten_body_is_closed_by_its_last_reader(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=2, most=4)
    one, two = shelf.lease("a"), shelf.lease("a")
    shelf.files.forget("a")
    shelf.files.release(one)
    assert os.pread(two.descriptor, 1, 0) == b"a"
    assert len(shelf.files) == 1
    shelf.files.release(two)
    assert not is_open(two.descriptor)
    assert len(shelf.files) == 0


def test_nobody_joins_the_readers_of_a_forgotten_body(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=2, most=4)
    old = shelf.lease("a")
    shelf.files.forget("a")
    (tmp_path / "a").unlink()
    (tmp_path / "a").write_bytes(b"new")
    new = shelf.lease("a")
    assert (old.table, new.table) == (b"a", b"new")
    shelf.files.release(old)
    shelf.files.release(new)


def test_an_idle_one_that_is_forgotten_is_closed_at_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=2, most=4)
    opened = shelf.lease("a")
    shelf.files.release(opened)
    shelf.files.forget_all()
    assert not is_open(opened.descriptor)


def test_one_more_than_the_most_is_refused_and_the_limit_itself_is_not(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=2, most=2)
    held = [shelf.lease("a"), shelf.lease("b")]
    with pytest.raises(DiskFault) as raised:
        shelf.lease("c")
    assert raised.value.why is DiskFailure.NO_DESCRIPTORS
    assert shelf.files.refused == 1
    shelf.files.release(held.pop())
    held.append(shelf.lease("c"))  # the idle one made room
    for opened in held:
        shelf.files.release(opened)


def test_idle_ones_make_room_when_the_process_is_out_of_descriptors(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=4, most=16)
    with few_descriptors(2):
        shelf.read("a")
        shelf.read("b")
        shelf.read("c")
    assert shelf.loads == ["a", "b", "c"]


def test_a_reader_is_refused_when_the_process_is_out_of_descriptors_and_served_later(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=4, most=16)
    with few_descriptors(1):
        held = shelf.lease("a")
        with pytest.raises(DiskFault) as raised:
            shelf.lease("b")
        assert raised.value.why is DiskFailure.NO_DESCRIPTORS
        assert shelf.files.refused == 1
        shelf.files.release(held)
        shelf.read("b")


def test_a_file_that_does_not_verify_is_closed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, idle=4, most=16)
    seen: list[int] = []

    def load(descriptor: int) -> bytes:
        seen.append(descriptor)
        raise DiskFault(DiskFailure.DAMAGED, "no")

    with pytest.raises(DiskFault):
        shelf.files.lease("a", tmp_path / "a", load)
    assert not is_open(seen[0])
    assert len(shelf.files) == 0
