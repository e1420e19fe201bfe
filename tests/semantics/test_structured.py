"""Structured fields: what is read, what is refused, and that writing and reading are inverse."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.semantics import structured as sf
from edge.semantics.structured import Date, DisplayString, InnerList, Item, NotStructured, Token

ITEMS = [
    # value, bare item, RFC 9651 section
    (b"42", 42, "3.3.1"),
    (b"  -0  ", 0, "3.3.1"),
    (b"042", 42, "3.3.1"),
    (b"999999999999999", 999_999_999_999_999, "3.3.1"),
    (b"-999999999999999", -999_999_999_999_999, "3.3.1"),
    (b"4.5", Decimal("4.5"), "3.3.2"),
    (b"-123456789012.123", Decimal("-123456789012.123"), "3.3.2"),
    (b'""', "", "3.3.3"),
    (b'"hello world"', "hello world", "3.3.3"),
    (rb'"a\"b\\c"', 'a"b\\c', "3.3.3"),
    (rb'"\\\""', '\\"', "3.3.3"),
    (b"foo123/456", Token("foo123/456"), "3.3.4"),
    (b"*a:b", Token("*a:b"), "3.3.4"),
    (b"::", b"", "3.3.5"),
    (b":cHJldGVuZCB0aGlz:", b"pretend this", "3.3.5"),
    (b":aGVsbG8=:", b"hello", "3.3.5"),
    (b":aGVsbG8:", b"hello", "4.2.7"),
    (b":iZ==:", b"\x89", "4.2.7"),
    (b"?1", True, "3.3.6"),
    (b"?0", False, "3.3.6"),
    (b"@1659578233", Date(1659578233), "3.3.7"),
    (b"@-1", Date(-1), "3.3.7"),
    (
        b'%"This is intended for display to %c3%bcsers."',
        DisplayString("This is intended for display to üsers."),
        "3.3.8",
    ),
    (b'%"%22%25"', DisplayString('"%'), "3.3.8"),
]


@pytest.mark.parametrize("value,bare,section", ITEMS, ids=[str(row[0]) for row in ITEMS])
def test_every_bare_type_is_read(value, bare, section):
    item = sf.parse_item(value)
    assert item == Item(bare)
    assert type(item.value) is type(bare)


BAD_ITEMS = [
    b"", b" ", b"1 2", b"1,2", b"\t1", b"1\t", b"-", b"--1", b"- 1", b"1000000000000000", b"1.", b"1.1234", b"1.2.3", b".1",
    b"1234567890123.1", b'"', b'"a', rb'"\a"', rb'"\"', b'"a\x7f"', b'"a\x00"', b'"\xc3\xbc"', b'"\t"', b"'a'", b"(1)", b"a,",
    b":", b":a:", b":aaaaa:", b":a b:", b":=:=:", b":____:", b":aGVsbG8=", b"?", b"?2", b"?true", b"@", b"@a", b"@1.5", b"@ 1",
    b"@1000000000000000", b'%"', b'%"a', b"%a", b'%"%C3%BC"', b'%"%c3"', b'%"%4"', b'%"%zz"', b'%"\xc3\xbc"', b'%"\t"', b"a;",
    b"a;A=1", b"a;b=", b"a;b= 1", b"a ;b", b"a;b =1", b"\xc3", b"{", b"&&&",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_ITEMS)
def test_what_is_no_item_is_refused_whole(value):
    with pytest.raises(NotStructured):
        sf.parse_item(value)


LISTS = [
    (b"", ()),
    (b"  ", ()),
    (b"sugar, tea, rum", (Item(Token("sugar")), Item(Token("tea")), Item(Token("rum")))),
    (b"1\t,\t2", (Item(1), Item(2))),
    (b"1,2", (Item(1), Item(2))),
    (b'("foo" "bar"), ("baz"), ()', (InnerList((Item("foo"), Item("bar"))), InnerList((Item("baz"),)), InnerList(()))),
    (b"(  1   2  )", (InnerList((Item(1), Item(2))),)),
    (b"(1;a 2);b=?0;c", (InnerList((Item(1, (("a", True),)), Item(2)), (("b", False), ("c", True))),)),
    (b"abc;a=1;b=2; cde_456, x;q=1;q=3", (
        Item(Token("abc"), (("a", 1), ("b", 2), ("cde_456", True))), Item(Token("x"), (("q", 3),)))),
]  # fmt: skip


@pytest.mark.parametrize("value,members", LISTS, ids=[str(row[0]) for row in LISTS])
def test_a_list_is_read(value, members):
    assert sf.parse_list(value) == members


@pytest.mark.parametrize(
    "value",
    [
        b",",
        b"1,",
        b"1, ",
        b",1",
        b"1,,2",
        b"1 2",
        b"(1",
        b"(1,2)",
        b"(1)(2)",
        b"((1))",
        b'("a""b")',
        b"(1\t2)",
        b"1,2\t",
        b")",
    ],
)
def test_a_malformed_list_is_refused_whole(value):
    with pytest.raises(NotStructured):
        sf.parse_list(value)


DICTIONARIES = [
    (b"", {}),
    (b"max-age=60, no-store", {"max-age": Item(60), "no-store": Item(True)}),
    (b"a=?0, b, c; foo=bar", {"a": Item(False), "b": Item(True), "c": Item(True, (("foo", Token("bar")),))}),
    (b"a=(1 2);x, b=3", {"a": InnerList((Item(1), Item(2)), (("x", True),)), "b": Item(3)}),
    (b"a=1,b=2,a=3", {"a": Item(3), "b": Item(2)}),
    (b"*a_-.*0=1", {"*a_-.*0": Item(1)}),
]


@pytest.mark.parametrize("value,members", DICTIONARIES, ids=[str(row[0]) for row in DICTIONARIES])
def test_a_dictionary_is_read(value, members):
    parsed = sf.parse_dictionary(value)
    assert parsed == members
    assert list(parsed) == list(members)


@pytest.mark.parametrize(
    "value",
    [
        b"max-age=10000, &&&&&",
        b"A=1",
        b"a=",
        b"a =1",
        b"a= 1",
        b"a=1,",
        b",a",
        b"a=1 b=2",
        b"=1",
        b"1=1",
        b"a==1",
        b"a=1;",
        b"\xfc=1",
    ],
)
def test_a_malformed_dictionary_is_refused_whole(value):
    with pytest.raises(NotStructured):
        sf.parse_dictionary(value)


WRITTEN = [
    (Decimal(1), b"1.0"),
    (Decimal("1.0005"), b"1.0"),
    (Decimal("1.0015"), b"1.002"),
    (Decimal("-0.05"), b"-0.05"),
    (Decimal("1E+2"), b"100.0"),
    (True, b"?1"),
    (0, b"0"),
    (DisplayString('ü%"\n'), b'%"%c3%bc%25%22%0a"'),
    (b"", b"::"),
    (Date(-5), b"@-5"),
]


@pytest.mark.parametrize("bare,value", WRITTEN, ids=[str(row[1]) for row in WRITTEN])
def test_a_value_is_written_in_its_canonical_form(bare, value):
    assert sf.render_item(Item(bare)) == value


UNWRITABLE = [
    10**15, -(10**15), Decimal(10**12), Decimal("999999999999.9999"), Decimal("NaN"), Decimal("-Infinity"), "ü", "a\n", "\x7f", Token(""),
    Token("1a"), Token("a b"), Token("ü"), Date(10**15), DisplayString("\ud800"),
]  # fmt: skip


@pytest.mark.parametrize("bare", UNWRITABLE, ids=repr)
def test_what_has_no_form_is_not_written(bare):
    with pytest.raises(NotStructured):
        sf.render_item(Item(bare))


@pytest.mark.parametrize("key", ["", "A", "1", "-a", "ü", "a b"])
def test_a_bad_key_is_not_written(key):
    with pytest.raises(NotStructured):
        sf.render_dictionary({key: Item(1)})
    with pytest.raises(NotStructured):
        sf.render_item(Item(1, ((key, 1),)))


keys = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,6}", fullmatch=True)
bare_items = st.one_of(
    st.booleans(),
    st.integers(-sf.INTEGER_MAX, sf.INTEGER_MAX),
    st.decimals(-(10**12) + 1, 10**12 - 1, places=3, allow_nan=False),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12),
    st.from_regex(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]{0,8}", fullmatch=True).map(Token),
    st.binary(max_size=12),
    st.integers(-sf.INTEGER_MAX, sf.INTEGER_MAX).map(Date),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(DisplayString),
)
parameters = st.dictionaries(keys, bare_items, max_size=3).map(lambda held: tuple(held.items()))
items = st.builds(Item, bare_items, parameters)
members = st.one_of(items, st.builds(InnerList, st.lists(items, max_size=3).map(tuple), parameters))


@given(st.lists(members, max_size=4).map(tuple))
def test_a_written_list_reads_back(value):
    assert sf.parse_list(sf.render_list(value)) == value


@given(st.dictionaries(keys, members, max_size=4))
def test_a_written_dictionary_reads_back(value):
    assert sf.parse_dictionary(sf.render_dictionary(value)) == value


@given(items)
def test_a_written_item_reads_back(value):
    assert sf.parse_item(sf.render_item(value)) == value


@given(st.one_of(st.binary(max_size=40), st.text('ab1;=,()"\\%:?@-. \t', max_size=20).map(str.encode)))
def test_reading_gives_a_value_or_one_error(value):
    for parse in (sf.parse_item, sf.parse_list, sf.parse_dictionary):
        try:
            parse(value)
        except NotStructured:
            continue


@given(st.text('ab1;=,()"%:?@-. ', max_size=20).map(str.encode))
def test_what_was_read_once_is_canonical_when_written(value):
    try:
        read = sf.parse_list(value)
    except NotStructured:
        return
    assert sf.parse_list(sf.render_list(read)) == read


def test_who_must_refuse_a_repeated_key_sees_it():
    assert sf.parse_members(b"a=1, b, a=2") == (("a", Item(1)), ("b", Item(True)), ("a", Item(2)))
    assert sf.parse_dictionary(b"a=1, b, a=2") == {"a": Item(2), "b": Item(True)}
