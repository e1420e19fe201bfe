"""A small world for redirects: three POPs, and addresses whose countries are written down."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network

from edge.geo.atlas import Atlas
from edge.geo.network_view import NetworkView, PopView, static_view
from edge.geo.overrides import Overrides
from edge.geo.router import Router
from edge.geo.view_message import NetworkState
from edge.settings.network import Network, NetworkNode, PlaceOverride, Pop, RoutedSite

GERMAN, FRENCH, AMERICAN, JAPANESE, NOBODY = (
    "198.18.1.1",
    "198.18.2.1",
    "198.18.3.1",
    "198.18.4.1",
    "203.0.113.9",
)
COUNTRIES = {
    "198.18.1.0/24": "DE",
    "198.18.2.0/24": "FR",
    "198.18.3.0/24": "US",
    "198.18.4.0/24": "JP",
}
POPS = (
    Pop("fra", "eu", 50.11, 8.68, ipv4=(IPv4Address("192.0.2.1"),)),
    Pop("iad", "us", 38.94, -77.46, ipv4=(IPv4Address("192.0.2.2"),)),
    Pop("par", "eu", 48.86, 2.35, ipv4=(IPv4Address("192.0.2.3"),)),
)
NODES = (
    NetworkNode("fra-1", "fra"),
    NetworkNode("fra-2", "fra"),
    NetworkNode("iad-1", "iad"),
    NetworkNode("iad-2", "iad"),
    NetworkNode("iad-3", "iad"),
    NetworkNode("par-1", "par"),
)
NETWORK = Network(pops=POPS, nodes=NODES, routes=(RoutedSite("default"), RoutedSite("near", spread=False)))
ATLAS = Atlas(
    (), Overrides({ip_network(at): PlaceOverride(country=country) for at, country in COUNTRIES.items()})
)


def router(
    *changed: PopView, network: Network = NETWORK, out: frozenset[str] = frozenset(), node: str = "fra-1"
) -> Router:
    """Of a node. changed: what is not as the file has it. out: nodes that nothing should be sent to."""
    by_name = {view.pop.name: view for view in changed}
    view = static_view(network)
    pops = tuple(by_name.get(each.pop.name, each) for each in view.pops)
    own = next(each for each in network.nodes if each.name == node)
    return Router(network, own, ATLAS, NetworkState(NetworkView(pops), out))


def routed(**changes: object) -> Network:
    """The network with other settings for the route of "default"."""
    return replace(NETWORK, routes=(replace(NETWORK.routes[0], **changes), *NETWORK.routes[1:]))  # type: ignore[arg-type]  # a test's own
