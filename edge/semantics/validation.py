"""Validation: asking whether a stored response is still right, and answering those who ask us. PURE.

Owns: validators and how they compare, the conditional request a cache makes, what a 304 or a HEAD updates, and the
preconditions of a client. RFC 9111 sections 3.2, 4.3; RFC 9110 sections 8.8, 13.

Rules: an entity tag is kept and sent back as it came, well formed or not. Comparison is tolerant only where it is
weak, that is where a wrong "the same" costs a 304 to a client that named the tag itself: `abc` and `"abc"` are then one
tag, `w/` is `W/`. Strong comparison takes well-formed tags only, since ranges are put together by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from edge.semantics.message import Fields, Line, RequestHead, ResponseHead, UnixSeconds
from edge.semantics.stored import StoredResponse, Validators
from edge.semantics.syntax import parse_http_date

MAX_TAGS_SENT = 32
"""Entity tags in one If-None-Match of ours: 32 usual ones are 1-2 KB, below what any origin takes."""

NOT_UPDATED = frozenset(
    (
        b"age",  # of the 304, not of what is stored: it goes into the arithmetic (RFC 9111 s4.2.3)
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"etag",
        b"transfer-encoding",
    )
)
"""Fields that describe the stored bytes or one message's framing; no 304 and no HEAD changes them (RFC 9111 s3.2)."""

ORIGIN_PRECONDITIONS = frozenset((b"if-match", b"if-unmodified-since"))
"""Preconditions that are not for a cache to evaluate (RFC 9111 s4.3.2)."""

CONDITIONALS = ORIGIN_PRECONDITIONS | {b"if-none-match", b"if-modified-since", b"if-range"}

_STRONG_TAG = re.compile(rb'"[!#-~\x80-\xff]*"')  # RFC 9110 s8.8.3; no W/ in front
# Members of a tag list. Unlike a quoted-string an opaque-tag knows no backslash, so a comma in quotes is all there is.
_TAGS = re.compile(rb'(?:[^",]++|"[^"]*+(?:"|\Z))++')


class Selection(Enum):
    """How a 304 names a stored response (RFC 9111 s4.3.4)."""

    STRONG = "strong"
    WEAK = "weak"
    NONE = "none"


class Precondition(Enum):
    """What a request's preconditions say of a stored response (RFC 9110 s13.2.2)."""

    PASS = "pass"
    NOT_MODIFIED = "not-modified"
    """304 instead of the content."""
    FAILED = "failed"
    """412, where we answer for the origin."""


# --- validators ------------------------------------------------------------------------------------------------------


def parse_validators(head: ResponseHead, response_time: UnixSeconds) -> Validators:
    """What `head` can be validated by. A validator that is sent twice names nothing and counts as absent."""
    fields = head.fields
    modified = fields.get(b"last-modified") if fields.count(b"last-modified") == 1 else None
    modified_at = None if modified is None else parse_http_date(modified, response_time)
    date = fields.get(b"date")
    date_at = None if date is None else parse_http_date(date, response_time)
    return Validators(
        etag=(fields.get(b"etag") or None) if fields.count(b"etag") == 1 else None,
        last_modified=None if modified_at is None else modified,
        last_modified_at=modified_at,
        date_at=response_time if date_at is None else date_at,
    )


def strongly_equal(one: bytes, other: bytes) -> bool:
    """Strong comparison of two entity tags (RFC 9110 s8.8.3.2)."""
    return one == other and _STRONG_TAG.fullmatch(one) is not None


def weakly_equal(one: bytes, other: bytes) -> bool:
    """Weak comparison of two entity tags, tolerant of missing quotes and a small w (RFC 9110 s8.8.3.2)."""
    return one == other or _opaque(one) == _opaque(other)


def _opaque(tag: bytes) -> bytes:
    bare = tag[2:] if tag[:2] in {b"W/", b"w/"} else tag
    return bare[1:-1] if len(bare) >= 2 and bare[:1] == b'"' == bare[-1:] else bare


def _is_strong_date(stored: StoredResponse) -> bool:
    """True when the stored Last-Modified is a strong validator: the Date is later (RFC 9110 s8.8.2.2).

    A Date is asked for, since the time at which we got the response is another clock's.
    """
    modified_at = stored.validators.last_modified_at
    if modified_at is None or b"date" not in stored.head.fields:
        return False
    return stored.validators.date_at >= modified_at + 1


# --- our own conditional requests ------------------------------------------------------------------------------------


def conditional_fields(stored: Sequence[StoredResponse]) -> tuple[Line, ...]:
    """The field lines that make a request validate these stored responses; () when none has a validator.

    RFC 9111 s4.3.1: all entity tags in one If-None-Match, If-Modified-Since only where a single response is validated.
    Of several, a tag that is not well formed is left out: its commas could not be told from the list's.
    """
    lines: list[Line] = []
    tags = [one.validators.etag for one in stored if one.validators.etag is not None]
    if len(stored) > 1:
        tags = [tag for tag in dict.fromkeys(tags) if _STRONG_TAG.fullmatch(tag.removeprefix(b"W/"))]
    if tags:
        lines.append((b"If-None-Match", b", ".join(tags[:MAX_TAGS_SENT])))
    if len(stored) == 1 and (modified := stored[0].validators.last_modified) is not None:
        lines.append((b"If-Modified-Since", modified))
    return tuple(lines)


def selects(stored: StoredResponse, response: ResponseHead) -> Selection:
    """How strongly the validators in `response`, a 304, name `stored`.

    Where both have an entity tag it alone decides: with two tags that differ, an equal Last-Modified only says that two
    encodings of one file were written together. NONE too when `response` has no validator; see `identified`.
    """
    ours, theirs = stored.validators.etag, response.fields.get(b"etag")
    if ours is not None and theirs is not None:
        if strongly_equal(ours, theirs):
            return Selection.STRONG
        return Selection.WEAK if weakly_equal(ours, theirs) else Selection.NONE
    modified = response.fields.get(b"last-modified")
    if modified is None or not _same_date(stored, modified):
        return Selection.NONE
    return Selection.STRONG if _is_strong_date(stored) else Selection.WEAK


def identified(validating: Sequence[StoredResponse], response: ResponseHead) -> tuple[StoredResponse, ...]:
    """The stored responses that a 304 updates, () when it names none (RFC 9111 s4.3.4). validating: those asked about.

    All that are named strongly, else the most recent of those named weakly. One step beyond the letter: where one
    response was asked about by its own entity tag, a 304 can speak of nothing else, whatever tag it carries (servers
    that compress on the fly send `"abc"` for `"abc-gzip"`). The same goes for a 304 without any validator, and for one
    with a tag where ours had none, unless its Last-Modified is another one.
    """
    strong = tuple(one for one in validating if selects(one, response) is Selection.STRONG)
    if strong:
        return strong
    weak = [one for one in validating if selects(one, response) is Selection.WEAK]
    if weak:
        return (max(weak, key=_date_at),)
    if len(validating) != 1:
        return ()
    (lone,) = validating
    modified = response.fields.get(b"last-modified")
    if lone.validators.etag is None and modified is not None and not _same_date(lone, modified):
        return ()
    return (lone,)


def _date_at(stored: StoredResponse) -> float:
    return stored.validators.date_at


def _same_date(stored: StoredResponse, modified: bytes) -> bool:
    if modified == stored.validators.last_modified:
        return True
    at = parse_http_date(modified, stored.freshness.response_time)
    return at is not None and at == stored.validators.last_modified_at


def freshened_head(stored_head: ResponseHead, response_head: ResponseHead) -> ResponseHead:
    """The stored head with every field of a 304 (or of a HEAD's 200) in place of its own (RFC 9111 s3.2).

    Status and reason stay, NOT_UPDATED fields stay. What the site and the response's directives keep out of the store
    (Set-Cookie, no-cache="field") is the storing code's to remove from the result.
    """
    new = [line for line in response_head.fields if line[0].lower() not in NOT_UPDATED]
    kept = stored_head.fields.without(name.lower() for name, _ in new)
    return ResponseHead(stored_head.status, stored_head.reason, kept.with_added(*new), stored_head.minor)


def head_updates(stored: StoredResponse, response: ResponseHead, content_length: int | None = None) -> bool:
    """True when the answer to a HEAD speaks of the bytes that are stored, so that it updates them (RFC 9111 s4.3.5).

    False: the stored response is to be considered stale. content_length: of the HEAD's answer, None when it has none
    (the wire takes the field out of the head). Only a 200 to HEAD for a stored 200 says anything.
    """
    etag = response.fields.get(b"etag")
    modified = response.fields.get(b"last-modified")
    return (
        response.status == stored.head.status == 200
        and (etag is None or etag == stored.validators.etag)
        and (modified is None or _same_date(stored, modified))
        and (content_length is None or content_length == stored.body_length)
    )


# --- a client's preconditions ----------------------------------------------------------------------------------------


def only_for_origin(request: RequestHead) -> bool:
    """True when the request has a precondition that only an origin evaluates (RFC 9111 s4.3.2): forward it as it is."""
    names = request.fields.names()
    return b"if-match" in names or b"if-unmodified-since" in names


def evaluate_preconditions(request: RequestHead, stored: StoredResponse) -> Precondition:
    """What the request's preconditions say of `stored`, in the order of RFC 9110 s13.2.2.

    PASS for a stored status other than 200 (s13.2.1) and for methods other than GET and HEAD, which nothing stored
    answers. FAILED comes of If-Match and If-Unmodified-Since alone, and RFC 9111 s4.3.2 leaves those to the origin: the
    verdict counts only where the origin has just answered this very request without them, else see `only_for_origin`.
    """
    fields = request.fields
    if stored.head.status != 200 or request.method not in {b"GET", b"HEAD"}:
        return Precondition.PASS
    if b"if-match" in fields:
        if not _if_match(fields, stored.validators.etag):
            return Precondition.FAILED
    elif b"if-unmodified-since" in fields and _modified_since(fields, b"if-unmodified-since", stored) is True:
        return Precondition.FAILED
    if b"if-none-match" in fields:
        return Precondition.PASS if _if_none_match(fields, stored) else Precondition.NOT_MODIFIED
    if b"if-modified-since" in fields and _if_modified_since(fields, stored) is False:
        return Precondition.NOT_MODIFIED
    return Precondition.PASS


def range_applies(request: RequestHead, stored: StoredResponse) -> bool:
    """False when If-Range says that Range is to be ignored (RFC 9110 s13.1.5); True without If-Range.

    A tag is compared strongly. A date must be a strong validator and exactly the stored Last-Modified.
    """
    condition = request.fields.combined(b"if-range")
    if condition is None:
        return True
    if b'"' in condition[:3]:
        return stored.validators.etag is not None and strongly_equal(condition, stored.validators.etag)
    return _is_strong_date(stored) and _same_date(stored, condition)


def _tags(fields: Fields, name: bytes) -> list[bytes]:
    return [tag for line in fields.all(name) for part in _TAGS.findall(line) if (tag := part.strip(b" \t"))]


def _if_match(fields: Fields, etag: bytes | None) -> bool:
    if fields.combined(b"if-match") == b"*":
        return True
    return etag is not None and any(strongly_equal(tag, etag) for tag in _tags(fields, b"if-match"))


def _if_none_match(fields: Fields, stored: StoredResponse) -> bool:
    """True when nothing in the list is the stored response: the content is wanted."""
    if fields.combined(b"if-none-match") == b"*":
        return False
    etag = stored.validators.etag
    return etag is None or not any(weakly_equal(tag, etag) for tag in _tags(fields, b"if-none-match"))


def _if_modified_since(fields: Fields, stored: StoredResponse) -> bool | None:
    """RFC 9111 s4.3.2: without Last-Modified the stored Date counts, without Date the time of receipt."""
    if stored.validators.last_modified_at is not None:
        return _modified_since(fields, b"if-modified-since", stored)
    at = _single_date(fields, b"if-modified-since", stored)
    return None if at is None else stored.validators.date_at > at


def _modified_since(fields: Fields, name: bytes, stored: StoredResponse) -> bool | None:
    """True when the stored response was modified after the date in `name`; None when that cannot be said."""
    at = _single_date(fields, name, stored)
    modified_at = stored.validators.last_modified_at
    return None if at is None or modified_at is None else modified_at > at


def _single_date(fields: Fields, name: bytes, stored: StoredResponse) -> float | None:
    if fields.count(name) != 1:
        return None
    value = fields.get(name)
    assert value is not None, name
    return parse_http_date(value, stored.freshness.response_time)
