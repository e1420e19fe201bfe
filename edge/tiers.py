"""Where a miss goes next, and what the request looks like there.

Owns: `Tiers`. Three kinds of next tier: inside one node, the worker that owns the key, over a Unix socket; another node
that shields the origin, as `Shields` says; and the site's origin. All misses for a key meet at its owner, so that a node
asks once however many workers it has (promise 4), and only the owner writes the key to the disk they share.

Between workers and between nodes the request travels as it was parsed, with fields of ours: `Perigee-Authority` (scheme,
host, port), `Perigee-Hops` (verified addresses, client first), and `Perigee-Need`, the position of the purge log that the
answer must be clean up to, which the fill adds when it sends; another node is shown a passport for all of that
(edge.passport), and a worker is told when it was a node that asked. No client can set them: everything named Perigee-* is
dropped at parse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from edge.errors import ClientFault
from edge.exchange import Exchange
from edge.fill.order import BACKGROUND, NEED, Route
from edge.fill.upstream import Upstream, UpstreamRequest
from edge.passport import PASSPORT, issue
from edge.semantics.answer import SPECIAL
from edge.semantics.forwarding import (
    Network,
    authority_seen_by_client,
    is_trusted,
    one_hop_further,
    pseudonym,
    request_to_upstream,
    verified_hops,
    via_line,
)
from edge.semantics.message import Authority, Fields, Line, RequestHead, UnixSeconds
from edge.semantics.remembered import Remembered
from edge.semantics.rules import SiteRules
from edge.semantics.stored import StoredResponse
from edge.semantics.syntax import list_of_lines
from edge.semantics.validation import conditional_fields
from edge.values import replace, value
from edge.wire.render import remember

AUTHORITY = b"Perigee-Authority"
HOPS = b"Perigee-Hops"
FOR_NODE = b"Perigee-For-Node"
"""Between workers: it was another node that asked."""
_AUTHORITY, _HOPS, _NEED, _BACKGROUND = (name.lower() for name in (AUTHORITY, HOPS, NEED, BACKGROUND))
_OURS = (_AUTHORITY, _HOPS, _NEED, _BACKGROUND, PASSPORT.lower(), FOR_NODE.lower())
GET, HEAD, OPTIONS, TRACE = b"GET", b"HEAD", b"OPTIONS", b"TRACE"


class Shields(Protocol):
    """Which nodes are between us and an origin (origin_shield)."""

    def ways(self, rules: SiteRules, key: bytes, *, from_node: bool) -> Ways:
        """For one request. from_node: another node asks, so that we are its shield."""


@value(frozen=True, slots=True)
class Ways:
    """nodes: to be asked in this order. straight: whether the origin may be asked by ourselves after them."""

    nodes: tuple[Upstream, ...] = ()
    straight: bool = True


class NoShields:
    """Every node asks origins itself."""

    def ways(self, _rules: SiteRules, _key: bytes, *, from_node: bool) -> Ways:
        """None but the straight one."""
        return _STRAIGHT


_STRAIGHT = Ways()
_NO_SHIELDS = NoShields()


class Tiers:
    """The routes of one worker. owner_of: index of the worker that owns a key. `trusted` may be replaced at any time.

    secret: what passports for other nodes are sealed with, None = we have none and ask no node; may be replaced, too.
    """

    def __init__(
        self,
        *,
        name: bytes,
        cdn_id: bytes,
        trusted: Sequence[Network],
        index: int,
        owner_of: Callable[[bytes], int],
        workers: Sequence[Upstream],
        origin_of: Callable[[SiteRules], Upstream],
        shields: Shields = _NO_SHIELDS,
        secret: bytes | None = None,
        now: Callable[[], float] = float,
    ) -> None:
        self._shields = shields
        self.secret = secret
        self._now = now
        self.cdn_id = cdn_id
        self._name = name
        self.trusted = tuple(trusted)
        self._index = index
        self._owner_of = owner_of
        self._workers = workers
        self._origin_of = origin_of
        self._known: Remembered[tuple[SiteRules, Fields]] = Remembered()
        """What requests to origins carry, by what they came with. The rules are held, since their id is part of the key."""

    def owns(self, key: bytes) -> bool:
        """True when this worker owns the key."""
        return self._owner_of(key) == self._index

    # -- a request as it came --

    def restored(self, exchange: Exchange) -> RequestHead:
        """The request as the client meant it: what a worker or a trusted proxy in front of us says of it is taken in.."""
        head = exchange.request.head
        if exchange.tier:
            return replace(head, authority=_authority(head.fields), fields=head.fields.without(_OURS))
        if self.trusted and is_trusted(exchange.peer, self.trusted):
            return replace(head, authority=authority_seen_by_client(head.authority, head.fields))
        return head

    def client(self, exchange: Exchange) -> str:
        """The address of who asks, by what workers and trusted proxies say; "unknown" = none of them could tell."""
        hops = self._hops(exchange)
        said = list_of_lines(exchange.request.head.fields.all(b"x-forwarded-for"))
        if not exchange.tier and len(said) >= len(hops) and is_trusted(hops[0], self.trusted):
            return "unknown"  # a proxy, and whom it had it from is no address
        return hops[0]

    def need(self, exchange: Exchange) -> bytes | None:
        """What the tier that asks needs, as it said it; None for a client, and where there is no purge log."""
        return exchange.request.head.fields.get(_NEED) if exchange.tier else None

    def is_background(self, exchange: Exchange) -> bool:
        """Whether the tier that asks says that no client waits for the answer."""
        return exchange.tier and _BACKGROUND in exchange.request.head.fields

    def _hops(self, exchange: Exchange) -> tuple[str, ...]:
        fields = exchange.request.head.fields
        if exchange.tier:
            said = fields.get(_HOPS) or b"unknown"
            return tuple(part.strip() for part in said.decode("latin-1").split(","))
        return verified_hops(exchange.peer, fields, self.trusted)

    # -- a request as it goes on --

    def routes(
        self, exchange: Exchange, head: RequestHead, rules: SiteRules, key: bytes
    ) -> tuple[Route, ...]:
        """For a fill: by the key's owner, by the shields, and straight to the origin should those be down."""
        behind = self._behind(
            exchange,
            head,
            rules,
            key,
            lambda validating: self._to_origin(exchange, head, rules, conditional_fields(validating)),
            lambda validating: _validating(head, validating),
        )
        worker = self._owner_in_reach(exchange, key)
        if worker is None:
            return behind
        to_owner = Route(
            worker,
            lambda validating: self._to_worker(exchange, head, _validating(head, validating)),
            is_worker=True,
        )
        return (to_owner, *behind)

    def _behind(
        self,
        exchange: Exchange,
        head: RequestHead,
        rules: SiteRules,
        key: bytes,
        to_origin: Callable[[tuple[StoredResponse, ...]], UpstreamRequest],
        fields: Callable[[tuple[StoredResponse, ...]], Fields],
        *,
        passed_on: bool = False,
    ) -> tuple[Route, ...]:
        """Out of this node: by its shields, and to the origin. fields: of the request to a shield."""
        ways = self._shields.ways(rules, key, from_node=_is_for_node(exchange))
        if not ways.nodes:
            return (Route(self._origin_of(rules), to_origin),)
        nodes = tuple(
            Route(
                node,
                lambda validating: self._to_node(exchange, head, fields(validating), passed_on=passed_on),
                is_node=True,
                seal=self._sealed,
            )
            for node in ways.nodes
        )
        if not ways.straight:
            return nodes
        return (*nodes, Route(self._origin_of(rules), to_origin))

    def straight(
        self, exchange: Exchange, head: RequestHead, rules: SiteRules, key: bytes, *, by_owner: bool = False
    ) -> tuple[Route, ...]:
        """For what is not stored: to the origin, with the client's own conditionals, range and body.

        by_owner: by that of the key, should it be another worker: it may have the answer, or may have to keep it.
        """
        behind = self._behind(
            exchange,
            head,
            rules,
            key,
            lambda _: self._to_origin(exchange, head, rules, (), passed_on=True),
            lambda _: head.fields,
            passed_on=True,
        )
        worker = self._owner_in_reach(exchange, key) if by_owner else None
        if worker is None:
            return behind
        to_owner = self._to_worker(exchange, head, head.fields)
        if head.method not in (GET, HEAD):
            to_owner = replace(to_owner, framing=exchange.request.framing)
        return (Route(worker, lambda _: to_owner, is_worker=True), *behind)

    def is_anothers(self, exchange: Exchange, key: bytes) -> bool:
        """True when another worker of this node owns the key, and it was not that one who asked."""
        return self._owner_in_reach(exchange, key) is not None

    def _owner_in_reach(self, exchange: Exchange, key: bytes) -> Upstream | None:
        """The worker that owns the key; None when we do, or when the request comes from a worker already."""
        owner = self._owner_of(key)
        if owner == self._index or not self._workers or (exchange.tier and exchange.is_worker):
            return None
        return self._workers[owner]

    def _to_origin(
        self,
        exchange: Exchange,
        head: RequestHead,
        rules: SiteRules,
        conditional: tuple[Line, ...],
        *,
        passed_on: bool = False,
    ) -> UpstreamRequest:
        hops = self._hops(exchange)
        if conditional or head.fields is not exchange.request.head.fields or head.method not in (GET, HEAD):
            # Of fields that are not the parser's own object (a tier's, cleaned ones) no later request has these very ones.
            fields = self._fields_to_origin(head, rules, hops, conditional, passed_on=passed_on)
        else:
            # The same for all that one client asks of one host, and known by the object that its fields are.
            of = (id(rules), head.authority, hops, head.minor, passed_on)
            known = self._known.get(head.fields, of)
            if known is not None:
                fields = known[1]
            else:
                fields = self._fields_to_origin(head, rules, hops, (), passed_on=passed_on)
                self._known.keep(head.fields, (rules, fields), of)
                remember(fields)
        host = rules.origin.host_header or head.authority.render()
        parsed = exchange.request
        if passed_on and head.method not in (GET, HEAD):
            return UpstreamRequest(head.method, head.target, host, fields, parsed.framing, parsed.upgrade)
        upgrade = parsed.upgrade if passed_on else None
        return UpstreamRequest(head.method, head.target, host, fields, upgrade=upgrade)

    def _fields_to_origin(
        self,
        head: RequestHead,
        rules: SiteRules,
        hops: tuple[str, ...],
        conditional: tuple[Line, ...],
        *,
        passed_on: bool,
    ) -> Fields:
        return request_to_upstream(
            head,
            rules,
            hops=hops,
            via=self._name,
            cdn_id=self.cdn_id,
            conditional=conditional,
            keep_client_conditionals=passed_on,
        )

    def _to_tier(self, exchange: Exchange, head: RequestHead, fields: Fields) -> UpstreamRequest:
        """As it was parsed, with what is known of it."""
        authority = head.authority
        said = b"%b %b %d" % (authority.scheme, authority.host, authority.port)
        hops = ", ".join(self._hops(exchange)).encode("latin-1", "replace")
        fields = fields.with_added((AUTHORITY, said), (HOPS, hops))
        return UpstreamRequest(head.method, head.target, authority.render(), fields)

    def _to_worker(self, exchange: Exchange, head: RequestHead, fields: Fields) -> UpstreamRequest:
        if _is_for_node(exchange):
            fields = fields.with_added((FOR_NODE, b"1"))
        return self._to_tier(exchange, head, fields)

    def _to_node(
        self, exchange: Exchange, head: RequestHead, fields: Fields, *, passed_on: bool
    ) -> UpstreamRequest:
        """As to a worker, through the network: it may come back to us, and a body or an upgrade comes along."""
        if head.method in (OPTIONS, TRACE):
            fields = one_hop_further(fields)
        fields = fields.with_added(via_line(self._name, head.minor), (b"CDN-Loop", pseudonym(self.cdn_id)))
        request = self._to_tier(exchange, head, fields)
        parsed = exchange.request
        if passed_on and parsed.upgrade is not None:
            request = replace(request, upgrade=parsed.upgrade)
        return request if head.method in (GET, HEAD) else replace(request, framing=parsed.framing)

    def _sealed(self, request: UpstreamRequest) -> UpstreamRequest:
        """With a passport: the last that is done to it before it is sent."""
        assert self.secret is not None, "a way to another node without a secret"
        shown = issue(
            self._name,
            UnixSeconds(self._now()),
            self.secret,
            method=request.method,
            authority=request.host,
            target=request.target,
            fields=request.fields,
        )
        return replace(request, fields=request.fields.with_added((PASSPORT, shown)))


def _is_for_node(exchange: Exchange) -> bool:
    """Whether another node asked, this worker or the one that came to it."""
    if not exchange.tier:
        return False
    return not exchange.is_worker or FOR_NODE.lower() in exchange.request.head.fields


def _validating(head: RequestHead, validating: tuple[StoredResponse, ...]) -> Fields:
    """The fields of a fill's request: our conditionals in the place of the client's, and the whole of it."""
    return head.fields.without(SPECIAL).with_added(*conditional_fields(validating))


def _authority(fields: Fields) -> Authority:
    said = (fields.get(_AUTHORITY) or b"").split(b" ")
    if len(said) != 3 or not said[2].isdigit():
        raise ClientFault("a tier's request without its authority")
    return Authority(said[0], said[1], int(said[2]))
