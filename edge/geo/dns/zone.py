"""What a zone holds. PURE.

Owns: `Zone`, made whole by `make_zone` or not at all, and `Zone.find`. Rules: the names that exist are those with records or
a route and all names between them and the apex; a wildcard answers for what does not exist below its parent (RFC 4592); a
name with NS records below the apex is a cut, and what is beyond it is not ours but for its addresses (glue). A CNAME stands
alone, and never at the apex (RFC 1034 s3.6.2). RFC 1034, 2181, 2308, 4592.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from edge.geo.dns.names import Name, ancestors, is_within, text_of, wildcard_below
from edge.geo.dns.rdata import MAX_TTL, Rdata, RRset, Rtype, type_word

MAX_RDATAS = 256
"""Records of one name and type; what is more would not fit into any answer by UDP."""

_GLUE = frozenset((Rtype.A, Rtype.AAAA))
_NEVER_HELD = frozenset((Rtype.OPT, Rtype.TKEY, Rtype.TSIG, Rtype.IXFR, Rtype.AXFR, Rtype.ANY, 39))
"""39 is DNAME, which would need an answer of its own."""


class BadZone(ValueError):
    """What is wrong with a zone, in words."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a zone. ttl: seconds."""

    name: Name
    rtype: int
    ttl: int
    rdata: Rdata


@dataclass(frozen=True, slots=True)
class Route:
    """A name whose addresses placement chooses. site: which routed site. ecs: whether a client subnet may be used."""

    name: Name
    site: str
    ttl: int
    ecs: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """A name that exists. rrsets: by type; both may be missing: then there are only names below it."""

    rrsets: Mapping[int, RRset] = field(default_factory=lambda: MappingProxyType({}))
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a zone knows of a name. node: None = there is no such name. cut: the delegation it is beyond.

    by_wildcard: the node is a wildcard's, its records are to be given the name that was asked for.
    """

    node: Node | None
    cut: Name | None = None
    by_wildcard: bool = False


@dataclass(frozen=True, slots=True)
class Zone:
    """negative: the SOA record as it goes with NXDOMAIN and NODATA."""

    origin: Name
    nodes: Mapping[Name, Node]
    cuts: frozenset[Name]
    negative: RRset

    def find(self, qname: Name) -> Found:
        """What stands for a name that is within the zone."""
        cut = self._cut_above(qname) if self.cuts else None
        if cut is not None:
            return Found(None, cut)
        node = self.nodes.get(qname)
        if node is not None:
            return Found(node)
        encloser = next(each for each in ancestors(qname) if each in self.nodes)
        node = self.nodes.get(wildcard_below(encloser))
        return Found(node, by_wildcard=node is not None)

    def _cut_above(self, qname: Name) -> Name | None:
        """The cut nearest to the apex."""
        found: Name | None = None
        for each in ancestors(qname):
            if each == self.origin:
                break
            if each in self.cuts:
                found = each
        return found

    def glue(self, cut: Name) -> list[RRset]:
        """The addresses of a cut's name servers, as far as they stand here."""
        rrsets: list[RRset] = []
        for rdata in self.nodes[cut].rrsets[Rtype.NS].rdatas:
            node = self.nodes.get(rdata.names[0])
            if node is not None:
                rrsets += [node.rrsets[kind] for kind in (Rtype.A, Rtype.AAAA) if kind in node.rrsets]
        return rrsets


def make_zone(origin: Name, records: Iterable[Record], routes: Sequence[Route] = ()) -> Zone:
    """The zone. Raises BadZone with the first thing that is wrong."""
    by_name: dict[Name, dict[int, list[Record]]] = {}
    for record in records:
        _check_record(origin, record)
        by_name.setdefault(record.name, {}).setdefault(record.rtype, []).append(record)
    by_route: dict[Name, Route] = {}
    for route in routes:
        if route.name in by_route:
            raise BadZone(f"{text_of(route.name)} is routed twice")
        if not is_within(route.name, origin):
            raise BadZone(f"{text_of(route.name)} is not in {text_of(origin)}")
        by_route[route.name] = route
        by_name.setdefault(route.name, {})
    apex = by_name.get(origin, {})
    if len(apex.get(Rtype.SOA, ())) != 1:
        raise BadZone(f"{text_of(origin)} needs one SOA record")
    if Rtype.NS not in apex:
        raise BadZone(f"{text_of(origin)} needs an NS record")
    nodes = {name: _node(name, kinds, by_route.get(name)) for name, kinds in by_name.items()}
    cuts = frozenset(name for name, node in nodes.items() if Rtype.NS in node.rrsets and name != origin)
    _check_names(origin, nodes, cuts)
    for name in by_name:
        for each in ancestors(name):
            if each == origin:
                break
            nodes.setdefault(each, Node())
    return Zone(origin, MappingProxyType(nodes), cuts, _negative(nodes[origin].rrsets[Rtype.SOA]))


def _check_record(origin: Name, record: Record) -> None:
    where = f"{text_of(record.name)} {type_word(record.rtype)}"
    if not is_within(record.name, origin):
        raise BadZone(f"{where} is not in {text_of(origin)}")
    if record.rtype in _NEVER_HELD:
        raise BadZone(f"{where}: this type cannot stand in a zone here")
    if record.rtype == Rtype.SOA and record.name != origin:
        raise BadZone(f"{where} is not at the apex")
    if not 0 <= record.ttl <= MAX_TTL:
        raise BadZone(f"{where}: a TTL is 0 to {MAX_TTL} seconds")


def _node(name: Name, kinds: Mapping[int, list[Record]], route: Route | None) -> Node:
    if Rtype.CNAME in kinds:
        if len(kinds) > 1 or len({each.rdata for each in kinds[Rtype.CNAME]}) > 1:
            raise BadZone(f"{text_of(name)} has a CNAME and other records")
        if route is not None:
            raise BadZone(f"{text_of(name)} has a CNAME and is routed")
    if route is not None and not _GLUE.isdisjoint(kinds):
        raise BadZone(f"{text_of(name)} has addresses and is routed")
    if Rtype.NS in kinds and name.startswith(b"\x01*"):
        raise BadZone(f"{text_of(name)}: a wildcard cannot be delegated (RFC 4592 s4.2)")
    rrsets: dict[int, RRset] = {}
    for rtype, records in kinds.items():
        rdatas = tuple(dict.fromkeys(record.rdata for record in records))
        if len(rdatas) > MAX_RDATAS:
            raise BadZone(f"{text_of(name)} has more than {MAX_RDATAS} {type_word(rtype)} records")
        rrsets[rtype] = RRset(name, rtype, min(record.ttl for record in records), rdatas)
    return Node(MappingProxyType(rrsets), route)


def _check_names(origin: Name, nodes: Mapping[Name, Node], cuts: frozenset[Name]) -> None:
    """What can be said only when all of it is there."""
    if Rtype.CNAME in nodes[origin].rrsets:
        raise BadZone(f"{text_of(origin)} is the apex and cannot be a CNAME; write a route or addresses")
    for name, node in nodes.items():
        above = [each for each in ancestors(name) if each in cuts and each != name]
        if above and (node.route is not None or not set(node.rrsets) <= _GLUE):
            raise BadZone(f"{text_of(name)} is beyond the delegation of {text_of(above[0])}")
        if name in cuts and (node.route is not None or not set(node.rrsets) <= {*_GLUE, Rtype.NS, Rtype.DS}):
            raise BadZone(f"{text_of(name)} is delegated and has other records")
        for rtype in (Rtype.NS, Rtype.MX):
            for rdata in node.rrsets[rtype].rdatas if rtype in node.rrsets else ():
                target = nodes.get(rdata.names[0])
                if target is not None and Rtype.CNAME in target.rrsets:
                    named = f"{text_of(name)} {rtype.name} names {text_of(rdata.names[0])}"
                    raise BadZone(f"{named}, which is a CNAME (RFC 2181 s10.3)")


def _negative(soa: RRset) -> RRset:
    """RFC 2308 s3: its TTL is the lesser of its own and of its last field."""
    minimum = int.from_bytes(soa.rdatas[0].tail[16:20], "big")
    return RRset(soa.name, soa.rtype, min(soa.ttl, minimum), soa.rdatas)
