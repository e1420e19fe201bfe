"""Answers by table: what a zone, a route and an address make of a question."""

from ipaddress import ip_address

import dns.edns
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.dns.answer import MAX_CHAIN, Answer, answer
from edge.geo.dns.names import text_of
from edge.geo.dns.rdata import Rtype
from edge.geo.dns.render import AnswerReason, Reply
from edge.geo.dns.view import View
from edge.geo.dns.wire import Query, parse_query
from edge.settings.dns import EcsSettings
from tests.kit.nameservers import LOCAL, World, view_of, zone_of

HOME = ip_address("192.0.2.9").packed
SHARED = view_of()


def ask(
    name: str,
    kind: str = "A",
    *,
    view: View | None = None,
    source: bytes = LOCAL,
    subnet: tuple[str, int] | None = None,
    rdclass: str = "IN",
) -> Answer:
    options: list[dns.edns.Option] = [] if subnet is None else [dns.edns.ECSOption(*subnet)]
    asked = dns.message.make_query(name, kind, rdclass, use_edns=0, options=options)
    read = parse_query(asked.to_wire())
    assert isinstance(read, Query)
    return answer(read, source, view or SHARED)


def said(reply: Reply) -> list[str]:
    """Owner and type of each set, in order; "|" before authority and additional."""
    sections = (reply.answer, reply.authority, reply.additional)
    parts = [
        [f"{text_of(each.name)[:-13]} {Rtype(each.rtype).name}" for each in section] for section in sections
    ]
    return [*parts[0], *(f"|{each}" for each in parts[1]), *(f"||{each}" for each in parts[2])]


TABLE = [
    ("static", "many", "A", "NOERROR", AnswerReason.STATIC, ["many A"]),
    ("at the apex", "", "MX", "NOERROR", AnswerReason.STATIC, [" MX"]),
    ("SOA", "", "SOA", "NOERROR", AnswerReason.STATIC, [" SOA"]),
    ("other type", "many", "AAAA", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("unknown type", "many", "TYPE65281", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("empty non-terminal", "b.deep", "A", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("no such name", "none", "A", "NXDOMAIN", AnswerReason.NXDOMAIN, ["| SOA"]),
    ("no such name below one", "x.many", "A", "NXDOMAIN", AnswerReason.NXDOMAIN, ["| SOA"]),
    ("wildcard", "x.wild", "A", "NOERROR", AnswerReason.STATIC, ["x.wild A"]),
    ("wildcard, deep", "y.x.wild", "A", "NOERROR", AnswerReason.STATIC, ["y.x.wild A"]),
    ("wildcard, other type", "x.wild", "MX", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("beside the wildcard", "host.wild", "TXT", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("alias", "alias", "A", "NOERROR", AnswerReason.STATIC, ["alias CNAME", "many A"]),
    ("alias itself", "alias", "CNAME", "NOERROR", AnswerReason.STATIC, ["alias CNAME"]),
    ("alias, other type", "alias", "TXT", "NOERROR", AnswerReason.NODATA, ["alias CNAME", "| SOA"]),
    ("alias out of the zone", "far", "A", "NOERROR", AnswerReason.STATIC, ["far CNAME"]),
    ("alias to nothing (RFC 6604)", "dangling", "A", "NXDOMAIN", AnswerReason.NXDOMAIN, ["dangling CNAME", "| SOA"]),
    ("aliases in a circle", "loop1", "A", "NOERROR", AnswerReason.STATIC, ["loop1 CNAME", "loop2 CNAME"]),
    ("alias to a route", "to-route", "A", "NOERROR", AnswerReason.ROUTED, ["to-route CNAME", "www A"]),
    ("alias of a wildcard", "x.wild-alias", "A", "NOERROR", AnswerReason.STATIC, ["x.wild-alias CNAME", "many A"]),
    ("ANY (RFC 8482)", "many", "ANY", "NOERROR", AnswerReason.ANY, ["many HINFO"]),
    ("ANY of a route", "www", "ANY", "NOERROR", AnswerReason.ANY, ["www HINFO"]),
    ("ANY of nothing", "none", "ANY", "NXDOMAIN", AnswerReason.NXDOMAIN, ["| SOA"]),
    ("ANY of an empty non-terminal", "deep", "ANY", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("delegated", "x.sub", "A", "NOERROR", AnswerReason.REFERRAL, ["|sub NS", "||ns.sub A"]),
    ("delegated itself", "sub", "NS", "NOERROR", AnswerReason.REFERRAL, ["|sub NS", "||ns.sub A"]),
    ("glue is not ours", "ns.sub", "A", "NOERROR", AnswerReason.REFERRAL, ["|sub NS", "||ns.sub A"]),
    ("DS is the parent's", "sub", "DS", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("transfer", "", "AXFR", "REFUSED", AnswerReason.REFUSED, []),
    ("routed", "www", "A", "NOERROR", AnswerReason.ROUTED, ["www A"]),
    ("routed, static type", "routed-text", "TXT", "NOERROR", AnswerReason.STATIC, ["routed-text TXT"]),
    ("routed, other type", "www", "TXT", "NOERROR", AnswerReason.NODATA, ["| SOA"]),
    ("routed wildcard", "a.b.pages", "A", "NOERROR", AnswerReason.ROUTED, ["a.b.pages A"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "name", "kind", "rcode", "because", "sets"), TABLE, ids=[row[0] for row in TABLE]
)
def test_a_question_is_answered_by_what_the_zone_has(
    what: str, name: str, kind: str, rcode: str, because: AnswerReason, sets: list[str]
):
    reply = ask(f"{name}.cdn.example.".lstrip("."), kind).reply
    assert (reply.rcode.name, reply.because, said(reply)) == (rcode, because, sets)
    assert reply.is_authoritative is (because not in {AnswerReason.REFERRAL, AnswerReason.REFUSED})


@pytest.mark.parametrize("name", ["example.", "www.example.", "xcdn.example.", "."])
def test_other_names_are_refused(name: str):
    assert ask(name).reply.because is AnswerReason.REFUSED


@pytest.mark.parametrize("rdclass", ["CH", "ANY", "HS"])
def test_other_classes_are_refused(rdclass: str):
    assert ask("www.cdn.example.", rdclass=rdclass).reply.because is AnswerReason.REFUSED


def test_a_long_chain_of_aliases_has_an_end():
    text = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
    text += "".join(f"a{each} 60 CNAME a{each + 1}\n" for each in range(20))
    reply = ask("a0.cdn.example.", view=view_of(None, zone_of(text, routes=()))).reply
    assert len(reply.answer) == MAX_CHAIN + 1
    assert reply.rcode.name == "NOERROR"


# -- who is located, and the scope --

SUBNETS: list[tuple[str, str, tuple[str, int] | None, str, str, int]] = [
    ("none: by the resolver", "www", None, "192.0.2.9", "pop1", 0),
    ("a client's", "www", ("10.20.30.0", 24), "10.20.30.0", "pop3", 24),
    ("the scope of what was found", "www", ("10.9.9.0", 24), "10.9.9.0", "pop2", 12),
    ("finer than /24", "www", ("10.20.30.200", 32), "10.20.30.0", "pop3", 24),
    ("coarser", "www", ("10.0.0.0", 8), "10.0.0.0", "pop2", 12),
    ("/0: by the resolver", "www", ("0.0.0.0", 0), "192.0.2.9", "pop1", 0),
    ("IPv6", "www", ("2001:db8:2::", 48), "2001:db8:2::", "pop5", 47),
    ("IPv6, finer than /56", "www", ("2001:db8:1:ff00::", 64), "2001:db8:1:ff00::", "pop6", 56),
    ("a site without ECS", "plain", ("10.20.30.0", 24), "192.0.2.9", "pop1", 0),
    ("geography did not matter", "same", ("10.20.30.0", 24), "10.20.30.0", "pop0", 0),
    ("through an alias", "to-route", ("10.9.9.0", 24), "10.9.9.0", "pop2", 12),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "name", "subnet", "located", "pop", "scope"), SUBNETS, ids=[row[0] for row in SUBNETS]
)
def test_the_scope_is_what_was_used(
    what: str, name: str, subnet: tuple[str, int] | None, located: str, pop: str, scope: int
):
    world = World()
    found = ask(f"{name}.cdn.example.", view=view_of(world), source=HOME, subnet=subnet)
    assert (world.located, found.reply.pop, found.scope) == ([located], pop, scope)


def test_nobody_is_located_for_what_is_not_routed():
    world = World()
    assert ask("many.cdn.example.", view=view_of(world), subnet=("10.0.0.0", 24)).scope == 0
    assert world.located == []


def test_a_server_that_does_not_look_at_subnets_locates_by_the_resolver():
    world = World()
    view = view_of(world, ecs=EcsSettings(enabled=False))
    assert ask("www.cdn.example.", view=view, source=HOME, subnet=("10.0.0.0", 24)).scope == 0
    assert world.located == ["192.0.2.9"]


def test_who_is_not_served_is_sent_to_the_alternate():
    found = ask("denied.cdn.example.", source=HOME)
    assert said(found.reply) == ["denied CNAME", "many A"]
    assert (found.reply.because, found.reply.reasons) == (AnswerReason.ROUTED, ("denied",))
    assert said(ask("denied.cdn.example.").reply) == ["denied A"]


def test_a_family_that_the_pop_has_no_address_of_is_no_data():
    reply = ask("same.cdn.example.", "AAAA").reply
    assert (reply.because, said(reply)) == (AnswerReason.NODATA, ["| SOA"])


WHERE = st.sampled_from((0x0A000000, 0x0A140000, 0x0A141E00, 0xC0000200, 0x7F000000)).flatmap(
    lambda base: st.integers(0, 0xFFFF).map(lambda below: base ^ below)
)


@given(WHERE, WHERE, st.integers(1, 32), st.integers(1, 32))
@settings(max_examples=100)
def test_no_two_answers_within_one_scope_differ(one: int, other: int, prefix: int, other_prefix: int):
    view = SHARED
    first, second = (
        (value >> (32 - bits) << (32 - bits), bits) for value, bits in ((one, prefix), (other, other_prefix))
    )
    told = ask("www.cdn.example.", view=view, subnet=(str(ip_address(first[0])), first[1]))
    again = ask("www.cdn.example.", view=view, subnet=(str(ip_address(second[0])), second[1]))
    # What a resolver caches the first answer under: its scope, but never wider than what it asked for (RFC 7871 s7.3.1).
    cached = min(told.scope, first[1])
    if (
        cached == told.scope
        and second[1] >= told.scope
        and first[0] >> 32 - told.scope == second[0] >> 32 - told.scope
    ):
        assert told.reply == again.reply


def test_ds_of_a_zone_of_ours_that_is_delegated_by_another_of_ours_stands_in_the_parent():
    child = zone_of("@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.other.\n", "sub.cdn.example.", routes=())
    view = view_of(None, zone_of(), child)
    found = ask("sub.cdn.example.", "DS", view=view).reply
    assert (found.because, text_of(found.authority[0].name)) == (AnswerReason.NODATA, "cdn.example.")
    assert ask("sub.cdn.example.", "SOA", view=view).reply.answer[0].name == child.origin
    alone = view_of(None, child)
    assert ask("sub.cdn.example.", "DS", view=alone).reply.authority[0].name == child.origin
    other = zone_of("@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.other.\n", "none.cdn.example.", routes=())
    apart = view_of(None, zone_of(), other)  # nothing delegates it
    assert ask("none.cdn.example.", "DS", view=apart).reply.authority[0].name == other.origin
