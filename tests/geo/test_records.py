"""Records of every layout, and of none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geoip2.database
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.places import Point
from edge.geo.records import read_record
from tools.mmdb import mmdb_bytes

BERLIN = Point(52.52, 13.4)


NESTED: list[tuple[str, dict[str, object], str | None, Point | None]] = [
    (
        "GeoLite2 City",
        {
            "city": {"names": {"en": "Berlin"}},
            "country": {"iso_code": "DE", "geoname_id": 1},
            "location": {"latitude": 52.52, "longitude": 13.4, "accuracy_radius": 20},
            "registered_country": {"iso_code": "US"},
        },
        "DE",
        BERLIN,
    ),
    ("GeoLite2 Country", {"country": {"iso_code": "DE"}}, "DE", None),
    ("registered only", {"registered_country": {"iso_code": "US"}}, "US", None),
    (
        "registered, with a location",
        {"registered_country": {"iso_code": "DE"}, "location": {"latitude": 52.52, "longitude": 13.4}},
        "DE",
        BERLIN,
    ),
]


@pytest.mark.parametrize(
    "name, record, country, point",
    [
        *NESTED,
        ("flat country", {"country_code": "DE"}, "DE", None),
        ("flat city", {"country_code": "DE", "latitude": 52.52, "longitude": 13.4}, "DE", BERLIN),
        ("flat city as text", {"country_code": "DE", "latitude": "52.52", "longitude": "13.4"}, "DE", BERLIN),
        ("IPinfo", {"country": "DE", "loc": "52.52,13.4"}, "DE", BERLIN),
        ("IPinfo, the older", {"country": "DE", "lat": "52.52", "lng": "13.4"}, "DE", BERLIN),
        ("lower case", {"country_code": "de"}, "DE", None),
        ("no coordinates", {"country_code": "DE", "latitude": 0.0, "longitude": 0}, "DE", None),
        ("off the earth", {"country_code": "DE", "latitude": 99.0, "longitude": 0.0}, "DE", None),
        ("half of them", {"country_code": "DE", "latitude": 50.0}, "DE", None),
        ("no country", {"country_code": "-", "latitude": 52.52, "longitude": 13.4}, None, BERLIN),
        ("a number", {"country_code": 276}, None, None),
        ("letters that are none", {"country_code": "ßß"}, None, None),
        ("empty", {}, None, None),
        ("no mapping", ["DE"], None, None),
        ("nothing", None, None, None),
    ],
)
def test_a_record_is_read(name: str, record: object, country: str | None, point: Point | None):
    assert read_record(record) == (country, point)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=3), st.just("1e999")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                ["country", "iso_code", "country_code", "location", "latitude", "longitude", "loc"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("record", [row[1] for row in NESTED])
def test_the_published_reader_sees_the_same(tmp_path: Path, record: Mapping[str, object]):
    """geoip2, which knows the nested layout only."""
    file = tmp_path / "a.mmdb"
    file.write_bytes(mmdb_bytes({"192.0.2.0/24": record}, database_type="GeoLite2-City"))
    with geoip2.database.Reader(file) as reader:
        city = reader.city("192.0.2.1")
    country, point = read_record(record)
    assert (city.country.iso_code or city.registered_country.iso_code) == country
    assert (city.location.latitude, city.location.longitude) == (
        (None, None) if point is None else (point.latitude, point.longitude)
    )


@given(VALUES)
def test_no_record_raises_or_gives_anything_but_a_place(record: object):
    country, point = read_record(record)
    assert country is None or (len(country) == 2 and country.isupper())
    assert point is None or (-90 <= point.latitude <= 90 and -180 <= point.longitude <= 180)
