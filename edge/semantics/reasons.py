"""The closed list of reasons. PURE.

Owns: one word for each decision. Rule: the enum's value is the word everywhere - `Cache-Status` detail, access log,
metric label, `perigee explain`. Adding one here adds it to the generated reference (docs/reference/reasons.md).
"""

from __future__ import annotations

from enum import Enum


class Forwarded(Enum):
    """RFC 9211 s2.2 `fwd` tokens."""

    __hash__ = object.__hash__  # a member is one object; an Enum's own is a call into Python

    BYPASS = "bypass"
    METHOD = "method"
    URI_MISS = "uri-miss"
    VARY_MISS = "vary-miss"
    MISS = "miss"
    REQUEST = "request"
    STALE = "stale"
    PARTIAL = "partial"


class Because(Enum):
    """Why a response was (or was not) reused or stored; a sentence each in `SENTENCE`."""

    __hash__ = object.__hash__

    # reuse
    FRESH = "fresh"
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"
    STALE_IF_ERROR = "stale-if-error"
    MAX_STALE = "max-stale"
    NOTHING_STORED = "nothing-stored"
    NO_VARIANT = "no-variant"
    VARY_STAR = "vary-star"
    EXPIRED = "expired"
    RESPONSE_NO_CACHE = "response-no-cache"
    REQUEST_NO_CACHE = "request-no-cache"
    REQUEST_MAX_AGE = "request-max-age"
    REQUEST_MIN_FRESH = "request-min-fresh"
    REQUEST_NO_STORE = "request-no-store"
    ONLY_IF_CACHED = "only-if-cached"
    PURGED = "purged"
    SOFT_PURGED = "soft-purged"
    PURGE_UNKNOWN = "purge-unknown"
    PURGE_LOG_LOST = "purge-log-lost"
    MAX_LIFE = "max-life"
    METHOD_NOT_CACHED = "method"
    UNCACHEABLE_REMEMBERED = "uncacheable-remembered"
    COOKIE = "cookie"
    UPGRADE = "upgrade"
    PRECONDITION = "precondition"
    STORE_CORRUPT = "store-corrupt"
    # storing
    STORED = "stored"
    FRESHENED = "freshened"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZATION = "authorization"
    NO_FRESHNESS = "no-freshness"
    SET_COOKIE = "set-cookie"
    MUST_UNDERSTAND = "must-understand"
    STATUS_NOT_FINAL = "status-not-cacheable"
    PARTIAL_CONTENT = "partial-content"
    UNASKED_NOT_MODIFIED = "unasked-not-modified"
    TOO_LARGE = "too-large"
    TOO_MANY_VARIANTS = "too-many-variants"
    CLOSE_DELIMITED = "close-delimited"
    INVALIDATED_MEANWHILE = "invalidated-meanwhile"
    ORIGIN_ERROR = "origin-error"
    INCOMPLETE = "incomplete"
    STORE_FULL = "store-full"
    FORWARDED_TO_OWNER = "large-at-owner"
    LOOP = "loop"
    GATEWAY = "gateway"
    REDIRECTED = "redirected"
    ORIGIN_QUEUE_FULL = "origin-queue-full"
    ORIGIN_QUEUE_OVERDUE = "origin-queue-overdue"
    ORIGIN_RESTS = "origin-rests"


SENTENCE: dict[Because, str] = {
    Because.FRESH: "a stored response is fresh and matches the request",
    Because.STALE_WHILE_REVALIDATE: "a stored response is stale, but within stale-while-revalidate",
    Because.STALE_IF_ERROR: "the origin failed and a stored response is within stale-if-error",
    Because.MAX_STALE: "the request accepts a stale response (max-stale)",
    Because.NOTHING_STORED: "nothing is stored for this URI",
    Because.NO_VARIANT: "responses are stored for this URI, but none for these request fields (Vary)",
    Because.VARY_STAR: "a response with Vary: * never matches a later request",
    Because.EXPIRED: "the stored response is stale and has to be validated",
    Because.RESPONSE_NO_CACHE: "the stored response says no-cache: validate before each use",
    Because.REQUEST_NO_CACHE: "the request says no-cache",
    Because.REQUEST_MAX_AGE: "the stored response is older than the request's max-age",
    Because.REQUEST_MIN_FRESH: "the stored response will not stay fresh for the request's min-fresh",
    Because.REQUEST_NO_STORE: "the request says no-store",
    Because.ONLY_IF_CACHED: "the request says only-if-cached and nothing usable is stored",
    Because.PURGED: "a purge names what is stored",
    Because.SOFT_PURGED: "a soft purge names the stored response, so it is stale",
    Because.PURGE_UNKNOWN: "it was stored before what this node knows of purges, so it has to be validated",
    Because.PURGE_LOG_LOST: "this node has not heard the purge log for longer than the site allows",
    Because.MAX_LIFE: "the stored response is older than the site's max_life",
    Because.METHOD_NOT_CACHED: "the method is never answered from cache",
    Because.UNCACHEABLE_REMEMBERED: "the last response for this URI could not be stored, so requests are not collapsed",
    Because.COOKIE: "the request carries a Cookie and the site bypasses the cache for it",
    Because.UPGRADE: "the request asks for another protocol",
    Because.PRECONDITION: "the request has a precondition that only the origin may judge (If-Match, If-Unmodified-Since)",
    Because.STORE_CORRUPT: "the stored body failed its check and was dropped",
    Because.STORED: "the response was stored",
    Because.FRESHENED: "a 304 freshened the stored response",
    Because.NO_STORE: "the response says no-store",
    Because.PRIVATE: "the response says private",
    Because.AUTHORIZATION: "the request had Authorization and the response does not allow a shared cache to store it",
    Because.NO_FRESHNESS: "the response has no explicit freshness, no validator and no heuristic applies",
    Because.SET_COOKIE: "the response sets a cookie and the site does not store those",
    Because.MUST_UNDERSTAND: "must-understand and the status is not one this cache knows",
    Because.STATUS_NOT_FINAL: "the status may not be stored",
    Because.PARTIAL_CONTENT: "a partial response is not stored",
    Because.UNASKED_NOT_MODIFIED: "a 304 came that no stored response asked for",
    Because.TOO_LARGE: "the body is larger than the site stores",
    Because.TOO_MANY_VARIANTS: "the URI has as many variants as the site allows",
    Because.CLOSE_DELIMITED: "the body has no length and ended with the connection",
    Because.INVALIDATED_MEANWHILE: "an unsafe request or a purge came while the response was on its way",
    Because.ORIGIN_ERROR: "the origin answered with an error",
    Because.INCOMPLETE: "the body ended before it was complete",
    Because.STORE_FULL: "the store refused the body",
    Because.FORWARDED_TO_OWNER: "the body is large and another worker of this node keeps it",
    Because.LOOP: "this edge stands in the request's CDN-Loop already",
    Because.GATEWAY: "no usable answer came from the origin",
    Because.REDIRECTED: "another POP or node is the one for this client, and it was sent there",
    Because.ORIGIN_QUEUE_FULL: "the origin is as busy as it may be, and too many requests wait for it",
    Because.ORIGIN_QUEUE_OVERDUE: "the origin is as busy as it may be, and the request waited for as long as it may",
    Because.ORIGIN_RESTS: "the origin failed so often that it is left alone for a while",
}
