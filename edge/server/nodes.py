"""The node as other nodes of ours see it: as their shield.

Owns: `NodeAnswers`. Rules: who shows no good passport gets 403, and nothing is looked up for him; who does gets what a
worker would, and in the terms of a network: Via, our own member of Cache-Status, and without what concerns only the
workers of this node. Who asks whether we are there is told so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.clock import Clock
from edge.errors import ClientFault
from edge.exchange import Exchange, Reply
from edge.fill.order import NOT_TO_BE_STORED
from edge.measures import Measures
from edge.node import Node
from edge.passport import PASSPORT, check
from edge.semantics.forwarding import via_line
from edge.semantics.message import EMPTY, UnixSeconds
from edge.semantics.reasons import Because
from edge.values import replace

IS_THERE = b"Perigee-Is-There"
"""A request with it asks for nothing but a 204."""
_PASSPORT = PASSPORT.lower()
_NOT_STORED = NOT_TO_BE_STORED.lower()
_LARGE = Because.FORWARDED_TO_OWNER.value.encode()


class NodeAnswers:
    """See the module. secrets: those in force."""

    def __init__(
        self, node: Node, secrets: Callable[[], Sequence[bytes]], clock: Clock, measures: Measures
    ) -> None:
        self._node = node
        self._secrets = secrets
        self._clock = clock
        self._refused = measures.passports_refused

    def answer_now(self, exchange: Exchange) -> Reply | None:
        """Never: a passport is looked at first."""

    async def handle(self, exchange: Exchange) -> Reply:
        """A request of another node. ClientFault for anybody else's."""
        head = exchange.request.head
        who = check(
            head.fields.get(_PASSPORT),
            UnixSeconds(self._clock.now()),
            self._secrets(),
            method=head.method,
            authority=head.authority.render(),
            target=head.target,
            fields=head.fields,
        )
        if isinstance(who, str):
            self._refused.of(who).value += 1
            raise ClientFault("this address is for the nodes of a network", status=403)
        if IS_THERE.lower() in head.fields:
            return Reply(204, b"", EMPTY, None, None)
        reply = await self._node.handle(replace(exchange, is_worker=False))
        fields = reply.fields
        if fields.get(_NOT_STORED) == _LARGE:
            fields = fields.without((_NOT_STORED,))
        reply.fields = fields.with_added(via_line(self._node.name))
        return reply
