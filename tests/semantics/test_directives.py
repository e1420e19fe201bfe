"""Cache directives: which field governs, what it says, and that malformed input never makes anything fresher."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.directives import (
    NO_WISHES,
    SURROGATE_CAPABILITY,
    RequestDirectives,
    ResponseDirectives,
    request_directives,
    response_directives,
)
from edge.semantics.message import EMPTY, Fields
from edge.semantics.stored import LifetimeSource

NOTHING = ResponseDirectives()


def said(*values: bytes, **more: bytes) -> ResponseDirectives:
    """What a response says whose Cache-Control lines are `values`."""
    others = [(name.replace("_", "-").encode(), value) for name, value in more.items()]
    return response_directives(Fields([*((b"Cache-Control", value) for value in values), *others]))


def both(name: bytes, values: tuple[bytes, ...]) -> ResponseDirectives:
    return response_directives(Fields((name, value) for value in values))


CACHE_CONTROL = [
    # name (suite id where there is one), RFC 9111 section, lines, what it says
    ("nothing", "5.2", (b"",), NOTHING),
    ("freshness-max-age", "5.2.2.1", (b"max-age=3600",), ResponseDirectives(max_age=3600)),
    ("freshness-max-age-max-plus", "1.2.2", (b"max-age=99999999999",), ResponseDirectives(max_age=2147483648)),
    ("freshness-max-age-extension", "5.2.3", (b"foobar, max-age=3600",), ResponseDirectives(max_age=3600)),
    ("freshness-max-age-case-insenstive", "5.2", (b"MaX-aGe=3600",), ResponseDirectives(max_age=3600)),
    ("freshness-max-age-negative", "4.2.1", (b"max-age=-3600",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-quoted", "5.2", (b'max-age="3600"',), ResponseDirectives(max_age=3600)),
    ("freshness-max-age-single-quoted", "4.2.1", (b"max-age='3600'",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-ignore-quoted", "5.2", (b'extension="max-age=3600", max-age=1',), ResponseDirectives(max_age=1)),
    ("freshness-max-age-ignore-quoted-rev", "5.2", (b'max-age=1, extension="max-age=3600"',), ResponseDirectives(max_age=1)),
    ("freshness-max-age-ignore-quoted-all", "5.2", (b'extension="max-age=3600", max-age="1"',), ResponseDirectives(max_age=1)),
    ("freshness-max-age-ignore-quoted-all-rev", "5.2", (b'max-age="1", extension="max-age=3600"',), ResponseDirectives(max_age=1)),
    ("freshness-max-age-leading-zero", "1.2.2", (b"max-age=003600",), ResponseDirectives(max_age=3600)),
    ("freshness-max-age-decimal-zero", "4.2.1", (b"max-age=3600.0",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-decimal-five", "4.2.1", (b"max-age=3600.5",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-space-before-equals", "4.2.1", (b"max-age =3600",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-space-after-equals", "4.2.1", (b"max-age= 3600",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-a100", "4.2.1", (b"max-age=a3600",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-100a", "4.2.1", (b"max-age=3600a",), ResponseDirectives(max_age=0)),
    ("freshness-max-age-multiple-line", "4.2.1", (b"max-age=3600", b"max-age=1800"), ResponseDirectives(max_age=1800)),
    ("freshness-max-age-multiple-directive", "4.2.1", (b"max-age=3600, max-age=1800",), ResponseDirectives(max_age=1800)),
    ("freshness-max-age-two-stale-fresh-sameline", "4.2.1", (b"max-age=1, max-age=1800",), ResponseDirectives(max_age=1)),
    ("freshness-max-age-two-fresh-stale-sepline", "4.2.1", (b"max-age=1800", b"max-age=1"), ResponseDirectives(max_age=1)),
    ("one valid, one not", "4.2.1", (b"max-age=1800, max-age=x",), ResponseDirectives(max_age=0)),
    ("no argument", "4.2.1", (b"max-age",), ResponseDirectives(max_age=0)),
    ("empty argument", "4.2.1", (b"max-age=",), ResponseDirectives(max_age=0)),
    ("unclosed quote hides nothing", "5.2", (b'a="b, no-store, max-age=1',), ResponseDirectives(no_store=True, max_age=1)),
    ("unclosed quote ends with its line", "5.2", (b'a="b', b'no-store, c="d"'), ResponseDirectives(no_store=True)),
    ("s-maxage", "5.2.2.10", (b"max-age=1, s-maxage=3600",), ResponseDirectives(max_age=1, s_maxage=3600)),
    ("s-maxage on its own line", "5.2.2.10", (b"max-age=3600", b"s-maxage=1"), ResponseDirectives(max_age=3600, s_maxage=1)),
    ("cc-resp-no-store-case-insensitive", "5.2.2.5", (b"No-StOrE",), ResponseDirectives(no_store=True)),
    ("no-store with an argument", "5.2.2.5", (b"no-store=x",), ResponseDirectives(no_store=True)),
    ("no-store with a space", "5.2.2.5", (b"no-store =x",), ResponseDirectives(no_store=True)),
    ("cc-resp-no-cache-case-insensitive", "5.2.2.4", (b"max-age=10000, No-CaChE",), ResponseDirectives(max_age=10000, no_cache=True)),
    ("no-cache with a field", "5.2.2.4", (b'no-cache="a"', b"max-age=3600"), ResponseDirectives(max_age=3600, no_cache_fields=frozenset({b"a"}))),
    ("no-cache with fields", "5.2.2.4", (b'no-cache="A, b"',), ResponseDirectives(no_cache_fields=frozenset({b"a", b"b"}))),
    ("no-cache as a token", "5.2.2.4", (b"no-cache=Set-Cookie",), ResponseDirectives(no_cache_fields=frozenset({b"set-cookie"}))),
    ("no-cache twice", "5.2.2.4", (b'no-cache="a", no-cache',), ResponseDirectives(no_cache=True, no_cache_fields=frozenset({b"a"}))),
    ("no-cache of nothing", "5.2.2.4", (b'no-cache=""',), ResponseDirectives(no_cache=True)),
    ("no-cache of no field name", "5.2.2.4", (b'no-cache="a b"',), ResponseDirectives(no_cache=True)),
    ("no-cache, unclosed", "5.2.2.4", (b'no-cache="a',), ResponseDirectives(no_cache=True)),
    ("private", "5.2.2.7", (b"private, max-age=3600",), ResponseDirectives(private=True, max_age=3600)),
    ("private with fields", "5.2.2.7", (b'private="X-Me, b"',), ResponseDirectives(private_fields=frozenset({b"x-me", b"b"}))),
    ("public", "5.2.2.9", (b"public",), ResponseDirectives(public=True)),
    ("revalidation", "5.2.2.2", (b"must-revalidate,proxy-revalidate",), ResponseDirectives(must_revalidate=True, proxy_revalidate=True)),
    ("must-understand", "5.2.2.3", (b"must-understand",), ResponseDirectives(must_understand=True)),
    ("immutable", "8246 2", (b"immutable",), ResponseDirectives(immutable=True)),
    ("stale windows", "5861", (b"stale-while-revalidate=5, stale-if-error=60",), ResponseDirectives(stale_while_revalidate=5, stale_if_error=60)),
    ("stale windows that are no numbers", "5861", (b"stale-while-revalidate, stale-if-error=x",), ResponseDirectives(stale_while_revalidate=0, stale_if_error=0)),
]  # fmt: skip


@pytest.mark.parametrize("name,section,lines,verdict", CACHE_CONTROL, ids=[row[0] for row in CACHE_CONTROL])
def test_cache_control_is_read_leniently_and_towards_the_safe_side(name, section, lines, verdict):
    assert said(*lines) == verdict


P, C, S = (
    LifetimeSource.PERIGEE_CDN_CACHE_CONTROL,
    LifetimeSource.CDN_CACHE_CONTROL,
    LifetimeSource.SURROGATE_CONTROL,
)

TARGETED = [
    # name, value of CDN-Cache-Control beside `Cache-Control: max-age=1`, verdict; None = the field counts for nothing
    ("max-age", b"max-age=3600", ResponseDirectives(C, max_age=3600)),
    ("several", b"max-age=60, no-store, private", ResponseDirectives(C, max_age=60, no_store=True, private=True)),
    ("parameters do not count", b"max-age=60;x=1", ResponseDirectives(C, max_age=60)),
    ("unknown members do not count", b"max-age=60, foo=(1 2), bar=1.5", ResponseDirectives(C, max_age=60)),
    ("only unknown members", b"foo", ResponseDirectives(C)),
    ("field lists", b'no-cache="a, b", private="c"', ResponseDirectives(C, no_cache_fields=frozenset({b"a", b"b"}), private_fields=frozenset({b"c"}))),
    ("field list of nothing", b'no-cache=""', ResponseDirectives(C, no_cache=True)),
    ("negative is stale", b"max-age=-1", ResponseDirectives(C, max_age=0)),
    ("s-maxage counts", b"max-age=60, s-maxage=5", ResponseDirectives(C, max_age=60, s_maxage=5)),
    ("last of its name counts", b"max-age=60, max-age=5", ResponseDirectives(C, max_age=5)),
    ("empty", b"", None),
    ("cdn-cc-invalid-sh-type-wrong", b'max-age="10000"', None),
    ("cdn-cc-invalid-sh-type-unknown", b"max-age=10000, &&&&&", None),
    ("decimal", b"max-age=60.0", None),
    ("boolean for seconds", b"max-age", None),
    ("inner list for seconds", b"max-age=(60)", None),
    ("value for a flag", b"max-age=60, no-store=1", None),
    ("false for a flag", b"max-age=60, no-store=?0", None),
    ("false for a field list", b"no-cache=?0", None),
    ("token for a field list", b"no-cache=a", None),
    ("inner list for a field list", b'no-cache=("a")', None),
    ("inner list for a flag", b"no-store=()", None),
    ("upper case is no key", b"Max-Age=60", None),
]  # fmt: skip


@pytest.mark.parametrize("name,value,verdict", TARGETED, ids=[row[0] for row in TARGETED])
def test_a_targeted_field_governs_when_it_is_a_valid_dictionary(name, value, verdict):
    assert said(b"max-age=1", CDN_Cache_Control=value) == (verdict or ResponseDirectives(max_age=1))


def test_the_more_specific_field_governs_alone():
    fields = {
        "Surrogate_Control": b"max-age=3",
        "CDN_Cache_Control": b"max-age=2",
        "Perigee_CDN_Cache_Control": b"private",
    }
    assert said(b"max-age=4, no-store", **fields) == ResponseDirectives(P, private=True)
    fields["Perigee_CDN_Cache_Control"] = b"!"
    assert said(b"max-age=4, no-store", **fields) == ResponseDirectives(C, max_age=2)
    fields["CDN_Cache_Control"] = b"max-age=2,"
    assert said(b"max-age=4, no-store", **fields) == ResponseDirectives(S, max_age=3)
    fields["Surrogate_Control"] = b'content="ESI/1.0"'
    assert said(b"max-age=4, no-store", **fields) == ResponseDirectives(max_age=4, no_store=True)


def test_lines_of_a_targeted_field_are_one_dictionary():
    assert both(b"CDN-Cache-Control", (b"max-age=60", b"no-store")) == ResponseDirectives(
        C, max_age=60, no_store=True
    )
    assert both(b"CDN-Cache-Control", (b"max-age=60", b"")) == NOTHING


SURROGATE = [
    # name (suite id where there is one), value of Surrogate-Control beside `Cache-Control: max-age=1`, verdict
    ("surrogate-max-age", b"max-age=3600", ResponseDirectives(S, max_age=3600)),
    ("surrogate-max-age-max", b"max-age=2147483648", ResponseDirectives(S, max_age=2147483648)),
    ("surrogate-max-age-max-plus", b"max-age=99999999999", ResponseDirectives(S, max_age=2147483648)),
    ("surrogate-max-age-me-target", b"max-age=3600;perigee", ResponseDirectives(S, max_age=3600)),
    ("surrogate-max-age-other-target", b"max-age=3600;not-for-you", None),
    ("one of several targets", b"max-age=3600;other; Perigee", ResponseDirectives(S, max_age=3600)),
    ("ours before everyone's", b"max-age=1, max-age=60;perigee, max-age=9;other, no-store;other", ResponseDirectives(S, max_age=60)),
    ("ours beside everyone's", b"must-revalidate, max-age=60;perigee", ResponseDirectives(S, max_age=60, must_revalidate=True)),
    ("surrogate-max-age-space-before-equals", b"max-age =100", ResponseDirectives(S, max_age=0)),
    ("surrogate-max-age-space-after-equals", b"max-age= 100", ResponseDirectives(S, max_age=0)),
    ("surrogate-max-age-0", b"max-age=0", ResponseDirectives(S, max_age=0)),
    ("surrogate-max-age-extension", b"foobar, max-age=3600", ResponseDirectives(S, max_age=3600)),
    ("surrogate-max-age-case-insensitive", b"MaX-aGe=3600", ResponseDirectives(S, max_age=3600)),
    ("surrogate-no-store", b"no-store", ResponseDirectives(S, no_store=True)),
    ("no-store-remote", b"no-store-remote, max-age=60", ResponseDirectives(S, no_store=True, max_age=60)),
    ("surrogate-remove-header", b"foo", None),
    ("only content", b'content="ESI/1.0;a ORAMP/1.0";perigee', None),
    ("content and a lifetime", b'content="ESI/1.0, ORAMP/1.0", max-age="60" ;perigee', ResponseDirectives(S, max_age=60)),
    ("freshness extension", b"max-age=600+60;perigee", ResponseDirectives(S, max_age=600, stale_while_revalidate=60, stale_if_error=60)),
    ("broken extension", b"max-age=600+x", ResponseDirectives(S, max_age=600, stale_while_revalidate=0, stale_if_error=0)),
    ("names of later years", b"max-age=60, stale-while-revalidate=5", ResponseDirectives(S, max_age=60, stale_while_revalidate=5)),
]  # fmt: skip


@pytest.mark.parametrize("name,value,verdict", SURROGATE, ids=[row[0] for row in SURROGATE])
def test_surrogate_control_governs_when_a_known_directive_is_for_us(name, value, verdict):
    assert said(b"max-age=1", Surrogate_Control=value) == (verdict or ResponseDirectives(max_age=1))


def test_the_capability_names_the_target_before_its_equals_sign():
    assert SURROGATE_CAPABILITY == b'perigee="Surrogate/1.0"'


def test_pragma_of_a_response_counts_only_where_no_field_governs():
    assert said(Pragma=b"foo, No-Cache") == ResponseDirectives(pragma_no_cache=True)
    assert said(Pragma=b"foo") == NOTHING
    assert said(b"max-age=1", Pragma=b"no-cache") == ResponseDirectives(max_age=1)


LIFETIMES = [
    (b"max-age=3600, s-maxage=1", 1, True),
    (b"s-maxage=3600, max-age=0", 3600, True),
    (b"max-age=60", 60, False),
    (b"public", None, False),
    (b"must-revalidate", None, True),
    (b"proxy-revalidate", None, True),
    (b"no-cache", None, True),
    (b'no-cache="a"', None, False),
]


@pytest.mark.parametrize("value,lifetime,forbids_stale", LIFETIMES, ids=[str(row[0]) for row in LIFETIMES])
def test_a_shared_cache_reads_s_maxage_first_and_it_forbids_stale_use(value, lifetime, forbids_stale):
    assert said(value).explicit_lifetime == lifetime
    assert said(value).forbids_stale is forbids_stale


WISHES = [
    # name, RFC 9111 section, Cache-Control lines of the request, verdict
    ("ccreq-ma0", "5.2.1.1", (b"max-age=0",), RequestDirectives(max_age=0)),
    ("max-age twice", "5.2.1.1", (b"max-age=5, max-age=3",), RequestDirectives(max_age=3)),
    ("max-age that is no number", "5.2.1.1", (b"max-age=x, max-age=",), NO_WISHES),
    ("ccreq-max-stale", "5.2.1.2", (b"max-stale=1000",), RequestDirectives(max_stale=1000)),
    ("max-stale without a bound", "5.2.1.2", (b"Max-Stale",), RequestDirectives(max_stale=inf)),
    ("max-stale with and without", "5.2.1.2", (b"max-stale, max-stale=5, max-stale",), RequestDirectives(max_stale=5)),
    ("max-stale that is no number", "5.2.1.2", (b"max-stale=x",), NO_WISHES),
    ("ccreq-min-fresh", "5.2.1.3", (b"min-fresh=2000",), RequestDirectives(min_fresh=2000)),
    ("min-fresh twice", "5.2.1.3", (b"min-fresh=20, min-fresh=30", b"min-fresh=10"), RequestDirectives(min_fresh=30)),
    ("ccreq-no-cache", "5.2.1.4", (b"NO-cache",), RequestDirectives(no_cache=True)),
    ("ccreq-no-store", "5.2.1.5", (b"no-store",), RequestDirectives(no_store=True)),
    ("with an argument", "5.2.1.5", (b"no-store=1, no-cache=x",), RequestDirectives(no_store=True, no_cache=True)),
    ("ccreq-oic", "5.2.1.7", (b"only-if-cached",), RequestDirectives(only_if_cached=True)),
    ("unknown", "5.2.3", (b"nothing-to-see-here",), NO_WISHES),
    ("quoted", "5.2", (b'max-age="5"',), RequestDirectives(max_age=5)),
    ("long", "5.2", (b"x" * 100 + b", no-cache",), RequestDirectives(no_cache=True)),
]  # fmt: skip


@pytest.mark.parametrize("name,section,lines,verdict", WISHES, ids=[row[0] for row in WISHES])
def test_a_request_says_what_it_wants(name, section, lines, verdict):
    wishes = request_directives(Fields((b"Cache-Control", line) for line in lines))
    assert wishes == verdict
    assert (wishes is NO_WISHES) == (verdict == NO_WISHES)


PRAGMAS = [
    ("pragma-request-no-cache", [(b"Pragma", b"No-Cache")], RequestDirectives(no_cache=True)),
    ("pragma-request-extension", [(b"Pragma", b"unrecognised-extension")], NO_WISHES),
    ("beside Cache-Control", [(b"Pragma", b"no-cache"), (b"Cache-Control", b"foo")], NO_WISHES),
]


@pytest.mark.parametrize("name,lines,verdict", PRAGMAS, ids=[row[0] for row in PRAGMAS])
def test_pragma_of_a_request_counts_only_without_cache_control(name, lines, verdict):
    assert request_directives(Fields(lines)) == verdict


def test_a_request_without_fields_wants_nothing():
    assert request_directives(EMPTY) is NO_WISHES


pieces = st.lists(
    st.sampled_from(
        [
            b"max-age",
            b"s-maxage",
            b"no-store",
            b"no-cache",
            b"private",
            b"=",
            b"60",
            b"-1",
            b'"',
            b"\\",
            b",",
            b";",
            b"perigee",
            b" ",
            b"a",
            b"+",
            b"\xff",
        ]
    ),
    max_size=14,
).map(b"".join)


@given(
    st.sampled_from([b"Cache-Control", b"CDN-Cache-Control", b"Surrogate-Control", b"Pragma"]),
    st.lists(pieces, max_size=3),
)
def test_no_response_field_raises_and_no_lifetime_leaves_its_bounds(name, lines):
    directives = both(name, tuple(lines))
    for seconds in (
        directives.max_age,
        directives.s_maxage,
        directives.stale_if_error,
        directives.stale_while_revalidate,
    ):
        assert seconds is None or 0 <= seconds <= 2**31


@given(pieces, st.sampled_from([b"no-store", b"private", b"no-cache", b"must-revalidate"]))
def test_nothing_before_it_on_another_line_hides_a_restriction(before, word):
    directives = both(b"Cache-Control", (before, word))
    assert directives.no_store or directives.private or directives.forbids_stale


@given(st.lists(pieces, max_size=3))
def test_no_request_field_raises(lines):
    request_directives(Fields((b"cache-control", line) for line in lines))
    request_directives(Fields((b"pragma", line) for line in lines))
