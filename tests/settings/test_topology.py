"""What the parts of a network must not say of each other."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest

from edge.settings.dns import DnsSettings, RecordType, StaticRecord, Zone
from edge.settings.document import Document
from edge.settings.network import (
    GeoSettings,
    Network,
    NetworkNode,
    OwnShields,
    PlaceOverride,
    Pop,
    Region,
    Role,
    RoutedSite,
)
from edge.settings.node import ListenAddress
from edge.settings.topology import disorders

A = (IPv4Address("192.0.2.1"),)
EU, US = Region("eu"), Region("us")
FRA, IAD = Pop("fra", "eu", ipv4=A), Pop("iad", "us", ipv4=A)
EDGE = NetworkNode("fra-1", "fra")
FRA_SHIELD = NetworkNode("fra-s", "fra", Role.SHIELD, ListenAddress("10.0.1.9", 80))
IAD_SHIELD = NetworkNode("iad-s", "iad", Role.SHIELD, ListenAddress("10.0.2.9", 80))
SHOP = RoutedSite("shop", (b"shop.net",))
SOUND = Network((EU, US), (FRA, IAD), (EDGE, FRA_SHIELD, IAD_SHIELD), (SHOP,))
ZONE = Zone(b"example.net")


def said(network: Network) -> list[str]:
    return [
        f"{problem.setting}: {problem.wrong}"
        for problem in disorders(Document("network.toml", {}, {}), network)
    ]


@pytest.mark.parametrize(
    "network",
    [
        SOUND,
        Network(),
        replace(SOUND, regions=(replace(EU, shields="us"), US), nodes=(EDGE, IAD_SHIELD)),
        replace(SOUND, regions=(replace(EU, shields="us"), replace(US, shields="us")), nodes=(IAD_SHIELD,)),
        replace(SOUND, regions=(EU, replace(US, shields=OwnShields.NONE)), nodes=(FRA_SHIELD,)),
        replace(SOUND, regions=(EU, replace(US, shields="eu")), routes=(replace(SHOP, second_tier="us"),)),
        replace(SOUND, pops=(replace(FRA, ipv4=()), IAD)),
        replace(
            SOUND,
            pops=(replace(FRA, siblings=True), IAD),
            nodes=(replace(EDGE, tier=ListenAddress("10.0.0.1", 8090)), FRA_SHIELD, IAD_SHIELD),
        ),
    ],
    ids=range(8),
)
def test_a_sound_network_has_no_disorder(network: Network):
    assert said(network) == []


TABLE: list[tuple[str, Network, list[str]]] = [
    (
        "a name stands once",
        Network((EU, EU), (FRA, FRA), (EDGE, EDGE), (SHOP, SHOP)),
        [
            'region[1].name: another region has the name "eu"',
            'pop[1].name: another pop has the name "fra"',
            'node[1].name: another node has the name "fra-1"',
            'route[1].site: another route has the name "shop"',
        ],
    ),
    (
        "a node is not taken for another one",
        replace(
            SOUND,
            nodes=(
                *SOUND.nodes,
                replace(EDGE, name="FRA-1"),
                replace(FRA_SHIELD, name="fra-s9", tier=ListenAddress("10.0.1.8", 8090)),
                replace(FRA_SHIELD, name="fra-s8", tier=ListenAddress("10.0.1.8", 8090)),
                replace(FRA_SHIELD, name="fra-s7", http=ListenAddress("10.0.1.8", 8090)),
            ),
        ),
        [
            'node[3].name: "FRA-1" and "fra-1" are the same in CDN-Loop, so one refuses what the other asks',
            'node[5].tier: nodes ask "fra-s9" at 10.0.1.8:8090, so that this one would never be asked',
            'node[6].http: nodes ask "fra-s9" at 10.0.1.8:8090, so that this one would never be asked',
        ],
    ),
    (
        "a region's name is no word with a meaning",
        Network((Region("none"),), (Pop("fra", "none", ipv4=A),)),
        ['region[0].name: "none" means something else where a region may be named'],
    ),
    (
        "what is named is there",
        replace(
            SOUND,
            pops=(FRA, IAD, Pop("sin", "asia", ipv4=A)),
            nodes=(*SOUND.nodes, NetworkNode("x", "lhr")),
            routes=(replace(SHOP, pops=frozenset({"cdg", "fra"}), shields="moon", second_tier="mars"),),
            geo=GeoSettings(
                default_pops=("fra", "ams"), overrides={ip_network("10.0.0.0/8"): PlaceOverride(pop="nrt")}
            ),
        ),
        [
            'pop[2].region: there is no region "asia"',
            'node[3].pop: there is no POP "lhr"',
            'route[0].shields: there is no region "moon"',
            'route[0].second_tier: there is no region "mars"',
            'route[0].pops: there is no POP "cdg"',
            'geo.default_pops[1]: there is no POP "ams"',
            'geo.overrides."10.0.0.0/8": there is no POP "nrt"',
        ],
    ),
    (
        "misses do not go in a circle",
        replace(SOUND, regions=(replace(EU, shields="us"), replace(US, shields="eu"))),
        [
            'region[0].shields: "us" itself uses the shields of "eu", so misses would go in a circle',
            'region[1].shields: "eu" itself uses the shields of "us", so misses would go in a circle',
        ],
    ),
    (
        "shields are used at first hand",
        replace(
            SOUND,
            regions=(replace(EU, shields="us"), replace(US, shields="asia"), Region("asia")),
            pops=(FRA, IAD, Pop("sin", "asia", ipv4=A)),
            nodes=(IAD_SHIELD, NetworkNode("sin-s", "sin", Role.SHIELD, ListenAddress("10.0.3.9", 80))),
            routes=(replace(SHOP, shields="us"),),
        ),
        ['region[0].shields: "us" itself uses the shields of "asia"'],
    ),
    (
        "a region whose shields are used has some",
        replace(
            SOUND,
            regions=(EU, replace(US, shields="eu")),
            nodes=(EDGE,),
            routes=(replace(SHOP, second_tier="us"),),
        ),
        [
            'region[1].shields: the region "eu" has no shield',
            'route[0].second_tier: the region "us" has no shield',
        ],
    ),
    (
        "edges that share their keys can be asked for them",
        replace(SOUND, pops=(replace(FRA, siblings=True), IAD)),
        ['node[0]: the edges of "fra" share their keys, and this one has no address for that'],
    ),
    (
        "nothing is an orphan",
        Network(
            (EU, replace(US, shields="eu"), Region("asia")),
            (FRA, replace(IAD, ipv4=()), Pop("lon", "eu")),
            (FRA_SHIELD, IAD_SHIELD),
            (replace(SHOP, pops=frozenset({"iad"})),),
        ),
        [
            'region[2]: no POP is in "asia"',
            "pop[2]: it has neither addresses nor shields, so nothing leads to it",
            'node[1]: no region and no site uses the shields of "us", so it gets no request',
            "route[0].pops: none of its POPs has addresses",
        ],
    ),
    (
        "a host is routed by one site and is nothing else",
        replace(
            SOUND,
            routes=(
                RoutedSite("a", (b"a.example.net", b"b.example.net")),
                RoutedSite("b", (b"b.example.net",)),
                RoutedSite("c", (b"example.net", b"d.example.net"), alternate=b"sorry.org"),
                RoutedSite("d"),
            ),
            dns=DnsSettings(
                zones=(replace(ZONE, records=(StaticRecord(b"a.example.net", RecordType.A, A),)), ZONE)
            ),
        ),
        [
            "zone[1].origin: this zone stands above",
            'route[0].hosts[0]: "a.example.net" has static records too',
            'route[1].hosts[0]: "b.example.net" is a host of "a" too',
            'route[2].hosts[0]: "example.net" is a zone, and an alternate is a CNAME, which a zone itself cannot have',
            "route[3].hosts[0]: a host must be named",
        ],
    ),
]


@pytest.mark.parametrize("name, network, wrong", TABLE, ids=[row[0] for row in TABLE])
def test_a_disorder_is_named_where_it_stands(name: str, network: Network, wrong: list[str]):
    assert said(network) == wrong
