"""One point for each country."""

from __future__ import annotations

import pytest

from edge.geo.countries import COUNTRIES
from edge.geo.places import Point, distance


def test_every_country_is_there():
    assert len(COUNTRIES) > 245
    assert all(len(country) == 2 and country.isupper() for country in COUNTRIES)


@pytest.mark.parametrize(
    "country, city",
    [
        ("RU", Point(55.76, 37.62)),
        ("AU", Point(-33.87, 151.21)),
        ("CA", Point(43.65, -79.38)),
        ("BR", Point(-23.55, -46.63)),
        ("US", Point(41.88, -87.63)),
        ("CN", Point(31.23, 121.47)),
        ("DE", Point(52.52, 13.40)),
        ("JP", Point(35.68, 139.69)),
    ],
)
def test_a_large_country_is_where_its_people_are(country: str, city: Point):
    assert distance(COUNTRIES[country], city) < 30
