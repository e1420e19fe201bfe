"""Lifetime, age and stale windows: where they come from, and the site's bounds on them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.directives import response_directives
from edge.semantics.freshness import compute_freshness, date_of
from edge.semantics.message import UnixSeconds
from edge.semantics.rules import DAY, HOUR, CookieRule, FreshnessRules, SiteRules, StoreRules
from edge.semantics.stored import Freshness, LifetimeSource
from edge.semantics.syntax import format_http_date
from tests.kit.stored_responses import NOW, answered, asking

L = LifetimeSource
CC, EXPIRES, LM, AGE, DATE = b"Cache-Control", b"Expires", b"Last-Modified", b"Age", b"Date"
UNBOUNDED = FreshnessRules(max_ttl=10**9, heuristic_max=10**9, max_life=10**9, stale_if_error=0.0)


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def measured(
    *lines, status=200, request=None, limits=UNBOUNDED, delay=0.0, cookie=CookieRule.PASS, key=b""
) -> Freshness:
    head = answered(*lines, status=status)
    return compute_freshness(
        request or asking(),
        head,
        response_directives(head.fields),
        request_time=UnixSeconds(NOW - delay),
        response_time=NOW,
        rules=SiteRules(freshness=limits, store=StoreRules(cookie=cookie)),
        key=key,
    )


LIFETIMES = [
    # name (suite id where there is one), RFC 9111 section, response fields, lifetime, source
    ("freshness-none", "4.2.1", [], 0, L.NONE),
    ("freshness-max-age", "4.2.1", [(CC, b"max-age=3600")], 3600, L.MAX_AGE),
    ("freshness-max-age-0-expires", "5.3", [(EXPIRES, at(3600)), (CC, b"max-age=0"), (DATE, at(0))], 0, L.MAX_AGE),
    ("freshness-max-age-expires", "5.3", [(CC, b"max-age=3600"), (EXPIRES, at(-7200)), (DATE, at(0))], 3600, L.MAX_AGE),
    ("freshness-max-age-s-maxage-shared-longer", "5.2.2.10", [(CC, b"max-age=3600, s-maxage=1")], 1, L.S_MAXAGE),
    ("freshness-max-age-s-maxage-shared-shorter-expires", "5.2.2.10", [(EXPIRES, at(-10)), (CC, b"max-age=0, s-maxage=3600")], 3600, L.S_MAXAGE),
    ("freshness-expires-future", "5.3", [(EXPIRES, at(2_592_000)), (DATE, at(0))], 2_592_000, L.EXPIRES),
    ("freshness-expires-past", "5.3", [(EXPIRES, at(-1)), (DATE, at(0))], 0, L.EXPIRES),
    ("freshness-expires-present", "5.3", [(EXPIRES, at(0)), (DATE, at(0))], 0, L.EXPIRES),
    ("freshness-expires-old-date", "4.2.1", [(EXPIRES, at(300)), (DATE, at(400))], 0, L.EXPIRES),
    ("freshness-expires-age-slow-date", "4.2.1", [(EXPIRES, at(10)), (DATE, at(-10))], 20, L.EXPIRES),
    ("freshness-expires-invalid", "5.3", [(EXPIRES, b"0"), (DATE, at(0))], 0, L.EXPIRES),
    ("freshness-expires-invalid-date", "4.2.1", [(EXPIRES, at(10)), (DATE, b"foo")], 10, L.EXPIRES),
    ("freshness-expires-invalid-multiple-lines", "4.2.1", [(EXPIRES, at(10)), (EXPIRES, at(9)), (DATE, at(0))], 9, L.EXPIRES),
    ("one Expires valid, one not", "4.2.1", [(EXPIRES, at(10)), (EXPIRES, b"x"), (DATE, at(0))], 0, L.EXPIRES),
    ("no Date", "4.2.1", [(EXPIRES, at(10))], 10, L.EXPIRES),
    ("an Expires that is no date leaves nothing to guess", "4.2.2", [(EXPIRES, b"0"), (LM, at(-1000))], 0, L.EXPIRES),
    ("targeted", "9213", [(b"CDN-Cache-Control", b"max-age=9"), (CC, b"max-age=1"), (EXPIRES, at(5))], 9, L.CDN_CACHE_CONTROL),
    ("own targeted", "9213", [(b"Perigee-CDN-Cache-Control", b"s-maxage=9, max-age=3")], 9, L.PERIGEE_CDN_CACHE_CONTROL),
    ("targeted without lifetime", "9213 2.2", [(b"CDN-Cache-Control", b"public"), (CC, b"max-age=1"), (EXPIRES, at(5))], 0, L.NONE),
    ("surrogate-max-age-expires", "W3C", [(b"Surrogate-Control", b"max-age=3600"), (EXPIRES, at(-10_000))], 3600, L.SURROGATE_CONTROL),
    ("heuristic", "4.2.2", [(LM, at(-1000)), (DATE, at(0))], 100, L.HEURISTIC),
    ("heuristic without Date", "4.2.2", [(LM, at(-1000))], 100, L.HEURISTIC),
    ("heuristic, changed just now", "4.2.2", [(LM, at(0)), (DATE, at(0))], 0, L.NONE),
    ("heuristic, changed tomorrow", "4.2.2", [(LM, at(86_400)), (DATE, at(0))], 0, L.NONE),
    ("heuristic, no date", "4.2.2", [(LM, b"x"), (DATE, at(0))], 0, L.NONE),
    ("pragma-response-no-cache", "5.4", [(CC, b"max-age=3600"), (b"Pragma", b"no-cache")], 3600, L.MAX_AGE),
    ("pragma-response-no-cache-heuristic", "5.4", [(LM, at(-1000)), (b"Pragma", b"no-cache")], 0, L.NONE),
    ("Pragma beside Expires", "5.4", [(EXPIRES, at(10)), (DATE, at(0)), (b"Pragma", b"no-cache")], 10, L.EXPIRES),
]  # fmt: skip


@pytest.mark.parametrize("name,section,lines,lifetime,source", LIFETIMES, ids=[row[0] for row in LIFETIMES])
def test_the_lifetime_comes_from_the_first_source_that_says_anything(name, section, lines, lifetime, source):
    freshness = measured(*lines)
    assert (freshness.lifetime, freshness.source) == (lifetime, source)


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
def test_a_guess_is_made_for_the_statuses_that_allow_it(status):
    assert measured((LM, at(-1000)), status=status).source is L.HEURISTIC


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599])
def test_for_other_statuses_a_guess_is_made_only_when_public(status):
    assert measured((LM, at(-1000)), status=status).source is L.NONE
    assert measured((LM, at(-1000)), (CC, b"public"), status=status).source is L.HEURISTIC


NO_GUESS = [
    ("cookie", {"request": asking((b"Cookie", b"a=b"))}, L.NONE),
    ("cookie that the origin does not see", {"request": asking((b"Cookie", b"a=b")), "cookie": CookieRule.STRIP}, L.HEURISTIC),
    ("authorization", {"request": asking((b"Authorization", b"x"))}, L.NONE),
    ("POST", {"request": asking(method=b"POST")}, L.NONE),
    ("HEAD", {"request": asking(method=b"HEAD")}, L.HEURISTIC),
    ("switched off", {"limits": FreshnessRules(heuristic=False)}, L.NONE),
]  # fmt: skip


@pytest.mark.parametrize("name,how,source", NO_GUESS, ids=[row[0] for row in NO_GUESS])
def test_no_guess_is_made_about_an_answer_to_credentials(name, how, source):
    assert measured((LM, at(-1000)), **how).source is source


def test_a_guess_is_a_share_of_the_time_since_the_last_change_and_bounded():
    limits = FreshnessRules(heuristic_fraction=0.2, heuristic_max=150.0)
    assert measured((LM, at(-500)), limits=limits).lifetime == 100
    assert measured((LM, at(-5000)), limits=limits).lifetime == 150
    assert measured((LM, at(-5000)), limits=replace(limits, max_ttl=60.0)).lifetime == 60


def test_the_site_speaks_where_the_origin_says_nothing():
    limits = FreshnessRules(default_ttl=50.0, status_ttl=MappingProxyType({404: 10.0, 500: 2.0}))
    assert measured(limits=limits).source is L.DEFAULT_TTL
    assert measured((LM, at(-1000)), limits=limits).lifetime == 50
    assert (measured(status=404, limits=limits).lifetime, measured(status=404, limits=limits).source) == (
        10,
        L.STATUS_TTL,
    )
    assert measured(status=500, limits=limits).lifetime == 2
    assert measured(status=502, limits=limits).source is L.NONE
    assert measured((CC, b"max-age=1"), status=404, limits=limits).lifetime == 1
    assert measured((b"Pragma", b"no-cache"), limits=limits).source is L.NONE


BOUNDS = [
    # name, fields, limits, lifetime
    ("raised", [(CC, b"max-age=1")], FreshnessRules(min_ttl=5.0), 5),
    ("raised from nothing", [(CC, b"max-age=0")], FreshnessRules(min_ttl=5.0), 5),
    ("not raised: no-cache", [(CC, b"max-age=1, no-cache")], FreshnessRules(min_ttl=5.0), 1),
    ("not raised: nothing explicit", [], FreshnessRules(min_ttl=5.0), 0),
    ("not raised: a guess", [(LM, at(-10))], FreshnessRules(min_ttl=5.0), 1),
    ("cut", [(CC, b"max-age=999999999")], FreshnessRules(), DAY),
    ("cut by the site", [(CC, b"max-age=100")], FreshnessRules(max_ttl=60.0), 60),
    ("a minimum does not beat a maximum", [(CC, b"max-age=1")], FreshnessRules(min_ttl=9.0, max_ttl=6.0), 6),
    ("cut by max_life", [(CC, b"max-age=100")], FreshnessRules(max_life=30.0), 30),
    ("default cut", [], FreshnessRules(default_ttl=100.0, max_ttl=60.0), 60),
]  # fmt: skip


@pytest.mark.parametrize("name,lines,limits,lifetime", BOUNDS, ids=[row[0] for row in BOUNDS])
def test_the_site_bounds_every_lifetime(name, lines, limits, lifetime):
    assert measured(*lines, limits=limits).lifetime == lifetime


def test_jitter_only_shortens_and_is_the_same_for_the_same_key():
    limits = FreshnessRules(ttl_jitter=0.5)
    lifetimes = {
        key: measured((CC, b"max-age=1000"), limits=limits, key=b"%d" % key).lifetime for key in range(200)
    }
    assert all(500 <= lifetime <= 1000 for lifetime in lifetimes.values())
    assert max(lifetimes.values()) - min(lifetimes.values()) > 450
    assert measured((CC, b"max-age=1000"), limits=limits, key=b"7").lifetime == lifetimes[7]


AGES = [
    # name (suite id where there is one), RFC 9111 section, fields, delay of the answer, initial age
    ("new", "4.2.3", [(DATE, at(0))], 0, 0),
    ("no Date", "4.2.3", [], 0, 0),
    ("freshness-max-age-date", "4.2.3", [(DATE, at(-7200))], 0, 7200),
    ("a Date of tomorrow", "4.2.3", [(DATE, at(86_400))], 0, 0),
    ("freshness-max-age-age", "4.2.3", [(DATE, at(0)), (AGE, b"7200")], 0, 7200),
    ("the delay counts on top of Age", "4.2.3", [(DATE, at(-1)), (AGE, b"30")], 2, 32),
    ("and not on top of Date", "4.2.3", [(DATE, at(-7200)), (AGE, b"30")], 2, 7200),
    ("the delay alone", "4.2.3", [], 2, 2),
    ("a clock that was set back", "4.2.3", [(AGE, b"30")], -5, 30),
    ("Age that is no number", "5.1", [(AGE, b"abc")], 0, 0),
    ("first of two", "5.1", [(AGE, b"5"), (AGE, b"9")], 0, 5),
]  # fmt: skip


@pytest.mark.parametrize("name,section,lines,delay,age", AGES, ids=[row[0] for row in AGES])
def test_the_age_on_arrival_counts_what_other_caches_and_the_way_took(name, section, lines, delay, age):
    freshness = measured(*lines, delay=delay)
    assert freshness.initial_age == age
    assert freshness.age(UnixSeconds(NOW + 10)) == age + 10


WINDOWS = [
    # name, RFC section, Cache-Control, limits, (stale-while-revalidate, stale-if-error)
    ("the site's defaults", "5861", b"max-age=60", FreshnessRules(stale_while_revalidate=5.0), (5, HOUR)),
    ("the origin's own", "5861", b"max-age=60, stale-while-revalidate=7, stale-if-error=9", FreshnessRules(stale_while_revalidate=5.0), (7, 9)),
    ("the origin says none", "5861", b"max-age=60, stale-while-revalidate=0, stale-if-error=0", FreshnessRules(stale_while_revalidate=5.0), (0, 0)),
    ("cut", "5861", b"max-age=60, stale-while-revalidate=99, stale-if-error=99", FreshnessRules(stale_while_revalidate_max=8.0, stale_if_error_max=10.0), (8, 10)),
    ("within max_life", "5861", b"max-age=60, stale-while-revalidate=99", FreshnessRules(max_life=100.0), (40, 40)),
    ("nothing left of max_life", "5861", b"max-age=600, stale-while-revalidate=99", FreshnessRules(max_life=100.0), (0, 0)),
    ("no lifetime known", "4.2.4", b"public", FreshnessRules(stale_while_revalidate=5.0), (0, 0)),
    ("no lifetime known, but windows", "5861", b"stale-while-revalidate=3, stale-if-error=4", FreshnessRules(), (3, 4)),
    ("must-revalidate", "5.2.2.2", b"max-age=60, stale-while-revalidate=9, must-revalidate", FreshnessRules(), (0, 0)),
    ("proxy-revalidate", "5.2.2.8", b"max-age=60, stale-while-revalidate=9, proxy-revalidate", FreshnessRules(), (0, 0)),
    ("s-maxage", "5.2.2.10", b"s-maxage=60, stale-while-revalidate=9", FreshnessRules(), (0, 0)),
    ("no-cache", "5.2.2.4", b"max-age=60, no-cache, stale-if-error=9", FreshnessRules(), (0, 0)),
]  # fmt: skip


@pytest.mark.parametrize("name,section,value,limits,windows", WINDOWS, ids=[row[0] for row in WINDOWS])
def test_stale_use_is_as_long_as_origin_and_site_allow(name, section, value, limits, windows):
    freshness = measured((CC, value), limits=limits)
    assert (freshness.stale_while_revalidate, freshness.stale_if_error) == windows


def test_a_failure_is_never_kept_to_stand_for_another():
    freshness = measured((CC, b"max-age=60, stale-if-error=9, stale-while-revalidate=3"), status=503)
    assert (freshness.stale_while_revalidate, freshness.stale_if_error) == (3, 0)


def test_what_forbids_stale_use_is_kept_for_the_hit():
    assert measured((CC, b"s-maxage=1")).must_revalidate
    assert measured((CC, b"no-cache")).no_cache
    assert measured((CC, b"immutable")).immutable
    plain = measured((CC, b"max-age=1"))
    assert not (plain.must_revalidate or plain.no_cache or plain.immutable)


def test_an_invalid_date_is_the_time_of_receipt():
    assert date_of(answered((DATE, b"yesterday")), NOW) == NOW
    assert date_of(answered((DATE, at(-5))), NOW) == NOW - 5


numbers = st.one_of(st.none(), st.integers(0, 2**33))


@given(
    numbers,
    numbers,
    numbers,
    st.integers(-(10**6), 10**6),
    numbers,
    st.floats(0, 10**6),
    st.floats(1, 10**6),
    st.floats(0, 0.5),
)
def test_no_arrival_leaves_the_bounds(max_age, swr, sie, date, age, min_ttl, max_life, jitter):
    said = [(b"max-age", max_age), (b"stale-while-revalidate", swr), (b"stale-if-error", sie)]
    value = b", ".join(b"%b=%d" % (name, seconds) for name, seconds in said if seconds is not None)
    lines = [(CC, value), (DATE, at(date))] + ([(AGE, b"%d" % age)] if age is not None else [])
    limits = FreshnessRules(min_ttl=min_ttl, max_life=max_life, ttl_jitter=jitter)
    freshness = measured(*lines, limits=limits)
    assert 0 <= freshness.lifetime <= min(limits.max_ttl, max_life)
    assert freshness.lifetime + max(
        freshness.stale_while_revalidate, freshness.stale_if_error, 0
    ) <= max_life * (1 + 1e-9)
    assert min(freshness.initial_age, freshness.stale_while_revalidate, freshness.stale_if_error) >= 0


@given(st.floats(0, 10**9), st.floats(0, 10**9), st.integers(0, 2**31))
def test_a_stored_response_only_grows_older(one, other, age):
    freshness = measured((AGE, b"%d" % age))
    earlier, later = sorted((NOW + one, NOW + other))
    assert 0 <= freshness.age(UnixSeconds(earlier)) <= freshness.age(UnixSeconds(later))
    assert freshness.age(UnixSeconds(NOW - one)) >= 0
