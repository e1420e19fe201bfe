"""What stored answers a request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.decide import decide_reuse, select
from edge.semantics.decisions import Forward, Refuse, Serve, ServeStale
from edge.semantics.message import UnixSeconds
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.rules import CookieRule, KeyRules, RequestRules, SiteRules, StoreRules, VaryRules
from edge.semantics.stored import StoredResponse
from edge.semantics.syntax import format_http_date
from edge.semantics.validation import MAX_TAGS_SENT
from tests.kit.stored_responses import NOW, asking, holding

CC, ETAG = b"Cache-Control", (b"ETag", b'"a"')
DEAF = SiteRules(request=RequestRules(honour_no_cache=False))
FRESH, EXPIRED, MAX_STALE, SWR = (
    Because.FRESH,
    Because.EXPIRED,
    Because.MAX_STALE,
    Because.STALE_WHILE_REVALIDATE,
)


def kept(*lines, nominated=(), date=0.0, **freshness) -> StoredResponse:
    """A stored response with lifetime 60 unless told otherwise, received NOW."""
    stored = holding(*lines)
    return replace(
        stored,
        nominated=nominated,
        freshness=replace(stored.freshness, **freshness),
        validators=replace(stored.validators, date_at=NOW + date),
    )


def reused(request, *candidates, after=0.0, rules=SiteRules()):
    return decide_reuse(request, candidates, rules, UnixSeconds(NOW + after))


CASES = [
    # name, RFC section, request's Cache-Control, stored, seconds later, (what, because)
    ("fresh", "9111 4.2", None, kept(), 59.9, (Serve, FRESH)),
    ("not fresh at its lifetime", "9111 4.2", None, kept(), 60, (Forward, EXPIRED)),
    ("lifetime 0", "9111 4.2", None, kept(lifetime=0.0), 0, (Forward, EXPIRED)),
    ("stale on arrival", "9111 4.2.3", None, kept(initial_age=60.0), 0, (Forward, EXPIRED)),
    ("no-cache", "9111 5.2.2.4", None, kept(no_cache=True), 1, (Forward, Because.RESPONSE_NO_CACHE)),
    ("no-cache and max-stale", "9111 4.2.4", b"max-stale", kept(no_cache=True), 99, (Forward, Because.RESPONSE_NO_CACHE)),
    ("older than max_life", "site", None, kept(max_life=80.0), 80, (Forward, Because.MAX_LIFE)),
    ("unknown wish", "9111 5.2.3", b"foo", kept(), 1, (Serve, FRESH)),
    ("ccreq-no-cache", "9111 5.2.1.4", b"no-cache", kept(), 1, (Forward, Because.REQUEST_NO_CACHE)),
    ("ccreq-no-store", "9111 5.2.1.5", b"no-store", kept(), 1, (Forward, Because.REQUEST_NO_STORE)),
    ("ccreq-ma0", "9111 5.2.1.1", b"max-age=0", kept(), 1, (Forward, Because.REQUEST_MAX_AGE)),
    ("max-age=0 at once", "9111 5.2.1.1", b"max-age=0", kept(), 0, (Forward, Because.REQUEST_MAX_AGE)),
    ("max-age", "9111 5.2.1.1", b"max-age=5", kept(), 5, (Serve, FRESH)),
    ("older than max-age", "9111 5.2.1.1", b"max-age=5", kept(), 5.1, (Forward, Because.REQUEST_MAX_AGE)),
    ("ccreq-magreaterage", "9111 5.2.1.1", b"max-age=600", kept(initial_age=1800.0, lifetime=3600.0), 0, (Forward, Because.REQUEST_MAX_AGE)),
    ("max-age beyond the lifetime", "9111 5.2.1.1", b"max-age=600", kept(), 90, (Forward, EXPIRED)),
    ("max-age wants nothing stale", "9111 5.2.1.1", b"max-age=600", kept(stale_while_revalidate=100.0), 90, (Forward, EXPIRED)),
    ("max-age and max-stale", "9111 5.2.1.1", b"max-age=600, max-stale=40", kept(), 90, (Serve, MAX_STALE)),
    ("min-fresh", "9111 5.2.1.3", b"min-fresh=50", kept(), 10, (Serve, FRESH)),
    ("ccreq-min-fresh", "9111 5.2.1.3", b"min-fresh=50", kept(), 10.1, (Forward, Because.REQUEST_MIN_FRESH)),
    ("min-fresh wants nothing stale", "9111 5.2.1.3", b"min-fresh=0", kept(stale_while_revalidate=100.0), 90, (Forward, Because.REQUEST_MIN_FRESH)),
    ("ccreq-max-stale", "9111 5.2.1.2", b"max-stale=1000", kept(), 1060, (Serve, MAX_STALE)),
    ("beyond max-stale", "9111 5.2.1.2", b"max-stale=1000", kept(), 1060.1, (Forward, EXPIRED)),
    ("any staleness", "9111 5.2.1.2", b"max-stale", kept(), 80_000, (Serve, MAX_STALE)),
    ("any staleness up to max_life", "site", b"max-stale", kept(), 86_400, (Forward, Because.MAX_LIFE)),
    ("max-stale is refused", "9111 4.2.4", b"max-stale", kept(must_revalidate=True), 61, (Forward, EXPIRED)),
    ("max-stale of a fresh one", "9111 5.2.1.2", b"max-stale=5", kept(), 1, (Serve, FRESH)),
    ("within stale-while-revalidate", "5861 3", None, kept(stale_while_revalidate=10.0), 69.9, (ServeStale, SWR)),
    ("beyond stale-while-revalidate", "5861 3", None, kept(stale_while_revalidate=10.0), 70, (Forward, EXPIRED)),
    ("no-cache in the window", "5861 3", b"no-cache", kept(stale_while_revalidate=10.0), 65, (Forward, Because.REQUEST_NO_CACHE)),
    ("immutable, reload", "8246 2", b"max-age=0", kept(immutable=True), 1, (Serve, FRESH)),
    ("immutable, forced reload", "8246 2.1", b"no-cache", kept(immutable=True), 1, (Forward, Because.REQUEST_NO_CACHE)),
    ("immutable, stale", "8246 2", b"max-age=0", kept(immutable=True), 61, (Forward, Because.REQUEST_MAX_AGE)),
    ("ccreq-oic, usable", "9111 5.2.1.7", b"only-if-cached", kept(), 1, (Serve, FRESH)),
    ("ccreq-oic, stale", "9111 5.2.1.7", b"only-if-cached", kept(), 61, (Refuse, Because.ONLY_IF_CACHED)),
    ("ccreq-oic, stale but accepted", "9111 5.2.1.7", b"only-if-cached, max-stale", kept(), 61, (Serve, MAX_STALE)),
    ("ccreq-oic, within stale-while-revalidate", "9111 5.2.1.7", b"only-if-cached", kept(stale_while_revalidate=9.0), 61, (ServeStale, SWR)),
]  # fmt: skip


@pytest.mark.parametrize("name,section,wish,stored,after,verdict", CASES, ids=[row[0] for row in CASES])
def test_a_stored_response_is_used_as_far_as_both_sides_allow(name, section, wish, stored, after, verdict):
    request = asking(*([] if wish is None else [(CC, wish)]))
    reuse = reused(request, stored, after=after)
    assert (type(reuse), reuse.because) == verdict
    if isinstance(reuse, Serve | ServeStale):
        assert reuse.stored is stored
        assert reuse.age == pytest.approx(stored.freshness.initial_age + after)


@pytest.mark.parametrize("wish", [b"no-cache", b"no-store", b"max-age=0", b"max-age=1", b"min-fresh=1000"])
def test_a_site_that_does_not_hear_wishes_serves_what_is_fresh(wish):
    fresh = kept()
    assert reused(asking((CC, wish)), fresh, after=5, rules=DEAF) == Serve(fresh, 5.0, FRESH)
    swr = kept(stale_while_revalidate=10.0)
    assert isinstance(reused(asking((CC, wish)), swr, after=65, rules=DEAF), ServeStale)
    forward = reused(asking((CC, wish)), kept(ETAG), after=65, rules=DEAF)
    assert isinstance(forward, Forward)
    assert forward.because is EXPIRED


def test_pragma_is_a_wish_where_there_is_no_cache_control():
    assert reused(asking((b"Pragma", b"no-cache")), kept()).because is Because.REQUEST_NO_CACHE
    assert reused(asking((b"Pragma", b"foo")), kept()).because is FRESH


FORWARDS = [
    # name, request's Cache-Control, stored, seconds later, fwd, validated, collapses, has a fallback
    ("expired", None, kept(ETAG, stale_if_error=100.0), 61, Forwarded.STALE, True, True, True),
    ("expired, no validator", None, kept(stale_if_error=100.0), 61, Forwarded.STALE, False, True, True),
    ("expired long ago", None, kept(ETAG, stale_if_error=100.0), 161, Forwarded.STALE, True, True, False),
    ("no stale use", None, kept(ETAG, must_revalidate=True), 61, Forwarded.STALE, True, True, False),
    ("response no-cache", None, kept(ETAG, no_cache=True), 1, Forwarded.STALE, True, True, False),
    ("request no-cache", b"no-cache", kept(ETAG), 1, Forwarded.REQUEST, True, False, True),
    ("request no-cache, stale", b"no-cache", kept(ETAG), 61, Forwarded.STALE, True, False, False),
    ("request max-age=0", b"max-age=0", kept(ETAG), 1, Forwarded.REQUEST, True, False, True),
    ("request max-age", b"max-age=5", kept(ETAG), 6, Forwarded.REQUEST, True, True, True),
    ("request min-fresh", b"min-fresh=99", kept(ETAG), 1, Forwarded.REQUEST, True, True, True),
    ("request no-store", b"no-store", kept(ETAG), 1, Forwarded.REQUEST, False, False, True),
]  # fmt: skip


@pytest.mark.parametrize(
    "name,wish,stored,after,fwd,validated,collapses,falls_back", FORWARDS, ids=[row[0] for row in FORWARDS]
)
def test_what_is_forwarded_validates_what_is_held(
    name, wish, stored, after, fwd, validated, collapses, falls_back
):
    reuse = reused(asking(*([] if wish is None else [(CC, wish)])), stored, after=after)
    assert isinstance(reuse, Forward)
    assert reuse.fwd is fwd
    assert reuse.validating == ((stored,) if validated else ())
    assert reuse.collapse is collapses
    assert reuse.fallback is (stored if falls_back else None)


def test_an_answer_to_no_store_is_never_shared_even_where_wishes_are_not_heard():
    reuse = reused(asking((CC, b"no-store")), kept(ETAG), after=61, rules=DEAF)
    assert reuse == Forward(Forwarded.STALE, EXPIRED, (), collapse=False)
    reuse = reused(asking((CC, b"no-cache")), rules=DEAF)
    assert reuse == Forward(Forwarded.URI_MISS, Because.NOTHING_STORED)


def test_nothing_stored_is_a_miss():
    assert reused(asking()) == Forward(Forwarded.URI_MISS, Because.NOTHING_STORED)
    assert reused(asking((CC, b"no-cache"))) == Forward(
        Forwarded.URI_MISS, Because.NOTHING_STORED, collapse=False
    )
    assert reused(asking((CC, b"only-if-cached"))) == Refuse(504, Because.ONLY_IF_CACHED)
    rules = SiteRules(request=RequestRules(only_if_cached=False))
    assert reused(asking((CC, b"only-if-cached")), rules=rules).because is Because.NOTHING_STORED


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"M-SEARCH", b"get"])
def test_other_methods_are_never_answered_from_cache(method):
    reuse = reused(asking((CC, b"only-if-cached"), method=method), kept())
    assert reuse == Forward(Forwarded.METHOD, Because.METHOD_NOT_CACHED, collapse=False)


def test_a_head_is_answered_by_a_stored_get_and_fills_nothing():
    stored = kept(ETAG)
    assert reused(asking(method=b"HEAD"), stored) == Serve(stored, 0.0, FRESH)
    reuse = reused(asking(method=b"HEAD"), stored, after=61)
    assert reuse == Forward(Forwarded.STALE, EXPIRED, (stored,), collapse=False)


def test_a_site_may_bypass_the_cache_for_cookies_that_are_not_in_the_key():
    rules = SiteRules(key=KeyRules(cookies=(b"lang",)), store=StoreRules(cookie=CookieRule.BYPASS))
    bypass = Forward(Forwarded.BYPASS, Because.COOKIE, collapse=False)
    assert reused(asking((b"Cookie", b"lang=de; me=1")), kept(), rules=rules) == bypass
    assert reused(asking((b"Cookie", b"me=1"), (CC, b"only-if-cached")), rules=rules) == Refuse(
        504, Because.ONLY_IF_CACHED
    )
    assert reused(asking((b"Cookie", b"lang=de")), kept(), rules=rules).because is FRESH
    assert reused(asking((b"Cookie", b"me=1")), kept()).because is FRESH


# --- variants ---

GERMAN, ENGLISH = (((b"x-lang", b"de"),), ((b"x-lang", b"en"),))


def test_only_a_variant_for_this_request_is_used():
    german, english = kept(ETAG, nominated=GERMAN), kept((b"ETag", b'"b"'), nominated=ENGLISH)
    assert reused(asking((b"X-Lang", b"en")), german, english) == Serve(english, 0.0, FRESH)
    assert (
        reused(asking((b"X-Lang", b"en"), (b"X-Lang", b"de")), german, english).because is Because.NO_VARIANT
    )
    assert reused(asking((CC, b"only-if-cached")), german) == Refuse(504, Because.ONLY_IF_CACHED)


def test_the_tags_of_all_variants_are_validated_when_none_matches():
    old = kept(ETAG, nominated=GERMAN, date=-10.0)
    new = kept((b"ETag", b'"b"'), nominated=ENGLISH)
    without = kept((b"Last-Modified", format_http_date(NOW)), nominated=((b"x-lang", b"fr"),))
    reuse = reused(asking(), old, without, new)
    assert reuse == Forward(Forwarded.VARY_MISS, Because.NO_VARIANT, (new, old))


def test_so_many_tags_are_validated_and_no_more():
    variants = [
        kept((b"ETag", b'"%d"' % n), nominated=((b"x", b"%d" % n),), date=float(n))
        for n in range(MAX_TAGS_SENT + 5)
    ]
    reuse = reused(asking(), *variants)
    assert isinstance(reuse, Forward)
    assert reuse.validating == tuple(reversed(variants))[:MAX_TAGS_SENT]


def test_of_several_that_match_the_newest_is_used():
    rules = VaryRules()
    old, new, newer = kept(date=-5.0), kept(date=-1.0), kept(date=-1.0, response_time=NOW + 1)
    for candidates in ([old, new], [new, old]):
        assert select(asking(), candidates, rules) is new
    for candidates in ([old, new, newer], [newer, new, old]):
        assert select(asking(), candidates, rules) is newer
    assert select(asking(), [], rules) is None


def test_a_stored_language_that_is_the_preferred_one_matches():
    german = kept((b"Content-Language", b"de"), nominated=((b"accept-language", b"de"),))
    assert select(asking((b"Accept-Language", b"de, en;q=0.5")), [german], VaryRules()) is german


# --- properties ---

wishes = st.lists(
    st.sampled_from(
        [
            b"no-cache",
            b"max-age=0",
            b"max-age=30",
            b"max-stale",
            b"max-stale=20",
            b"min-fresh=10",
            b"only-if-cached",
            b"no-store",
        ]
    ),
    max_size=3,
).map(b", ".join)
responses = st.builds(
    kept,
    lifetime=st.floats(0, 200),
    initial_age=st.floats(0, 100),
    stale_while_revalidate=st.floats(0, 50),
    stale_if_error=st.floats(0, 50),
    must_revalidate=st.booleans(),
    no_cache=st.booleans(),
    immutable=st.booleans(),
)


@given(responses, wishes, st.floats(0, 400), st.booleans())
def test_nothing_stale_is_served_unless_somebody_allowed_it(stored, wish, after, hears):
    rules = SiteRules(request=RequestRules(honour_no_cache=hears))
    reuse = reused(asking((CC, wish)), stored, after=after, rules=rules)
    freshness = stored.freshness
    if isinstance(reuse, Serve | ServeStale):
        assert not freshness.no_cache
        past = reuse.age - freshness.lifetime
        if past >= 0:
            assert (
                b"max-stale" in wish and not freshness.must_revalidate
            ) or past < freshness.stale_while_revalidate
        assert not (hears and b"no-cache" in wish)
    if b"only-if-cached" in wish:
        assert not isinstance(reuse, Forward)


@given(responses, st.floats(0, 400), st.floats(0, 400))
def test_what_is_no_longer_fresh_stays_so(stored, one, other):
    earlier, later = sorted((one, other))
    if not isinstance(reused(asking(), stored, after=earlier), Serve):
        assert not isinstance(reused(asking(), stored, after=later), Serve)
