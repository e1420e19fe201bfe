"""`perigee geo lookup` and `perigee geo explain`: where an address is, and which POP its clients get, step by step.

Owns: the print-outs. Everything is reckoned by the functions that DNS answers and redirects are made with: here, from the
files, where what a live network knows beyond them (health, loads) can be supposed with `WhatIf`; or by a running DNS server
from what it knows now. Exit code 0, or an EdgeError.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.errors import ConfigFault, UpstreamFault
from edge.geo.atlas import Atlas, Located
from edge.geo.database import Database, open_database
from edge.geo.explained import explained, located_as_json, network_of
from edge.geo.network_view import Health, NetworkView, PopView, static_view
from edge.geo.overrides import Overrides
from edge.geo.placement import SENTENCE, PlacementReason
from edge.settings.network import Network
from edge.settings.network_file import load_network
from tools.purge_client import PurgeClient, Refused


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
        print(json.dumps([located_as_json(address, located) for address, located in found]))
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


def _row(address: IPv4Address | IPv6Address, located: Located) -> tuple[str, ...]:
    return (
        str(address),
        network_of(address, located.prefix_len),
        located.country or "-",
        "-" if located.latitude is None else f"{located.latitude:g}",
        "-" if located.longitude is None else f"{located.longitude:g}",
        located.source.value,
        located.pop or "-",
    )


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
        said = explained(asked, route, atlas, view, network.dns.ecs)
    _tell(said, to_json=to_json)
    return 0


def explain_from(address: str, site: str, admin: str, *, to_json: bool) -> int:
    """The same, by a running DNS server from what it knows now. admin: URL of its admin address. Raises EdgeError."""
    target = f"/explain?{urlencode({'address': str(parsed(address)), 'site': site})}"

    async def ask() -> dict[str, Any]:
        async with PurgeClient(admin, option="--from") as client:
            return await client.get(target)

    try:
        workers = asyncio.run(ask()).get("workers")
    except Refused as refused:
        fault = ConfigFault if refused.is_misuse else UpstreamFault
        raise fault(f"{admin}: {refused.said.get('error') or refused.detail}") from None
    if not isinstance(workers, list) or not workers or "chosen" not in workers[0]:
        raise UpstreamFault(f"{admin} explains no routes: is it the admin address of a DNS server?")
    _tell(workers[0], to_json=to_json)  # all workers are told the same
    return 0


def _tell(said: Mapping[str, Any], *, to_json: bool) -> None:
    if to_json:
        print(json.dumps(said))
    else:
        _show(said)


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


def _show(said: Mapping[str, Any]) -> None:
    console = Console()
    where = (
        "nobody knows where" if said["latitude"] is None else f"{said['latitude']:g}, {said['longitude']:g}"
    )
    console.print(
        Text(f"{said['address']} is in {said['network']}: "),
        Text(f"{said['country'] or 'no country'}, {where} (known by {said['source']})"),
        sep="",
    )
    table = Table(box=None, pad_edge=False)
    for head in ("POP", "kilometres", "bias", "health", "left out", "clients of this place"):
        table.add_column(head)
    for pop in said["pops"]:
        table.add_row(
            pop["pop"],
            "-" if pop["kilometres"] is None else f"{pop['kilometres']:.0f}",
            f"{pop['bias']:+g}" if pop["bias"] else "",
            pop["health"],
            pop["out"] or "",
            f"{pop['clients']:.0%}",
        )
    console.print(table)
    if said["alternate"] is not None:
        console.print(Text(f"sent to {said['alternate']}"))
    elif said["chosen"] is not None:
        console.print(Text(f"{said['chosen']}: {', '.join(said['addresses'])}"), soft_wrap=True)
    for reason in said["reasons"]:
        console.print(Text(f"{reason}: {SENTENCE[PlacementReason(reason)]}"))
    console.print(Text(f"an answer by DNS has the scope /{said['scope']} and the TTL {said['ttl']:g} s"))
