"""Positions as nodes tell them to each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.purge.tokens import MOST_SEQ, read_token, token_of

H = "0123456789abcdef"


@given(st.integers(0, MOST_SEQ))
def test_what_was_told_is_read(seq: int):
    assert read_token(token_of(H, seq)) == (H, seq)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b":",
        H.encode(),
        H.encode() + b":",
        H.encode() + b":x",
        H.encode() + b":-1",
        H.encode() + b":01",
        H.encode() + b":1 ",
        H.encode() + b":1\n",
        H.upper().encode() + b":1",
        H[1:].encode() + b":1",
        H.encode() + b":%d" % (MOST_SEQ + 1),
        H.encode() + b":" + b"9" * 400,
        "0123456789abcdef:\u0661".encode(),
    ],
)
def test_what_is_nonsense_is_read_as_nothing(token: bytes):
    assert read_token(token) is None


def test_who_knows_no_history_says_so():
    assert token_of("", 0) == b"0" * 16 + b":0"
    assert read_token(token_of("", 0)) is None
