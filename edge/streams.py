"""Body streams put together, and held to a bound.

Owns: `JoinedStream`: several streams with bytes before each and after the last (multipart/byteranges). `BoundedBody`: a
request body of unknown length that may not grow beyond what the site takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import ClientFault
from edge.exchange import BodySource, BodyStream
from edge.semantics.message import EMPTY, Fields


class JoinedStream:
    """preambles[i] stands before streams[i], closing after the last."""

    __slots__ = ("_at", "_closing", "_preambles", "_streams", "_told")

    def __init__(self, preambles: Sequence[bytes], streams: Sequence[BodyStream], closing: bytes) -> None:
        self._preambles = preambles
        self._streams = streams
        self._closing = closing
        self._at = 0
        self._told = False

    @property
    def trailers(self) -> Fields:
        """None of its own."""
        return EMPTY

    async def read(self) -> bytes:
        """The next bytes, b"" at the end."""
        while self._at < len(self._streams):
            if not self._told:
                self._told = True
                if self._preambles[self._at]:
                    return self._preambles[self._at]
            piece = await self._streams[self._at].read()
            if piece:
                return piece
            self._at += 1
            self._told = False
        closing, self._closing = self._closing, b""
        return closing

    def close(self) -> None:
        """No more will be read."""
        for stream in self._streams:
            stream.close()


class BoundedBody:
    """`source`, as long as it gives no more than `limit` bytes."""

    __slots__ = ("_left", "_source")

    def __init__(self, source: BodySource, limit: int) -> None:
        self._source = source
        self._left = limit

    async def read(self) -> bytes:
        """The next bytes, b"" at the clean end. Raises ClientFault (413) beyond the limit, and what the source raises."""
        piece = await self._source.read()
        self._left -= len(piece)
        if self._left < 0:
            raise ClientFault("request body too large", status=413)
        return piece
