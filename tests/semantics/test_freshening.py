"""What becomes of an answer: stored, freshening, replaced by something stale, passed on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.semantics.decide import decide_fill, decide_head_update, stale_usable
from edge.semantics.decisions import Freshen, Relay, RetryUnconditional, ServeStaleInstead, Store
from edge.semantics.message import UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import GIB, SetCookieRule, SiteRules, StoreRules, VaryRules
from edge.semantics.stored import LifetimeSource, StoredResponse
from edge.semantics.syntax import format_http_date
from tests.kit.stored_responses import NOW, answered, asking, holding

CC, DATE = b"Cache-Control", b"Date"
A, B, WEAK_A = (b"ETag", b'"a"'), (b"ETag", b'"b"'), (b"ETag", b'W/"a"')
LATER = UnixSeconds(NOW + 100)
FRESH = (CC, b"max-age=60")


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def held(*lines, nominated=(), **freshness) -> StoredResponse:
    stored = holding((DATE, at(0)), *lines)
    return replace(stored, nominated=nominated, freshness=replace(stored.freshness, **freshness))


def filled(
    *lines,
    status=200,
    request=None,
    validating=(),
    fallback=None,
    variants_held=0,
    rules=SiteRules(),
    content_length=None,
):
    return decide_fill(
        request or asking(),
        answered(*lines, status=status),
        validating=validating,
        variants_held=variants_held,
        request_time=UnixSeconds(LATER - 2),
        response_time=LATER,
        rules=rules,
        key=b"q" * 32,
        body_id=b"new",
        fallback=fallback,
        content_length=content_length,
    )


def freshened(old, *lines, **how) -> tuple[Freshen, StoredResponse, StoredResponse]:
    """(the decision, what answers, what is kept) of a 304 for one validated response."""
    fill = filled(*lines, status=304, validating=(old,), **how)
    assert isinstance(fill, Freshen)
    ((was, kept),) = fill.freshened
    assert was is old
    return fill, fill.selected, kept


# --- full responses ---


def test_a_storable_response_is_stored_with_all_that_is_known_of_it():
    fill = filled(
        FRESH,
        A,
        (b"Age", b"5"),
        (b"Vary", b"X"),
        request=asking((b"X", b"1"), (b"Authorization", b"x")),
        rules=SiteRules(),
    )
    assert fill == Relay(Because.AUTHORIZATION)
    fill = filled(
        (CC, b"public, max-age=60"),
        A,
        (b"Age", b"5"),
        (b"Vary", b"X"),
        request=asking((b"X", b"1"), (b"Authorization", b"x")),
    )
    assert isinstance(fill, Store)
    stored = fill.stored
    assert (stored.key, stored.body_id, stored.body_length) == (b"q" * 32, b"new", 0)
    assert stored.nominated == ((b"x", b"1"),)
    assert b"age" not in stored.head.fields
    assert stored.head.fields.get(b"date") == format_http_date(LATER)
    assert (stored.freshness.initial_age, stored.freshness.lifetime) == (7.0, 60.0)
    assert stored.validators.etag == b'"a"'
    assert stored.validators.date_at == LATER
    assert stored.request_authorized
    assert fill.because is Because.STORED


def test_a_field_that_is_not_stored_is_no_validator():
    fill = filled((CC, b'max-age=60, no-cache="etag"'), A)
    assert isinstance(fill, Store)
    assert fill.stored.validators.etag is None


RELAYED = [
    ("no-store", {"lines": [(CC, b"no-store")]}, Because.NO_STORE),
    ("Vary: *", {"lines": [FRESH, (b"Vary", b"*")]}, Because.VARY_STAR),
    ("Vary: * after an empty line", {"lines": [FRESH, (b"Vary", b""), (b"Vary", b"Foo, *")]}, Because.VARY_STAR),
    ("Vary: * and private", {"lines": [(CC, b"private"), (b"Vary", b"*")]}, Because.PRIVATE),
    ("HEAD", {"lines": [FRESH], "request": asking(method=b"HEAD")}, Because.METHOD_NOT_CACHED),
    ("too large", {"lines": [FRESH], "content_length": 6 * GIB}, Because.TOO_LARGE),
    ("one variant too many", {"lines": [FRESH], "variants_held": 64}, Because.TOO_MANY_VARIANTS),
    ("by the site's number", {"lines": [FRESH], "variants_held": 2, "rules": SiteRules(vary=VaryRules(max_variants=2))}, Because.TOO_MANY_VARIANTS),
]  # fmt: skip


@pytest.mark.parametrize("name,how,because", RELAYED, ids=[row[0] for row in RELAYED])
def test_what_is_not_stored_is_relayed_with_the_reason(name, how, because):
    rest = {key: value for key, value in how.items() if key != "lines"}
    assert filled(*how["lines"], **rest) == Relay(because)


def test_a_variant_that_is_replaced_is_not_one_more():
    assert isinstance(filled(FRESH, variants_held=64, validating=(held(A),)), Store)
    assert isinstance(filled(FRESH, variants_held=64, fallback=held(A)), Store)
    other = held(A, nominated=((b"x", b"1"),))
    assert filled(FRESH, variants_held=64, validating=(other,), fallback=other) == Relay(
        Because.TOO_MANY_VARIANTS
    )


SUPERSEDED = [
    # name, status, response, request, is what was validated dropped
    ("private now", 200, [(CC, b"private")], asking(), True),
    ("gone, not storable", 410, [(CC, b"no-store")], asking(), True),
    ("moved, not storable", 302, [], asking(), True),
    ("sets a cookie now", 200, [FRESH, (b"Set-Cookie", b"a=b")], asking(), True),
    ("forbidden to this client", 403, [(CC, b"no-store")], asking(), False),
    ("too many requests", 429, [(CC, b"no-store")], asking(), False),
    ("an error", 500, [(CC, b"no-store")], asking(), False),
    ("an answer to credentials", 200, [FRESH], asking((b"Authorization", b"x")), False),
    ("an answer to no-store", 200, [FRESH], asking((CC, b"no-store")), False),
]  # fmt: skip


@pytest.mark.parametrize("name,status,lines,request_,dropped", SUPERSEDED, ids=[row[0] for row in SUPERSEDED])
def test_an_answer_drops_what_it_replaces_only_when_it_speaks_of_the_resource(
    name, status, lines, request_, dropped
):
    old = held(A)
    fill = filled(*lines, status=status, request=request_, validating=(old,))
    assert isinstance(fill, Relay)
    assert fill.forget == ((old,) if dropped else ())


def test_other_variants_are_not_dropped():
    other = held(A, nominated=((b"x", b"1"),))
    assert filled((CC, b"no-store"), validating=(other,)) == Relay(Because.NO_STORE)


# --- errors ---


@pytest.mark.parametrize(
    "status,replaced",
    [
        (500, True),
        (502, True),
        (503, True),
        (504, True),
        (501, False),
        (505, False),
        (404, False),
    ],
)
def test_a_failure_is_replaced_by_what_may_be_used_stale(status, replaced):
    fallback = held(stale_if_error=1000.0)
    fill = filled(status=status, fallback=fallback)
    assert fill == (ServeStaleInstead(fallback) if replaced else Relay(Because.NO_FRESHNESS))


def test_a_failure_is_passed_on_when_nothing_may_be_used_stale():
    assert filled(status=503, fallback=held(stale_if_error=1.0)) == Relay(Because.NO_FRESHNESS)
    assert filled(status=503) == Relay(Because.NO_FRESHNESS)


USABLE = [
    # name, freshness, seconds later, verdict
    ("fresh", {}, 59, True),
    ("fresh, must-revalidate", {"must_revalidate": True}, 59, True),
    ("fresh, no-cache", {"no_cache": True}, 1, False),
    ("stale", {}, 60, False),
    ("within the window", {"stale_if_error": 10.0}, 69, True),
    ("beyond the window", {"stale_if_error": 10.0}, 70, False),
]  # fmt: skip


@pytest.mark.parametrize("name,freshness,after,verdict", USABLE, ids=[row[0] for row in USABLE])
def test_a_stored_response_stands_for_an_error_within_its_window(name, freshness, after, verdict):
    assert stale_usable(held(**freshness), UnixSeconds(NOW + after)) is verdict


def test_a_stored_failure_does_not_stand_for_a_new_one():
    failure = holding(FRESH, status=503)
    assert not stale_usable(failure, NOW)
    assert filled(status=500, fallback=failure) == Relay(Because.NO_FRESHNESS)


# --- 304 ---


def test_a_304_renews_the_stored_response():
    old = held(FRESH, A, (b"X-Old", b"1"), (b"Content-Type", b"a/b"))
    _, answer, kept = freshened(
        old, A, (DATE, at(99)), (CC, b"max-age=500"), (b"Content-Type", b"c/d"), (b"Age", b"3")
    )
    assert answer is kept
    assert (kept.body_id, kept.key, kept.body_length) == (old.body_id, old.key, old.body_length)
    fields = kept.head.fields
    assert [fields.get(name) for name in (b"x-old", b"content-type", b"etag", b"age")] == [
        b"1",
        b"c/d",
        b'"a"',
        None,
    ]
    assert (kept.freshness.lifetime, kept.freshness.source) == (500.0, LifetimeSource.MAX_AGE)
    assert kept.freshness.response_time == LATER
    assert kept.freshness.initial_age == 5.0
    assert kept.validators.date_at == NOW + 99


def test_a_304_without_date_does_not_keep_the_old_one():
    _, answer, _ = freshened(held(FRESH, A), A)
    assert answer.head.fields.get(b"date") == format_http_date(LATER)
    assert answer.freshness.initial_age == 2.0


NAMED = [
    # name (suite id where there is one), RFC 9111 section, held, 304, positions of those it freshens; None = ask again
    ("strong tag", "4.3.4", [(A,), (B,)], (A,), [0]),
    ("the same strong tag twice", "4.3.4", [(A,), (A,), (B,)], (A,), [0, 1]),
    ("weak tag", "4.3.4", [(WEAK_A,), (B,)], (WEAK_A,), [0]),
    ("304-etag-update-response-ETag", "4.3.4", [(A,)], (B,), [0]),
    ("no validator, one was asked about", "4.3.3", [(A,)], (), [0]),
    ("another tag, several asked about", "4.3.4", [(A,), (B,)], ((b"ETag", b'"c"'),), None),
    ("no validator, several asked about", "4.3.4", [(A,), (B,)], (), None),
]  # fmt: skip


@pytest.mark.parametrize("name,section,holds,lines,positions", NAMED, ids=[row[0] for row in NAMED])
def test_a_304_freshens_what_its_validators_name(name, section, holds, lines, positions):
    validating = tuple(held(FRESH, *one) for one in holds)
    fill = filled(*lines, status=304, validating=validating)
    if positions is None:
        assert fill == RetryUnconditional()
    else:
        assert isinstance(fill, Freshen)
        assert [old for old, _ in fill.freshened] == [validating[position] for position in positions]
        assert fill.because is Because.FRESHENED


def test_a_304_that_nobody_asked_for():
    assert filled(status=304) == RetryUnconditional()
    for field in (b"If-None-Match", b"If-Modified-Since"):
        assert filled(status=304, request=asking((field, b'"x"'))) == Relay(Because.UNASKED_NOT_MODIFIED)


def test_of_several_that_are_freshened_the_one_for_this_request_answers():
    mine = held(FRESH, A, (b"Vary", b"X"), nominated=((b"x", None),))
    other = replace(
        held(FRESH, A, (b"Vary", b"X"), nominated=((b"x", b"1"),)),
        validators=replace(mine.validators, date_at=NOW + 5),
    )
    for validating in ((mine, other), (other, mine)):
        fill = filled(A, status=304, validating=validating)
        assert isinstance(fill, Freshen)
        assert len(fill.freshened) == 2
        assert fill.selected.nominated == mine.nominated
    fill = filled(A, status=304, validating=(other,))
    assert isinstance(fill, Freshen)
    assert fill.selected.nominated == other.nominated


NOT_KEPT = [
    ("private now", [(CC, b"private")], asking()),
    ("no-store now", [(CC, b"no-store")], asking()),
    ("to credentials", [], asking((b"Authorization", b"x"))),
    ("Vary: * now", [(b"Vary", b"*")], asking()),
]  # fmt: skip


@pytest.mark.parametrize("name,lines,request_", NOT_KEPT, ids=[row[0] for row in NOT_KEPT])
def test_a_304_that_may_not_be_stored_answers_once_and_retires_what_is_held(name, lines, request_):
    old = held(FRESH, A, (b"X", b"old"), stale_if_error=1000.0)
    _, answer, kept = freshened(old, A, *lines, (b"X", b"new"), request=request_)
    assert answer.head.fields.get(b"x") == b"new"
    assert kept.head is old.head
    assert kept.body_id == old.body_id
    assert kept.freshness.no_cache
    assert not stale_usable(kept, NOW)


def test_an_authorized_304_that_says_public_is_kept():
    _, answer, kept = freshened(
        held(FRESH, A), A, (CC, b"public, max-age=5"), request=asking((b"Authorization", b"x"))
    )
    assert answer is kept
    assert kept.request_authorized


def test_a_304_may_change_what_is_nominated():
    old = held(FRESH, A, (b"Vary", b"X"), nominated=((b"x", b"1"),))
    _, answer, kept = freshened(old, A, (b"Vary", b"X, Y"), request=asking((b"X", b"1"), (b"Y", b"2")))
    assert answer is kept
    assert kept.nominated == ((b"x", b"1"), (b"y", b"2"))


def test_what_a_304_nominates_anew_is_unknown_of_another_request_than_the_stored_one():
    old = held(FRESH, A, (b"Vary", b"X"), nominated=((b"x", b"1"),))
    _, answer, kept = freshened(old, A, (b"Vary", b"X, Y"), request=asking((b"X", b"2"), (b"Y", b"2")))
    assert answer.nominated == kept.nominated == old.nominated
    assert kept.freshness.no_cache


@pytest.mark.parametrize(
    "rule,cookie", [(SetCookieRule.REFUSE, None), (SetCookieRule.STRIP, None), (SetCookieRule.STORE, b"a=c")]
)
def test_a_304_sets_a_cookie_in_the_store_only_where_the_site_says_so(rule, cookie):
    rules = SiteRules(store=StoreRules(set_cookie=rule))
    _, answer, kept = freshened(held(FRESH, A), A, (b"Set-Cookie", b"a=c"), rules=rules)
    assert answer.head.fields.get(b"set-cookie") == kept.head.fields.get(b"set-cookie") == cookie


# --- HEAD ---


def updated(*lines, old, status=200, request=None, now=LATER, **how):
    return decide_head_update(
        request or asking(method=b"HEAD"), answered(*lines, status=status), [old], SiteRules(), now, **how
    )


def test_a_head_with_the_same_validators_and_length_updates():
    old = held(FRESH, A, (b"X", b"1"))
    ((was, new),) = updated(A, (CC, b"max-age=1000"), (b"X", b"2"), old=old, content_length=10)
    assert was is old
    assert new.head.fields.get(b"x") == b"2"
    assert (new.freshness.lifetime, new.freshness.response_time, new.freshness.initial_age) == (
        1000.0,
        LATER,
        0.0,
    )
    assert new.body_id == old.body_id
    ((_, slow),) = updated(A, old=old, request_time=UnixSeconds(LATER - 7))
    assert slow.freshness.initial_age == 7.0


@pytest.mark.parametrize("line,length", [(B, None), ((b"Last-Modified", at(-5)), None), (A, 11)])
def test_a_head_that_speaks_of_something_else_makes_it_stale(line, length):
    old = held(FRESH, A, stale_if_error=1000.0)
    ((_, new),) = updated(line, old=old, content_length=length)
    assert new.head is old.head
    assert new.freshness.no_cache
    assert not stale_usable(new, LATER)


def test_a_head_that_forbids_storing_drops_it():
    old = held(FRESH, A)
    assert updated(A, (CC, b"no-store"), old=old) == ((old, None),)
    assert updated(A, (CC, b"private"), old=old) == ((old, None),)


IGNORED = [
    ("another variant", {"old": held(FRESH, A, nominated=((b"x", b"1"),))}),
    ("no 200", {"old": held(FRESH, A), "status": 410}),
    ("no HEAD", {"old": held(FRESH, A), "request": asking()}),
    ("credentials", {"old": held(FRESH, A), "request": asking((b"Authorization", b"x"), method=b"HEAD")}),
    ("no-store", {"old": held(FRESH, A), "request": asking((CC, b"no-store"), method=b"HEAD")}),
]  # fmt: skip


@pytest.mark.parametrize("name,how", IGNORED, ids=[row[0] for row in IGNORED])
def test_a_head_says_nothing_about(name, how):
    assert updated(B, **how) == ()
