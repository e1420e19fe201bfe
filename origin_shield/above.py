"""Which nodes are between this one and a site's origins. PURE.

Owns: `above`, `addresses`, and `steps`, the order in which they are asked for a key. Rules:

* A node has them from `tier.shields`, or else from its place in its network: its region's shields, or those that the region or
  the site's route names; behind them the second tier that the route names; where those are away, other regions' shields.
* A shield that a node asks goes to the second tier, or to the origin where there is none or it is of it itself. It never asks
  others of its own tier, so misses go up only.
* A shield that clients come to is one of its tier: where it meets itself in the order, it is the one who is meant.
* Of edges that share their keys, the key's own is asked before the shields, by clients' edges only: who is asked by a sibling
  asks no other one.

The same network file gives the same order on every node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from edge.semantics.rules import ShieldFallback, SiteRules
from edge.settings.network import Network, NetworkNode, Role, tiers_of
from edge.settings.node import ListenAddress, NodeSettings
from origin_shield.ring import Ring, RingNode, ToOrigin, ToShield, Upwards, ways

MAX_NODES: Final = 4
"""That are asked for one request. Each that cannot be reached costs its client up to tier.connect."""

_EMPTY: Final = Ring(())


@dataclass(frozen=True, slots=True)
class Above:
    """What one node has above it for one site.

    own: its name on the rings, None = it is on none. siblings: the edges of its POP that share their keys, itself too;
    empty = they do not. upwards: the shields, None = origins are asked. beyond: where it goes on when it meets itself.
    tiers: of nodes, until the origin.
    """

    own: str | None = None
    siblings: Ring = _EMPTY
    upwards: Upwards | None = None
    beyond: Above | None = None
    tiers: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """nodes: names, to be asked in this order. straight: whether the origin may be asked after them."""

    nodes: tuple[str, ...]
    straight: bool


def addresses(settings: NodeSettings) -> Mapping[str, ListenAddress]:
    """Where all nodes are that this one may ask, by the names that they have on rings."""
    if settings.tier.shields:
        return {str(address): address for address in settings.tier.shields}
    network, place = settings.network, settings.place
    if network is None or place is None:
        return {}
    asked = {
        node.name: node.for_nodes
        for node in network.nodes
        if node.name != place.name and (node.role is Role.SHIELD or node.pop == place.pop)
    }
    return {name: address for name, address in asked.items() if address is not None}


def above(settings: NodeSettings, rules: SiteRules, *, from_node: bool) -> Above:
    """What this node has above it for a site. from_node: for what other nodes ask it for."""
    shield, tier = rules.shield, settings.tier
    fallback = shield.fallback
    if fallback is ShieldFallback.ORIGIN and not tier.straight:
        fallback = ShieldFallback.SHIELDS

    def upwards(here: Ring, others: tuple[Ring, ...] = ()) -> Upwards:
        return Upwards(here, others, fallback, shield.load_factor)

    if tier.shields:
        ring = Ring(RingNode(name) for name in addresses(settings))
        own = None if tier.listen is None else str(tier.listen)
        if from_node and any(node.name == own for node in ring.nodes):
            return Above(own)
        return Above(own, upwards=upwards(ring), beyond=Above(own), tiers=1)
    network, place = settings.network, settings.place
    if network is None or place is None:
        return Above()
    return _in_network(network, place, rules.name, upwards, from_node=from_node)


def _in_network(
    network: Network,
    place: NetworkNode,
    site: str,
    upwards: Callable[[Ring, tuple[Ring, ...]], Upwards],
    *,
    from_node: bool,
) -> Above:
    region, route = network.region_of(place), network.route(site)
    second = None if route is None else route.second_tier
    tiers = tiers_of(network, region, route)
    if place.role is Role.SHIELD and (from_node or region not in tiers[:1]):
        if second is None or second == region:
            return Above(place.name)
        return Above(place.name, upwards=upwards(_ring(network.shields(second)), ()), tiers=1)
    shares = place.role is Role.EDGE and not from_node and _shares(network, place)
    siblings = _ring(network.edges(place.pop)) if shares else _EMPTY
    if not tiers:
        return Above(place.name, siblings, tiers=int(shares))
    others = dict.fromkeys(tiers[1:])
    others.update(dict.fromkeys(each.name for each in network.regions if each.name != tiers[0]))
    rings = (_ring(network.shields(name)) for name in others)
    return Above(
        place.name,
        siblings,
        upwards(_ring(network.shields(tiers[0])), tuple(ring for ring in rings if ring.nodes)),
        _in_network(network, place, site, upwards, from_node=True) if place.role is Role.SHIELD else None,
        len(tiers) + shares,
    )


def _shares(network: Network, place: NetworkNode) -> bool:
    pop = network.pop(place.pop)
    return pop is not None and pop.siblings


def _ring(nodes: tuple[NetworkNode, ...]) -> Ring:
    return Ring(RingNode(node.name, node.weight) for node in nodes)


def steps(
    key: bytes, above: Above, *, gone: Collection[str] = (), loads: Mapping[str, int] | None = None
) -> Steps:
    """Who is asked for a key. gone, loads: as origin_shield.ring.ways has them."""
    nodes: list[str] = []
    owner = next((node.name for node in above.siblings.order(key) if node.name not in gone), above.own)
    if above.siblings.nodes and owner is not None and owner != above.own:
        nodes.append(owner)
    straight = above.upwards is None
    for way in () if above.upwards is None else ways(key, above.upwards, gone=gone, loads=loads):
        match way:
            case ToOrigin():
                straight = True
            case ToShield(node) if node.name == above.own:
                onwards = steps(key, above.beyond or Above(), gone=gone, loads=loads)
                nodes += onwards.nodes
                straight = onwards.straight
                break
            case ToShield(node):
                nodes.append(node.name)
    return Steps(tuple(nodes[:MAX_NODES]), straight)
