"""An answer made ready to be put behind any question of its kind. PURE.

Owns: `Ready` and how it is made of a `Reply`: for one name (`ready_for`), for every name that a wildcard stands for
(`ready_below`), and for every name that a zone does not have (`ready_negative`). Rules: what is kept is what
edge.geo.dns.render would write; only what differs between questions (the id, flags that are copied, where the zone's name
stands in the question) is put in when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Generic, TypeVar

from edge.geo.dns.names import Name, ancestors
from edge.geo.dns.rdata import IN, Rtype
from edge.geo.dns.render import MAX_TURNS, Reply, header, rotated, sections_of
from edge.geo.dns.wire import AA, CD, RD
from edge.geo.dns.zone import Zone

_AD = 0x20
_COMBINED = tuple(product((0, RD), (0, CD), (0, _AD), (0, 1)))

SHAPES = {
    bytes((rd, cd | ad, 0, 1, 0, 0, 0, 0, 0, edns)): index
    for index, (rd, cd, ad, edns) in enumerate(_COMBINED)
}
"""The third to twelfth octets of a query's header that is answered from here, to which head goes with it: odd ones are
with EDNS. A query's AD bit (RFC 6840 s5.7) asks for one in the answer, which only a validating resolver can set."""

Counted = TypeVar("Counted")


@dataclass(frozen=True, slots=True)
class Ready(Generic[Counted]):
    """One answer. heads: by shape, the header without the id. bodies: what follows the question, by turn.

    pieces: instead of a body; between them stand pointers to the zone's name in the question, which has so many octets.
    counted: of the owner's, for its counters. reply: what it was made of.
    """

    heads: tuple[bytes, ...]
    bodies: tuple[bytes, ...]
    counted: Counted
    reply: Reply
    pieces: tuple[bytes, ...] = ()
    zone_bytes: int = 0


def ready_for(qname: Name, reply: Reply, counted: Counted) -> Ready[Counted]:
    """For questions with exactly this name."""
    return _ready(qname, len(qname) + 4, reply, counted)


def ready_below(qname: Name, reply: Reply, counted: Counted) -> Ready[Counted]:
    """For questions with any name that the same wildcard stands for. The reply has no alias that leads on."""
    return _ready(qname, 0, reply, counted)


def _ready(qname: Name, question_bytes: int, reply: Reply, counted: Counted) -> Ready[Counted]:
    turns = min(len(reply.answer[-1].rdatas), MAX_TURNS) if reply.answer else 1
    every = [sections_of(qname, question_bytes, rotated(reply, turn)) for turn in range(turns)]
    return Ready(_heads(reply, every[0].counts), tuple(each.records for each in every), counted, reply)


def ready_negative(zone: Zone, reply: Reply, counted: Counted) -> Ready[Counted]:
    """NXDOMAIN. The names of its SOA record are cut where the zone's own name begins."""
    soa = reply.authority[0]
    assert reply.authority == (zone.negative,) and not reply.answer, reply
    rdata = soa.rdatas[0]
    pieces = [bytearray(), bytearray()]
    pieces[1] += Rtype.SOA.to_bytes(2, "big") + IN.to_bytes(2, "big") + soa.ttl.to_bytes(4, "big")
    pieces[1] += b"\0\0" + rdata.head
    for name in rdata.names:
        if any(each == zone.origin for each in ancestors(name)):
            pieces[-1] += name[: len(name) - len(zone.origin)]
            pieces.append(bytearray())
        else:
            pieces[-1] += name
    pieces[-1] += rdata.tail
    length = sum(map(len, pieces)) - 10 + 2 * (len(pieces) - 2)
    pieces[1][8:10] = length.to_bytes(2, "big")
    heads = _heads(reply, (0, 1, 0))
    return Ready(heads, (), counted, reply, tuple(map(bytes, pieces)), len(zone.origin))


def _heads(reply: Reply, counts: tuple[int, int, int]) -> tuple[bytes, ...]:
    answers, authorities, additionals = counts
    bits = AA if reply.is_authoritative else 0
    return tuple(
        header(b"", bytes((rd, cd)), reply.rcode, (1, answers, authorities, additionals + edns), bits=bits)
        for rd, cd, _, edns in _COMBINED
    )
