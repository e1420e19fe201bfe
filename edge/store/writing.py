"""Writing behind: what the event loop decided, carried to the disk in order by one thread.

Owns: `WriteBehind` and its operations. Rules: operations on one key keep their order; puts that wait together go in
one transaction; at most `bound_bytes` of bodies wait - a put beyond that is dropped and counted, a delete never is.
A fault of the disk drops the operation, is reported, and the next one is tried: the node serves on from memory and
from the origin.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, assert_never

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.key import variant_digest
from edge.semantics.stored import StoredResponse
from edge.store.codec import decode, encode
from edge.store.disk import DiskTier, SmallPut
from edge.tasks import spawn

T = TypeVar("T")
BATCH = 256
"""Puts in one transaction."""
LARGE_BYTES = 1024 * 1024
"""A put of this size goes alone."""


@dataclass(frozen=True, slots=True)
class Put:
    """Store a response."""

    stored: StoredResponse
    body: bytes


@dataclass(frozen=True, slots=True)
class Rehead:
    """Replace a head (304)."""

    stored: StoredResponse


@dataclass(frozen=True, slots=True)
class DeleteOne:
    """Drop one variant, if it still has that body."""

    stored: StoredResponse


@dataclass(frozen=True, slots=True)
class Delete:
    """Drop a key."""

    key: bytes


Operation = Put | Rehead | DeleteOne | Delete


class WriteBehind:
    """One queue, one thread. deleted: called on the loop after a Delete was carried out."""

    def __init__(
        self,
        disk: DiskTier,
        measures: Measures,
        bound_bytes: int,
        on_fault: Callable[[StoreFault], None],
        deleted: Callable[[bytes], None],
    ) -> None:
        self._disk = disk
        self._writes = measures.store_writes
        self._bound = bound_bytes
        self._on_fault = on_fault
        self._deleted = deleted
        self._queue: deque[Operation] = deque()
        self._waiting_bytes = 0
        self._bodies: dict[bytes, bytes] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the disk and begin."""
        try:
            await self.run(self._disk.open)
        except StoreFault as fault:
            self._on_fault(fault)
        self._task = spawn(self._carry(), name="write-behind")

    async def aclose(self) -> None:
        """Carry out what waits, close the disk."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        try:
            await self.run(self._disk.close)
        except StoreFault as fault:
            self._on_fault(fault)
        self._thread.shutdown(wait=True)

    async def run(self, blocking: Callable[[], T]) -> T:
        """A blocking call in the writing thread, behind what runs there now."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, blocking)

    async def settled(self) -> None:
        """Until nothing waits (for tests and for closing)."""
        await self._idle.wait()

    async def tend(self) -> None:
        """Housekeeping in the writing thread: room, touches, orphans; a disk that failed is tried again."""

        def blocking() -> None:
            if not self._disk.is_open:
                self._disk.open()
            self._disk.tend()

        try:
            await self.run(blocking)
        except StoreFault as fault:
            self._on_fault(fault)

    @property
    def waiting_bytes(self) -> int:
        """Body bytes that wait to be written."""
        return self._waiting_bytes

    def waiting_body(self, stored: StoredResponse) -> bytes | None:
        """The body of a response that waits to be written, None when it does not."""
        return self._bodies.get(stored.body_id)

    def add(self, operation: Operation) -> None:
        """Queue one operation."""
        if isinstance(operation, Put):
            size = len(operation.body)
            if self._waiting_bytes + size > self._bound:
                self._writes.of("disk", "dropped").value += 1
                # The older copy on disk must not come back in place of the one that was dropped.
                operation = DeleteOne(operation.stored)
            else:
                self._waiting_bytes += size
                self._bodies[operation.stored.body_id] = operation.body
        self._queue.append(operation)
        self._idle.clear()
        self._wake.set()

    async def _carry(self) -> None:
        while not (self._closing and not self._queue):
            if not self._queue:
                self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                continue
            batch = self._next_batch()
            faults = await self.run(lambda batch=batch: self._carry_out(batch))  # type: ignore[misc]
            for fault in faults:
                self._on_fault(fault)
            for operation in batch:
                self._done(operation)
        self._idle.set()

    def _next_batch(self) -> list[Operation]:
        """Puts that stand together (one transaction), or one operation of another kind."""
        batch = [self._queue.popleft()]
        if isinstance(batch[0], Put) and len(batch[0].body) < LARGE_BYTES:
            while self._queue and len(batch) < BATCH:
                following = self._queue[0]
                if not isinstance(following, Put) or len(following.body) >= LARGE_BYTES:
                    break
                batch.append(self._queue.popleft())
        return batch

    def _done(self, operation: Operation) -> None:
        match operation:
            case Put(stored, body):
                self._waiting_bytes -= len(body)
                self._bodies.pop(stored.body_id, None)
            case Delete(key):
                self._deleted(key)
            case _:
                pass

    # -- in the writing thread --

    def _carry_out(self, batch: list[Operation]) -> list[StoreFault]:
        try:
            if not self._disk.is_open:
                self._disk.open()
            puts = [operation for operation in batch if isinstance(operation, Put)]
            if puts:
                self._put(puts)
            else:
                self._one(batch[0])
        except StoreFault as fault:
            self._writes.of("disk", "failed").value += len(batch)
            return [fault]
        return []

    def _put(self, puts: list[Put]) -> None:
        inline = self._disk.limits.inline_bytes
        small = [put for put in puts if len(put.body) <= inline]
        if small:
            self._disk.put_many(
                tuple(
                    SmallPut(
                        put.stored.key, variant_digest(put.stored.nominated), encode(put.stored), put.body
                    )
                    for put in small
                )
            )
        for put in puts:
            if len(put.body) > inline:
                with self._disk.begin(
                    put.stored.key, variant_digest(put.stored.nominated), len(put.body)
                ) as writer:
                    writer.write(put.body)
                    writer.finish(encode(put.stored))
        self._writes.of("disk", "stored").value += len(puts)

    def _one(self, operation: Operation) -> None:
        match operation:
            case Rehead(stored):
                self._if_same_body(
                    stored,
                    lambda variant, generation: self._disk.replace_meta(
                        stored.key, variant, encode(stored), of=generation
                    ),
                )
            case DeleteOne(stored):
                self._disk.delete(stored.key, variant_digest(stored.nominated))
            case Delete(key):
                self._disk.delete_primary(key)
            case Put():
                raise AssertionError("puts go in batches")
            case _ as never:
                assert_never(never)

    def _if_same_body(self, stored: StoredResponse, change: Callable[[bytes, bytes], object]) -> None:
        variant = variant_digest(stored.nominated)
        record = self._disk.read(stored.key, variant)
        if record is None:
            return
        try:
            same = decode(record.meta).body_id == stored.body_id
        except ValueError:
            same = False
        if not isinstance(record.body, bytes):
            record.body.close()
        if same:
            change(variant, record.generation)
