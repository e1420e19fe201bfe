"""Ready answers: whatever question they are put behind, they are what the writer of messages would write."""

import dns.message
import pytest

from edge.geo.dns.names import Name, name_of
from edge.geo.dns.ready import SHAPES, Ready, ready_below, ready_for, ready_negative
from edge.geo.dns.render import AnswerReason, Reply, opt_record, render, rotated
from edge.geo.dns.wire import Rcode
from tests.geo.dns.test_render import replied, rrset
from tests.kit.nameservers import ORIGIN, zone_of

ID = b"\xab\xcd"
QNAME = name_of("www.cdn.example.")
HEADS = sorted(SHAPES.items())


def assembled(ready: Ready[int], query_head: bytes, qname: Name, turn: int = 0) -> bytes:
    question = qname + b"\0\1\0\1"
    if ready.pieces:
        body = (0xC000 | 12 + len(qname) - ready.zone_bytes).to_bytes(2, "big").join(ready.pieces)
    else:
        body = ready.bodies[turn % len(ready.bodies)]
    shape = SHAPES[query_head]
    return ID + ready.heads[shape] + question + body + (opt_record(0) if shape & 1 else b"")


@pytest.mark.parametrize("head", [head for head, _ in HEADS])
@pytest.mark.parametrize("turn", [0, 1, 2])
def test_for_one_name_it_is_the_same_octets(head: bytes, turn: int):
    reply = replied(
        rrset("www.cdn.example.", "CNAME", "many.cdn.example."),
        rrset("many.cdn.example.", "A", "192.0.2.1", "192.0.2.2", "192.0.2.3"),
    )
    flags = bytes((head[0], head[1] & 0x10))
    opt = opt_record(0) if head[-1] else b""
    rendered = render(ID, flags, QNAME + b"\0\1\0\1", rotated(reply, turn), opt=opt, limit=1232)
    assert assembled(ready_for(QNAME, reply, 0), head, QNAME, turn) == rendered


@pytest.mark.parametrize("asked", ["x.wild.cdn.example.", "a.much.longer.name.wild.cdn.example."])
def test_below_a_wildcard_it_fits_every_name(asked: str):
    made = replied(rrset("first.wild.cdn.example.", "MX", "10 mail.first.wild.cdn.example."))
    ready = ready_below(name_of("first.wild.cdn.example."), made, 0)
    read = dns.message.from_wire(assembled(ready, HEADS[0][0], name_of(asked)))
    assert [each.to_text() for each in read.answer] == [f"{asked} 60 IN MX 10 mail.first.wild.cdn.example."]


@pytest.mark.parametrize("asked", ["x.cdn.example.", "a.b.c.d.e.f.cdn.example.", "y.mail.cdn.example."])
@pytest.mark.parametrize(
    "soa", ["ns1 host", "ns1.other. host", "ns1.other. host.other.", "@ @", "ns1 host.cdn.example.org."]
)
def test_of_what_does_not_exist_the_zones_name_is_taken_from_the_question(asked: str, soa: str):
    zone = zone_of(f"@ 60 SOA {soa} 1 2 3 4 5\n@ 60 NS ns.other.\n", ORIGIN, ())
    reply = Reply(Rcode.NXDOMAIN, AnswerReason.NXDOMAIN, True, authority=(zone.negative,))
    made = assembled(ready_negative(zone, reply, 0), HEADS[0][0], name_of(asked))
    rendered = render(ID, b"\0\0", name_of(asked) + b"\0\1\0\1", reply, opt=b"", limit=512)
    assert dns.message.from_wire(made) == dns.message.from_wire(rendered)
    assert dns.message.from_wire(made).authority[0].name.to_text() == ORIGIN
    assert len(made) <= len(rendered) + 16


def test_of_many_records_only_some_are_ever_the_first():
    reply = replied(rrset("www.cdn.example.", "A", *(f"10.0.0.{each}" for each in range(40))))
    ready = ready_for(QNAME, reply, 0)
    assert len(ready.bodies) == 16
    for turn in (0, 15, 16, 255):
        rendered = render(ID, b"\0\0", QNAME + b"\0\1\0\1", rotated(reply, turn), opt=b"", limit=1232)
        assert assembled(ready, HEADS[0][0], QNAME, turn) == rendered
