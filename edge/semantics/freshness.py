"""How long a response is fresh, how old it is, and how long it may be used stale. PURE.

Owns: the arithmetic of RFC 9111 s4.2 and RFC 5861, done once, when a response arrives; a hit only compares numbers.

The lifetime comes from the first of these that says anything:

1. s-maxage, then max-age, of the field that governs (`edge.semantics.directives`);
2. Expires minus Date, where no targeted field governs; an Expires that is no date is 0 seconds (RFC 9111 s5.3);
3. the site's `status_ttl`, then its `default_ttl` (for the statuses that a heuristic is allowed for);
4. the heuristic of RFC 9111 s4.2.2, for a GET without credentials;
5. nothing: 0 seconds.

Then the site's bounds: `min_ttl` raises what the origin said (not where it said no-cache), `max_ttl` cuts everything,
jitter shortens it, and `max_life` cuts lifetime and stale windows so that their sum cannot exceed it.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

from edge.semantics.directives import ResponseDirectives
from edge.semantics.message import RequestHead, ResponseHead, UnixSeconds
from edge.semantics.rules import CookieRule, FreshnessRules, SiteRules
from edge.semantics.stored import Freshness, LifetimeSource
from edge.semantics.syntax import parse_age, parse_http_date

HEURISTIC_STATUSES = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
"""RFC 9110 s15.1, without 206, which is not stored here."""

EXPLICIT_SOURCES = frozenset(
    (
        LifetimeSource.PERIGEE_CDN_CACHE_CONTROL,
        LifetimeSource.CDN_CACHE_CONTROL,
        LifetimeSource.SURROGATE_CONTROL,
        LifetimeSource.S_MAXAGE,
        LifetimeSource.MAX_AGE,
        LifetimeSource.EXPIRES,
    )
)
"""Where the lifetime is the origin's own word."""


def compute_freshness(
    request: RequestHead,
    response: ResponseHead,
    directives: ResponseDirectives,
    *,
    request_time: UnixSeconds,
    response_time: UnixSeconds,
    rules: SiteRules,
    key: bytes = b"",
) -> Freshness:
    """The freshness of `response` to `request`. Lifetime 0 and source NONE when nothing says anything.

    response: as received, Age included. request_time, response_time: when the request was sent and the head received.
    key: the cache key; its hash chooses the jitter, so that the same resource always gets the same.
    """
    limits = rules.freshness
    date = date_of(response, response_time)
    lifetime, source = _lifetime(request, response, directives, date, rules, response_time)
    lifetime = _bounded(lifetime, source, directives, limits)
    if limits.ttl_jitter > 0.0:
        lifetime *= 1.0 - limits.ttl_jitter * (crc32(key) / 2**32)
    lifetime = min(lifetime, limits.max_life)
    age_value = parse_age(response.fields.all(b"age")) or 0
    # a clock that was set back between the two must not make the response younger
    response_delay = max(0.0, response_time - request_time)
    apparent_age = max(0.0, response_time - date)
    while_revalidate, if_error = _stale_windows(response.status, lifetime, source, directives, limits)
    return Freshness(
        response_time=response_time,
        initial_age=max(apparent_age, age_value + response_delay),
        lifetime=lifetime,
        source=source,
        stale_while_revalidate=while_revalidate,
        stale_if_error=if_error,
        max_life=limits.max_life,
        must_revalidate=directives.forbids_stale,
        no_cache=directives.no_cache,
        immutable=directives.immutable,
    )


def date_of(response: ResponseHead, response_time: UnixSeconds) -> float:
    """Date as unix seconds; the response time where there is no valid one (RFC 9110 s6.6.1)."""
    value = response.fields.get(b"date")
    date = None if value is None else parse_http_date(value, response_time)
    return response_time if date is None else date


def has_credentials(request: RequestHead, rules: SiteRules) -> bool:
    """True when the origin sees a Cookie or Authorization: no guess is made about the answer then."""
    fields = request.fields
    return b"authorization" in fields or (b"cookie" in fields and rules.store.cookie is not CookieRule.STRIP)


def _lifetime(
    request: RequestHead,
    response: ResponseHead,
    directives: ResponseDirectives,
    date: float,
    rules: SiteRules,
    now: UnixSeconds,
) -> tuple[float, LifetimeSource]:
    explicit = _explicit_lifetime(response, directives, date, now)
    if explicit is not None:
        return explicit
    if directives.pragma_no_cache:
        return 0.0, LifetimeSource.NONE
    limits = rules.freshness
    by_status = limits.status_ttl.get(response.status)
    if by_status is not None:
        return by_status, LifetimeSource.STATUS_TTL
    if limits.default_ttl is not None and response.status in HEURISTIC_STATUSES:
        return limits.default_ttl, LifetimeSource.DEFAULT_TTL
    return _heuristic_lifetime(request, response, directives, date, rules, now)


@lru_cache(maxsize=1024)
def _one_float(seconds: int) -> float:
    """One object for all responses of that lifetime: a float of its own costs each of them 32 bytes."""
    return float(seconds)


def _explicit_lifetime(
    response: ResponseHead, directives: ResponseDirectives, date: float, now: UnixSeconds
) -> tuple[float, LifetimeSource] | None:
    """RFC 9111 s4.2.1, None when the origin gives no lifetime."""
    seconds = directives.explicit_lifetime
    if directives.governed_by is not None:
        return None if seconds is None else (_one_float(seconds), directives.governed_by)
    if seconds is not None:
        by_s_maxage = directives.s_maxage is not None
        return _one_float(seconds), LifetimeSource.S_MAXAGE if by_s_maxage else LifetimeSource.MAX_AGE
    expires = response.fields.all(b"expires")
    if not expires:
        return None
    # Of two Expires that differ the earlier counts; one that is no date makes the response stale.
    dates = [parse_http_date(value, now) for value in expires]
    earliest = min((date if at is None else at) for at in dates)
    return max(0.0, earliest - date), LifetimeSource.EXPIRES


def _heuristic_lifetime(
    request: RequestHead,
    response: ResponseHead,
    directives: ResponseDirectives,
    date: float,
    rules: SiteRules,
    now: UnixSeconds,
) -> tuple[float, LifetimeSource]:
    """RFC 9111 s4.2.2: a share of the time since the last change, where the status or `public` allows a guess."""
    limits = rules.freshness
    if (
        not limits.heuristic
        or request.method not in (b"GET", b"HEAD")
        or not (response.status in HEURISTIC_STATUSES or directives.public)
        or has_credentials(request, rules)
    ):
        return 0.0, LifetimeSource.NONE
    value = response.fields.get(b"last-modified")
    modified = None if value is None else parse_http_date(value, now)
    if modified is None or modified >= date:
        return 0.0, LifetimeSource.NONE
    return min(limits.heuristic_fraction * (date - modified), limits.heuristic_max), LifetimeSource.HEURISTIC


def _bounded(
    lifetime: float, source: LifetimeSource, directives: ResponseDirectives, limits: FreshnessRules
) -> float:
    """The site's bounds. max_ttl cuts a guess too: whoever sets it means no longer than that."""
    if lifetime < limits.min_ttl and source in EXPLICIT_SOURCES and not directives.no_cache:
        lifetime = limits.min_ttl
    return min(lifetime, limits.max_ttl)


def _stale_windows(
    status: int,
    lifetime: float,
    source: LifetimeSource,
    directives: ResponseDirectives,
    limits: FreshnessRules,
) -> tuple[float, float]:
    """(stale-while-revalidate, stale-if-error) in seconds after the lifetime, RFC 5861.

    The site's defaults are for responses with a lifetime from somewhere. One of which nothing is known but a validator
    may be somebody's own page: it is never shown unvalidated to others. An old failure never stands for a new one.
    """
    if directives.forbids_stale:
        return 0.0, 0.0
    left = limits.max_life - lifetime
    by_site, by_site_if_error = 0.0, 0.0
    if source is not LifetimeSource.NONE:
        by_site, by_site_if_error = limits.stale_while_revalidate, limits.stale_if_error
    return (
        _window(directives.stale_while_revalidate, by_site, limits.stale_while_revalidate_max, left),
        0.0
        if status >= 500
        else _window(directives.stale_if_error, by_site_if_error, limits.stale_if_error_max, left),
    )


def _window(said: int | None, default: float, most: float, left: float) -> float:
    wanted = default if said is None else said
    return max(0.0, min(wanted, most, left)) if wanted else 0.0
