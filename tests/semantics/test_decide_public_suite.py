"""The ids of the public suite (http-cache-tests 0.4.5), asked of the two decisions alone, without a socket.

One row each: what the origin says first, what the client asks next, and where the second answer comes from. The verdicts
are ours; where they are not the suite's, the note says which RFC is with us. tests/conformance runs the suite itself.
"""

from __future__ import annotations

import pytest

from edge.semantics.rules import SetCookieRule, SiteRules, StoreRules
from edge.semantics.syntax import format_http_date
from tests.kit.small_cache import SmallCache, always, drops, validating
from tests.kit.stored_responses import NOW, asking

CC, DATE, EXPIRES, AGE, LM = b"Cache-Control", b"Date", b"Expires", b"Age", b"Last-Modified"
SC, PRAGMA, AUTH, ETAG = b"Surrogate-Control", b"Pragma", b"Authorization", (b"ETag", b'"abcd"')
PAUSE = 3.0


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def cc(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(CC, value)]


def aged(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(CC, b"max-age=3600"), *((AGE, value) for value in values)]


def expiring(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(EXPIRES, value) for value in values]


def surrogate(value: bytes, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(SC, value), *more]


FIRST_ANSWERS = [
    # id, fields of the first answer (Date is added), where the answer to the same request 3 s later comes from
    ("freshness-none", [], "forwarded"),
    ("freshness-max-age", cc(b"max-age=3600"), "cached"),
    ("freshness-max-age-0", cc(b"max-age=0"), "forwarded"),
    ("freshness-max-age-max-minus-1", cc(b"max-age=2147483647"), "cached"),
    ("freshness-max-age-max", cc(b"max-age=2147483648"), "cached"),
    ("freshness-max-age-max-plus-1", cc(b"max-age=2147483649"), "cached"),
    ("freshness-max-age-max-plus", cc(b"max-age=99999999999"), "cached"),
    ("freshness-max-age-age", aged(b"7200"), "forwarded"),
    ("freshness-max-age-date", [(DATE, at(-7200)), (CC, b"max-age=3600")], "forwarded"),
    ("freshness-max-age-expires", [(CC, b"max-age=3600"), (EXPIRES, at(-7200))], "cached"),
    ("freshness-max-age-expires-invalid", [(CC, b"max-age=3600"), (EXPIRES, b"0")], "cached"),
    ("freshness-max-age-0-expires", [(EXPIRES, at(3600)), (CC, b"max-age=0")], "forwarded"),
    ("freshness-max-age-extension", cc(b"foobar, max-age=3600"), "cached"),
    ("freshness-max-age-case-insenstive", cc(b"MaX-aGe=3600"), "cached"),
    ("freshness-max-age-negative", cc(b"max-age=-3600"), "forwarded"),
    ("freshness-s-maxage-shared", cc(b"s-maxage=3600"), "cached"),
    ("freshness-max-age-s-maxage-shared-longer", cc(b"max-age=3600, s-maxage=1"), "forwarded"),
    ("freshness-max-age-s-maxage-shared-longer-reversed", cc(b"s-maxage=1, max-age=3600"), "forwarded"),
    ("freshness-max-age-s-maxage-shared-longer-multiple", [*cc(b"max-age=3600"), *cc(b"s-maxage=1")], "forwarded"),
    ("freshness-max-age-s-maxage-shared-shorter", cc(b"max-age=1, s-maxage=3600"), "cached"),
    ("freshness-max-age-s-maxage-shared-shorter-expires", [(EXPIRES, at(-10)), (CC, b"max-age=0, s-maxage=3600")], "cached"),
    ("freshness-max-age-quoted", cc(b'max-age="3600"'), "cached"),
    ("freshness-max-age-single-quoted", cc(b"max-age='3600'"), "forwarded"),
    ("freshness-max-age-ignore-quoted", cc(b'extension="max-age=3600", max-age=1'), "forwarded"),
    ("freshness-max-age-ignore-quoted-rev", cc(b'max-age=1, extension="max-age=3600"'), "forwarded"),
    ("freshness-max-age-ignore-quoted-all", cc(b'extension="max-age=3600", max-age="1"'), "forwarded"),
    ("freshness-max-age-ignore-quoted-all-rev", cc(b'max-age="1", extension="max-age=3600"'), "forwarded"),
    ("freshness-max-age-leading-zero", cc(b"max-age=003600"), "cached"),
    ("freshness-max-age-decimal-zero", cc(b"max-age=3600.0"), "forwarded"),
    ("freshness-max-age-decimal-five", cc(b"max-age=3600.5"), "forwarded"),
    ("freshness-max-age-space-before-equals", cc(b"max-age =3600"), "forwarded"),
    ("freshness-max-age-space-after-equals", cc(b"max-age= 3600"), "forwarded"),
    ("freshness-max-age-a100", cc(b"max-age=a3600"), "forwarded"),
    ("freshness-max-age-100a", cc(b"max-age=3600a"), "forwarded"),
    ("freshness-max-age-multiple-line", [*cc(b"max-age=3600"), *cc(b"max-age=1800")], "cached"),
    ("freshness-max-age-multiple-directive", cc(b"max-age=3600, max-age=1800"), "cached"),
    ("freshness-max-age-two-stale-fresh-sameline", cc(b"max-age=1, max-age=1800"), "forwarded"),
    ("freshness-max-age-two-fresh-stale-sameline", cc(b"max-age=1800, max-age=1"), "forwarded"),
    ("freshness-max-age-two-stale-fresh-sepline", [*cc(b"max-age=1"), *cc(b"max-age=1800")], "forwarded"),
    ("freshness-max-age-two-fresh-stale-sepline", [*cc(b"max-age=1800"), *cc(b"max-age=1")], "forwarded"),
    # RFC 9111 s5.1: the first member counts and an invalid Age is ignored; the suite wants nine of these stale
    ("age-parse-nonnumeric", aged(b"abc"), "cached"),
    ("age-parse-negative", aged(b"-7200"), "cached"),
    ("age-parse-float", aged(b"7200.0"), "cached"),
    ("age-parse-suffix", aged(b"7200,0"), "forwarded"),
    ("age-parse-prefix", aged(b"0,7200"), "cached"),
    ("age-parse-suffix-twoline", aged(b"7200", b"0"), "forwarded"),
    ("age-parse-prefix-twoline", aged(b"0", b"7200"), "cached"),
    ("age-parse-dup-0", aged(b"0, 0"), "cached"),
    ("age-parse-dup-0-twoline", aged(b"0", b"0"), "cached"),
    ("age-parse-dup-old", [(CC, b"max-age=10000"), (AGE, b"3600, 3600")], "cached"),
    ("age-parse-parameter", aged(b"7200;foo=bar"), "cached"),
    ("age-parse-numeric-parameter", aged(b"7200;foo=111"), "cached"),
    ("freshness-expires-future", expiring(at(2_592_000)), "cached"),
    ("freshness-expires-past", expiring(at(-2_592_000)), "forwarded"),
    ("freshness-expires-present", expiring(at(0)), "forwarded"),
    ("freshness-expires-old-date", [(EXPIRES, at(300)), (DATE, at(400))], "forwarded"),
    ("freshness-expires-invalid", expiring(b"0"), "forwarded"),
    ("freshness-expires-invalid-date", [(EXPIRES, at(10)), (DATE, b"foo")], "cached"),
    ("freshness-expires-age-slow-date", [(EXPIRES, at(10)), (DATE, at(-10)), (AGE, b"25")], "forwarded"),
    ("freshness-expires-age-fast-date", [(EXPIRES, at(20)), (DATE, at(10)), (AGE, b"15")], "forwarded"),
    # checks: what is no HTTP-date means stale (RFC 9111 s5.3), upper and lower case is one (s4.2)
    ("freshness-expires-32bit", expiring(b"Tue 19 Jan 2038 14:14:08 GMT"), "forwarded"),
    ("freshness-expires-far-future", expiring(b"Sun 21 Nov 2286 04:46:39 GMT"), "forwarded"),
    ("freshness-expires-rfc850", expiring(b"Thursday, 18-Aug-50 02:01:18 GMT"), "cached"),
    ("freshness-expires-ansi-c", expiring(b"Thu Aug  8 02:01:18 2050"), "cached"),
    ("freshness-expires-wrong-case-weekday", expiring(b"THU, 18 Aug 2050 02:01:18 GMT"), "cached"),
    ("freshness-expires-wrong-case-month", expiring(b"Thu, 18 AUG 2050 02:01:18 GMT"), "cached"),
    ("freshness-expires-wrong-case-tz", expiring(b"Thu, 18 Aug 2050 02:01:18 gMT"), "cached"),
    ("freshness-expires-invalid-utc", expiring(b"Thu, 18 Aug 2050 02:01:18 UTC"), "forwarded"),
    ("freshness-expires-invalid-aest", expiring(b"Thu, 18 Aug 2050 02:01:18 AEST"), "forwarded"),
    ("freshness-expires-invalid-2-digit-year", expiring(b"Thu, 18 Aug 50 02:01:18 GMT"), "forwarded"),
    ("freshness-expires-invalid-no-comma", expiring(b"Thu 18 Aug 2050 02:01:18 GMT"), "forwarded"),
    ("freshness-expires-invalid-multiple-spaces", expiring(b"Thu, 18  Aug  2050 02:01:18 GMT"), "forwarded"),
    ("freshness-expires-invalid-date-dashes", expiring(b"Thu, 18-Aug-2050 02:01:18 GMT"), "forwarded"),
    ("freshness-expires-invalid-time-periods", expiring(b"Thu, 18 Aug 2050 02.01.18 GMT"), "forwarded"),
    ("freshness-expires-invalid-1-digit-hour", expiring(b"Thu, 18 Aug 2050 2:01:18 GMT"), "forwarded"),
    ("freshness-expires-invalid-multiple-lines", expiring(b"Thu, 18 Aug 2050 2:01:18 GMT", b"Thu, 18 Aug 2050 2:01:19 GMT"), "forwarded"),
    ("cc-resp-private-shared", cc(b"private, max-age=3600"), "forwarded"),
    ("cc-resp-no-store", cc(b"no-store"), "forwarded"),
    ("cc-resp-no-store-case-insensitive", cc(b"No-StOrE"), "forwarded"),
    ("cc-resp-no-store-fresh", [(CC, b"max-age=10000, no-store"), (EXPIRES, at(10_000))], "forwarded"),
    ("cc-resp-no-cache", [(CC, b"max-age=10000, no-cache"), (EXPIRES, at(10_000))], "forwarded"),
    ("cc-resp-no-cache-case-insensitive", [(CC, b"max-age=10000, No-CaChE"), (EXPIRES, at(10_000))], "forwarded"),
    ("cc-resp-no-cache-revalidate", [(CC, b"no-cache"), ETAG], "validated"),
    ("cc-resp-no-cache-revalidate-fresh", [(CC, b"max-age=10000, no-cache"), (EXPIRES, at(10_000)), ETAG], "validated"),
    ("headers-omit-headers-listed-in-Cache-Control-no-cache-single", [(CC, b'no-cache="a"'), (b"a", b"1"), (CC, b"max-age=3600")], "cached"),
    ("cc-resp-must-revalidate-fresh", [(CC, b"max-age=10000, must-revalidate"), ETAG], "cached"),
    ("cc-resp-must-revalidate-stale", [(CC, b"max-age=2, must-revalidate"), ETAG], "validated"),
    ("cc-resp-immutable-stale", [(CC, b"max-age=2, immutable"), ETAG], "validated"),
    ("pragma-response-no-cache", [(CC, b"max-age=3600"), (PRAGMA, b"no-cache")], "cached"),
    ("pragma-response-no-cache-heuristic", [(LM, at(-10_000)), (PRAGMA, b"no-cache")], "validated"),  # a check; see directives.py
    ("pragma-response-extension", [(CC, b"max-age=3600"), (PRAGMA, b"unrecognised-extension")], "cached"),
    ("surrogate-max-age", surrogate(b"max-age=3600"), "cached"),
    ("surrogate-max-age-max", surrogate(b"max-age=2147483648"), "cached"),
    ("surrogate-max-age-max-plus", surrogate(b"max-age=99999999999"), "cached"),
    ("surrogate-max-age-me-target", surrogate(b"max-age=3600;perigee"), "cached"),
    ("surrogate-max-age-other-target", surrogate(b"max-age=3600;not-for-you", (AGE, b"7200")), "forwarded"),
    ("surrogate-max-age-age", surrogate(b"max-age=3600", (AGE, b"7200")), "forwarded"),
    ("surrogate-max-age-space-before-equals", surrogate(b"max-age =100", (CC, b"max-age=1")), "forwarded"),
    ("surrogate-max-age-space-after-equals", surrogate(b"max-age= 100", (CC, b"max-age=1")), "forwarded"),
    ("surrogate-max-age-0", surrogate(b"max-age=0"), "forwarded"),
    ("surrogate-max-age-extension", surrogate(b"foobar, max-age=3600"), "cached"),
    ("surrogate-max-age-case-insensitive", surrogate(b"MaX-aGe=3600"), "cached"),
    ("surrogate-max-age-expires", surrogate(b"max-age=3600", (EXPIRES, at(-10_000))), "cached"),
    ("surrogate-max-age-cc-max-age-invalid-expires", surrogate(b"max-age=3600", (EXPIRES, b"0")), "cached"),
    ("surrogate-max-age-0-expires", surrogate(b"max-age=0", (EXPIRES, at(10_000))), "forwarded"),
    ("surrogate-max-age-short-cc-max-age", surrogate(b"max-age=3600", (CC, b"max-age=1")), "cached"),
    ("surrogate-max-age-long-cc-max-age", surrogate(b"max-age=1", (CC, b"max-age=3600")), "forwarded"),
    ("surrogate-no-store", surrogate(b"no-store"), "forwarded"),
    ("surrogate-no-store-cc-fresh", surrogate(b"no-store", (CC, b"max-age=10000"), (EXPIRES, at(10_000))), "forwarded"),
    ("surrogate-fresh-cc-nostore", surrogate(b"max-age=10000;perigee", (CC, b"no-store")), "cached"),
    ("other-set-cookie", [(CC, b"max-age=3600"), (b"Set-Cookie", b"a=b")], "forwarded"),  # by policy, see below
    ("other-heuristic-content-disposition-attachment", [(LM, at(-100_000)), (b"Content-Disposition", b"attachment")], "cached"),
]  # fmt: skip


def dated(lines):
    return lines if any(name == DATE for name, _ in lines) else [*lines, (DATE, at(0))]


@pytest.mark.parametrize("name,lines,word", FIRST_ANSWERS, ids=[row[0] for row in FIRST_ANSWERS])
def test_the_second_of_two_requests(name, lines, word):
    cache = SmallCache()
    origin = validating(200, *dated(lines))
    assert cache.ask(asking(), origin).word == "forwarded"
    cache.now += PAUSE
    assert cache.ask(asking(), origin).word == word


STATUSES = [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("offset,word", [(100_000, "cached"), (-5000, "forwarded")], ids=["fresh", "stale"])
def test_status_ids(status, offset, word):
    cache = SmallCache()
    origin = always(status, (EXPIRES, at(offset)), (LM, at(min(0, offset))), (DATE, at(0)))
    assert cache.ask(asking(), origin).word == "forwarded"
    assert cache.ask(asking(), origin).word == word


HEURISTICS = [
    *((status, (), "cached") for status in (200, 203, 204, 404, 405, 410, 414, 501)),
    *((status, (), "forwarded") for status in (201, 202, 403, 502, 503, 504, 599)),
    (599, ((CC, b"public"),), "cached"),
]


@pytest.mark.parametrize("status,more,word", HEURISTICS)
def test_heuristic_ids(status, more, word):
    cache = SmallCache()
    origin = always(status, (LM, at(-86_400)), (DATE, at(0)), *more)
    cache.ask(asking(), origin)
    assert cache.ask(asking(), origin).word == word


@pytest.mark.parametrize("delta", [30, 60, 300, 600, 1200, 1800, 3600, 43_200, 86_400])
def test_heuristic_delta_ids(delta):
    cache = SmallCache()
    origin = always(200, (LM, at(-delta)), (DATE, at(0)))
    cache.ask(asking(), origin)
    cache.now += PAUSE
    # a tenth of 30 s is over after 3 s
    assert cache.ask(asking(), origin).word == ("cached" if delta > 30 else "forwarded")


def test_status_599_must_understand():
    cache = SmallCache()
    origin = always(599, (CC, b"max-age=3600, must-understand"))
    cache.ask(asking(), origin)
    assert cache.ask(asking(), origin).word == "forwarded"


FRESH = [(EXPIRES, at(100_000)), (LM, at(0)), (DATE, at(0))]

SECOND_REQUESTS = [
    # id, fields of the first answer, seconds between, fields of the second request, where its answer comes from
    ("ccreq-ma0", FRESH, 3, [(CC, b"max-age=0")], "validated"),  # not_cached for the suite: its origin sends no 304 here
    ("ccreq-ma1", FRESH, 3, [(CC, b"max-age=1")], "validated"),
    ("ccreq-magreaterage", [(CC, b"max-age=3600"), (AGE, b"1800")], 0, [(CC, b"max-age=600")], "forwarded"),
    ("ccreq-max-stale", cc(b"max-age=1"), 3, [(CC, b"max-stale=1000")], "cached"),
    ("ccreq-max-stale-age", [(CC, b"max-age=1500"), (AGE, b"2000")], 0, [(CC, b"max-stale=1000")], "cached"),
    ("ccreq-min-fresh", cc(b"max-age=1500"), 0, [(CC, b"min-fresh=2000")], "forwarded"),
    ("ccreq-min-fresh-age", [(CC, b"max-age=1500"), (AGE, b"1000")], 0, [(CC, b"min-fresh=1000")], "forwarded"),
    ("ccreq-no-cache", cc(b"max-age=3600"), 0, [(CC, b"no-cache")], "forwarded"),
    ("ccreq-no-cache-lm", [(CC, b"max-age=3600"), (LM, at(-10_000))], 0, [(CC, b"no-cache")], "validated"),
    ("ccreq-no-cache-etag", [(CC, b"max-age=3600"), (b"ETag", b"abc")], 0, [(CC, b"no-cache")], "validated"),
    ("ccreq-no-store", cc(b"max-age=3600"), 0, [(CC, b"no-store")], "forwarded"),
    ("pragma-request-no-cache", cc(b"max-age=3600"), 0, [(PRAGMA, b"no-cache")], "forwarded"),  # a check, either way
    ("pragma-request-extension", cc(b"max-age=3600"), 0, [(PRAGMA, b"unrecognised-extension")], "cached"),
    ("other-cookie", cc(b"max-age=3600"), 0, [(b"Cookie", b"a=b")], "cached"),
    ("cc-resp-immutable-fresh", [(CC, b"max-age=10000, immutable"), ETAG], 3, [(CC, b"max-age=0")], "cached"),
]  # fmt: skip


@pytest.mark.parametrize(
    "name,lines,pause,asked,word", SECOND_REQUESTS, ids=[row[0] for row in SECOND_REQUESTS]
)
def test_request_ids(name, lines, pause, asked, word):
    cache = SmallCache()
    origin = validating(200, *dated(lines))
    cache.ask(asking(), origin)
    cache.now += pause
    assert cache.ask(asking(*asked), origin).word == word


def test_ccreq_oic():
    outcome = SmallCache().ask(asking((CC, b"only-if-cached")), always(200))
    assert (outcome.word, outcome.head) == ("refused", None)


AUTHORIZATION = [
    ("other-authorization", [(EXPIRES, at(2_592_000))], "forwarded"),
    ("other-authorization-public", cc(b"max-age=3600, public"), "cached"),
    ("other-authorization-must-revalidate", cc(b"max-age=3600, must-revalidate"), "cached"),
    ("other-authorization-smaxage", cc(b"s-maxage=3600"), "cached"),
]


@pytest.mark.parametrize("name,lines,word", AUTHORIZATION, ids=[row[0] for row in AUTHORIZATION])
def test_authorization_ids(name, lines, word):
    cache = SmallCache()
    cache.ask(asking((AUTH, b"FOO")), always(200, *dated(lines)))
    cache.now += PAUSE
    assert cache.ask(asking(), always(200, *dated(lines))).word == word


STALE = [
    # id, first answer, the origin afterwards, where the second answer comes from
    ("stale-close", cc(b"max-age=2"), drops, "cached"),
    ("stale-503", cc(b"max-age=2"), always(503), "cached"),
    ("stale-sie-close", cc(b"max-age=2, stale-if-error=60"), drops, "cached"),
    ("stale-sie-503", cc(b"max-age=2, stale-if-error=60"), always(503), "cached"),
    ("stale-close-must-revalidate", cc(b"max-age=2, must-revalidate"), drops, "failed"),
    ("stale-close-proxy-revalidate", cc(b"max-age=2, proxy-revalidate"), drops, "failed"),
    ("stale-close-no-cache", cc(b"max-age=2, no-cache"), drops, "failed"),
    ("stale-close-s-maxage=2", cc(b"max-age=2, s-maxage=2"), drops, "failed"),
    ("later suite: stale-while-revalidate", cc(b"max-age=1, stale-while-revalidate=3600"), drops, "cached"),
    ("later suite: stale-while-revalidate-window", cc(b"max-age=1, stale-while-revalidate=1"), always(200), "forwarded"),
]  # fmt: skip


@pytest.mark.parametrize("name,lines,later,word", STALE, ids=[row[0] for row in STALE])
def test_stale_ids(name, lines, later, word):
    cache = SmallCache()
    cache.ask(asking(), always(200, *dated(lines)))
    cache.now += PAUSE
    assert cache.ask(asking(), later).word == word


def test_set_cookie_ids_pass_where_the_site_stores_cookies():
    cache = SmallCache(SiteRules(store=StoreRules(set_cookie=SetCookieRule.STORE)))
    cache.ask(asking(), always(200, (CC, b"max-age=3600"), (b"Set-Cookie", b"a=b")))
    outcome = cache.ask(asking(), drops)
    assert outcome.word == "cached"
    assert outcome.head is not None
    assert outcome.head.fields.get(b"set-cookie") == b"a=b"


def test_304_etag_update_response_etag():
    """The 304 has another ETag than the one it answers to. The stored one stays, and is fresh again."""
    cache = SmallCache()
    cache.ask(asking(), always(200, (CC, b"max-age=2"), (b"ETag", b'"abcdef"'), (DATE, at(0))))
    cache.now += PAUSE
    for word in ("validated", "cached"):
        outcome = cache.ask(asking(), always(304, (CC, b"max-age=2"), (b"ETag", b'"ghijkl"'), (DATE, at(3))))
        assert outcome.word == word
        assert outcome.head is not None
        assert outcome.head.fields.get(b"etag") == b'"abcdef"'


def test_method_post():
    cache = SmallCache()
    answer = always(200, (EXPIRES, at(2_592_000)), (DATE, at(0)), (b"Content-Location", b"/a/b?c"))
    cache.ask(asking(method=b"POST"), answer)
    assert cache.ask(asking(), drops).word == "cached"
    assert cache.ask(asking(method=b"POST"), answer).word == "forwarded"


def test_head_200_ids():
    cache = SmallCache()
    cache.ask(asking(), always(200, (CC, b"max-age=2"), (b"Template-A", b"1"), (DATE, at(0))))
    cache.now += PAUSE
    head = cache.ask(
        asking(method=b"HEAD"), always(200, (b"Template-A", b"2"), (CC, b"max-age=1000"), (DATE, at(3)))
    )
    assert head.word == "forwarded"
    outcome = cache.ask(asking(), drops)
    assert outcome.word == "cached"
    assert outcome.head is not None
    assert outcome.head.fields.get(b"template-a") == b"2"


VARY = [
    # id, Vary lines, first request, second request, where its answer comes from
    ("vary-match", [b"Foo"], [(b"Foo", b"1")], [(b"Foo", b"1")], "cached"),
    ("vary-no-match", [b"Foo"], [(b"Foo", b"1")], [(b"Foo", b"2")], "forwarded"),
    ("vary-omit-stored", [b"Foo"], [], [(b"Foo", b"1")], "forwarded"),
    ("vary-omit", [b"Foo"], [(b"Foo", b"1")], [], "forwarded"),
    ("vary-star", [b"*"], [], [], "forwarded"),
    ("vary-syntax-empty-star-lines", [b"", b"*"], [], [], "forwarded"),
]


@pytest.mark.parametrize("name,values,first,second,word", VARY, ids=[row[0] for row in VARY])
def test_vary_ids(name, values, first, second, word):
    cache = SmallCache()
    origin = always(
        200, (EXPIRES, at(5000)), (LM, at(-3000)), (DATE, at(0)), *((b"Vary", value) for value in values)
    )
    cache.ask(asking(*first), origin)
    assert cache.ask(asking(*second), origin).word == word


def test_conditional_etag_vary_headers_mismatch():
    cache = SmallCache()
    origin = validating(200, (EXPIRES, at(1)), ETAG, (DATE, at(0)), (b"Vary", b"Abc"))
    cache.ask(asking((b"Abc", b"123")), origin)
    cache.now += PAUSE
    assert cache.ask(asking((b"Abc", b"456")), origin).word == "validated"
