"""Points on the earth and how far apart they are. PURE.

Owns: `Point`, `distance`. Rules: degrees, WGS 84, on a sphere of the mean radius: the sphere is wrong by up to 0.5 %, which
is less than what a database knows of where anybody is. The haversine form, since that of the cosine loses what is near.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS = 6371.0088
"""Kilometres; the mean radius R1 of the International Union of Geodesy and Geophysics."""

HALF_EARTH = 20_016.0
"""Kilometres: nothing is farther away."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place. latitude: -90 to 90, north positive. longitude: -180 to 180, east positive."""

    latitude: float
    longitude: float


def distance(a: Point, b: Point) -> float:
    """Kilometres along the great circle."""
    north_a, north_b = radians(a.latitude), radians(b.latitude)
    up = sin((north_b - north_a) / 2)
    across = sin(radians(b.longitude - a.longitude) / 2)
    chord = up * up + cos(north_a) * cos(north_b) * across * across
    return 2 * EARTH_RADIUS * asin(min(1.0, sqrt(chord)))  # rounding can make it a little more than 1


def point_of(latitude: object, longitude: object) -> Point | None:
    """The point that a database's values mean; None when they are none."""
    if not _is_number(latitude) or not _is_number(longitude):
        return None
    assert isinstance(latitude, int | float)
    assert isinstance(longitude, int | float)
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180:  # also what is not a number
        return None
    return Point(float(latitude), float(longitude))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
