"""A response body between the connection it comes on and the one who reads it.

Owns: `BodyReader`. One producer (the connection) feeds pieces and then ends or fails it, exactly once; one
consumer reads. Rules: what came before a failure is delivered before the failure is; the producer is told to
pause while more than `MAX_UNREAD` bytes wait, and to go on when they were taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from edge.errors import UpstreamFault
from edge.semantics.message import EMPTY, Fields

MAX_UNREAD = 256 * 1024
"""Bytes of one body that wait for their reader before the connection stops reading; one read of asyncio's is as
large.
"""


class Producer(Protocol):
    """What a reader may ask of where its bytes come from."""

    def pause(self) -> None:
        """Deliver nothing more for now."""

    def resume(self) -> None:
        """Deliver again."""

    def abandon(self) -> None:
        """Nobody wants the rest."""


class BodyReader:
    """See the module. Attributes are for the consumer.

    small: the whole body when it had come complete with its head (b"" when there is none), else None; it need
    not be read then. trailers: valid after the end. close_delimited: only the connection's end (a clean FIN)
    said that the body is complete; valid after the end. size: bytes that have come so far.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_is_broken",
        "_on_over",
        "_paused",
        "_pieces",
        "_producer",
        "_unread",
        "_waiter",
        "close_delimited",
        "size",
        "small",
        "trailers",
    )

    def __init__(self) -> None:
        self._producer: Producer | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self._paused = False
        self._ended = False
        self._is_broken = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_over: Callable[[bool], None] | None = None
        self.small: bytes | None = None
        self.trailers: Fields = EMPTY
        self.close_delimited = False
        self.size = 0

    @classmethod
    def of(cls, body: bytes, trailers: Fields = EMPTY) -> BodyReader:
        """A body that is already here."""
        reader = cls()
        if body:
            reader.feed((body,))
        reader.end(trailers)
        reader.settle_small()
        return reader

    async def read(self) -> bytes:
        """All that has come since the last call, waiting for some if none has; b"" at the clean end.

        Raises UpstreamFault when the body broke off or came too slowly, or what the request body's source raised.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            assert self._waiter is None, "a body has one reader"
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            if self._producer is not None:
                self._producer.resume()
        return taken

    def close(self) -> None:
        """The same as `abort`, in the words of edge.exchange.BodyStream."""
        self.abort()

    def abort(self) -> None:
        """The consumer wants no more. An unfinished response's connection is destroyed; harmless after the end."""
        self._pieces.clear()
        self._unread = 0
        producer, self._producer = self._producer, None
        if not self.is_over:
            self._error = UpstreamFault("given up by its reader", proxy_status="http_response_incomplete")
            self._over()
        if producer is not None:
            producer.abandon()

    @property
    def is_over(self) -> bool:
        """No more will come: it ended, broke off or was given up. Pieces may still wait to be read."""
        return self._ended or self._error is not None

    def when_over(self, tell: Callable[[bool], None]) -> None:
        """Call this once no more will come, at once when that is so already: whether the next tier broke it off.

        One may be told.
        """
        assert self._on_over is None, "somebody is told already"
        if self.is_over:
            tell(self._is_broken)
        else:
            self._on_over = tell

    def come_from(self, producer: Producer) -> None:
        """Where the bytes come from, until the end."""
        self._producer = producer

    def feed(self, pieces: Iterable[bytes]) -> None:
        """More of the body; empty pieces are dropped."""
        for piece in pieces:
            if piece:
                self._pieces.append(piece)
                self._unread += len(piece)
                self.size += len(piece)
        if self._unread > MAX_UNREAD and not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pause()
        self._wake()

    def end(self, trailers: Fields = EMPTY, *, close_delimited: bool = False) -> None:
        """The body is complete."""
        assert not self.is_over, "a body ends once"
        self._ended = True
        self.trailers = trailers
        self.close_delimited = close_delimited
        self._producer = None
        self._over()

    def fail(self, error: Exception) -> None:
        """The body broke off."""
        assert not self.is_over, "a body ends once"
        self._error = error
        self._is_broken = isinstance(error, UpstreamFault)
        self._producer = None
        self._over()

    def settle_small(self) -> None:
        """Called when the head is handed over: what is complete by now is `small`."""
        if self._ended and not self._paused:
            pieces = self._pieces
            self.small = pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _over(self) -> None:
        self._wake()
        tell, self._on_over = self._on_over, None
        if tell is not None:
            tell(self._is_broken)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
