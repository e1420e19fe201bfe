"""Writing behind: what the event loop decided, carried to the disk in order by one thread.

Owns: `WriteBehind`. Rules: operations on one key keep their order; puts that wait together go in one transaction; at
most `bound_bytes` wait - a put beyond that is dropped and counted, a delete never is. A fault of the disk drops the
operation, is reported, and the next one is tried: the node serves on from memory and from the origin. What the failed
one should have replaced or deleted stays hidden and is deleted as soon as the disk lets us (pending.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar, assert_never

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.key import variant_digest
from edge.semantics.stored import Nominated, StoredResponse
from edge.store.codec import decode, encode, resident_bytes
from edge.store.disk import DiskTier, SmallPut
from edge.store.pending import (
    Call,
    Delete,
    DropBody,
    DropUnreadable,
    DropVariant,
    Operation,
    Pending,
    Put,
    Rehead,
)
from edge.tasks import spawn

_log = logging.getLogger("perigee.store")

T = TypeVar("T")
BATCH = 256
"""Puts in one transaction; keys that are owed and deleted at a time."""
LARGE_BYTES = 1024 * 1024
"""A put of this size goes alone."""
MAX_OPERATIONS = 100_000
"""What may wait, whatever its size: some 50 MB of deletes. A disk so far behind is emptied, it cannot be believed."""


_STORING = (Put, Rehead)


class WriteBehind:
    """One queue, one thread.

    on_fault: called on the loop, once for each fault. written: for each operation that no longer waits, with its key.
    """

    def __init__(
        self,
        disk: DiskTier,
        measures: Measures,
        bound_bytes: int,
        on_fault: Callable[[StoreFault], None],
        *,
        written: Callable[[bytes], None] = lambda _key: None,
        max_operations: int = MAX_OPERATIONS,
    ) -> None:
        self._disk = disk
        self._writes = measures.store_writes
        self._bound = bound_bytes
        self._on_fault = on_fault
        self._written = written
        self._max_operations = max_operations
        self.pending = Pending()
        self.waiting_bytes = 0
        """Bytes of responses that wait to be written."""
        self._queue: deque[Operation] = deque()
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
        """Carry out what waits, close the disk. May be called again."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        try:
            await self._pay()
            await self.run(self._disk.close)
        except StoreFault as fault:
            self._on_fault(fault)
        self._thread.shutdown(wait=True)

    async def run(self, blocking: Callable[[], T]) -> T:
        """A blocking call in the writing thread, behind what runs there now. Raises StoreFault when it is closed."""
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, blocking)
        except RuntimeError as error:
            raise StoreFault("the store is closed") from error
        return await running

    async def run_behind(self, key: bytes, blocking: Callable[[], T]) -> T:
        """A blocking call in the writing thread, behind everything that waits for `key`. A cancelled one is still run."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                value = blocking()
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                loop.call_soon_threadsafe(_fail, result, error)
            else:
                loop.call_soon_threadsafe(_tell, result, value)

        if self._closing:
            raise StoreFault("the store is closed")
        call = Call(key, run)
        if self.pending.waits(key):
            self.add(call)
        else:
            # Nothing to wait for. What comes later for the key is behind it, for there is one thread.
            self.pending.add(call)
            running = loop.run_in_executor(self._thread, run)
            running.add_done_callback(lambda _: self._done(call))
        return await result

    async def settled(self) -> None:
        """Until nothing waits (for tests and for closing)."""
        await self._idle.wait()

    async def tend(self) -> None:
        """Housekeeping in the writing thread: room, touches, what is owed; a disk that failed is tried again."""

        def blocking() -> None:
            self._be_open()
            self._disk.tend()

        try:
            await self.run(blocking)
            await self._pay()
        except StoreFault as fault:
            self._on_fault(fault)

    # -- the queue --

    def add(self, operation: Operation) -> None:
        """Queue one operation. A put that does not fit is dropped: what it replaces goes, and that is all."""
        if self._closing:
            return
        cost = _cost(operation)
        if isinstance(operation, _STORING) and self.waiting_bytes + cost > self._bound:
            self._writes.of("disk", "dropped").value += 1
            # The older copy on disk must not come back in place of the one that was dropped.
            operation = DropVariant(operation.key, operation.stored.nominated)
            cost = 0
        if self._is_needless(operation):
            return
        if len(self._queue) >= self._max_operations:
            self._give_up_on_all()
        self.waiting_bytes += cost
        self._queue.append(self.pending.add(operation))
        self._idle.clear()
        self._wake.set()

    def has(self, stored: StoredResponse) -> bool:
        """True when `stored` is on the disk or waits to be written, given that no older response of its variant is."""
        if self.pending.body(stored) is not None:
            return True
        return not self.pending.is_hidden(stored.key) and self._is_in_index(stored.key, stored.nominated)

    def may_have(self, key: bytes, nominated: Nominated) -> bool:
        """True when the disk may hold something of that variant, now or once what waits is carried out."""
        return self.pending.waits(key) or self._is_in_index(key, nominated)

    def _is_in_index(self, key: bytes, nominated: Nominated) -> bool:
        wanted = variant_digest(nominated)
        return any(variant == wanted for variant, _ in self._disk.variants(key))

    async def room_for(self, put: Put) -> None:
        """Wait until `put` fits, if it ever will."""
        while self._queue and (
            self.waiting_bytes + _cost(put) > self._bound or len(self._queue) >= self._max_operations
        ):
            await self.settled()

    def _is_needless(self, operation: Operation) -> bool:
        """True for a drop of what is not there: else each unsafe request to anything would cost a place."""
        if isinstance(operation, (*_STORING, Call)) or self.pending.waits(operation.key):
            return False
        return self._disk.is_open and not self._disk.variants(operation.key)

    def _give_up_on_all(self) -> None:
        """More waits than may: forget what was to be written, and empty the disk instead."""
        _log.error("the disk is too far behind: it is emptied", extra={"operations": len(self._queue)})
        kept: deque[Operation] = deque()
        for operation in self._queue:
            if isinstance(operation, Call):
                kept.append(operation)
                continue
            if isinstance(operation, Put | Rehead):
                self._writes.of("disk", "dropped").value += 1
            self._done(operation)
        self._queue = kept
        self.pending.owe_all()

    async def _carry(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                continue
            await self._pay()
            batch = self._next_batch()
            # Here and not in the thread: what is superseded changes on the loop.
            needed = [each for each in batch if not isinstance(each, Put) or self.pending.is_current(each)]
            faults = await self.run(lambda needed=needed: self._carry_out(needed))  # type: ignore[misc]
            self._report(faults)
            for operation in batch:
                fault = faults.get(operation)
                if fault is not None and not isinstance(operation, Call):
                    self.pending.owe(operation.key, must=not isinstance(operation, Put | Rehead))
                self._done(operation)
            self._count(needed, faults)
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
        self.waiting_bytes -= _cost(operation)
        self.pending.done(operation)
        self._written(operation.key)

    def _report(self, faults: dict[Operation, StoreFault]) -> None:
        for fault in dict.fromkeys(faults.values()):
            self._on_fault(fault)

    def _count(self, batch: list[Operation], faults: dict[Operation, StoreFault]) -> None:
        for operation in batch:
            if isinstance(operation, Put) or operation in faults:
                self._writes.of("disk", "failed" if operation in faults else "stored").value += 1

    async def _pay(self) -> None:
        """Delete what failed operations have left on the disk. A fault is reported; the rest stays owed."""
        pending = self.pending
        while pending.emptyings or pending.owed(1):
            emptyings, keys = pending.emptyings, pending.owed(BATCH)
            paid, fault = await self.run(partial(self._delete, keys, everything=emptyings > 0))
            pending.paid(paid)
            if fault is not None:
                self._on_fault(fault)
                return
            pending.paid_all(emptyings)

    # -- in the writing thread --

    def _be_open(self) -> None:
        if not self._disk.is_open:
            self._disk.open()

    def _delete(self, keys: tuple[bytes, ...], *, everything: bool) -> tuple[list[bytes], StoreFault | None]:
        paid: list[bytes] = []
        try:
            self._be_open()
            if everything:
                self._disk.clear()
            for key in keys:
                self._disk.delete_primary(key)
                paid.append(key)
        except Exception as error:  # noqa: BLE001 - see _fault
            return paid, _fault(error)
        return paid, None

    def _carry_out(self, batch: list[Operation]) -> dict[Operation, StoreFault]:
        """Those that failed."""
        try:
            self._be_open()
        except Exception as error:  # noqa: BLE001 - see _fault
            fault = _fault(error)
            self._each([operation for operation in batch if isinstance(operation, Call)])
            return {operation: fault for operation in batch if not isinstance(operation, Call)}
        return self._each(self._without_small_puts(batch) if len(batch) > 1 else batch)

    def _without_small_puts(self, batch: list[Operation]) -> list[Operation]:
        """Write small bodies in one transaction. What is left: all, when that failed, for it may be one that fails."""
        inline = self._disk.limits.inline_bytes
        small: list[SmallPut] = []
        others: list[Operation] = []
        for operation in batch:
            if isinstance(operation, Put) and len(operation.body) <= inline:
                stored = operation.stored
                variant = variant_digest(stored.nominated)
                small.append(SmallPut(stored.key, variant, encode(stored), operation.body))
            else:
                others.append(operation)
        try:
            self._disk.put_many(tuple(small))
        except Exception:  # noqa: BLE001 - each of them will say it again
            return batch
        return others

    def _each(self, operations: list[Operation]) -> dict[Operation, StoreFault]:
        faults: dict[Operation, StoreFault] = {}
        for operation in operations:
            try:
                self._one(operation)
            except Exception as error:  # noqa: BLE001 - see _fault
                faults[operation] = _fault(error)
        return faults

    def _one(self, operation: Operation) -> None:
        match operation:
            case Put(stored, body, _):
                variant = variant_digest(stored.nominated)
                self._disk.put_small(stored.key, variant, encode(stored), body)
            case Rehead(stored):
                variant = variant_digest(stored.nominated)
                generation = self._generation(stored.key, variant, stored.body_id)
                if generation is not None:
                    self._disk.replace_meta(stored.key, variant, encode(stored), of=generation)
            case DropBody(key, nominated, body_id):
                variant = variant_digest(nominated)
                if self._generation(key, variant, body_id) is not None:
                    self._disk.delete(key, variant)
            case DropVariant(key, nominated):
                self._disk.delete(key, variant_digest(nominated))
            case DropUnreadable(key, variant):
                if self._generation(key, variant, None) is not None:
                    self._disk.delete(key, variant)
            case Delete(key):
                self._disk.delete_primary(key)
            case Call(_, run):
                run()
            case _ as never:
                assert_never(never)

    def _generation(self, key: bytes, variant: bytes, body_id: bytes | None) -> bytes | None:
        """The generation of the row when it has that body (None: when it is unreadable), else None."""
        record = self._disk.read(key, variant)
        if record is None:
            return None
        if not isinstance(record.body, bytes):
            record.body.close()
        try:
            held: bytes | None = decode(record.meta).body_id
        except ValueError:
            held = None
        return record.generation if held == body_id else None


def _cost(operation: Operation) -> int:
    """What an operation counts for in `waiting_bytes`."""
    match operation:
        case Put(stored, body, cost):
            return cost or len(body) + resident_bytes(stored)
        case Rehead(stored):
            return resident_bytes(stored)
        case _:
            return 0


def _fault(error: Exception) -> StoreFault:
    """Any error as a fault: a bug met by one response must not end the writing of all others."""
    if isinstance(error, StoreFault):
        return error
    _log.error("writing to the disk failed unexpectedly", exc_info=error)
    return StoreFault(f"writing failed: {error!r}")


def _tell(result: asyncio.Future[T], value: T) -> None:
    if not result.done():
        result.set_result(value)


def _fail(result: asyncio.Future[T], error: BaseException) -> None:
    if not result.done():
        result.set_exception(error)
