"""A place as placement knows it."""

from __future__ import annotations

from edge.geo.whereabouts import NOWHERE, SLOTS, PlaceSource, Whereabouts


def test_nowhere_is_what_nobody_knows():
    assert Whereabouts() == NOWHERE
    assert (NOWHERE.country, NOWHERE.point, NOWHERE.pop, NOWHERE.source) == (
        None,
        None,
        None,
        PlaceSource.UNKNOWN,
    )


def test_slots_are_a_power_of_two():
    """So that an odd factor goes through all of them (edge.geo.shares), and a slot is the upper bits of a hash."""
    assert SLOTS & (SLOTS - 1) == 0
