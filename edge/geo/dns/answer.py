"""What a question is answered. PURE.

Owns: `answer`: query, source address and view to reply and scope; and `resolve`, the part of it that does not depend on who
asks but through a bucket, which is what prebuilt answers are made by (edge.geo.dns.hot). Rules: equal arguments, equal
answer. A client is located by its subnet where the query has one and the route allows it, no finer than the settings say
(/24 and /56), else by the resolver's own address. The scope is what was really used, 0 where geography did not matter
(RFC 7871 s7.2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.geo.dns.edns import NO_FAMILY, ClientSubnet, clamped, network_address
from edge.geo.dns.names import Name, parent_of
from edge.geo.dns.rdata import IN, Rdata, RRset, Rtype
from edge.geo.dns.render import AnswerReason, Reply
from edge.geo.dns.view import Located, Placed, View
from edge.geo.dns.wire import Query, Rcode
from edge.geo.dns.zone import Node, Route, Zone

MAX_CHAIN = 8
"""CNAMEs in one answer; resolvers follow 10 or so."""

ANY_TTL = 3600
ANY_DATA = b"\x07RFC8482\x00"
"""CPU and OS of the HINFO record that stands for all others (RFC 8482 s4.2)."""

_TRANSFERS = frozenset((Rtype.AXFR, Rtype.IXFR))
_ADDRESSES = frozenset((Rtype.A, Rtype.AAAA))

Place = Callable[[Route], Placed]
"""The choice for the client who asks."""

REFUSED = Reply(Rcode.REFUSED, AnswerReason.REFUSED)


@dataclass(frozen=True, slots=True)
class Answer:
    """scope: for the answer's client subnet option, of no meaning where the query had none."""

    reply: Reply
    scope: int = 0


def answer(query: Query, source: bytes, view: View) -> Answer:
    """See the module. source: the packed address that the query came from."""
    subnet = query.edns.subnet if query.edns is not None else None
    located: Located | None = None
    by_subnet = False

    def place(route: Route) -> Placed:
        nonlocal located, by_subnet
        if located is None:  # an alternate that is routed, too, is chosen from the same place
            by_subnet = subnet is not None and subnet.prefix > 0 and route.ecs and view.ecs.enabled
            located = view.geography.locate(_client(subnet, view) if by_subnet and subnet else source)
        return view.geography.place(route.site, located.bucket)

    if query.qclass != IN:
        return Answer(REFUSED)
    reply = resolve(query.qname, query.qtype, view, place)
    if located is None or subnet is None or not by_subnet or not reply.geography_mattered:
        return Answer(reply)
    return Answer(reply, min(located.prefix, view.finest(subnet.family)))


def _client(subnet: ClientSubnet, view: View) -> bytes:
    assert subnet.family != NO_FAMILY, "prefix 0 names nobody"
    return network_address(clamped(subnet, view.finest(subnet.family)))


def resolve(qname: Name, qtype: int, view: View, place: Place) -> Reply:
    """The reply in class IN. place: what it says is all that depends on who asks."""
    zone = _zone_for(qname, qtype, view)
    if zone is None or qtype in _TRANSFERS:
        return REFUSED
    steps: list[Reply] = []
    seen: set[Name] = set()
    while True:
        seen.add(qname)
        steps.append(_step(zone, qname, qtype, place))
        target = _alias_in(steps[-1], qtype)
        zone = None if target is None else view.zone_of(target)
        if target is None or zone is None or target in seen or len(steps) > MAX_CHAIN:
            return steps[0] if len(steps) == 1 else _together(steps)
        qname = target


def _zone_for(qname: Name, qtype: int, view: View) -> Zone | None:
    """The nearest one; but DS of a zone that is delegated here stands in its parent (RFC 4035 s3.1.4.1)."""
    zone = view.zone_of(qname)
    if qtype == Rtype.DS and zone is not None and qname == zone.origin:
        parent = view.zone_of(parent_of(qname))
        if parent is not None and qname in parent.cuts:
            return parent
    return zone


def _alias_in(reply: Reply, qtype: int) -> Name | None:
    if reply.answer and reply.answer[0].rtype == Rtype.CNAME != qtype:
        return reply.answer[0].rdatas[0].names[0]
    return None


def _together(steps: list[Reply]) -> Reply:
    """The aliases, and what stands at their end, whose rcode counts (RFC 6604). A referral at the end is left out."""
    ends = steps[-1].because is not AnswerReason.REFERRAL
    last = steps[-1] if ends else Reply(Rcode.NOERROR, AnswerReason.STATIC)
    routed = any(step.because is AnswerReason.ROUTED for step in steps)
    return Reply(
        last.rcode,
        AnswerReason.ROUTED if routed else last.because,
        is_authoritative=True,
        answer=tuple(rrset for step in steps for rrset in step.answer),
        authority=last.authority,
        pop=next((step.pop for step in reversed(steps) if step.pop), ""),
        reasons=tuple(reason for step in steps for reason in step.reasons),
        geography_mattered=any(step.geography_mattered for step in steps),
    )


def _step(zone: Zone, qname: Name, qtype: int, place: Place) -> Reply:
    """What the zone says of one name, no alias followed."""
    found = zone.find(qname)
    if found.cut is not None:
        return _beyond(zone, found.cut, qname, qtype)
    if found.node is None:
        return _negative(zone, Rcode.NXDOMAIN, AnswerReason.NXDOMAIN)
    return _held(zone, found.node, qname, qtype, place)


def _held(zone: Zone, node: Node, qname: Name, qtype: int, place: Place) -> Reply:
    rrsets = node.rrsets
    if qtype == Rtype.ANY and (rrsets or node.route):
        minimal = RRset(qname, Rtype.HINFO, ANY_TTL, (Rdata(ANY_DATA),))
        return Reply(Rcode.NOERROR, AnswerReason.ANY, is_authoritative=True, answer=(minimal,))
    if node.route is not None and qtype in _ADDRESSES:
        return _routed(zone, node, qname, qtype, place(node.route))
    held = rrsets.get(qtype) or rrsets.get(Rtype.CNAME)
    if held is None:
        return _negative(zone, Rcode.NOERROR, AnswerReason.NODATA)
    if held.name != qname:
        held = RRset(qname, held.rtype, held.ttl, held.rdatas)
    return Reply(Rcode.NOERROR, AnswerReason.STATIC, is_authoritative=True, answer=(held,))


def _routed(zone: Zone, node: Node, qname: Name, qtype: int, placed: Placed) -> Reply:
    assert node.route is not None, "not routed"
    addresses = placed.v4 if qtype == Rtype.A else placed.v6
    answer: tuple[RRset, ...] = ()
    if placed.alias is not None and not node.rrsets and qname != zone.origin:
        answer = (RRset(qname, Rtype.CNAME, node.route.ttl, (Rdata(b"", (placed.alias,)),)),)
    elif addresses:
        answer = (RRset(qname, qtype, node.route.ttl, tuple(Rdata(address) for address in addresses)),)
    return Reply(
        Rcode.NOERROR,
        AnswerReason.ROUTED if answer else AnswerReason.NODATA,
        is_authoritative=True,
        answer=answer,
        authority=() if answer else (zone.negative,),
        pop=placed.pop,
        reasons=placed.reasons,
        geography_mattered=placed.geography_mattered,
    )


def _negative(zone: Zone, rcode: Rcode, because: AnswerReason) -> Reply:
    return Reply(rcode, because, is_authoritative=True, authority=(zone.negative,))


def _beyond(zone: Zone, cut: Name, qname: Name, qtype: int) -> Reply:
    """Of what is delegated we know who to ask; DS alone is the parent's (RFC 4035 s3.1.4.1)."""
    rrsets = zone.nodes[cut].rrsets
    if qtype == Rtype.DS and qname == cut:
        if Rtype.DS not in rrsets:
            return _negative(zone, Rcode.NOERROR, AnswerReason.NODATA)
        return Reply(Rcode.NOERROR, AnswerReason.STATIC, is_authoritative=True, answer=(rrsets[Rtype.DS],))
    return Reply(
        Rcode.NOERROR,
        AnswerReason.REFERRAL,
        authority=(rrsets[Rtype.NS],),
        additional=tuple(zone.glue(cut)),
    )
