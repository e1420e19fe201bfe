"""Looking things up in a network, and the way of a miss to the origin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.settings.network import (
    Network,
    NetworkNode,
    OwnShields,
    Pop,
    Region,
    Role,
    RoutedSite,
    node_of,
    shielding_region,
    tiers_of,
)
from edge.settings.node import ListenAddress

NETWORK = Network(
    regions=(
        Region("eu"),
        Region("us"),
        Region("asia", shields="eu"),
        Region("africa"),
        Region("moon", shields=OwnShields.NONE),
    ),
    pops=(Pop("fra", "eu"), Pop("iad", "us"), Pop("sin", "asia"), Pop("jnb", "africa"), Pop("sea", "moon")),
    nodes=(
        NetworkNode("fra-1", "fra"),
        NetworkNode("fra-s", "fra", Role.SHIELD),
        NetworkNode("iad-s", "iad", Role.SHIELD),
        NetworkNode("sea-s", "sea", Role.SHIELD),
    ),
    routes=(RoutedSite("shop"),),
)


def test_parts_are_found_by_name():
    assert NETWORK.pop("fra") == Pop("fra", "eu")
    assert NETWORK.region("us") == Region("us")
    assert NETWORK.route("shop") == RoutedSite("shop")
    found = node_of(NETWORK, "iad-s")
    assert found is not None
    assert NETWORK.region_of(found) == "us"
    assert NETWORK.shields("us") == (found,)
    assert [NETWORK.pop("x"), NETWORK.region("x"), NETWORK.route("x"), node_of(NETWORK, "x")] == [None] * 4


@pytest.mark.parametrize(
    "region, serving", [("eu", "eu"), ("us", "us"), ("asia", "eu"), ("africa", None), ("moon", None)]
)
def test_a_region_has_the_shields_it_names_or_its_own_if_it_has_any(region: str, serving: str | None):
    assert shielding_region(NETWORK, region) == serving


@pytest.mark.parametrize(
    "region, route, tiers",
    [
        ("us", None, ("us",)),
        ("africa", None, ()),
        ("us", RoutedSite("shop"), ("us",)),
        ("us", RoutedSite("shop", shields="eu"), ("eu",)),
        ("us", RoutedSite("shop", shields=OwnShields.NONE), ()),
        ("us", RoutedSite("shop", second_tier="eu"), ("us", "eu")),
        ("eu", RoutedSite("shop", second_tier="eu"), ("eu",)),
        ("africa", RoutedSite("shop", second_tier="eu"), ("eu",)),
        ("asia", RoutedSite("shop", shields="us", second_tier="eu"), ("us", "eu")),
    ],
)
def test_a_miss_goes_through_each_tier_once(region: str, route: RoutedSite | None, tiers: tuple[str, ...]):
    assert tiers_of(NETWORK, region, route) == tiers


def test_nodes_ask_a_shield_where_it_is_and_an_edge_only_where_it_says():
    at, other = ListenAddress("10.0.0.1", 80), ListenAddress("10.0.0.1", 8090)
    shield, edge = NetworkNode("s", "fra", Role.SHIELD, http=at), NetworkNode("e", "fra", http=at)
    assert (shield.for_nodes, edge.for_nodes) == (at, None)
    assert replace(shield, tier=other).for_nodes == replace(edge, tier=other).for_nodes == other
