"""A stored response's head as bytes, for the disk, and its cost in memory. PURE.

Owns: `encode`, `decode`, `resident_bytes`. Rules: versioned, length-prefixed, no pickle and no evaluation of
anything; what cannot be decoded to the last byte is `ValueError` (a record of another version is dropped, not
guessed at). The digest around it is the disk tier's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from math import isnan
from typing import Final

from edge.semantics.message import Authority, Fields, ResponseHead, UnixSeconds
from edge.semantics.stored import Freshness, LifetimeSource, Nominated, Selectors, StoredResponse, Validators

VERSION: Final = 3
_FIXED = struct.Struct("<BHBdddddddBQQ")
_SIZE = struct.Struct("<I")
_TIME = struct.Struct("<d")
_SOURCES: Final = tuple(LifetimeSource)
_SOURCE_NUMBERS: Final = {source: number for number, source in enumerate(_SOURCES)}
_FLAG_BITS: Final = 4
_ABSENT: Final = 0xFFFFFFFF
_NOTHING: Final = _SIZE.pack(_ABSENT)
_PORT = re.compile(rb"[1-9][0-9]{0,4}")

LINE_BYTES: Final = 130
"""What a field line costs beyond its bytes and the index: three bytes objects and the pair, rounded up as allocated."""
PART_BYTES: Final = 44
"""What a bytes object and its place in a tuple cost beyond its bytes."""
SELECTORS_BYTES: Final = 190
"""What `Selectors` costs beyond its path and tags; site and authority are shared by all of a host."""
RESPONSE_BYTES: Final = 830
"""What a StoredResponse costs beyond its lines, parts and index: its objects and floats."""


def encode(stored: StoredResponse) -> bytes:
    """All of a stored response but its body."""
    fresh, validators = stored.freshness, stored.validators
    flags = (
        fresh.must_revalidate | fresh.no_cache << 1 | stored.request_authorized << 2 | fresh.immutable << 3
    )
    fixed = _FIXED.pack(
        VERSION,
        stored.head.status,
        stored.head.minor,
        fresh.response_time,
        fresh.initial_age,
        fresh.lifetime,
        fresh.stale_while_revalidate,
        fresh.stale_if_error,
        fresh.max_life,
        validators.date_at,
        _SOURCE_NUMBERS[fresh.source] << _FLAG_BITS | flags,
        stored.body_length,
        stored.fence,
    )
    parts = [fixed]
    modified_at, head, named = validators.last_modified_at, stored.head, stored.selectors
    _put(parts, stored.key)
    _put(parts, stored.body_id)
    _put(parts, head.reason)
    _put(parts, validators.etag)
    _put(parts, validators.last_modified)
    _put(parts, None if modified_at is None else _TIME.pack(modified_at))
    _put_list(parts, [part for pair in stored.nominated for part in pair])
    lines = head.fields.lines
    parts.append(_size(2 * len(lines)))
    for name, value in lines:
        if len(name) < len(_SIZES) > len(value):
            parts += (_SIZES[len(name)], name, _SIZES[len(value)], value)
        else:
            parts += (_size(len(name)), name, _size(len(value)), value)
    parts.append(_site_and_authority_parts(named.site, named.authority))
    _put(parts, named.path)
    _put_list(parts, named.tags)
    _put_list(parts, named.groups)
    return b"".join(parts)


_SIZES: Final = tuple(map(_SIZE.pack, range(1024)))
"""Most lengths as they are written: a look-up is a quarter of the packing."""


def _size(size: int) -> bytes:
    return _SIZES[size] if size < len(_SIZES) else _SIZE.pack(size)


def _put(parts: list[bytes], value: bytes | None) -> None:
    if value is None:
        parts.append(_NOTHING)
    else:
        parts += (_size(len(value)), value)


def _put_list(parts: list[bytes], values: Sequence[bytes | None]) -> None:
    parts.append(_size(len(values)))
    for value in values:
        _put(parts, value)


@lru_cache(maxsize=1024)
def _site_and_authority_parts(site: str, authority: Authority) -> bytes:
    """The same for all responses of a host."""
    parts: list[bytes] = []
    for value in (site.encode(), authority.scheme, authority.host, b"%d" % authority.port):
        _put(parts, value)
    return b"".join(parts)


def _take(data: bytes, at: int, count: int) -> tuple[list[bytes | None], int]:
    """`count` values from `at`, and where they end. ValueError, struct.error when they do not."""
    values: list[bytes | None] = []
    unpack = _SIZE.unpack_from
    for _ in range(count):
        (size,) = unpack(data, at)
        at += 4
        if size == _ABSENT:
            values.append(None)
            continue
        values.append(data[at : at + size])
        at += size
    if at > len(data):
        raise ValueError("the record ends early")
    return values, at


def _take_list(data: bytes, at: int) -> tuple[list[bytes | None], int]:
    """As many as are said to be there."""
    (count,) = _SIZE.unpack_from(data, at)
    if count > len(data):
        raise ValueError("the record's list is longer than the record")
    return _take(data, at + 4, count)


def decode(data: bytes) -> StoredResponse:
    """What `encode` made. Raises ValueError for anything else."""
    if len(data) < _FIXED.size or data[0] != VERSION:
        raise ValueError("not a record of this version")
    try:
        single, at = _take(data, _FIXED.size, 6)
        nominated, at = _take_list(data, at)
        lines, at = _take_list(data, at)
        named, at = _take(data, at, 5)
        tags, at = _take_list(data, at)
        groups, at = _take_list(data, at)
    except struct.error as error:
        raise ValueError("the record ends early") from error
    if at != len(data):
        raise ValueError("the record goes on behind its end")
    if None in lines or None in named or None in tags or None in groups or None in single[:3]:
        raise ValueError("a part of the record is missing")
    _, status, minor, *times, date_at, marks, body_length, fence = _FIXED.unpack_from(data)
    if not (100 <= status <= 999 and minor in (0, 1)):
        raise ValueError("not the status line of a response")
    key, body_id, reason, etag, last_modified, modified_at = single
    site, authority = _site_and_authority(*named[:4])
    return StoredResponse(
        key=key,  # type: ignore[arg-type]
        nominated=_nominated(nominated),
        head=ResponseHead(status, reason, Fields(_pairs(lines)), minor),  # type: ignore[arg-type]
        freshness=_freshness(times, marks),
        validators=Validators(etag, last_modified, _time(modified_at), _number(date_at)),
        body_length=body_length,
        body_id=body_id,  # type: ignore[arg-type]
        request_authorized=bool(marks & 4),
        fence=fence,
        selectors=Selectors(site, authority, named[4], tuple(tags), tuple(groups)),  # type: ignore[arg-type]
    )


@lru_cache(maxsize=1024)
def _site_and_authority(site: bytes, scheme: bytes, host: bytes, port: bytes) -> tuple[str, Authority]:
    """One object for all responses of a host: 250 bytes less for each, and less to make."""
    if _PORT.fullmatch(port) is None:
        raise ValueError("not a port")
    return site.decode(), Authority(scheme, host, int(port))


def _freshness(times: list[float], marks: int) -> Freshness:
    """times: as packed, response_time to max_life. marks: source and flags."""
    if marks >> _FLAG_BITS >= len(_SOURCES):
        raise ValueError("unknown source of freshness")
    if any(map(isnan, times)):
        raise ValueError("not a number of seconds")
    response_time, initial_age, lifetime, while_revalidate, if_error, max_life = times
    return Freshness(
        response_time=UnixSeconds(response_time),
        initial_age=initial_age,
        lifetime=lifetime,
        source=_SOURCES[marks >> _FLAG_BITS],
        stale_while_revalidate=while_revalidate,
        stale_if_error=if_error,
        max_life=max_life,
        must_revalidate=bool(marks & 1),
        no_cache=bool(marks & 2),
        immutable=bool(marks & 8),
    )


def _number(value: float) -> float:
    # Compared with NaN nothing is stale: such a response would be served for ever.
    if isnan(value):
        raise ValueError("not a number of seconds")
    return value


def _time(packed: bytes | None) -> float | None:
    if packed is None:
        return None
    if len(packed) != _TIME.size:
        raise ValueError("not a time")
    return _number(_TIME.unpack(packed)[0])


def _pairs(values: list[bytes | None]) -> list[tuple[bytes, bytes]]:
    if len(values) % 2:
        raise ValueError("a field without its value")
    each = iter(values)
    return list(zip(each, each, strict=True))  # type: ignore[arg-type]  # none is missing: `decode` looked


def _nominated(values: list[bytes | None]) -> Nominated:
    if len(values) % 2:
        raise ValueError("a nominated field without its value")
    if None in values[::2]:
        raise ValueError("a part of the record is missing")
    return tuple(zip(values[::2], values[1::2], strict=True))  # type: ignore[arg-type]


def resident_bytes(stored: StoredResponse) -> int:
    """What a StoredResponse occupies in memory without its body; tests hold it to the truth."""
    lines, named, validators = stored.head.fields.lines, stored.selectors, stored.validators
    size = RESPONSE_BYTES + SELECTORS_BYTES + len(stored.key) + len(stored.body_id) + len(named.path)
    size += LINE_BYTES * len(lines) + index_bytes(len(lines))
    # Plain loops: this is reckoned for each response that is stored.
    for name, value in lines:
        size += 2 * len(name) + len(value)
    for name, nominated in stored.nominated:
        size += len(name) + len(nominated or b"") + 3 * PART_BYTES
    for names in (named.tags, named.groups):
        for tag in names:
            size += len(tag) + PART_BYTES
    return size + len(validators.etag or b"") + len(validators.last_modified or b"")


@lru_cache(maxsize=512)
def index_bytes(lines: int) -> int:
    """What the table of a dictionary of so many names occupies: powers of two, two thirds full."""
    if not lines:
        return 0
    slots = 8
    while slots * 2 // 3 < lines:
        slots *= 2
    return slots + 24 * (slots * 2 // 3)
