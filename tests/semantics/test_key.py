"""Cache keys: no two requests that an origin may tell apart share one, no two that it may not miss each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.key import (
    BadTarget,
    canonical_target,
    cookie_values,
    has_unkeyed_cookie,
    keyed_cookies,
    matches,
    nominate,
    primary_key,
    variant_digest,
)
from edge.semantics.message import EMPTY, Authority, Fields, Line, RequestHead
from edge.semantics.rules import KeyRules, QueryRule, VaryRules

HERE = Authority(b"http", b"a.example", 80)
PLAIN = KeyRules()
VARY = VaryRules()
KNOWN = VARY.encodings


def asking(*lines: Line) -> RequestHead:
    return RequestHead(b"GET", HERE, b"/", Fields(lines))


# --- targets ---------------------------------------------------------------------------------------------------------

REFUSED = [
    b"/../a",
    b"/a/../b",
    b"/a/..",
    b"/a/./b",
    b"/.",
    b"/a/.?x=1",
    b"/%2e%2e/a",
    b"/a/%2E%2e",
    b"/a/.%2e/b",
    b"/a/%2E./b",
    b"/%2e",
    b"//./a",
]


@pytest.mark.parametrize("target", REFUSED)
def test_a_dot_segment_in_the_path_is_refused_with_400(target):
    with pytest.raises(BadTarget) as refused:
        canonical_target(target, PLAIN)
    assert refused.value.status == 400


KEPT = [
    b"*",
    b"/",
    b"/a?",
    b"/a",
    b"/a%2Fb",
    b"/a%2fb",
    b"/a/b",
    b"/a;b",
    b"/a%3Bb",
    b"/.../a",
    b"/.well-known/x",
    b"/..;/a",
    b"/a/..%2fb",
    b"/a/%2ehidden",
    b"//a//b",
    b"/a?b=/../c",
    b"/a?b=/./c",
    b"/a?b=1&a=2",
    b"/a?a=2&b=1",
    b"/%E2%82%AC",
    b"/A",
]


@pytest.mark.parametrize("target", KEPT)
def test_a_target_is_kept_byte_for_byte(target):
    assert canonical_target(target, PLAIN) == target


def test_targets_that_differ_in_one_byte_have_different_keys():
    assert len({primary_key(HERE, target, PLAIN) for target in KEPT}) == len(KEPT)


ALLOW_A = KeyRules(query=QueryRule.ALLOW, query_names=frozenset((b"a",)))
DENY_A = KeyRules(query=QueryRule.DENY, query_names=frozenset((b"a",)))
QUERIES = [
    # rule, target, canonical
    (KeyRules(query=QueryRule.NONE), b"/p?a=1", b"/p"),
    (KeyRules(query=QueryRule.NONE), b"/p?", b"/p"),
    (KeyRules(query=QueryRule.NONE), b"/p", b"/p"),
    (KeyRules(query=QueryRule.SORTED), b"/p?b=1&a=2&b=0", b"/p?a=2&b=1&b=0"),
    (KeyRules(query=QueryRule.SORTED), b"/p?", b"/p?"),
    (KeyRules(query=QueryRule.SORTED), b"/p?ab=1&a=2", b"/p?a=2&ab=1"),
    (KeyRules(query=QueryRule.SORTED), b"/p?a?b&A", b"/p?A&a?b"),
    (ALLOW_A, b"/p?b=1&a=2&a=1&c", b"/p?a=2&a=1"),
    (ALLOW_A, b"/p?a", b"/p?a"),
    (ALLOW_A, b"/p?b=1", b"/p"),
    (ALLOW_A, b"/p?%61=1", b"/p"),
    (ALLOW_A, b"/p?A=1", b"/p"),
    (DENY_A, b"/p?b=1&a=2&c", b"/p?b=1&c"),
    (DENY_A, b"/p?a=1", b"/p"),
    (DENY_A, b"/p?", b"/p?"),
    (DENY_A, b"/p?%61=1", b"/p?%61=1"),
]


@pytest.mark.parametrize(("rules", "target", "canonical"), QUERIES)
def test_the_query_is_cut_to_the_sites_rule(rules, target, canonical):
    assert canonical_target(target, rules) == canonical
    assert primary_key(HERE, target, rules) == primary_key(HERE, canonical, rules)


TARGETS = st.lists(
    st.sampled_from([b"a", b"b", b"=", b"&", b"?", b"/", b".", b"%2e", b";"]), max_size=12
).map(lambda parts: b"/" + b"".join(parts))


@given(TARGETS, st.sampled_from(QueryRule), st.frozensets(st.sampled_from([b"a", b"b", b""])))
def test_making_a_target_canonical_twice_changes_nothing(target, query, names):
    rules = KeyRules(query=query, query_names=names)
    try:
        once = canonical_target(target, rules)
    except BadTarget:
        return
    assert canonical_target(once, rules) == once
    assert primary_key(HERE, once, rules) == primary_key(HERE, target, rules)


# --- primary keys ----------------------------------------------------------------------------------------------------

PIECE = st.binary(max_size=4)
TUPLES = st.tuples(
    PIECE, PIECE, st.integers(1, 65535), PIECE, st.lists(PIECE, max_size=2), st.lists(PIECE, max_size=2)
)


@given(TUPLES, TUPLES)
def test_two_keys_are_equal_only_when_every_part_is(one, other):
    rules = KeyRules(headers=(b"x", b"y"))

    def key(parts: tuple[bytes, bytes, int, bytes, list[bytes], list[bytes]]) -> tuple[bytes, bytes]:
        scheme, host, port, target, xs, ys = parts
        fields = Fields([*((b"X", x) for x in xs), *((b"Y", y) for y in ys)])
        here = Authority(scheme, host, port)
        path = b"/" + target.replace(b".", b"")
        return primary_key(here, path, rules), variant(here, fields, rules)

    same = all(a == b or (i == 3 and a.replace(b".", b"") == b.replace(b".", b"")) for i, (a, b) in enumerate(zip(one, other, strict=True)))  # fmt: skip
    assert (key(one) == key(other)) is same


def variant(here: Authority, fields: Fields, rules: KeyRules) -> bytes:
    nominated = nominate((), RequestHead(b"GET", here, b"/", fields), VaryRules(), rules)
    assert nominated is not None
    return variant_digest(nominated)


BY_HEADER = KeyRules(headers=(b"x-device",))
BY_COOKIE = KeyRules(cookies=(b"lang", b"tier"))
DIFFERENT = [
    # rules, fields, fields
    (BY_HEADER, [], [(b"X-Device", b"")]),
    (BY_HEADER, [(b"X-Device", b"a")], [(b"X-Device", b"b")]),
    (BY_HEADER, [(b"X-Device", b"a"), (b"X-Device", b"b")], [(b"X-Device", b"a, b")]),
    (BY_COOKIE, [], [(b"Cookie", b"lang=")]),
    (BY_COOKIE, [(b"Cookie", b"lang=de")], [(b"Cookie", b"tier=de")]),
    (BY_COOKIE, [(b"Cookie", b"lang=de")], [(b"Cookie", b"lang=de; lang=en")]),
    (BY_COOKIE, [(b"Cookie", b"lang=1=2")], [(b"Cookie", b"lang=1")]),
]
SAME = [
    (PLAIN, [], [(b"X-Device", b"a"), (b"Cookie", b"lang=de")]),
    (BY_HEADER, [(b"X-Device", b"a")], [(b"x-device", b"a"), (b"Cookie", b"lang=de")]),
    (BY_COOKIE, [(b"Cookie", b"lang=de")], [(b"Cookie", b"x=1;lang=de ; y=2")]),
    (BY_COOKIE, [(b"Cookie", b"lang=de; tier=1")], [(b"Cookie", b"tier=1"), (b"cookie", b"lang=de")]),
]


@pytest.mark.parametrize(("rules", "one", "other"), DIFFERENT)
def test_what_the_site_keys_on_tells_requests_apart(rules, one, other):
    assert variant(HERE, Fields(one), rules) != variant(HERE, Fields(other), rules)


@pytest.mark.parametrize(("rules", "one", "other"), SAME)
def test_what_the_site_does_not_key_on_does_not(rules, one, other):
    assert variant(HERE, Fields(one), rules) == variant(HERE, Fields(other), rules)


def test_a_uri_has_one_key_whatever_the_request_carries():
    """What is forgotten by URI is forgotten for every value of the key headers and cookies."""
    one, other = (
        RequestHead(b"GET", HERE, b"/a", Fields([(b"X-Device", device)])) for device in (b"a", b"b")
    )
    nominated = nominate((), one, VaryRules(), BY_HEADER)
    assert nominated == ((b":h:x-device", b"1:a"),)
    assert matches(nominated, one, VaryRules())
    assert not matches(nominated, other, VaryRules())


def test_what_was_stored_under_another_rule_is_not_found():
    """Else a site that begins to key on a header would serve one client's response to all."""
    assert primary_key(HERE, b"/a", BY_HEADER) != primary_key(HERE, b"/a", PLAIN)


def test_key_and_vary_are_nominated_together():
    request = RequestHead(b"GET", HERE, b"/a", Fields([(b"X-Device", b"a"), (b"Foo", b"1")]))
    nominated = nominate([b"Foo"], request, VaryRules(), BY_HEADER)
    assert nominated == ((b":h:x-device", b"1:a"), (b"foo", b"1"))


def test_cookies_are_read_from_every_line():
    fields = Fields([(b"Cookie", b"a=1; b=2;;a"), (b"cookie", b" a=3")])
    assert cookie_values(fields, b"a") == [b"1", b"", b"3"]


def test_only_keyed_cookies_are_kept_for_the_origin():
    fields = Fields([(b"Cookie", b"sid=secret; tier=gold"), (b"Cookie", b"lang=de")])
    assert keyed_cookies(fields, BY_COOKIE) == b"tier=gold; lang=de"
    assert keyed_cookies(fields, PLAIN) is None


@pytest.mark.parametrize(
    ("cookie", "rules", "unkeyed"),
    [
        (None, PLAIN, False),
        (b"", PLAIN, False),
        (b"a=1", PLAIN, True),
        (b"lang=de", BY_COOKIE, False),
        (b"lang=de; sid=1", BY_COOKIE, True),
        (b"a=1", KeyRules(headers=(b"cookie",)), False),
    ],
)
def test_a_cookie_outside_the_key_is_noticed(cookie, rules, unkeyed):
    fields = EMPTY if cookie is None else Fields([(b"Cookie", cookie)])
    assert has_unkeyed_cookie(fields, rules) is unkeyed
