"""What a node says of itself comes back as it was said; what is not of that form is refused, whatever it is."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fleet.presence import (
    MAX_ADDRESSES,
    MAX_APPLIED,
    MAX_BYTES,
    BadPresence,
    Presence,
    decode,
    encode,
)

PLAIN = Presence("fra-1", "i-1", "eu", history="0123456789abcdef", applied=7)
FULL = Presence(
    node="fra-edge.1",
    instance="0f0e-1",
    region="eu",
    pop="fra",
    role="shield",
    version="0.1.0+local",
    history="0123456789abcdef",
    applied=MAX_APPLIED,
    ready=True,
    proof_age=1.25,
    workers=8,
    load=1.0,
    rate=1234.5,
    addresses=("192.0.2.1:80", "[2001:db8::1]:443"),
    leaving=True,
)


@pytest.mark.parametrize("presence", [PLAIN, FULL, Presence("a", "b", "c")], ids=["plain", "full", "least"])
def test_it_comes_back_as_it_was_said(presence: Presence):
    assert decode(encode(presence)) == presence


def test_what_a_later_version_adds_is_left_out():
    assert decode(json.dumps({**json.loads(encode(PLAIN)), "colour": "blue"}).encode()) == PLAIN


def test_an_earlier_version_says_no_rate():
    said = json.loads(encode(FULL))
    del said["rate"]
    assert decode(json.dumps(said).encode()).rate is None


REFUSED: list[tuple[str, dict[str, object]]] = [
    ("another version", {"v": 2}),
    ("no name", {"node": ""}),
    ("a name that is none", {"node": "a b"}),
    ("a name that would be two lines", {"node": "a\n"}),
    ("a long name", {"node": "a" * 65}),
    ("a name that is a number", {"node": 5}),
    ("no instance", {"instance": ""}),
    ("an instance with a dot", {"instance": "a.b"}),
    ("no region", {"region": None}),
    ("a bad pop", {"pop": "*"}),
    ("a role that is a sentence", {"role": "an edge"}),
    ("a long version", {"version": "1" * 65}),
    ("a history of another form", {"history": "0123"}),
    ("a history in capitals", {"history": "0123456789ABCDEF"}),
    ("fewer than none applied", {"applied": -1}),
    ("more applied than there can be", {"applied": MAX_APPLIED + 1}),
    ("half an order applied", {"applied": 1.5}),
    ("true as a number", {"applied": True}),
    ("ready as a number", {"ready": 1}),
    ("a proof from the future", {"proof_age": -0.1}),
    ("a proof that is no number", {"proof_age": "1"}),
    ("too many workers", {"workers": 257}),
    ("more load than there is", {"load": 1.01}),
    ("a load that is no number", {"load": None}),
    ("a rate below nothing", {"rate": -1}),
    ("a rate that is no number", {"rate": "1"}),
    ("one address", {"addresses": "192.0.2.1:80"}),
    ("too many addresses", {"addresses": ["a"] * (MAX_ADDRESSES + 1)}),
    ("an address that is a number", {"addresses": [80]}),
    ("an empty address", {"addresses": [""]}),
    ("a long address", {"addresses": ["a" * 263]}),
    ("an address with a line end", {"addresses": ["a\n"]}),
    ("leaving, perhaps", {"leaving": "yes"}),
]


@pytest.mark.parametrize("wrong", [each for _, each in REFUSED], ids=[name for name, _ in REFUSED])
def test_what_is_out_of_its_bounds_is_refused(wrong: dict[str, object]):
    with pytest.raises(BadPresence):
        decode(json.dumps({**json.loads(encode(FULL)), **wrong}).encode())


@pytest.mark.parametrize("name", sorted(set(json.loads(encode(FULL))) - {"rate"}))
def test_what_lacks_a_part_is_refused(name: str):
    said = json.loads(encode(FULL))
    del said[name]
    with pytest.raises(BadPresence):
        decode(json.dumps(said).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"a"',
        b"{",
        b"\xff",
        b"[" * 5_000,
        encode(FULL).replace(b"1.25", b"NaN"),
        encode(FULL).replace(b"1.25", b"Infinity"),
        encode(FULL) + b" " * MAX_BYTES,
    ],
    ids=["nothing", "null", "list", "number", "text", "cut", "bytes", "deep", "nan", "infinity", "large"],
)
def test_what_is_no_message_is_refused(data: bytes):
    with pytest.raises(BadPresence):
        decode(data)


@settings(max_examples=60)
@given(st.data())
def test_a_message_that_was_damaged_is_refused_or_read_and_nothing_else_happens(data: st.DataObject):
    whole = bytearray(encode(FULL))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadPresence):
        assert isinstance(decode(bytes(whole)), Presence)


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(sorted(json.loads(encode(FULL)))),
)
def test_any_value_in_any_place_is_refused_or_read(value: object, name: str):
    with contextlib.suppress(BadPresence):
        decode(json.dumps({**json.loads(encode(FULL)), name: value}).encode())


def test_an_order_is_applied_in_its_own_history_only():
    assert PLAIN.has_applied(7, "0123456789abcdef")
    assert not PLAIN.has_applied(8, "0123456789abcdef")
    assert not PLAIN.has_applied(7, "fedcba9876543210")
