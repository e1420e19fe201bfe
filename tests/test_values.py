"""`value`: frozen to the type checker, quick to make, and otherwise what a frozen dataclass is."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from edge.values import replace, value


@value(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


@value(frozen=True, slots=True, eq=False)
class Thing:
    x: int


def test_values_are_compared_and_hashed_by_what_they_hold():
    assert Point(1) == Point(1, 0) != Point(1, 1)
    assert len({Point(1), Point(1, 0), Point(2)}) == 2
    assert replace(Point(1), y=2) == Point(1, 2)
    assert [each.name for each in fields(Point)] == ["x", "y"]


def test_without_eq_each_is_only_itself():
    assert Thing(1) != Thing(1)
    assert len({Thing(1), Thing(1)}) == 2


def test_a_value_has_its_fields_and_no_others():
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]


def test_a_value_that_is_not_frozen_is_refused():
    with pytest.raises(AssertionError):
        value(frozen=False, slots=True)


def test_a_copy_with_fields_replaced_leaves_the_old_one_as_it_was():
    old = Point(1, 2)
    new = replace(old, y=3)
    assert (old, new) == (Point(1, 2), Point(1, 3))
    assert replace(old) == old
    assert replace(old) is not old
    with pytest.raises(AttributeError):
        replace(old, z=1)  # type: ignore[call-arg]  # that is the point


def test_what_is_really_frozen_is_not_replaced_here():
    @dataclass(frozen=True, slots=True)
    class Frozen:
        x: int
        y: int

    with pytest.raises(AttributeError):
        replace(Frozen(1, 2), x=3)
