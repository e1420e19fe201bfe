"""Why an address gets which POP, as plain values.

Owns: `explained`, for `perigee geo explain`: from the files alone, or by a running DNS server from what it knows now. Rule:
nothing is decided here; each word comes from the functions that answers and redirects are made with.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from edge.geo.atlas import Atlas, Located
from edge.geo.network_view import NetworkView
from edge.geo.placement import Placement, Ranked, Subject, place, rank
from edge.geo.places import Point, distance
from edge.geo.whereabouts import SLOTS
from edge.settings.dns import EcsSettings
from edge.settings.network import RoutedSite

Address = IPv4Address | IPv6Address


def network_of(address: Address, prefix: int) -> str:
    """The block of an address, as in 192.0.2.0/24."""
    width = address.max_prefixlen
    masked = int(address) >> (width - prefix) << (width - prefix)
    return f"{type(address)(masked)}/{prefix}"


def located_as_json(address: Address, located: Located) -> dict[str, object]:
    """Where it is."""
    return {
        "address": str(address),
        "network": network_of(address, located.prefix_len),
        "country": located.country,
        "latitude": located.latitude,
        "longitude": located.longitude,
        "source": located.source.value,
        "pop": located.pop,
    }


def explained(
    address: Address, site: RoutedSite, atlas: Atlas, view: NetworkView, ecs: EcsSettings
) -> dict[str, object]:
    """What is decided for an address, and for all other clients of its place. Plain values, for JSON.

    pops: all of them, the best for this place first; kilometres: None = nobody knows; out: the reason that left it out;
    clients: its share of this place's. scope: of an answer to a client subnet.
    """
    located = atlas.locate(address.packed)
    where = atlas.whereabouts(located.bucket)
    subject = Subject(where, located.bucket % SLOTS)
    placement = place(subject, site, view)
    shares: dict[str, float] = {}
    for slot in range(SLOTS):
        pop = place(Subject(where, slot), site, view).pop
        if pop is not None:
            shares[pop] = shares.get(pop, 0.0) + 1 / SLOTS
    finest = ecs.max_v4 if address.version == 4 else ecs.max_v6
    by_ecs = placement.geography_mattered and ecs.enabled and site.ecs
    return {
        **located_as_json(address, located),
        "site": site.name,
        "chosen": placement.pop,
        "alternate": None if placement.alternate is None else placement.alternate.decode("ascii"),
        "order": list(placement.pops),
        "addresses": [str(each) for each in (*placement.ipv4, *placement.ipv6)],
        "reasons": [reason.value for reason in placement.reasons],
        "scope": min(located.prefix_len, finest) if by_ecs else 0,
        "ttl": site.ttl,
        "steps": [
            {"reason": step.reason.value, "out": list(step.out), "skipped": step.skipped}
            for step in placement.steps
        ],
        "pops": [
            _pop(ranked, located, placement, shares.get(ranked.view.pop.name, 0.0))
            for ranked in rank(subject, view.pops, view)
        ],
    }


def _pop(ranked: Ranked, located: Located, placement: Placement, clients: float) -> dict[str, object]:
    view = ranked.view
    name = view.pop.name
    return {
        "pop": name,
        "kilometres": _distance(ranked, located),
        "bias": view.pop.bias,
        "health": view.health.value,
        "drained": view.drained,
        "ready": view.ready,
        "passes_on": view.shed,
        "out": next(
            (step.reason.value for step in placement.steps if name in step.out and not step.skipped), None
        ),
        "clients": clients,
    }


def _distance(ranked: Ranked, located: Located) -> float | None:
    """Without the bias."""
    if located.latitude is None or located.longitude is None:
        return None
    pop = ranked.view.pop
    return distance(Point(located.latitude, located.longitude), Point(pop.latitude, pop.longitude))
