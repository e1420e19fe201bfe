"""Answers kept ready as octets. PURE (it keeps what it made; nothing comes from outside but the view).

Owns: `HotAnswers`: from the octets of a query to those of its answer by a few look-ups, for queries of the usual shapes; None
for all others, which the strict path answers (edge.geo.dns.responder). Rules:
* What is answered here is what the strict path would answer (tests/geo/dns/test_hot.py holds them against each other).
* An answer is found by the question's octets, the name in lower case: a name's first zero octet ends it if what is before
  it is a name that we know, so the question needs no parsing. 0x20 survives since the question is echoed.
* What a routed name is answered depends on the bucket of the client's address alone, so it is made once for each.
* One of these lives as long as its view; a new view starts with none of it. `max_answers` bounds what is kept.
* Names that do not exist are not kept, since they are without number: their nearest ancestor that exists is, and has
  the SOA record ready, or the wildcard's answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edge.geo.dns.answer import resolve
from edge.geo.dns.edns import IPV4, IPV6
from edge.geo.dns.names import MAX_LABEL_BYTES, MAX_NAME_BYTES, Name, wildcard_below
from edge.geo.dns.rdata import IN, Rtype
from edge.geo.dns.ready import SHAPES, Ready, ready_below, ready_for, ready_negative
from edge.geo.dns.render import AnswerReason, Reply
from edge.geo.dns.view import Placed, View
from edge.geo.dns.wire import HEADER_BYTES, PLAIN_LIMIT, TCP_LIMIT, Rcode
from edge.geo.dns.zone import Route, Zone

MAX_LOCATED = 65_536
"""Blocks of a family whose bucket is remembered; they are forgotten all at once, which costs less than keeping an order."""

_IN = IN.to_bytes(2, "big")
_V4_OPTION = b"\0\x0b\0\x08\0\x07\0\x01\x18\0"
"""The length of all options, and a client subnet of IPv4 with prefix 24 and scope 0, up to its address."""
_V6_OPTION = b"\0\x0f\0\x08\0\x0b\0\x02\x38\0"
_COOKIE_OPTION = b"\0\x1c\0\x0a\0\x18"
"""The same with a cookie of both halves."""
_HALVES = tuple(bytes((octet >> 4,)) + b"/" for octet in range(256))
"""What stands for the upper half of an octet in the key of a block of 20 bits."""
_NO_OPTION = b"\0\0"
_SCOPES = tuple(bytes((scope,)) for scope in range(129))
_NEVER = frozenset(kind.to_bytes(2, "big") for kind in (0, Rtype.OPT, Rtype.AXFR, Rtype.IXFR))
"""Types for which it does not matter whether the name exists."""
_TYPES = frozenset(map(int, Rtype))
"""Types for which an answer is kept: of the others there are 65,000, and nobody asks for them."""

Counted = TypeVar("Counted")


@dataclass(slots=True)
class Routed(Generic[Counted]):
    """A routed question. by_wildcard: it is for all names that the wildcard stands for.

    by_reply: the same answers, since there are far fewer of them than buckets.
    """

    ecs: bool
    qtype: int
    by_wildcard: bool
    by_bucket: dict[int, Ready[Counted]] = field(default_factory=dict)
    by_reply: dict[Reply, Ready[Counted]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Nearest(Generic[Counted]):
    """A name that exists, for names below it that do not. wildcard: the name of the one that stands for them."""

    negative: Ready[Counted]
    wildcard: Name | None


class HotAnswers(Generic[Counted]):
    """See the module. udp_size: the longest answer by UDP. counted: made for each answer once, for the owner's counters.

    has_cookie: of 24 octets of a cookie and the packed address that sent them: whether we gave them to it. on_full: called
    for each answer that is not kept, since there is no room.
    """

    def __init__(
        self,
        view: View,
        *,
        udp_size: int,
        max_answers: int,
        counted: Callable[[Reply], Counted],
        has_cookie: Callable[[bytes], bool],
        on_full: Callable[[], None] = lambda: None,
    ) -> None:
        self.view = view
        self.kept = 0
        self._limit = udp_size
        self._max_answers = max_answers
        self._counted = counted
        self._has_cookie = has_cookie
        self._on_full = on_full
        self._by_question: dict[bytes, Ready[Counted] | Routed[Counted]] = {}
        self._by_wildcard: dict[bytes, Ready[Counted] | Routed[Counted]] = {}
        self._v4: dict[bytes, tuple[int, bytes]] = {}
        self._v6: dict[bytes, tuple[int, bytes]] = {}
        size = udp_size.to_bytes(2, "big")
        self._opts = tuple(b"\0\0\x29" + size + b"\0\0" + flags for flags in (b"\0\0", b"\x80\0"))
        ecs = view.ecs
        self._takes_v4 = ecs.enabled and ecs.max_v4 >= 24
        self._takes_v6 = ecs.enabled and ecs.max_v6 >= 56
        self._nearest: dict[bytes, Nearest[Counted] | None] = {}
        for zone in view.zones.values():
            self._add_names(zone)

    def _add_names(self, zone: Zone) -> None:
        reply = Reply(
            Rcode.NXDOMAIN, AnswerReason.NXDOMAIN, is_authoritative=True, authority=(zone.negative,)
        )
        negative = ready_negative(zone, reply, self._counted(reply))
        for name in zone.nodes:
            if self.view.zone_of(name) is zone:
                wildcard = wildcard_below(name)
                nearest = Nearest(negative, wildcard if wildcard in zone.nodes else None)
                self._nearest[name] = nearest if zone.find(name).cut is None else None

    def answer(
        self, query: bytes, source: bytes, *, by_tcp: bool = False
    ) -> tuple[bytes, Ready[Counted]] | None:
        """The answer's octets and what it is; None = the strict path has to look. source: packed address."""
        shape = SHAPES.get(query[2:HEADER_BYTES])
        if shape is None:
            return None
        root = query.find(0, HEADER_BYTES)
        end = root + 5
        found = self._by_question.get(query[HEADER_BYTES : root + 1].lower() + query[root + 1 : end])
        if found is None:
            found = self._unknown(Name(query[HEADER_BYTES : root + 1].lower()), query[root + 1 : end])
            if found is None:
                return None
        if shape & 1:
            read = self._edns(query, end, source)
            if read is None:
                return None
            limit, opt, subnet = read
        elif len(query) == end:
            limit, opt, subnet = PLAIN_LIMIT, b"", b""
        else:
            return None
        scope = b"\0"
        if isinstance(found, Routed):
            by_subnet = subnet and found.ecs
            bucket, scope = self._where(subnet if by_subnet else source)
            ready = found.by_bucket.get(bucket) or self._placed(found, bucket, query[HEADER_BYTES : root + 1])
            if not by_subnet or not ready.reply.geography_mattered:
                scope = b"\0"
        else:
            ready = found
        if subnet:
            opt += scope + subnet
        if ready.pieces:
            body = (0xC001 + root - ready.zone_bytes).to_bytes(2, "big").join(ready.pieces)
        else:
            body = ready.bodies[query[1] % len(ready.bodies)]
        made = query[:2] + ready.heads[shape] + query[HEADER_BYTES:end] + body + opt
        if len(made) > PLAIN_LIMIT and len(made) > (TCP_LIMIT if by_tcp else min(limit, self._limit)):
            return None
        return made, ready

    def _edns(self, query: bytes, at: int, source: bytes) -> tuple[int, bytes, bytes] | None:
        """The size that is taken, our OPT record, which lacks the scope and address of a subnet, and that address."""
        options = query[at + 9 :]
        if query[at : at + 3] != b"\0\0\x29" or query[at + 5 : at + 7] != b"\0\0" or not options:
            return None
        size = query[at + 3] << 8 | query[at + 4]
        opt = self._opts[query[at + 7] >> 7]
        if options == _NO_OPTION:
            return size, opt + options, b""
        if self._takes_v4 and options[:10] == _V4_OPTION and len(options) == 13:
            return size, opt + options[:9], options[10:]
        if self._takes_v6 and options[:10] == _V6_OPTION and len(options) == 17:
            return size, opt + options[:9], options[10:]
        if options[:6] == _COOKIE_OPTION and self._has_cookie(options[6:] + source):
            return size, opt + options, b""
        return None

    def _where(self, network: bytes) -> tuple[int, bytes]:
        """Bucket and scope. network: 3 or 7 octets of a client subnet, 4 or 16 of a resolver's address.

        What was found out is kept for the whole block that it holds for: of 16, 20 or 24 bits, or 32, 48 or 56.
        """
        if len(network) <= 4:
            located = self._v4
            known = (
                located.get(network[:2])
                or located.get(network[:2] + _HALVES[network[2]])
                or located.get(network[:3])
            )
        else:
            located = self._v6
            known = located.get(network[:4]) or located.get(network[:6]) or located.get(network[:7])
        # Within a subnet addresses may differ; then what is known of it is for this question only.
        return known or located.get(b"--" + network) or self._look_up(network, located)

    def _look_up(self, network: bytes, located: dict[bytes, tuple[int, bytes]]) -> tuple[int, bytes]:
        is_v4 = len(network) <= 4
        found = self.view.geography.locate(network.ljust(4 if is_v4 else 16, b"\0"))
        prefix = found.prefix
        known = found.bucket, _SCOPES[min(prefix, self.view.finest(IPV4 if is_v4 else IPV6))]
        if len(located) >= MAX_LOCATED:
            located.clear()
        if is_v4:
            keys = {16: network[:2], 20: network[:2] + _HALVES[network[2]], 24: network[:3]}
        else:
            keys = {32: network[:4], 48: network[:6], 56: network[:7]}
        located[next((key for bits, key in keys.items() if prefix <= bits), b"--" + network)] = known
        return known

    def _placed(self, routed: Routed[Counted], bucket: int, qname: bytes) -> Ready[Counted]:
        """What a routed question is answered in a bucket that has not asked before."""
        geography = self.view.geography
        name = Name(qname.lower())
        reply = resolve(name, routed.qtype, self.view, lambda route: geography.place(route.site, bucket))
        ready = routed.by_reply.get(reply)
        if ready is None:
            make = ready_below if routed.by_wildcard else ready_for
            ready = make(name, reply, self._counted(reply))
        if (not routed.by_wildcard or self._is_for_all(reply)) and self._has_room():
            routed.by_bucket[bucket] = routed.by_reply[reply] = ready
        return ready

    def _has_room(self) -> bool:
        """Whether one more may be kept; it is counted as kept."""
        if self.kept >= self._max_answers:
            self._on_full()
            return False
        self.kept += 1
        return True

    def _unknown(self, lower: Name, kind: bytes) -> Ready[Counted] | Routed[Counted] | None:
        """For a question that is not kept. lower: the name, if it is one, up to its first zero. kind: type and class."""
        if kind[2:] != _IN or kind[:2] in _NEVER or not 0 < len(lower) <= MAX_NAME_BYTES:
            return None
        at = 0
        size = len(lower)
        while at < size:
            suffix = lower[at:]
            if suffix in self._nearest:
                return self._at(self._nearest[suffix], lower, kind, is_exact=at == 0)
            length = lower[at]
            if length > MAX_LABEL_BYTES or length == 0:
                return None
            at += length + 1
        return None

    def _at(
        self, nearest: Nearest[Counted] | None, lower: Name, kind: bytes, *, is_exact: bool
    ) -> Ready[Counted] | Routed[Counted] | None:
        """For a name that exists or whose nearest ancestor that exists is this. None = it is beyond a cut."""
        if nearest is None:
            return None
        if is_exact:
            return self._filled(lower, kind, lower, by_wildcard=False)
        if nearest.wildcard is None:
            return nearest.negative
        known = self._by_wildcard.get(nearest.wildcard + kind)
        return known or self._filled(lower, kind, nearest.wildcard, by_wildcard=True)

    def _filled(
        self, qname: Name, kind: bytes, keep_as: Name, *, by_wildcard: bool
    ) -> Ready[Counted] | Routed[Counted] | None:
        qtype = int.from_bytes(kind[:2], "big")
        if qtype not in _TYPES:
            return None
        routes: list[Route] = []

        def note(route: Route) -> Placed:
            routes.append(route)
            return Placed("", (), (), geography_mattered=False)

        reply = resolve(qname, qtype, self.view, note)
        made: Ready[Counted] | Routed[Counted]
        if routes:
            made = Routed(routes[0].ecs, qtype, by_wildcard)
        elif not by_wildcard:
            made = ready_for(qname, reply, self._counted(reply))
        elif self._is_for_all(reply):
            made = ready_below(qname, reply, self._counted(reply))
        else:
            return None
        if self._has_room():
            kept = self._by_wildcard if by_wildcard else self._by_question
            kept[keep_as + kind] = made
        return made

    def _is_for_all(self, reply: Reply) -> bool:
        """Whether it is the same for all names that a wildcard stands for: an alias may lead back to one of them."""
        if not reply.answer:
            return True
        first = reply.answer[0]
        is_alias = first.rtype == Rtype.CNAME
        return len(reply.answer) == 1 and not (is_alias and self.view.zone_of(first.rdatas[0].names[0]))
