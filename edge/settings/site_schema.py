"""The settings of a site. PURE.

Owns: every setting of a site file. Rules: edge.settings.schema; the defaults stand in edge.semantics.rules.
"""

from __future__ import annotations

from edge.semantics.rules import DAY, GIB, HOUR, KIB, CookieRule, SetCookieRule, SiteRules, VaryNormal
from edge.settings.address_kinds import FileName, HostHeader, HostNames, OriginUrl, ServerName
from edge.settings.composed import ListOf, MapOf, Or, SetOf
from edge.settings.field_kinds import (
    NEVER_IN_KEY,
    NEVER_TO_CLIENT,
    NEVER_TO_ORIGIN,
    FieldLines,
    FieldName,
    Query,
    Status,
    Token,
)
from edge.settings.kinds import Choice, Count, Duration, Flag, Name, Share, Size
from edge.settings.lead_schema import LEAD_TABLES, SITE_LEAD
from edge.settings.protection_schema import PROTECTION_ORDERS, PROTECTION_TABLES, SITE_PROTECTION
from edge.settings.purge_schema import SITE_PURGE
from edge.settings.schema import Order, Schema, Setting
from edge.settings.tls_schema import SITE_TLS, SITE_TLS_TABLES

YEAR = 365 * DAY

_TOP = (
    Setting(
        "name",
        Or("auto", None, Name(64)),
        "",
        'In logs, metrics and purges. "auto" is the name of the file without .toml, or the first host name of a '
        "[[site]].",
    ),
    Setting(
        "hostnames",
        HostNames(),
        "hostnames",
        'The hosts that are this site. "*.example.org" is every name below example.org, at any depth, and not example.org '
        'itself; an exact name wins over a wildcard, a longer wildcard over a shorter one, and ["*"] takes what is left. '
        "A host that no site names is answered 421.",
    ),
    Setting(
        "origins",
        ListOf(OriginUrl(), max_items=16, min_items=1),
        "origin.origins",
        "Where what is not stored is fetched. The next one is tried when no byte of an answer to a safe request came from "
        "the one before.",
    ),
    Setting(
        "collapse",
        Flag(),
        "collapse",
        "Whether simultaneous requests for the same thing wait for one fetch. False protects nothing; it is for origins "
        "whose answers must not be shared although they may be stored.",
    ),
    Setting(
        "remember_uncacheable",
        Duration(0, HOUR),
        "store.remember_uncacheable",
        "How long it is remembered that a response was not to be stored, so that requests for it do not wait for each "
        "other.",
    ),
)

_TTL = (
    Setting(
        "ttl.default",
        Or("off", None, Duration(0, YEAR)),
        "freshness.default_ttl",
        "Freshness lifetime of a response that has none of its own (no max-age, no Expires). Off: heuristic freshness, "
        "where that is on.",
    ),
    Setting(
        "ttl.min",
        Duration(0, YEAR),
        "freshness.min_ttl",
        "Shorter lifetimes that an origin gives are raised to this; what says no-store, private or no-cache is not.",
    ),
    Setting(
        "ttl.max",
        Duration(0, YEAR),
        "freshness.max_ttl",
        "Longer lifetimes that an origin gives are cut to this.",
    ),
    Setting(
        "ttl.by_status",
        MapOf(Status(), Duration(0, YEAR), 50),
        "freshness.status_ttl",
        "Lifetime by status code, of responses that have none of their own. It wins over ttl.negative and ttl.default.",
    ),
    Setting(
        "ttl.negative",
        Or("off", None, Duration(0, DAY)),
        "",
        "Short for ttl.by_status of 404, 405, 410, 414 and 501, the errors that a cache may store by itself "
        "(RFC 9110 s15.1).",
    ),
    Setting(
        "ttl.heuristic",
        Flag(),
        "freshness.heuristic",
        "Whether a response with Last-Modified and no lifetime is fresh for a part of its age (RFC 9111 s4.2.2); never "
        "where the request has Cookie or Authorization.",
    ),
    Setting(
        "ttl.heuristic_fraction",
        Share(1.0),
        "freshness.heuristic_fraction",
        "That part; RFC 9111 suggests 10%.",
    ),
    Setting(
        "ttl.heuristic_max", Duration(0, YEAR), "freshness.heuristic_max", "The longest heuristic lifetime."
    ),
    Setting(
        "ttl.jitter",
        Share(0.5),
        "freshness.ttl_jitter",
        "Each lifetime is shortened by up to this share, always the same for the same key, so that what was stored at once "
        "does not expire at once.",
    ),
)

_STALE = (
    Setting(
        "stale.while_revalidate",
        Duration(0, YEAR),
        "freshness.stale_while_revalidate",
        "How long after its lifetime a response is served while it is fetched anew in the background, where the origin "
        "does not say (RFC 5861 s3).",
    ),
    Setting(
        "stale.while_revalidate_max",
        Duration(0, YEAR),
        "freshness.stale_while_revalidate_max",
        "The most an origin may ask for.",
    ),
    Setting(
        "stale.if_error",
        Duration(0, YEAR),
        "freshness.stale_if_error",
        "How long after its lifetime a response is served when the origin answers 500, 502, 503 or 504 or not at all, "
        "where the origin does not say (RFC 5861 s4).",
    ),
    Setting(
        "stale.if_error_max",
        Duration(0, YEAR),
        "freshness.stale_if_error_max",
        "The most an origin may ask for.",
    ),
    Setting(
        "stale.max_life",
        Duration(1, YEAR),
        "freshness.max_life",
        "Nothing stored is used for longer than this, fresh or stale, without the origin having been asked: the bound of "
        "every mistake in a lifetime.",
    ),
)

_KEY = (
    Setting(
        "key.query",
        Query(),
        "key.query key.query_names",
        "What of the query string tells two resources apart. What does not is not sent to the origin either.",
    ),
    Setting(
        "key.headers",
        ListOf(FieldName(NEVER_IN_KEY), 16),
        "key.headers",
        "Request fields that tell two resources apart. They reach the origin even where such fields would be dropped.",
    ),
    Setting(
        "key.cookies",
        ListOf(Token("a cookie's name"), 16),
        "key.cookies",
        "Cookies that tell two resources apart.",
    ),
    Setting(
        "vary.normalise",
        MapOf(FieldName(NEVER_IN_KEY), Choice(tuple(VaryNormal)), 16),
        "vary.normalise",
        "How a field that Vary names is simplified before it is compared: encoding (the codings of vary.encodings that are "
        "accepted), language (in order of preference, lower case), raw (as sent). Fields not named here are raw.",
    ),
    Setting(
        "vary.encodings",
        ListOf(Token("a content coding", lower=True), 16),
        "vary.encodings",
        "Content codings that count in Accept-Encoding; fewer make fewer variants.",
    ),
    Setting(
        "vary.max_variants",
        Count(1, 10_000),
        "vary.max_variants",
        "Stored responses per resource; further ones are relayed and not stored, so that a Vary on a free text does not "
        "fill the store.",
    ),
    Setting(
        "cookies.request",
        Choice(tuple(CookieRule)),
        "store.cookie",
        "What a Cookie field in a request does: pass (nothing, as in RFC 9111), bypass (a request with cookies that are "
        "not in key.cookies is neither answered from the store nor stored), strip (those cookies are not sent on).",
    ),
    Setting(
        "cookies.set_cookie",
        Choice(tuple(SetCookieRule)),
        "store.set_cookie",
        "What Set-Cookie in a response does: refuse (it is not stored), store (as RFC 9111 allows: every client gets the "
        "same cookie), strip (the field is removed).",
    ),
    Setting(
        "request.honour_no_cache",
        Flag(),
        "request.honour_no_cache",
        "Whether a client's no-cache, max-age=0 or Pragma makes the edge ask the origin.",
    ),
    Setting(
        "request.only_if_cached",
        Flag(),
        "request.only_if_cached",
        "Whether only-if-cached is answered 504 where nothing is stored (RFC 9111 s5.2.1.7), or ignored.",
    ),
)


def _edits(side: str, about: str, names: FieldName) -> tuple[Setting, ...]:
    return (
        Setting(
            f"headers.{side}.remove",
            SetOf(ListOf(FieldName(names.never), 100)),
            f"headers.{side}.remove",
            f"{about}, fields that are removed. Edits are made in this order: remove, set, add.",
        ),
        Setting(
            f"headers.{side}.set",
            FieldLines(names),
            f"headers.{side}.set",
            f"{about}, fields that are written in place of those that were there.",
            secret=True,
        ),
        Setting(
            f"headers.{side}.add",
            FieldLines(names),
            f"headers.{side}.add",
            f"{about}, field lines that are written beside those that were there.",
            secret=True,
        ),
    )


_HEADERS = (
    *_edits("to_origin", "In requests to the origin", FieldName(NEVER_TO_ORIGIN, lower=False)),
    *_edits(
        "from_origin",
        "In responses of the origin, before it is decided whether to store them",
        FieldName(lower=False),
    ),
    *_edits("to_client", "In responses to the client", FieldName(NEVER_TO_CLIENT, lower=False)),
)

_ORIGIN = (
    Setting(
        "timeouts.connect", Duration(0.01, 300), "origin.timeouts.connect", "To open a connection, with TLS."
    ),
    Setting(
        "timeouts.first_byte",
        Duration(0.01, HOUR),
        "origin.timeouts.first_byte",
        "From the end of the request to the first byte of an answer; then 504, or something stale.",
    ),
    Setting(
        "timeouts.between_bytes",
        Duration(0.01, HOUR),
        "origin.timeouts.between_bytes",
        "Between two reads of a response; an origin that stalls longer is cut off.",
    ),
    Setting("timeouts.total", Duration(0.01, 7 * DAY), "origin.timeouts.total", "For a whole exchange."),
    Setting(
        "origin.host_header",
        Or("client", None, HostHeader()),
        "origin.host_header",
        'Host as the origin sees it; "client" passes on what the client sent.',
    ),
    Setting(
        "origin.tls_verify",
        Flag(),
        "origin.tls_verify",
        "Whether an https origin must show a valid certificate. False lets anybody on the way be the origin.",
    ),
    Setting(
        "origin.tls_ca_file",
        Or("system", None, FileName()),
        "origin.tls_ca_file",
        "Certificates that are trusted for it, as PEM.",
    ),
    Setting(
        "origin.tls_server_name",
        Or("origin", None, ServerName()),
        "origin.tls_server_name",
        'The name that is asked for and verified; "origin" is the host of the URL.',
    ),
    Setting(
        "origin.max_connections",
        Count(1, 65_535),
        "origin.max_connections",
        "Connections open to one origin address, per worker; further fetches wait.",
    ),
    Setting(
        "origin.keep_alive",
        Duration(0, HOUR),
        "origin.keep_alive",
        "How long an idle connection is kept. It should be less than what the origin keeps it.",
    ),
    Setting(
        "origin.retries",
        Count(0, 5),
        "origin.retries",
        "Further tries of a safe request of which no byte was answered. More than a few multiply the load of an origin "
        "that is in trouble already.",
    ),
    Setting(
        "origin.allow_private_names",
        Flag(),
        "origin.allow_private_names",
        "Whether a name may resolve to a loopback, private or link-local address. Addresses written in origins are always "
        "allowed.",
    ),
    Setting(
        "origin.store_close_delimited",
        Flag(),
        "origin.store_close_delimited",
        "Whether a body without a length, ended by the connection's clean end, may be stored. An origin that dies ends its "
        "bodies in the same way.",
    ),
    Setting(
        "limits.max_object",
        Size(0, 1024 * GIB),
        "store.max_object",
        "Body bytes of the largest response that is stored; larger ones are relayed.",
    ),
    Setting(
        "limits.max_request_body",
        Size(KIB, 1024 * GIB),
        "max_request_body",
        "Body bytes of the largest request; then 413.",
    ),
)

SITE: Schema[SiteRules] = Schema(
    SiteRules(),
    (*_TOP, *_TTL, *_STALE, *_KEY, *_HEADERS, *_ORIGIN, *SITE_PROTECTION, *SITE_PURGE, *SITE_LEAD, *SITE_TLS),
    tables={
        "": "What the site is and where it comes from.",
        "ttl": "How long responses are fresh.",
        "stale": "How long they may be used after that, and how long at all.",
        "key": "What tells two resources apart.",
        "vary": "What tells two responses for the same resource apart.",
        "cookies": "What cookies do.",
        "request": "What of a client's own wishes counts.",
        "headers": "",
        "headers.to_origin": "Edits of requests. Names are refused that frame a message or belong to one connection.",
        "headers.from_origin": "Edits of responses before anything is decided: this can make an origin cacheable.",
        "headers.to_client": "Edits of responses as clients see them.",
        "timeouts": "Towards the origin.",
        "origin": "How the origin is spoken to.",
        **PROTECTION_TABLES,
        "limits": "Sizes.",
        "purge": "What happens where purges cannot be heard of.",
        **LEAD_TABLES,
        **SITE_TLS_TABLES,
    },
    required={"hostnames": '["www.example.org"]', "origins": '["http://127.0.0.1:3000"]'},
    orders=(
        # From the outermost cap inwards, so that a default that gave way is what the next one is held against.
        Order("ttl.max", "stale.max_life"),
        Order("ttl.heuristic_max", "stale.max_life"),
        Order("ttl.default", "ttl.max"),
        Order("ttl.negative", "ttl.max"),
        Order("ttl.min", "ttl.max"),
        Order("stale.while_revalidate_max", "stale.max_life"),
        Order("stale.while_revalidate", "stale.while_revalidate_max"),
        Order("stale.if_error_max", "stale.max_life"),
        Order("stale.if_error", "stale.if_error_max"),
        Order("timeouts.connect", "timeouts.total"),
        Order("timeouts.first_byte", "timeouts.total"),
        Order("timeouts.between_bytes", "timeouts.total"),
        *PROTECTION_ORDERS,
    ),
)
