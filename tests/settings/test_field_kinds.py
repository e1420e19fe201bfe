"""Fields that an operator may edit, values that cannot forge a line, the query rule. RFC 9110 s5."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.rules import QueryRule
from edge.settings.field_kinds import (
    MAX_LINES,
    MAX_VALUE,
    NEVER_IN_KEY,
    NEVER_TO_CLIENT,
    NEVER_TO_ORIGIN,
    FieldLines,
    FieldName,
    FieldValue,
    Query,
    Status,
    Token,
)
from edge.settings.kinds import Kind
from edge.settings.problems import Path, Refused

LINES: Kind[object] = FieldLines(FieldName(lower=False))

READ = [
    (FieldName(), "X-Frame-Options", b"x-frame-options"),
    (FieldName(lower=False), "X-Frame-Options", b"X-Frame-Options"),
    (FieldName(), "Via", b"via"),
    (LINES, {}, ()),
    (LINES, {"X-A": "1", "X-B": ["2", "3"]}, ((b"X-A", b"1"), (b"X-B", b"2"), (b"X-B", b"3"))),
    (LINES, {"X-A": 'é \t"q"'}, ((b"X-A", 'é \t"q"'.encode()),)),
    (Token("a coding", lower=True), "GZip", b"gzip"),
    (Token("a cookie"), "SID", b"SID"),
    (Status(), "404", 404),
    (Query(), "all", (QueryRule.ALL, frozenset())),
    (Query(), "sorted", (QueryRule.SORTED, frozenset())),
    (Query(), "none", (QueryRule.NONE, frozenset())),
    (Query(), {"allow": ["a", "b%20c"]}, (QueryRule.ALLOW, frozenset({b"a", b"b%20c"}))),
    (Query(), {"deny": ["a"]}, (QueryRule.DENY, frozenset({b"a"}))),
]


@pytest.mark.parametrize("kind, value, read", READ)
def test_what_is_allowed_is_read_and_written_back(kind: Kind[object], value: object, read: object):
    assert kind.read(value) == read
    written = kind.write(read)
    back = written if isinstance(kind, Status) else tomllib.loads(f"k = {written}")["k"]
    assert kind.read(back) == read


def faults(kind: Kind[object], value: object) -> list[tuple[str, Path]]:
    with pytest.raises(Refused) as refusal:
        kind.read(value)
    return [(f.wrong, f.at) for f in refusal.value.faults]


FORBIDDEN = [
    (
        FieldName(),
        ["Host", "Content-Length", "transfer-encoding", "Connection", "CDN-Loop", "Upgrade", "TE", "Trailer"],
    ),
    (FieldName(), ["Keep-Alive", "Proxy-Connection", "Content-Range", "Proxy-Authorization"]),
    (FieldName(NEVER_TO_ORIGIN), ["Host", "Via"]),
    (FieldName(NEVER_TO_CLIENT), ["Age", "Content-Length"]),
    (FieldName(NEVER_IN_KEY), ["Host", "Cookie", "Range", "If-None-Match", "Connection"]),
]


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in FORBIDDEN for name in names])
def test_framing_hops_and_loops_are_not_edited(kind: Kind[object], name: str):
    assert faults(kind, name) == [(f'"{name}" cannot be named here', ())]


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\r\nb", "x" * 129, "(a)"])
def test_what_is_no_token_is_no_name(name: str):
    assert len(faults(FieldName(), name)) == 1
    assert len(faults(Token("a cookie"), name)) == 1


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\0b", "\r\nX: y", "a\r\n"])
def test_a_value_cannot_end_its_line(text: str):
    assert faults(FieldValue(), text) == [("its value has a CR, LF or NUL in it", ())]


@pytest.mark.parametrize("text", ["", " a", "a ", "\ta", "a\x01b", "a\x7fb", "x" * (MAX_VALUE + 1)])
def test_a_value_that_cannot_be_sent_is_refused(text: str):
    assert faults(FieldValue(), text) == [("its value cannot be sent", ())]


def test_a_value_at_the_limit_is_taken():
    assert len(FieldValue().read("x" * MAX_VALUE)) == MAX_VALUE


def test_every_line_is_looked_at():
    assert faults(LINES, {"Host": "x", "X-A": 3, "X-B": ["ok", "a\nb"], "X-C": []}) == [
        ('"Host" cannot be named here', ("Host",)),
        ("3 is no text", ("X-A",)),
        ("its value has a CR, LF or NUL in it", ("X-B", 1)),
        ("it has 0 elements", ("X-C",)),
    ]
    assert faults(LINES, "X-A: 1") == [('"X-A: 1" is no table', ())]
    assert faults(LINES, {"X-A": [str(n) for n in range(MAX_LINES)], "X-B": "1"}) == [
        ("it has 101 lines", ())
    ]


@pytest.mark.parametrize("status", ["199", "600", "206", "304", "abc", "4040", "40", "٤٠٤", 404])
def test_a_status_that_is_not_stored_by_itself_is_refused(status: object):
    assert len(faults(Status(), status)) == 1


@pytest.mark.parametrize(
    "value, expected",
    [
        ("al", [('"al" is not known here', ())]),
        ("allow", [('"allow" is not known here', ())]),
        (True, [("true is not known here", ())]),
        ({"allow": ["a"], "deny": ["b"]}, [("a table is not known here", ())]),
        ({"allow": []}, [("it has 0 elements", ("allow",))]),
        ({"deny": "a"}, [('"a" is no array', ("deny",))]),
        (
            {"deny": ["a=b", "ok", "é"]},
            [
                ('"a=b" can be in no parameter\'s name', ("deny", 0)),
                ('"é" can be in no parameter\'s name', ("deny", 2)),
            ],
        ),
    ],
)
def test_a_query_rule_that_is_none_is_refused(value: object, expected: list[tuple[str, Path]]):
    assert faults(Query(), value) == expected


@given(st.text(max_size=20))
def test_what_is_taken_as_a_value_is_one_line(text: str):
    try:
        value = FieldValue().read(text)
    except Refused:
        return
    assert not {b"\r", b"\n", b"\0"} & {bytes([byte]) for byte in value}
    assert value == value.strip()
