"""The configuration of PowerDNS 4 with its GeoIP backend: `pdns.conf`, `zones.yaml`, and a database of our own.

The backend asks a MaxMind DB where a client is and puts the answer into names. Ours says in place of a city what the client
gets: `c0`, `c1`, ... one word for each combination of choices that there is, so that placement is in the database and PowerDNS
only reads it. Rules: of each word and site there is one hidden name, below `LABEL` in the zone, with the POP's addresses; a
routed host expands to it. Of a POP's addresses the first `answers` are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from edge.settings.dns import (
    Certification,
    MailExchange,
    RecordValue,
    StaticRecord,
    Strings,
    Zone,
)
from edge.settings.network import Network, RoutedSite
from tools.exporting.classes import Class, Range
from tools.exporting.gdnsd import quoted
from tools.mmdb import mmdb_bytes

LABEL = "perigee-map"


def files(network: Network, ranges: Sequence[Range], default: Class) -> Mapping[str, bytes | str]:
    """Path to content, below a folder of their own."""
    words: dict[Class, str] = {default: "unknown"}
    networks: dict[str, Mapping[str, object]] = {}
    for each in ranges:
        word = words.setdefault(each.choices, f"c{len(words)}")
        if each.choices != default:
            record = {"city": {"names": {"en": word}}}
            networks.update({str(net): record for net in each.networks()})
    networks = networks or {"192.0.2.0/32": {"city": {"names": {"en": "unknown"}}}}  # the backend wants one
    database = mmdb_bytes(networks, database_type="GeoLite2-City", record_size=32)
    domains = [_domain(zone, network, words) for zone in network.dns.zones]
    return {
        "pdns.conf": _config(network),
        "zones.yaml": json.dumps({"domains": domains}, indent=1) + "\n",  # JSON is YAML
        "perigee.mmdb": database,
    }


def _config(network: Network) -> str:
    listen = network.dns.listen[0]
    addresses = ", ".join(each.host for each in network.dns.listen if each.port == listen.port)
    return (
        "# Written by `perigee geo export --format powerdns`; start it in this folder: pdns_server --config-dir=.\n"
        "launch=geoip\n"
        "geoip-zones-file=zones.yaml\n"
        "geoip-database-files=mmdb:perigee.mmdb\n"
        "edns-subnet-processing=yes\n"
        f"local-address={addresses}\n"
        f"local-port={listen.port}\n"
    )


def _domain(zone: Zone, network: Network, words: Mapping[Class, str]) -> dict[str, object]:
    origin = zone.origin.decode("ascii")
    records: dict[str, list[object]] = {}
    soa = (
        f"{zone.ns[0].decode('ascii')} {zone.mailbox.decode('ascii')} {zone.serial} {zone.refresh:.0f} "
        f"{zone.retry:.0f} {zone.expire:.0f} {zone.negative_ttl:.0f}"
    )
    records[origin] = [_record("soa", soa, zone.ns_ttl)]
    records[origin] += [_record("ns", server.decode("ascii"), zone.ns_ttl) for server in zone.ns]
    for static in zone.records:
        records.setdefault(static.name.decode("ascii"), []).extend(_static(static))
    services: dict[str, list[str]] = {}
    for index, site in enumerate(network.routes):
        hosts = [host for host in site.hosts if zone.holds(host)]
        for host in hosts:
            services[host.decode("ascii")] = [f"%ci.s{index}.{LABEL}.{origin}"]
        if hosts:
            for choices, word in words.items():
                name = f"{word}.s{index}.{LABEL}.{origin}"
                records[name] = list(_answers(network, site, choices, index))
    return {"domain": origin, "ttl": int(zone.ns_ttl), "records": records, "services": services}


def _record(kind: str, content: str, ttl: float) -> object:
    return {kind: {"content": content, "ttl": int(ttl)}}


def _answers(network: Network, site: RoutedSite, choices: Class, index: int) -> Iterator[object]:
    choice = choices[index]
    if choice.alternate and site.alternate is not None:
        yield _record("cname", site.alternate.decode("ascii"), site.ttl)
        return
    pop = network.pop(choice.pops[0]) if choice.pops else None
    if pop is None:
        return
    for kind, addresses in (("a", pop.ipv4), ("aaaa", pop.ipv6)):
        yield from (_record(kind, str(address), site.ttl) for address in addresses[: site.answers])


def _static(record: StaticRecord) -> Iterator[object]:
    for value in record.values:
        yield _record(record.type.value.lower(), _content(value), record.ttl)


def _content(value: RecordValue) -> str:
    match value:
        case bytes():
            return value.decode("ascii")
        case MailExchange():
            return f"{value.preference} {value.exchange.decode('ascii') or '.'}"
        case Certification():
            return f"{value.flags} {value.tag.decode('ascii')} {quoted(value.value)}"
        case Strings():
            return " ".join(quoted(part) for part in value.parts)
        case _:
            return str(value)
