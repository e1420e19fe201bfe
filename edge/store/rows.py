"""The rows of the disk tier: diskcache, opened carefully, and used for single rows and for batches.

Owns: `Rows`, `inspect`, `open_rows`. Rules:

* The database is looked at with plain sqlite3 before diskcache touches it. diskcache sets attributes of its own object
  and builds PRAGMAs from the Settings table, so a file that holds anything but diskcache's own tables and settings, or
  that SQLite finds damaged, is not opened: its directory is set aside (disk_layout.py).
* One transaction for a whole batch: bodies of 1 KB one by one are 9,500 a second, 32 at a time 27,000 (8 KB: 7,400 and
  14,000), because the pages of both indexes and of the counters are then written once. And few statements for it: with
  each the thread lets go of the interpreter's lock, and may have to wait for it 5 ms; diskcache's `set` makes two a row.
* Switched off: culling (disk_index.py evicts), statistics, the tag index; full auto-vacuum, which moves pages at every
  delete (incremental instead, a little at a time); memory-mapped reading, because a database that somebody truncates
  then kills the process with SIGBUS.
* Columns put to our use: `tag` is the generation of the body file or NULL (only a hint to the sweeper, never a name),
  `size` what the row is charged, `expire_time` the time of the last use plus KEEP_SECONDS, so that `touch` of diskcache
  keeps the order of use over a restart.
* Every error leaves as DiskFault, and closes the thread's connection, because diskcache leaves a transaction open
  when its COMMIT fails.

All of this blocks, `busy_seconds` at most for another process's lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import diskcache

from edge.clock import SystemClock
from edge.store.disk_faults import DiskFailure, DiskFault, fault_of
from edge.store.nopickle import MODE_RAW, NoPickleDisk
from edge.store.record import GENERATION_BYTES, KEY_BYTES, OVERHEAD_BYTES

DATABASE: Final[str] = diskcache.core.DBNAME

KEEP_SECONDS: Final = 10 * 365 * 86400.0
"""A row that nobody used for ten years is gone. Its only use is to be one offset for all rows."""

LOAD_ROWS: Final = 1024
PUT_ROWS: Final = 64
"""Rows written by one statement at most. Each takes a power of two, so that SQLite has seven statements to remember."""
_CLOCK: Final = SystemClock()
"""For the wall clock, which diskcache reads for what it writes; `now` of it nobody disciplines."""
_COLUMNS: Final = (
    *("key", "raw", "store_time", "expire_time", "access_time", "access_count"),
    *("tag", "size", "mode", "filename", "value"),
)
VACUUM_PAGES: Final = 1024
"""Freed pages given back to the file system at a time: 4 MB, some 10 ms."""

_TABLES: Final = frozenset({("table", "Settings"), ("table", "Cache")})
_KNOWN: Final = _TABLES | {
    ("index", "sqlite_autoindex_Settings_1"),
    ("index", "Cache_key_raw"),
    ("index", "Cache_expire_time"),
    *(
        ("trigger", f"Settings_{name}")
        for name in ("count_insert", "count_delete", "size_insert", "size_update", "size_delete")
    ),
}
_SETTINGS: Final = frozenset({*diskcache.core.DEFAULT_SETTINGS, *diskcache.core.METADATA})

_FOREIGN: Final = f"""(
raw IS NOT 1 OR mode IS NOT {MODE_RAW} OR filename IS NOT NULL
OR typeof(key) <> 'blob' OR length(key) <> {KEY_BYTES}
OR typeof(value) <> 'blob' OR length(value) < {OVERHEAD_BYTES}
OR typeof(size) <> 'integer' OR size < length(value)
OR typeof(expire_time) <> 'real'
OR NOT (tag IS NULL OR (typeof(tag) = 'blob' AND length(tag) = {GENERATION_BYTES}))
)"""

_SQLITE_FAILURES: Final = {
    "SQLITE_FULL": DiskFailure.NO_SPACE,
    "SQLITE_READONLY": DiskFailure.READ_ONLY,
    "SQLITE_PERM": DiskFailure.READ_ONLY,
    "SQLITE_BUSY": DiskFailure.BUSY,
    "SQLITE_LOCKED": DiskFailure.BUSY,
    "SQLITE_CORRUPT": DiskFailure.DAMAGED,
    "SQLITE_NOTADB": DiskFailure.DAMAGED,
    # Simple statements against a schema that we looked at: when these fail, the file is not what it was.
    "SQLITE_CONSTRAINT": DiskFailure.DAMAGED,
    "SQLITE_ERROR": DiskFailure.DAMAGED,
    "SQLITE_MISMATCH": DiskFailure.DAMAGED,
}

_Error = (sqlite3.Error, diskcache.Timeout, OSError, UnicodeError)
"""What diskcache lets through; UnicodeError is a text column that is none."""


@dataclass(frozen=True, slots=True)
class SeenRow:
    """A row as the columns describe it; nothing of it is verified. generation: of its body file, None = inline."""

    key: bytes
    size: int
    generation: bytes | None
    last_use: float


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to write. generation: of its body file, None when the body is in `value`."""

    key: bytes
    value: bytes
    generation: bytes | None


class BrokenDatabase(DiskFault):
    """The database as a whole is not what it was: it is set aside, not repaired."""

    def __init__(self, detail: str) -> None:
        super().__init__(DiskFailure.DAMAGED, detail)


def row_fault(error: BaseException, doing: str) -> DiskFault:
    """The DiskFault that something out of diskcache or SQLite is."""
    if isinstance(error, diskcache.Timeout):
        # diskcache says Timeout whatever kept a transaction from beginning; the cause is the context it suppressed.
        cause = error.__context__
        if cause is None:
            return DiskFault(DiskFailure.BUSY, doing)
        error = cause
    if isinstance(error, OSError):
        return fault_of(error, doing)
    if isinstance(error, UnicodeError):
        return BrokenDatabase(f"{doing}: {error}")
    name: str = (
        getattr(error, "sqlite_errorname", None) or ""
    )  # extended: SQLITE_IOERR_WRITE, SQLITE_BUSY_SNAPSHOT
    family = "_".join(name.split("_")[:2])
    why = _SQLITE_FAILURES.get(family, DiskFailure.IO)
    return (
        BrokenDatabase(f"{doing}: {error}")
        if why is DiskFailure.DAMAGED
        else DiskFault(why, f"{doing}: {error}")
    )


def inspect(database: Path, *, busy_seconds: float) -> tuple[list[SeenRow], int]:
    """All rows that may be ours, least recently used first, and how many others were there and have been deleted.

    Raises BrokenDatabase when the file is no database of ours, DiskFault for other reasons.
    """
    try:
        connection = sqlite3.connect(database, timeout=busy_seconds, isolation_level=None)
    except sqlite3.Error as error:
        raise row_fault(error, "opening the database") from None
    try:
        connection.text_factory = bytes  # text that is no UTF-8 is to be looked at, not to raise
        objects = {(kind.decode("latin-1"), name.decode("latin-1")) for kind, name in _schema(connection)}
        if not objects <= _KNOWN:
            raise BrokenDatabase(f"the database holds {min(objects - _KNOWN)}")
        if not objects >= _TABLES:
            return [], 0  # new, or its making was interrupted: diskcache goes on with it
        names = {name for (name,) in connection.execute("SELECT key FROM Settings")}
        if not names <= {name.encode() for name in _SETTINGS}:
            raise BrokenDatabase("the database holds settings that are not diskcache's")
        rows, foreign = _load(connection)
        connection.execute("BEGIN IMMEDIATE" if foreign else "BEGIN")
        connection.executemany("DELETE FROM Cache WHERE rowid = ?", ((rowid,) for rowid in foreign))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise row_fault(error, "looking at the database") from None
    finally:
        connection.close()
    rows.sort(key=lambda row: row.last_use)
    return rows, len(foreign)


def _schema(connection: sqlite3.Connection) -> list[tuple[bytes, bytes]]:
    return connection.execute("SELECT type, name FROM sqlite_master").fetchall()


def _load(connection: sqlite3.Connection) -> tuple[list[SeenRow], list[int]]:
    """The rows that may be ours, and the rowids of the others."""
    # `value` is the last column, and only its type and length are asked for, so that SQLite does not read the pages
    # that it overflows to. The foreign ones are deleted afterwards: the scan must not hold the one writer's lock.
    cursor = connection.execute(
        f"SELECT rowid, {_FOREIGN} IS NOT 0, key, size, tag, expire_time FROM Cache"  # noqa: S608 - a constant
    )
    rows: list[SeenRow] = []
    foreign: list[int] = []
    while batch := cursor.fetchmany(LOAD_ROWS):
        rows += [SeenRow(*row) for _, is_foreign, *row in batch if not is_foreign]
        foreign += [rowid for rowid, is_foreign, *_ in batch if is_foreign]
    return rows, foreign


def _give_back(connection: sqlite3.Connection) -> None:
    """Let the file shrink a little when more than a quarter of it is free."""
    ((free,),) = connection.execute("PRAGMA freelist_count")
    ((pages,),) = connection.execute("PRAGMA page_count")
    if free * 4 > pages:
        connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()


def _put(cache: diskcache.Cache, rows: Sequence[NewRow], clock: SystemClock) -> None:
    """What `cache.set` does for each, in as few statements as it takes: see the head of this module."""
    now, at = clock.offset() + clock.now(), 0  # in this order it is never before the look at the wall clock
    while at < len(rows):
        many = 1 << min(len(rows) - at, PUT_ROWS).bit_length() - 1
        values: list[object] = []
        for row in rows[at : at + many]:
            key, raw = cache.disk.put(row.key)
            size, mode, filename, value = cache.disk.store(row.value, False, row.key)
            values += (key, raw, now, now + KEEP_SECONDS, now, 0, row.generation, size, mode, filename, value)
        cache._sql(_insert(many), values)  # noqa: SLF001  # its connection of this thread, in the transaction
        at += many


@lru_cache(maxsize=PUT_ROWS)
def _insert(rows: int) -> str:
    kept = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[2:])
    places = ", ".join([f"({', '.join('?' * len(_COLUMNS))})"] * rows)
    return (
        f"INSERT INTO Cache({', '.join(_COLUMNS)}) VALUES {places}"  # noqa: S608 - constants
        f" ON CONFLICT(key, raw) DO UPDATE SET {kept}"
    )


class Rows:
    """The rows of one directory. Thread-safe; each thread has its own connection."""

    def __init__(self, directory: Path, *, busy_seconds: float, durable: bool) -> None:
        """Open or make the database. `inspect` comes first. durable: a row survives a power cut, at an fsync each."""
        self.database = directory / DATABASE
        """Its file."""
        self._busy_seconds = busy_seconds
        try:
            self._cache = diskcache.Cache(
                str(directory),
                timeout=busy_seconds,
                disk=NoPickleDisk,
                statistics=0,
                tag_index=0,
                eviction_policy="none",
                size_limit=2**62,
                cull_limit=0,
                sqlite_auto_vacuum=2,
                sqlite_cache_size=2**10,
                sqlite_journal_mode="wal",
                sqlite_mmap_size=0,
                sqlite_synchronous=2 if durable else 1,
                disk_min_file_size=2**62,
                disk_pickle_protocol=0,
            )
            self._inode: int = self.database.stat().st_ino
        except _Error as error:
            raise row_fault(error, "opening the cache") from None

    @property
    def is_in_place(self) -> bool:
        """Whether the database we have open is the one in the directory; another process may have set it aside."""
        try:
            inode = self.database.stat().st_ino
        except OSError:
            return False
        return inode == self._inode

    def get(self, key: bytes) -> bytes | None:
        """The value of the row `key`, unverified; None when there is none. Raises ForeignRow, DiskFault."""
        try:
            value: bytes | None = self._cache.get(key)
        except _Error as error:
            raise self._failed(error, "reading a row") from None
        return value

    def change(
        self,
        *,
        puts: Iterable[NewRow] = (),
        deletes: Iterable[bytes] = (),
        touches: Iterable[bytes] = (),
    ) -> None:
        """All of it or, with a DiskFault, nothing."""
        cache = self._cache
        try:
            with cache.transact():
                for key in deletes:
                    cache.delete(key)
                _put(cache, list(puts), _CLOCK)
                for key in touches:
                    cache.touch(key, expire=KEEP_SECONDS)
        except _Error as error:
            raise self._failed(error, "changing rows") from None

    def give_back(self) -> None:
        """Shrink the file a little if much of it is free. Called now and then."""
        try:
            connection = sqlite3.connect(self.database, timeout=self._busy_seconds, isolation_level=None)
            try:
                _give_back(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise row_fault(error, "shrinking the database") from None

    def close(self) -> None:
        """Close this thread's connection; those of other threads close when the threads end."""
        self._cache.close()

    def _failed(self, error: BaseException, doing: str) -> DiskFault:
        fault = row_fault(error, doing)
        self._cache.close()
        return fault
