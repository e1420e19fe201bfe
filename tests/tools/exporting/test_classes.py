"""The address space in ranges: whole, without gaps, and each with what placement says."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from itertools import pairwise
from random import Random

import maxminddb
import pytest
from maxminddb.const import MODE_MMAP_EXT

from edge.geo.atlas import Atlas, Source
from edge.geo.network_view import NetworkView, PopView
from edge.geo.overrides import Overrides
from edge.settings.network import PlaceOverride, Pop, RoutedSite
from tools.exporting.classes import Choice, Choosing, Range, classes_of
from tools.mmdb import mmdb_bytes

A = (IPv4Address("192.0.2.1"),)
VIEW = NetworkView(
    tuple(
        PopView(Pop(name, latitude=north, longitude=east, ipv4=A))
        for name, north, east in (
            ("fra", 50.1, 8.7),
            ("ams", 52.4, 4.9),
            ("iad", 38.9, -77.5),
            ("sin", 1.3, 104.0),
        )
    )
)
SITES = (RoutedSite("shop"), RoutedSite("near", spread=False, deny=frozenset({"US"}), alternate=b"sorry.org"))
RECORDS: Mapping[str, Mapping[str, object]] = {
    "10.0.0.0/8": {"country_code": "DE"},
    "11.0.0.0/8": {"country_code": "US"},
    "12.1.2.0/28": {"country_code": "SG"},
    "2a00::/24": {"country_code": "DE"},
    "2600::/16": {"country_code": "US"},
    "2002::/16": {"country_code": "FR"},
}
OVERRIDES = Overrides({ip_network("10.5.5.5/32"): PlaceOverride(pop="iad")})


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    file = tmp_path_factory.mktemp("classes") / "a.mmdb"
    file.write_bytes(mmdb_bytes(RECORDS))
    return Atlas([Source(maxminddb.open_database(file, MODE_MMAP_EXT), 6)], OVERRIDES)


@pytest.fixture(scope="module")
def ranges(atlas: Atlas) -> list[Range]:
    return list(classes_of(Choosing(atlas, VIEW, SITES), atlas))


def test_ipv4_is_covered_without_gaps_and_neighbours_differ(ranges: list[Range]):
    v4 = [each for each in ranges if isinstance(each.first, IPv4Address)]
    assert (int(v4[0].first), int(v4[-1].last)) == (0, 2**32 - 1)
    for before, after in pairwise(v4):
        assert int(after.first) == int(before.last) + 1
        assert after.choices != before.choices


def test_ipv6_is_covered_where_it_is_given_out_and_holds_no_ipv4(ranges: list[Range]):
    v6 = [each for each in ranges if isinstance(each.first, IPv6Address)]
    assert (v6[0].first, v6[-1].last) == (IPv6Address("2000::"), IPv6Network("2000::/3").broadcast_address)
    holes = [
        (IPv6Address(int(before.last) + 1), IPv6Address(int(after.first) - 1))
        for before, after in pairwise(v6)
        if int(after.first) != int(before.last) + 1
    ]
    assert holes == [(net[0], net.broadcast_address) for net in map(IPv6Network, ("2001::/32", "2002::/16"))]


def test_every_address_of_a_range_has_its_choice(atlas: Atlas, ranges: list[Range]):
    choosing, chance = Choosing(atlas, VIEW, SITES), Random(3)
    for each in ranges:
        for _ in range(3):
            address = type(each.first)(chance.randrange(int(each.first), int(each.last) + 1))
            bucket, prefix = atlas.bucket_of(address.packed)
            pieces = (
                address.version == 6 and prefix == 32
            )  # of a large block: its pieces are larger than our slots
            if not pieces:
                assert choosing.of(bucket) == each.choices, address


def test_the_choices_are_those_of_placement(ranges: list[Range]):
    seen = {each.choices for each in ranges}
    assert {choices[1] for choices in seen} == {
        Choice(("fra", "ams", "iad")),
        Choice(("iad", "fra", "ams")),
        Choice(("sin", "fra", "ams")),
        Choice((), alternate=True),
    }
    assert {choices[0].pops[0] for choices in seen} == {"fra", "ams", "iad", "sin"}


def test_a_range_is_the_fewest_networks():
    each = Range(IPv4Address("10.0.0.0"), IPv4Address("10.0.2.255"), ())
    assert [str(network) for network in each.networks()] == ["10.0.0.0/23", "10.0.2.0/24"]
    v6 = Range(IPv6Address("2000::"), IPv6Address("2fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ())
    assert [str(network) for network in v6.networks()] == ["2000::/4"]
