"""What may be stored, and the head as it is stored."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from edge.semantics.directives import response_directives
from edge.semantics.freshness import compute_freshness
from edge.semantics.message import UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import (
    CookieRule,
    FreshnessRules,
    KeyRules,
    RequestRules,
    SetCookieRule,
    SiteRules,
    StoreRules,
)
from edge.semantics.storing import NEVER_STORED, UNDERSTOOD, may_store, stored_head
from edge.semantics.syntax import format_http_date
from edge.semantics.validation import parse_validators
from tests.kit.stored_responses import NOW, answered, asking

CC, SET_COOKIE, ETAG = b"Cache-Control", b"Set-Cookie", (b"ETag", b'"a"')
FRESH = (CC, b"max-age=60")


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def judged(*lines, status=200, request=None, rules=SiteRules(), length=None) -> Because:
    request = request or asking()
    head = answered(*lines, status=status)
    directives = response_directives(head.fields)
    freshness = compute_freshness(
        request, head, directives, request_time=UnixSeconds(NOW - 1), response_time=NOW, rules=rules
    )
    validators = parse_validators(stored_head(head, directives, rules, NOW), NOW)
    return may_store(request, head, directives, freshness, validators, rules, length)


def authorized(*values):
    return {"request": asking((b"Authorization", b"x")), "lines": [(CC, value) for value in values]}


def post(*lines, target=b"/a/b?c"):
    return {"request": asking(method=b"POST", target=target), "lines": list(lines)}


def site(**store):
    return SiteRules(store=StoreRules(**store))


VERDICTS = [
    # name (suite id where there is one), RFC 9111 section, how, verdict
    ("fresh", "3", {"lines": [FRESH]}, Because.STORED),
    ("HEAD", "3", {"lines": [FRESH], "request": asking(method=b"HEAD")}, Because.METHOD_NOT_CACHED),
    ("PUT", "3", {"lines": [FRESH], "request": asking(method=b"PUT")}, Because.METHOD_NOT_CACHED),
    ("M-SEARCH", "3", {"lines": [FRESH], "request": asking(method=b"M-SEARCH")}, Because.METHOD_NOT_CACHED),
    ("POST", "9110 9.3.3", post(FRESH), Because.METHOD_NOT_CACHED),
    ("method-POST", "9110 9.3.3", post((b"Expires", at(60)), (b"Content-Location", b"/a/b?c")), Because.STORED),
    ("POST, absolute", "9110 9.3.3", post(FRESH, (b"Content-Location", b"https://a.example/a/b?c")), Because.STORED),
    ("POST, elsewhere", "9110 9.3.3", post(FRESH, (b"Content-Location", b"/a/b")), Because.METHOD_NOT_CACHED),
    ("POST, other host", "9110 9.3.3", post(FRESH, (b"Content-Location", b"https://b.example/a/b?c")), Because.METHOD_NOT_CACHED),
    ("POST, two locations", "9110 9.3.3", post(FRESH, (b"Content-Location", b"/a/b?c"), (b"Content-Location", b"/x")), Because.METHOD_NOT_CACHED),
    ("POST, a guess", "9110 9.3.3", post((b"Last-Modified", at(-99)), (b"Content-Location", b"/a/b?c")), Because.METHOD_NOT_CACHED),
    ("POST, a 404", "9110 8.7", post(FRESH, (b"Content-Location", b"/a/b?c")) | {"status": 404}, Because.METHOD_NOT_CACHED),
    ("POST, no-store", "5.2.2.5", post((CC, b"max-age=1, no-store"), (b"Content-Location", b"/a/b?c")), Because.NO_STORE),
    ("1xx", "3", {"lines": [FRESH], "status": 103}, Because.STATUS_NOT_FINAL),
    ("6xx", "9110 15", {"lines": [FRESH], "status": 600}, Because.STATUS_NOT_FINAL),
    ("304 Not Generated", "9110 15", {"lines": [FRESH], "status": 999}, Because.STATUS_NOT_FINAL),
    ("206", "3.3", {"lines": [FRESH], "status": 206}, Because.PARTIAL_CONTENT),
    ("304", "4.3.4", {"lines": [FRESH], "status": 304}, Because.UNASKED_NOT_MODIFIED),
    ("request no-store", "5.2.1.5", {"lines": [FRESH], "request": asking((CC, b"no-store"))}, Because.REQUEST_NO_STORE),
    ("request no-store where the site does not hear wishes", "5.2.1.5", {
        "lines": [FRESH], "request": asking((CC, b"no-store")), "rules": SiteRules(request=RequestRules(honour_no_cache=False))}, Because.REQUEST_NO_STORE),
    ("cc-resp-no-store-fresh", "5.2.2.5", {"lines": [(CC, b"max-age=10000, no-store"), (b"Expires", at(60))]}, Because.NO_STORE),
    ("surrogate-no-store-cc-fresh", "W3C", {"lines": [FRESH, (b"Surrogate-Control", b"no-store")]}, Because.NO_STORE),
    ("surrogate-fresh-cc-nostore", "W3C", {"lines": [(CC, b"no-store"), (b"Surrogate-Control", b"max-age=1;perigee")]}, Because.STORED),
    ("must-understand, understood", "5.2.2.3", {"lines": [(CC, b"max-age=1, must-understand")]}, Because.STORED),
    ("must-understand makes no-store void", "5.2.2.3", {"lines": [(CC, b"max-age=1, must-understand, no-store")]}, Because.STORED),
    ("status-599-must-understand", "5.2.2.3", {"lines": [(CC, b"max-age=3600, must-understand")], "status": 599}, Because.MUST_UNDERSTAND),
    ("must-understand, not understood, no-store", "5.2.2.3", {"lines": [(CC, b"max-age=1, must-understand, no-store")], "status": 299}, Because.MUST_UNDERSTAND),
    ("cc-resp-private-shared", "5.2.2.7", {"lines": [(CC, b"private, max-age=3600")]}, Because.PRIVATE),
    ("private of a field", "5.2.2.7", {"lines": [(CC, b'private="x", max-age=3600')]}, Because.STORED),
    ("targeted private", "9213", {"lines": [FRESH, (b"CDN-Cache-Control", b"private")]}, Because.PRIVATE),
    ("other-authorization", "3.5", authorized(b"max-age=60"), Because.AUTHORIZATION),
    ("other-authorization-public", "3.5", authorized(b"max-age=3600, public"), Because.STORED),
    ("other-authorization-must-revalidate", "3.5", authorized(b"max-age=3600, must-revalidate"), Because.STORED),
    ("other-authorization-smaxage", "3.5", authorized(b"s-maxage=3600"), Because.STORED),
    ("authorization, proxy-revalidate", "3.5", authorized(b"max-age=60, proxy-revalidate"), Because.AUTHORIZATION),
    ("authorization, public where it does not govern", "9213", {
        "request": asking((b"Authorization", b"x")), "lines": [(CC, b"public"), (b"CDN-Cache-Control", b"max-age=60")]}, Because.AUTHORIZATION),
    ("cookie", "5.2", {"lines": [FRESH], "request": asking((b"Cookie", b"a=b"))}, Because.STORED),
    ("cookie bypass", "site", {"lines": [FRESH], "request": asking((b"Cookie", b"a=b")), "rules": site(cookie=CookieRule.BYPASS)}, Because.COOKIE),
    ("cookie bypass, keyed", "site", {"lines": [FRESH], "request": asking((b"Cookie", b"a=b")), "rules": SiteRules(
        key=KeyRules(cookies=(b"a",)), store=StoreRules(cookie=CookieRule.BYPASS))}, Because.STORED),
    ("Set-Cookie", "site", {"lines": [FRESH, (SET_COOKIE, b"a=b")]}, Because.SET_COOKIE),
    ("Set-Cookie that is not to be stored anyway", "5.2.2.4", {"lines": [(CC, b'max-age=1, no-cache="set-cookie"'), (SET_COOKIE, b"a=b")]}, Because.STORED),
    ("other-set-cookie", "7.3", {"lines": [FRESH, (SET_COOKIE, b"a=b")], "rules": site(set_cookie=SetCookieRule.STORE)}, Because.STORED),
    ("Set-Cookie stripped", "site", {"lines": [FRESH, (SET_COOKIE, b"a=b")], "rules": site(set_cookie=SetCookieRule.STRIP)}, Because.STORED),
    ("too large", "site", {"lines": [FRESH], "length": 11, "rules": site(max_object=10)}, Because.TOO_LARGE),
    ("just not too large", "site", {"lines": [FRESH], "length": 10, "rules": site(max_object=10)}, Because.STORED),
    ("freshness-none", "3", {"lines": []}, Because.NO_FRESHNESS),
    ("a validator alone", "3", {"lines": [ETAG]}, Because.STORED),
    ("a date that is a validator", "3", {"lines": [(b"Last-Modified", at(0)), (b"Date", at(0))]}, Because.STORED),
    ("never fresh, no validator", "3", {"lines": [(CC, b"max-age=0")]}, Because.NO_FRESHNESS),
    ("never fresh, validator", "3", {"lines": [(CC, b"max-age=0"), ETAG]}, Because.STORED),
    ("never fresh, but a stale window of its own", "5861", {"lines": [(CC, b"max-age=0, stale-if-error=60")]}, Because.STORED),
    ("never fresh, a stale window that is forbidden", "5861", {"lines": [(CC, b"s-maxage=0, stale-if-error=60")]}, Because.NO_FRESHNESS),
    ("cc-resp-no-cache", "5.2.2.4", {"lines": [(CC, b"max-age=10000, no-cache")]}, Because.NO_FRESHNESS),
    ("cc-resp-no-cache-revalidate", "5.2.2.4", {"lines": [(CC, b"no-cache"), ETAG]}, Because.STORED),
    ("status-302-fresh", "3", {"lines": [FRESH], "status": 302}, Because.STORED),
    ("302 with a validator", "3", {"lines": [ETAG], "status": 302}, Because.NO_FRESHNESS),
    ("302, public, with a validator", "3", {"lines": [ETAG, (CC, b"public")], "status": 302}, Because.STORED),
    ("404 without anything", "3", {"lines": [], "status": 404}, Because.NO_FRESHNESS),
    ("404 by the site", "site", {"lines": [], "status": 404, "rules": SiteRules(
        freshness=FreshnessRules(status_ttl=MappingProxyType({404: 5.0})))}, Because.STORED),
    ("a site's lifetime does not override no-store", "site", {"lines": [(CC, b"no-store")], "rules": SiteRules(
        freshness=FreshnessRules(default_ttl=5.0))}, Because.NO_STORE),
]  # fmt: skip


@pytest.mark.parametrize("name,section,how,verdict", VERDICTS, ids=[row[0] for row in VERDICTS])
def test_a_response_is_stored_or_there_is_a_reason(name, section, how, verdict):
    rest = {name: value for name, value in how.items() if name != "lines"}
    assert judged(*how["lines"], **rest) is verdict


@pytest.mark.parametrize("status", sorted(NEVER_STORED))
def test_some_statuses_are_about_this_request_only(status):
    assert judged(FRESH, status=status) is Because.STATUS_NOT_FINAL


@pytest.mark.parametrize(
    "status", [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599]
)
def test_every_other_final_status_is_stored_when_it_is_fresh(status):
    assert judged((b"Expires", at(100)), (b"Date", at(0)), status=status) is Because.STORED


def test_no_status_is_both_understood_and_never_stored():
    assert UNDERSTOOD.isdisjoint(NEVER_STORED | {206, 304})


def replayed(*lines, set_cookie=SetCookieRule.REFUSE):
    head = answered(*lines)
    return stored_head(head, response_directives(head.fields), site(set_cookie=set_cookie), NOW).fields.lines


DATED = (b"Date", at(-3))

HEADS = [
    # name, RFC section, fields, stored fields
    ("as it came", "9111 3.1", (DATED, (b"X-A", b"1"), (b"x-a", b"2")), (DATED, (b"X-A", b"1"), (b"x-a", b"2"))),
    ("Age", "9111 5.1", (DATED, (b"Age", b"5")), (DATED,)),
    ("no Date", "9110 6.6.1", ((b"A", b"1"),), ((b"A", b"1"), (b"Date", at(0)))),
    ("a Date that is none", "9110 6.6.1", ((b"Date", b"foo"),), ((b"Date", b"foo"),)),
    ("hop by hop", "9110 7.6.1", (DATED, (b"Connection", b"close"), (b"Keep-Alive", b"x"), (b"TE", b"x"), (b"Upgrade", b"x"),
        (b"Transfer-Encoding", b"chunked"), (b"Proxy-Connection", b"x"), (b"Proxy-Authenticate", b"x"),
        (b"Proxy-Authentication-Info", b"x"), (b"Proxy-Authorization", b"x")), (DATED,)),
    ("named by Connection", "9111 3.1", (DATED, (b"Connection", b"A, close"), (b"connection", b"b"), (b"a", b"1"), (b"B", b"1"), (b"c", b"1")), (DATED, (b"c", b"1"))),
    ("headers-omit-headers-listed-in-Cache-Control-no-cache", "9111 5.2.2.4",
        (DATED, (CC, b'no-cache="a, B"'), (b"A", b"1"), (b"b", b"2"), (b"c", b"3")), (DATED, (CC, b'no-cache="a, B"'), (b"c", b"3"))),
    ("private fields", "9111 5.2.2.7", (DATED, (CC, b'private="a"'), (b"a", b"1")), (DATED, (CC, b'private="a"'))),
]  # fmt: skip


@pytest.mark.parametrize("name,section,lines,stored", HEADS, ids=[row[0] for row in HEADS])
def test_the_stored_head_has_what_may_be_replayed(name, section, lines, stored):
    assert replayed(*lines) == stored


def test_set_cookie_is_stored_only_where_the_site_says_so():
    lines = (DATED, (b"set-cookie", b"a=b"), (b"Set-Cookie", b"c=d"))
    assert replayed(*lines, set_cookie=SetCookieRule.STRIP) == (DATED,)
    assert replayed(*lines, set_cookie=SetCookieRule.STORE) == lines


def test_a_head_that_loses_nothing_is_not_copied():
    head = answered(DATED, FRESH)
    assert stored_head(head, response_directives(head.fields), SiteRules(), NOW) is head
