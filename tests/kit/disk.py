"""What the tests of the disk tier share: keys, bodies that can be recomputed, and a way to look behind the tier's back."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.store.bodyreading import BodyFile
from edge.store.disk import NO_VARY, DiskRecord, DiskTier
from edge.store.disk_limits import DiskLimits

MB = 1024 * 1024

SMALL = DiskLimits(inline_bytes=1024, busy_seconds=0.2, batch=4, touches=4)
"""Limits that small tests reach."""


def primary(name: int) -> bytes:
    """The primary digest of test key `name`."""
    return hashlib.sha256(name.to_bytes(8, "big")).digest()


def variant(name: int) -> bytes:
    """The variant digest of test variant `name`; 0 is no Vary."""
    return NO_VARY if name == 0 else hashlib.sha256(name.to_bytes(8, "big")).digest()[:16]


def body_of(name: int, version: int, length: int) -> bytes:
    """The body of a version of `name`: whoever knows these three can tell it from any other."""
    return hashlib.shake_128(f"{name}:{version}".encode()).digest(length)


def whole(record: DiskRecord | None) -> tuple[bytes, bytes] | None:
    """Meta and the whole body of what was read, every block verified; the body's file is closed."""
    if record is None:
        return None
    if isinstance(record.body, bytes):
        return record.meta, record.body
    with record.body as body:
        return record.meta, body.pread(0, body.length)


def opened_body(record: DiskRecord | None) -> BodyFile:
    """The body file of a record that has one."""
    assert record is not None
    assert isinstance(record.body, BodyFile), record
    return record.body


def body_files(directory: Path) -> list[Path]:
    """All files under the bodies' directory."""
    return sorted(path for path in (directory / "live" / "bodies").rglob("*") if path.is_file())


@contextmanager
def database(directory: Path) -> Iterator[sqlite3.Connection]:
    """The tier's database, for one transaction behind its back."""
    with closing(sqlite3.connect(directory / "live" / "cache.db")) as connection, connection:
        yield connection


def flip(path: Path, offset: int) -> None:
    """Flip one bit of the byte at `offset` (negative: from the end)."""
    with path.open("r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        at = file.tell()
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes((byte ^ 0x10,)))


@contextmanager
def opened(directory: Path, ceiling: int = 64 * MB, limits: DiskLimits = SMALL) -> Iterator[DiskTier]:
    """An open tier, closed at the end."""
    tier = DiskTier(directory, ceiling, limits=limits)
    tier.open()
    try:
        yield tier
    finally:
        tier.close()
