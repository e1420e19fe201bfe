"""From a network's settings to what the DNS server answers from. PURE.

Owns: `zones_of`. Rules: NS and SOA of a zone come from its settings, every other record from its `[[zone.record]]` tables and
its zone file, and routes from the sites whose hosts are in it; a host in no zone of ours is routed by HTTP only. Settings were
checked, so what cannot be made a zone even so is told with the name in question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from edge.geo.dns.names import ROOT, Name, is_within, name_of, text_of
from edge.geo.dns.rdata import Rdata, Rtype
from edge.geo.dns.zone import BadZone, Record, Route, Zone, make_zone
from edge.geo.dns.zone_file import records_in
from edge.settings.dns import Certification, MailExchange, RecordType, RecordValue, Strings
from edge.settings.dns import Zone as ZoneSettings
from edge.settings.network import Network

_ITS_OWN = frozenset((Rtype.SOA, Rtype.NS))
_RTYPES = MappingProxyType({kind: Rtype[kind.value] for kind in RecordType})


def zones_of(network: Network) -> Mapping[Name, Zone]:
    """By origin. Raises BadZone."""
    origins = {_name(zone.origin): zone for zone in network.dns.zones}
    routes: dict[Name, list[Route]] = {origin: [] for origin in origins}
    for site in network.routes:
        for host in site.hosts:
            name = _name(host)
            within = [origin for origin in origins if is_within(name, origin)]
            if within:
                routes[max(within, key=len)].append(Route(name, site.name, int(site.ttl), site.ecs))
    return MappingProxyType({origin: _made(origin, zone, routes[origin]) for origin, zone in origins.items()})


def _made(origin: Name, settings: ZoneSettings, routes: list[Route]) -> Zone:
    zone = make_zone(origin, _records(origin, settings), routes)
    for server in map(_name, settings.ns):
        node = zone.nodes.get(server)
        has_address = node is not None and (node.route or node.rrsets.keys() & {Rtype.A, Rtype.AAAA})
        if is_within(server, origin) and not has_address:
            wrong = f"{text_of(origin)}: {text_of(server)} is its name server and has no address in it"
            raise BadZone(f"{wrong}; write an A or AAAA record for it")
    return zone


def _records(origin: Name, zone: ZoneSettings) -> Iterator[Record]:
    ttl = int(zone.ns_ttl)
    serial = zone.serial
    assert serial is not None, f"{zone.origin.decode()}: reading the file gives the serial"
    numbers = (serial, int(zone.refresh), int(zone.retry), int(zone.expire), int(zone.negative_ttl))
    names = (_name(zone.ns[0]), _name(zone.mailbox))
    tail = b"".join(number.to_bytes(4, "big") for number in numbers)
    yield Record(origin, Rtype.SOA, ttl, Rdata(b"", names, tail))
    for server in zone.ns:
        yield Record(origin, Rtype.NS, ttl, Rdata(b"", (_name(server),)))
    for static in zone.records:
        for value in static.values:
            yield Record(_name(static.name), _RTYPES[static.type], int(static.ttl), _rdata(value))
    if zone.file is not None:
        for record in records_in(zone.text, origin, file=str(zone.file)):
            if record.name != origin or record.rtype not in _ITS_OWN:
                yield record


def _rdata(value: RecordValue) -> Rdata:
    match value:
        case IPv4Address() | IPv6Address():
            return Rdata(value.packed)
        case bytes():
            return Rdata(b"", (_name(value),))
        case MailExchange():
            return Rdata(value.preference.to_bytes(2, "big"), (_name(value.exchange),))
        case Certification():
            return Rdata(bytes((value.flags, len(value.tag))) + value.tag + value.value)
        case Strings():
            return Rdata(b"".join(bytes((len(part),)) + part for part in value.parts))


def _name(absolute: bytes) -> Name:
    """Of the settings' form, without the last dot; b"" is the root (RFC 7505)."""
    return name_of(absolute.decode("ascii") + ".") if absolute else ROOT
