"""A zone, a small world of places, and a responder or a whole DNS server before them.

`World` is a geography of a few ranges: real look-ups by longest prefix, each range a bucket, each bucket a POP of its own.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import dns.message

from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.names import name_of
from edge.geo.dns.responder import Responder
from edge.geo.dns.routing_log import Recorded
from edge.geo.dns.tcp import TcpServer
from edge.geo.dns.udp import UdpServer
from edge.geo.dns.view import Located, Placed, View
from edge.geo.dns.zone import Route, Zone, make_zone
from edge.geo.dns.zone_file import records_in
from edge.settings.dns import DnsSettings, EcsSettings, RateSettings
from tests.kit.clock import ManualClock

ORIGIN = "cdn.example."
SECRET = b"0123456789abcdef"
LOCAL = ip_address("127.0.0.1").packed
FREE = RateSettings(responses=None, errors=None)

TEXT = """
@ 3600 SOA ns1 hostmaster 2026112401 7200 900 1209600 60
@ 86400 NS ns1
@ 86400 NS ns2.other.example.
@ 300 A 192.0.2.80
@ 300 MX 10 mail
@ 300 TXT "v=spf1 -all" "two"
@ 300 CAA 0 issue "ca.example"
ns1 3600 A 192.0.2.1
ns1 3600 AAAA 2001:db8::1
mail 300 A 192.0.2.25
many 300 A 192.0.2.101
many 300 A 192.0.2.102
many 300 A 192.0.2.103
alias 300 CNAME many
far 300 CNAME www.example.org.
to-route 300 CNAME www
dangling 300 CNAME nothing
loop1 300 CNAME loop2
loop2 300 CNAME loop1
a.b.deep 300 A 192.0.2.7
*.wild 300 A 192.0.2.42
*.wild 300 TXT "any name"
*.wild-alias 300 CNAME many
host.wild 300 A 192.0.2.43
sub 3600 NS ns.sub
sub 3600 NS ns.other.example.
ns.sub 3600 A 192.0.2.53
odd 300 TYPE65280 \\# 4 0a000001
routed-text 60 TXT "beside a route"
"""
ROUTES = (
    Route(name_of("www", name_of(ORIGIN)), "www", 30),
    Route(name_of("plain", name_of(ORIGIN)), "plain", 30, ecs=False),
    Route(name_of("*.pages", name_of(ORIGIN)), "pages", 30),
    Route(name_of("same", name_of(ORIGIN)), "same", 30),
    Route(name_of("denied", name_of(ORIGIN)), "denied", 30),
    Route(name_of("routed-text", name_of(ORIGIN)), "www", 30),
)
RANGES = {
    "192.0.2.0/24": 1,
    "10.0.0.0/8": 2,
    "10.20.0.0/16": 3,
    "10.20.30.128/25": 4,
    "2001:db8::/32": 5,
    "2001:db8:1:ff00::/64": 6,
    "127.0.0.0/8": 7,
}


def zone_of(text: str = TEXT, origin: str = ORIGIN, routes: tuple[Route, ...] = ROUTES) -> Zone:
    apex = name_of(origin)
    return make_zone(apex, records_in(text, apex, file="test.zone"), routes)


class World:
    """ranges: to buckets; what is in none is bucket 0. located: every address that was looked up."""

    def __init__(self, ranges: Mapping[str, int] = RANGES) -> None:
        self._ranges = {ip_network(range_): bucket for range_, bucket in ranges.items()}
        self.located: list[str] = []
        self.placed: list[tuple[str, int]] = []

    def locate(self, address: bytes) -> Located:
        own = ip_address(address)
        self.located.append(str(own))
        bits = 8 * len(address)
        value, prefix, bucket, best = int(own), 0, 0, -1
        for network, of in self._ranges.items():
            if network.version != own.version:
                continue
            differs = (value ^ int(network.network_address)) >> (bits - network.prefixlen)
            if differs == 0:
                if network.prefixlen > best:
                    bucket, best = of, network.prefixlen
                prefix = max(prefix, network.prefixlen)
            else:  # as many bits as tell the address from that range
                prefix = max(prefix, network.prefixlen - differs.bit_length() + 1)
        return Located(bucket, prefix)

    def place(self, site: str, bucket: int) -> Placed:
        self.placed.append((site, bucket))
        if site == "denied" and bucket == 1:
            return Placed(
                "",
                (),
                (),
                geography_mattered=True,
                reasons=("denied",),
                alias=name_of("many", name_of(ORIGIN)),
            )
        at = 0 if site == "same" else bucket
        v4 = tuple(bytes((198, 51, 100, 10 * at + each)) for each in (1, 2))
        v6 = (ip_address(f"2001:db8:ffff::{at}").packed,) if at else ()
        return Placed(f"pop{at}", v4, v6, geography_mattered=site != "same", reasons=("nearest",))


def view_of(world: World | None = None, *zones: Zone, ecs: EcsSettings = EcsSettings()) -> View:
    held = zones or (zone_of(),)
    return View({zone.origin: zone for zone in held}, world or World(), ecs)


@dataclass
class Answering:
    """A responder and what it is made of."""

    settings: DnsSettings = field(default_factory=lambda: DnsSettings(rate=FREE))
    view: View = field(default_factory=view_of)
    clock: ManualClock = field(default_factory=ManualClock)
    measures: DnsMeasures = field(default_factory=DnsMeasures)
    exempt: frozenset[bytes] = frozenset()
    recorded: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.responder = Responder(
            self.settings,
            self.view,
            secrets=self.settings.cookie_secrets or (SECRET,),
            clock=self.clock,
            measures=self.measures,
            is_exempt=self.exempt.__contains__,
            record=self.recorded.append,
        )

    def ask(self, query: dns.message.Message, source: bytes = LOCAL) -> dns.message.Message:
        """The answer as dnspython reads it."""
        made = self.responder.by_udp(query.to_wire(), source)
        assert made is not None, "no answer"
        return dns.message.from_wire(made)

    def counted(self, metric: str) -> dict[str, float]:
        cells = self.measures.registry.snapshot()[metric]["cells"]
        return {",".join(cell["values"]): cell["value"] for cell in cells if cell["value"]}


@dataclass
class Serving(Answering):
    """The same on real sockets of 127.0.0.1."""

    port: int = 0
    tcp: TcpServer | None = None

    async def reader(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    @property
    def connections(self) -> int:
        assert self.tcp is not None
        return self.tcp.connections


@asynccontextmanager
async def serving(
    settings: DnsSettings = DnsSettings(rate=FREE), view: View | None = None
) -> AsyncIterator[Serving]:
    """UDP and TCP on one port."""
    made = Serving(settings, view or view_of())
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stream = socket.socket()
    while True:
        datagrams.bind(("127.0.0.1", 0))
        made.port = datagrams.getsockname()[1]
        try:
            stream.bind(("127.0.0.1", made.port))
            break
        except OSError:
            datagrams.close()
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp = UdpServer(datagrams, made.responder, batch=settings.batch, measures=made.measures)
    made.tcp = TcpServer(stream, made.responder, settings.tcp, clock=made.clock, measures=made.measures)
    udp.start()
    await made.tcp.start()
    try:
        yield made
    finally:
        udp.close()
        await made.tcp.aclose()
        await asyncio.sleep(0)
