"""Distances on the earth."""

from __future__ import annotations

from math import acos, cos, isclose, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.places import EARTH_RADIUS, HALF_EARTH, Point, distance, point_of

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)
POINTS = st.builds(Point, LATITUDES, LONGITUDES)

FRANKFURT, SYDNEY, AUCKLAND = Point(50.11, 8.68), Point(-33.87, 151.21), Point(-36.85, 174.76)


@pytest.mark.parametrize(
    "a, b, kilometres",
    [
        (FRANKFURT, FRANKFURT, 0),
        (FRANKFURT, SYDNEY, 16_478),
        (AUCKLAND, Point(-18.14, 178.44), 2_108),  # Suva
        (Point(0, 179.5), Point(0, -179.5), 111),  # across the date line
        (Point(90, 0), Point(-90, 120), 20_015),
        (Point(0, 0), Point(0, 180), 20_015),
    ],
)
def test_distances_are_those_of_the_map(a: Point, b: Point, kilometres: float):
    assert distance(a, b) == pytest.approx(kilometres, rel=0.01, abs=0.5)


@given(POINTS, POINTS)
def test_a_distance_is_the_same_both_ways_and_never_more_than_half_the_earth(a: Point, b: Point):
    assert 0 <= distance(a, b) <= HALF_EARTH
    assert isclose(distance(a, b), distance(b, a), abs_tol=1e-6)


@given(POINTS, POINTS)
def test_it_is_what_the_law_of_cosines_says(a: Point, b: Point):
    north_a, north_b = radians(a.latitude), radians(b.latitude)
    cosine = sin(north_a) * sin(north_b) + cos(north_a) * cos(north_b) * cos(
        radians(a.longitude - b.longitude)
    )
    assert distance(a, b) == pytest.approx(EARTH_RADIUS * acos(max(-1, min(1, cosine))), abs=0.5)


@pytest.mark.parametrize(
    "latitude, longitude, point",
    [
        (50, 8.5, Point(50.0, 8.5)),
        (-90.0, 180.0, Point(-90.0, 180.0)),
        (90.1, 0, None),
        (0, -180.1, None),
        (float("nan"), 0, None),
        ("50", "8", None),
        (None, 8, None),
        (True, False, None),
    ],
)
def test_only_a_position_is_a_point(latitude: object, longitude: object, point: Point | None):
    assert point_of(latitude, longitude) == point
