"""The store: memory and disk as one.

Owns: `Store`. The memory tier answers on the event loop; the disk tier is touched in the store's threads only - one
that writes, in the order of what happened, and a few that read. Rules:
* What was forgotten is gone for every later look-up at once, though its bytes leave the disk a little later: a
  forgotten key is hidden until the writer has deleted it, and a read that was under way is thrown away.
* Memory is newer than disk: a disk copy never replaces one in memory.
* Writing behind is bounded in bytes; what does not fit is not written, and counted. Serving never waits for a write.
* A worker writes only the keys it owns (DESIGN section 5); of the others it has memory copies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.key import variant_digest
from edge.semantics.stored import StoredResponse
from edge.store.bodies import DiskBody, MemoryBody, StoredBody
from edge.store.bodyfile import BodyFile
from edge.store.codec import decode, resident_bytes
from edge.store.disk import DiskRecord, DiskTier
from edge.store.memory import Held, MemoryTier
from edge.store.spool import DiskSpool
from edge.store.writing import Delete, DeleteOne, Put, Rehead, WriteBehind

T = TypeVar("T")
READ_THREADS = 4
"""Disk reads at a time: enough to keep one device busy, few enough not to starve the loop of the GIL."""


@dataclass(slots=True, eq=False)
class _Loading:
    """A key being read from disk."""

    result: asyncio.Future[list[StoredResponse]]
    is_void: bool = False


class Store:
    """One worker's store. disk: None = memory only. owns: whether this worker writes a key to the shared disk."""

    def __init__(
        self,
        memory: MemoryTier[StoredResponse],
        disk: DiskTier | None,
        *,
        measures: Measures,
        write_behind_bytes: int,
        owns: Callable[[bytes], bool] = lambda _key: True,
        on_fault: Callable[[StoreFault], None] = lambda _fault: None,
    ) -> None:
        self.memory = memory
        self.disk = disk
        self._owns = owns
        self._on_fault = on_fault
        self._reads = measures.store_reads
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-read")
        self._writing = (
            WriteBehind(disk, measures, write_behind_bytes, on_fault, self._written) if disk is not None else None
        )
        self._hidden: Counter[bytes] = Counter()
        self._loading: dict[bytes, _Loading] = {}

    async def open(self) -> None:
        """Open the disk tier and begin to write behind.

        A disk that cannot be opened is reported; memory serves on.
        """
        if self._writing is not None:
            await self._writing.start()

    async def aclose(self) -> None:
        """Write what waits, close the disk."""
        if self._writing is not None:
            await self._writing.aclose()
        self._readers.shutdown(wait=True)

    async def tend(self) -> None:
        """Let the disk put itself in order; to be called about once a second."""
        if self._writing is not None:
            await self._writing.tend()

    # -- look-ups --

    def in_memory(self, key: bytes) -> tuple[Held[StoredResponse], ...]:
        """The variants in memory."""
        return self.memory.get(key)

    def is_on_disk(self, key: bytes) -> bool:
        """True when the disk holds something for `key` that was not forgotten; costs a dictionary look-up."""
        disk = self.disk
        return disk is not None and disk.is_open and key not in self._hidden and bool(disk.variants(key))

    async def load(self, key: bytes) -> list[StoredResponse]:
        """All variants, from memory and disk; small bodies come into memory. Damage is a miss."""
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = _Loading(asyncio.get_running_loop().create_future())
            try:
                records = await self._read(partial(self._read_all, key))
                if loading.is_void:
                    records = []
                loading.result.set_result(self._adopt(key, records))
            finally:
                del self._loading[key]
                if not loading.result.done():
                    loading.result.set_result([])
        found = await asyncio.shield(loading.result)
        if loading.is_void:
            return [held.value for held in self.memory.get(key)]
        return found

    def _read_all(self, key: bytes) -> list[tuple[StoredResponse, bytes | None]]:
        """In a reading thread: every variant with its body if that is small enough for memory."""
        disk = self.disk
        assert disk is not None
        found: list[tuple[StoredResponse, bytes | None]] = []
        for variant, _ in disk.variants(key):
            record = self._record(disk, key, variant)
            if record is None:
                continue
            try:
                stored = decode(record.meta)
            except ValueError:
                continue
            body = record.body
            if isinstance(body, BodyFile):
                with body:
                    small = body.length <= self.memory.max_object_bytes
                    found.append((stored, body.pread(0, body.length) if small else None))
            else:
                found.append((stored, body))
        return found

    def _record(self, disk: DiskTier, key: bytes, variant: bytes) -> DiskRecord | None:
        try:
            record = disk.read(key, variant)
        except StoreFault as fault:
            self._on_fault(fault)
            self._reads.of("disk", "failed").value += 1
            return None
        self._reads.of("disk", "absent" if record is None else "found").value += 1
        return record

    def _adopt(self, key: bytes, records: list[tuple[StoredResponse, bytes | None]]) -> list[StoredResponse]:
        """Bring what was read into memory, where memory has nothing newer."""
        held = {each.identity: each.value for each in self.memory.get(key)}
        found = list(held.values())
        for stored, body in records:
            if stored.nominated in held or stored.key != key:
                continue
            if body is not None:
                self._remember(stored, body)
            found.append(stored)
            if self.disk is not None:
                self.disk.touch(key, variant_digest(stored.nominated))
        return found

    async def open_body(self, stored: StoredResponse) -> StoredBody | None:
        """The body of a stored response, None when it is not there any more or damaged (then it is forgotten)."""
        for held in self.memory.get(stored.key):
            if held.value.body_id == stored.body_id:
                held.visited = True
                return MemoryBody(held.body)
        if stored.body_length == 0:
            return MemoryBody(b"")
        waiting = self._writing.waiting_body(stored) if self._writing is not None else None
        if waiting is not None:
            return MemoryBody(waiting)
        if self.disk is None or stored.key in self._hidden:
            return None
        record = await self._read(
            partial(self._record, self.disk, stored.key, variant_digest(stored.nominated))
        )
        if record is None or not self._is_of(record, stored):
            self.forget_one(stored)
            return None
        if isinstance(record.body, BodyFile):
            return DiskBody(record.body, record.body.length, self._read)
        return MemoryBody(record.body)

    @staticmethod
    def _is_of(record: DiskRecord, stored: StoredResponse) -> bool:
        try:
            return decode(record.meta).body_id == stored.body_id
        except ValueError:
            return False

    # -- changes --

    def put(self, stored: StoredResponse, body: bytes) -> None:
        """Keep a complete response with its body: in memory now, on disk behind."""
        self._remember(stored, body)
        if self._writing is not None and self._owns(stored.key):
            self._writing.add(Put(stored, body))

    def _remember(self, stored: StoredResponse, body: bytes) -> None:
        # Victims are on disk already when they are ours: the disk is written when a response is stored, not when it leaves.
        self.memory.put(stored.key, stored.nominated, stored, body, len(body) + resident_bytes(stored))

    def can_spool(self, key: bytes) -> bool:
        """True when a body too large for memory may be kept for `key`."""
        return self.disk is not None and self.disk.is_open and self._owns(key)

    async def open_spool(self, stored: StoredResponse, length: int | None) -> DiskSpool | None:
        """A spool for a large body, None when it cannot be kept. Raises StoreFault."""
        disk, writing = self.disk, self._writing
        if disk is None or writing is None or not self.can_spool(stored.key):
            return None
        variant = variant_digest(stored.nominated)
        writer = await writing.run(lambda: disk.begin(stored.key, variant, length))
        return DiskSpool(
            writer, write=writing.run, finish=writing.run, read=self._read, published=self._published
        )

    def _published(self, stored: StoredResponse) -> None:
        """A spooled body replaced what was held under its identity."""
        self.memory.remove(stored.key, stored.nominated)
        self._void_loads(stored.key)

    def freshen(self, old: StoredResponse, new: StoredResponse) -> None:
        """Replace a head; the body stays."""
        if old.nominated != new.nominated:
            self.forget_one(old)
            return
        for held in self.memory.get(old.key):
            if held.value.body_id == new.body_id:
                self.memory.put(new.key, new.nominated, new, held.body, len(held.body) + resident_bytes(new))
                break
        self._void_loads(new.key)
        if self._writing is not None and self._owns(new.key) and new.key not in self._hidden:
            self._writing.add(Rehead(new))

    def forget_one(self, stored: StoredResponse) -> None:
        """Drop one stored response."""
        for held in self.memory.get(stored.key):
            if held.value.body_id == stored.body_id:
                self.memory.remove(stored.key, held.identity)
        self._void_loads(stored.key)
        if self._writing is not None and self._owns(stored.key):
            self._writing.add(DeleteOne(stored))

    def forget(self, key: bytes) -> None:
        """Drop everything under `key`, at once for every later look-up."""
        self.memory.remove_key(key)
        self._void_loads(key)
        if self._writing is not None and self._owns(key):
            self._hidden[key] += 1
            self._writing.add(Delete(key))

    def _written(self, key: bytes) -> None:
        """The writer has deleted `key`; what was put since is visible again."""
        self._hidden[key] -= 1
        if self._hidden[key] <= 0:
            del self._hidden[key]

    def _void_loads(self, key: bytes) -> None:
        loading = self._loading.get(key)
        if loading is not None:
            loading.is_void = True

    async def _read(self, blocking: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, blocking)


Candidates = Sequence[StoredResponse]
