"""Stored responses and requests for tables: one line each."""

from __future__ import annotations

from edge.semantics.message import Authority, Fields, Line, RequestHead, ResponseHead, UnixSeconds
from edge.semantics.stored import Freshness, LifetimeSource, StoredResponse
from edge.semantics.validation import parse_validators

HERE = Authority(b"https", b"a.example", 443)
NOW = UnixSeconds(1_795_502_400.0)  # Tue, 24 Nov 2026 06:40:00 GMT
FRESH = Freshness(
    NOW, 0.0, 60.0, LifetimeSource.MAX_AGE, 0.0, 0.0, 86_400.0, must_revalidate=False, no_cache=False
)


def asking(*lines: Line, method: bytes = b"GET", target: bytes = b"/a/b?c") -> RequestHead:
    return RequestHead(method, HERE, target, Fields(lines))


def answered(*lines: Line, status: int = 200) -> ResponseHead:
    return ResponseHead(status, b"", Fields(lines))


def holding(*lines: Line, status: int = 200, length: int = 10) -> StoredResponse:
    head = answered(*lines, status=status)
    return StoredResponse(b"k" * 32, (), head, FRESH, parse_validators(head, NOW), length, b"body")
