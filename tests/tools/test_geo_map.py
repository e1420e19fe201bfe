"""The map is a picture, things are where they belong, and names are text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from edge.geo.places import Point
from tools.geo_map import COLOURS, MOST, SCALE, Spot, world_map

SVG = "{http://www.w3.org/2000/svg}"
POPS = [("fra", Point(50.0, 10.0), 3), ("a<b", Point(-80.0, -180.0), 1)]


def test_places_are_where_their_coordinates_are_and_spots_as_large_as_their_requests():
    picture = ET.fromstring(world_map([Spot(Point(50.0, 10.0), 4, 0), Spot(Point(0.0, 0.0), 1, 9)], POPS))
    spots = [each for each in picture.iter(f"{SVG}circle") if each.get("fill") in COLOURS]
    assert [float(each.attrib["r"]) for each in spots] == [MOST, MOST / 2]
    assert (float(spots[0].attrib["cx"]), float(spots[0].attrib["cy"])) == (190 * SCALE, 35 * SCALE)
    assert spots[1].get("fill") == COLOURS[9 % len(COLOURS)]


def test_names_are_text_and_nothing_lies_outside():
    text = world_map([], POPS)
    picture = ET.fromstring(text)
    assert [each.text for each in picture.iter(f"{SVG}text")][:2] == ["fra 75%", "a<b 25%"]
    _, _, _, height = map(float, picture.attrib["viewBox"].split())
    assert all(0 <= float(each.attrib["cy"]) <= height for each in picture.iter(f"{SVG}circle"))
