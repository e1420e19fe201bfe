"""Body streams put together.

Owns: `JoinedStream`: several streams with bytes before each and after the last (multipart/byteranges).
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.exchange import BodyStream
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
