"""Body decoders: bytes in, body bytes out, and whether the end was really reached. PURE. RFC 9112 sections 6, 7.

Owns: one decoder class a framing, made by `decoder`. Rules: `feed` returns the pieces of body in order without
copying where it can, `done` is true exactly when the framing says the body is complete, bytes behind the end are
`leftover`. A chunked body that bends the grammar raises `ValueError`; the caller knows whose fault that is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.semantics.message import Fields
from edge.wire.framing import Chunked, Framing, Length, NoBody, UntilClose
from edge.wire.grammar import BARE_CONTROL, FORBIDDEN_TRAILERS, TCHAR, read_lines
from edge.wire.limits import Limits

# chunk-size [ chunk-ext ]; white space around "=" or ";" is refused (RFC 9112 s7.1.1 calls it bad).
_CHUNK_LINE = re.compile(
    rb'([0-9A-Fa-f]{1,15})((?:;[%b]+(?:=(?:[%b]+|"[\t !#-\[\]-~]*"))?)*)' % (TCHAR, TCHAR)
)
_CHUNK_LINE_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,15}(?:;|\r?\Z)")
NO_TRAILERS = Fields()


class BodyError(ValueError):
    """The body's framing is malformed or beyond its bounds."""


class LengthDecoder:
    """Exactly `size` bytes."""

    __slots__ = ("leftover", "remaining")
    trailers = NO_TRAILERS

    def __init__(self, size: int) -> None:
        self.remaining = size
        self.leftover = b""

    @property
    def done(self) -> bool:
        """True when all bytes came."""
        return self.remaining == 0

    def feed(self, data: bytes) -> Sequence[bytes]:
        """The body's share of `data`; the rest goes to `leftover`."""
        size = len(data)
        if size <= self.remaining:
            self.remaining -= size
            return (data,)
        body = data[: self.remaining]
        self.leftover += data[self.remaining :]
        self.remaining = 0
        return (body,) if body else ()

    def end(self) -> bool:
        """The peer closed: True when the body is complete."""
        return self.done


class CloseDecoder:
    """Everything until the connection ends; complete only by the caller's judgement of how it ended."""

    __slots__ = ("done",)
    trailers = NO_TRAILERS
    leftover = b""

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> Sequence[bytes]:
        """All of it."""
        return (data,)

    def end(self) -> bool:
        """A clean FIN ends it."""
        self.done = True
        return True


class ChunkedDecoder:
    """chunk-size CRLF data CRLF ... 0 CRLF trailers CRLF (RFC 9112 s7.1), strict."""

    __slots__ = (
        "_buffer",
        "_limits",
        "_need_crlf",
        "_overhead",
        "_remaining",
        "_trailing",
        "done",
        "leftover",
        "trailers",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        self._remaining = 0
        self._need_crlf = False
        self._trailing = False
        self._overhead = 0
        self.done = False
        self.leftover = b""
        self.trailers = NO_TRAILERS

    def feed(self, data: bytes) -> Sequence[bytes]:
        """Pieces of body in `data`. Raises BodyError."""
        pieces: list[bytes] = []
        if self.done:
            self.leftover += data
            return pieces
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        at, size = 0, len(data)
        while at < size:
            if self._remaining:
                piece = data[at : at + self._remaining] if at or size > self._remaining else data
                at += len(piece)
                self._remaining -= len(piece)
                pieces.append(piece)
            elif self._need_crlf:
                if not b"\r\n".startswith(data[at : at + 2]):
                    raise BodyError("chunk data longer than its size")
                if size - at < 2:
                    break
                at += 2
                self._need_crlf = False
            elif self._trailing:
                at = self._read_trailers(data, at)
                break
            else:
                after = self._read_size(data, at)
                if after < 0:
                    break
                at = after
        self._keep(data[at:])
        return pieces

    def _keep(self, rest: bytes) -> None:
        if self.done:
            self.leftover = rest
        else:
            self._buffer = rest

    def _read_size(self, data: bytes, at: int) -> int:
        """Offset behind the chunk-size line, -1 while it is incomplete."""
        end = data.find(b"\r\n", at, at + self._limits.chunk_line + 2)
        if end < 0:
            line = data[at:]
            if len(line) > self._limits.chunk_line + 1:  # its CR may be here and its LF not yet
                raise BodyError("chunk-size line too long")
            if b"\n" in line or (line and _CHUNK_LINE_BEGUN.match(line) is None):
                raise BodyError("malformed chunk-size line")
            return -1
        matched = _CHUNK_LINE.fullmatch(data, at, end)
        if matched is None:
            raise BodyError("malformed chunk-size line")
        digits, extension = matched.groups()
        self._remaining = int(digits, 16)
        if extension or len(digits) > 8:
            self._overhead += end - at
            if self._overhead > self._limits.chunk_overhead:
                raise BodyError("chunk extensions too long")
        self._need_crlf = self._remaining > 0
        self._trailing = self._remaining == 0
        return end + 2

    def _read_trailers(self, data: bytes, at: int) -> int:
        """Read the trailer section once it is whole; returns the offset to keep from."""
        if data.startswith(b"\r\n", at):
            self.done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if len(data) - at > self._limits.trailer_bytes:
                raise BodyError("trailer section too large")
            if BARE_CONTROL.search(data, at):
                raise BodyError("control byte or bare line end in the trailer section")
            return at
        section = data[at : end + 4]
        if (
            len(section) > self._limits.trailer_bytes
            or section.count(b"\r\n") - 1 > self._limits.trailer_fields
        ):
            raise BodyError("trailer section too large")
        lines = read_lines(section, 0)
        if lines is None:
            raise BodyError("malformed trailer field")
        self.trailers = Fields(line for line in lines if line[0].lower() not in FORBIDDEN_TRAILERS)
        self.done = True
        return end + 4

    def end(self) -> bool:
        """The peer closed: True only when the last chunk was seen."""
        return self.done


Decoder = LengthDecoder | ChunkedDecoder | CloseDecoder


def decoder(framing: Framing, limits: Limits) -> Decoder:
    """A fresh decoder for `framing`; NoBody gets one that is done."""
    if type(framing) is Length:  # most are, and a class pattern is slow
        return LengthDecoder(framing.size)
    match framing:
        case NoBody():
            return LengthDecoder(0)
        case Length(size):
            return LengthDecoder(size)
        case Chunked():
            return ChunkedDecoder(limits)
        case UntilClose():  # pragma: no branch - the union ends here
            return CloseDecoder()
