"""The body of one fill: written once, read by many, each at his own pace, in bounded memory.

Owns: `FillBody` and `FillReader`. Up to `window` bytes live in memory. A body that outgrows it goes through a spool
(a file of the store): whole blocks are handed to the spool and dropped from memory once they are `window` behind
the end; a reader that is further behind reads the spool. Where no spool can be had (disk off, full) the writer
waits for the slowest reader instead, so a slow follower never makes the buffer grow. DESIGN section 3.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Protocol

from edge.errors import EdgeError
from edge.semantics.message import EMPTY, Fields

BLOCK_BYTES = 256 * 1024
"""Handed to the spool at a time: large enough that a thread hop costs little [nginx proxy_temp_file_write_size 16k]..

"""


class Spool(Protocol):
    """A growing file behind a fill; edge.store has the real one. All awaits hop to a store thread."""

    async def append(self, data: bytes) -> None:
        """Write at the end. Raises StoreFault; the spool is of no use after it."""

    async def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of what was appended, never empty inside it. Raises StoreFault."""


class FillBody:
    """Bytes [0, size) so far; `ended` = complete, `error` = it broke off. Both final, at most one of them."""

    __slots__ = (
        "_pieces",
        "_readers",
        "_spooled",
        "_starts",
        "_waiters",
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
        self._spooled = 0
        self._pieces: list[bytes] = []
        self._starts: list[int] = []
        self._readers: set[FillReader] = set()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def held_bytes(self) -> int:
        """Bytes in memory."""
        return self.size - self._starts[0] if self._starts else 0

    @property
    def is_whole_in_memory(self) -> bool:
        """True when nothing went to a spool and nothing was dropped."""
        return not self._starts or self._starts[0] == 0

    def join(self) -> bytes:
        """All bytes so far, when nothing was dropped; joined once."""
        assert self.is_whole_in_memory, "the body is not whole in memory"
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)] if self._pieces else []
            self._starts = [0] if self._pieces else []
        return self._pieces[0] if self._pieces else b""

    def add(self, piece: bytes) -> None:
        """Append and wake the readers; the caller keeps the bound (see `make_room`)."""
        assert not self.ended and self.error is None, "the body has ended"
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

        Raises StoreFault when the spool fails; the body then goes on without one for those who need no old bytes.
        """
        if self.spool is not None:
            if self.size - self._spooled >= BLOCK_BYTES:
                await self.flush()
            self._drop_before(min(self._spooled, self.size - self.window))
            return
        while self.held_bytes > self.window and self._readers:
            self._drop_before(min(reader.offset for reader in self._readers))
            if self.held_bytes > self.window:
                await self._wait()
        if not self._readers:
            self._drop_before(self.size - self.window)

    async def flush(self) -> None:
        """Hand everything that is not there yet to the spool."""
        assert self.spool is not None
        first = bisect_right(self._starts, self._spooled) - 1
        if self.size > self._spooled:
            data = b"".join(self._pieces[first:])[self._spooled - self._starts[first] :]
            await self.spool.append(data)
            self._spooled += len(data)

    def lose_spool(self) -> None:
        """The spool failed: readers that are behind memory break off, the others go on."""
        self.spool = None

    def _drop_before(self, offset: int) -> None:
        keep = 0
        while keep < len(self._pieces) and self._starts[keep] + len(self._pieces[keep]) <= offset:
            keep += 1
        if keep:
            del self._pieces[:keep]
            del self._starts[:keep]

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
        self._readers.add(reader)
        return reader

    @property
    def readers(self) -> int:
        """Readers that are not closed."""
        return len(self._readers)

    def piece_at(self, offset: int) -> bytes | None:
        """Bytes in memory from `offset` on (as many as lie together), None when they were dropped."""
        if not self._starts or offset < self._starts[0]:
            return None
        at = bisect_right(self._starts, offset) - 1
        piece = self._pieces[at]
        return piece if offset == self._starts[at] else piece[offset - self._starts[at] :]

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _wait(self) -> None:
        """Until something changes: more bytes, the end, a failure, a reader that moved or left."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def reader_left(self, reader: FillReader) -> None:
        """A reader was closed."""
        self._readers.discard(reader)
        self._wake()

    def reader_moved(self) -> None:
        """A reader took bytes; matters only to a writer that waits for the slowest."""
        if self.spool is None and self.size > self.window:
            self._wake()

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._wait()


class FillReader:
    """One reader's place in a FillBody."""

    __slots__ = ("_body", "_closed", "offset", "stop")

    def __init__(self, body: FillBody, start: int, stop: int | None) -> None:
        self._body = body
        self._closed = False
        self.offset = start
        self.stop = stop

    @property
    def trailers(self) -> Fields:
        """The body's trailers; known after the end."""
        return self._body.trailers

    async def read(self) -> bytes:
        """The next bytes, b"" at the clean end. Raises the EdgeError the fill broke off with, or StoreFault."""
        body = self._body
        while self.stop is None or self.offset < self.stop:
            if self.offset < body.size:
                return await self._take()
            if body.error is not None:
                raise body.error
            if body.ended:
                break
            await body.changed()
        return b""

    async def _take(self) -> bytes:
        body = self._body
        piece = body.piece_at(self.offset)
        if piece is None:
            if body.spool is None:
                raise body.error or EdgeError("bytes of a fill are gone: its spool failed")
            piece = await body.spool.read(self.offset, BLOCK_BYTES)
        if self.stop is not None and len(piece) > self.stop - self.offset:
            piece = piece[: self.stop - self.offset]
        self.offset += len(piece)
        body.reader_moved()
        return piece

    def close(self) -> None:
        """Leave; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._body.reader_left(self)
