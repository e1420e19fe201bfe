"""The generator of the table of countries."""

from __future__ import annotations

import pytest

from tools.countries import MAIN_ZONE, OUTPUT, degrees, points, source, zone_table

TABLE = "# a comment\nDE\t+5230+01322\tEurope/Berlin\tmost of it\nRU\t+5443+02030\tEurope/Kaliningrad\nRU\t+554521+0373704\tEurope/Moscow\n"


@pytest.mark.parametrize(
    "text, position",
    [
        ("+5230+01322", (52.5, 13.37)),
        ("-0003-00130", (-0.05, -1.5)),
        ("+554521+0373704", (55.76, 37.62)),
        ("-775000+1663600", (-77.83, 166.6)),
    ],
)
def test_a_position_is_read_to_the_kilometre(text: str, position: tuple[float, float]):
    assert degrees(text) == position


@pytest.mark.parametrize("text", ["", "+52+013", "+5230", "5230+01322"])
def test_what_is_no_position_is_refused(text: str):
    with pytest.raises(ValueError, match="no position"):
        degrees(text)


def test_the_main_zone_wins_over_the_first():
    found = points(TABLE)
    assert (found["DE"], found["RU"]) == ((52.5, 13.37), (55.76, 37.62))
    assert "XK" in found


def test_every_main_zone_is_in_the_table():
    table, _ = zone_table()
    assert {zone for zone in MAIN_ZONE.values() if f"\t{zone}" not in table} == set()


def test_what_is_committed_is_what_is_generated():
    table, version = zone_table()
    committed = OUTPUT.read_text(encoding="utf-8")
    if f"database {version}." in committed:
        assert committed == source(table, version)
    else:  # a newer tz database is installed: it may have moved a city, but not the world
        assert committed.count("Point(") == source(table, version).count("Point(")
