"""Addresses become places and buckets; what shares a prefix shares a bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from pathlib import Path

import maxminddb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxminddb.const import MODE_MMAP_EXT

from edge.geo.atlas import Atlas, Register, Source
from edge.geo.countries import COUNTRIES
from edge.geo.overrides import Overrides
from edge.geo.places import Point
from edge.geo.whereabouts import NOWHERE, SLOTS, PlaceSource
from edge.settings.network import PlaceOverride
from tools.mmdb import mmdb_bytes

CITY: Mapping[str, Mapping[str, object]] = {
    "192.0.2.0/24": {"country": {"iso_code": "DE"}, "location": {"latitude": 50.11, "longitude": 8.68}},
    "198.51.100.0/24": {"country": {"iso_code": "FR"}},
    "203.0.113.0/28": {"country_code": "XX"},
    "11.0.0.0/8": {"country_code": "US", "latitude": 38.9, "longitude": -77.0},
    "2001:db8::/32": {"country_code": "JP"},
}
OVERRIDES = Overrides(
    {
        ip_network("192.0.2.128/25"): PlaceOverride(pop="iad"),
        ip_network("11.5.0.0/16"): PlaceOverride(country="CA"),
        ip_network("240.0.0.0/8"): PlaceOverride(pop="fra"),
    }
)


def source(folder: Path, networks: Mapping[str, Mapping[str, object]], ip_version: int = 6) -> Source:
    file = folder / f"{len(list(folder.iterdir()))}.mmdb"
    file.write_bytes(mmdb_bytes(networks, ip_version=ip_version))
    return Source(maxminddb.open_database(file, MODE_MMAP_EXT), ip_version)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return Atlas([source(tmp_path_factory.mktemp("atlas"), CITY)], OVERRIDES)


@pytest.mark.parametrize(
    "address, country, point, prefix_len, known, pop",
    [
        ("192.0.2.1", "DE", Point(50.11, 8.68), 25, PlaceSource.COORDINATES, None),
        ("198.51.100.7", "FR", COUNTRIES["FR"], 24, PlaceSource.COUNTRY, None),
        ("203.0.113.1", "XX", None, 28, PlaceSource.UNKNOWN, None),
        ("11.1.2.3", "US", Point(38.9, -77.0), 16, PlaceSource.COORDINATES, None),
        ("2001:db8::1", "JP", COUNTRIES["JP"], 32, PlaceSource.COUNTRY, None),
        ("::ffff:198.51.100.7", "FR", COUNTRIES["FR"], 120, PlaceSource.COUNTRY, None),
        ("192.0.2.200", "DE", Point(50.11, 8.68), 25, PlaceSource.OVERRIDE, "iad"),
        ("11.5.0.1", "CA", COUNTRIES["CA"], 16, PlaceSource.OVERRIDE, None),
        ("240.0.0.1", None, None, 16, PlaceSource.OVERRIDE, "fra"),
        ("9.9.9.9", None, None, 16, PlaceSource.UNKNOWN, None),
        ("2a00::1", None, None, 32, PlaceSource.UNKNOWN, None),
    ],
)
def test_an_address_is_located(
    atlas: Atlas,
    address: str,
    country: str | None,
    point: Point | None,
    prefix_len: int,
    known: PlaceSource,
    pop: str | None,
):
    located = atlas.locate(address)
    assert (located.country, located.source, located.pop, located.prefix_len) == (
        country,
        known,
        pop,
        prefix_len,
    )
    assert (located.latitude, located.longitude) == (
        (None, None) if point is None else (point.latitude, point.longitude)
    )
    assert atlas.locate(ip_address(address).packed) == located
    where = atlas.whereabouts(located.bucket)
    assert (where.country, where.point, where.pop) == (country, point, pop)


def test_what_is_no_address_is_refused(atlas: Atlas):
    with pytest.raises(ValueError, match="nonsense"):
        atlas.locate("nonsense")


BLOCKS = [ip_network(text) for text in (*CITY, "192.0.2.128/25", "11.5.0.0/16", "11.0.0.0/12")]
WITHIN = st.sampled_from([block for block in BLOCKS if isinstance(block, IPv4Network)]).flatmap(
    lambda block: st.integers(int(block.network_address) - 300, int(block.broadcast_address) + 300)
)


@given(WITHIN, st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_two_addresses_of_one_scope_have_different_buckets(atlas: Atlas, number: int, bits: int):
    bucket, prefix = atlas.bucket_of(number.to_bytes(4))
    other = number ^ (bits >> prefix)  # another address that shares the prefix
    assert atlas.bucket_of(other.to_bytes(4)) == (bucket, prefix)


def test_clients_of_one_place_are_shared_out_evenly(atlas: Atlas):
    slots = Counter(atlas.bucket_of(bytes([11, second, 0, 0]))[0] % SLOTS for second in range(256))
    assert max(slots.values()) <= 6
    assert len(slots) > SLOTS / 2
    halves = Counter(slot < SLOTS / 2 for slot in slots.elements())
    assert 100 <= halves[True] <= 156


def test_the_slot_of_a_client_does_not_hang_on_who_asked_before(tmp_path: Path):
    one, other = (Atlas([source(tmp_path, CITY)]) for _ in range(2))
    other.locate("2001:db8::1")
    other.locate("198.51.100.7")
    first, second = one.locate("192.0.2.1"), other.locate("192.0.2.1")
    assert first.bucket != second.bucket  # numbers mean something within one atlas only
    assert first.bucket % SLOTS == second.bucket % SLOTS


def test_the_first_database_that_knows_an_address_counts(tmp_path: Path):
    cities = source(tmp_path, {"192.0.2.0/24": {"country_code": "DE"}, "10.0.0.0/16": {"asn": 5}}, 4)
    countries = source(
        tmp_path, {"192.0.0.0/8": {"country_code": "FR"}, "10.0.0.0/8": {"country_code": "IT"}}
    )
    atlas = Atlas([cities, countries])
    assert atlas.locate("192.0.2.1").country == "DE"
    assert atlas.locate("10.0.0.1").country == "IT"
    beside = atlas.locate("192.0.3.1")
    assert (beside.country, beside.prefix_len) == ("FR", 24)  # what the first does not know narrows it too
    assert atlas.locate("2001:db8::1").country is None  # the first is not asked for it
    assert atlas.failures == 0


class Damaged:
    def get_with_prefix_len(self, ip_address: str, /) -> tuple[object, int]:
        raise maxminddb.InvalidDatabaseError(ip_address)


def test_a_database_that_fails_is_counted_and_the_next_one_asked(tmp_path: Path):
    atlas = Atlas([Source(Damaged(), 6), source(tmp_path, CITY)])
    assert atlas.locate("192.0.2.1").country == "DE"
    assert (atlas.failures, atlas.unknown) == (1, 0)
    assert atlas.locate("9.9.9.9").source is PlaceSource.UNKNOWN
    assert (atlas.failures, atlas.unknown) == (2, 1)


def test_an_atlas_without_a_database_knows_nobody():
    located = Atlas().locate(str(IPv4Address(5)))
    assert (located.country, located.bucket < SLOTS) == (None, True)


def test_beyond_the_bound_places_of_one_degree_are_one():
    register = Register(3)
    numbers = [register.number(("DE", 50.0 + n / 10, 8.2, None), PlaceSource.COORDINATES) for n in range(5)]
    assert numbers == [1, 2, 3, 3, 3]
    assert register[3].point == Point(50.0, 8.0)
    assert register.number(("DE", 50.1, 8.2, None), PlaceSource.COORDINATES) == 2
    assert (len(register), register.rounded) == (4, 3)
    assert register[0] == NOWHERE
