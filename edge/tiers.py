"""Where a miss goes next, and what the request looks like there.

Owns: `Tiers`. Two kinds of next tier so far: the site's origin, and - inside one node - the worker that owns the
key, over a Unix socket. All misses for a key meet at its owner, so that a node asks its origin once however many
workers it has (promise 4), and only the owner writes the key to the disk they share. A shield tier is one more kind
of route.

Between workers the request travels as it was parsed, with two fields of ours: `Perigee-Authority` (scheme, host,
port) and `Perigee-Hops` (verified addresses, client first), and with the position of the purge log that the answer must
be clean up to (`Perigee-Need`, added by the fill when it is sent). No client can set them: everything named Perigee-* is
dropped at parse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.errors import ClientFault
from edge.exchange import Exchange
from edge.fill.order import NEED, Route
from edge.fill.upstream import Upstream, UpstreamRequest
from edge.semantics.forwarding import (
    Network,
    authority_seen_by_client,
    is_trusted,
    request_to_upstream,
    verified_hops,
)
from edge.semantics.message import Authority, Fields, Line, RequestHead
from edge.semantics.rules import SiteRules
from edge.semantics.validation import CONDITIONALS, conditional_fields
from edge.values import replace

AUTHORITY = b"Perigee-Authority"
HOPS = b"Perigee-Hops"
_OURS = (AUTHORITY.lower(), HOPS.lower(), NEED.lower())
_PARTS = CONDITIONALS | {b"range"}
GET, HEAD = b"GET", b"HEAD"


class Tiers:
    """The routes of one worker. owner_of: index of the worker that owns a key. `trusted` may be replaced at any time."""

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
    ) -> None:
        self.cdn_id = cdn_id
        self._name = name
        self.trusted = tuple(trusted)
        self._index = index
        self._owner_of = owner_of
        self._workers = workers
        self._origin_of = origin_of

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

    def need(self, exchange: Exchange) -> bytes | None:
        """What the tier that asks needs, as it said it; None for a client, and where there is no purge log."""
        return exchange.request.head.fields.get(_OURS[2]) if exchange.tier else None

    def _hops(self, exchange: Exchange) -> tuple[str, ...]:
        fields = exchange.request.head.fields
        if exchange.tier:
            said = fields.get(_OURS[1]) or b"unknown"
            return tuple(part.strip() for part in said.decode("latin-1").split(","))
        return verified_hops(exchange.peer, fields, self.trusted)

    # -- a request as it goes on --

    def routes(
        self, exchange: Exchange, head: RequestHead, rules: SiteRules, key: bytes
    ) -> tuple[Route, ...]:
        """For a fill: by the key's owner, and straight to the origin should that worker be down."""
        origin = Route(
            self._origin_of(rules),
            lambda validating: self._to_origin(exchange, head, rules, conditional_fields(validating)),
        )
        worker = self._owner_in_reach(exchange, key)
        if worker is None:
            return (origin,)
        to_owner = Route(
            worker,
            lambda validating: self._to_worker(
                exchange, head, head.fields.without(_PARTS).with_added(*conditional_fields(validating))
            ),
            is_worker=True,
        )
        return (to_owner, origin)

    def straight(
        self, exchange: Exchange, head: RequestHead, rules: SiteRules, key: bytes | None = None
    ) -> tuple[Route, ...]:
        """For what is not stored: to the origin, with the client's own conditionals, range and body.

        key: not None = by its owner, should that be another worker: it may have the answer, or may have to keep it.
        """
        request = self._to_origin(exchange, head, rules, (), passed_on=True)
        origin = Route(self._origin_of(rules), lambda _: request)
        worker = None if key is None else self._owner_in_reach(exchange, key)
        if worker is None:
            return (origin,)
        to_owner = self._to_worker(exchange, head, head.fields)
        if head.method not in (GET, HEAD):
            to_owner = replace(to_owner, framing=exchange.request.framing)
        return (Route(worker, lambda _: to_owner, is_worker=True), origin)

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
        fields = request_to_upstream(
            head,
            rules,
            hops=self._hops(exchange),
            via=self._name,
            cdn_id=self.cdn_id,
            conditional=conditional,
            keep_client_conditionals=passed_on,
        )
        host = rules.origin.host_header or head.authority.render()
        parsed = exchange.request
        if passed_on and head.method not in (GET, HEAD):
            return UpstreamRequest(head.method, head.target, host, fields, parsed.framing, parsed.upgrade)
        upgrade = parsed.upgrade if passed_on else None
        return UpstreamRequest(head.method, head.target, host, fields, upgrade=upgrade)

    def _to_worker(self, exchange: Exchange, head: RequestHead, fields: Fields) -> UpstreamRequest:
        authority = head.authority
        said = b"%b %b %d" % (authority.scheme, authority.host, authority.port)
        hops = ", ".join(self._hops(exchange)).encode("latin-1", "replace")
        fields = fields.with_added((AUTHORITY, said), (HOPS, hops))
        return UpstreamRequest(head.method, head.target, authority.render(), fields)


def _authority(fields: Fields) -> Authority:
    said = (fields.get(_OURS[0]) or b"").split(b" ")
    if len(said) != 3 or not said[2].isdigit():
        raise ClientFault("a tier's request without its authority")
    return Authority(said[0], said[1], int(said[2]))
