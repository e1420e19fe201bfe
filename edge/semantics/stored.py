"""A stored response: what a cache keeps and all it needs to decide on reuse. PURE.

Owns: `StoredResponse` and the small values in it. Everything that can be known at store time is computed at store time
(lifetime, initial age, stale windows, validators), so that a hit is arithmetic on a few floats. RFC 9111 s3, s4.2.
"""

from __future__ import annotations

from enum import Enum

from edge.semantics.message import Authority, ResponseHead, UnixSeconds
from edge.values import value


class LifetimeSource(Enum):
    """Where a freshness lifetime came from, in the order of precedence."""

    __hash__ = object.__hash__  # a member is one object; an Enum's own is a call into Python

    PERIGEE_CDN_CACHE_CONTROL = "perigee-cdn-cache-control"
    CDN_CACHE_CONTROL = "cdn-cache-control"
    SURROGATE_CONTROL = "surrogate-control"
    S_MAXAGE = "s-maxage"
    MAX_AGE = "max-age"
    EXPIRES = "expires"
    STATUS_TTL = "site-status-ttl"
    DEFAULT_TTL = "site-default-ttl"
    HEURISTIC = "heuristic"
    NONE = "none"


Nominated = tuple[tuple[bytes, bytes | None], ...]
"""The Vary of a stored response resolved against its request: (lower-case field name, normalised value or None when the
request had no such field), sorted by name; () when the response has no Vary. RFC 9111 s4.1."""


@value(frozen=True, slots=True)
class Freshness:
    """The arithmetic of one stored response; all seconds. Age now = initial_age + (now - response_time)."""

    response_time: UnixSeconds
    initial_age: float
    """corrected_initial_age, RFC 9111 s4.2.3: max(apparent_age, age_value + response_delay)."""
    lifetime: float
    """Freshness lifetime after the site's clamps, >= 0."""
    source: LifetimeSource
    stale_while_revalidate: float
    """0 when must-revalidate / proxy-revalidate / s-maxage / no-cache forbid stale use."""
    stale_if_error: float
    max_life: float
    must_revalidate: bool
    """Never use it stale (must-revalidate, proxy-revalidate, s-maxage in a shared cache: RFC 9111 s4.2.4)."""
    no_cache: bool
    """Validate before every reuse (no-cache without fields, or a targeted field's no-cache)."""
    immutable: bool = False
    """While fresh, a request's max-age does not ask for a validation (RFC 8246 s2)."""

    def age(self, now: UnixSeconds) -> float:
        """current_age in seconds, RFC 9111 s4.2.3; never below 0."""
        age = self.initial_age + (now - self.response_time)
        return age if age > 0.0 else 0.0

    @property
    def fresh_until(self) -> float:
        """Unix seconds at which it becomes stale."""
        return self.response_time - self.initial_age + self.lifetime


@value(frozen=True, slots=True)
class Validators:
    """What a stored response can be validated by, RFC 9110 s8.8."""

    etag: bytes | None = None
    """Raw, with W/ and quotes as sent, even when not well formed."""
    last_modified: bytes | None = None
    """The field's bytes, to be sent back unchanged; None when absent or not a date."""
    last_modified_at: float | None = None
    """The same as unix seconds, None when absent or unparseable."""
    date_at: float = 0.0
    """Date as unix seconds; the response time when the origin sent none."""

    @property
    def usable(self) -> bool:
        """True when a conditional request can be made."""
        return self.etag is not None or self.last_modified is not None


@value(frozen=True, slots=True)
class Selectors:
    """What names one stored response, beside its key. path: of the canonical target, without the query."""

    site: str
    authority: Authority
    path: bytes
    tags: tuple[bytes, ...] = ()
    """Each once, of every field that carries tags, cache groups too."""
    groups: tuple[bytes, ...] = ()


NOWHERE = Selectors("", Authority(b"http", b"", 80), b"")
"""Of a response that no purge but that of everything names."""


@value(frozen=True, slots=True, eq=False)
class StoredResponse:
    """One stored response (one variant of one key). Compared by identity.

    head: as stored - hop-by-hop fields, fields named by Connection, no-cache="field" / private="field" members and Age
    removed. body_length: bytes of the whole body (0 for HEAD-only or bodiless statuses). body_id: a name of the body,
    new for each fill, kept by freshening. fence: the purge position that its content is known to be clean up to
    (edge.semantics.purge_table).
    """

    key: bytes
    nominated: Nominated
    head: ResponseHead
    freshness: Freshness
    validators: Validators
    body_length: int
    body_id: bytes
    request_authorized: bool = False
    fence: int = 0
    selectors: Selectors = NOWHERE
    """What purges can name it by, as edge.semantics.selectors builds it."""
