"""Serving stale: where it is allowed, where it is forbidden, and for how long (RFC 5861, RFC 9111 s4.2.4).

Which side asks first inside stale-while-revalidate, and that it asks once, is shown in test_beyond_streams.py.
"""

from tests.conformance.rows import BODY, Row, Want, asked, headers, not_reused, reused
from tests.kit.origin import Canned

OLD = "100"
"""Age of everything below; lifetimes are 60, so it is 40 seconds stale."""

_FAILURES = (500, 502, 503, 504)


def _failing(status: int) -> Canned:
    return Canned(status, {}, b"the origin is unwell")


def _stale_if_error(directive: str) -> dict[str, str]:
    return headers(f"max-age=60, {directive}", Age=OLD)


def _passed_on(status: int = 503) -> Want:
    return Want(asks=None, status=status)


_INSTEAD = Want(asks=None, body=BODY, cache_status={"detail": "stale-if-error"})
"""The stored response, whatever the number of tries at the origin."""

ROWS = [
    Row("stale: outside stale-while-revalidate the origin is waited for", "5861 s3", [
        asked(headers("max-age=60, stale-while-revalidate=30", Age=OLD)), not_reused(),
    ]),
    Row("stale: must-revalidate forbids stale-while-revalidate", "9111 s5.2.2.2", [
        asked(headers("max-age=60, stale-while-revalidate=300, must-revalidate", Age=OLD)), not_reused(),
    ]),
    Row("stale: proxy-revalidate forbids stale-while-revalidate", "9111 s5.2.2.8", [
        asked(headers("max-age=60, stale-while-revalidate=300, proxy-revalidate", Age=OLD)), not_reused(),
    ]),
    Row("stale: no-cache forbids stale-while-revalidate", "9111 s4.2.4", [
        asked(headers("no-cache, stale-while-revalidate=300", Age=OLD)), not_reused(),
    ]),
    Row("stale: without a window the origin is asked", "9111 s4.2.4", [
        asked(headers("max-age=60", Age=OLD)), not_reused(),
    ]),
    *(Row(f"stale: within stale-if-error {status} is replaced", "5861 s4", [
        asked(_stale_if_error("stale-if-error=300")),
        asked(_failing(status), want=_INSTEAD),
    ]) for status in _FAILURES),
    Row("stale: outside stale-if-error the error is passed on", "5861 s4", [
        asked(_stale_if_error("stale-if-error=30")),
        asked(_failing(503), want=_passed_on()),
    ]),
    Row("stale: stale-if-error=0 switches the site's default off", "5861 s4", [
        asked(_stale_if_error("stale-if-error=0")),
        asked(_failing(503), want=_passed_on()),
    ]),
    Row("stale: by default an hour of stale-if-error", "5861 s4", [
        asked(headers("max-age=60", Age=OLD)),
        asked(_failing(503), want=_INSTEAD),
    ]),
    Row("stale: 404 is an answer and not an error", "5861 s4", [
        asked(_stale_if_error("stale-if-error=300")),
        asked(Canned(404, {}, b"gone"), want=Want(status=404, body=b"gone")),
    ]),
    *(Row(f"stale: {directive} forbids stale-if-error", "9111 s4.2.4", [
        asked(_stale_if_error(f"stale-if-error=300, {directive}")),
        asked(_failing(503), want=_passed_on()),
    ]) for directive in ("must-revalidate", "proxy-revalidate", "no-cache")),
    Row("stale: s-maxage forbids the default stale-if-error", "9111 s5.2.2.10", [
        asked(headers("s-maxage=60", Age=OLD)),
        asked(_failing(503), want=_passed_on()),
    ]),
    Row("stale: an error leaves the stored response where it is", "5861 s4", [
        asked(_stale_if_error("stale-if-error=300")),
        asked(_failing(503), want=_INSTEAD),
        asked(headers("max-age=60"), body=b"well again"),
        reused(body=b"well again"),
    ]),
    Row("stale: the request's max-stale may be served", "9111 s5.2.1.2", [
        asked(headers("max-age=60", Age=OLD)),
        reused(request={"Cache-Control": "max-stale=300"}),
    ]),
    Row("stale: more than max-stale is not served", "9111 s5.2.1.2", [
        asked(headers("max-age=60", Age=OLD)),
        not_reused(request={"Cache-Control": "max-stale=10"}),
    ]),
    Row("stale: must-revalidate forbids max-stale", "9111 s5.2.2.2", [
        asked(headers("max-age=60, must-revalidate", Age=OLD)),
        not_reused(request={"Cache-Control": "max-stale=300"}),
    ]),
]  # fmt: skip
