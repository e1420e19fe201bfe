"""The configuration of gdnsd 3: `config`, a zone file for each zone, and a file of networks for each routed site.

Placement is in the networks: gdnsd looks up an address and gets the POPs in our order; no GeoIP database is needed there.
Health is gdnsd's own business (`service_types`), here `up`. Rules: every text that comes from settings is checked by these to
hold nothing that ends a word; of a POP's addresses the first `answers` are written, since gdnsd gives out all that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edge.settings.dns import Certification, MailExchange, RecordType, RecordValue, Strings, Zone
from edge.settings.network import Network, Pop, RoutedSite
from tools.exporting.classes import Choice, Class, Range

ALTERNATE = "perigee-alternate"
"""The datacenter that stands for a site's alternate."""


def files(network: Network, ranges: Sequence[Range], default: Class) -> Mapping[str, str]:
    """Path to text, below gdnsd's configuration folder."""
    sites = network.routes
    made = {"config": _config(network, default)}
    for zone in network.dns.zones:
        made[f"zones/{zone.origin.decode('ascii')}"] = _zone(zone, sites)
    for index, site in enumerate(sites):
        lines = (
            f"{net} => {_datacenters(each.choices[index])}\n"
            for each in ranges
            if each.choices[index] != default[index]
            for net in each.networks()
        )
        made[f"geoip/{_resource(site)}.nets"] = "".join(lines)
    return made


def _resource(site: RoutedSite) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "_" for char in site.name)


def _datacenters(choice: Choice) -> str:
    return f"[ {', '.join((ALTERNATE,) if choice.alternate else choice.pops)} ]"


def _config(network: Network, default: Class) -> str:
    listen = ", ".join(_listen(address.host, address.port) for address in network.dns.listen)
    maps, resources = [], []
    for index, site in enumerate(network.routes):
        pops = [pop for pop in network.pops if pop.ipv4 or pop.ipv6]
        first = [*default[index].pops]
        names = [*first, *(pop.name for pop in pops if pop.name not in first)]
        if site.alternate is not None:
            names.append(ALTERNATE)
        name = _resource(site)
        maps.append(f"      {name} => {{ datacenters => [ {', '.join(names)} ], nets => {name}.nets }}\n")
        resources.append(_resource_of(site, pops))
    return (
        "# Written by `perigee geo export --format gdnsd`.\n"
        f"options => {{ listen => [ {listen} ] }}\n"
        "plugins => {\n  geoip => {\n"
        f"    maps => {{\n{''.join(maps)}    }}\n"
        f"    resources => {{\n{''.join(resources)}    }}\n"
        "  }\n}\n"
    )


def _listen(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _resource_of(site: RoutedSite, pops: Sequence[Pop]) -> str:
    lines = [f"        {pop.name} => {{ {_addresses(pop, site.answers)} }}\n" for pop in pops]
    if site.alternate is not None:
        lines.append(f"        {ALTERNATE} => {site.alternate.decode('ascii')}.\n")
    name = _resource(site)
    return (
        f"      {name} => {{ map => {name}, service_types => up, dcmap => {{\n{''.join(lines)}      }} }}\n"
    )


def _addresses(pop: Pop, answers: int) -> str:
    families = (("addrs_v4", pop.ipv4[:answers]), ("addrs_v6", pop.ipv6[:answers]))
    return ", ".join(
        f"{family} => {{ {', '.join(f'a{n} => {address}' for n, address in enumerate(addresses))} }}"
        for family, addresses in families
        if addresses
    )


def _zone(zone: Zone, sites: Sequence[RoutedSite]) -> str:
    origin = zone.origin.decode("ascii")
    soa = (
        f"@ {zone.ns_ttl:.0f} SOA {zone.ns[0].decode('ascii')}. {zone.mailbox.decode('ascii')}. "
        f"( {zone.serial} {zone.refresh:.0f} {zone.retry:.0f} {zone.expire:.0f} {zone.negative_ttl:.0f} )"
    )
    lines = [f"; Written by `perigee geo export --format gdnsd`. Zone {origin}", "$TTL 3600", soa]
    lines += [f"@ {zone.ns_ttl:.0f} NS {server.decode('ascii')}." for server in zone.ns]
    for record in zone.records:
        owner = _owner(record.name, zone)
        lines += [f"{owner} {record.ttl:.0f} {_rdata(record.type, value)}" for value in record.values]
    lines += _routed(zone, sites)
    return "\n".join(lines) + "\n"


def _routed(zone: Zone, sites: Sequence[RoutedSite]) -> Iterator[str]:
    for site in sites:
        kind = "DYNA" if site.alternate is None else "DYNC"  # only the latter can be a CNAME
        for host in site.hosts:
            if zone.holds(host):
                yield f"{_owner(host, zone)} {site.ttl:.0f} {kind} geoip!{_resource(site)}"


def _owner(name: bytes, zone: Zone) -> str:
    return "@" if name == zone.origin else name.removesuffix(b"." + zone.origin).decode("ascii")


def _rdata(kind: RecordType, value: RecordValue) -> str:
    match value:
        case bytes():
            said = f"{value.decode('ascii')}."
        case MailExchange():
            said = f"{value.preference} {value.exchange.decode('ascii')}."
        case Certification():
            said = f"{value.flags} {value.tag.decode('ascii')} {quoted(value.value)}"
        case Strings():
            said = " ".join(quoted(part) for part in value.parts)
        case _:
            said = str(value)
    return f"{kind.value} {said}"


def quoted(data: bytes) -> str:
    """A character string as a zone file has it (RFC 1035 s5.1)."""
    text = "".join(chr(c) if 0x20 <= c < 0x7F and c not in b'"\\' else f"\\{c:03d}" for c in data)
    return f'"{text}"'
