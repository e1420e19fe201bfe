"""Real stores: memory over a disk tier in a directory, responses of which each has a body that can be told from others."""

from __future__ import annotations

import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.message import Fields, ResponseHead
from edge.semantics.stored import Nominated, StoredResponse
from edge.store.bodies import StoredBody
from edge.store.codec import decode
from edge.store.disk import DiskTier
from edge.store.disk_limits import DiskLimits
from edge.store.memory import MemoryTier
from edge.store.pending import DropBody, Put
from edge.store.store import Store
from edge.store.writing import WriteBehind
from tests.kit.disk import MB, SMALL, body_of, primary
from tests.kit.disk import whole as whole_record
from tests.kit.stored_responses import holding

SMALL_BODY, LARGE_BODY = 500, 100_000
"""One that lies in a row of SQLite, one that lies in a file (SMALL.inline_bytes is between)."""

_serial = itertools.count(1)


def response(
    name: int, length: int = SMALL_BODY, *, nominated: Nominated = (), version: int | None = None
) -> tuple[StoredResponse, bytes]:
    """A stored response of key `name` with its body, both unlike any other."""
    number = next(_serial) if version is None else version
    head = ResponseHead(200, b"OK", Fields([(b"X-Version", b"%d" % number)]))
    stored = replace(
        holding(length=length), key=primary(name), nominated=nominated, head=head, body_id=b"body-%d" % number
    )
    return stored, body_of(name, number, length)


def freshened(stored: StoredResponse, word: bytes = b"freshened") -> StoredResponse:
    """The same body under another head."""
    return replace(stored, head=replace(stored.head, fields=Fields([(b"X-Version", word)])))


def version_of(stored: StoredResponse) -> bytes | None:
    return stored.head.fields.get(b"x-version")


GZIP = ((b"accept-encoding", b"gzip"),)
TINY = 3000
"""Memory that takes a small response or two, and no large one."""


def put(
    store: Store, name: int = 1, length: int = SMALL_BODY, *, gzip: bool = False
) -> tuple[StoredResponse, bytes]:
    stored, body = response(name, length, nominated=GZIP if gzip else ())
    store.put(stored, body)
    return stored, body


async def whole(body: StoredBody | None) -> bytes | None:
    if body is None:
        return None
    if body.at_hand is not None:
        return body.at_hand
    stream = body.stream(0, body.length)
    pieces = []
    while piece := await stream.read():
        pieces.append(piece)
    return b"".join(pieces)


def ids(found: list[StoredResponse]) -> list[bytes]:
    return sorted(stored.body_id for stored in found)


async def forgotten_by_memory(store: Store, name: int = 1) -> None:
    """Written, and then evicted from memory."""
    await writing_of(store).settled()
    store.memory.remove_key(primary(name))


class StoreRoom:
    """Stores over one directory, and what they reported."""

    def __init__(self, directory: Path, ceiling: int, limits: DiskLimits) -> None:
        self.directory = directory
        self.measures = Measures()
        self.faults: list[StoreFault] = []
        self._ceiling = ceiling
        self._limits = limits

    def tier(self) -> DiskTier:
        return DiskTier(self.directory, self._ceiling, limits=self._limits)

    def writes(self, outcome: str) -> int:
        return int(self.measures.store_writes.of("disk", outcome).value)

    def reads(self, outcome: str) -> int:
        return int(self.measures.store_reads.of("disk", outcome).value)

    @asynccontextmanager
    async def store(
        self,
        *,
        memory: int = 4 * MB,
        max_object: int = MB,
        bound: int = 4 * MB,
        opened: bool = True,
        min_hits: int = 0,
    ) -> AsyncIterator[Store]:
        """A store, opened, and closed at the end."""
        store = Store(
            MemoryTier(memory, max_object),
            self.tier(),
            measures=self.measures,
            write_behind_bytes=bound,
            on_fault=self.faults.append,
            min_hits=min_hits,
        )
        if opened:
            await store.open()
        try:
            yield store
        finally:
            await store.aclose()

    @asynccontextmanager
    async def writing(
        self, tier: DiskTier, *, bound: int = 4 * MB, max_operations: int = 1000
    ) -> AsyncIterator[WriteBehind]:
        """The write side alone, over a tier that the test looks into."""
        writing = WriteBehind(tier, self.measures, bound, self.faults.append, max_operations=max_operations)
        await writing.start()
        try:
            yield writing
        finally:
            await writing.aclose()


def store_room(directory: Path, ceiling: int = 64 * MB, limits: DiskLimits = SMALL) -> StoreRoom:
    """A room over `directory`."""
    return StoreRoom(directory, ceiling, limits)


def writing_of(store: Store) -> WriteBehind:
    """The write side of a store that has a disk."""
    assert store._writing is not None
    return store._writing


@contextmanager
def held_up(run: Callable[[Callable[[], object]], object]) -> Iterator[None]:
    """A thread of the store does nothing until the block ends: what is queued for it waits."""
    release = threading.Event()
    run(release.wait)
    try:
        yield
    finally:
        release.set()


@contextmanager
def writing_held_up(writing: WriteBehind) -> Iterator[None]:
    """Nothing is written until the block ends."""
    with held_up(writing._thread.submit):
        yield


@contextmanager
def reading_held_up(store: Store) -> Iterator[None]:
    """Nothing is read from the disk until the block ends."""
    release = threading.Event()
    for _ in range(store._readers._max_workers):
        store._readers.submit(release.wait)
    try:
        yield
    finally:
        release.set()


@contextmanager
def locked_by_another(directory: Path) -> Iterator[None]:
    """Another process is writing: every write of ours fails as BUSY after the limit's seconds."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(directory / "live" / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def on_disk(tier: DiskTier, name: int = 1) -> tuple[bytes | None, bytes] | None:
    """Version and body of what is stored without Vary, None when nothing is."""
    found = whole_record(tier.read(primary(name)))
    return None if found is None else (version_of(decode(found[0])), found[1])


def queue(writing: WriteBehind, name: int = 1, length: int = SMALL_BODY) -> tuple[StoredResponse, bytes]:
    stored, body = response(name, length)
    writing.add(Put(stored, body))
    return stored, body


def dropping(stored: StoredResponse) -> DropBody:
    return DropBody(stored.key, stored.nominated, stored.body_id)
