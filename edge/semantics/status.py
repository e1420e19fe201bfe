"""What we say of how we handled a request: Cache-Status and Proxy-Status. PURE. RFC 9211, RFC 9209, RFC 9651.

Owns: the rendering of both, each in one place. Rules: a member is in the canonical form of RFC 9651 s4.1 (no space after
a semicolon) and in one order of parameters; ours stands behind what came from behind us, on a line of its own; the
error types are the registered ones and no others. Reasons are tokens already (`Because`, `Forwarded`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import floor

from edge.errors import RECOMMENDED_STATUS
from edge.semantics.message import Fields
from edge.semantics.reasons import Because, Forwarded

CACHE_STATUS = b"Cache-Status"
PROXY_STATUS = b"Proxy-Status"

ERROR_TYPES = frozenset(name.encode() for name in RECOMMENDED_STATUS)
"""RFC 9209 s2.3."""

_TOKEN = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_NOT_IN_STRINGS = re.compile(rb"[^ -~]")
_INTEGER_BOUND = 10**15 - 1  # RFC 9651 s3.3.1

_BECAUSE = {because: because.value.encode() for because in Because}
_FORWARDED = {forwarded: forwarded.value.encode() for forwarded in Forwarded}
_HIT_BECAUSE = {because: b";detail=" + word for because, word in _BECAUSE.items()}


def cache_status_member(
    node: bytes,
    *,
    hit: bool = False,
    fwd: Forwarded | None = None,
    fwd_status: int | None = None,
    ttl: float | None = None,
    stored: bool = False,
    collapsed: bool = False,
    key: bytes | None = None,
    detail: Because | bytes | None = None,
) -> bytes:
    """Our member of Cache-Status (RFC 9211 s2).

    node: our name. hit and fwd exclude each other; both absent = an answer of our own. ttl: seconds, fractions cut off
    downwards, negative when stale. stored, collapsed: only beside fwd. key: any bytes that stand for the key; what a
    string cannot carry becomes `?`.
    """
    assert not (hit and fwd is not None), (node, fwd)
    member = identifier(node)
    if hit:
        member += b";hit"
    if fwd is not None:
        member += b";fwd=" + _FORWARDED[fwd]
        if fwd_status is not None:
            member += b";fwd-status=%d" % fwd_status
    if ttl is not None:
        member += b";ttl=%d" % _whole(ttl)
    if fwd is not None:
        if stored:
            member += b";stored"
        if collapsed:
            member += b";collapsed"
    if key is not None:
        member += b";key=" + _string(key)
    if detail is not None:
        member += b";detail=" + (_BECAUSE[detail] if isinstance(detail, Because) else identifier(detail))
    return member


def hit_member(node: bytes, ttl: float, because: Because = Because.FRESH) -> bytes:
    """The same as `cache_status_member` of a hit, for the path where it counts."""
    return b"%b;hit;ttl=%d%b" % (identifier(node), _whole(ttl), _HIT_BECAUSE[because])


def stored_member(
    node: bytes, fwd: Forwarded, fwd_status: int, ttl: float, because: Because, *, collapsed: bool
) -> bytes:
    """The same as `cache_status_member` of an answer that was stored, for the path where it counts."""
    return b"%b;fwd=%b;fwd-status=%d;ttl=%d;stored%b;detail=%b" % (
        identifier(node),
        _FORWARDED[fwd],
        fwd_status,
        _whole(ttl),
        b";collapsed" if collapsed else b"",
        _BECAUSE[because],
    )


def append_cache_status(fields: Fields, member: bytes) -> Fields:
    """The fields with our member behind those of the caches behind us."""
    return fields.with_added((CACHE_STATUS, member))


def proxy_status(
    node: bytes, error_type: bytes, detail: bytes | None = None, *, received_status: int | None = None
) -> bytes:
    """Our member of Proxy-Status (RFC 9209 s2). error_type: one of ERROR_TYPES. detail: for people, None = nothing."""
    assert error_type in ERROR_TYPES, error_type
    member = b"%b;error=%b" % (identifier(node), error_type)
    if received_status is not None:
        member += b";received-status=%d" % received_status
    if detail is not None:
        member += b";details=" + _string(detail)
    return member


@lru_cache(maxsize=256)
def identifier(name: bytes) -> bytes:
    """A token where the name is one, else a string (RFC 9211 s2, RFC 9651 s3.3.3, s3.3.4)."""
    return name if _TOKEN.fullmatch(name) else _string(name)


def _string(text: bytes) -> bytes:
    plain = _NOT_IN_STRINGS.sub(b"?", text)
    return b'"%b"' % plain.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _whole(seconds: float) -> int:
    return max(-_INTEGER_BOUND, min(floor(seconds), _INTEGER_BOUND))
