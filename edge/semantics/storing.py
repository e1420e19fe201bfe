"""What may be stored, and what of it. PURE.

Owns: the conditions of RFC 9111 s3 for a shared cache, with the site's policy on cookies and size, and the head as it
is stored (s3.1). Rules: `may_store` gives the first reason against it, in the order in which a person would look; it
looks at the message only. Variants, purges and the body's end are for others to judge.
"""

from __future__ import annotations

from edge.semantics.directives import ResponseDirectives, request_directives
from edge.semantics.freshness import EXPLICIT_SOURCES, HEURISTIC_STATUSES
from edge.semantics.key import has_unkeyed_cookie
from edge.semantics.message import RequestHead, ResponseHead
from edge.semantics.reasons import Because
from edge.semantics.rules import CookieRule, SetCookieRule, SiteRules
from edge.semantics.stored import Freshness, LifetimeSource, Validators
from edge.semantics.syntax import format_http_date, list_of_lines

NEVER_STORED = frozenset(
    (
        412,  # the answer to this request's own preconditions
        416,  # the answer to this request's own Range
        428,  # RFC 6585 s3: MUST NOT be stored; so the next three
        429,
        431,
        511,
    )
)
"""Final statuses that are not stored whatever the response says."""

UNDERSTOOD = frozenset(
    (
        *(200, 203, 204),
        *(300, 301, 302, 303, 307, 308),
        *(400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 417, 421, 422, 426, 451),
        *(500, 501, 502, 503, 504, 505),
    )
)
"""Statuses whose caching we implement (must-understand, RFC 9111 s5.2.2.3): RFC 9110 s15 and RFC 7725."""

NOT_STORED_FIELDS = frozenset(
    (
        b"age",  # in the arithmetic already; a stored one would be sent beside ours
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9111 s3.1, RFC 9110 s7.6.1. What a Connection field names goes as well."""


def may_store(
    request: RequestHead,
    response: ResponseHead,
    directives: ResponseDirectives,
    freshness: Freshness,
    validators: Validators,
    rules: SiteRules,
    content_length: int | None = None,
) -> Because:
    """STORED, or the reason why this response is not to be stored. RFC 9111 s3.

    response: as received, before `stored_head`. freshness, validators: of this response to this request.
    content_length: bytes of the body to come, None = not known yet (the wire takes the field out of the head).
    """
    if content_length is not None and content_length > rules.store.max_object:
        return Because.TOO_LARGE
    return (
        _kept_out_by_message(request, response, freshness)
        or kept_out_by_directives(request, response, directives)
        or _kept_out_by_site(request, response, directives, rules)
        or (
            Because.STORED
            if _is_of_use(response, directives, freshness, validators)
            else Because.NO_FRESHNESS
        )
    )


def _kept_out_by_message(
    request: RequestHead, response: ResponseHead, freshness: Freshness
) -> Because | None:
    """Method and status."""
    if request.method != b"GET" and not (
        request.method == b"POST" and _answers_later_gets(request, response, freshness)
    ):
        return Because.METHOD_NOT_CACHED
    status = response.status
    if status == 206:
        return Because.PARTIAL_CONTENT
    if status == 304:
        return Because.UNASKED_NOT_MODIFIED
    if not 200 <= status < 600 or status in NEVER_STORED:
        return Because.STATUS_NOT_FINAL
    return None


def kept_out_by_directives(
    request: RequestHead, response: ResponseHead, directives: ResponseDirectives
) -> Because | None:
    """What either side's directives or Authorization say against storing (RFC 9111 s3, s3.5), None for nothing."""
    if request_directives(request.fields).no_store:
        return Because.REQUEST_NO_STORE
    if directives.must_understand:
        # no-store beside it is for those who do not understand the status (RFC 9111 s5.2.2.3)
        if response.status not in UNDERSTOOD:
            return Because.MUST_UNDERSTAND
    elif directives.no_store:
        return Because.NO_STORE
    if directives.private:
        return Because.PRIVATE
    allowed = directives.public or directives.must_revalidate or directives.s_maxage is not None
    if b"authorization" in request.fields and not allowed:
        return Because.AUTHORIZATION
    return None


def _kept_out_by_site(
    request: RequestHead, response: ResponseHead, directives: ResponseDirectives, rules: SiteRules
) -> Because | None:
    """The site's policy."""
    if rules.store.cookie is CookieRule.BYPASS and has_unkeyed_cookie(request.fields, rules.key):
        return Because.COOKIE
    if (
        rules.store.set_cookie is SetCookieRule.REFUSE
        and b"set-cookie" in response.fields
        and b"set-cookie" not in _fields_kept_out(directives)
    ):
        return Because.SET_COOKIE
    return None


def _is_of_use(
    response: ResponseHead, directives: ResponseDirectives, freshness: Freshness, validators: Validators
) -> bool:
    """True when RFC 9111 s3 lets a cache store it and it could answer something: fresh, validated, or stale.

    The site's own default for stale use is no reason to store what is never fresh and cannot be validated.
    """
    if (
        freshness.source is LifetimeSource.NONE
        and response.status not in HEURISTIC_STATUSES
        and not directives.public
    ):
        return False
    if validators.usable:
        return True
    if freshness.no_cache:
        return False
    if freshness.lifetime > 0.0:
        return True
    said_stale = directives.stale_while_revalidate or directives.stale_if_error
    return bool(said_stale) and freshness.stale_while_revalidate + freshness.stale_if_error > 0.0


def _answers_later_gets(request: RequestHead, response: ResponseHead, freshness: Freshness) -> bool:
    """A POST's answer is the target's representation: explicit freshness, Content-Location is the target.

    RFC 9110 s9.3.3. Only a 2xx: elsewhere Content-Location does not say that (s8.7).
    """
    fields = response.fields
    location = fields.get(b"content-location")
    return (
        200 <= response.status < 300
        and freshness.source in EXPLICIT_SOURCES
        and fields.count(b"content-location") == 1
        and location
        in {
            request.target,
            b"%b://%b%b" % (request.authority.scheme, request.authority.render(), request.target),
        }
    )


def stored_head(
    response: ResponseHead, directives: ResponseDirectives, rules: SiteRules, response_time: float
) -> ResponseHead:
    """The head as it is stored and replayed, RFC 9111 s3.1.

    Without hop-by-hop fields, Age, what no-cache="..." and private="..." name, and Set-Cookie where the site strips it.
    With a Date: the response time, where the origin sent none (RFC 9110 s6.6.1).
    """
    fields = response.fields
    gone = NOT_STORED_FIELDS
    if directives.no_cache_fields or directives.private_fields:
        gone = gone | _fields_kept_out(directives)
    if b"connection" in fields:
        gone = gone | {name.lower() for name in list_of_lines(fields.all(b"connection"))}
    if rules.store.set_cookie is SetCookieRule.STRIP:
        gone = gone | {b"set-cookie"}
    kept = fields if gone.isdisjoint(fields.names()) else fields.without(gone)
    if b"date" not in kept:
        kept = kept.with_added((b"Date", format_http_date(response_time)))
    if kept is fields:
        return response
    return ResponseHead(response.status, response.reason, kept, response.minor)


def _fields_kept_out(directives: ResponseDirectives) -> frozenset[bytes]:
    return directives.no_cache_fields | directives.private_fields
