"""The body of one fill: written once, read by many, each at his own pace, in bounded memory.

Owns: `FillBody` and `FillReader`. Up to `window` bytes live in memory. A body that outgrows it goes through a spool
(a file of the store): whole blocks are handed to the spool and dropped from memory once they are `window` behind
the end; a reader that is further behind reads the spool. Where no spool can be had (disk off, full) the writer
waits for the slowest reader instead, so a slow follower never makes the buffer grow. A spool that fails in the middle
is still read as far as it came, and the writer waits from there on: nobody breaks off. DESIGN section 3.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Protocol

from edge.errors import EdgeError, StoreFault
from edge.semantics.message import EMPTY, Fields

BLOCK_BYTES = 256 * 1024
"""Handed to the spool at a time: large enough that a thread hop costs little."""


class Spool(Protocol):
    """A growing file behind a fill; edge.store has the real one. All awaits hop to a store thread."""

    async def append(self, data: bytes) -> None:
        """Write at the end. Raises StoreFault; the spool is of no use after it."""

    async def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of what was appended, never empty inside it. Raises StoreFault."""


class FillBody:
    """Bytes [0, size) so far; `ended` = complete, `error` = it broke off. Both final, at most one of them.

    One task writes: `add`, `make_room`, ..., then `end` or `fail`.
    """

    __slots__ = (
        "_first",
        "_pieces",
        "_readers",
        "_spool_failed",
        "_spooled",
        "_starts",
        "_waiters",
        "_writer",
        "ended",
        "error",
        "size",
        "spool",
        "trailers",
        "window",
    )

    def __init__(self, window: int) -> None:
        self.window = window
        self.size = 0
        self.ended = False
        self.error: EdgeError | None = None
        self.trailers: Fields = EMPTY
        self.spool: Spool | None = None
        self._spool_failed = False
        self._spooled = 0
        # Bytes [_first, size) are in memory: _pieces[i] from offset _starts[i] on.
        self._first = 0
        self._pieces: list[bytes] = []
        self._starts: list[int] = []
        self._readers: set[FillReader] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._writer: asyncio.Future[None] | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes in memory."""
        return self.size - self._first

    @property
    def is_whole_in_memory(self) -> bool:
        """True when nothing was dropped."""
        return self._first == 0

    def reaches(self, start: int) -> bool:
        """True when a reader that begins at `start` now gets all its bytes."""
        return start >= self._first or (self.spool is not None and self._spooled >= self._first)

    def join(self) -> bytes:
        """All bytes so far, when nothing was dropped; joined once."""
        assert self.is_whole_in_memory, "the body is not whole in memory"
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
            self._starts = [0]
        return self._pieces[0] if self._pieces else b""

    def add(self, piece: bytes) -> None:
        """Append and wake the readers; the caller keeps the bound (see `make_room`)."""
        assert not self.ended and self.error is None, "the body has ended"
        if piece:
            self._starts.append(self.size)
            self._pieces.append(piece)
            self.size += len(piece)
            self._wake()

    def add_spooled(self, piece: bytes) -> None:
        """`add` what the caller has appended to the spool himself."""
        self._spooled += len(piece)
        self.add(piece)

    async def make_room(self) -> None:
        """Bring memory back under the window: spool, or wait for the slowest reader. Call after `add`.

        Raises StoreFault when the spool fails; then call `lose_spool`.
        """
        if self.spool is not None and not self._spool_failed:
            if self.size - self._spooled >= BLOCK_BYTES:
                await self.flush()
            self._drop_before(min(self._spooled, self.size - self.window))
            return
        while self.held_bytes > self.window and self._readers:
            self._drop_before(min(reader.offset for reader in self._readers))
            if self.held_bytes > self.window:
                self._writer = asyncio.get_running_loop().create_future()
                await self._writer
        self._drop_before(self.size - self.window)

    async def flush(self) -> None:
        """Hand everything that is not there yet to the spool. Raises StoreFault."""
        assert self.spool is not None, "no spool"
        if self.size > self._spooled:
            first = bisect_right(self._starts, self._spooled) - 1
            data = b"".join(self._pieces[first:])[self._spooled - self._starts[first] :]
            await self.spool.append(data)
            self._spooled += len(data)

    def lose_spool(self) -> None:
        """The spool failed: what it has is read on, and from here on the writer waits for the slowest reader."""
        self._spool_failed = True

    def _drop_before(self, offset: int) -> None:
        keep = 0
        while keep < len(self._pieces) and self._starts[keep] + len(self._pieces[keep]) <= offset:
            keep += 1
        if keep:
            del self._pieces[:keep]
            del self._starts[:keep]
            self._first = self._starts[0] if self._starts else self.size

    def end(self, trailers: Fields = EMPTY) -> None:
        """The body is complete."""
        if self.error is None:
            self.ended = True
            self.trailers = trailers
            self._wake()

    def fail(self, error: EdgeError) -> None:
        """The body broke off; every reader gets `error` behind the bytes that came."""
        if not self.ended and self.error is None:
            self.error = error
            self._wake()

    def reader(self, start: int = 0, stop: int | None = None) -> FillReader:
        """A reader of bytes [start, stop), stop None = to the end. Close it."""
        reader = FillReader(self, start, stop)
        if not reader.is_through and self.reaches(start):
            self._readers.add(reader)
        return reader

    @property
    def readers(self) -> int:
        """Readers that the body is kept for: not closed, and not yet through their range."""
        return len(self._readers)

    def piece_at(self, offset: int) -> bytes | None:
        """Bytes in memory from `offset` on (as many as lie together), None when they were dropped."""
        if offset < self._first:
            return None
        at = bisect_right(self._starts, offset) - 1
        piece = self._pieces[at]
        return piece if offset == self._starts[at] else piece[offset - self._starts[at] :]

    async def spooled_at(self, offset: int) -> bytes:
        """Bytes out of the spool from `offset` on. Raises StoreFault, also when they are nowhere any more."""
        if self.spool is None or offset >= self._spooled:
            raise StoreFault("bytes of a fill are gone: it could not be spooled")
        return await self.spool.read(offset, BLOCK_BYTES)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def changed(self) -> None:
        """Wait for the next change: more bytes, the end, a failure."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def reader_left(self, reader: FillReader) -> None:
        """A reader was closed, or has all it wanted."""
        self._readers.discard(reader)
        self.reader_moved()

    def reader_moved(self) -> None:
        """A reader took bytes; matters only to a writer that waits for the slowest."""
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)


class FillReader:
    """One reader's place in a FillBody."""

    __slots__ = ("_body", "offset", "stop")

    def __init__(self, body: FillBody, start: int, stop: int | None) -> None:
        self._body = body
        self.offset = start
        self.stop = stop

    @property
    def trailers(self) -> Fields:
        """The body's trailers; known after the end."""
        return self._body.trailers

    @property
    def is_through(self) -> bool:
        """True when all of the range was read."""
        return self.stop is not None and self.offset >= self.stop

    async def read(self) -> bytes:
        """The next bytes, b"" at the clean end. Raises the EdgeError the fill broke off with, or StoreFault."""
        body = self._body
        while not self.is_through:
            if self.offset < body.size:
                return await self._take()
            if body.error is not None:
                raise body.error.with_traceback(None)  # it is raised to many, and would grow with each
            if body.ended:
                break
            await body.changed()
        return b""

    async def _take(self) -> bytes:
        body = self._body
        piece = body.piece_at(self.offset)
        if piece is None:
            piece = await body.spooled_at(self.offset)
        if self.stop is not None and len(piece) > self.stop - self.offset:
            piece = piece[: self.stop - self.offset]
        self.offset += len(piece)
        if self.is_through:
            body.reader_left(self)
        else:
            body.reader_moved()
        return piece

    def close(self) -> None:
        """Leave; may be called more than once."""
        self._body.reader_left(self)
