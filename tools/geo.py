"""`perigee geo lookup` and `perigee geo explain`: where an address is, and which POP its clients get, step by step.

Owns: the print-outs. Everything is reckoned here from the files, by the functions that DNS answers and redirects are made with;
what a live network knows beyond them (health, loads) can be said with `WhatIf`. Exit code 0, or an EdgeError.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.errors import ConfigFault
from edge.geo.atlas import Atlas, Located
from edge.geo.database import Database, open_database
from edge.geo.network_view import Health, NetworkView, PopView, static_view
from edge.geo.overrides import Overrides
from edge.geo.placement import SENTENCE, Placement, Ranked, Subject, place, rank
from edge.geo.places import Point, distance
from edge.geo.whereabouts import SLOTS
from edge.settings.network import Network, RoutedSite
from edge.settings.network_file import load_network


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A state of the network that is supposed. Names of POPs; shed: "NAME=SHARE"."""

    down: tuple[str, ...] = ()
    drain: tuple[str, ...] = ()
    shed: tuple[str, ...] = ()


@contextmanager
def opened(network: Network) -> Iterator[tuple[Atlas, tuple[Database, ...]]]:
    """The atlas of a network's databases, all of which must be good. BadDatabase."""
    geo = network.geo
    with tempfile.TemporaryDirectory(prefix="perigee-geo-") as folder:
        databases = tuple(
            open_database(file, Path(folder), max_bytes=geo.max_database) for file in geo.databases
        )
        sources = [database.source for database in databases]
        yield Atlas(sources, Overrides(geo.overrides), max_places=geo.max_places), databases


def lookup(addresses: Sequence[str], config: Path | None, databases: Sequence[Path], *, to_json: bool) -> int:
    """Say where addresses are. config: of a network, None = none. databases: are looked into instead of its own."""
    network = Network() if config is None else load_network(config)
    if databases:
        network = replace(network, geo=replace(network.geo, databases=tuple(databases)))
    if not network.geo.databases and not network.geo.overrides:
        raise ConfigFault(
            "there is no database to look into; say --database FILE.mmdb or --config FILE; `perigee geo fetch` gets one"
        )
    asked = [parsed(address) for address in addresses]
    with opened(network) as (atlas, _):
        found = [(address, atlas.locate(address.packed)) for address in asked]
    if to_json:
        print(json.dumps([_as_json(address, located) for address, located in found]))
    else:
        table = Table(box=None, pad_edge=False)
        for head in ("address", "network", "country", "latitude", "longitude", "known by", "POP"):
            table.add_column(head)
        for address, located in found:
            table.add_row(*(Text(cell) for cell in _row(address, located)))
        Console().print(table)
    return 0


def parsed(text: str) -> IPv4Address | IPv6Address:
    """An address. ConfigFault for a text that is none."""
    try:
        return ip_address(text)
    except ValueError:
        raise ConfigFault(f"{text!r} is no IP address; write 192.0.2.1 or 2001:db8::1") from None


def _network_of(address: IPv4Address | IPv6Address, prefix: int) -> str:
    width = address.max_prefixlen
    masked = int(address) >> (width - prefix) << (width - prefix)
    return f"{type(address)(masked)}/{prefix}"


def _row(address: IPv4Address | IPv6Address, located: Located) -> tuple[str, ...]:
    return (
        str(address),
        _network_of(address, located.prefix_len),
        located.country or "-",
        "-" if located.latitude is None else f"{located.latitude:g}",
        "-" if located.longitude is None else f"{located.longitude:g}",
        located.source.value,
        located.pop or "-",
    )


def _as_json(address: IPv4Address | IPv6Address, located: Located) -> dict[str, object]:
    return {
        "address": str(address),
        "network": _network_of(address, located.prefix_len),
        "country": located.country,
        "latitude": located.latitude,
        "longitude": located.longitude,
        "source": located.source.value,
        "pop": located.pop,
    }


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything that is said of one address. shares: by POP, of all clients of the same place."""

    address: IPv4Address | IPv6Address
    located: Located
    site: RoutedSite
    placement: Placement
    ranked: tuple[Ranked, ...]
    shares: dict[str, float]


def explain(address: str, site: str, config: Path, what_if: WhatIf, *, to_json: bool) -> int:
    """Say which POP an address gets for a site, and why."""
    network = load_network(config)
    route = network.route(site)
    if route is None:
        known = ", ".join(sorted(route.name for route in network.routes)) or "none"
        raise ConfigFault(f"{config} routes no site {site!r}; known: {known}")
    view = supposed(network, what_if)
    asked = parsed(address)
    with opened(network) as (atlas, _):
        said = explained(asked, route, atlas, view)
    if to_json:
        print(json.dumps(_explained_as_json(said)))
    else:
        _show(said)
    return 0


def explained(
    address: IPv4Address | IPv6Address, site: RoutedSite, atlas: Atlas, view: NetworkView
) -> Explained:
    """What is decided for an address, and for all other clients of its place."""
    located = atlas.locate(address.packed)
    where = atlas.whereabouts(located.bucket)
    subject = Subject(where, located.bucket % SLOTS)
    counts: dict[str, float] = {}
    for slot in range(SLOTS):
        pop = place(Subject(where, slot), site, view).pop
        if pop is not None:
            counts[pop] = counts.get(pop, 0.0) + 1 / SLOTS
    return Explained(
        address,
        located,
        site,
        place(subject, site, view),
        tuple(rank(subject, view.pops, view)),
        dict(sorted(counts.items(), key=lambda each: -each[1])),
    )


def supposed(network: Network, what_if: WhatIf) -> NetworkView:
    """The network as its file has it, in a state that is supposed. ConfigFault for a POP that is not there."""
    shed: dict[str, float] = {}
    for text in what_if.shed:
        name, _, share = text.partition("=")
        try:
            shed[name] = float(share)
        except ValueError:
            raise ConfigFault(f"{text!r} is no share; write NAME=0.5") from None
        if not 0 <= shed[name] <= 1:
            raise ConfigFault(f"{text!r} is no share; allowed: 0 to 1")
    for name in (*what_if.down, *what_if.drain, *shed):
        if network.pop(name) is None:
            known = ", ".join(pop.name for pop in network.pops) or "none"
            raise ConfigFault(f"there is no POP {name!r}; known: {known}")
    view = static_view(network)

    def changed(pop: PopView) -> PopView:
        name = pop.pop.name
        health = Health.DOWN if name in what_if.down else pop.health
        drained = 1.0 if name in what_if.drain else pop.drained
        return replace(pop, health=health, drained=drained, shed=shed.get(name, 0.0))

    return replace(view, pops=tuple(changed(pop) for pop in view.pops))


def _distance(said: Explained, ranked: Ranked) -> float | None:
    located = said.located
    if located.latitude is None or located.longitude is None:
        return None
    pop = ranked.view.pop
    return distance(Point(located.latitude, located.longitude), Point(pop.latitude, pop.longitude))


def _explained_as_json(said: Explained) -> dict[str, object]:
    placement = said.placement
    return {
        **_as_json(said.address, said.located),
        "source": said.located.source.value,
        "site": said.site.name,
        "chosen": placement.pop,
        "alternate": None if placement.alternate is None else placement.alternate.decode("ascii"),
        "order": list(placement.pops),
        "addresses": [str(address) for address in (*placement.ipv4, *placement.ipv6)],
        "reasons": [reason.value for reason in placement.reasons],
        "scope": said.located.prefix_len if placement.geography_mattered else 0,
        "steps": [
            {"reason": step.reason.value, "out": list(step.out), "skipped": step.skipped}
            for step in placement.steps
        ],
        "distances": {each.view.pop.name: _distance(said, each) for each in said.ranked},
        "shares": said.shares,
    }


def _show(said: Explained) -> None:
    console, located, placement = Console(), said.located, said.placement
    where = (
        "nobody knows where" if located.latitude is None else f"{located.latitude:g}, {located.longitude:g}"
    )
    console.print(
        Text(f"{said.address} is in {_network_of(said.address, located.prefix_len)}: "),
        Text(f"{located.country or 'no country'}, {where} (known by {located.source.value})"),
        sep="",
    )
    table = Table(box=None, pad_edge=False)
    for head in ("POP", "kilometres", "bias", "left out", "clients of this place"):
        table.add_column(head)
    for ranked in said.ranked:
        pop, apart = ranked.view.pop, _distance(said, ranked)
        out = next((s.reason.value for s in placement.steps if pop.name in s.out and not s.skipped), "")
        table.add_row(
            pop.name,
            "-" if apart is None else f"{apart:.0f}",
            f"{pop.bias:+g}" if pop.bias else "",
            out,
            f"{said.shares.get(pop.name, 0.0):.0%}",
        )
    console.print(table)
    if placement.alternate is not None:
        console.print(Text(f"sent to {placement.alternate.decode('ascii')}"))
    elif placement.pop is not None:
        given = ", ".join(str(address) for address in (*placement.ipv4, *placement.ipv6))
        console.print(Text(f"{placement.pop}: {given}"), soft_wrap=True)
    for reason in placement.reasons:
        console.print(Text(f"{reason.value}: {SENTENCE[reason]}"))
    scope = located.prefix_len if placement.geography_mattered else 0
    console.print(Text(f"an answer by DNS has the scope /{scope} and the TTL {said.site.ttl:g} s"))
