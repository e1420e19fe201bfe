"""What the DNS server is told.

Owns: `DnsSettings` and its parts: zones with their static records, frozen and complete. Names are absolute, in lower case,
without the last dot, as bytes; durations are seconds. The defaults here are the defaults: edge.settings.dns_schema reads
them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from edge.semantics.rules import DAY, HOUR, MINUTE
from edge.settings.node import ListenAddress
from edge.settings.node import Network as AddressRange

_LISTEN = ListenAddress("127.0.0.1", 5300)
_ADMIN = ListenAddress("127.0.0.1", 8082)


class RecordType(Enum):
    """Types of static records; the value is the word in zone files."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    NS = "NS"
    MX = "MX"
    TXT = "TXT"
    CAA = "CAA"


@dataclass(frozen=True, slots=True)
class MailExchange:
    """RFC 1035 s3.3.9."""

    preference: int
    exchange: bytes


@dataclass(frozen=True, slots=True)
class Certification:
    """CAA, RFC 8659 s4."""

    flags: int
    tag: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Strings:
    """TXT: one or more strings of up to 255 bytes (RFC 1035 s3.3.14)."""

    parts: tuple[bytes, ...]


RecordValue = IPv4Address | IPv6Address | bytes | MailExchange | Certification | Strings
"""By type: A, AAAA, a name (CNAME and NS), MX, CAA, TXT."""


@dataclass(frozen=True, slots=True)
class StaticRecord:
    """The records of one name and type. name: absolute; `*.name` is a wildcard (RFC 4592)."""

    name: bytes = b""
    type: RecordType = RecordType.A
    values: tuple[RecordValue, ...] = ()
    ttl: float = HOUR


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that we are authoritative for."""

    origin: bytes = b""
    ns: tuple[bytes, ...] = ()
    """Its name servers, the primary first."""
    ns_ttl: float = DAY
    hostmaster: bytes | None = None
    """The mailbox of SOA as a name. None = `hostmaster.` before the origin."""
    serial: int | None = None
    """None = the second in which the network file was last changed; edge.settings.network_file fills it in."""
    refresh: float = HOUR
    retry: float = 10 * MINUTE
    expire: float = 14 * DAY
    negative_ttl: float = MINUTE
    """How long resolvers keep that there is no such name or no record of a type (RFC 2308 s5)."""
    records: tuple[StaticRecord, ...] = ()
    file: Path | None = None
    """A zone file with more records. None = there is none."""
    text: str = ""
    """What stands in it; who serves the zone fills it in."""

    @property
    def mailbox(self) -> bytes:
        """RNAME of its SOA record."""
        return b"hostmaster." + self.origin if self.hostmaster is None else self.hostmaster

    def holds(self, name: bytes) -> bool:
        """Whether `name` is the zone's or below it."""
        return name == self.origin or name.endswith(b"." + self.origin)


@dataclass(frozen=True, slots=True)
class EcsSettings:
    """EDNS Client Subnet (RFC 7871)."""

    enabled: bool = True
    max_v4: int = 24
    max_v6: int = 56
    """Bits of a client's address that are looked at, and the longest scope that is answered (s11.1)."""


@dataclass(frozen=True, slots=True)
class RateSettings:
    """Response-rate limiting, per client network; UDP only, and not for who shows a valid cookie."""

    responses: int | None = 200
    """Same answers a second to one network. None = no limit."""
    errors: int | None = 20
    """NXDOMAIN, REFUSED and the like a second to one network. None = no limit."""
    window: float = 5.0
    """Seconds of answers that may be saved up."""
    slip: int = 2
    """Every n-th answer over the limit is sent truncated, so that who is real comes back by TCP; 0 = none is."""
    prefix_v4: int = 24
    prefix_v6: int = 56
    networks: int = 100_000
    """Networks that are counted at a time, per worker."""
    exempt: tuple[AddressRange, ...] = ()


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """Connections, per worker."""

    connections: int = 1_000
    per_client: int = 20
    idle: float = 10.0
    queries: int = 1_000
    """In one connection, then it is closed."""
    query_deadline: float = 5.0
    """For one query, from its first byte to its last."""


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """The DNS server, `perigee dns`."""

    listen: tuple[ListenAddress, ...] = (_LISTEN,)
    """UDP and TCP."""
    admin: ListenAddress | None = _ADMIN
    name: str | None = None
    """Under which it tells other DNS servers what it sees. None = the machine's."""
    workers: int | None = 1
    """None = as many as the machine has cores."""
    udp_size: int = 1232
    """The longest answer by UDP."""
    batch: int = 64
    """Packets that are answered before anything else is looked at."""
    cookie_secrets: tuple[bytes, ...] = ()
    """16 bytes each; the first makes cookies, all are accepted. () = one that is made at the start."""
    log: Path | None = None
    """Where a line for each routed answer goes."""
    max_answers: int = 200_000
    """Prebuilt answers that are kept, per worker."""
    ecs: EcsSettings = EcsSettings()
    rate: RateSettings = RateSettings()
    tcp: TcpSettings = TcpSettings()
    zones: tuple[Zone, ...] = ()
