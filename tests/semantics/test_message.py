"""Fields and authorities as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics.message import EMPTY, Authority, Fields, Line

NAMES = st.sampled_from([b"A", b"a", b"B", b"c"])
LINES = st.lists(st.tuples(NAMES, st.binary(max_size=2)), max_size=6)
SOME = Fields([(b"A", b"1"), (b"b", b"2"), (b"a", b"3")])


def seen(fields: Fields) -> dict[bytes, tuple[bytes, ...]]:
    return {name: fields.all(name) for name in fields.names()}


def test_fields_are_looked_up_by_lower_case_name_and_keep_their_order():
    assert SOME.get(b"a") == b"1"
    assert SOME.all(b"a") == (b"1", b"3")
    assert SOME.combined(b"a") == b"1, 3"
    assert SOME.combined(b"b") == b"2"
    assert (SOME.count(b"a"), SOME.count(b"b"), SOME.count(b"x")) == (2, 1, 0)
    assert (SOME.get(b"x"), SOME.all(b"x"), SOME.combined(b"x")) == (None, (), None)
    assert b"a" in SOME
    assert b"A" not in SOME
    assert list(SOME) == [(b"A", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert len(SOME) == 3
    assert repr(SOME) == "Fields([(b'A', b'1'), (b'b', b'2'), (b'a', b'3')])"


def test_fields_are_values():
    assert Fields(SOME.lines) == SOME
    assert hash(Fields(SOME.lines)) == hash(SOME)
    assert SOME != EMPTY
    assert SOME.lines != SOME


def test_taking_lines_away_leaves_the_rest():
    assert SOME.without((b"x",)) is SOME
    assert SOME.without((b"a", b"x")) == Fields([(b"b", b"2")])
    assert SOME.with_set(b"A", b"9") == Fields([(b"b", b"2"), (b"A", b"9")])


@given(LINES, LINES)
def test_adding_lines_is_the_same_as_having_had_them(first: list[Line], second: list[Line]):
    before = Fields(first)
    kept = seen(before)
    after = before.with_added(*second)
    assert after == Fields([*first, *second])
    assert seen(after) == seen(Fields([*first, *second]))
    assert seen(before) == kept


@pytest.mark.parametrize(
    ("authority", "rendered"),
    [
        (Authority(b"http", b"a.example", 80), b"a.example"),
        (Authority(b"https", b"a.example", 443), b"a.example"),
        (Authority(b"https", b"a.example", 80), b"a.example:80"),
        (Authority(b"http", b"[::1]", 8080), b"[::1]:8080"),
    ],
)
def test_an_authority_shows_its_port_where_it_is_not_the_default(authority, rendered):
    assert authority.render() == rendered


@given(lines=LINES)
def test_fields_without_a_table_are_the_same_fields(lines: list[Line]):
    whole, bare = Fields(lines), Fields.unindexed(lines)
    assert bare == whole
    assert hash(bare) == hash(whole)
    assert seen(bare) == seen(whole)
    assert (len(bare), list(bare)) == (len(whole), list(whole))
    assert [(name in bare, bare.count(name)) for name in (b"a", b"b", b"x")] == [
        (name in whole, whole.count(name)) for name in (b"a", b"b", b"x")
    ]
    for made in (
        lambda fields: fields.without((b"a",)),
        lambda fields: fields.without((b"x",)),
        lambda fields: fields.with_set(b"A", b"new"),
        lambda fields: fields.with_added((b"New", b"line")),
        lambda fields: fields.with_added((b"a", b"line")),
    ):
        assert seen(made(bare)) == seen(made(whole))
        assert made(bare).lines == made(whole).lines


def test_fields_without_a_table_have_no_other_attribute():
    with pytest.raises(AttributeError, match="nothing"):
        Fields.unindexed([(b"A", b"1")]).nothing  # type: ignore[attr-defined]  # noqa: B018
