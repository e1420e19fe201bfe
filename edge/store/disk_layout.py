"""The directory of the disk tier: making it, opening it, setting a damaged one aside, sweeping it.

Owns the names in it:

    lock             held (flock) while one process opens or sets aside
    live/            cache.db and its companions (rows.py)
    live/bodies/ab/  body files (bodyfile.py)
    damaged/         the last database that had to be set aside, for whoever wants to know why; without its bodies

Rules. Several processes share it; each deletes only what it owns (`owns`, by primary digest), which follows from a
file's name. A damaged database is renamed away with its whole directory, so that those who have it open go on with what
they have and notice later (`Rows.is_in_place`); nothing in it is ever repaired or salvaged: it is a cache. Files that do
not have one of our names are left alone and never served.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.store.bodyfile import parse_name, unlink
from edge.store.disk_faults import DiskFailure, DiskFault, fault_of
from edge.store.disk_limits import DiskLimits
from edge.store.record import PRIMARY_BYTES
from edge.store.rows import DATABASE, BrokenDatabase, Rows, SeenRow, inspect

_log = logging.getLogger("perigee.store")

_LOOK_AGAIN_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Opened:
    """seen: the rows, least recently used first. foreign: how many others were deleted. set_aside: it was damaged."""

    rows: Rows
    seen: list[SeenRow]
    foreign: int
    set_aside: bool


def bodies_of(root: Path) -> Path:
    """Where the body files lie."""
    return root / "live" / "bodies"


def open_directory(root: Path, limits: DiskLimits, *, broken: Rows | None = None) -> Opened:
    """Open the tier's directory, making what is missing.

    broken: a database that turned out to be damaged while open; set aside, unless another process already did.
    Raises DiskFault when the directory cannot be used at all.
    """
    try:
        _make(root)
        with _entrance(root / "lock", limits.opening_seconds):
            _make(root / "live")
            aside = broken is not None and broken.is_in_place
            if aside:
                _set_aside(root)
            try:
                rows, seen, foreign = _open(root, limits)
            except BrokenDatabase as fault:
                _log.error("the disk store is damaged and was set aside", extra={"why": fault.detail})
                _set_aside(root)
                aside = True
                rows, seen, foreign = _open(root, limits)
            _make(bodies_of(root))
    except OSError as error:
        raise fault_of(error, f"opening {root}") from None
    return Opened(rows, seen, foreign, aside)


def _open(root: Path, limits: DiskLimits) -> tuple[Rows, list[SeenRow], int]:
    database = root / "live" / DATABASE
    seen, foreign = inspect(database, busy_seconds=limits.busy_seconds) if database.exists() else ([], 0)
    rows = Rows(root / "live", busy_seconds=limits.busy_seconds, durable=limits.durable)
    return rows, seen, foreign


def _make(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:  # made by somebody else, or under an odd umask
        directory.chmod(0o700)


@contextmanager
def _entrance(lock: Path, seconds: float) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        waited, pause = 0.0, threading.Event()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited >= seconds:
                    raise DiskFault(DiskFailure.BUSY, f"another process holds {lock}") from None
            pause.wait(_LOOK_AGAIN_SECONDS)
            waited += _LOOK_AGAIN_SECONDS
        yield
    finally:
        os.close(descriptor)


def _set_aside(root: Path) -> None:
    damaged = root / "damaged"
    shutil.rmtree(damaged, ignore_errors=True)
    (root / "live").rename(damaged)
    shutil.rmtree(damaged / "bodies", ignore_errors=True)
    _make(root / "live")


def sweep(
    bodies: Path, *, owns: Callable[[bytes], bool], generation_of: Callable[[bytes], bytes | None]
) -> tuple[set[bytes], int]:
    """Remove the owned files that no row speaks of: parts, old generations, bodies whose row was never written.

    generation_of: row key -> generation of its body file, None when it has none. Returns the keys whose file is there,
    and how many files were removed. To be called before anything is written.
    """
    found: set[bytes] = set()
    removed = 0
    for path in _files(bodies):
        parsed = parse_name(path.name)
        if parsed is None:
            continue
        key, generation, is_part = parsed
        if not owns(key[:PRIMARY_BYTES]):
            continue
        if not is_part and generation_of(key) == generation:
            found.add(key)
        else:
            unlink(path)
            removed += 1
    return found, removed


def _files(bodies: Path) -> Iterator[Path]:
    # No walk: what we make is two levels deep, and links are not followed.
    for fan in range(256):
        try:
            with os.scandir(bodies / f"{fan:02x}") as entries:
                names = [entry.path for entry in entries if not entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        yield from map(Path, names)
