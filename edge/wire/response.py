"""A response head off the wire: bytes in, one frozen response or one refusal. PURE. RFC 9112 sections 4, 6.

Owns: `parse_response_head`. Rules: as strict as the request side; every `UpstreamFault` destroys the connection.
The transfer coding chunked is taken out, Content-Length (checked) stays among the fields because it is part of what
a stored head says about its body.
"""

from __future__ import annotations

import re

from edge.errors import UpstreamFault
from edge.semantics.message import ResponseHead
from edge.values import value
from edge.wire.fields import Section, sort_lines
from edge.wire.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Length
from edge.wire.grammar import BARE_CONTROL, read_lines
from edge.wire.limits import Limits

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_KEEP = frozenset((b"content-length",))


@value(frozen=True, slots=True)
class ParsedResponse:
    """head: end-to-end fields and Content-Length. keep_alive: the peer means to keep the connection.

    upgrade: the protocol of a 101's Upgrade field, lower case.
    """

    head: ResponseHead
    framing: Framing
    keep_alive: bool
    upgrade: bytes | None = None


def find_response_head_end(data: bytes | bytearray, limits: Limits, seen: int = 0) -> int:
    """Offset just behind the head at the start of `data`, -1 while incomplete. Raises UpstreamFault.

    seen: bytes that an earlier call found incomplete; they are not searched again.
    """
    end = data.find(b"\r\n\r\n", max(0, seen - 3))
    if 0 <= end <= limits.response_head - 4:
        return end + 4
    if end >= 0 or len(data) > limits.response_head:
        raise UpstreamFault("response head too large", proxy_status="http_response_header_section_size")
    if BARE_CONTROL.search(data, max(0, seen - 1)) or not b"HTTP/1."[: len(data)] == bytes(data[:7]):
        raise UpstreamFault("not an HTTP/1.1 response")
    return -1


def parse_response_head(head: bytes, method: bytes, limits: Limits) -> ParsedResponse:
    """Read one complete head. method: of the request it answers. Raises UpstreamFault (502)."""
    line_end = head.find(b"\r\n")
    matched = STATUS_LINE.fullmatch(head, 0, line_end)
    if matched is None:
        raise UpstreamFault("malformed status line")
    if head.count(b"\r\n", line_end) - 2 > limits.response_fields:
        raise UpstreamFault("too many response fields", proxy_status="http_response_header_section_size")
    lines = read_lines(head, line_end + 2)
    if lines is None:
        raise UpstreamFault("malformed response field")
    minor, code, reason = matched.groups()
    status, is_11 = int(code), minor == b"1"
    section = sort_lines(lines, _KEEP)
    framing = _framing(section, status, method, is_11=is_11)
    options = section.options
    keep_alive = b"close" not in options and (is_11 or b"keep-alive" in options)
    upgrade = section.hop.get(b"upgrade")
    return ParsedResponse(
        ResponseHead(status, reason or b"", section.end_to_end, 1 if is_11 else 0),
        framing,
        keep_alive and framing is not UNTIL_CLOSE,
        upgrade[0].lower() if status == 101 and upgrade is not None and len(upgrade) == 1 else None,
    )


def _framing(section: Section, status: int, method: bytes, *, is_11: bool) -> Framing:
    """RFC 9112 s6.3; a response that two parsers could end at two places is refused."""
    coding = section.hop.get(b"transfer-encoding")
    lengths = section.hop.get(b"content-length")
    if lengths is not None and (len(lengths) != 1 or _LENGTH.fullmatch(lengths[0]) is None):
        raise UpstreamFault("malformed Content-Length in the response")
    if coding is not None:
        if lengths is not None:
            raise UpstreamFault("Content-Length and Transfer-Encoding together in the response")
        if not is_11 or len(coding) != 1 or coding[0].lower() != b"chunked":
            raise UpstreamFault("transfer coding not supported", proxy_status="http_response_transfer_coding")
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return NO_BODY
    if coding is not None:
        return CHUNKED
    if lengths is None:
        return UNTIL_CLOSE
    size = int(lengths[0])
    return Length(size) if size else NO_BODY
