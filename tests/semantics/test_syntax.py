"""Shared grammars: dates, seconds, Age, lists, quoted strings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics import syntax

NOW = datetime(2026, 11, 24, tzinfo=UTC).timestamp()


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


DATES = [
    # name, RFC section, value, verdict
    ("IMF-fixdate", "9110 5.6.7", b"Sun, 06 Nov 1994 08:49:37 GMT", at(1994, 11, 6, 8, 49, 37)),
    ("RFC 850", "9110 5.6.7", b"Sunday, 06-Nov-94 08:49:37 GMT", at(1994, 11, 6, 8, 49, 37)),
    (
        "RFC 850, at most 50 years ahead",
        "9110 5.6.7",
        b"Thursday, 18-Aug-50 02:01:18 GMT",
        at(2050, 8, 18, 2, 1, 18),
    ),
    (
        "RFC 850, 50 years ahead",
        "9110 5.6.7",
        b"Wednesday, 18-Aug-76 02:01:18 GMT",
        at(2076, 8, 18, 2, 1, 18),
    ),
    (
        "RFC 850, 51 years ahead is the past",
        "9110 5.6.7",
        b"Thursday, 18-Aug-77 02:01:18 GMT",
        at(1977, 8, 18, 2, 1, 18),
    ),
    ("RFC 850 without leading zero", "9110 5.6.7", b"Thursday, 8-Aug-500 02:01:18 GMT", None),
    ("asctime", "9110 5.6.7", b"Sun Nov  6 08:49:37 1994", at(1994, 11, 6, 8, 49, 37)),
    ("asctime, two digits", "9110 5.6.7", b"Thu Aug 18 02:01:18 2050", at(2050, 8, 18, 2, 1, 18)),
    ("asctime with a zone", "9110 5.6.7", b"Thu Aug 18 02:01:18 205G", None),
    ("wrong case, weekday", "9111 4.2", b"THU, 18 Aug 2050 02:01:18 GMT", at(2050, 8, 18, 2, 1, 18)),
    ("wrong case, month", "9111 4.2", b"Thu, 18 AUG 2050 02:01:18 GMT", at(2050, 8, 18, 2, 1, 18)),
    ("wrong case, zone", "9111 4.2", b"Thu, 18 Aug 2050 02:01:18 gMT", at(2050, 8, 18, 2, 1, 18)),
    ("weekday that does not fit", "9110 5.6.7", b"Mon, 18 Aug 2050 02:01:18 GMT", at(2050, 8, 18, 2, 1, 18)),
    ("leap second", "9110 5.6.7", b"Sat, 31 Dec 2016 23:59:60 GMT", at(2016, 12, 31, 23, 59, 59)),
    ("UTC", "9111 4.2", b"Thu, 18 Aug 2050 02:01:18 UTC", None),
    ("other zone", "9111 4.2", b"Thu, 18 Aug 2050 02:01:18 AEST", None),
    ("no comma", "9110 5.6.7", b"Thu 18 Aug 2050 02:01:18 GMT", None),
    ("two-digit year", "9110 5.6.7", b"Thu, 18 Aug 50 02:01:18 GMT", None),
    ("two spaces", "9110 5.6.7", b"Thu, 18  Aug  2050 02:01:18 GMT", None),
    ("dashes", "9110 5.6.7", b"Thu, 18-Aug-2050 02:01:18 GMT", None),
    ("periods", "9110 5.6.7", b"Thu, 18 Aug 2050 02.01.18 GMT", None),
    ("one-digit hour", "9110 5.6.7", b"Thu, 18 Aug 2050 2:01:18 GMT", None),
    ("hour 24", "9110 5.6.7", b"Thu, 18 Aug 2050 24:01:18 GMT", None),
    ("no such day", "9110 5.6.7", b"Thu, 31 Feb 2050 02:01:18 GMT", None),
    ("no such year", "9110 5.6.7", b"Thu, 18 Aug 0000 02:01:18 GMT", None),
    ("a number", "9111 5.3", b"0", None),
    ("nothing", "9111 5.3", b"", None),
    ("a tail", "9110 5.6.7", b"Sun, 06 Nov 1994 08:49:37 GMT ", None),
]


@pytest.mark.parametrize("name,section,value,verdict", DATES, ids=[row[0] for row in DATES])
def test_a_date_is_read_in_its_three_forms_and_in_no_other(name, section, value, verdict):
    assert syntax.parse_http_date(value, NOW) == verdict


def test_a_two_digit_year_of_the_century_to_come_is_found():
    assert syntax.parse_http_date(b"Friday, 01-Jan-10 00:00:00 GMT", at(2090, 1, 1)) == at(2110, 1, 1)


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_a_written_date_reads_back(second):
    assert syntax.parse_http_date(syntax.format_http_date(second), NOW) == second


def test_a_date_is_written_in_whole_seconds():
    assert syntax.format_http_date(784111777.9) == b"Sun, 06 Nov 1994 08:49:37 GMT"


SECONDS = [
    (b"0", 0),
    (b"3600", 3600),
    (b"003600", 3600),
    (b"2147483647", 2147483647),
    (b"2147483648", 2147483648),
    (b"2147483649", 2147483648),
    (b"99999999999", 2147483648),
    (b"9" * 100_000, 2147483648),
    (b"0" * 100_000 + b"7", 7),
    (b"-1", None),
    (b"+1", None),
    (b"1.0", None),
    (b"1_000", None),
    (b" 1", None),
    (b"'3600'", None),
    ("٣".encode(), None),
    (b"", None),
]


@pytest.mark.parametrize("value,verdict", SECONDS, ids=range(len(SECONDS)))
def test_delta_seconds_are_digits_and_bounded(value, verdict):
    assert syntax.parse_delta_seconds(value) == verdict


AGES = [
    ("absent", (), None),
    ("one", (b"7200",), 7200),
    ("large", (b"2147483649",), 2147483648),
    ("not a number", (b"abc",), None),
    ("negative", (b"-7200",), None),
    ("float", (b"7200.0",), None),
    ("old, 0", (b"7200,0",), 7200),
    ("0, old", (b"0, 7200",), 0),
    ("old and 0 on two lines", (b"7200", b"0"), 7200),
    ("0 and old on two lines", (b"0", b"7200"), 0),
    ("0 twice", (b"0, 0",), 0),
    ("old twice", (b"3600 ,3600",), 3600),
    ("parameter", (b"7200;foo=bar",), None),
    ("number as parameter", (b"7200;foo=111",), None),
    ("first member invalid", (b"abc, 7200",), None),
]


@pytest.mark.parametrize("name,lines,verdict", AGES, ids=[row[0] for row in AGES])
def test_the_first_member_of_age_counts_and_an_invalid_one_is_ignored(name, lines, verdict):
    assert syntax.parse_age(lines) == verdict


LISTS = [
    (b"", []),
    (b" , ,\t,", []),
    (b"a", [b"a"]),
    (b"a,b , c", [b"a", b"b", b"c"]),
    (b'a="b, c", d', [b'a="b, c"', b"d"]),
    (b'a="b\\", c", d', [b'a="b\\", c"', b"d"]),
    (b'"a""b,c"d,e', [b'"a""b,c"d', b"e"]),
    (b'a="b, no-store', [b'a="b', b"no-store"]),
    (b'a="b', [b'a="b']),
    (b'x="1,2", a="b\\", no-store, "c', [b'x="1,2"', b'a="b\\", no-store, "c']),
    (b'x="1,2", a="b\\", no-store', [b'x="1,2"', b'a="b\\"', b"no-store"]),
    (b'"', [b'"']),
]


@pytest.mark.parametrize("value,members", LISTS, ids=range(len(LISTS)))
def test_a_list_is_split_at_commas_outside_quoted_strings(value, members):
    assert syntax.list_members(value) == members


def test_a_quote_does_not_reach_over_the_end_of_its_line():
    assert syntax.list_of_lines((b'a="b', b'no-store, c="d"')) == [b'a="b', b"no-store", b'c="d"']


def test_a_hostile_list_takes_linear_time():
    value = b'"' + b'\\"' * 200_000 + b"," * 1000
    assert len(syntax.list_members(value)) == 1


QUOTED = [
    (b'""', b""),
    (b'"a b"', b"a b"),
    (b'"a\\"b\\\\"', b'a"b\\'),
    (b"a", None),
    (b'"a', None),
    (b'"a\\"', None),
    (b'"a"b', None),
    (b'"a"b"', None),
    (b"'a'", None),
]


@pytest.mark.parametrize("value,content", QUOTED, ids=range(len(QUOTED)))
def test_a_quoted_string_is_read_only_when_whole(value, content):
    assert syntax.unquote(value) == content


@pytest.mark.parametrize(
    "value,verdict",
    [
        (b"a", True),
        (b"M-SEARCH", True),
        (b"!#$%&'*+-.^_`|~9Z", True),
        (b"", False),
        (b"a b", False),
        (b"a\n", False),
        (b"\xe4", False),
    ],
)
def test_a_token_is_made_of_tchars_only(value, verdict):
    assert syntax.is_token(value) is verdict


@given(st.binary(max_size=64))
def test_nothing_here_raises(value):
    syntax.parse_http_date(value, NOW)
    syntax.parse_delta_seconds(value)
    syntax.parse_age((value,))
    syntax.is_token(value)
    syntax.unquote(value)
    assert all(member for member in syntax.list_members(value))


@given(st.lists(st.text("abz019-=", min_size=1, max_size=8).map(str.encode)))
def test_a_joined_list_splits_into_its_members(members):
    assert syntax.list_members(b", ".join(members)) == members
