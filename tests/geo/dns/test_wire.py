"""Queries as they come: what is one, what is answered with an error, what is not answered."""

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.geo.dns.names import name_of
from edge.geo.dns.wire import CookieQuery, Drop, DropReason, Malformed, Query, Rcode, parse_query

ID = b"\x12\x34"
QUESTION = b"\3wWw\3cdn\7example\0" + b"\0\1\0\1"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def message(
    *, flags: bytes = b"\1\0", counts: tuple[int, int, int, int] = (1, 0, 0, 0), rest: bytes = QUESTION
) -> bytes:
    return ID + flags + b"".join(count.to_bytes(2, "big") for count in counts) + rest


def test_a_query_is_what_it_says():
    assert parse_query(message()) == Query(
        ID, b"\1\0", QUESTION, name_of("www.cdn.example."), 1, 1, edns=None
    )


@given(
    st.lists(st.binary(min_size=1, max_size=20), max_size=5),
    st.integers(1, 65535).filter(lambda kind: kind != 41),
    st.booleans(),
    st.booleans(),
    st.none() | st.ip_addresses(v=4),
    st.sampled_from((None, 512, 1232, 4096)),
)
def test_every_query_of_dnspython_is_read_as_it_was_meant(labels, kind, rd, do, subnet, size):
    asked = dns.message.make_query(dns.name.Name([*labels, b""]), kind, use_edns=False)
    asked.flags = dns.flags.RD if rd else 0
    if size:
        options: list[dns.edns.Option] = [] if subnet is None else [dns.edns.ECSOption(str(subnet), 24)]
        asked.use_edns(0, dns.flags.DO if do else 0, size, options=options)
    read = parse_query(asked.to_wire())
    assert isinstance(read, Query)
    assert read.id == asked.id.to_bytes(2, "big")
    assert (read.qtype, read.qclass, read.flags) == (kind, 1, bytes((rd, 0)))
    assert read.qname == dns.name.Name([*labels, b""]).canonicalize().to_wire()
    assert (None if read.edns is None else read.edns.size) == size
    if read.edns is not None:
        assert read.edns.wants_dnssec is do
        assert (read.edns.subnet is None) is (subnet is None)


TABLE: list[tuple[str, bytes, Rcode, bytes, bool]] = [
    ("no question", message(counts=(0, 0, 0, 0), rest=b""), Rcode.FORMERR, b"", False),
    ("two questions (RFC 9619)", message(counts=(2, 0, 0, 0), rest=QUESTION * 2), Rcode.FORMERR, b"", False),
    ("an answer in a query", message(counts=(1, 1, 0, 0)), Rcode.FORMERR, b"", False),
    ("an authority in a query", message(counts=(1, 0, 1, 0)), Rcode.FORMERR, b"", False),
    ("truncated", message(flags=b"\3\0"), Rcode.FORMERR, b"", False),
    ("octets behind it", message(rest=QUESTION + b"x"), Rcode.FORMERR, QUESTION, False),
    ("octets behind OPT", message(counts=(1, 0, 0, 1), rest=QUESTION + OPT + b"x"), Rcode.FORMERR, QUESTION, True),
    ("OPT that is not counted", message(rest=QUESTION + OPT), Rcode.FORMERR, QUESTION, False),
    ("OPT that is not there", message(counts=(1, 0, 0, 1)), Rcode.FORMERR, QUESTION, False),
    ("OPT twice", message(counts=(1, 0, 0, 2), rest=QUESTION + OPT * 2), Rcode.FORMERR, QUESTION, False),
    ("OPT with a name", message(counts=(1, 0, 0, 1), rest=QUESTION + b"\1a" + OPT), Rcode.FORMERR, QUESTION, False),
    ("a TSIG record", message(counts=(1, 0, 0, 1), rest=QUESTION + b"\0\0\xfa\0\xff" + bytes(6)), Rcode.FORMERR, QUESTION, False),
    ("a bad option", message(counts=(1, 0, 0, 1), rest=QUESTION + OPT[:-1] + b"\1x"), Rcode.FORMERR, QUESTION, True),
    ("a pointer as name", message(rest=b"\xc0\x0c\0\1\0\1"), Rcode.FORMERR, b"", False),
    ("a pointer behind a label", message(rest=b"\1a\xc0\x0c\0\1\0\1"), Rcode.FORMERR, b"", False),
    ("a name of 256 octets", message(rest=(b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"), Rcode.FORMERR, b"", False),
    ("type OPT", message(rest=QUESTION[:-4] + b"\0\x29\0\1"), Rcode.FORMERR, QUESTION[:-4] + b"\0\x29\0\1", False),
    ("NOTIFY", message(flags=b"\x20\0"), Rcode.NOTIMP, b"", False),
    ("UPDATE", message(flags=b"\x28\0"), Rcode.NOTIMP, b"", False),
    ("IQUERY", message(flags=b"\x08\0"), Rcode.NOTIMP, b"", False),
    ("EDNS version 1", message(counts=(1, 0, 0, 1), rest=QUESTION + OPT[:6] + b"\1" + OPT[7:]), Rcode.BADVERS, QUESTION, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "octets", "rcode", "question", "has_edns"), TABLE, ids=[row[0] for row in TABLE]
)
def test_what_is_no_query_is_answered_with_an_error(
    name: str, octets: bytes, rcode: Rcode, question: bytes, has_edns: bool
):
    read = parse_query(octets)
    assert isinstance(read, Malformed)
    assert (read.id, read.rcode, read.question, read.has_edns) == (ID, rcode, question, has_edns)


def test_an_answer_is_never_answered():
    assert parse_query(message(flags=b"\x81\0")) == Drop(DropReason.RESPONSE)


@pytest.mark.parametrize("size", range(12))
def test_without_a_header_there_is_no_id_to_answer_with(size: int):
    assert parse_query(message()[:size]) == Drop(DropReason.SHORT)


def test_a_cookie_may_be_asked_for_without_a_question():
    opt = OPT[:-1] + b"\x0c" + b"\0\x0a\0\x08" + b"12345678"
    read = parse_query(message(counts=(0, 0, 0, 1), rest=opt))
    assert isinstance(read, CookieQuery)
    assert read.edns.cookie == b"12345678"


def test_every_prefix_of_a_query_is_an_error_or_dropped():
    whole = message(counts=(1, 0, 0, 1), rest=QUESTION + OPT)
    for size in range(len(whole)):
        assert isinstance(parse_query(whole[:size]), Malformed if size >= 12 else Drop), size
