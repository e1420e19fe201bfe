"""Fields on their way in and out: nothing a client may not say, everything we have to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from edge.semantics.forwarding import (
    MAX_HOPS,
    ORDINARY,
    UNTRUSTED,
    authority_seen_by_client,
    cleaned_request,
    client_address,
    edited,
    ends_here,
    forwarded,
    is_trusted,
    loops,
    pseudonym,
    request_to_upstream,
    response_from_origin,
    response_to_client,
    verified_hops,
    via_line,
    without_untrusted,
)
from edge.semantics.message import Authority, Fields, Line, RequestHead
from edge.semantics.rules import (
    CookieRule,
    HeaderEdit,
    HeaderRules,
    KeyRules,
    QueryRule,
    SetCookieRule,
    SiteRules,
    StoreRules,
    VaryRules,
)
from edge.semantics.validation import CONDITIONALS
from tests.kit.stored_responses import HERE, NOW, answered, asking

SITE = SiteRules()

# --- what no client may say ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *sorted(UNTRUSTED),
        *(b"x-forwarded-for", b"x-forwarded-anything", b"perigee-need", b"X-Rewrite-URL"),
        *(b"x_forwarded_for", b"X_Rewrite-URL", b"perigee_need", b"Transfer_Encoding", b"accept_encoding"),
    ],
)
def test_a_field_that_is_not_in_the_key_and_steers_origins_is_removed(name):
    request = asking((b"Accept", b"*/*"), (name, b"evil"), (name.upper(), b"again"))
    assert cleaned_request(request, SITE) == asking((b"Accept", b"*/*"))


def test_a_clean_request_is_the_same_object():
    request = asking((b"Accept", b"*/*"), (b"Cookie", b"a=1"), (b"Via", b"1.1 x"), (b"CDN-Loop", b"x"))
    assert cleaned_request(request, SITE) is request
    request = asking((b"Accept-Encoding", b"gzip"), (b"api_key", b"1"))
    assert cleaned_request(request, SITE) is request
    assert cleaned_request(asking(target=b"/a/../b"), SITE).target == b"/a/../b"


def test_a_field_in_the_key_passes_but_an_internal_one_never():
    rules = SiteRules(key=KeyRules(headers=(b"x-forwarded-proto", b"x-real-ip", b"perigee-need")))
    kept = ((b"X-Forwarded-Proto", b"https"), (b"X-Real-IP", b"1.2.3.4"))
    request = asking(*kept, (b"X-Forwarded-For", b"1.2.3.4"), (b"Perigee-Need", b"1"))
    assert cleaned_request(request, rules) == asking(*kept)
    assert cleaned_request(asking(*kept), rules) == asking(*kept)


def test_the_target_becomes_canonical():
    rules = SiteRules(key=KeyRules(query=QueryRule.NONE))
    assert cleaned_request(asking(target=b"/a?b"), rules).target == b"/a"


STRIP = StoreRules(cookie=CookieRule.STRIP)
COOKIES = [
    # rules, Cookie sent, Cookie seen behind
    (SiteRules(), b"a=1; b=2", b"a=1; b=2"),
    (SiteRules(store=STRIP), b"a=1; b=2", None),
    (SiteRules(store=STRIP, key=KeyRules(cookies=(b"b",))), b"a=1; b=2", b"b=2"),
    (SiteRules(store=STRIP, key=KeyRules(headers=(b"cookie",))), b"a=1", b"a=1"),
    (SiteRules(store=STRIP), None, None),
]


@pytest.mark.parametrize(("rules", "sent", "seen"), COOKIES)
def test_cookies_outside_the_key_are_stripped_where_the_site_says_so(rules, sent, seen):
    request = asking() if sent is None else asking((b"Cookie", sent))
    assert cleaned_request(request, rules).fields.get(b"cookie") == seen


# --- towards the next tier -------------------------------------------------------------------------------------------

OURS: list[Line] = [
    (b"X-Forwarded-For", b"192.0.2.1"),
    (b"X-Forwarded-Proto", b"https"),
    (b"X-Forwarded-Host", b"a.example"),
    (b"Forwarded", b"for=192.0.2.1;proto=https;host=a.example"),
    (b"Surrogate-Capability", b'perigee="Surrogate/1.0"'),
]
LAST: list[Line] = [(b"Via", b"1.1 fra-1"), (b"CDN-Loop", b"perigee.example")]
PARTS: list[Line] = [
    (b"If-None-Match", b'"x"'),
    (b"If-Modified-Since", b"x"),
    (b"If-Match", b'"x"'),
    (b"If-Unmodified-Since", b"x"),
    (b"If-Range", b'"x"'),
    (b"Range", b"bytes=0-1"),
]


def to_upstream(request: RequestHead, rules: SiteRules = SITE, **more: object) -> list[Line]:
    fields = request_to_upstream(
        request, rules, hops=("192.0.2.1",), via=b"fra-1", cdn_id=b"perigee.example", **more  # type: ignore[arg-type]
    )  # fmt: skip
    return list(fields.lines)


def test_the_next_tier_hears_of_the_client_and_of_us():
    assert to_upstream(asking((b"Accept", b"*/*"))) == [(b"Accept", b"*/*"), *OURS, *LAST]


def test_via_and_cdn_loop_are_appended():
    sent = to_upstream(asking((b"Via", b"1.0 x"), (b"CDN-Loop", b"other"), method=b"POST"))
    assert Fields(sent).combined(b"via") == b"1.0 x, 1.1 fra-1"
    assert Fields(sent).combined(b"cdn-loop") == b"other, perigee.example"
    old = RequestHead(b"GET", HERE, b"/", Fields(), minor=0)
    assert Fields(to_upstream(old)).get(b"via") == b"1.0 fra-1"


def test_a_fill_asks_for_the_whole_on_our_own_conditions():
    mine = ((b"If-None-Match", b'"ours"'),)
    assert to_upstream(asking(*PARTS), conditional=mine) == [*OURS, *mine, *LAST]
    assert to_upstream(asking(*PARTS), keep_client_conditionals=True) == [*PARTS, *OURS, *LAST]


def test_accept_encoding_is_sent_in_the_form_that_is_compared():
    sent = asking((b"Accept-Encoding", b"gzip, evil"), (b"Accept-Language", b"de, en"))
    assert Fields(to_upstream(sent)).all(b"accept-encoding") == (b"gzip",)
    assert Fields(to_upstream(sent)).all(b"accept-language") == (b"de, en",)
    as_it_came = SiteRules(vary=VaryRules(normalise={}))
    assert Fields(to_upstream(sent, as_it_came)).all(b"accept-encoding") == (b"gzip, evil",)
    unsafe = asking((b"Accept-Encoding", b"gzip, evil"), method=b"POST")
    assert Fields(to_upstream(unsafe)).all(b"accept-encoding") == (b"gzip, evil",)
    lines = asking((b"Accept-Encoding", b"br"), (b"Accept-Encoding", b"br"))
    assert Fields(to_upstream(lines)).all(b"accept-encoding") == (b"br",)


def test_a_keyed_field_goes_as_the_client_sent_it():
    rules = SiteRules(key=KeyRules(headers=(b"x-forwarded-host",)))
    sent = to_upstream(asking((b"X-Forwarded-Host", b"other")), rules)
    assert Fields(sent).all(b"x-forwarded-host") == (b"other",)


EDITS = HeaderRules(
    to_origin=HeaderEdit(
        remove=frozenset((b"x-forwarded-for", b"cdn-loop", b"accept")),
        set=((b"X-Key", b"1"), (b"Host", b"x"), (b"Content-Length", b"0")),
        add=((b"X-More", b"2"), (b"Transfer-Encoding", b"chunked")),
    )
)


def test_the_sites_edits_touch_neither_framing_nor_cdn_loop():
    request = asking((b"Accept", b"*/*"), (b"CDN-Loop", b"other"), (b"X-Key", b"0"))
    sent = to_upstream(request, SiteRules(headers=EDITS))
    assert sent == [(b"CDN-Loop", b"other"), *OURS[1:], (b"X-Key", b"1"), (b"X-More", b"2"), *LAST]


def test_the_sites_edits_are_left_to_the_tier_next_to_the_origin():
    assert to_upstream(asking(), SiteRules(headers=EDITS), tier=True) == [*OURS, *LAST]


@pytest.mark.parametrize(
    ("method", "sent", "onward", "ends"),
    [
        (b"OPTIONS", b"2", b"1", False),
        (b"OPTIONS", b"0", b"0", True),
        (b"TRACE", b"00", b"00", True),
        (b"OPTIONS", b"x", b"x", False),
        (b"OPTIONS", b"9" * 10, b"9" * 10, False),
        (b"OPTIONS", b"", b"", False),
        (b"OPTIONS", None, None, False),
        (b"GET", b"0", b"0", False),
    ],
)
def test_max_forwards_counts_down(method, sent, onward, ends):
    request = asking(method=method) if sent is None else asking((b"Max-Forwards", sent), method=method)
    assert ends_here(request) is ends
    assert Fields(to_upstream(request)).get(b"max-forwards") == onward


LOOPS = [
    # RFC 8586 s2: CDN-Loop lines, verdict
    ([], False),
    ([b"other"], False),
    ([b"perigee.example"], True),
    ([b"PERIGEE.example; v=1"], True),
    ([b'other; a="b, perigee.example", x'], False),
    ([b"other, perigee.example ;x"], True),
    ([b"other", b"perigee.example"], True),
    ([b"not-perigee.example"], False),
    ([b", ".join([b"other"] * MAX_HOPS)], False),
    ([b", ".join([b"other"] * (MAX_HOPS + 1))], True),
]


@pytest.mark.parametrize(("lines", "verdict"), LOOPS)
def test_a_request_that_was_here_before_is_noticed(lines, verdict):
    assert loops(Fields((b"CDN-Loop", line) for line in lines), b"perigee.example") is verdict


def test_a_name_that_via_cannot_carry_is_changed_the_same_way_everywhere():
    assert pseudonym(b"my node, x") == b"my-node--x"
    assert pseudonym(b"") == b"perigee"
    assert via_line(b"my node") == (b"Via", b"1.1 my-node")
    assert loops(Fields([(b"CDN-Loop", pseudonym(b"my node"))]), b"my node")


# --- who is asking ---------------------------------------------------------------------------------------------------

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
HOPS = [
    # name, peer, X-Forwarded-For lines, hops
    ("no proxy", "192.0.2.9", [], ("192.0.2.9",)),
    ("an untrusted peer's words", "192.0.2.9", [b"1.1.1.1"], ("192.0.2.9",)),
    ("a trusted peer", "10.0.0.1", [b"1.1.1.1"], ("1.1.1.1", "10.0.0.1")),
    ("only the part that is vouched for", "10.0.0.1", [b"6.6.6.6, 1.1.1.1"], ("1.1.1.1", "10.0.0.1")),
    ("two proxies", "10.0.0.1", [b"6.6.6.6, 1.1.1.1, 10.0.0.2"], ("1.1.1.1", "10.0.0.2", "10.0.0.1")),
    ("several lines", "10.0.0.1", [b"1.1.1.1", b"10.0.0.2"], ("1.1.1.1", "10.0.0.2", "10.0.0.1")),
    ("all trusted", "10.0.0.1", [b"10.0.0.3"], ("10.0.0.3", "10.0.0.1")),
    ("none said", "10.0.0.1", [], ("10.0.0.1",)),
    ("nonsense ends it", "10.0.0.1", [b"1.1.1.1, unknown, 10.0.0.2"], ("10.0.0.2", "10.0.0.1")),
    ("nonsense ends it", "10.0.0.1", [b"1.1.1"], ("10.0.0.1",)),
    (
        "ports and brackets",
        "fd00::1",
        [b"[2001:db8::1]:443, 10.0.0.2:80"],
        ("2001:db8::1", "10.0.0.2", "fd00::1"),
    ),
    ("zone", "10.0.0.1", [b'fe80::1%";x'], ("fe80::1", "10.0.0.1")),
    ("IPv4 in IPv6", "::ffff:10.0.0.1", [b"::ffff:1.1.1.1"], ("1.1.1.1", "::ffff:10.0.0.1")),
    (
        "bounded",
        "10.0.0.1",
        [b"10.0.0.2, " * 99 + b"10.0.0.2"],
        ("10.0.0.2",) * (MAX_HOPS - 1) + ("10.0.0.1",),
    ),
    ("a socket without an address", "", [b"1.1.1.1"], ("",)),
]


@pytest.mark.parametrize(("name", "peer", "lines", "hops"), HOPS)
def test_addresses_are_believed_as_far_as_they_are_vouched_for(name, peer, lines, hops):
    fields = Fields((b"X-Forwarded-For", line) for line in lines)
    assert verified_hops(peer, fields, TRUSTED) == hops
    assert client_address(peer, fields, TRUSTED) == hops[0]
    assert verified_hops(peer, fields, []) == (peer,)


def test_trust_is_by_network():
    assert is_trusted("10.1.2.3", TRUSTED)
    assert not is_trusted("11.1.2.3", TRUSTED)
    assert not is_trusted("10.1.2.3", [])
    assert not is_trusted("localhost", TRUSTED)


FORWARDED = [
    # RFC 7239 s4, s6
    (("192.0.2.1",), b"a.example", b"for=192.0.2.1;proto=https;host=a.example"),
    (
        ("192.0.2.1", "10.0.0.1"),
        b"a.example:8",
        b'for=192.0.2.1, for=10.0.0.1;proto=https;host="a.example:8"',
    ),
    (("2001:db8::1",), b"[::1]", b'for="[2001:db8::1]";proto=https;host="[::1]"'),
    (("::ffff:10.0.0.1",), b"a", b"for=10.0.0.1;proto=https;host=a"),
    (("",), b"a", b"for=unknown;proto=https;host=a"),
]


@pytest.mark.parametrize(("hops", "host", "value"), FORWARDED)
def test_forwarded_has_an_element_a_hop(hops, host, value):
    assert forwarded(hops, b"https", host) == value


PLAIN, SECURE = Authority(b"http", b"a", 80), Authority(b"https", b"a", 443)
SCHEMES = [
    (PLAIN, [], PLAIN),
    (PLAIN, [b"https"], SECURE),
    (PLAIN, [b"http, HTTPS"], SECURE),
    (PLAIN, [b"https, http"], PLAIN),
    (PLAIN, [b"ftp"], PLAIN),
    (SECURE, [b"http"], PLAIN),
    (Authority(b"http", b"a", 8080), [b"https"], Authority(b"https", b"a", 8080)),
]


@pytest.mark.parametrize(("authority", "lines", "seen"), SCHEMES)
def test_a_trusted_proxy_may_say_which_scheme_the_client_used(authority, lines, seen):
    assert authority_seen_by_client(authority, Fields((b"X-Forwarded-Proto", line) for line in lines)) == seen


# --- responses -------------------------------------------------------------------------------------------------------


def test_a_response_without_a_date_gets_one():
    dated = answered((b"Date", b"x"))
    assert response_from_origin(dated, SITE, NOW) is dated
    assert response_from_origin(answered(), SITE, NOW) == answered(
        (b"Date", b"Tue, 24 Nov 2026 06:40:00 GMT")
    )


def test_the_sites_rules_are_applied_before_a_response_is_judged():
    rules = SiteRules(
        headers=HeaderRules(from_origin=HeaderEdit(remove=frozenset((b"pragma",)), set=((b"Cache-Control", b"max-age=9"),))),
        store=StoreRules(set_cookie=SetCookieRule.STRIP),
    )  # fmt: skip
    head = answered(
        (b"Date", b"x"), (b"Pragma", b"x"), (b"cache-control", b"no-store"), (b"Set-Cookie", b"a=1")
    )
    assert response_from_origin(head, rules, NOW) == answered(
        (b"Date", b"x"), (b"Cache-Control", b"max-age=9")
    )
    from_tier = answered((b"Date", b"x"), (b"Pragma", b"x"), (b"cache-control", b"no-store"))
    assert response_from_origin(head, rules, NOW, tier=True) == from_tier
    kept = answered((b"Date", b"x"), (b"Set-Cookie", b"a=1"))
    assert response_from_origin(kept, SITE, NOW) is kept


HIDDEN: list[Line] = [
    (b"Surrogate-Control", b"max-age=1"),
    (b"Surrogate-Key", b"a b"),
    (b"Cache-Tag", b"a,b"),
    (b"xkey", b"a"),
    (b"Edge-Cache-Tag", b"a"),
    (b"Perigee-CDN-Cache-Control", b"max-age=1"),
    (b"Perigee-Fence", b"1"),
]
SHOWN: list[Line] = [(b"ETag", b'"a"'), (b"CDN-Cache-Control", b"max-age=1"), (b"Cache-Groups", b'"a"')]


def test_what_is_for_our_tiers_does_not_reach_a_client():
    stored = Fields([*HIDDEN, *SHOWN])
    assert response_to_client(stored, SITE, via=via_line(b"fra-1")) == Fields(
        [*SHOWN, (b"Via", b"1.1 fra-1")]
    )
    assert response_to_client(stored, SITE, tier=True) is stored
    assert response_to_client(Fields(HIDDEN[-1:]), SITE) == Fields()
    shown = Fields(SHOWN)
    assert response_to_client(shown, SITE) is shown


def test_the_sites_edits_of_a_response_are_for_clients():
    rules = SiteRules(headers=HeaderRules(to_client=HeaderEdit(add=((b"X-Served-By", b"us"),))))
    assert response_to_client(Fields(), rules) == Fields([(b"X-Served-By", b"us")])
    assert response_to_client(Fields(), rules, tier=True) == Fields()


def test_edits_are_remove_then_set_then_add():
    fields = Fields([(b"A", b"1"), (b"B", b"1"), (b"b", b"2")])
    edit = HeaderEdit(remove=frozenset((b"a",)), set=((b"B", b"3"),), add=((b"A", b"4"), (b"B", b"5")))
    assert edited(fields, edit) == Fields([(b"B", b"3"), (b"A", b"4"), (b"B", b"5")])
    assert edited(fields, HeaderEdit()) is fields


def test_what_is_ordinary_needs_no_second_look():
    asked = [(name, b"1") for name in sorted(ORDINARY)]
    assert not ORDINARY & (UNTRUSTED | CONDITIONALS | {b"range", b"cache-control", b"pragma", b"cdn-loop"})
    for line in asked:
        alone = Fields([line, (b"X-Harmless", b"1")])
        assert without_untrusted(alone, KeyRules()) is alone, line
