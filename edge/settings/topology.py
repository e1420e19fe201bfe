"""Whether a network holds together. PURE.

Owns: `disorders`. Rules: a name stands once in its array and everything that is named is there; no two nodes are asked at one
address; misses never go in a circle
(a region whose shields serve others uses its own); nothing is an orphan - a region has a POP, a POP has addresses or shields,
a shield has somebody whose misses it gets; edges that share their keys can be asked for them; a host is routed by one site,
and is not a static record besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.settings.document import Document
from edge.settings.network import Network, OwnShields, Role, shielding_region
from edge.settings.problems import Path, Problem, quoted

RESERVED = frozenset({"regional", "none"})
"""Words with a meaning where a region's name may stand."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Checked:
    """A network and where it was written."""

    document: Document
    network: Network

    def problem(self, path: Path, wrong: str, instead: str) -> Problem:
        return self.document.problem(path, wrong, instead)


def disorders(document: Document, network: Network) -> list[Problem]:
    """Everything by which the parts of a network contradict each other."""
    checked = _Checked(document, network)
    return [
        *_twice(checked),
        *_confused(checked),
        *_unknown(checked),
        *_circles(checked),
        *_without_shields(checked),
        *_orphans(checked),
        *_siblings(checked),
        *_hosts(checked),
    ]


def _twice(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    arrays: tuple[tuple[str, str, Sequence[_Named]], ...] = (
        ("region", "name", network.regions),
        ("pop", "name", network.pops),
        ("node", "name", network.nodes),
        ("route", "site", network.routes),
    )
    for array, setting, elements in arrays:
        seen: set[str] = set()
        for index, element in enumerate(elements):
            if element.name in seen:
                wrong = f"another {array} has the name {quoted(element.name)}"
                yield checked.problem((array, index, setting), wrong, "write another one")
            seen.add(element.name)
    for index, region in enumerate(network.regions):
        if region.name in RESERVED:
            wrong = f"{quoted(region.name)} means something else where a region may be named"
            yield checked.problem(("region", index, "name"), wrong, "write another one")
    origins = [zone.origin for zone in network.dns.zones]
    for index, origin in enumerate(origins):
        if origin in origins[:index]:
            yield checked.problem(("zone", index, "origin"), "this zone stands above", "write it once")


def _confused(checked: _Checked) -> Iterator[Problem]:
    """Nodes that would be taken for one another: by CDN-Loop, which knows no case, or by who asks them."""
    names: dict[str, str] = {}
    asked: dict[str, str] = {}
    for index, node in enumerate(checked.network.nodes):
        other = names.setdefault(node.name.lower(), node.name)
        if other != node.name:
            wrong = f"{quoted(node.name)} and {quoted(other)} are the same in CDN-Loop, so one refuses what the other asks"
            yield checked.problem(("node", index, "name"), wrong, "write another one")
        if node.for_nodes is not None:
            other = asked.setdefault(str(node.for_nodes), node.name)
            if other != node.name:
                wrong = (
                    f"nodes ask {quoted(other)} at {node.for_nodes}, so that this one would never be asked"
                )
                yield checked.problem(
                    ("node", index, "http" if node.tier is None else "tier"), wrong, "write its own address"
                )


def _unknown(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    regions = [region.name for region in network.regions]
    pops = [pop.name for pop in network.pops]
    for what, known, path, name in _mentions(network):
        names = regions if known == "region" else pops
        if name not in names:
            listed = ", ".join(sorted(names)[:20]) or "none"
            yield checked.problem(path, f"there is no {what} {quoted(name)}", f"known: {listed}")


def _mentions(network: Network) -> Iterator[tuple[str, str, Path, str]]:
    """(what, "region" or "POP", where, name) of every name that something else must have."""
    for index, region in enumerate(network.regions):
        if isinstance(region.shields, str):
            yield "region", "region", ("region", index, "shields"), region.shields
    for index, pop in enumerate(network.pops):
        yield "region", "region", ("pop", index, "region"), pop.region
    for index, node in enumerate(network.nodes):
        yield "POP", "POP", ("node", index, "pop"), node.pop
    for index, route in enumerate(network.routes):
        if isinstance(route.shields, str):
            yield "region", "region", ("route", index, "shields"), route.shields
        if route.second_tier is not None:
            yield "region", "region", ("route", index, "second_tier"), route.second_tier
        for name in sorted(route.pops):
            yield "POP", "POP", ("route", index, "pops"), name
    for at, name in enumerate(network.geo.default_pops):
        yield "POP", "POP", ("geo", "default_pops", at), name
    for addresses, place in network.geo.overrides.items():
        if place.pop is not None:
            yield "POP", "POP", ("geo", "overrides", str(addresses)), place.pop


def _circles(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    for index, region in enumerate(network.regions):
        if not isinstance(region.shields, str) or region.shields == region.name:
            continue
        serving = network.region(region.shields)
        if serving is not None and isinstance(serving.shields, str) and serving.shields != serving.name:
            circle = serving.shields == region.name
            wrong = f"{quoted(serving.name)} itself uses the shields of {quoted(serving.shields)}" + (
                ", so misses would go in a circle" if circle else ""
            )
            instead = f'write "regional" there, or {quoted(serving.shields)} here'
            yield checked.problem(
                ("region", index, "shields"), wrong, 'write "regional" in one of them' if circle else instead
            )


def _shields(network: Network, region: str) -> bool:
    """Whether a region has shields; also of networks with nodes in POPs that are not there."""
    within = {pop.name for pop in network.pops if pop.region == region}
    return any(node.role is Role.SHIELD and node.pop in within for node in network.nodes)


def _without_shields(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    for what, known, path, name in _mentions(network):
        asked = known == "region" and path[-1] in {"shields", "second_tier"}
        if asked and network.region(name) is not None and not _shields(network, name):
            wrong = f"the {what} {quoted(name)} has no shield"
            yield checked.problem(path, wrong, 'write role = "shield" for a node in it, or another region')


def _orphans(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    inhabited = {pop.region for pop in network.pops}
    for index, region in enumerate(network.regions):
        if region.name not in inhabited:
            wrong = f"no POP is in {quoted(region.name)}"
            yield checked.problem(("region", index), wrong, "write one, or leave the region out")
    sheltering = {node.pop for node in network.nodes if node.role is Role.SHIELD}
    for index, pop in enumerate(network.pops):
        if not pop.ipv4 and not pop.ipv6 and pop.name not in sheltering:
            wrong = "it has neither addresses nor shields, so nothing leads to it"
            yield checked.problem(("pop", index), wrong, 'write addresses = ["192.0.2.10"]')
    asked = {name for region in network.regions if (name := _first_tier(network, region.name)) is not None}
    for route in network.routes:
        asked |= {name for name in (route.shields, route.second_tier) if isinstance(name, str)}
    of_pop = {pop.name: pop.region for pop in network.pops}
    for index, node in enumerate(network.nodes):
        if node.role is Role.SHIELD and node.pop in of_pop and of_pop[node.pop] not in asked:
            wrong = (
                f"no region and no site uses the shields of {quoted(of_pop[node.pop])}, so it gets no request"
            )
            yield checked.problem(
                ("node", index), wrong, 'write shields = "regional" for its region, or leave it out'
            )
    reachable = {pop.name for pop in network.pops if pop.ipv4 or pop.ipv6}
    for index, route in enumerate(network.routes):
        if not (route.pops or reachable) & reachable:
            wrong = "none of its POPs has addresses"
            yield checked.problem(("route", index, "pops"), wrong, "write one that clients can come to")


def _siblings(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    sharing = {pop.name for pop in network.pops if pop.siblings}
    for index, node in enumerate(network.nodes):
        if node.pop in sharing and node.role is Role.EDGE and node.tier is None:
            wrong = f"the edges of {quoted(node.pop)} share their keys, and this one has no address for that"
            yield checked.problem(
                ("node", index), wrong, 'write tier = "10.0.1.1:8090", its tier.listen, or siblings = false'
            )


def _first_tier(network: Network, region: str) -> str | None:
    said = network.region(region)
    assert said is not None, region
    if said.shields is OwnShields.REGIONAL:
        return region if _shields(network, region) else None
    return shielding_region(network, region)


def _hosts(checked: _Checked) -> Iterator[Problem]:
    network = checked.network
    zones = network.dns.zones
    written = {record.name for zone in zones for record in zone.records}
    seen: dict[bytes, str] = {}
    for index, route in enumerate(network.routes):
        for at, host in enumerate(route.hosts or (b"*",)):
            path = ("route", index, "hosts", at)
            said = quoted(host.decode("ascii"))
            other = seen.setdefault(host, route.name)
            if other != route.name:
                yield checked.problem(path, f"{said} is a host of {quoted(other)} too", "leave one out")
            if host == b"*":
                yield checked.problem(path, "a host must be named", 'write names, or "*.example.net"')
            if host in written:
                wrong = f"{said} has static records too"
                yield checked.problem(path, wrong, "leave out the [[zone.record]] or the host")
            if route.alternate is not None and any(zone.origin == host for zone in zones):
                wrong = f"{said} is a zone, and an alternate is a CNAME, which a zone itself cannot have"
                yield checked.problem(path, wrong, 'write alternate = "none", or a host below the zone')
