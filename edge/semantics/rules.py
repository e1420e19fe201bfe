"""A site's policy as the pure code sees it. PURE.

Owns: `SiteRules` and its parts, frozen and complete: every value has a default, None means what its docstring says.
edge.settings builds them from TOML; nothing else does. Durations are seconds (float), sizes are bytes (int), header
names are lower-case bytes. Rules: no parsing, no file, no environment here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from edge.semantics.message import Line

SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class QueryRule(Enum):
    """What of the query string is in the cache key and visible to the origin."""

    ALL = "all"
    """The raw bytes as sent; the order matters."""
    SORTED = "sorted"
    """All parameters, sorted by name then by position."""
    ALLOW = "allow"
    """Only the named parameters, in the order sent."""
    DENY = "deny"
    """All but the named parameters."""
    NONE = "none"
    """No query at all."""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What makes two requests the same resource. What is not in the key is not visible to the origin."""

    query: QueryRule = QueryRule.ALL
    query_names: frozenset[bytes] = frozenset()
    """Parameter names for ALLOW and DENY, raw bytes."""
    headers: tuple[bytes, ...] = ()
    """Request fields that are part of the key (and pass to the origin even when untrusted by default)."""
    cookies: tuple[bytes, ...] = ()
    """Cookies that are part of the key. Cookies not named here make a request uncacheable per `CookieRule`."""


class CookieRule(Enum):
    """What a request's Cookie field does."""

    PASS = "pass"
    """RFC 9111 says nothing of Cookie: cacheable as the response says; never heuristically (default)."""
    BYPASS = "bypass"
    """A request with a Cookie that is not in the key goes to the origin and is not stored."""
    STRIP = "strip"
    """Cookies that are not in the key are removed before the origin sees the request."""


class SetCookieRule(Enum):
    """What a response's Set-Cookie does."""

    REFUSE = "refuse"
    """Not stored (default)."""
    STORE = "store"
    """Stored and replayed as RFC 9111 allows."""
    STRIP = "strip"
    """Removed from the stored copy and from what every client gets."""


class VaryNormal(Enum):
    """How a nominated request field is brought to a normal form before it is compared."""

    RAW = "raw"
    ENCODING = "encoding"
    LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class VaryRules:
    """Variants: how fields are compared and how many a key may have."""

    normalise: Mapping[bytes, VaryNormal] = field(
        default_factory=lambda: MappingProxyType(
            {b"accept-encoding": VaryNormal.ENCODING, b"accept-language": VaryNormal.LANGUAGE}
        )
    )
    encodings: tuple[bytes, ...] = (b"zstd", b"br", b"gzip", b"deflate")
    """Content codings that count in Accept-Encoding, all others are ignored in the comparison."""
    max_variants: int = 64
    """Stored responses a key may have; beyond it new ones are not stored."""


@dataclass(frozen=True, slots=True)
class FreshnessRules:
    """Lifetimes. They apply to shared-cache freshness, after what the origin said (RFC 9111 s4.2)."""

    default_ttl: float | None = None
    """Lifetime of a response with no explicit one, None = off (then heuristics, if on)."""
    min_ttl: float = 0.0
    """Explicit lifetimes are raised to this (never those of no-store, private, no-cache)."""
    max_ttl: float = DAY
    """Explicit and default lifetimes are cut to this."""
    status_ttl: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    """Lifetime by status where the origin gives none (negative caching: {404: 10.0})."""
    heuristic: bool = True
    """RFC 9111 s4.2.2, never for a request with Cookie or Authorization."""
    heuristic_fraction: float = 0.1
    heuristic_max: float = DAY
    ttl_jitter: float = 0.0
    """0-0.5: each stored lifetime is shortened by up to this share, by a hash of the key (deterministic)."""
    stale_while_revalidate: float = 0.0
    """Default where the origin gives none (RFC 5861 s3). 0 = none."""
    stale_while_revalidate_max: float = DAY
    stale_if_error: float = HOUR
    """Default where the origin gives none (RFC 5861 s4), for 500 502 503 504 and for no answer. 0 = none."""
    stale_if_error_max: float = DAY
    max_life: float = DAY
    """Hard bound: nothing stored is used, fresh or stale, unvalidated for longer than this."""


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What of a client's own wishes counts."""

    honour_no_cache: bool = True
    """False: a client's no-cache, no-store, max-age, min-fresh and Pragma do not keep it from a fresh stored response.

    Such wishes are advisory (RFC 9111 s5.2.1). A no-store still keeps the answer to it from being stored."""
    only_if_cached: bool = True


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """Edits applied in this order: remove, set, add. Names in `remove` are lower case."""

    remove: frozenset[bytes] = frozenset()
    set: tuple[Line, ...] = ()
    add: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """Field edits on each side."""

    to_origin: HeaderEdit = HeaderEdit()
    from_origin: HeaderEdit = HeaderEdit()
    """Applied before the storing decision."""
    to_client: HeaderEdit = HeaderEdit()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Towards the origin, seconds."""

    connect: float = 5 * SECOND
    first_byte: float = 30 * SECOND
    between_bytes: float = 15 * SECOND
    total: float = HOUR


@dataclass(frozen=True, slots=True)
class OriginAddress:
    """One origin server as written in the settings."""

    scheme: bytes
    """b"http" or b"https"."""
    host: bytes
    port: int
    path: bytes = b""
    """Prefix put before every target, no trailing slash."""


@dataclass(frozen=True, slots=True)
class OriginRules:
    """Where misses go."""

    origins: tuple[OriginAddress, ...] = ()
    """Tried in order; the next only for a safe request of which no byte was answered."""
    host_header: bytes | None = None
    """None: the client's Host passes on. Else this is sent as Host."""
    tls_verify: bool = True
    tls_ca_file: str | None = None
    tls_server_name: str | None = None
    """SNI and the name that is verified; None = the origin's host."""
    timeouts: Timeouts = Timeouts()
    max_connections: int = 512
    """Open connections to one origin address, per worker."""
    keep_alive: float = 30 * SECOND
    """How long an idle connection is kept."""
    retries: int = 1
    """Further tries of a safe request of which no byte was answered."""
    allow_private_names: bool = False
    """False: an address that a *name* resolves to must not be loopback, private or link-local unless the settings name it."""
    store_close_delimited: bool = False
    """True: a body that ends with a clean FIN and has no length may be stored."""


@dataclass(frozen=True, slots=True)
class StoreRules:
    """What may take space."""

    max_object: int = 5 * GIB
    """Body bytes; larger responses are relayed only."""
    set_cookie: SetCookieRule = SetCookieRule.REFUSE
    cookie: CookieRule = CookieRule.PASS
    remember_uncacheable: float = 30 * SECOND
    """How long a key is remembered as uncacheable, so that its requests are not collapsed."""


class OnLogLoss(Enum):
    """What a node does that can no longer know of purges."""

    REVALIDATE = "revalidate"
    """Ask the origin before anything stored is used; stale-if-error counts."""
    SERVE = "serve"
    """Go on as if nothing were."""
    REFUSE = "refuse"
    """As REVALIDATE, and nothing stored is used where the origin does not answer."""


@dataclass(frozen=True, slots=True)
class PurgeRules:
    """Consistency or availability, where the two cannot be had together."""

    on_log_loss: OnLogLoss = OnLogLoss.REVALIDATE
    log_loss_after: float = 15 * SECOND
    """How long the log may be silent before that."""


@dataclass(frozen=True, slots=True)
class SiteRules:
    """Everything the edge needs to know of one site."""

    name: str = "default"
    hostnames: tuple[bytes, ...] = ()
    """Lower case, `*.example.org` allowed; () = every host."""
    origin: OriginRules = OriginRules()
    key: KeyRules = KeyRules()
    vary: VaryRules = VaryRules()
    freshness: FreshnessRules = FreshnessRules()
    request: RequestRules = RequestRules()
    headers: HeaderRules = HeaderRules()
    store: StoreRules = StoreRules()
    purge: PurgeRules = PurgeRules()
    max_request_body: int = 10 * GIB
    """Bytes; beyond it 413."""
    collapse: bool = True
