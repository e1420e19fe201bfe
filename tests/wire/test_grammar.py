"""The grammar both head parsers and the trailer parser stand on."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.wire.grammar import (
    BARE_CONTROL,
    FIELD_SECTION,
    FORBIDDEN_TRAILERS,
    HOP_BY_HOP,
    NOT_STRIPPABLE,
    TOKEN,
    connection_options,
    read_lines,
    split_lines,
)

END = b"\r\n"


@pytest.mark.parametrize(
    "section,verdict",
    [
        (b"", True),
        (b"A: b\r\n", True),
        (b"A:\r\n", True),
        (b"A: \t\r\n", True),
        (b"A:b:c\r\n", True),
        (b"!#$%&'*+-.^_`|~09azAZ: x\r\n", True),
        (b"A: \x80\xff\t \x21~\r\n", True),
        (b"A: b\r\nA: c\r\n", True),
        # RFC 9112 s5.1: no white space between name and colon
        (b"A : b\r\n", False),
        (b"A\t: b\r\n", False),
        # RFC 9112 s5.2: no obs-fold, and no white space first
        (b"A: b\r\n c\r\n", False),
        (b"A: b\r\n\tc\r\n", False),
        (b" A: b\r\n", False),
        # RFC 9110 s5.1: a name is a token
        (b": b\r\n", False),
        (b"A(: b\r\n", False),
        (b"A\xe9: b\r\n", False),
        (b'"A": b\r\n', False),
        (b"A/b: c\r\n", False),
        (b"A@b: c\r\n", False),
        (b"no colon\r\n", False),
        (b"nocolon\r\n", False),
        # RFC 9110 s5.5: no control byte in a value
        (b"A: b\0c\r\n", False),
        (b"A: b\rc\r\n", False),
        (b"A: b\nc\r\n", False),
        (b"A: b\x01\r\n", False),
        (b"A: b\x0b\r\n", False),
        (b"A: b\x0c\r\n", False),
        (b"A: b\x1f\r\n", False),
        (b"A: b\x7f\r\n", False),
        # RFC 9112 s2.2: CRLF ends a line, nothing else does
        (b"A: b\n", False),
        (b"A: b\r", False),
        (b"A: b\r\r\n", False),
    ],
)  # fmt: skip
def test_a_field_section_is_strict(section: bytes, verdict: bool):
    assert (FIELD_SECTION.fullmatch(section + END) is not None) is verdict


@pytest.mark.parametrize("byte", range(256))
def test_a_token_is_made_of_tchar_alone(byte: int):
    allowed = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert (TOKEN.fullmatch(bytes([byte])) is not None) is (byte in allowed)


@pytest.mark.parametrize(
    "data,verdict",
    [
        (b"GET / HTTP/1.1\r\nA: b\r\n", False),
        (b"GET / HTTP/1.1\r", False),
        (b"A: \t\x80\xff", False),
        (b"\r\n", False),
        (b"\n", True),
        (b"A\nB", True),
        (b"\r\n\n", True),
        (b"A\rB", True),
        (b"A\r\rB", True),
        (b"A\r\r", True),
        (b"\0", True),
        (b"\x08", True),
        (b"\x0b", True),
        (b"\x1f", True),
        (b"\x7f", True),
    ],
)
def test_what_no_head_may_contain_is_seen_before_its_end(data: bytes, verdict: bool):
    assert (BARE_CONTROL.search(data) is not None) is verdict


def test_lines_keep_spelling_and_order_and_lose_white_space_around_the_value():
    assert split_lines(b"B: 1\r\na:\t 2 \t\r\nB:\r\nC: x: y\r\n\r\n") == [
        (b"B", b"1"),
        (b"a", b"2"),
        (b"B", b""),
        (b"C", b"x: y"),
    ]
    assert split_lines(b"\r\n") == []


@pytest.mark.parametrize(
    "values,options",
    [
        ([b"close"], {b"close"}),
        ([b"Keep-Alive, X-A ,\tUpgrade"], {b"keep-alive", b"x-a", b"upgrade"}),
        ([b"a", b"b"], {b"a", b"b"}),
        ([b"", b",,", b" , "], set()),
    ],
)
def test_connection_options_are_folded_members(values: list[bytes], options: set[bytes]):
    assert connection_options(values) == options


def test_names_in_the_tables_are_lower_case_and_none_is_both_kept_and_stripped():
    for table in (HOP_BY_HOP, NOT_STRIPPABLE, FORBIDDEN_TRAILERS):
        assert {name.lower() for name in table} == table
    assert NOT_STRIPPABLE.isdisjoint(HOP_BY_HOP)
    assert HOP_BY_HOP <= FORBIDDEN_TRAILERS


PIECES = st.sampled_from(
    (
        b"A",
        b"b-c",
        b":",
        b": ",
        b" ",
        b"\t",
        b"value",
        b"\xe9",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"@",
        b'"',
    )
)


@settings(max_examples=2000)
@given(st.lists(PIECES, max_size=14).map(b"".join), st.sampled_from((b"", b"\r\n", b"\r\n\r\n")))
@example(b"A:b \r\nA: c", b"\r\n\r\n")
@example(b"A:  b\r\n@: c", b"\r\n\r\n")
@example(b"A: b\nB: c", b"\r\n\r\n")
@example(b"A: b\r\n\r\nB: c", b"\r\n\r\n")
@example(b"", b"\r\n")
def test_lines_read_in_one_pass_are_those_of_two(section: bytes, end: bytes):
    """Whatever the bytes: malformed is malformed, and what is not has the same lines."""
    first = b"HTTP/1.1 200 OK\r\n"
    whole = section + end
    strict = None if FIELD_SECTION.fullmatch(whole) is None else split_lines(whole)
    assert read_lines(first + whole, len(first)) == strict
    assert read_lines(whole, 0) == strict, "a section by itself: a request's, a trailer's"
