"""What is explained is what is answered, of every POP and every client of a place."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from edge.geo.atlas import Atlas
from edge.geo.explained import explained, network_of
from edge.geo.network_view import Health, NetworkView, PopView
from edge.geo.overrides import Overrides
from edge.geo.routing import Routing
from edge.settings.dns import EcsSettings
from edge.settings.network import PlaceOverride, Pop, RoutedSite

FRA = PopView(Pop("fra", latitude=50.0, longitude=8.6, bias=-10.0, ipv4=(IPv4Address("192.0.2.1"),)))
AMS = PopView(Pop("ams", latitude=52.3, longitude=4.8, ipv4=(IPv4Address("192.0.2.2"),)))
SITE = RoutedSite("shop", ttl=30.0)
ATLAS = Atlas(
    overrides=Overrides(
        {
            ip_network("203.0.113.0/28"): PlaceOverride(country="DE"),
            ip_network("2001:db8::/32"): PlaceOverride(pop="ams"),
        }
    )
)


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "9.9.9.9"])
@pytest.mark.parametrize("fra", [FRA, replace(FRA, health=Health.DOWN), replace(FRA, shed=0.5)])
def test_it_is_what_answers_are_made_from(address: str, fra: PopView):
    view = NetworkView((fra, AMS))
    said = explained(ip_address(address), SITE, ATLAS, view, EcsSettings())
    routing = Routing(ATLAS, view, [SITE])
    placed = routing.place("shop", routing.locate(ip_address(address).packed).bucket)
    assert (said["chosen"], said["reasons"]) == (placed.pop, list(placed.reasons))
    assert said["addresses"] == [str(ip_address(each)) for each in placed.v4]


def test_every_pop_is_shown_as_it_is():
    down = replace(FRA, health=Health.DOWN)
    said = explained(ip_address("203.0.113.9"), SITE, ATLAS, NetworkView((down, AMS)), EcsSettings())
    pops = said["pops"]
    assert isinstance(pops, list)
    fra = next(each for each in pops if each["pop"] == "fra")
    assert (fra["health"], fra["out"], fra["clients"], fra["bias"]) == ("down", "down", 0.0, -10.0)
    assert fra["kilometres"] > 100
    assert sum(each["clients"] for each in pops) == 1.0


@pytest.mark.parametrize(
    ("ecs", "site", "scope"),
    [
        (EcsSettings(), SITE, 24),
        (EcsSettings(max_v4=16), SITE, 16),
        (EcsSettings(enabled=False), SITE, 0),
        (EcsSettings(), replace(SITE, ecs=False), 0),
    ],
)
def test_the_scope_is_that_of_an_answer(ecs: EcsSettings, site: RoutedSite, scope: int):
    said = explained(ip_address("203.0.113.9"), site, ATLAS, NetworkView((FRA, AMS)), ecs)
    assert said["scope"] == scope


def test_a_network_is_written_with_its_first_address():
    assert network_of(ip_address("203.0.113.9"), 28) == "203.0.113.0/28"
    assert network_of(ip_address("2001:db8::1"), 0) == "::/0"
