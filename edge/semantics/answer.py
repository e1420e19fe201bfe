"""The answer that a stored response gives to a request: preconditions, ranges, Age. PURE.

Owns: `build_answer`. RFC 9111 sections 4, 4.3.2, 5.1; RFC 9110 sections 13.2, 14, 15.3.7, 15.4.5, 15.5.13, 15.5.17.

Rules: the stored fields go out as they are, Date too, with Age added; a 304 has only what s15.4.5 asks for and what
updates a cache; the head never has Content-Length, `Answer.length` is what the writer renders it from. Cache-Status,
Via and the site's own edits come later.
"""

from __future__ import annotations

from edge.semantics.decisions import Answer
from edge.semantics.message import Fields, Line, RequestHead, ResponseHead
from edge.semantics.ranges import content_range, multipart, requested_spans, unsatisfied_range
from edge.semantics.stored import StoredResponse
from edge.semantics.validation import CONDITIONALS, Precondition, evaluate_preconditions, range_applies

SPECIAL = CONDITIONALS | {b"range"}
"""A request without any of these fields wants the whole as it is; with them the answer may be another, or a part of it."""

_ABOUT_CONTENT = frozenset(
    (
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"content-type",
    )
)
"""Representation metadata that a 304 leaves out (RFC 9110 s15.4.5: SHOULD NOT)."""

_DIGESTS = frozenset((b"content-md5", b"content-digest"))
"""Digests of a message's content, wrong for a part of it (RFC 9530 s2; Repr-Digest stays right)."""

_KEPT_IN_ERRORS = frozenset((b"date", b"vary"))
_KEPT_IN_ERRORS_PREFIX = b"access-control-"
"""What a 412 and a 416 keep of the stored response. Not its Cache-Control: with that they could be stored behind us in
place of the content."""
_NO_STORE: Line = (b"Cache-Control", b"no-store")


def build_answer(
    request: RequestHead,
    stored: StoredResponse,
    age: float,
    boundary: bytes,
    max_ranges: int,
    *,
    for_tier: bool = False,
) -> Answer:
    """What `stored` answers to `request`.

    age: seconds, sent as whole ones. boundary: for multipart/byteranges, a token of random characters. max_ranges:
    Limits.ranges. for_tier: the client is a cache of ours, which may have to be freshened with all fields of a 304, those
    about the content too (RFC 9111 s4.3.4): they may have come from a 304 behind us. The answer to HEAD has the head and
    the length that GET would get.
    """
    head = with_age(stored.head, age)
    length = stored.body_length
    if SPECIAL.isdisjoint(request.fields.names()):
        return Answer(head, () if request.method == b"HEAD" else None, length)
    precondition = evaluate_preconditions(request, stored)
    if precondition is Precondition.NOT_MODIFIED:
        return Answer(_replaced(head, 304, head.fields) if for_tier else not_modified(head), (), 0)
    if precondition is Precondition.FAILED:
        return Answer(_error(head, 412), (), 0)
    if request.method == b"HEAD":
        return Answer(head, (), length)
    return _partial(request, stored, head, boundary, max_ranges)


def _partial(
    request: RequestHead, stored: StoredResponse, head: ResponseHead, boundary: bytes, max_ranges: int
) -> Answer:
    """206 or 416 where Range counts, else the whole. It counts for a GET answered with 200 (RFC 9110 s14.2)."""
    length = stored.body_length
    lines = request.fields.all(b"range")
    if not lines or request.method != b"GET" or head.status != 200 or not range_applies(request, stored):
        return Answer(head, None, length)
    spans = requested_spans(lines, length, max_ranges)
    if spans is None:
        return Answer(head, None, length)
    if not spans:
        return Answer(_error(head, 416, (b"Content-Range", unsatisfied_range(length))), (), 0)
    fields = head.fields.without(_DIGESTS)
    if len(spans) == 1:
        ((start, stop),) = spans
        fields = fields.with_set(b"Content-Range", content_range((start, stop), length))
        return Answer(_replaced(head, 206, fields), spans, stop - start)
    preambles, closing, total = multipart(spans, length, fields.get(b"content-type"), boundary)
    # A multipart 206 must not have Content-Range in its head (RFC 9110 s15.3.7.2).
    fields = fields.without((b"content-range",)).with_set(
        b"Content-Type", b"multipart/byteranges; boundary=" + boundary
    )
    return Answer(_replaced(head, 206, fields), spans, total, preambles, closing)


def not_modified(head: ResponseHead) -> ResponseHead:
    """The 304 that stands for a response with this head (RFC 9110 s15.4.5)."""
    return _replaced(head, 304, head.fields.without(_ABOUT_CONTENT))


def with_age(head: ResponseHead, age: float) -> ResponseHead:
    """The head with Age in whole seconds (RFC 9111 s5.1); a stored head has none."""
    return ResponseHead(
        head.status, head.reason, head.fields.with_added((b"Age", b"%d" % int(age))), head.minor
    )


def _replaced(head: ResponseHead, status: int, fields: Fields) -> ResponseHead:
    return ResponseHead(status, b"", fields, head.minor)


def _error(head: ResponseHead, status: int, *lines: Line) -> ResponseHead:
    kept = [
        line
        for line in head.fields
        if (name := line[0].lower()) in _KEPT_IN_ERRORS or name.startswith(_KEPT_IN_ERRORS_PREFIX)
    ]
    return ResponseHead(status, b"", Fields([*kept, _NO_STORE, *lines]), head.minor)
