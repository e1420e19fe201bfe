"""Vary: which stored response may answer which request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.key import (
    MAX_NOMINATED,
    NO_VARIANT,
    accept_encoding,
    encoding_form,
    language_form,
    matches,
    nominate,
    preferred_language,
    variant_digest,
)
from edge.semantics.message import EMPTY, Authority, Fields, Line, RequestHead
from edge.semantics.rules import VaryNormal, VaryRules

HERE = Authority(b"http", b"a.example", 80)
VARY = VaryRules()
KNOWN = VARY.encodings
PIECE = st.binary(max_size=4)


def asking(*lines: Line) -> RequestHead:
    return RequestHead(b"GET", HERE, b"/", Fields(lines))


NEVER = [  # http-cache-tests vary-syntax-*, RFC 9111 s4.1
    [b"*"],
    [b"*, *"],
    [b"*", b"*"],
    [b", *"],
    [b"", b"*"],
    [b"*, Foo"],
    [b"Foo, *"],
    [b"Foo bar"],
    [b'"foo"'],
    [b",".join(b"x-%d" % n for n in range(MAX_NOMINATED + 1))],
]


@pytest.mark.parametrize("lines", NEVER)
def test_a_star_or_nonsense_anywhere_in_vary_never_matches(lines):
    assert nominate(lines, asking(), VARY) is None


def test_vary_is_resolved_against_the_request():
    request = asking((b"foo", b"1"))
    assert nominate([b"Foo, ,BAR", b"foo"], request, VARY) == ((b"bar", None), (b"foo", b"1"))
    assert nominate([], request, VARY) == ()
    assert nominate([b" , "], request, VARY) == ()
    assert nominate([b",".join(b"x-%d" % n for n in range(MAX_NOMINATED))], request, VARY) is not None


RAW = VaryRules(normalise={b"foo": VaryNormal.RAW, b"accept-language": VaryNormal.RAW})
FOO, AE, AL = b"Foo", b"Accept-Encoding", b"Accept-Language"
MATCHES = [
    # http-cache-tests id or RFC, rules, field, stored request's lines, presented request's lines, verdict
    ("vary-match", VARY, FOO, [b"1"], [b"1"], True),
    ("vary-no-match", VARY, FOO, [b"1"], [b"2"], False),
    ("vary-omit-stored", VARY, FOO, [], [b"1"], False),
    ("vary-omit", VARY, FOO, [b"1"], [], False),
    ("vary-3-omit", VARY, FOO, [], [], True),
    ("9111 s4.1 empty is not absent", VARY, FOO, [b""], [], False),
    ("9111 s4.1 case counts", VARY, FOO, [b"a"], [b"A"], False),
    ("vary-normalise-combine", VARY, FOO, [b"1, 2"], [b"1", b"2"], True),
    ("vary-normalise-space", VARY, FOO, [b"1,2"], [b"1, 2"], True),
    ("9110 s5.6.1 inner space counts", VARY, FOO, [b"1 2"], [b"12"], False),
    ("9110 s5.6.4 quoted comma", VARY, FOO, [b'"1,2"'], [b'"1, 2"'], False),
    ("9110 s5.6.4 quoted, the same", VARY, FOO, [b'"1,2"'], [b'"1,2"'], True),
    ("raw by rule", RAW, FOO, [b"1,2"], [b"1, 2"], False),
    ("9110 s10.1.5 no list", VARY, b"User-Agent", [b"a (b, c)"], [b"a (b,c)"], False),
    ("12.5.3 order and space", VARY, AE, [b"gzip, br"], [b"br,gzip"], True),
    ("12.5.3 weights of accepted ones", VARY, AE, [b"gzip;q=0.5, br"], [b"gzip, br;q=0.001"], True),
    ("12.5.3 refused is not accepted", VARY, AE, [b"gzip, br"], [b"gzip, br;q=0"], False),
    ("12.5.3 unknown codings", VARY, AE, [b"gzip"], [b"gzip, sdch"], True),
    ("12.5.3 identity", VARY, AE, [b"gzip"], [b"gzip, identity;q=0"], False),
    ("12.5.3 absent is not empty", VARY, AE, [], [b""], False),
    ("vary-normalise-lang-order", VARY, AL, [b"en, de"], [b"de, en"], True),
    ("vary-normalise-lang-case", VARY, AL, [b"en, de"], [b"eN, De"], True),
    ("vary-normalise-lang-space", VARY, AL, [b"en, de"], [b" en ,   de"], True),
    ("12.5.4 weight", VARY, AL, [b"en, de;q=0.5"], [b"en;q=0.5, de"], False),
    ("12.5.4 weight spelled otherwise", VARY, AL, [b"de;q=0.50"], [b"de;q=0.5"], True),
    ("12.5.4 dropped range", VARY, AL, [b"en, de"], [b"de"], False),
    ("raw by rule", RAW, AL, [b"en, de"], [b"de, en"], False),
]


@pytest.mark.parametrize(("name", "rules", "field", "stored", "presented", "verdict"), MATCHES)
def test_nominated_fields_match_by_their_normal_form(name, rules, field, stored, presented, verdict):
    nominated = nominate([field], asking(*((field, value) for value in stored)), rules)
    assert nominated is not None
    request = asking(*((field, value) for value in presented))
    assert matches(nominated, request, rules) is verdict
    again = nominate([field], request, rules)
    assert again is not None
    assert (variant_digest(again) == variant_digest(nominated)) is verdict


SELECTS = [
    # Accept-Language, Content-Language, rules, verdict; the stored request asked for "en, de"
    (b"fr;q=0.5, de;q=1.0", b"de", VARY, True),  # vary-normalise-lang-select
    (b"fr;q=0.5, DE", b"dE", VARY, True),
    (b"fr, de", b"de", VARY, False),
    (b"fr, de;q=0.9", b"de", VARY, False),
    (b"de", b"de, en", VARY, False),
    (b"de", b"de-CH", VARY, False),
    (b"de", None, VARY, False),
    (b"de", b"de", RAW, False),
    (b"*", b"*", VARY, False),
    (b"de;q=0", b"de", VARY, False),
    (b"de;q=x", b"de", VARY, False),
]


@pytest.mark.parametrize(("wanted", "language", "rules", "verdict"), SELECTS)
def test_the_one_preferred_language_selects_a_response_in_it(wanted, language, rules, verdict):
    nominated = nominate([AL], asking((AL, b"en, de")), rules)
    assert nominated is not None
    assert matches(nominated, asking((AL, wanted)), rules, language) is verdict


def test_a_preferred_language_does_not_excuse_another_field():
    nominated = nominate([AL, FOO], asking((AL, b"en"), (FOO, b"1")), VARY)
    assert nominated is not None
    assert not matches(nominated, asking((AL, b"de"), (FOO, b"2")), VARY, b"de")
    assert not matches(nominated, asking((FOO, b"1")), VARY, b"de")


LONG = b", x-%b" % (b"y" * 300)
CODINGS = [
    (b"", b"identity"),
    (b"identity", b"identity"),
    (b"gzip, deflate, br, zstd", b"br, deflate, gzip, zstd"),
    (b"X-GZip", b"gzip"),
    (b"x-compress", b"identity"),
    (b"*", b"br, deflate, gzip, zstd"),
    (b"*;q=0", b"identity;q=0"),
    (b"*;q=0, identity", b"identity"),
    (b"gzip, *;q=0", b"gzip, identity;q=0"),
    (b"*, br;q=0", b"deflate, gzip, zstd"),
    (b"gzip, gzip;q=0", b"identity"),
    (b"gzip;q=0.0", b"identity"),
    (b"gzip; Q=1.000 , br;q=0.", b"gzip"),
    (b"gzip;q=1.5, br;q=.5, deflate;level=9", b"identity"),
    (b"gzip" + LONG, b"gzip"),
]


@pytest.mark.parametrize(("value", "form"), CODINGS)
def test_accept_encoding_is_the_set_of_known_codings_it_accepts(value, form):
    assert encoding_form(value, KNOWN) == form
    assert encoding_form(form, KNOWN) == form


@given(
    st.lists(st.sampled_from([b"gzip", b"br", b"*", b"identity", b";q=0", b";q=0.5", b",", b" ", b"z"])).map(
        b"".join
    )
)
def test_the_form_of_accept_encoding_stands_for_the_value(value):
    form = encoding_form(value, KNOWN)
    assert encoding_form(form, KNOWN) == form


LANGUAGES = [
    (b"en-US,en;q=0.9", b"en-us,en;q=0.900"),
    (b"", b""),
    (b",en", b"en"),
    (b"en;q=0, *;q=0.1", b"*;q=0.100,en;q=0.000"),
    (b"en;q=2, De", b"en;q=2, de"),
    (b"en_US", b"en_us"),
    (b"de, en, de", b"de,en"),
    (b";q=1", b";q=1"),
]


@pytest.mark.parametrize(("value", "form"), LANGUAGES)
def test_accept_language_is_ordered_by_weight_and_name(value, form):
    assert language_form(value) == form
    assert language_form(form) == form


def test_long_values_are_read_like_short_ones():
    tail = b"".join(b", a%b;q=0.1" % (b"abcdefgh"[: n % 7 + 1]) for n in range(40))
    assert language_form(b"De" + tail).startswith(b"de,")
    assert preferred_language(Fields([(AL, b"De" + tail)])) == b"de"
    assert preferred_language(EMPTY) is None


def test_accept_encoding_goes_upstream_in_the_form_that_is_compared():
    fields = Fields([(AE, b"gzip;q=0.1, br, evil")])
    assert accept_encoding(fields, VARY) == b"br, gzip"
    assert accept_encoding(EMPTY, VARY) is None
    assert accept_encoding(fields, RAW) == b"gzip;q=0.1, br, evil"


NOMINATED = st.lists(st.tuples(PIECE, st.none() | PIECE), max_size=3).map(tuple)


@given(NOMINATED, NOMINATED)
def test_two_variants_have_one_digest_only_when_they_are_the_same(one, other):
    assert (variant_digest(one) == variant_digest(other)) is (one == other)


def test_no_vary_is_the_variant_of_zeros():
    assert variant_digest(()) == NO_VARIANT == bytes(16)
    assert variant_digest(((b"foo", None),)) != variant_digest(((b"foo", b""),))
