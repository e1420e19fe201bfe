"""A large body on its way in: written to the disk tier, readable while it grows.

Owns: `DiskSpool`, the store's side of edge.fill's spool. Writes go through the disk tier's own body writer, so that
finishing is a rename and a row; readers of the running fill read the same file through a descriptor of their own,
which stays good whether the writer finishes or aborts, and is closed with the last reference to the spool.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from edge.errors import StoreFault
from edge.semantics.stored import StoredResponse
from edge.store.bodyfile import read_back
from edge.store.codec import encode
from edge.store.disk import BodyWriter

T = TypeVar("T")
Run = Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]


class DiskSpool:
    """See the module. write, read: run a blocking call in the store's writing and reading threads."""

    __slots__ = ("_descriptor", "_published", "_read", "_size", "_write", "_writer")

    def __init__(
        self, writer: BodyWriter, *, write: Run, read: Run, published: Callable[[StoredResponse], None]
    ) -> None:
        self._writer = writer
        self._write = write
        self._read = read
        self._published = published
        self._descriptor: int | None = None
        self._size = 0

    async def append(self, data: bytes) -> None:
        """Write at the end. Raises StoreFault; the spool then takes no more, what was written can still be read."""

        def blocking() -> None:
            self._writer.write(data)
            if self._descriptor is None:
                self._descriptor = self._writer.open_for_reading()

        await self._write(blocking)
        self._size += len(data)

    async def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of what was appended. Raises StoreFault when they are not there."""
        descriptor = self._descriptor
        wanted = min(length, self._size - offset)
        if descriptor is None or wanted <= 0:
            raise StoreFault("nothing was spooled there")
        data = await self._read(lambda: read_back(descriptor, offset, wanted))
        if not data:
            raise StoreFault("the spool is shorter than it was")
        return data

    async def finish(self, stored: StoredResponse) -> None:
        """Publish the body as that of `stored`. Raises StoreFault."""
        meta = encode(stored)
        await self._write(lambda: self._writer.finish(meta))
        self._published(stored)

    def abort(self) -> None:
        """Leave nothing in the store; harmless after `finish`."""
        # An unlink and a close: microseconds, and it must also work while the loop is being torn down.
        self._writer.abort()

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
