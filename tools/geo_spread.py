"""`perigee geo spread`: how the clients of a log would be spread over the POPs of a network.

Owns: the table, and the addresses in a log. The answers are those that DNS gives each client with its own network (ECS), from
the file alone: every POP is up. Rules: of each line of the log its first word that is an address counts; requests are lines,
clients are different addresses; nothing of the log but numbers goes into what is printed or drawn.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from edge.errors import ConfigFault
from edge.geo.atlas import Atlas
from edge.geo.network_view import static_view
from edge.geo.placement import Subject, place
from edge.geo.places import Point, distance
from edge.geo.whereabouts import SLOTS
from edge.settings.network import Network
from edge.settings.network_file import load_network
from tools.geo import opened
from tools.geo_map import Spot, world_map
from tools.purge_progress import aligned

MAX_LOG_BYTES = 1 << 30
COMPRESSED = b"\x1f\x8b"


@dataclass(slots=True)
class Share:
    """What one POP gets. kilometres: of each request whose client's place is known. countries: requests of each."""

    clients: int = 0
    requests: int = 0
    kilometres: list[float] = field(default_factory=list)
    countries: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Spread:
    """Shares by POP, in the order of the file; and where clients are: (place, POP) to requests."""

    shares: Mapping[str, Share]
    places: Mapping[tuple[Point, str], int]
    unknown: int
    """Requests of clients whose place nobody knows."""


def run(log: Path, site: str, config: Path, *, svg: Path | None, to_json: bool) -> int:
    """Print how the clients of a log are spread; draw them where a file is named. ConfigFault, EdgeError."""
    network = load_network(config)
    if network.route(site) is None:
        known = ", ".join(sorted(route.name for route in network.routes)) or "none"
        raise ConfigFault(f"{config} routes no site {site!r}; known: {known}")
    requests = requests_of(addressed(log))
    with opened(network) as (atlas, _):
        found = spread(requests, site, network, atlas)
    if svg is not None:
        svg.write_text(drawn(found, network), encoding="utf-8")
    if to_json:
        print(json.dumps(_as_json(found)))
    else:
        for line in _table(found):
            print(line)
    return 0


def addressed(log: Path) -> Iterable[str]:
    """The lines of a log, also of one that is compressed. ConfigFault when it cannot be read."""
    try:
        with log.open("rb") as opened_file:
            start = opened_file.read(2)
        if start == COMPRESSED:
            with gzip.open(log) as unpacked:
                content = unpacked.read(MAX_LOG_BYTES)
        else:
            with log.open("rb") as plain:
                content = plain.read(MAX_LOG_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigFault(f"{log} cannot be read: {why}; name a log, plain or .gz") from None
    return content.decode("latin-1").splitlines()


def requests_of(lines: Iterable[str]) -> Counter[bytes]:
    """Requests by packed address of the client."""
    counted: Counter[bytes] = Counter()
    for line in lines:
        for word in line.split()[:8]:
            try:
                counted[ip_address(word.strip("[]\",'")).packed] += 1
            except ValueError:
                continue
            break
    return counted


def spread(requests: Mapping[bytes, int], site: str, network: Network, atlas: Atlas) -> Spread:
    """Where each client is led."""
    route = network.route(site)
    assert route is not None, site
    view = static_view(network)
    points = {pop.name: Point(pop.latitude, pop.longitude) for pop in network.pops}
    shares = {pop.name: Share() for pop in network.pops}
    places: Counter[tuple[Point, str]] = Counter()
    unknown = 0
    for packed, count in requests.items():
        bucket, _ = atlas.bucket_of(packed)
        where = atlas.whereabouts(bucket)
        placed = place(Subject(where, bucket % SLOTS), route, view)
        if placed.pop is None:
            continue
        share = shares[placed.pop]
        share.clients += 1
        share.requests += count
        share.countries[where.country or "?"] += count
        if where.point is None:
            unknown += count
        else:
            share.kilometres += [distance(where.point, points[placed.pop])] * count
            places[where.point, placed.pop] += count
    return Spread(shares, places, unknown)


def drawn(found: Spread, network: Network) -> str:
    """The map, as SVG: a spot for each place with clients, in the colour of its POP."""
    names = [pop.name for pop in network.pops]
    spots = [
        Spot(point, count, names.index(pop))
        for (point, pop), count in sorted(found.places.items(), key=lambda each: -each[1])
    ]
    pops = [
        (pop.name, Point(pop.latitude, pop.longitude), found.shares[pop.name].requests)
        for pop in network.pops
    ]
    return world_map(spots, pops)


def _table(found: Spread) -> list[str]:
    total = sum(share.requests for share in found.shares.values()) or 1
    head = ("POP", "CLIENTS", "REQUESTS", "SHARE", "MEDIAN KM", "P90 KM", "COUNTRIES")
    rows = [
        (
            pop,
            str(share.clients),
            str(share.requests),
            f"{share.requests / total:.1%}",
            _quantile(share.kilometres, 0.5),
            _quantile(share.kilometres, 0.9),
            ", ".join(
                f"{country} {count / (share.requests or 1):.0%}"
                for country, count in share.countries.most_common(4)
            ),
        )
        for pop, share in found.shares.items()
    ]
    everything = [each for share in found.shares.values() for each in share.kilometres]
    clients = sum(share.clients for share in found.shares.values())
    last = (
        "all",
        str(clients),
        str(total),
        "100%",
        _quantile(everything, 0.5),
        _quantile(everything, 0.9),
        "",
    )
    lines = aligned([head, *rows, last])
    if found.unknown:
        lines.append(f"{found.unknown} requests are of clients whose place nobody knows")
    return lines


def _quantile(values: list[float], part: float) -> str:
    return f"{sorted(values)[int(part * (len(values) - 1))]:.0f}" if values else "-"


def _as_json(found: Spread) -> dict[str, object]:
    return {
        "pops": {
            pop: {
                "clients": share.clients,
                "requests": share.requests,
                "kilometres": {
                    "p50": _quantile(share.kilometres, 0.5),
                    "p90": _quantile(share.kilometres, 0.9),
                },
                "countries": dict(share.countries.most_common()),
            }
            for pop, share in found.shares.items()
        },
        "unknown": found.unknown,
    }
