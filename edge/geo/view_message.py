"""What is known of the network, on its way to the processes that lead clients. PURE.

Owns: `NetworkState`, `said_of`, `heard_of`. Rules: it goes between processes of one program, so it is not looked at
for malice; shares are rounded to what makes a difference (a POP's clients are led in `SLOTS` parts), so that answers that are
kept ready are not thrown away for less. What is said of a POP that the listener does not have is left out, and a POP that
nothing is said of is as the file has it: the two may have read the network file at different moments. Where a POP's addresses
are those of its edges, the address of an edge that is out is not given out, as long as another of its family is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

from edge.geo.network_view import Health, NetworkView, PopView, static_view
from edge.settings.network import Network, Pop

A = TypeVar("A", IPv4Address, IPv6Address)

SHARES = 64
"""Parts of a POP's clients; a ramp of a minute has a step a second."""
LOADS = 20
"""Load is told for explanations only."""


@dataclass(frozen=True, slots=True)
class NetworkState:
    """All that is known. nodes_out: those that nothing should be sent to."""

    view: NetworkView
    nodes_out: frozenset[str] = frozenset()


def said_of(view: NetworkView, nodes_out: Iterable[str]) -> dict[str, Any]:
    """For JSON; equal for what makes no difference."""
    return {
        "pops": {
            each.pop.name: [
                each.health.value,
                _rounded(each.drained),
                _rounded(each.ready),
                _rounded(each.shed),
                None if each.load is None else round(each.load * LOADS) / LOADS,
            ]
            for each in view.pops
        },
        "nodes_out": sorted(nodes_out),
    }


def _rounded(share: float) -> float:
    """Neither none nor all for what is neither."""
    parts = round(share * SHARES)
    if 0 < share < 1:
        parts = min(max(parts, 1), SHARES - 1)
    return parts / SHARES


def heard_of(network: Network, said: Mapping[str, Any] | None) -> NetworkState:
    """What `said_of` said, for who has this network. None = nothing was said yet."""
    view = static_view(network)
    if said is None:
        return NetworkState(view)
    pops: Mapping[str, list[Any]] = said["pops"]
    out = frozenset(said["nodes_out"])
    hosts = frozenset((node.pop, node.http.host) for node in network.nodes if node.name in out)
    shown = tuple(_shown(each, pops.get(each.pop.name), hosts) for each in view.pops)
    return NetworkState(replace(view, pops=shown), out)


def _shown(view: PopView, said: list[Any] | None, hosts: frozenset[tuple[str, str]]) -> PopView:
    if said is None:
        return view
    health, drained, ready, shed, load = said
    return PopView(_without(view.pop, hosts), Health(health), drained, ready, shed, load)


def _without(pop: Pop, hosts: frozenset[tuple[str, str]]) -> Pop:
    ipv4, ipv6 = _left(pop, pop.ipv4, hosts), _left(pop, pop.ipv6, hosts)
    return pop if (ipv4, ipv6) == (pop.ipv4, pop.ipv6) else replace(pop, ipv4=ipv4, ipv6=ipv6)


def _left(pop: Pop, addresses: tuple[A, ...], hosts: frozenset[tuple[str, str]]) -> tuple[A, ...]:
    return tuple(each for each in addresses if (pop.name, str(each)) not in hosts) or addresses
