"""Cache-Status on every answer, with the right words (RFC 9211), and Proxy-Status on our own errors (RFC 9209)."""

from tests.conformance.rows import BODY, Row, Want, asked, headers, reused
from tests.kit.origin import Canned

_FRESH = headers("max-age=3600")

ROWS = [
    Row("cache-status: a miss", "9211 s2.2", [
        asked(_FRESH, want=Want(body=BODY, cache_status={"fwd": "uri-miss", "stored": True, "hit": None})),
    ]),
    Row("cache-status: a miss that is not stored", "9211 s2.4", [
        asked(headers("no-store"),
              want=Want(body=BODY, cache_status={"fwd": "uri-miss", "stored": None, "detail": "no-store"})),
    ]),
    Row("cache-status: a hit", "9211 s2.1", [
        asked(headers("max-age=3600", Age="100")),
        reused(want=Want(body=BODY, cache_status={"hit": True, "ttl": True, "fwd": None, "detail": "fresh"})),
    ]),
    Row("cache-status: a variant that is not there", "9211 s2.2", [
        asked(headers("max-age=3600", Vary="X-Kind"), request={"X-Kind": "1"}),
        asked(headers("max-age=3600", Vary="X-Kind"), request={"X-Kind": "2"},
              want=Want(body=BODY, cache_status={"fwd": "vary-miss", "stored": True})),
    ]),
    Row("cache-status: a stale response that is validated", "9211 s2.2", [
        asked(headers("max-age=60", Age="100", ETag='"a"')),
        asked(Canned(304, headers("max-age=3600", ETag='"a"')),
              want=Want(body=BODY, cache_status={"fwd": "stale", "fwd-status": "304", "hit": None})),
    ]),
    Row("cache-status: a stale response that is replaced", "9211 s2.2", [
        asked(headers("max-age=60", Age="100", ETag='"a"')),
        asked(_FRESH, want=Want(body=BODY, cache_status={"fwd": "stale", "stored": True})),
    ]),
    Row("cache-status: the request's no-cache", "9211 s2.2", [
        asked(_FRESH),
        asked(_FRESH, request={"Cache-Control": "no-cache"},
              want=Want(body=BODY, cache_status={"fwd": "request", "detail": True})),
    ]),
    Row("cache-status: a method that is not cached", "9211 s2.2", [
        asked(Canned(200, {}, b"done"), method="POST", want=Want(body=b"done", cache_status={"fwd": "method"})),
    ]),
    Row("cache-status: a 304 of ours is a hit", "9211 s2.1", [
        asked(headers("max-age=3600", ETag='"a"')),
        reused(request={"If-None-Match": '"a"'}, want=Want(status=304, cache_status={"hit": True})),
    ]),
    Row("cache-status: a part of ours is a hit", "9211 s2.1", [
        asked(_FRESH), reused(request={"Range": "bytes=0-1"}, want=Want(status=206, cache_status={"hit": True})),
    ]),
    Row("cache-status: a HEAD from a stored GET is a hit", "9211 s2.1", [
        asked(_FRESH), reused(method="HEAD", want=Want(cache_status={"hit": True})),
    ]),
    Row("cache-status: ours comes after the origin's", "9211 s2", [
        asked(headers("max-age=3600", Cache_Status='Origin; hit; detail="a"'),
              want=Want(body=BODY, cache_status={"fwd": "uri-miss", "stored": True})),
        reused(want=Want(body=BODY, cache_status={"hit": True})),
    ]),
    Row("cache-status: only-if-cached", "9211 s2", [
        reused(request={"Cache-Control": "only-if-cached"},
               want=Want(status=504, cache_status={"detail": "only-if-cached"})),
    ]),
    Row("cache-status: the origin's error passes with its status", "9211 s2.3", [
        asked(Canned(404, {}, b"no"), want=Want(status=404, body=b"no", cache_status={"fwd": "uri-miss"})),
    ]),
]  # fmt: skip
