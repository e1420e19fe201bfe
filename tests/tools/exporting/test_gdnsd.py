"""The texts for gdnsd; that it answers by them: tests/tools/test_geo_export.py."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from edge.settings.dns import DnsSettings, MailExchange, RecordType, StaticRecord, Zone
from edge.settings.network import Network, Pop, RoutedSite
from edge.settings.node import ListenAddress
from tools.exporting.classes import Choice, Range
from tools.exporting.gdnsd import files, quoted

FRA = Pop("fra", ipv4=(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"), IPv4Address("192.0.2.3")))
IAD = Pop("iad", ipv6=(IPv6Address("2001:db8::1"),))
SHIELDS = Pop("hidden")
ZONE = Zone(
    b"example.net",
    (b"ns.example.org",),
    serial=7,
    records=(StaticRecord(b"example.net", RecordType.MX, (MailExchange(0, b""),)),),
)
NETWORK = Network(
    pops=(FRA, IAD, SHIELDS),
    routes=(
        RoutedSite("shop", (b"www.example.net", b"www.example.org")),
        RoutedSite("a.b", (b"*.b.example.net",), alternate=b"sorry.org"),
    ),
    dns=DnsSettings(listen=(ListenAddress("127.0.0.1", 53), ListenAddress("::1", 53)), zones=(ZONE,)),
)
EVERYWHERE = (Choice(("iad", "fra")), Choice(("iad", "fra")))
RANGES = [
    Range(IPv4Address("0.0.0.0"), IPv4Address("9.255.255.255"), EVERYWHERE),
    Range(IPv4Address("10.0.0.0"), IPv4Address("10.255.255.255"), (Choice(("fra", "iad")), Choice((), True))),
]
MADE = files(NETWORK, RANGES, EVERYWHERE)


def test_networks_are_written_where_they_differ_from_the_default():
    assert MADE["geoip/shop.nets"] == "10.0.0.0/8 => [ fra, iad ]\n"
    assert MADE["geoip/a_b.nets"] == "10.0.0.0/8 => [ perigee-alternate ]\n"


@pytest.mark.parametrize(
    "line",
    [
        "options => { listen => [ 127.0.0.1:53, [::1]:53 ] }",
        "shop => { datacenters => [ iad, fra ], nets => shop.nets }",
        "a_b => { datacenters => [ iad, fra, perigee-alternate ], nets => a_b.nets }",
        "fra => { addrs_v4 => { a0 => 192.0.2.1, a1 => 192.0.2.2 } }",
        "iad => { addrs_v6 => { a0 => 2001:db8::1 } }",
        "perigee-alternate => sorry.org.",
    ],
)
def test_maps_and_addresses_are_configured(line: str):
    assert line in MADE["config"]
    assert "hidden" not in MADE["config"]


def test_the_zone_has_its_records_and_routed_hosts():
    assert MADE["zones/example.net"].splitlines()[2:] == [
        "@ 86400 SOA ns.example.org. hostmaster.example.net. ( 7 3600 600 1209600 60 )",
        "@ 86400 NS ns.example.org.",
        "@ 3600 MX 0 .",
        "www 30 DYNA geoip!shop",
        "*.b 30 DYNC geoip!a_b",
    ]


def test_a_text_cannot_end_its_quotes():
    assert quoted(b'a"b\\c\n\xff d') == '"a\\034b\\092c\\010\\255 d"'
