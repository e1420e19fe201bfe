"""Queries as they come. PURE.

Owns: `parse_query`: bytes to a `Query`, or what else is to be done with them. Rules: strict: one question without pointers,
no other section but one OPT record, nothing behind it; no exception leaves, whatever the bytes. What cannot be a query of
ours is dropped when an answer could go to somebody who never asked, else answered with an error. RFC 1035 s4.1, RFC 6891,
RFC 9619 (one question), RFC 7873 s5.4 (none, when a cookie is asked for).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from edge.geo.dns.edns import BadOption, Edns, read_edns
from edge.geo.dns.names import MAX_LABEL_BYTES, MAX_NAME_BYTES, ROOT, Name
from edge.geo.dns.rdata import Rtype

HEADER_BYTES = 12

QR, OPCODE, AA, TC, RD = 0x80, 0x78, 0x04, 0x02, 0x01
"""Of the third octet."""
CD = 0x10
"""Of the fourth; copied as RFC 4035 s3.2.2 says."""

PLAIN_LIMIT = 512
"""Octets of a UDP answer to who says nothing (RFC 1035 s4.2.1)."""

UDP_LIMIT = 1232
"""Octets of any UDP answer: fits the smallest MTU of IPv6 unfragmented [DNS flag day 2020]."""

TCP_LIMIT = 65_535

_OPT = ROOT + Rtype.OPT.to_bytes(2, "big")


class Rcode(IntEnum):
    """The ones we send; above 15 in the OPT record."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16
    BADCOOKIE = 23


class DropReason(Enum):
    """Why nothing is answered."""

    SHORT = "short"
    """No header, so no id."""
    RESPONSE = "response"
    """It says it is an answer: two servers must not answer each other for ever."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question. flags: RD and CD of the header as its third and fourth octet. question: as it came.

    qname: lower case. edns: None = none was there.
    """

    id: bytes
    flags: bytes
    question: bytes
    qname: Name
    qtype: int
    qclass: int
    edns: Edns | None


@dataclass(frozen=True, slots=True)
class CookieQuery:
    """No question, a cookie: it asks for ours (RFC 7873 s5.4)."""

    id: bytes
    flags: bytes
    edns: Edns


@dataclass(frozen=True, slots=True)
class Malformed:
    """To be answered with `rcode`. question: b"" where it could not be read. has_edns: an OPT record goes with it."""

    id: bytes
    flags: bytes
    rcode: Rcode
    question: bytes = b""
    has_edns: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Not to be answered."""

    why: DropReason


Parsed = Query | CookieQuery | Malformed | Drop


def parse_query(message: bytes) -> Parsed:
    """What it is."""
    if len(message) < HEADER_BYTES:
        return Drop(DropReason.SHORT)
    first, second = message[2], message[3]
    if first & QR:
        return Drop(DropReason.RESPONSE)
    of, flags = message[:2], bytes((first & (RD | OPCODE), second & CD))
    if first & OPCODE:
        return Malformed(of, flags, Rcode.NOTIMP)
    counts = message[4:HEADER_BYTES]
    if first & TC or counts[2:6] != b"\0\0\0\0" or counts[:2] not in (b"\0\0", b"\0\1"):
        return Malformed(of, flags, Rcode.FORMERR)
    end = _end_of_question(message) if counts[1] else HEADER_BYTES
    if end is None:
        return Malformed(of, flags, Rcode.FORMERR)
    question = message[HEADER_BYTES:end]
    has_edns = counts[6:] == b"\0\1" and message[end : end + 3] == _OPT
    try:
        edns, end = read_edns(message, end) if has_edns else (None, end)
    except BadOption:
        return Malformed(of, flags, Rcode.FORMERR, question, has_edns)
    if edns is not None and edns.version != 0:
        return Malformed(of, flags, Rcode.BADVERS, question, has_edns)
    if end != len(message) or counts[6:] != (b"\0\1" if has_edns else b"\0\0"):
        return Malformed(of, flags, Rcode.FORMERR, question, has_edns)
    if not question:
        if edns is not None and edns.cookie is not None:
            return CookieQuery(of, flags, edns)
        return Malformed(of, flags, Rcode.FORMERR, has_edns=has_edns)
    qtype, qclass = int.from_bytes(question[-4:-2], "big"), int.from_bytes(question[-2:], "big")
    if qtype in (Rtype.OPT, 0):
        return Malformed(of, flags, Rcode.FORMERR, question, has_edns)
    return Query(of, flags, question, Name(question[:-4].lower()), qtype, qclass, edns)


def _end_of_question(message: bytes) -> int | None:
    """Where it ends; None = it is cut off or no question. A pointer in it could only lead into the header."""
    at = HEADER_BYTES
    size = len(message)
    while at < size and (length := message[at]):
        if length > MAX_LABEL_BYTES:
            return None
        at += length + 1
    if at - HEADER_BYTES + 1 > MAX_NAME_BYTES or at + 5 > size:
        return None
    return at + 5
