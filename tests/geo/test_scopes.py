"""Scopes are true: what a resolver keeps for a scope is what every client in it is told, in the octets of answers.

`python -m tests.geo.test_scopes 1000000` does more pairs (RFC 7871 s7.3.1).
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import maxminddb
from maxminddb.const import MODE_MMAP_EXT

from edge.geo.atlas import Atlas, Source
from edge.geo.dns.edns import OPT_HEAD_BYTES
from edge.geo.dns.names import name_of
from edge.geo.dns.view import View
from edge.geo.dns.zone import Route
from edge.geo.network_view import Health, NetworkView, PopView
from edge.geo.overrides import Overrides
from edge.geo.routing import Routing
from edge.settings.network import PlaceOverride, Pop, RoutedSite
from tests.kit.nameservers import LOCAL, Answering, zone_of
from tools.mmdb import mmdb_bytes

RECORDS: Mapping[str, Mapping[str, object]] = {
    "10.0.0.0/8": {"country_code": "DE"},
    "10.1.0.0/16": {"country_code": "FR", "latitude": 48.9, "longitude": 2.4},
    "10.1.2.0/26": {"country_code": "US"},
    "192.0.2.0/24": {"country_code": "JP"},
    "2001:db8::/32": {"country_code": "DE"},
    "2001:db8:1::/48": {"country_code": "US"},
    "2001:db8:1:ff00::/60": {"country_code": "JP"},
}
WRITTEN = {
    ip_network("10.1.3.0/24"): PlaceOverride(pop="sin"),
    ip_network("10.2.0.0/15"): PlaceOverride(country="US"),
    ip_network("2001:db8:2::/47"): PlaceOverride(pop="sin"),
}
POPS = (
    Pop("fra", "eu", 50.11, 8.68, ipv4=(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))),
    Pop("ams", "eu", 52.37, 4.9, ipv4=(IPv4Address("192.0.2.3"),)),
    Pop("sin", "asia", 1.35, 103.99, ipv4=(IPv4Address("192.0.2.4"),)),
)
SITES = (
    RoutedSite("shop"),
    RoutedSite("near", spread=False, answers=1),
    RoutedSite("eu", pops=frozenset({"fra", "ams"}), deny=frozenset({"US"}), alternate=b"sorry.example.org"),
)
TEXT = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.other.\n"
EDGES = [(each.version, int(each.network_address)) for each in (*map(ip_network, RECORDS), *WRITTEN)]
QUESTIONS = {
    site.name: b"\0\7\0\0\0\1\0\0\0\0\0\1" + name_of(f"{site.name}.cdn.example.") + b"\0\1\0\1"
    for site in SITES
}
PREFIXES = {4: (24, 24, 24, 16, 20, 22, 25, 32), 6: (56, 56, 48, 32, 60, 64, 128)}
STATE_PAIRS = 50
"""How many pairs a state of the network lasts."""


def answering(atlas: Atlas, chance: random.Random) -> Answering:
    """Before a network in some state."""
    pops = tuple(
        PopView(
            pop,
            chance.choice(list(Health)),
            drained=chance.choice((0.0, 0.0, 0.4, 1.0)),
            ready=chance.choice((1.0, 1.0, 0.6, 0.0)),
            shed=chance.choice((0.0, 0.0, 0.4)),
        )
        for pop in POPS
    )
    zone = zone_of(
        TEXT, routes=tuple(Route(name_of(f"{site.name}.cdn.example."), site.name, 30) for site in SITES)
    )
    return Answering(view=View({zone.origin: zone}, Routing(atlas, NetworkView(pops), SITES)))


def asked(server: Answering, site: str, family: int, number: int, prefix: int) -> tuple[bytes, int]:
    """What a client is told, up to the OPT record, and for which scope."""
    width = 32 if family == 4 else 128
    octets = (number >> (width - prefix) << (width - prefix)).to_bytes(width // 8)[: (prefix + 7) // 8]
    body = bytes((0, 1 if family == 4 else 2, prefix, 0)) + octets
    option = b"\0\x08" + len(body).to_bytes(2) + body
    made = server.responder.by_udp(
        QUESTIONS[site] + b"\0\0\x29\x04\xd0\0\0\0\0" + len(option).to_bytes(2) + option, LOCAL
    )
    assert made is not None
    at = len(made) - len(option)
    assert (made[at : at + 7], made[at + 8 :]) == (option[:7], octets)
    return made[: at - OPT_HEAD_BYTES], made[at + 7]


def compare(atlas: Atlas, count: int, seed: int) -> int:
    """`count` pairs of clients within one scope; how many told a place apart (scope over 0)."""
    chance, told_apart, left = random.Random(seed), 0, 0
    server = answering(atlas, chance)
    while count:
        if not left:
            server, left = answering(atlas, chance), STATE_PAIRS
        family, edge = chance.choice(EDGES)
        width = 32 if family == 4 else 128
        number = (edge + chance.randrange(-1 << width // 2 + 1, 1 << width // 2 + 1)) % (1 << width)
        if not chance.randrange(4):
            number = chance.getrandbits(width)
        site = chance.choice(SITES).name
        prefix = chance.choice(PREFIXES[family])
        answer, scope = asked(server, site, family, number, prefix)
        if scope > prefix:  # the answer is kept for this very question only
            continue
        other = number ^ chance.getrandbits(width) >> scope
        finer = chance.choice([each for each in PREFIXES[family] if each >= scope])
        elsewhere, _ = asked(server, site, family, other, finer)
        assert elsewhere == answer, (site, family, number, prefix, scope, other, finer)
        told_apart += scope > 0
        count -= 1
        left -= 1
    return told_apart


def atlas_in(folder: Path) -> Atlas:
    file = folder / "places.mmdb"
    file.write_bytes(mmdb_bytes(RECORDS))
    return Atlas([Source(maxminddb.open_database(file, MODE_MMAP_EXT), 6)], Overrides(WRITTEN))


def test_two_clients_of_one_scope_are_told_the_same(tmp_path: Path):
    assert compare(atlas_in(tmp_path), 600, seed=1) > 300


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        pairs = int(sys.argv[1])
        made = compare(atlas_in(Path(folder)), pairs, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{pairs} pairs of clients, each in one scope, {made} of them of a place: told the same")
