"""A request head off the wire: bytes in, one frozen request or one refusal. PURE. RFC 9112 sections 2, 3, 6.

Owns: `parse_request_head` and `find_head_end`. Rules: the only request parser there is, the fast lane included; every
`ClientFault` closes the connection; what is ambiguous is refused, never repaired. Framing, Host and hop-by-hop fields
are taken out of the fields here and live on as typed values.
"""

from __future__ import annotations

import re
from functools import lru_cache

from edge.errors import ClientFault
from edge.semantics.key import canonical_host
from edge.semantics.message import Authority, Fields, RequestHead
from edge.semantics.remembered import REMEMBERED, REMEMBERED_BYTES
from edge.values import value
from edge.wire.fields import sort_lines
from edge.wire.framing import CHUNKED, NO_BODY, Framing, Length
from edge.wire.grammar import BARE_CONTROL, TCHAR, read_lines
from edge.wire.limits import Limits

# Targets: visible ASCII without the bytes RFC 3986 never allows and that programs disagree about (" < > \ #).
# [ ] { } | ^ ` are not allowed either, but browsers send them in queries, and nobody reads them two ways.
_TARGET = rb"[!$-;=?-\[\]-~]"
REQUEST_LINE = re.compile(rb"([%b]{1,32}) (%b+) HTTP/([0-9])\.([0-9])" % (TCHAR, _TARGET))
_HOST = re.compile(
    rb"([A-Za-z0-9_](?:[A-Za-z0-9_\-]|\.(?!\.|:|\Z)|\.(?=\Z|:))*|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
)
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?]*)(.*)")
_LENGTH = re.compile(rb"[0-9]{1,15}")
MAX_HOST_BYTES = 255  # RFC 1035 s2.3.4, the longest name DNS can carry

# A tunnel through us, and an echo of what other hops added (RFC 9110 s9.3.6, s9.3.8): no cache needs either.
_NOT_OFFERED = frozenset((b"CONNECT", b"TRACE"))


@value(frozen=True, slots=True)
class ParsedRequest:
    """head: end-to-end fields only. upgrade: the one protocol asked for, lower case, None = none.

    accepts_trailers: TE names trailers. line: the request line as sent, for the access log.
    """

    head: RequestHead
    framing: Framing
    keep_alive: bool
    expect_continue: bool = False
    upgrade: bytes | None = None
    accepts_trailers: bool = False
    line: bytes = b""


def find_head_end(data: bytes | bytearray, start: int, limits: Limits, seen: int = 0) -> int:
    """Offset just behind the head that begins at `start`, -1 while it is incomplete.

    seen: bytes from `start` that an earlier call found incomplete; they are not searched again, so that a head that
    comes byte by byte costs little.
    Raises ClientFault: 414 / 431 beyond the limits, 400 for what no head may contain - before the head is complete,
    so that a client that ends its lines in LF is told at once.
    """
    end = data.find(b"\r\n\r\n", max(start, start + seen - 3))
    if 0 <= end <= start + limits.request_head - 4:
        return end + 4
    line_end = data.find(b"\r\n", start, start + limits.request_line + 2)
    if line_end < 0 and len(data) - start > limits.request_line + 1:  # its CR may be here and its LF not yet
        raise ClientFault("request line too long", status=414)
    if end >= 0 or len(data) - start > limits.request_head:
        raise ClientFault("request head too large", status=431)
    if BARE_CONTROL.search(data, max(start, start + seen - 1)):
        raise ClientFault("control byte or bare line end in the request head")
    return -1


def parse_request_head(head: bytes, limits: Limits, scheme: bytes = b"http") -> ParsedRequest:
    """Read one complete head, up to and including its empty line. scheme: of the connection, b"http" or b"https".

    Raises ClientFault with the status to answer; the connection must be closed after it.
    """
    line_end = head.find(b"\r\n")
    line = head[:line_end]
    if line_end > limits.request_line:
        raise ClientFault("request line too long", status=414)
    if head.count(b"\n", line_end) - 2 > limits.request_fields:
        raise ClientFault("too many header fields", status=431)
    matched = REQUEST_LINE.fullmatch(line)
    if matched is None:
        raise ClientFault("malformed request line")
    method, target, major, minor = matched.groups()
    if major != b"1" or minor not in b"01":
        raise ClientFault("HTTP version not supported", status=505)
    is_11 = minor == b"1"
    section = head[line_end + 2 :]
    said = (
        _remembered(section, scheme, is_11)
        if len(section) <= REMEMBERED_BYTES
        else _said(section, scheme, is_11)
    )
    authority, path = _target_uri(method, target, said.authority, scheme)
    upgrade = said.upgrade
    if upgrade is not None and (method != b"GET" or said.framing is not NO_BODY):
        upgrade = None  # where a body ends and a tunnel begins must not be a question
    return ParsedRequest(
        RequestHead(method, authority, path, said.end_to_end, 1 if is_11 else 0),
        said.framing,
        said.keep_alive,
        said.expect_continue,
        upgrade,
        said.accepts_trailers,
        line,
    )


@value(frozen=True, slots=True)
class _Said:
    """What a field section says, whatever the request line. authority: of Host, None when there is none (HTTP/1.0)."""

    end_to_end: Fields
    authority: Authority | None
    framing: Framing
    keep_alive: bool
    expect_continue: bool
    upgrade: bytes | None
    accepts_trailers: bool


def _said(section: bytes, scheme: bytes, is_11: bool) -> _Said:  # positional: it is part of a cache's key
    """Read a field section. Raises ClientFault."""
    lines = read_lines(section, 0)
    if lines is None:
        raise ClientFault("malformed header field")
    parts = sort_lines(lines)
    hop, options = parts.hop, parts.options
    hosts = hop.get(b"host", [])
    if len(hosts) != 1 and (is_11 or hosts):
        raise ClientFault("exactly one Host field is required")
    framing = _framing(hop, is_11=is_11)
    expect = hop.get(b"expect")
    if expect is not None and is_11 and (len(expect) != 1 or expect[0].lower() != b"100-continue"):
        raise ClientFault("expectation not supported", status=417)
    return _Said(
        parts.end_to_end,
        parse_host(hosts[0], scheme) if hosts else None,
        framing,
        b"close" not in options and (is_11 or b"keep-alive" in options),
        expect is not None and is_11 and framing is not NO_BODY,
        _upgrade(hop, options) if is_11 and b"upgrade" in hop else None,
        b"te" in hop and any(b"trailers" in value.lower() for value in hop[b"te"]),
    )


# A client's requests differ in their first line; the fields behind it come again to the byte. Reading them is a function
# of those bytes alone, so it is done once while it is among the last REMEMBERED: half the cost of a hit
# (docs/performance.md). Refusals are not remembered.
_remembered = lru_cache(maxsize=REMEMBERED)(_said)


@lru_cache(maxsize=1024)
def parse_host(value: bytes, scheme: bytes) -> Authority:
    """A Host field's value (RFC 9110 s7.2), stricter than RFC 3986: names are letters, digits, - . _ or an IPv6
    literal.

    Raises ClientFault 400. A trailing dot is dropped, case is folded, the scheme's default port is filled in, an IPv6
    literal takes its canonical form (RFC 5952).
    """
    matched = _HOST.fullmatch(value) if len(value) <= MAX_HOST_BYTES else None
    if matched is None:
        raise ClientFault("malformed Host")
    name, port = matched.groups()
    number = int(port) if port is not None else (443 if scheme == b"https" else 80)
    if not 0 < number < 65536:
        raise ClientFault("port out of range in Host")
    try:
        return Authority(scheme, canonical_host(name), number)
    except ValueError:
        raise ClientFault("malformed IPv6 literal in Host") from None


def _target_uri(
    method: bytes, target: bytes, authority: Authority | None, scheme: bytes
) -> tuple[Authority, bytes]:
    """Authority and origin-form target (RFC 9112 s3.2, s3.3). authority: of Host."""
    if method in _NOT_OFFERED:
        raise ClientFault(f"{method.decode()} is not offered", status=405)
    if target[0] == 0x2F:  # "/"
        if authority is None:
            raise ClientFault("no Host and no absolute target")
        return authority, target
    if target == b"*" and method == b"OPTIONS" and authority is not None:
        return authority, target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise ClientFault("malformed request target")
    named, netloc, rest = absolute.groups()
    if named.lower() != scheme or b"@" in netloc:
        raise ClientFault("absolute target with another scheme or with userinfo")
    if not rest.startswith(b"/"):
        rest = b"/" + rest
    return parse_host(netloc, scheme), rest


def _framing(hop: dict[bytes, list[bytes]], *, is_11: bool) -> Framing:
    """RFC 9112 s6.3, refusing every case in which two parsers could see two lengths."""
    coding = hop.get(b"transfer-encoding")
    lengths = hop.get(b"content-length")
    if coding is None and lengths is None:
        return NO_BODY
    if coding is not None:
        if lengths is not None:
            raise ClientFault("Content-Length and Transfer-Encoding together")
        if not is_11:
            raise ClientFault("Transfer-Encoding in an HTTP/1.0 request")
        if len(coding) != 1 or coding[0].lower() != b"chunked":
            raise ClientFault("Transfer-Encoding other than chunked")
        return CHUNKED
    assert lengths is not None
    if len(lengths) != 1 or _LENGTH.fullmatch(lengths[0]) is None:
        raise ClientFault("malformed Content-Length")
    size = int(lengths[0])
    return Length(size) if size else NO_BODY


def _upgrade(hop: dict[bytes, list[bytes]], options: frozenset[bytes]) -> bytes | None:
    """The single protocol of Upgrade, when Connection names it too (RFC 9110 s7.8). h2c is never offered."""
    values = hop[b"upgrade"]
    if b"upgrade" not in options or len(values) != 1:
        return None
    protocol = values[0].lower()
    return protocol if protocol == b"websocket" else None
