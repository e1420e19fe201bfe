"""A large body on its way in: written to the disk tier, readable while it grows.

Owns: `DiskSpool`, the store's side of edge.fill's spool. Writes go through the disk tier's own body writer, so that
finishing is a rename and a row; readers of the running fill read the same file through a descriptor of their own,
which stays good whether the writer finishes or aborts, and is closed with the last reference to the spool.

Rule: one thread at a time touches the writer. A fill may be cancelled while a write of its is in the writing thread;
then it is that thread that aborts, as soon as the write is done: closing the file under a write that is under way would
let it go on into whatever gets the descriptor's number next.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from edge.errors import StoreFault
from edge.semantics.stored import StoredResponse
from edge.store.bodyfile import read_back
from edge.store.codec import encode
from edge.store.disk import BodyWriter

T = TypeVar("T")
Run = Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]
"""Carries out a blocking call in a thread of the store."""


class DiskSpool:
    """See the module.

    write, read: run in the writing and in the reading threads. finish: in the writing thread, behind all that was decided
    about the key before. published: called on the loop once the body is stored.
    """

    __slots__ = (
        "_aborted",
        "_descriptor",
        "_finish",
        "_lock",
        "_published",
        "_read",
        "_size",
        "_write",
        "_writer",
    )

    def __init__(
        self,
        writer: BodyWriter,
        *,
        write: Run,
        finish: Run,
        read: Run,
        published: Callable[[StoredResponse], None],
    ) -> None:
        self._writer = writer
        self._write = write
        self._finish = finish
        self._read = read
        self._published = published
        self._descriptor: int | None = None
        self._size = 0
        self._aborted = False
        self._lock = threading.Lock()

    async def append(self, data: bytes) -> None:
        """Write at the end. Raises StoreFault; the spool then takes no more, what was written can still be read."""

        def blocking() -> None:
            self._writer.write(data)
            if self._descriptor is None:
                self._descriptor = self._writer.open_for_reading()

        await self._write(lambda: self._alone(blocking))
        self._size += len(data)

    async def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of what was appended. Raises StoreFault when they are not there."""
        wanted = min(length, self._size - offset)
        if self._descriptor is None or wanted <= 0:
            raise StoreFault("nothing was spooled there")
        # The reference to the spool keeps the descriptor open as long as the thread reads, whoever is cancelled.
        data = await self._read(lambda: self._read_back(offset, wanted))
        if not data:
            raise StoreFault("the spool is shorter than it was")
        return data

    def _read_back(self, offset: int, length: int) -> bytes:
        assert self._descriptor is not None
        return read_back(self._descriptor, offset, length)

    async def finish(self, stored: StoredResponse) -> None:
        """Publish the body as that of `stored`. Raises StoreFault."""
        meta = encode(stored)
        await self._finish(lambda: self._alone(lambda: self._writer.finish(meta)))
        self._published(stored)

    def _alone(self, work: Callable[[], None]) -> None:
        """In the writing thread."""
        try:
            with self._lock:
                if self._aborted:
                    raise StoreFault("the spool was given up")
                work()
        finally:
            # Looked at after the lock is free: whoever aborts later than this finds it so.
            if self._aborted:
                self.abort()

    def abort(self) -> None:
        """Leave nothing in the store; harmless after `finish`. For any thread."""
        # An unlink and a close: microseconds, and it must also work while the loop is being torn down.
        self._aborted = True
        if self._lock.acquire(blocking=False):
            try:
                self._writer.abort()
            finally:
                self._lock.release()

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
