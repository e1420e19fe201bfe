"""The only writer of heads and chunks. PURE. RFC 9112 sections 3, 4, 7.

Owns: turning parsed parts back into bytes, towards clients and towards the next tier. Rules: framing and Host are
written from typed values, never copied; a CR, LF or NUL in any part is our own mistake and stops the message
(assert), so that nothing received can grow a second head.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from edge.semantics.message import Fields, Line, RequestHead
from edge.semantics.remembered import Remembered
from edge.wire.framing import NO_BODY, Chunked, Framing, Length

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_STATUS_LINES = {status: b"HTTP/1.1 %d %b" % (status, reason) for status, reason in _REASONS.items()}

_BODILESS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE"))
"""Methods of which nobody expects a body, so that none need be denied (RFC 9110 s8.6)."""

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def status_line(status: int, reason: bytes = b"") -> bytes:
    """HTTP/1.1 SP status SP reason, without CRLF; an empty reason is filled in where the status is known."""
    if not reason or reason == _REASONS.get(status):
        return _STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status
    return b"HTTP/1.1 %d %b" % (status, reason)


def head(first: bytes, lines: Iterable[Line]) -> bytes:
    """A whole head: start line, field lines, empty line."""
    parts = [first]
    parts.extend([name + b": " + value for name, value in lines])
    whole = b"\r\n".join(parts) + b"\r\n\r\n"
    ends = len(parts) + 1
    assert whole.count(b"\n") == ends and whole.count(b"\r") == ends and b"\0" not in whole, whole[:200]
    return whole


def request_head(
    method: bytes, target: bytes, host: bytes, fields: Fields, framing: Framing, *hop: Line
) -> bytes:
    """A request to the next tier. hop: this hop's own lines (Connection, Upgrade, TE)."""
    if not hop and framing is NO_BODY and method in _BODILESS:
        first = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method, target, host)
        assert first.count(b"\n") == first.count(b"\r") == 2 and b"\0" not in first, first[:200]
        return first + _section(fields)
    lines: list[Line] = [(b"Host", host), *fields.lines, *hop]
    if isinstance(framing, Length):
        lines.append((b"Content-Length", b"%d" % framing.size))
    elif isinstance(framing, Chunked):
        lines.append((b"Transfer-Encoding", b"chunked"))
    elif method not in _BODILESS:
        lines.append((b"Content-Length", b"0"))
    return head(b"%b %b HTTP/1.1" % (method, target), lines)


_sections: Remembered[bytes] = Remembered()


def remember(fields: Fields) -> None:
    """Requests with these very fields will come again: their lines are rendered once for all of them."""
    _sections.keep(fields, _rendered(fields))


def _section(fields: Fields) -> bytes:
    """The field lines and the empty line behind them."""
    known = _sections.get(fields)
    return _rendered(fields) if known is None else known


def _rendered(fields: Fields) -> bytes:
    lines = b"".join([name + b": " + value + b"\r\n" for name, value in fields.lines]) + b"\r\n"
    ends = len(fields.lines) + 1
    assert lines.count(b"\n") == ends and lines.count(b"\r") == ends and b"\0" not in lines, lines[:200]
    return lines


def response_head(
    status: int, reason: bytes, lines: Iterable[Line], framing_line: Line | None, *hop: Line
) -> bytes:
    """A response to a client. framing_line: Content-Length or Transfer-Encoding, None for bodiless or until-close."""
    whole: list[Line] = [line for line in lines if line[0].lower() != b"content-length"]
    if framing_line is not None:
        whole.append(framing_line)
    whole.extend(hop)
    return head(status_line(status, reason), whole)


def response_start(
    status: int, reason: bytes, lines: Iterable[Line], without: frozenset[bytes], *more: Line
) -> bytes:
    """A head to which the connection's own lines and the empty line are added later.

    without: lower-case names of lines that stay out, Content-Length among them. more: come last, the framing line too.
    """
    kept = [line for line in lines if line[0].lower() not in without]
    return head(status_line(status, reason), (*kept, *more))[:-2]


def chunk(data: bytes) -> bytes:
    """One chunk; data must not be empty (that would end the body)."""
    assert len(data), "an empty chunk ends the body"
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Fields) -> bytes:
    """The last chunk with its trailer section."""
    if not trailers.lines:
        return LAST_CHUNK
    return head(b"0", trailers.lines)


def target_uri(request: RequestHead) -> bytes:
    """scheme://host[:port]target, for logs and explanations."""
    return request.authority.scheme + b"://" + request.authority.render() + request.target
