"""What becomes of an answer: stored, freshening what is stored, replaced by it, or passed on. PURE.

Owns: the second decision, `decide_fill` (RFC 9111 s3, s4.3.3, s4.3.4, RFC 5861 s4), and its small sister for HEAD
(s4.3.5). They stand in a file of their own for size; import them from `edge.semantics.decide`.

Rule: one 304 can make three values of a stored response. The *answer* has the updated head and serves this request. It
is also what is kept, unless this 304 forbids to keep it: then what is kept is the old one *retired*, which is never
used again without a validation.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.semantics.decisions import FillFor, Freshen, Relay, RetryUnconditional, ServeStaleInstead, Store
from edge.semantics.directives import response_directives
from edge.semantics.freshness import compute_freshness
from edge.semantics.key import matches, nominate
from edge.semantics.message import RequestHead, ResponseHead, UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import SetCookieRule, SiteRules
from edge.semantics.selectors import selectors_for
from edge.semantics.stored import StoredResponse
from edge.semantics.storing import kept_out_by_directives, may_store, stored_head
from edge.semantics.syntax import format_http_date
from edge.semantics.validation import freshened_head, head_updates, identified, parse_validators
from edge.values import replace, value

STALE_IF_ERROR_STATUSES = frozenset((500, 502, 503, 504))
"""RFC 5861 s4."""

_SUPERSEDED_BY = frozenset(
    (
        Because.NO_STORE,
        Because.PRIVATE,
        Because.SET_COOKIE,
        Because.NO_FRESHNESS,
        Because.VARY_STAR,
        Because.MUST_UNDERSTAND,
        Because.TOO_LARGE,
    )
)
"""Reasons that lie in the response and not in who asked."""


@value(frozen=True, slots=True)
class _Exchange:
    """A request, its answer, and when."""

    request: RequestHead
    response: ResponseHead
    request_time: UnixSeconds
    response_time: UnixSeconds
    rules: SiteRules
    content_length: int | None
    fence: int | None = None
    """What content of this answer is known to be clean up to; None = it says nothing of content."""


def stale_usable(stored: StoredResponse, now: UnixSeconds) -> bool:
    """True when `stored` may stand for an error or for no answer: fresh, or within stale-if-error (RFC 5861 s4).

    Never when it is a failure itself: then the new one is as good, and true.
    """
    freshness = stored.freshness
    return (
        stored.head.status < 500
        and not freshness.no_cache
        and freshness.age(now) < freshness.lifetime + freshness.stale_if_error
    )


def decide_fill(
    request: RequestHead,
    response: ResponseHead,
    *,
    validating: Sequence[StoredResponse],
    variants_held: int,
    request_time: UnixSeconds,
    response_time: UnixSeconds,
    rules: SiteRules,
    key: bytes,
    body_id: bytes,
    fallback: StoredResponse | None = None,
    content_length: int | None = None,
    fence: int = 0,
) -> FillFor:
    """What becomes of `response`, the next tier's answer to `request`.

    validating: what the request was made conditional on. variants_held: stored responses of this key that do not match
    the request. request_time, response_time: when the request was sent and the head received. key: the primary key, a
    POST's too. body_id: the name of the body to come. fallback: as `Forward` gave it. content_length: of the response,
    None = not known. fence: the purge position that the answer is clean up to: that of when the request was sent.
    """
    exchange = _Exchange(request, response, request_time, response_time, rules, content_length, fence)
    if response.status == 304:
        return _on_not_modified(exchange, validating)
    if (
        response.status in STALE_IF_ERROR_STATUSES
        and fallback is not None
        and stale_usable(fallback, response_time)
    ):
        return ServeStaleInstead(fallback)
    judged = _judged(exchange, key, body_id)
    if isinstance(judged, Because):
        return Relay(judged, _superseded(exchange, judged, validating))
    if variants_held >= rules.vary.max_variants and not any(
        held.nominated == judged.nominated for held in (*validating, fallback) if held is not None
    ):
        return Relay(Because.TOO_MANY_VARIANTS)
    return Store(judged)


def _judged(exchange: _Exchange, key: bytes, body_id: bytes) -> StoredResponse | Because:
    """What is to be stored of a full response, without its body; or why nothing is."""
    request, response, rules = exchange.request, exchange.response, exchange.rules
    now = exchange.response_time
    directives = response_directives(response.fields)
    freshness = compute_freshness(
        request,
        response,
        directives,
        request_time=exchange.request_time,
        response_time=now,
        rules=rules,
        key=key,
    )
    head = stored_head(response, directives, rules, now)
    validators = parse_validators(head, now)
    because = may_store(request, response, directives, freshness, validators, rules, exchange.content_length)
    if because is not Because.STORED:
        return because
    nominated = nominate(response.fields.all(b"vary"), request, rules.vary, rules.key)
    if nominated is None:
        return Because.VARY_STAR
    return StoredResponse(
        key=key,
        nominated=nominated,
        head=head,
        freshness=freshness,
        validators=validators,
        body_length=0,
        body_id=body_id,
        request_authorized=b"authorization" in request.fields,
        fence=exchange.fence or 0,
        selectors=selectors_for(rules.name, request.authority, request.target, response.fields),
    )


def _superseded(
    exchange: _Exchange, because: Because, validating: Sequence[StoredResponse]
) -> tuple[StoredResponse, ...]:
    """Of what was to be validated, what this full answer replaces without being storable itself (RFC 9111 s4.3.3).

    Not by an answer that says more about who asked than about the resource (401, 403, 429), nor by a failure.
    """
    status = exchange.response.status
    if because not in _SUPERSEDED_BY or not (200 <= status < 400 or status in {404, 410}):
        return ()
    return tuple(stored for stored in validating if _is_for(stored, exchange))


def _is_for(stored: StoredResponse, exchange: _Exchange) -> bool:
    language = stored.head.fields.get(b"content-language")
    return matches(stored.nominated, exchange.request, exchange.rules.vary, language)


def _on_not_modified(exchange: _Exchange, validating: Sequence[StoredResponse]) -> FillFor:
    """RFC 9111 s4.3.3 and s4.3.4."""
    if not validating:
        fields = exchange.request.fields
        if b"if-none-match" in fields or b"if-modified-since" in fields:
            return Relay(Because.UNASKED_NOT_MODIFIED)  # the client's own question
        return RetryUnconditional()
    updates = [(old, *_updated(old, exchange)) for old in identified(validating, exchange.response)]
    if not updates:
        return RetryUnconditional()
    selected = max(updates, key=lambda update: (_is_for(update[0], exchange), update[0].validators.date_at))
    return Freshen(tuple((old, kept) for old, _, kept in updates), selected[1])


def decide_head_update(
    request: RequestHead,
    response: ResponseHead,
    candidates: Sequence[StoredResponse],
    rules: SiteRules,
    now: UnixSeconds,
    *,
    request_time: UnixSeconds | None = None,
    content_length: int | None = None,
) -> tuple[tuple[StoredResponse, StoredResponse | None], ...]:
    """What the answer to a forwarded HEAD does to what is stored for its key: (old, new), new None = drop it.

    RFC 9111 s4.3.5: a 200 with the same validators and length updates each stored response that could have answered;
    any other 200 makes it stale. now: when the head came. request_time: when the request was sent, None = not known.
    content_length: of the HEAD's answer, None when it has none (the wire takes the field out of the head).
    """
    sent = now if request_time is None else request_time
    exchange = _Exchange(request, response, sent, now, rules, content_length)
    if request.method != b"HEAD" or response.status != 200:
        return ()
    against = kept_out_by_directives(request, response, response_directives(response.fields))
    if against in {Because.AUTHORIZATION, Because.REQUEST_NO_STORE}:
        return ()  # about who asked
    changes: list[tuple[StoredResponse, StoredResponse | None]] = []
    for old in candidates:
        if not _is_for(old, exchange):
            continue
        if against is not None:
            changes.append((old, None))
        elif head_updates(old, response, content_length):
            changes.append((old, _updated(old, exchange)[1]))
        else:
            changes.append((old, _retired(old)))
    return tuple(changes)


def _updated(old: StoredResponse, exchange: _Exchange) -> tuple[StoredResponse, StoredResponse]:
    """(answer, kept): `old` with the fields of a 304 or HEAD, and what of it stays in the store. RFC 9111 s3.2."""
    request, response, rules = exchange.request, exchange.response, exchange.rules
    now = exchange.response_time
    if rules.store.set_cookie is not SetCookieRule.STORE:
        response = replace(response, fields=response.fields.without((b"set-cookie",)))
    head = freshened_head(old.head, response)
    if b"date" not in response.fields:
        # the stored Date would make it as old as it was (RFC 9110 s6.6.1)
        head = replace(head, fields=head.fields.with_set(b"Date", format_http_date(now)))
    directives = response_directives(head.fields)
    ages = [(b"Age", value) for value in response.fields.all(b"age")]
    freshness = compute_freshness(
        request,
        replace(head, fields=head.fields.with_added(*ages)),
        directives,
        request_time=exchange.request_time,
        response_time=now,
        rules=rules,
        key=old.key,
    )
    kept_head = stored_head(head, directives, rules, now)
    nominated = _renominated(old, head, exchange)
    answer = replace(
        old,
        nominated=old.nominated if nominated is None else nominated,
        head=kept_head,
        freshness=freshness,
        validators=parse_validators(kept_head, now),
        request_authorized=old.request_authorized or b"authorization" in request.fields,
        fence=old.fence if exchange.fence is None else exchange.fence,
        selectors=selectors_for(rules.name, request.authority, request.target, head.fields),
    )
    if nominated is None or kept_out_by_directives(request, head, directives) is not None:
        return answer, _retired(old)
    return answer, answer


def _renominated(
    old: StoredResponse, head: ResponseHead, exchange: _Exchange
) -> tuple[tuple[bytes, bytes | None], ...] | None:
    """The nominated fields under the updated head; None when nobody can say what they were."""
    vary = head.fields.all(b"vary")
    if vary == old.head.fields.all(b"vary"):
        return old.nominated
    if not _is_for(old, exchange):
        return None
    return nominate(vary, exchange.request, exchange.rules.vary, exchange.rules.key)


def _retired(old: StoredResponse) -> StoredResponse:
    """`old`, never to be used again without a validation."""
    freshness = replace(
        old.freshness, lifetime=0.0, stale_while_revalidate=0.0, stale_if_error=0.0, no_cache=True
    )
    return replace(old, freshness=freshness)
