"""Kinds made of kinds read every element, and say which one is wrong."""

from __future__ import annotations

import tomllib

import pytest

from edge.settings.composed import ListOf, MapOf, Or, SetOf
from edge.settings.kinds import Count, Duration, Kind, Name
from edge.settings.problems import Path, Refused

OFF: Kind[object] = Or("off", None, Duration(0, 60))
LIST: Kind[object] = ListOf(Count(1, 9), max_items=3)
ONE: Kind[object] = ListOf(Name(5), max_items=3, min_items=1, one=True)
SET: Kind[object] = SetOf(ListOf(Name(5), max_items=3))
MAP: Kind[object] = MapOf(Name(5), Count(1, 9), max_items=2)
DEEP: Kind[object] = MapOf(Name(5), ListOf(Or("off", 0, Count(1, 9))))

READ = [
    (OFF, "off", None),
    (OFF, "30s", 30.0),
    (LIST, [], ()),
    (LIST, [1, 2, 9], (1, 2, 9)),
    (ONE, "a", ("a",)),
    (ONE, ["a", "b"], ("a", "b")),
    (SET, ["b", "a"], frozenset({"a", "b"})),
    (MAP, {}, {}),
    (MAP, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
    (DEEP, {"a": [1, "off"]}, {"a": (1, 0)}),
]

REFUSED: list[tuple[Kind[object], object, list[tuple[str, str, Path]]]] = [
    (
        OFF,
        "of",
        [('"of" is no duration', 'write a number with a unit, as in "30s" or "1h30m", or "off"', ())],
    ),
    (OFF, "2m", [('"2m" is more than is allowed', 'allowed: 0s to 1m, or "off"', ())]),
    (LIST, 3, [("3 is no array", "allowed: an array of 0 to 3: 1 to 9", ())]),
    (LIST, "x", [('"x" is no array', 'write ["x"]', ())]),
    (LIST, [1, 2, 3, 4], [("it has 4 elements", "allowed: an array of 0 to 3: 1 to 9", ())]),
    (
        LIST,
        [0, 1, 10],
        [
            ("0 is less than is allowed", "allowed: 1 to 9", (0,)),
            ("10 is more than is allowed", "allowed: 1 to 9", (2,)),
        ],
    ),
    (LIST, [1, 2, 1], [("1 stands here twice", "leave one of them out", (2,))]),
    (ONE, [], [("it has 0 elements", f"allowed: {ONE.allowed()}", ())]),
    (ONE, "a b", [('"a b" is no name', f"allowed: {Name(5).allowed()}", ())]),
    (MAP, [], [("an array is no table", f"allowed: {MAP.allowed()}", ())]),
    (MAP, {"a": 1, "b": 1, "c": 1}, [("it has 3 entries", f"allowed: {MAP.allowed()}", ())]),
    (
        MAP,
        {"a": 0, "-": 1},
        [
            ("0 is less than is allowed", "allowed: 1 to 9", ("a",)),
            ('"-" is no name', f"allowed: {Name(5).allowed()}", ("-",)),
        ],
    ),
    (
        DEEP,
        {"a": [1, "x"]},
        [('"x" is no whole number', 'allowed: 1 to 9, without quotes, or "off"', ("a", 1))],
    ),
]


@pytest.mark.parametrize("kind, value, read", READ)
def test_what_is_allowed_is_read_and_written_back(kind: Kind[object], value: object, read: object):
    assert kind.read(value) == read
    assert kind.read(tomllib.loads(f"k = {kind.write(read)}")["k"]) == read


@pytest.mark.parametrize("kind, value, faults", REFUSED)
def test_every_element_that_is_not_allowed_is_refused(
    kind: Kind[object], value: object, faults: list[tuple[str, str, Path]]
):
    with pytest.raises(Refused) as refusal:
        kind.read(value)
    assert [(f.wrong, f.instead, f.at) for f in refusal.value.faults] == faults
