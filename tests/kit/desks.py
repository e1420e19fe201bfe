"""Desks of several nodes that share one purge log, on the test's own event loop.

    office = Office()
    a, b = office.desk(), office.desk()
    answer = await a.ask(signed_post({"urls": [...]}))

The log is a list that does what JetStream does with message ids; `office.deliver()` lets the nodes read it, `office.silent`
lets it acknowledge nothing.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from typing import Any

from edge.measures import Measures
from edge.purge.declined import Declined
from edge.purge.desk import Caller, PurgeDesk
from edge.purge.desk_recent import Ordered
from edge.purge.dialects import read
from edge.purge.dialects_routes import Purge, Shape, route
from edge.purge.log import Appended, LogUnavailable, Past
from edge.purge.signing.keys import Algorithm, Key, KeyRing, Scope, ScopeKind
from edge.purge.signing.message import Message
from edge.purge.signing.private_keys import material_of
from edge.purge.signing.sign import SigningKey, request_to, sign
from edge.semantics.message import Fields, Line
from edge.semantics.purge_order import PurgeOrder, decode, encode
from edge.semantics.rules import SiteRules
from edge.settings.node import NodeSettings, PurgeSettings
from edge.settings.sites import SiteTable
from tests.kit.clock import ManualClock

HISTORY = "00000000000000aa"
API = "http://127.0.0.1:8081"

SHOP = SiteRules(name="shop", hostnames=(b"shop.example", b"*.shop.example"))
BLOG = SiteRules(name="blog", hostnames=(b"blog.example",))
SITES = SiteTable((SHOP, BLOG))

ALL = SigningKey("all", Algorithm.ED25519, bytes(range(32)))
SHOPS = SigningKey("shops", Algorithm.ED25519, bytes(range(1, 33)))
TAGS = SigningKey("tags", Algorithm.HMAC_SHA256, bytes(range(2, 34)))

SCOPES = {
    "all": Scope(may_purge_everything=True),
    "shops": Scope(sites=frozenset({"shop"})),
    "tags": Scope(kinds=frozenset({ScopeKind.TAG})),
}


def ring(*keys: SigningKey) -> KeyRing:
    """The node's side of keys, with their scopes."""
    return KeyRing(Key(key.id, key.algorithm, material_of(key), SCOPES[key.id]) for key in keys)


@dataclass
class SharedLog:
    """Orders by sequence number, from 1. silent: it stores nothing and acknowledges nothing. deaf: it stores, and no
    acknowledgement arrives.
    """

    stored: list[Past] = field(default_factory=list)
    silent: bool = False
    deaf: bool = False
    twice: bool = False
    """Each order is sent twice, as when the first acknowledgement was lost."""
    asked: int = 0

    async def append(self, order: PurgeOrder, *, within: float = 10.0) -> Appended:
        if self.silent:
            raise LogUnavailable("no servers")
        written = decode(encode(order))
        assert isinstance(written, PurgeOrder)
        known = next((past for past in self.stored if past.order.id == order.id), None)
        if known is None:
            known = Past(len(self.stored) + 1, order.at, written)
            self.stored.append(known)
            if not self.twice:
                if self.deaf:
                    raise LogUnavailable("no word")
                return Appended(known.seq, duplicate=False)
        return Appended(known.seq, duplicate=True)

    async def history(self, *, limit: int = 100, before: int | None = None) -> list[Past]:
        self.asked += 1
        if self.silent:
            raise LogUnavailable("no servers")
        older = [past for past in self.stored if before is None or past.seq < before]
        return older[: -limit - 1 : -1]


@dataclass
class HandReading:
    """A follower of the log, turned by hand. current: whether it knows itself to be."""

    history: str = HISTORY
    current: bool = True
    read: int = 0

    def seq_of(self, position: int) -> int | None:
        return position

    def is_current(self, now_mono: float, lease: float) -> bool:
        return self.current


@dataclass
class OneDesk:
    """The desk of one node."""

    desk: PurgeDesk
    reading: HandReading
    measures: Measures
    office: Office

    async def ask(self, message: Message) -> Ordered | Declined:
        """All that is done with a request that purges, but for the HTTP around it."""
        found = route(message.method, message.target)
        assert isinstance(found, Purge), found
        self.office.clock.advance(1e-5)  # no two requests come at the same moment
        caller = self.desk.caller(message)
        return caller if isinstance(caller, Declined) else await self.take(message, found, caller)

    async def ask_by_method(self, message: Message, peer: str) -> Ordered | Declined:
        """The same with PURGE."""
        caller = self.desk.caller_by_method(message, peer)
        if isinstance(caller, Declined):
            return caller
        return await self.take(message, Purge(Shape.METHOD), caller)

    async def take(self, message: Message, found: Purge, caller: Caller) -> Ordered | Declined:
        request = read(found, message, self.desk.asking(caller))
        return request if isinstance(request, Declined) else await self.desk.order(request, caller)

    def deliver(self) -> None:
        """Read the log to its end."""
        for past in self.office.log.stored[self.reading.read :]:
            self.desk.took(past.order, past.seq)
            self.reading.read = past.seq

    def verdicts(self) -> dict[str, float]:
        """How often each verdict about a signature was counted."""
        cells = self.measures.signatures.cells
        return {values[0]: cell.value for values, cell in cells.items()}


class Office:
    """The log, the clock and the settings that all desks have."""

    def __init__(self, purge: PurgeSettings = PurgeSettings(), sites: SiteTable = SITES) -> None:
        self.log = SharedLog()
        self.clock = ManualClock()
        self.settings = NodeSettings(purge=purge, sites=sites)
        self.ring = ring(ALL, SHOPS, TAGS)
        self.desks: list[OneDesk] = []
        self._ids = itertools.count(1)
        self._nonces = itertools.count(1)

    async def desk(self) -> OneDesk:
        """Of one more node, which has recalled what the log has."""
        made = self.new_desk()
        await made.desk.recall()
        return made

    def new_desk(self) -> OneDesk:
        """Of one that has not."""
        reading, measures = HandReading(), Measures()
        desk = PurgeDesk(
            self.log,
            reading,
            keys=lambda: self.ring,
            settings=lambda: self.settings,
            clock=self.clock,
            wall=self.clock.now,
            new_id=lambda: f"r{next(self._ids)}",
            measures=measures,
        )
        self.desks.append(OneDesk(desk, reading, measures, self))
        return self.desks[-1]

    def deliver(self) -> None:
        """Let all nodes read the log to its end."""
        for desk in self.desks:
            desk.deliver()

    def change(self, **changes: Any) -> None:
        """Other settings of purges."""
        self.settings = replace(self.settings, purge=replace(self.settings.purge, **changes))

    def nonce(self) -> str:
        return f"nonce-number-{next(self._nonces)}"

    def post(
        self,
        said: object,
        path: str = "/v1/purges",
        *,
        key: SigningKey = ALL,
        lines: tuple[Line, ...] = (),
        nonce: str | None = None,
    ) -> Message:
        """A signed POST. said: bytes as they are, None = no body, else JSON."""
        body = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
        return self.signed(posted(body, path, lines=lines), key, nonce)

    def signed(self, message: Message, key: SigningKey = ALL, nonce: str | None = None) -> Message:
        """The same, signed now."""
        used = self.nonce() if nonce is None else nonce
        lines = sign(message, key, now=self.clock.now(), nonce=used)
        return replace(message, fields=message.fields.with_added(*lines))


def posted(body: bytes, path: str = "/v1/purges", *, lines: tuple[Line, ...] = ()) -> Message:
    """An unsigned POST of JSON."""
    kind = ((b"Content-Type", b"application/json"),) if body else ()
    return request_to(API + path, method="POST", fields=Fields((*kind, *lines)), body=body)


def purged(url: str, *lines: Line) -> Message:
    """An unsigned PURGE."""
    return request_to(url, method="PURGE", fields=Fields(lines))


def urls(count: int, first: int = 0) -> dict[str, object]:
    """A body that names so many URLs of the shop."""
    return {"urls": [f"https://shop.example/{number}" for number in range(first, first + count)]}


def ordered(answer: Ordered | Declined) -> Ordered:
    """The order, which there is."""
    assert isinstance(answer, Ordered), answer
    return answer


def declined(answer: Ordered | Declined) -> Declined:
    """Why not, where it was not taken."""
    assert isinstance(answer, Declined), answer
    return answer
