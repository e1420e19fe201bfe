"""The two decisions a cache has: may something stored answer this request, and what becomes of an answer. PURE.

Owns: `decide_reuse` (RFC 9111 s4), `decide_fill` (s3, s4.3.3, s4.3.4, RFC 5861), `decide_head_update` (s4.3.5) and
`stale_usable`. Rules: everything that can be known when a response arrives is known by then, so that reuse compares a
few numbers and reads a request's directives only where it has some. What a hard purge names is not among the candidates,
what a soft one names is stale by its numbers: the caller saw to that (edge.vouching).

Of several stored responses that match, the one with the newest Date is selected (s4). The answers, in order:

    nothing matches                                     forward, validating every entity tag held for this URI (s4.3.1)
    request no-store, no-cache, max-age, min-fresh      forward, unless the site does not hear such wishes
    doubted: nobody vouches that no purge names it      forward, validating it, unless the site wants it served
    fresh                                               serve
    stale, within the request's max-stale               serve
    stale, within stale-while-revalidate                serve, and validate it in the background
    else                                                forward, validating it; it stays the fallback for an error

and where the request says only-if-cached, 504 stands for each "forward" (s5.2.1.7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.semantics.decisions import Doubt, Forward, Refuse, Reuse, Serve, ServeStale
from edge.semantics.directives import NO_WISHES, RequestDirectives, request_directives
from edge.semantics.freshening import decide_fill, decide_head_update, stale_usable
from edge.semantics.key import has_unkeyed_cookie, matches
from edge.semantics.message import RequestHead, UnixSeconds
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.rules import CookieRule, SiteRules, VaryRules
from edge.semantics.stored import Freshness, StoredResponse
from edge.semantics.validation import MAX_TAGS_SENT

__all__ = ["decide_fill", "decide_head_update", "decide_reuse", "select", "stale_usable"]

_METHOD = Forward(Forwarded.METHOD, Because.METHOD_NOT_CACHED, collapse=False)


def decide_reuse(
    request: RequestHead,
    candidates: Sequence[StoredResponse],
    rules: SiteRules,
    now: UnixSeconds,
    doubt_of: Callable[[StoredResponse], Doubt | None] | None = None,
) -> Reuse:
    """What answers `request`. candidates: all that is stored for its key and not purged, in any order.

    doubt_of: what stands against trusting one of them, None = nothing, or nothing against any.
    """
    if request.method not in (b"GET", b"HEAD"):
        return _METHOD
    fields = request.fields
    names = fields.names()
    wishes = NO_WISHES
    if b"cache-control" in names or b"pragma" in names:
        wishes = request_directives(fields)
    if rules.store.cookie is CookieRule.BYPASS and has_unkeyed_cookie(fields, rules.key):
        return _forwarded(Forward(Forwarded.BYPASS, Because.COOKIE, collapse=False), request, wishes, rules)
    stored = select(request, candidates, rules.vary)
    if stored is None:
        return _forwarded(_miss(candidates), request, wishes, rules)
    freshness = stored.freshness
    age = freshness.age(now)
    doubt = None if doubt_of is None else doubt_of(stored)
    if wishes is NO_WISHES and age < freshness.lifetime and not freshness.no_cache and doubt is None:
        return Serve(stored, age, Because.FRESH)
    return _weighed(request, stored, age, wishes, rules, now, doubt)


def select(
    request: RequestHead, candidates: Sequence[StoredResponse], rules: VaryRules
) -> StoredResponse | None:
    """The newest of the candidates whose nominated fields match; None when none does. RFC 9111 s4, s4.1."""
    best: StoredResponse | None = None
    for stored in candidates:
        if (
            stored.nominated
            and not matches(stored.nominated, request, rules, stored.head.fields.get(b"content-language"))
        ) or (best is not None and date_of(stored) < date_of(best)):
            continue
        best = stored
    return best


def date_of(stored: StoredResponse) -> tuple[float, float]:
    """What decides which of two matching responses is newer: Date, and for equal ones when it came: Date has whole seconds."""
    return stored.validators.date_at, stored.freshness.response_time


def _weighed(
    request: RequestHead,
    stored: StoredResponse,
    age: float,
    wishes: RequestDirectives,
    rules: SiteRules,
    now: UnixSeconds,
    doubt: Doubt | None,
) -> Reuse:
    """The selected response is not simply fresh, or it is doubted, or the request has wishes."""
    freshness = stored.freshness
    is_fresh = age < freshness.lifetime
    hears = rules.request.honour_no_cache
    fwd = Forwarded.REQUEST if is_fresh else Forwarded.STALE
    objection = Because.RESPONSE_NO_CACHE if freshness.no_cache else None
    if objection is not None:
        fwd = Forwarded.STALE  # it may not be used as it is: nearest to what RFC 9211 s2.2 calls stale
    elif hears:
        objection = _objection(freshness, age, wishes)
    if objection is None and doubt is not None and not doubt.is_served:
        fwd, objection = Forwarded.STALE, doubt.because
    if objection is None:
        if is_fresh:
            return Serve(stored, age, Because.FRESH if doubt is None else doubt.because)
        if _accepts_stale(freshness, age, wishes):
            return Serve(stored, age, Because.MAX_STALE)
        if age < freshness.lifetime + freshness.stale_while_revalidate:
            return ServeStale(stored, age, Because.STALE_WHILE_REVALIDATE)
        objection = Because.MAX_LIFE if age >= freshness.max_life else Because.EXPIRED
    forward = Forward(
        fwd,
        objection,
        validating=(stored,) if stored.validators.usable else (),
        fallback=stored if stale_usable(stored, now) and (doubt is None or doubt.may_stand_in) else None,
    )
    return _forwarded(forward, request, wishes, rules)


def _objection(freshness: Freshness, age: float, wishes: RequestDirectives) -> Because | None:
    """What the request has against this response, None for nothing. RFC 9111 s5.2.1."""
    if wishes.no_store:
        return Because.REQUEST_NO_STORE
    if wishes.no_cache:
        return Because.REQUEST_NO_CACHE
    left = freshness.lifetime - age
    if wishes.min_fresh is not None and left < wishes.min_fresh:
        return Because.REQUEST_MIN_FRESH
    if wishes.max_age is None or (freshness.immutable and left > 0.0):
        return None
    # max-age=0 is a reload, also within the second in which the response came
    if age > wishes.max_age or wishes.max_age == 0:
        return Because.REQUEST_MAX_AGE
    if left <= 0.0 and wishes.max_stale is None:
        return Because.EXPIRED  # s5.2.1.1: who says max-age and not max-stale wants no stale response
    return None


def _accepts_stale(freshness: Freshness, age: float, wishes: RequestDirectives) -> bool:
    return (
        wishes.max_stale is not None
        and not freshness.must_revalidate
        and age - freshness.lifetime <= wishes.max_stale
        and age < freshness.max_life
    )


def _miss(candidates: Sequence[StoredResponse]) -> Forward:
    """Nothing matches. A 304 may still say that one of the other variants is right (RFC 9111 s4.3.1)."""
    if not candidates:
        return Forward(Forwarded.URI_MISS, Because.NOTHING_STORED)
    tagged = [stored for stored in candidates if stored.validators.etag is not None]
    tagged.sort(key=date_of, reverse=True)
    return Forward(Forwarded.VARY_MISS, Because.NO_VARIANT, validating=tuple(tagged[:MAX_TAGS_SENT]))


def _forwarded(forward: Forward, request: RequestHead, wishes: RequestDirectives, rules: SiteRules) -> Reuse:
    """`forward`, in the form that the request's wishes leave it."""
    if wishes.only_if_cached and rules.request.only_if_cached:
        return Refuse(504, Because.ONLY_IF_CACHED)
    # A HEAD brings no body for others. Nothing may be stored of the answer to no-store, not even by a 304. Who wants it
    # validated is not served by what was asked for before (unless the site does not hear that).
    is_own = request.method == b"HEAD" or wishes.no_store
    if rules.request.honour_no_cache:
        is_own = is_own or wishes.no_cache or wishes.max_age == 0
    if not is_own:
        return forward
    return Forward(
        forward.fwd,
        forward.because,
        validating=() if wishes.no_store else forward.validating,
        collapse=False,
        fallback=forward.fallback,
    )
