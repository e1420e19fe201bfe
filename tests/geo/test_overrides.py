"""The narrowest range counts, and a scope never hides one."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.overrides import NO_OVERRIDES, Overrides
from edge.settings.network import PlaceOverride
from edge.settings.node import Network as AddressRange

FRA, DE, IAD = PlaceOverride(pop="fra"), PlaceOverride(country="DE"), PlaceOverride(pop="iad")


def overrides() -> Overrides:
    return Overrides(
        {
            ip_network("10.0.0.0/8"): FRA,
            ip_network("10.1.0.0/16"): DE,
            ip_network("10.1.2.0/24"): FRA,
            ip_network("10.2.0.0/16"): FRA,
            ip_network("2001:db8::/32"): IAD,
            ip_network("2001:db8::1/128"): DE,
        }
    )


@pytest.mark.parametrize(
    "address, place, scope",
    [
        ("10.0.0.1", FRA, 16),  # 10.1/16 is something else
        ("10.1.0.1", DE, 23),
        ("10.1.2.3", FRA, 24),
        ("10.1.3.3", DE, 24),
        ("10.1.255.1", DE, 17),
        ("10.2.0.1", FRA, 15),  # the same as 10.3 around it, but 10.0/15 is not all the same
        ("10.200.0.1", FRA, 9),
        ("11.0.0.0", None, 8),
        ("192.0.2.1", None, 1),
        ("2001:db8::1", DE, 128),
        ("2001:db8::2", IAD, 127),
        ("2001:db8:8000::", IAD, 33),
        ("8000::", None, 1),
    ],
)
def test_an_address_has_its_narrowest_range_and_the_bits_that_tell_it(
    address: str, place: PlaceOverride | None, scope: int
):
    known = ip_address(address)
    assert overrides().find(int(known), known.max_prefixlen) == (place, scope)


def test_where_nothing_is_written_nothing_is_known_of_anybody():
    assert NO_OVERRIDES.find(5, 32) == (None, 0)
    assert NO_OVERRIDES.any is False


def test_a_range_may_be_everything():
    everything = Overrides({ip_network("0.0.0.0/0"): FRA, ip_network("255.255.255.255/32"): DE})
    assert everything.find(2**32 - 1, 32) == (DE, 32)
    assert everything.find(0, 32) == (FRA, 1)


NETWORKS = st.builds(
    lambda number, prefix: IPv4Network((number << 22 & (0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF), prefix)),
    st.integers(0, 1023),
    st.integers(0, 32),
)
WRITTEN: st.SearchStrategy[Mapping[AddressRange, PlaceOverride]] = st.dictionaries(
    NETWORKS, st.sampled_from([FRA, DE, IAD]), max_size=8
)


def narrowest(written: Mapping[AddressRange, PlaceOverride], address: IPv4Address) -> PlaceOverride | None:
    holding = [network for network in written if address in network]
    return written[max(holding, key=lambda network: network.prefixlen)] if holding else None


@given(WRITTEN, st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_it_is_what_looking_at_every_range_says_for_all_of_the_scope(
    written: Mapping[AddressRange, PlaceOverride], addresses: list[int]
):
    table = Overrides(written)
    for number in addresses:
        place, scope = table.find(number, 32)
        block = IPv4Network((number, scope), strict=False)
        borders = [
            edge
            for network in written
            for edge in (network.network_address, network.broadcast_address)
            if isinstance(network, IPv4Network) and edge in block
        ]
        ends = (IPv4Address(number), block.network_address, block.broadcast_address)
        assert {narrowest(written, IPv4Address(int(each))) for each in (*ends, *borders)} == {place}


def test_families_do_not_mix():
    assert Overrides({IPv6Network("::/0"): FRA}).find(1, 32) == (None, 0)
