"""Names: text and wire both ways, and what must not be read as one."""

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.dns.names import (
    ROOT,
    BadName,
    Name,
    ancestors,
    is_within,
    labels_of,
    name_of,
    read_name,
    text_of,
    wildcard_below,
)

LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=6).filter(
    lambda labels: sum(map(len, labels)) < 240
)


@given(LABELS)
def test_a_name_reads_as_dnspython_reads_it_and_comes_back_as_text(labels: list[bytes]):
    wire = dns.name.Name([*labels, b""]).to_wire()
    assert wire is not None
    assert read_name(wire, 0) == (wire, len(wire))
    assert labels_of(wire) == labels
    assert name_of(text_of(wire)) == wire.lower()


CASES = [
    ("www.example.", b"\3www\7example\0"),
    ("WWW.Example.", b"\3www\7example\0"),
    (".", b"\0"),
    (r"a\.b.example.", b"\3a.b\7example\0"),
    (r"a\046b.example.", b"\3a.b\7example\0"),
]


@pytest.mark.parametrize(("text", "wire"), CASES)
def test_text_means_this_name(text: str, wire: bytes):
    assert name_of(text) == wire


def test_without_a_last_dot_a_name_is_below_the_origin():
    origin = name_of("example.")
    assert name_of("www", origin) == name_of("www.example.")
    assert name_of("@", origin) == origin
    assert wildcard_below(origin) == name_of("*", origin)


@pytest.mark.parametrize(
    "text", ["", "..", "a..b.", "a" * 64 + ".", "a." * 128, r"a\300.", "a\\", "ä.example."]
)
def test_this_is_no_name(text: str):
    with pytest.raises(BadName):
        name_of(text)


POINTERS = [
    ("to itself", b"\xc0\x00", 0),
    ("forward", b"\xc0\x02\1a\0", 0),
    ("two at each other", b"\xc0\x02\xc0\x00", 2),
    ("back into the same name", b"\1a\xc0\x00", 0),
    ("cut off", b"\1a\0\xc0", 3),
    ("no root", b"\3www", 0),
    ("cut in a label", b"\3ww", 0),
    ("nothing", b"", 0),
    ("a label type of old", b"\x41a\0", 0),
    ("an extended label type", b"\x80a\0", 0),
]


@pytest.mark.parametrize(("name", "message", "at"), POINTERS, ids=[each[0] for each in POINTERS])
def test_a_pointer_or_label_that_leads_nowhere_is_refused(name: str, message: bytes, at: int):
    with pytest.raises(BadName):
        read_name(message, at)


def test_a_pointer_back_is_followed_and_the_end_is_behind_it():
    message = b"\7example\0" + b"\3www\xc0\x00" + b"tail"
    assert read_name(message, 9) == (b"\3www\7example\0", 15)


def test_pointers_cannot_make_a_name_longer_than_255_octets():
    long = b"".join(b"\x3f" + bytes((97 + each,)) * 63 for each in range(3))
    message = long + b"\0" + b"\x3f" + b"x" * 63 + b"\xc0\x00"
    with pytest.raises(BadName):
        read_name(message, len(long) + 1)


@given(st.binary(max_size=300), st.integers(0, 299))
def test_any_octets_are_a_name_or_refused(message: bytes, at: int):
    try:
        name, end = read_name(message, at)
    except BadName:
        return
    assert len(name) <= 255
    assert at < end <= len(message)


def test_ancestors_go_up_to_the_root():
    name = name_of("a.b.c.")
    assert list(ancestors(name)) == [name, name_of("b.c."), name_of("c."), ROOT]
    assert is_within(name, name_of("c."))
    assert not is_within(Name(b"\2bc\0"), name_of("c."))
