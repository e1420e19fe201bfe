"""Bodies of stored responses as they are read or sent: from memory or from a verified file.

Owns: `StoredBody` and its two kinds. Rules: a file's blocks are read and verified in the store's threads; what was verified
and is in memory anyway is sent from the loop, a little at a time, while that is quick (pace.py); a damaged block raises
StoreFault in mid-stream - the client then sees a cut, never a clean end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from edge.errors import StoreFault
from edge.semantics.message import EMPTY, Fields
from edge.store.bodyreading import BodyFile
from edge.store.pace import Pace

T = TypeVar("T")
READ_BYTES = 512 * 1024
"""Read at a time: two blocks, so that a thread hop is paid once for both."""


SEND_BYTES = 1024 * 1024
"""Sent at a time on the loop: a fifth of a millisecond of copying, or a third with the receiver on the same machine."""


class Run(Protocol):
    """Calls a blocking function in a store thread. Raises StoreFault when the store is closed."""

    def __call__(self, blocking: Callable[[], T], /) -> Awaitable[T]:
        """What it returns or raises."""


class Outlet(Protocol):
    """A socket that takes what it can without waiting."""

    def use(self, send: Callable[[int], int]) -> int:
        """Call `send` with its descriptor, which stays open meanwhile, in any thread. OSError when it was closed."""


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

    __slots__ = ("_file", "_pace", "_run", "at_hand", "length")

    def __init__(self, file: BodyFile, length: int, run: Run, pace: Pace) -> None:
        """pace: whether the loop may send by itself what is at hand."""
        self._file = file
        self._run = run
        self._pace = pace
        self.at_hand: bytes | None = None
        self.length = length

    def stream(self, start: int, stop: int) -> FileStream:
        """Bytes [start, stop), READ_BYTES at a time."""
        return FileStream(self._file, self._run, self._pace, start, stop)

    def close(self) -> None:
        """The file is closed with its last stream (the last reference)."""


class FileStream:
    """Bytes of a file, to be read, or to be sent into a socket without being read."""

    __slots__ = ("_file", "_offset", "_pace", "_run", "_stop", "trailers")

    def __init__(self, file: BodyFile, run: Run, pace: Pace, start: int, stop: int) -> None:
        self._file = file
        self._run = run
        self._pace = pace
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

    async def send(self, outlet: Outlet) -> int:
        """Put the next bytes into `outlet`: how many it took, 0 at the end.

        On the loop where that is a matter of copying memory, in a store thread otherwise. Raises BlockingIOError when
        it takes none now, other OSErrors of the socket, CannotSend (then `read` goes on), and StoreFault as `read` does.
        """
        offset = self._offset
        left = self._stop - offset
        if left <= 0:
            return 0
        sent = self._send_now(outlet, offset, min(SEND_BYTES, left))
        if sent is None:
            wanted = min(READ_BYTES - offset % READ_BYTES, left)
            sent = await self._run(lambda: outlet.use(lambda out: self._file.send(out, offset, wanted)))
        self._offset += sent
        return sent

    def _send_now(self, outlet: Outlet, offset: int, wanted: int) -> int | None:
        """None: not now and here."""
        began = self._pace.begin()
        if began is None or not self._file.is_at_hand(offset, wanted):
            return None
        try:
            return outlet.use(lambda out: self._file.send(out, offset, wanted))
        finally:
            self._pace.end(began)

    def close(self) -> None:
        """Stop here."""
        self._offset = self._stop
