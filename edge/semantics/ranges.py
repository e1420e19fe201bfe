"""Byte ranges: which bytes of a stored body a Range asks for, and how they are framed. PURE. RFC 9110 sections 14, 15.3.7.

Owns: reading Range, resolving it against a length, Content-Range and the parts of multipart/byteranges. Rules: a Range
that is malformed, in another unit, of too many ranges, or with any overlap is ignored (200 with the whole): s14.2 allows
it and there is no reading of such a field that a good client depends on. Spans are half open and lie within the body.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

Span = tuple[int, int]
"""(first byte, one past the last byte)."""

_UNIT = re.compile(rb"bytes[ \t]*=", re.IGNORECASE)
_SPEC = re.compile(rb"([0-9]+)-([0-9]*)|-([0-9]+)")
_DIGITS = 18  # more than any length has; longer numbers need not be computed, only be larger
_BEYOND = 10**_DIGITS


def requested_spans(lines: Sequence[bytes], length: int, max_ranges: int) -> tuple[Span, ...] | None:
    """The spans to send of a body of `length` bytes, in the order asked for.

    None: ignore the field, send the whole. (): none of the ranges is within the body, 416. lines: of the Range field;
    several say nothing definite and are ignored. An empty body has no range that Content-Range could name, so that
    Range is ignored there.
    """
    if len(lines) != 1 or length == 0:
        return None
    specs = _specs(lines[0], max_ranges)
    if specs is None:
        return None
    spans: list[Span] = []
    for first, last, suffix in specs:
        if suffix is not None:
            span = (max(length - suffix, 0), length)
        else:
            assert first is not None, specs
            span = (first, length if last is None else min(last + 1, length))
        if span[0] < span[1]:
            spans.append(span)
    ordered = sorted(spans)
    if any(one[1] > following[0] for one, following in pairwise(ordered)):
        return None
    return tuple(spans)


def _specs(value: bytes, max_ranges: int) -> list[tuple[int | None, int | None, int | None]] | None:
    """(first-pos, last-pos, suffix-length) of each range; None when the field is to be ignored."""
    unit = _UNIT.match(value)
    if unit is None:
        return None
    specs: list[tuple[int | None, int | None, int | None]] = []
    for part in value[unit.end() :].split(b","):
        member = part.strip(b" \t")
        if not member:
            continue
        found = _SPEC.fullmatch(member)
        if found is None or len(specs) == max_ranges:
            return None
        first, last, suffix = (_number(digits) for digits in found.groups())
        if first is not None and last is not None and last < first:
            return None
        specs.append((first, last, suffix))
    return specs or None


def _number(digits: bytes | None) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip(b"0")
    return _BEYOND if len(significant) > _DIGITS else int(significant or b"0")


def content_range(span: Span, length: int) -> bytes:
    """The Content-Range of a span, `bytes 0-499/1234` (RFC 9110 s14.4)."""
    return b"bytes %d-%d/%d" % (span[0], span[1] - 1, length)


def unsatisfied_range(length: int) -> bytes:
    """The Content-Range of a 416."""
    return b"bytes */%d" % length


def multipart(
    spans: Sequence[Span], length: int, content_type: bytes | None, boundary: bytes
) -> tuple[tuple[bytes, ...], bytes, int]:
    """(what stands before each span, what stands after the last, Content-Length of all) of a multipart/byteranges.

    content_type: of the whole, None when it has none; each part carries it (RFC 9110 s14.6). boundary: a token that
    does not occur in the body, so a random one; it is written unquoted, as some readers need.
    """
    kind = b"" if content_type is None else b"Content-Type: %b\r\n" % content_type
    preambles = tuple(
        b"%b--%b\r\n%bContent-Range: %b\r\n\r\n"
        % (b"\r\n" if number else b"", boundary, kind, content_range(span, length))
        for number, span in enumerate(spans)
    )
    closing = b"\r\n--%b--\r\n" % boundary
    total = sum(map(len, preambles)) + sum(stop - start for start, stop in spans) + len(closing)
    return preambles, closing, total
