"""Bodies of stored responses as they are read: from memory or from a verified file.

Owns: `StoredBody` and its two kinds. Rule: a file's blocks are read and verified in the store's threads, a damaged
block raises StoreFault in mid-stream - the client then sees a cut, never a clean end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from edge.errors import StoreFault
from edge.semantics.message import EMPTY, Fields
from edge.store.bodyfile import BodyFile

READ_BYTES = 512 * 1024
"""Read at a time: two blocks, so that a thread hop is paid once for both."""


class ByteStream(Protocol):
    """Bytes, piece by piece."""

    trailers: Fields

    async def read(self) -> bytes:
        """The next piece, b"" at the end."""

    def close(self) -> None:
        """No more will be read."""


class StoredBody(Protocol):
    """A whole body. at_hand: its bytes, None when they have to be read."""

    at_hand: bytes | None
    length: int

    def stream(self, start: int, stop: int) -> ByteStream:
        """Bytes [start, stop)."""

    def close(self) -> None:
        """No stream will be asked for any more; running ones go on."""


class MemoryBody:
    """Bytes in memory."""

    __slots__ = ("at_hand", "length")

    def __init__(self, body: bytes) -> None:
        self.at_hand: bytes | None = body
        self.length = len(body)

    def stream(self, start: int, stop: int) -> ByteStream:
        """One piece."""
        assert self.at_hand is not None
        return BytesStream(self.at_hand[start:stop])

    def close(self) -> None:
        """Nothing to let go of."""


class BytesStream:
    """A stream of one piece."""

    __slots__ = ("_left", "trailers")

    def __init__(self, data: bytes) -> None:
        self._left = data
        self.trailers = EMPTY

    async def read(self) -> bytes:
        """All, then b""."""
        data, self._left = self._left, b""
        return data

    def close(self) -> None:
        """Nothing to let go of."""


class DiskBody:
    """A file, read block by block in a store thread. run: calls a blocking function there."""

    __slots__ = ("_file", "_run", "at_hand", "length")

    def __init__(
        self, file: BodyFile, length: int, run: Callable[[Callable[[], bytes]], Awaitable[bytes]]
    ) -> None:
        self._file = file
        self._run = run
        self.at_hand: bytes | None = None
        self.length = length

    def stream(self, start: int, stop: int) -> ByteStream:
        """Bytes [start, stop), READ_BYTES at a time."""
        return _FileStream(self._file, self._run, start, stop)

    def close(self) -> None:
        """The file is closed with its last stream (the last reference)."""


class _FileStream:
    __slots__ = ("_file", "_offset", "_run", "_stop", "trailers")

    def __init__(
        self, file: BodyFile, run: Callable[[Callable[[], bytes]], Awaitable[bytes]], start: int, stop: int
    ) -> None:
        self._file = file
        self._run = run
        self._offset = start
        self._stop = stop
        self.trailers = EMPTY

    async def read(self) -> bytes:
        """The next piece. Raises StoreFault when a block is damaged or unreadable."""
        if self._offset >= self._stop:
            return b""
        offset = self._offset
        wanted = min(READ_BYTES - offset % READ_BYTES, self._stop - offset)
        data = await self._run(lambda: self._file.pread(offset, wanted))
        if not data:
            raise StoreFault("a stored body is shorter than it said")
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Stop here."""
        self._offset = self._stop
