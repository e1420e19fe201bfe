"""Answers as they go out. PURE.

Owns: `Reply`, what is answered, and `render`: the one writer of messages. Rules: the id and the question are the query's own
octets (so 0x20 survives); names are compressed where RFC 3597 allows it; an answer that is too long loses its additional
records, and if that does not help is nothing but the question with TC set, so that its receiver asks again by TCP
(RFC 2181 s9). RFC 1035 s4.1, RFC 6891 s6.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from edge.geo.dns.edns import DO
from edge.geo.dns.names import ROOT, Name, ancestors
from edge.geo.dns.rdata import IN, RRset
from edge.geo.dns.wire import AA, HEADER_BYTES, QR, TC, UDP_LIMIT, Rcode

_MAX_POINTER = 0x3FFF

MAX_TURNS = 16
"""Records that may be the first of an answer: each order is kept ready."""


class AnswerReason(Enum):
    """Why an answer is what it is: the word in the routing log and in metrics; a sentence each in `SENTENCE`."""

    STATIC = "static"
    ROUTED = "routed"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    REFERRAL = "referral"
    ANY = "any"
    REFUSED = "refused"
    MALFORMED = "malformed"
    NOT_IMPLEMENTED = "not-implemented"
    BAD_VERSION = "bad-version"
    COOKIE = "cookie"


SENTENCE: Mapping[AnswerReason, str] = MappingProxyType(
    {
        AnswerReason.STATIC: "Records of the zone.",
        AnswerReason.ROUTED: "A routed name: addresses of the POP that placement chose, or the site's alternate.",
        AnswerReason.NODATA: "The name is there, records of this type are not (RFC 2308).",
        AnswerReason.NXDOMAIN: "There is no such name in the zone (RFC 2308).",
        AnswerReason.REFERRAL: "The name is in a zone that is delegated further; who asked is told to whom.",
        AnswerReason.ANY: "All types at once are answered with one record that says so (RFC 8482).",
        AnswerReason.REFUSED: "The name is in no zone of ours, the class is not IN, or a transfer was asked for.",
        AnswerReason.MALFORMED: "FORMERR: it is no query (RFC 1035, RFC 6891, RFC 9619).",
        AnswerReason.NOT_IMPLEMENTED: "NOTIMP: another opcode than QUERY.",
        AnswerReason.BAD_VERSION: "BADVERS: another version of EDNS than 0 (RFC 6891).",
        AnswerReason.COOKIE: "A cookie was asked for, and nothing else (RFC 7873).",
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. pop: that was chosen, "" = none. reasons: placement's, for the log.

    geography_mattered: whether a client elsewhere might have been told something else.
    """

    rcode: Rcode
    because: AnswerReason
    is_authoritative: bool = False
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    additional: tuple[RRset, ...] = ()
    pop: str = ""
    reasons: tuple[str, ...] = ()
    geography_mattered: bool = False


@dataclass(frozen=True, slots=True)
class Sections:
    """What follows the question. counts: the three of answer, authority and additional, without OPT."""

    counts: tuple[int, int, int]
    records: bytes


def opt_record(rcode: int, *, size: int = UDP_LIMIT, dnssec_ok: bool = False, options: bytes = b"") -> bytes:
    """Ours: the size we take, version 0, DO as it came."""
    flags = DO if dnssec_ok else 0
    return b"".join(
        (
            b"\0\0\x29",
            size.to_bytes(2, "big"),
            bytes((rcode >> 4, 0)),
            flags.to_bytes(2, "big"),
            len(options).to_bytes(2, "big"),
            options,
        )
    )


def header(id: bytes, flags: bytes, rcode: int, counts: tuple[int, int, int, int], *, bits: int) -> bytes:
    """Twelve octets. flags: of the query, copied. bits: AA and TC."""
    first, second = flags[0] | QR | bits, flags[1] | (rcode & 0x0F)
    return b"".join((id, bytes((first, second)), *(count.to_bytes(2, "big") for count in counts)))


def sections_of(qname: Name, question_bytes: int, reply: Reply) -> Sections:
    """The records, compressed against the question and each other.

    qname: as in the question. question_bytes: of the whole question; 0 = the octets must be right behind any question, so
    nothing is pointed to but the question's name, and from owners only.
    """
    writer = _Writer(qname, question_bytes)
    counts = [0, 0, 0]
    for index, rrsets in enumerate((reply.answer, reply.authority, reply.additional)):
        for rrset in rrsets:
            writer.put(rrset)
            counts[index] += len(rrset.rdatas)
    return Sections((counts[0], counts[1], counts[2]), bytes(writer.out))


def render(
    id: bytes,
    flags: bytes,
    question: bytes,
    reply: Reply,
    *,
    opt: bytes,
    limit: int,
) -> bytes:
    """The message. question: as it came, b"" = none. opt: our OPT record, b"" = none. limit: octets, 512 or more."""
    qname = Name(question[:-4].lower()) if question else ROOT
    bits = AA if reply.is_authoritative else 0
    room = limit - HEADER_BYTES - len(question) - len(opt)
    questions, opts = (1 if question else 0), (1 if opt else 0)
    found = sections_of(qname, len(question), reply)
    if len(found.records) > room and reply.additional:
        found = sections_of(qname, len(question), _without_additional(reply))
    if len(found.records) > room:
        bits |= TC
        found = Sections((0, 0, 0), b"")
    answers, authorities, additionals = found.counts
    counts = (questions, answers, authorities, additionals + opts)
    return header(id, flags, reply.rcode, counts, bits=bits) + question + found.records + opt


def rotated(reply: Reply, turn: int) -> Reply:
    """The same, its last answer's records starting at another one. turn: any number; equal ones give equal replies."""
    last = reply.answer[-1] if reply.answer else None
    if last is None or len(last.rdatas) < 2:
        return reply
    by = turn % min(len(last.rdatas), MAX_TURNS)
    turned = RRset(last.name, last.rtype, last.ttl, last.rdatas[by:] + last.rdatas[:by])
    return replace(reply, answer=(*reply.answer[:-1], turned))


def _without_additional(reply: Reply) -> Reply:
    return replace(reply, additional=())


class _Writer:
    """Records, one behind the other."""

    def __init__(self, qname: Name, question_bytes: int) -> None:
        self.out = bytearray()
        self._base = HEADER_BYTES + question_bytes
        self._compresses = question_bytes > 0
        self._known: dict[Name, int] = {}
        if not self._compresses:
            self._known[qname] = HEADER_BYTES
            return
        for each in ancestors(qname):
            self._known[each] = HEADER_BYTES + len(qname) - len(each)

    def put(self, rrset: RRset) -> None:
        """All records of a set."""
        fixed = rrset.rtype.to_bytes(2, "big") + IN.to_bytes(2, "big") + rrset.ttl.to_bytes(4, "big")
        for rdata in rrset.rdatas:
            self._name(rrset.name)
            self.out += fixed
            at = len(self.out)
            self.out += b"\0\0" + rdata.head
            for name in rdata.names:
                if self._compresses:
                    self._name(name)
                else:
                    self.out += name
            self.out += rdata.tail
            self.out[at : at + 2] = (len(self.out) - at - 2).to_bytes(2, "big")

    def _name(self, name: Name) -> None:
        for each in ancestors(name):
            at = self._known.get(each)
            if each == ROOT:
                self.out += ROOT
                return
            if at is not None:
                self.out += (0xC000 | at).to_bytes(2, "big")
                return
            here = self._base + len(self.out)
            if self._compresses and here <= _MAX_POINTER:
                self._known[each] = here
            self.out += each[: each[0] + 1]
