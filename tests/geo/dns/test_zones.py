"""From settings to zones."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import dns.rdata
import pytest

from edge.geo.dns.names import name_of
from edge.geo.dns.rdata import Rtype
from edge.geo.dns.zone import BadZone
from edge.geo.dns.zones import zones_of
from edge.settings.dns import (
    Certification,
    DnsSettings,
    MailExchange,
    RecordType,
    StaticRecord,
    Strings,
    Zone,
)
from edge.settings.network import Network, RoutedSite

RECORDS = (
    StaticRecord(
        b"cdn.example", RecordType.MX, (MailExchange(10, b"mail.example"), MailExchange(20, b"mail2.example"))
    ),
    StaticRecord(b"cdn.example", RecordType.TXT, (Strings((b"v=spf1 -all", b"more")),), 60.0),
    StaticRecord(b"cdn.example", RecordType.CAA, (Certification(0, b"issue", b"ca.example"),)),
    StaticRecord(b"ns1.cdn.example", RecordType.A, (IPv4Address("192.0.2.1"),)),
    StaticRecord(b"ns1.cdn.example", RecordType.AAAA, (IPv6Address("2001:db8::1"),)),
    StaticRecord(b"*.old.cdn.example", RecordType.CNAME, (b"www.cdn.example",)),
    StaticRecord(b"sub.cdn.example", RecordType.NS, (b"ns.other.example",)),
    StaticRecord(b"nomail.cdn.example", RecordType.MX, (MailExchange(0, b""),)),
)
ZONE = Zone(b"cdn.example", (b"ns1.cdn.example", b"ns2.example.net"), serial=7, records=RECORDS)
SITES = (
    RoutedSite("shop", (b"www.cdn.example", b"*.img.cdn.example", b"shop.example.org"), ttl=20.0),
    RoutedSite("inner", (b"www.inner.cdn.example",), ecs=False),
)
INNER = Zone(
    b"inner.cdn.example", (b"ns1.cdn.example",), hostmaster=b"ops.example", serial=1, negative_ttl=5.0
)


def network(*zones: Zone, sites: tuple[RoutedSite, ...] = SITES) -> Network:
    return Network(routes=sites, dns=DnsSettings(zones=zones))


TEXTS = [
    ("@", "SOA", ["ns1.cdn.example. hostmaster.cdn.example. 7 3600 600 1209600 60"], 86400),
    ("@", "NS", ["ns1.cdn.example.", "ns2.example.net."], 86400),
    ("@", "MX", ["10 mail.example.", "20 mail2.example."], 3600),
    ("@", "TXT", ['"v=spf1 -all" "more"'], 60),
    ("@", "CAA", ['0 issue "ca.example"'], 3600),
    ("ns1", "A", ["192.0.2.1"], 3600),
    ("ns1", "AAAA", ["2001:db8::1"], 3600),
    ("*.old", "CNAME", ["www.cdn.example."], 3600),
    ("nomail", "MX", ["0 ."], 3600),
]


@pytest.mark.parametrize(("name", "kind", "texts", "ttl"), TEXTS)
def test_records_are_what_the_settings_say(name: str, kind: str, texts: list[str], ttl: int):
    zone = zones_of(network(ZONE))[name_of("cdn.example.")]
    rrset = zone.nodes[name_of(name, zone.origin)].rrsets[Rtype[kind]]
    wires = [rdata.wire() for rdata in rrset.rdatas]
    read = [dns.rdata.from_wire("IN", kind, wire, 0, len(wire)).to_text() for wire in wires]
    assert (read, rrset.ttl) == (texts, ttl)


def test_a_site_is_routed_in_the_longest_zone_its_host_is_in():
    zones = zones_of(network(ZONE, INNER))
    outer, inner = zones[name_of("cdn.example.")], zones[name_of("inner.cdn.example.")]
    routes = {
        node.route.name: node.route for zone in (outer, inner) for node in zone.nodes.values() if node.route
    }
    assert {name: (route.site, route.ttl, route.ecs) for name, route in routes.items()} == {
        name_of("www.cdn.example."): ("shop", 20, True),
        name_of("*.img.cdn.example."): ("shop", 20, True),
        name_of("www.inner.cdn.example."): ("inner", 30, False),
    }
    assert name_of("www.inner.cdn.example.") not in outer.nodes


def test_the_soa_record_of_negative_answers_has_the_negative_ttl():
    assert zones_of(network(INNER))[name_of("inner.cdn.example.")].negative.ttl == 5


def test_what_cannot_be_a_zone_is_told():
    clash = StaticRecord(b"www.cdn.example", RecordType.A, (IPv4Address("192.0.2.9"),))
    with pytest.raises(BadZone, match=r"www\.cdn\.example\. has addresses and is routed"):
        zones_of(network(replace(ZONE, records=(*RECORDS, clash))))


def test_a_zone_file_adds_records_and_leaves_the_zones_own_to_the_settings():
    text = "@ 60 SOA other.example. x.example. 9 9 9 9 9\n@ 60 NS old.example.\n_sip._tcp 60 SRV 1 2 5060 sip\nwild 60 NS a.b.\n"
    zone = zones_of(network(replace(ZONE, file=Path("old.zone"), text=text)))[name_of("cdn.example.")]
    apex = zone.nodes[zone.origin].rrsets
    assert int.from_bytes(apex[Rtype.SOA].rdatas[0].tail[:4], "big") == 7
    assert name_of("old.example.") not in {rdata.names[0] for rdata in apex[Rtype.NS].rdatas}
    assert Rtype.SRV in zone.nodes[name_of("_sip._tcp.cdn.example.")].rrsets
    assert zone.cuts == {name_of("sub.cdn.example."), name_of("wild.cdn.example.")}


def test_what_is_wrong_in_a_zone_file_is_told_with_its_name():
    with pytest.raises(BadZone, match=r"old\.zone"):
        zones_of(network(replace(ZONE, file=Path("old.zone"), text="www 60 A nonsense\n")))
