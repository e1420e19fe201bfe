"""The settings of the DNS server: how it listens, its bounds, its zones and their static records.

Rules: edge.settings.schema; the defaults stand in edge.settings.dns.
"""

from __future__ import annotations

from edge.semantics.rules import DAY, HOUR, MINUTE
from edge.settings.address_kinds import FileName, Listen, NetworkRange
from edge.settings.composed import ListOf, Or
from edge.settings.dns import RecordType, StaticRecord, Zone
from edge.settings.dns_kinds import MAX_TEXT, CookieSecret, DnsName, RecordName
from edge.settings.kinds import Choice, Count, Duration, Flag, Name, Text
from edge.settings.schema import Order, Schema, Setting

WEEK = 7 * DAY

_SERVER = (
    Setting(
        "dns.listen",
        ListOf(Listen(), 16, 1, one=True),
        "dns.listen",
        "Where queries come in, by UDP and by TCP. The default serves this machine only.",
        restart=True,
    ),
    Setting(
        "dns.admin",
        Or("off", None, Listen()),
        "dns.admin",
        "Where its metrics and health are. It has no password: keep it off public addresses.",
        restart=True,
    ),
    Setting(
        "dns.name",
        Or("auto", None, Name(64)),
        "dns.name",
        "Under which it tells other DNS servers what its checks saw, so that they agree; different for each of them. "
        '"auto" is the name of the machine.',
        restart=True,
    ),
    Setting(
        "dns.workers",
        Or("auto", None, Count(1, 256)),
        "dns.workers",
        'Processes that answer. "auto" is one per core.',
        restart=True,
    ),
    Setting(
        "dns.udp_size",
        Count(512, 4_096),
        "dns.udp_size",
        "Bytes of the longest answer by UDP; what is longer comes by TCP. 1232 is what never has to be fragmented.",
    ),
    Setting(
        "dns.batch",
        Count(1, 1_024),
        "dns.batch",
        "Packets that are answered before timers and TCP get a turn. 64 take under a millisecond.",
    ),
    Setting(
        "dns.cookie_secrets",
        ListOf(CookieSecret(), 2),
        "dns.cookie_secrets",
        "For DNS cookies (RFC 7873, RFC 9018): the first makes them, both are accepted, so that a secret can be replaced. All "
        "servers behind one address need the same. Empty: one is made at each start.",
        secret=True,
    ),
    Setting(
        "dns.log",
        Or("off", None, FileName()),
        "dns.log",
        "Where a line for each routed answer goes, with the reason of each step.",
    ),
    Setting(
        "dns.max_answers",
        Count(1_000, 10_000_000),
        "dns.max_answers",
        "Answers that are kept ready, per worker; half a KB each. More than names times places are never needed.",
    ),
)

_ECS = (
    Setting(
        "dns.ecs.enabled",
        Flag(),
        "dns.ecs.enabled",
        "Whether the client's network in a query is looked at at all.",
    ),
    Setting(
        "dns.ecs.max_v4",
        Count(8, 32),
        "dns.ecs.max_v4",
        "Bits of an IPv4 address that are looked at, and the longest scope that is answered. RFC 7871 s11.1 says 24.",
    ),
    Setting(
        "dns.ecs.max_v6",
        Count(16, 128),
        "dns.ecs.max_v6",
        "The same for IPv6; 56.",
    ),
)

_RATE = (
    Setting(
        "dns.rate.responses",
        Or("off", None, Count(1, 1_000_000)),
        "dns.rate.responses",
        "Answers a second to the clients of one network together, whatever they ask for, by UDP and without a valid cookie. "
        "Beyond it, they are dropped or sent to TCP. A large resolver asks for a name once per TTL and scope.",
    ),
    Setting(
        "dns.rate.errors",
        Or("off", None, Count(1, 1_000_000)),
        "dns.rate.errors",
        "The same for NXDOMAIN, REFUSED and other errors, of which no network needs many; they are counted apart.",
    ),
    Setting(
        "dns.rate.window",
        Duration(1, HOUR),
        "dns.rate.window",
        "How long a network may save up what it did not ask for.",
    ),
    Setting(
        "dns.rate.slip",
        Count(0, 10),
        "dns.rate.slip",
        "Every n-th answer over the limit is sent truncated, which brings who is real back by TCP. 0: none is; 1: all are.",
    ),
    Setting(
        "dns.rate.prefix_v4", Count(8, 32), "dns.rate.prefix_v4", "Bits that make one network, for IPv4."
    ),
    Setting(
        "dns.rate.prefix_v6", Count(16, 128), "dns.rate.prefix_v6", "Bits that make one network, for IPv6."
    ),
    Setting(
        "dns.rate.networks",
        Count(1_000, 10_000_000),
        "dns.rate.networks",
        "Networks that are counted at a time, per worker. Those with nothing to their account are forgotten for new ones; "
        "where there are none such, new ones are not limited.",
    ),
    Setting(
        "dns.rate.exempt",
        ListOf(NetworkRange(), 1_000),
        "dns.rate.exempt",
        "Who is never limited: monitors, your own resolvers.",
    ),
)

_TCP = (
    Setting("dns.tcp.connections", Count(1, 100_000), "dns.tcp.connections", "Open at a time, per worker."),
    Setting(
        "dns.tcp.per_client",
        Count(1, 100_000),
        "dns.tcp.per_client",
        "Of one address, open at a time, per worker.",
    ),
    Setting(
        "dns.tcp.idle",
        Duration(0.1, HOUR),
        "dns.tcp.idle",
        "A connection without a query is closed after this.",
    ),
    Setting(
        "dns.tcp.queries", Count(1, 1_000_000), "dns.tcp.queries", "In one connection; then it is closed."
    ),
    Setting(
        "dns.tcp.query_deadline",
        Duration(0.1, MINUTE),
        "dns.tcp.query_deadline",
        "For one query, from its first byte to its last. This is what ends clients that send one byte at a time.",
    ),
)

DNS_SETTINGS = (*_SERVER, *_ECS, *_RATE, *_TCP)
DNS_TABLES = {
    "dns": "The DNS server, `perigee dns`.",
    "dns.ecs": "EDNS Client Subnet (RFC 7871).",
    "dns.rate": "Response-rate limiting: what keeps the server from being a weapon.",
    "dns.tcp": "Connections.",
}
DNS_ORDERS = (Order("dns.tcp.per_client", "dns.tcp.connections"),)

ZONE: Schema[Zone] = Schema(
    Zone(),
    (
        Setting("origin", DnsName(), "origin", "The zone's name."),
        Setting(
            "ns",
            ListOf(DnsName(), 13, 1),
            "ns",
            "Its name servers, the primary first: what the parent zone delegates to. Those within the zone need an A or AAAA "
            "record in it.",
        ),
        Setting("ns_ttl", Duration(1, 30 * DAY), "ns_ttl", "TTL of its NS and SOA records."),
        Setting(
            "hostmaster",
            Or("default", None, DnsName()),
            "hostmaster",
            'The mailbox of its SOA record, with a dot for the @. "default": hostmaster within the zone.',
        ),
        Setting(
            "serial",
            Or("auto", None, Count(0, 2**32 - 1)),
            "serial",
            'Of its SOA record. "auto": when the network file was changed, in seconds.',
        ),
        Setting(
            "refresh",
            Duration(1, 52 * WEEK),
            "refresh",
            "Of its SOA record; for secondaries, of which we have none.",
        ),
        Setting("retry", Duration(1, 52 * WEEK), "retry", "Of its SOA record."),
        Setting("expire", Duration(1, 52 * WEEK), "expire", "Of its SOA record."),
        Setting(
            "negative_ttl",
            Duration(0, DAY),
            "negative_ttl",
            "How long resolvers keep that a name is not there (RFC 2308). It is also how long a new name takes to be seen.",
        ),
        Setting(
            "file",
            Or("none", None, FileName()),
            "file",
            "A zone file (RFC 1035) with more records, of any type. Its SOA record and the NS records of the zone itself are "
            "left out: those here count. It is read with this file, at the start and on SIGHUP.",
        ),
    ),
    tables={"": "A zone that the server is authoritative for; `[[zone.record]]` are its static records."},
    required={"origin": '"cdn.example.net"', "ns": '["ns1.example.net", "ns2.example.net"]'},
)

RECORD: Schema[StaticRecord] = Schema(
    StaticRecord(),
    (
        Setting(
            "name",
            RecordName(),
            "",
            'Within the zone: "@" is the zone itself. Unlike in a zone file there is no last dot to forget: names of records '
            "are always relative, names in values never.",
        ),
        Setting(
            "type", Choice(tuple(RecordType)), "type", "NS and SOA of the zone itself come from the zone."
        ),
        Setting(
            "values",
            ListOf(Text("a record's value", MAX_TEXT), 100, 1, one=True),
            "",
            'As in a zone file, as in "10 mail.example.org" for MX; a TXT value has no quotes of its own.',
        ),
        Setting("ttl", Duration(0, 30 * DAY), "ttl", "How long resolvers keep it."),
    ),
    tables={"": "Static records: all of one name and type."},
    required={"name": '"@"', "type": '"MX"', "values": '["10 mail.example.org"]'},
)
