"""The store: memory and disk as one.

Owns: `Store`. The memory tier answers on the event loop; the disk tier is touched in the store's threads - one that
writes, in the order of what happened, and a few that read - but for small bodies while the disk is quick (at_hand.py). Rules:
* What was forgotten is gone for every later look-up at once, though its bytes leave the disk a little later: what waits
  to be deleted is hidden (pending.py), and a read that was under way is thrown away.
* Memory is newer than what waits to be written, and that is newer than the disk.
* Writing behind is bounded in bytes; what does not fit is not written, and counted. Serving never waits for a write.
* A worker writes only the keys it owns (DESIGN section 5); of the others it has memory copies.
* Admission (`min_hits`): 0 = what is stored is written. 1 = what was never served again is not: a response is written
  when it leaves memory after a hit, and at the end. Written at once is still what memory cannot take, and what replaces
  a response on disk: the older one must not come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.key import variant_digest
from edge.semantics.stored import StoredResponse
from edge.store.at_hand import AtHand
from edge.store.bodies import DiskBody, MemoryBody, StoredBody
from edge.store.codec import decode, resident_bytes
from edge.store.contents import Contents
from edge.store.disk import DiskRecord, DiskTier
from edge.store.loading import Loaded, Opening, load_all
from edge.store.memory import Held, MemoryTier
from edge.store.pace import Pace
from edge.store.pending import Delete, DropBody, DropUnreadable, Put, Rehead
from edge.store.sharing import Sharing, max_lines_for
from edge.store.spool import DiskSpool
from edge.store.writing import WriteBehind
from edge.tasks import spawn

T = TypeVar("T")
READ_THREADS = 4
"""Disk reads at a time: enough to keep one device busy, few enough not to starve the loop of the GIL."""
LOADS = 3
"""How often a look-up reads a key again because it changed meanwhile."""


@dataclass(slots=True, eq=False)
class _Loading:
    """A key being read from disk. waiters: look-ups that have not seen `found` yet."""

    task: asyncio.Task[None] | None = None
    found: list[StoredResponse] = field(default_factory=list)
    waiters: int = 0
    is_void: bool = False


class Store:
    """One worker's store. disk: None = memory only. owns: whether this worker writes a key to the shared disk.

    min_hits: 0 or 1, see the module; `min_hits` may be replaced at any time.
    """

    def __init__(
        self,
        memory: MemoryTier[StoredResponse],
        disk: DiskTier | None,
        *,
        measures: Measures,
        write_behind_bytes: int,
        owns: Callable[[bytes], bool] = lambda _key: True,
        on_fault: Callable[[StoreFault], None] = lambda _fault: None,
        min_hits: int = 0,
    ) -> None:
        self.memory = memory
        self.min_hits = min_hits
        self.disk = disk
        self._sharing = Sharing(max_lines_for(memory.capacity_bytes))
        self._owns = owns
        self._on_fault = on_fault
        self._reads = measures.store_reads
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-read")
        self._pace = Pace(rests=measures.store_rests.of())
        self._writing: WriteBehind | None = None
        self._at_hand: AtHand | None = None
        if disk is not None:
            self._writing = WriteBehind(
                disk, measures, write_behind_bytes, on_fault, written=self._look_again
            )
            pending, found = self._writing.pending, self._reads.of("disk", "found")
            self._at_hand = AtHand(disk, memory, pending, self._remember, found, self._pace)
        self._loading: dict[bytes, _Loading] = {}
        self._opening: dict[bytes, set[Opening]] = {}
        self.contents = Contents(
            memory,
            disk,
            self._writing,
            owns=owns,
            read=self._read,
            forget_one=self.forget_one,
            look_again=self._look_again,
        )

    async def open(self) -> None:
        """Open the disk tier and begin to write behind.

        A disk that cannot be opened is reported; memory serves on.
        """
        if self._writing is not None:
            await self._writing.start()

    async def aclose(self) -> None:
        """Write what waits, close the disk. May be called again."""
        if self._at_hand is not None:
            self._at_hand.close()
            self._at_hand = None
        if self._writing is not None:
            await self._write_hit(self._writing)
        # Before the disk is closed: a read that found it closed would be told as a fault of the disk.
        while reading := [each.task for each in self._loading.values() if each.task and not each.task.done()]:
            await asyncio.wait(reading)
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

    def at_hand(self, key: bytes) -> tuple[Held[StoredResponse], ...]:
        """The variants in memory; none there: what the disk has, if it can be read here and now. (): `load` may find more."""
        held = self.memory.get(key)
        if held or self._at_hand is None or key in self._loading:
            return held
        return self._at_hand.brought(key)

    def is_on_disk(self, key: bytes) -> bool:
        """True when `load` may find more than memory has; costs a few look-ups in dictionaries."""
        disk, writing = self.disk, self._writing
        if disk is None or writing is None:
            return False
        if writing.pending.has_responses(key):
            return True
        return disk.is_open and bool(disk.variants(key)) and not writing.pending.is_hidden(key)

    async def load(self, key: bytes) -> list[StoredResponse]:
        """All variants, from memory and disk; small bodies come into memory. Damage is a miss."""
        for _ in range(LOADS):
            if self.disk is None or not self.disk.is_open or not self.is_on_disk(key):
                break
            loading = self._loading.get(key) or self._start_loading(key, self.disk)
            assert loading.task is not None, key
            loading.waiters += 1
            try:
                await asyncio.shield(
                    loading.task
                )  # not ours alone: whoever is cancelled takes it from nobody
            finally:
                loading.waiters -= 1
                self._end_loading(key, loading)
            if not loading.is_void:
                return self._seen(key, loading.found)
        return self._seen(key, [])

    def _seen(self, key: bytes, on_disk: list[StoredResponse]) -> list[StoredResponse]:
        """The newest of each variant: memory, what waits, disk, in this order."""
        found = {held.value.nominated: held.value for held in self.memory.get(key)}
        if self._writing is not None:
            for stored in self._writing.pending.seen(key, on_disk):
                found.setdefault(stored.nominated, stored)
        return list(found.values())

    def _start_loading(self, key: bytes, disk: DiskTier) -> _Loading:
        loading = self._loading[key] = _Loading()
        loading.task = spawn(self._load(key, disk, loading), name="store-load")
        return loading

    def _end_loading(self, key: bytes, loading: _Loading) -> None:
        """Forget it when nobody waits for it any more; until then a change must find it."""
        done = loading.task is not None and loading.task.done()
        if done and not loading.waiters and self._loading.get(key) is loading:
            del self._loading[key]

    async def _load(self, key: bytes, disk: DiskTier, loading: _Loading) -> None:
        try:
            loaded = await self._read(partial(load_all, disk, key, self.memory.max_object_bytes))
        except StoreFault as fault:
            loaded = Loaded(faults=[fault])
        finally:
            if not loading.waiters and self._loading.get(key) is loading:
                del self._loading[key]
        for outcome, count in loaded.outcomes.items():
            self._reads.of("disk", outcome).value += count
        for each in loaded.faults:
            self._on_fault(each)
        if loading.is_void:
            return
        if self._writing is not None:
            for variant in loaded.unreadable:
                self._writing.add(DropUnreadable(key, variant))
        loading.found = [stored for stored, _ in loaded.found]
        bodies = {stored.body_id: body for stored, body in loaded.found}
        held = {each.identity for each in self.memory.get(key)}
        for stored in self._seen(key, loading.found):
            body = bodies.get(stored.body_id)
            if stored.nominated not in held and body is not None:
                self._remember(stored, body, len(body) + resident_bytes(stored))
            disk.touch(key, variant_digest(stored.nominated))

    async def open_body(self, stored: StoredResponse) -> StoredBody | None:
        """The body of a stored response, None when it is not there any more, damaged, or cannot be read now."""
        for held in self.memory.get(stored.key):
            if held.value.body_id == stored.body_id:
                held.visited = True
                return MemoryBody(held.body)
        if stored.body_length == 0:
            return MemoryBody(b"")
        disk, writing = self.disk, self._writing
        if disk is None or writing is None:
            return None
        waiting = writing.pending.body(stored)
        if waiting is not None:
            return MemoryBody(waiting)
        if not self._is_seen(stored):
            return None
        record = await self._read_one(disk, stored)
        if record is None:
            return None
        if isinstance(record.body, bytes):
            return MemoryBody(record.body)
        return DiskBody(record.body, record.body.length, self._read, self._pace)

    def _is_seen(self, stored: StoredResponse) -> bool:
        """False when it waits to be deleted, or to be replaced."""
        return self._writing is not None and any(
            seen.body_id == stored.body_id for seen in self._writing.pending.seen(stored.key, [stored])
        )

    async def _read_one(self, disk: DiskTier, stored: StoredResponse) -> DiskRecord | None:
        """None when it is not there, cannot be read, has another body, or the key changed meanwhile."""
        key, variant = stored.key, variant_digest(stored.nominated)
        opening = Opening()
        self._opening.setdefault(key, set()).add(opening)
        try:
            record = await self._read(lambda: disk.read(key, variant))
        except StoreFault as fault:
            self._reads.of("disk", "failed").value += 1
            self._on_fault(fault)
            return None
        finally:
            self._opening[key].discard(opening)
            if not self._opening[key]:
                del self._opening[key]
        self._reads.of("disk", "absent" if record is None else "found").value += 1
        if record is None:
            return None
        try:
            is_of = decode(record.meta).body_id == stored.body_id
        except ValueError:
            is_of = False
        if is_of and not opening.is_void:
            return record
        if not isinstance(record.body, bytes):
            record.body.close()
        return None

    # -- changes --

    def put(self, stored: StoredResponse, body: bytes) -> None:
        """Keep a complete response with its body: in memory now, on disk behind."""
        size = len(body) + resident_bytes(stored)
        newcomer = self._remember(stored, body, size)
        self._changed(stored.key)
        writing = self._writing
        if writing is None or not self._owns(stored.key):
            return
        if self.min_hits and newcomer is not None and not writing.may_have(stored.key, stored.nominated):
            return
        writing.add(Put(stored, body, size))

    def _remember(self, stored: StoredResponse, body: bytes, size: int) -> Held[StoredResponse] | None:
        """Hold it in memory; None = it is not held. size: of both, as `resident_bytes` reckons."""
        key, size = stored.key, size - self._sharing.compact(stored)
        for victim in self.memory.put(key, stored.nominated, stored, body, size, clean=stored.fence):
            if self.min_hits and self._writing is not None and self._is_to_be_written(victim, self._writing):
                self._writing.add(Put(victim.value, victim.body))
        held = self.memory.get(key)  # what was put last stands last
        return held[-1] if held and held[-1].value is stored else None

    def _is_to_be_written(self, held: Held[StoredResponse], writing: WriteBehind) -> bool:
        return held.was_hit and self._owns(held.key) and not writing.has(held.value)

    async def _write_hit(self, writing: WriteBehind) -> None:
        """The node ends: what memory has, was hit and is not on disk is written."""
        if not self.min_hits or self.disk is None or not self.disk.is_open:
            return
        for held in self.memory:
            if self._is_to_be_written(held, writing):
                put = Put(held.value, held.body)
                await writing.room_for(put)
                writing.add(put)

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
            writer,
            write=writing.run,
            finish=partial(writing.run_behind, stored.key),
            read=self._read,
            published=self._published,
        )

    def _published(self, stored: StoredResponse) -> None:
        """A spooled body replaced what was held under its identity."""
        self.memory.remove(stored.key, stored.nominated)
        self._changed(stored.key)

    def freshen(self, old: StoredResponse, new: StoredResponse) -> None:
        """Replace a head; the body stays."""
        if old.nominated != new.nominated:
            self.forget_one(old)
            return
        for held in self.memory.get(old.key):
            if held.value.body_id == new.body_id:
                self._remember(new, held.body, len(held.body) + resident_bytes(new))
                break
        self._changed(new.key)
        if self._writing is not None and self._owns(new.key):
            self._writing.add(Rehead(new))

    def forget_one(self, stored: StoredResponse) -> None:
        """Drop one stored response."""
        for held in self.memory.get(stored.key):
            if held.value.body_id == stored.body_id:
                self.memory.remove(stored.key, held.identity)
        self._changed(stored.key)
        if self._writing is not None and self._owns(stored.key):
            self._writing.add(DropBody(stored.key, stored.nominated, stored.body_id))

    def forget(self, key: bytes) -> None:
        """Drop everything under `key`, at once for every later look-up."""
        self.memory.remove_key(key)
        self._changed(key)
        if self._writing is not None and self._owns(key):
            self._writing.add(Delete(key))

    async def forgotten(self, key: bytes) -> None:
        """Until what was forgotten under `key` has left the disk: not even kill -9 brings it back then."""
        writing = self._writing
        if writing is not None and writing.pending.waits(key):
            with suppress(StoreFault):  # it was reported, and the key stays hidden
                await writing.run_behind(key, lambda: None)

    def _changed(self, key: bytes) -> None:
        """The key has changed: what is being read of it is thrown away."""
        self._look_again(key)
        for opening in self._opening.get(key, ()):
            opening.is_void = True

    def _look_again(self, key: bytes) -> None:
        """A change has been written: who looked through it may have read what was there before it."""
        loading = self._loading.pop(key, None)
        if loading is not None:
            loading.is_void = True

    async def _read(self, blocking: Callable[[], T]) -> T:
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._readers, blocking)
        except RuntimeError as error:
            raise StoreFault("the store is closed") from error
        return await reading
