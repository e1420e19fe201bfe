"""What DNS answers are made from: equal within a scope, whatever the state of the network."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import maxminddb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxminddb.const import MODE_MMAP_EXT

from edge.geo.atlas import Atlas, Source
from edge.geo.dns.names import name_of
from edge.geo.dns.view import Geography, Placed
from edge.geo.network_view import Health, NetworkView, PopView
from edge.geo.overrides import Overrides
from edge.geo.placement import Subject, place
from edge.geo.routing import Routing
from edge.geo.whereabouts import SLOTS
from edge.settings.network import PlaceOverride, Pop, RoutedSite
from tools.mmdb import mmdb_bytes

RECORDS: Mapping[str, Mapping[str, object]] = {
    "10.0.0.0/8": {"country_code": "DE"},
    "10.1.0.0/16": {"country_code": "FR", "latitude": 48.9, "longitude": 2.4},
    "10.1.2.0/26": {"country_code": "US"},
    "192.0.2.0/24": {"country_code": "JP"},
}
WRITTEN = {
    ip_network("10.1.3.0/24"): PlaceOverride(pop="sin"),
    ip_network("10.2.0.0/15"): PlaceOverride(country="US"),
}
POPS = (
    Pop("fra", "eu", 50.11, 8.68, ipv4=(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))),
    Pop("ams", "eu", 52.37, 4.9, ipv4=(IPv4Address("192.0.2.3"),), ipv6=(IPv6Address("2001:db8::3"),)),
    Pop("sin", "asia", 1.35, 103.99, ipv4=(IPv4Address("192.0.2.4"),)),
)
SITES = (
    RoutedSite("shop"),
    RoutedSite("near", spread=False, answers=1),
    RoutedSite("eu", pops=frozenset({"fra", "ams"}), deny=frozenset({"US"}), alternate=b"sorry.example.org"),
)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    file = tmp_path_factory.mktemp("routing") / "a.mmdb"
    file.write_bytes(mmdb_bytes(RECORDS))
    return Atlas([Source(maxminddb.open_database(file, MODE_MMAP_EXT), 6)], Overrides(WRITTEN))


def routing(atlas: Atlas, *pops: PopView) -> Routing:
    return Routing(atlas, NetworkView(pops or tuple(PopView(pop) for pop in POPS)), SITES)


def asked(geography: Geography, site: str, address: str) -> Placed:
    return geography.place(site, geography.locate(IPv4Address(address).packed).bucket)


def test_a_choice_is_told_in_the_words_and_bytes_of_answers(atlas: Atlas):
    assert asked(routing(atlas), "near", "192.0.2.77") == Placed(
        "sin", (bytes((192, 0, 2, 4)),), (), geography_mattered=True, reasons=("nearest",)
    )
    assert asked(routing(atlas), "near", "10.1.3.1").reasons == ("override",)


def test_who_is_not_served_is_sent_to_the_alternate(atlas: Atlas):
    placed = asked(routing(atlas), "eu", "10.1.2.1")
    assert (placed.pop, placed.v4, placed.alias) == ("", (), name_of("sorry.example.org."))
    assert asked(routing(atlas), "eu", "10.1.0.1").alias is None


def test_a_site_that_is_not_routed_has_no_pop(atlas: Atlas):
    placed = asked(routing(atlas), "other", "10.1.0.1")
    assert (placed.pop, placed.v4, placed.geography_mattered) == ("", (), False)


VIEWS = st.tuples(
    *(
        st.builds(
            PopView,
            st.just(pop),
            st.sampled_from(Health),
            st.sampled_from([0.0, 0.4, 1.0]),
            st.sampled_from([0.0, 0.6, 1.0]),
            st.sampled_from([0.0, 0.4, 1.0]),
        )
        for pop in POPS
    )
)
EDGES = [int(ip_network(block).network_address) for block in (*RECORDS, *map(str, WRITTEN))]
ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1),
    st.sampled_from(EDGES).flatmap(lambda edge: st.integers(max(edge - 2**17, 0), edge + 2**17)),
)


@given(VIEWS, st.sampled_from(SITES), ADDRESSES, st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_two_answers_within_one_scope_differ(
    atlas: Atlas, pops: tuple[PopView, ...], site: RoutedSite, number: int, bits: int
):
    made = routing(atlas, *pops)
    located = made.locate(number.to_bytes(4))
    placed = made.place(site.name, located.bucket)
    scope = located.prefix if placed.geography_mattered else 0
    other = number ^ (bits >> scope)
    assert made.place(site.name, made.locate(other.to_bytes(4)).bucket) == placed or scope == 0
    if scope == 0:
        elsewhere = made.place(site.name, made.locate(other.to_bytes(4)).bucket)
        assert (elsewhere.pop, elsewhere.v4, elsewhere.v6, elsewhere.alias) == (
            placed.pop,
            placed.v4,
            placed.v6,
            placed.alias,
        )


@given(VIEWS, ADDRESSES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_class_of_places_is_told_what_each_of_them_would_be(
    atlas: Atlas, pops: tuple[PopView, ...], number: int
):
    """Classes are found out from places seen before; the answer is that of placement for this very place."""
    made = routing(atlas, *pops)
    for seen in ("10.0.0.1", "10.1.0.1", "192.0.2.1", "10.1.3.1", "10.200.7.7", "9.9.9.9"):
        made.locate(IPv4Address(seen).packed)
    found, _ = atlas.bucket_of(number.to_bytes(4))
    where, slot = divmod(found, SLOTS)
    bucket = made.locate(number.to_bytes(4)).bucket
    for site in SITES:
        right = place(Subject(atlas.register[where], slot), site, made.network)
        told = made.placement(site.name, bucket)
        assert told is not None
        assert (told.pop, told.alternate, told.reasons) == (right.pop, right.alternate, right.reasons)
        assert told.geography_mattered == right.geography_mattered
        if right.geography_mattered:
            assert (told.ipv4, told.ipv6) == (right.ipv4, right.ipv6)


def test_many_places_are_few_classes(tmp_path: Path):
    records = {
        f"{n >> 8}.{n & 255}.0.0/16": {"latitude": n % 160 - 80.0, "longitude": n % 359 - 179.0}
        for n in range(0, 2**16, 50)
    }
    (tmp_path / "a.mmdb").write_bytes(mmdb_bytes(records))
    atlas = Atlas([Source(maxminddb.open_database(tmp_path / "a.mmdb", MODE_MMAP_EXT), 6)])
    made = routing(atlas)
    for n in range(0, 2**16, 50):
        made.locate(bytes((n >> 8, n & 255, 1, 1)))
    assert len(atlas.register) > 1_000
    assert made.classes < 30
