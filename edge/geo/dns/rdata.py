"""Types, classes and the data of resource records. PURE.

Owns: `Rtype`, `Rdata`, `RRset`. Rules: data is kept as it goes out; where its type is one of RFC 1035's, the names in it
are kept apart, so that a message can compress them (RFC 3597 s4 forbids it for all newer types, whose data is opaque here).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from edge.geo.dns.names import Name, read_name

IN = 1
ANY_CLASS = 255

MAX_TTL = 2**31 - 1
"""RFC 2181 s8."""


class Rtype(IntEnum):
    """The types that mean something to us; every other is a number."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    HINFO = 13
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    DS = 43
    SVCB = 64
    HTTPS = 65
    TKEY = 249
    TSIG = 250
    IXFR = 251
    AXFR = 252
    ANY = 255
    CAA = 257


def type_word(rtype: int) -> str:
    """A, AAAA, ...; TYPE1234 for what has no name here (RFC 3597 s5)."""
    try:
        return Rtype(rtype).name
    except ValueError:
        return f"TYPE{rtype}"


_NAMES_IN: Mapping[int, tuple[int, int]] = MappingProxyType(
    {Rtype.NS: (0, 1), Rtype.CNAME: (0, 1), Rtype.PTR: (0, 1), Rtype.MX: (2, 1), Rtype.SOA: (0, 2)}
)
"""Type to where its names begin and how many there are."""


@dataclass(frozen=True, slots=True)
class Rdata:
    """head: octets before the names, names: that may be compressed, tail: octets after them."""

    head: bytes
    names: tuple[Name, ...] = ()
    tail: bytes = b""

    def wire(self) -> bytes:
        """Without compression."""
        return b"".join((self.head, *self.names, self.tail))


def rdata_of(rtype: int, wire: bytes) -> Rdata:
    """From uncompressed data, whose form whoever made it has checked. Names in it become lower case."""
    where = _NAMES_IN.get(rtype)
    if where is None:
        return Rdata(wire)
    at, count = where
    head, names = wire[:at], []
    for _ in range(count):
        name, at = read_name(wire, at)
        names.append(Name(name.lower()))
    return Rdata(head, tuple(names), wire[at:])


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one name and type; they share their TTL, in seconds (RFC 2181 s5)."""

    name: Name
    rtype: int
    ttl: int
    rdatas: tuple[Rdata, ...]
