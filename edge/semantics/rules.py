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
from edge.semantics.redirect_rules import NO_REDIRECTS, RedirectRules
from edge.semantics.tls_rules import NO_TLS, TlsRules

SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


COUNTRY = b"x-geo-country"
"""The request field that has a client's country where that is part of the key."""


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
    countries: frozenset[str] | None = None
    """Clients' countries that are part of the key, all others being one; empty = each by itself. None = they are no part of
    it. `COUNTRY` is among `headers` otherwise, and is set by us."""


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
    is_ours: bool = False
    """True: what is asked is a worker or a node of ours, which adds to what an origin said."""


@dataclass(frozen=True, slots=True)
class StoreRules:
    """What may take space."""

    max_object: int = 5 * GIB
    """Body bytes; larger responses are relayed only."""
    set_cookie: SetCookieRule = SetCookieRule.REFUSE
    cookie: CookieRule = CookieRule.PASS
    remember_uncacheable: float = 30 * SECOND
    """How long a key is remembered as uncacheable, so that its requests are not collapsed."""


class Balance(Enum):
    """Which of several origins gets a request."""

    ORDER = "order"
    """The first that is in service (default)."""
    ROUND_ROBIN = "round-robin"
    LEAST = "least"
    """The one with the fewest requests under way, for its weight."""
    HASH = "hash"
    """Always the same one for the same target."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How many further tries there may be in all."""

    share: float = 0.2
    """Of the requests of the last ten seconds."""
    minimum: int = 10
    """In ten seconds, however few requests there are; per node."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When an origin that fails is left alone."""

    share: float | None = 0.8
    """Of the requests of `window` that failed. None = it never is."""
    requests: int = 20
    """Fewer in `window` prove nothing; per node."""
    window: float = 10 * SECOND
    rest: float = 5 * SECOND
    """How long it is left alone; twice as long each time that a probe fails, up to `rest_max`."""
    rest_max: float = MINUTE
    probes: int = 3
    """Requests that may try it after that, at a time; as many successes close the breaker."""


@dataclass(frozen=True, slots=True)
class EjectionRules:
    """When one of several origins is passed over."""

    failures: int | None = 5
    """In a row. None = nothing is ejected for that."""
    share: float | None = None
    """Of the requests of ten seconds, where there were enough of them. None = nothing is ejected for that."""
    time: float = 10 * SECOND
    """Of the first ejection; twice as long each time that it comes again soon, up to `time_max`."""
    time_max: float = 5 * MINUTE
    max_share: float = 0.5
    """Of a site's origins; those that were ejected last are asked nevertheless."""
    slow_start: float = 30 * SECOND
    """How long one that returns takes to get its full share."""


@dataclass(frozen=True, slots=True)
class CheckRules:
    """How origins are asked whether they work."""

    path: bytes | None = None
    """None = they are not."""
    host: bytes | None = None
    """None = origin.host_header, or else the site's first name."""
    interval: float = 5 * SECOND
    timeout: float = 2 * SECOND
    down_after: int = 3
    """Failures in a row."""
    up_after: int = 2


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """How much an origin is asked of at once, and what happens to one that fails."""

    max_in_flight: int = 1024
    """Requests under way to one origin address, per node; each worker has its share of it, at least one."""
    queue: int = 1024
    """Requests that wait for their turn, per node."""
    queue_deadline: float = 5 * SECOND
    weight: int = 100
    """Of this site, where several share an origin."""
    adaptive: bool = False
    """Whether fewer than `max_in_flight` are sent once the origin becomes slower."""
    failure_statuses: frozenset[int] = frozenset({500, 502, 503, 504})
    """Answers that count as failures of the origin."""
    balance: Balance = Balance.ORDER
    weights: Mapping[OriginAddress, int] = field(default_factory=lambda: MappingProxyType({}))
    """Of origins; 1 where nothing is said."""
    backups: tuple[OriginAddress, ...] = ()
    """Asked only when none of `origin.origins` is in service, in this order."""
    retry: RetryRules = RetryRules()
    breaker: BreakerRules = BreakerRules()
    ejection: EjectionRules = EjectionRules()
    check: CheckRules = CheckRules()


class ShieldFallback(Enum):
    """Who is asked when no shield of the region answers."""

    ORIGIN = "origin"
    """The shields of other regions, then the origin (default)."""
    SHIELDS = "shields"
    """The shields of other regions, and nobody else."""
    STALE = "stale"
    """Nobody: what is stale is used where that is allowed, or the request fails."""


@dataclass(frozen=True, slots=True)
class ShieldRules:
    """How misses are spread over shields."""

    fallback: ShieldFallback = ShieldFallback.ORIGIN
    load_factor: float = 1.25
    """A shield that has more than this times its share of the requests under way passes new ones on to the next."""


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
    protection: ProtectionRules = ProtectionRules()
    shield: ShieldRules = ShieldRules()
    redirect: RedirectRules = NO_REDIRECTS
    tls: TlsRules = NO_TLS
    max_request_body: int = 10 * GIB
    """Bytes; beyond it 413."""
    collapse: bool = True
