"""Answers as they go out, read by dnspython."""

import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.dns.names import Name, name_of, text_of
from edge.geo.dns.rdata import RRset, Rtype, rdata_of
from edge.geo.dns.render import AnswerReason, Reply, opt_record, render, rotated, sections_of
from edge.geo.dns.wire import Rcode

ID, FLAGS = b"\xab\xcd", b"\1\0"
QNAME = name_of("www.cdn.example.")
QUESTION = b"\3WwW\3cdn\7Example\0" + b"\0\1\0\1"
VALUES = {
    "A": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    "AAAA": ["2001:db8::1"],
    "CNAME": ["www.cdn.example.", "x.www.cdn.example.", "other.example.org."],
    "MX": ["10 mail.cdn.example.", "20 mail.example."],
    "TXT": ['"one" "two"'],
    "NS": ["ns1.cdn.example.", "ns2.other.example."],
    "SOA": ["ns1.cdn.example. hostmaster.cdn.example. 1 2 3 4 5"],
    "SRV": ["1 2 80 www.cdn.example."],
    "CAA": ['0 issue "ca.example"'],
}
NAMES = ("www.cdn.example.", "cdn.example.", "a.b.www.cdn.example.", "example.", ".", "else.where.")


def rrset(name: str, kind: str, *values: str, ttl: int = 60) -> RRset:
    wires = [dns.rdata.from_text("IN", kind, value).to_wire() or b"" for value in values]
    return RRset(name_of(name), Rtype[kind], ttl, tuple(rdata_of(Rtype[kind], wire) for wire in wires))


def as_dnspython(rrset: RRset) -> dns.rrset.RRset:
    made = [
        dns.rdata.from_wire(
            "IN", dns.rdatatype.RdataType(rrset.rtype), data.wire(), 0, len(data.wire())
        ).to_text()
        for data in rrset.rdatas
    ]
    return dns.rrset.from_text_list(
        text_of(rrset.name),
        rrset.ttl,
        "IN",
        dns.rdatatype.to_text(dns.rdatatype.RdataType(rrset.rtype)),
        made,
    )


RRSETS = st.builds(
    lambda name, kind: rrset(name, kind, *VALUES[kind]),
    st.sampled_from(NAMES),
    st.sampled_from(sorted(VALUES)),
)
SECTION = st.lists(RRSETS, max_size=4, unique_by=lambda each: (each.name, each.rtype)).map(tuple)


def replied(*answer: RRset, authority: tuple[RRset, ...] = (), additional: tuple[RRset, ...] = ()) -> Reply:
    return Reply(Rcode.NOERROR, AnswerReason.STATIC, True, answer, authority, additional)


@given(SECTION, SECTION, SECTION, st.booleans())
@settings(max_examples=60)
def test_what_is_written_is_what_dnspython_reads(answer, authority, additional, portable):
    reply = replied(*answer, authority=authority, additional=additional)
    if portable:
        sections = sections_of(QNAME, 0, reply)
        counts = b"".join(count.to_bytes(2, "big") for count in (1, *sections.counts))
        wire = ID + b"\x85\0" + counts + QUESTION + sections.records
    else:
        wire = render(ID, FLAGS, QUESTION, reply, opt=b"", limit=65535)
    read = dns.message.from_wire(wire)
    assert read.answer == [as_dnspython(each) for each in answer]
    assert read.authority == [as_dnspython(each) for each in authority]
    assert read.additional == [as_dnspython(each) for each in additional]


def test_id_question_and_flags_are_the_querys():
    wire = render(ID, b"\1\x10", QUESTION, replied(), opt=b"", limit=512)
    assert wire[:2] == ID
    assert wire[12:] == QUESTION
    flags = dns.message.from_wire(wire).flags
    assert flags == dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.CD


def test_names_are_compressed_against_the_question_and_each_other():
    reply = replied(
        rrset("www.cdn.example.", "CNAME", "far.example.org."), rrset("far.example.org.", "A", "192.0.2.1")
    )
    wire = render(ID, FLAGS, QUESTION, reply, opt=b"", limit=512)
    assert wire.count(b"\7example") == 1  # the question has it in another case
    assert wire.count(b"\3far") == 1


def test_an_answer_that_is_too_long_loses_its_additional_records_first():
    glue = rrset("ns.cdn.example.", "A", *(f"192.0.2.{each}" for each in range(60)))
    reply = replied(rrset("www.cdn.example.", "A", "192.0.2.1"), additional=(glue,))
    read = dns.message.from_wire(render(ID, FLAGS, QUESTION, reply, opt=b"", limit=512))
    assert (len(read.answer), read.additional) == (1, [])
    assert not read.flags & dns.flags.TC


@pytest.mark.parametrize("limit", [512, 700, 1232])
def test_an_answer_that_is_too_long_even_so_is_the_question_alone(limit: int):
    reply = replied(rrset("www.cdn.example.", "A", *(f"10.0.{each}.1" for each in range(200))))
    opt = opt_record(0)
    wire = render(ID, FLAGS, QUESTION, reply, opt=opt, limit=limit)
    assert wire[12:] == QUESTION + opt
    assert dns.message.from_wire(wire).flags & dns.flags.TC


def test_it_may_be_exactly_as_long_as_the_limit():
    reply = replied(rrset("www.cdn.example.", "A", *(f"10.0.{each}.1" for each in range(29))))
    wire = render(ID, FLAGS, QUESTION, reply, opt=b"", limit=512)
    size = len(wire)
    assert size <= 512
    assert render(ID, FLAGS, QUESTION, reply, opt=b"", limit=size) == wire
    assert render(ID, FLAGS, QUESTION, reply, opt=b"", limit=size - 1)[2] & 2


def test_an_rcode_above_15_needs_the_opt_record():
    reply = Reply(Rcode.BADVERS, AnswerReason.BAD_VERSION)
    read = dns.message.from_wire(render(ID, FLAGS, QUESTION, reply, opt=opt_record(Rcode.BADVERS), limit=512))
    assert read.rcode() == dns.rcode.BADVERS
    assert (read.edns, read.payload) == (0, 1232)


def test_turning_begins_with_another_record_and_keeps_all():
    reply = replied(rrset("www.cdn.example.", "A", "10.0.0.1", "10.0.0.2", "10.0.0.3"))
    firsts = [rotated(reply, turn).answer[0].rdatas[0].head[-1] for turn in range(4)]
    assert firsts == [1, 2, 3, 1]
    assert set(rotated(reply, 2).answer[0].rdatas) == set(reply.answer[0].rdatas)


def test_the_root_can_be_asked_for():
    reply = replied(rrset(".", "NS", "ns1.cdn.example."))
    read = dns.message.from_wire(render(ID, FLAGS, b"\0\0\2\0\1", reply, opt=b"", limit=512))
    assert read.answer == [as_dnspython(reply.answer[0])]
    assert Name(b"\0") == reply.answer[0].name
