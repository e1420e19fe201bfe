"""Each plain kind reads what is allowed, and says what to write instead of what is not."""

from __future__ import annotations

import tomllib
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.kinds import Choice, Count, Duration, Flag, Kind, Name, Share, Size, Text
from edge.settings.problems import Refused


class Colour(Enum):
    RED = "red"
    GREEN = "green"


DURATION = Duration(1.0, 60.0)
SIZE = Size(16, 1024)
RATE = Size(0, 1024, per="/s")
COUNT = Count(1, 10)
SHARE = Share(0.5)
CHOICE = Choice(tuple(Colour))
TEXT = Text("a note", 5)
NAME = Name(8)

READ: list[tuple[Kind[object], object, object]] = [
    (Flag(), True, True),
    (DURATION, "1s", 1.0),
    (DURATION, "1m", 60.0),
    (SIZE, "16B", 16),
    (SIZE, "1KiB", 1024),
    (RATE, "1KB/s", 1000),
    (COUNT, 1, 1),
    (COUNT, 10, 10),
    (SHARE, 0, 0.0),
    (SHARE, 0.5, 0.5),
    (SHARE, "50%", 0.5),
    (CHOICE, "red", Colour.RED),
    (TEXT, "é b", "é b"),
    (NAME, "fra-1", "fra-1"),
]

REFUSED: list[tuple[Kind[object], object, str, str]] = [
    (Flag(), "yes", '"yes" is neither true nor false', "write true or false, without quotes"),
    (Flag(), 1, "1 is neither true nor false", "write true or false, without quotes"),
    (DURATION, 30, "30 has no unit", 'write "30s" if seconds are meant'),
    (DURATION, 1.5, "1.5 has no unit", 'write "1.5s" if seconds are meant'),
    (DURATION, "30", '"30" is no duration', 'write a number with a unit, as in "30s" or "1h30m"'),
    (DURATION, True, "true is no duration", 'write a number with a unit, as in "30s" or "1h30m"'),
    (DURATION, "999ms", '"999ms" is less than is allowed', "allowed: 1s to 1m"),
    (DURATION, "61s", '"61s" is more than is allowed', "allowed: 1s to 1m"),
    (SIZE, 64, "64 has no unit", 'write "64B" if bytes are meant'),
    (SIZE, "1K", '"1K" is no size', 'write a number with B, KB, KiB, MB, MiB, ..., as in "500B" or "64KiB"'),
    (
        SIZE,
        [],
        "an array is no size",
        'write a number with B, KB, KiB, MB, MiB, ..., as in "500B" or "64KiB"',
    ),
    (SIZE, "15B", '"15B" is less than is allowed', "allowed: 16B to 1KiB"),
    (SIZE, "1025B", '"1025B" is more than is allowed', "allowed: 16B to 1KiB"),
    (
        RATE,
        "5B",
        '"5B" is no rate',
        'write a number with B, KB, KiB, MB, MiB, ..., as in "500B/s" or "64KiB/s"',
    ),
    (RATE, 5, "5 has no unit", 'write "5B/s" if bytes are meant'),
    (COUNT, 0, "0 is less than is allowed", "allowed: 1 to 10"),
    (COUNT, 11, "11 is more than is allowed", "allowed: 1 to 10"),
    (COUNT, "5", '"5" is no whole number', "allowed: 1 to 10, without quotes"),
    (COUNT, 1.0, "1.0 is no whole number", "allowed: 1 to 10, without quotes"),
    (COUNT, True, "true is no whole number", "allowed: 1 to 10, without quotes"),
    (SHARE, 0.51, "0.51 is outside of what is allowed", "allowed: 0 to 0.5"),
    (SHARE, -0.1, "-0.1 is outside of what is allowed", "allowed: 0 to 0.5"),
    (SHARE, float("nan"), "nan is outside of what is allowed", "allowed: 0 to 0.5"),
    (SHARE, "half", '"half" is no share', 'allowed: 0 to 0.5, as in 0.1 or "10%"'),
    (CHOICE, "gren", '"gren" is not known here', 'did you mean "green"? allowed: "red", "green"'),
    (CHOICE, "blue", '"blue" is not known here', 'allowed: "red", "green"'),
    (CHOICE, 3, "3 is not known here", 'allowed: "red", "green"'),
    (TEXT, 3, "3 is no text", "write a note in quotes"),
    (TEXT, "", "it is empty", "allowed: a note, 1 to 5 characters"),
    (TEXT, "123456", "it is 6 characters long", "allowed: a note, 1 to 5 characters"),
    (TEXT, "a\nb", "it has control characters in it", "allowed: a note, 1 to 5 characters"),
    (NAME, "-a", '"-a" is no name', f"allowed: {NAME.allowed()}"),
    (NAME, "a b", '"a b" is no name', f"allowed: {NAME.allowed()}"),
    (NAME, "123456789", '"123456789" is no name', f"allowed: {NAME.allowed()}"),
]


@pytest.mark.parametrize("kind, value, read", READ)
def test_what_is_allowed_is_read_and_written_back(kind: Kind[object], value: object, read: object):
    assert kind.read(value) == read
    assert kind.read(tomllib.loads(f"k = {kind.write(read)}")["k"]) == read


@pytest.mark.parametrize("kind, value, wrong, instead", REFUSED)
def test_what_is_not_allowed_is_refused_with_what_is(
    kind: Kind[object], value: object, wrong: str, instead: str
):
    with pytest.raises(Refused) as refusal:
        kind.read(value)
    assert [(f.wrong, f.instead, f.at) for f in refusal.value.faults] == [(wrong, instead, ())]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from([Flag(), DURATION, SIZE, RATE, COUNT, SHARE, CHOICE, TEXT, NAME]), ANY)
def test_any_value_is_read_or_refused(kind: Kind[object], value: object):
    try:
        kind.read(value)
    except Refused as refusal:
        faults = refusal.faults
    else:
        return
    assert all(fault.wrong and fault.instead for fault in faults)
