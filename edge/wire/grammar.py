"""The byte grammar shared by both head parsers and the trailer parser. PURE. RFC 9110 s5.6.2, RFC 9112 s2.2, s5.

Owns: the regular expressions and the splitting of a field section. Rules: lines end in CRLF and nothing else (a
bare LF MAY be taken by the RFC; peers that do disagree with each other about where a head ends, so we refuse), no
white space before the colon, no obs-fold, no empty name, no control byte but HTAB in a value.
"""

from __future__ import annotations

import re

from edge.semantics.message import Line

TCHAR = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
TOKEN = re.compile(rb"[%b]+" % TCHAR)

FIELD_SECTION = re.compile(rb"(?:[%b]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n" % TCHAR)
"""*( field-line CRLF ) CRLF, whole. One pass in C; there is no ambiguity in it to backtrack into."""

_TRIMMED_LINE = re.compile(rb"^([^:]+): ?(?![ \t])([^\r]*)(?<![ \t])\r\n", re.MULTILINE)
_LINE = re.compile(rb"^([^:]+):[ \t]*([^\r]*)\r\n", re.MULTILINE)
"""The lines of what FIELD_SECTION matched: it has a colon in each line and no CR in one. Nearly all are trimmed."""

_STRICT_LINE = re.compile(
    rb"^([%b]++): ?(?![ \t])([\t\x20-\x7e\x80-\xff]*+)(?<![ \t])\r\n" % TCHAR, re.MULTILINE
)

BARE_CONTROL = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What no head may contain, found before the head is complete: a bare LF, a bare CR, a control byte."""

# What a hop keeps to itself: RFC 9110 s7.6.1 and the names that old peers send without listing them in Connection.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
    )
)

# What Connection cannot take away (RFC 9110 s7.6.1: "fields that are always intended for all recipients").
NOT_STRIPPABLE = frozenset(
    (b"host", b"content-length", b"cdn-loop", b"cache-control", b"via", b"content-type")
)

# What a trailer section must not carry (RFC 9110 s6.5.1: framing, routing, authentication, modifiers, content format).
FORBIDDEN_TRAILERS = HOP_BY_HOP | frozenset(
    (
        b"host",
        b"content-length",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"cache-control",
        b"expires",
        b"date",
        b"age",
        b"vary",
        b"location",
        b"range",
        b"expect",
        b"max-forwards",
        b"www-authenticate",
        b"cdn-loop",
        b"via",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    )
)


_USUAL_OPTIONS = {
    said: frozenset((said.lower(),)) for said in (b"keep-alive", b"close", b"Keep-Alive", b"Close")
}


def split_lines(section: bytes) -> list[Line]:
    """The lines of a field section that FIELD_SECTION matched: (name as spelled, value trimmed)."""
    lines: list[Line] = _TRIMMED_LINE.findall(section)
    if len(lines) == section.count(b"\n") - 1:
        return lines
    return [(name, value.rstrip(b" \t")) for name, value in _LINE.findall(section)]


def read_lines(head: bytes, start: int) -> list[Line] | None:
    """The lines of the field section of `head` that begins at `start` and ends with it; None when it is malformed.

    A line that the strict expression matches is one of FIELD_SECTION's, from its beginning to its CRLF, and has one LF; so
    where there are as many as there are lines, they are all that stands there. What is not trimmed is read in two passes.
    """
    lines: list[Line] = _STRICT_LINE.findall(head, start)
    if len(lines) == head.count(b"\n", start) - 1 and head.endswith(b"\n\r\n"):
        return lines
    if FIELD_SECTION.fullmatch(head, start) is None:
        return None
    return split_lines(head[start:])


def connection_options(values: list[bytes]) -> frozenset[bytes]:
    """Lower-case members of the Connection lines (RFC 9110 s7.6.1)."""
    if len(values) == 1 and (known := _USUAL_OPTIONS.get(values[0])) is not None:
        return known
    return frozenset(
        option for value in values for member in value.split(b",") if (option := member.strip(b" \t").lower())
    )
