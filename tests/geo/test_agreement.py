"""The POP that is chosen is the nearest: for 10,000 addresses over 10 POPs, against a search that knows nothing of ours."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address
from math import atan2, cos, hypot, radians, sin
from pathlib import Path
from random import Random

import maxminddb
import pytest
from maxminddb.const import MODE_MMAP_EXT

from edge.geo.atlas import Atlas, Source
from edge.geo.countries import COUNTRIES
from edge.geo.network_view import NetworkView, PopView
from edge.geo.placement import Subject, place
from edge.geo.whereabouts import SLOTS
from edge.settings.network import Pop, RoutedSite
from tools.mmdb import mmdb_bytes

CITIES = {
    "fra": (50.11, 8.68),
    "lhr": (51.47, -0.45),
    "iad": (38.94, -77.46),
    "sjc": (37.36, -121.93),
    "gru": (-23.43, -46.47),
    "jnb": (-26.14, 28.25),
    "bom": (19.09, 72.87),
    "sin": (1.35, 103.99),
    "nrt": (35.76, 140.39),
    "syd": (-33.95, 151.18),
}
NETWORK = NetworkView(
    tuple(
        PopView(Pop(name, latitude=north, longitude=east, ipv4=(IPv4Address("192.0.2.1"),)))
        for name, (north, east) in CITIES.items()
    )
)
NEAREST = RoutedSite("shop", spread=False)


def arc(north: float, east: float, other_north: float, other_east: float) -> float:
    """The angle between two places, by Vincenty's formula: good at every distance, and not the one of edge.geo.places."""
    a, b, turn = radians(north), radians(other_north), radians(other_east - east)
    across = hypot(cos(b) * sin(turn), cos(a) * sin(b) - sin(a) * cos(b) * cos(turn))
    return atan2(across, sin(a) * sin(b) + cos(a) * cos(b) * cos(turn))


def test_ten_thousand_addresses_come_to_the_nearest_of_ten_pops(tmp_path: Path):
    chance = Random(6)
    countries = sorted(COUNTRIES)
    networks: dict[str, dict[str, object]] = {}
    for n in range(1_500):
        block = f"{chance.randrange(1, 224)}.{chance.randrange(256)}.{n % 256}.0/24"
        networks[block] = {"latitude": chance.uniform(-70, 70), "longitude": chance.uniform(-180, 180)}
        if n % 3 == 0:
            networks[block] = {"country": {"iso_code": chance.choice(countries)}}
    (tmp_path / "a.mmdb").write_bytes(mmdb_bytes(networks))
    reader = maxminddb.open_database(tmp_path / "a.mmdb", MODE_MMAP_EXT)
    atlas = Atlas([Source(reader, 6)])

    @cache
    def chosen(bucket: int) -> str | None:  # slots do not count where nobody is spread
        return place(Subject(atlas.whereabouts(bucket), bucket % SLOTS), NEAREST, NETWORK).pop

    @cache
    def nearest(north: float, east: float) -> str:
        return min(CITIES, key=lambda name: arc(north, east, *CITIES[name]))

    blocks = list(networks)
    agreed = 0
    for _ in range(10_000):
        block = chance.choice(blocks)
        address = block.removesuffix("0/24") + str(chance.randrange(256))
        record = networks[block]
        if "latitude" in record:
            north, east = record["latitude"], record["longitude"]
        else:
            point = COUNTRIES[str(maxminddb_country(reader, address))]
            north, east = point.latitude, point.longitude
        assert isinstance(north, float)
        assert isinstance(east, float)
        agreed += chosen(atlas.bucket_of(IPv4Address(address).packed)[0] // SLOTS * SLOTS) == nearest(
            north, east
        )
    assert agreed == 10_000


def maxminddb_country(reader: maxminddb.Reader, address: str) -> object:
    record = reader.get(address)
    assert isinstance(record, dict)
    country = record["country"]
    assert isinstance(country, dict)
    return country["iso_code"]


@pytest.mark.parametrize("name", CITIES)
def test_who_stands_beside_a_pop_comes_to_it(name: str):
    north, east = CITIES[name]
    assert min(CITIES, key=lambda other: arc(north, east, *CITIES[other])) == name
