"""One try of one request at one origin, and what may be done after it failed.

Owns: `Try` and `Further`. Who tries again, where, and how often, is edge.fill.pool's to say, or origin_shield's; what is
allowed at all is said here, once. RFC 9110 s9.2.2, RFC 9112 s9.3.1: nobody can tell whether an origin acted on what it got
before its connection broke, so only a safe request without a body is sent twice, and only where not one byte was answered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from edge.errors import UpstreamFault
from edge.fill.connection import Connection
from edge.fill.destination import Destination, PoolRoom
from edge.fill.exchange import Answer, Exchange, request_bytes
from edge.fill.upload import Upload
from edge.fill.upstream import SAFE_METHODS, BodySource, Fetched, OnInterim, Timings, UpstreamRequest
from edge.semantics.rules import OriginRules
from edge.wire.framing import NO_BODY


class Further(Enum):
    """What may be done after a try that failed."""

    NOT_SENT = auto()
    """Nothing was sent: another origin may have any request."""
    WAS_DEAD = auto()
    """A connection that had been idle was dead: once more on a fresh one, free of charge."""
    DROPPED = auto()
    """The origin broke the connection without a word: again, here or elsewhere."""
    SILENT = auto()
    """It said nothing in time: again, but elsewhere."""
    FINAL = auto()
    """It may have acted, or answered already: never again."""


class Errand:
    """One request on its way, however often it is tried. Raises nothing by itself.

    total_at: loop time at which all must be over.
    """

    __slots__ = ("body", "may_repeat", "on_interim", "request", "rules", "total_at")

    def __init__(
        self,
        request: UpstreamRequest,
        body: BodySource | None,
        on_interim: OnInterim | None,
        rules: OriginRules,
    ) -> None:
        assert (body is None) == (request.framing == NO_BODY), "a body and its framing come together"
        self.request = request
        self.body = body
        self.on_interim = on_interim
        self.rules = rules
        self.total_at = asyncio.get_running_loop().time() + rules.timeouts.total
        self.may_repeat = body is None and request.method in SAFE_METHODS


@dataclass(frozen=True, slots=True)
class Aim:
    """An origin as one site has it. path: put before every target; origins that differ in it share their connections."""

    destination: Destination
    path: bytes


class Try:
    """See the module. further: valid once `run` has raised UpstreamFault."""

    __slots__ = ("_aim", "_errand", "_room", "further")

    def __init__(self, errand: Errand, aim: Aim, room: PoolRoom) -> None:
        self._errand = errand
        self._aim = aim
        self._room = room
        self.further = Further.NOT_SENT

    async def run(self, *, fresh: bool) -> Fetched:
        """Send, and return when the final head is there. fresh: on a connection that has not served yet.

        Raises as `Upstream.fetch` does.
        """
        errand, destination = self._errand, self._aim.destination
        connection = await destination.acquire(errand.rules, fresh=fresh)
        exchange = Exchange(
            errand.request, errand.rules.timeouts, errand.on_interim, total_at=errand.total_at
        )
        self.further = Further.FINAL
        try:
            answer = await self._send(connection, exchange)
        except UpstreamFault as fault:
            if errand.may_repeat and not exchange.has_bytes:
                is_dead = fault.proxy_status == "connection_terminated"
                if is_dead and exchange.is_reused and not fresh:
                    self.further = Further.WAS_DEAD
                else:
                    self.further = Further.DROPPED if is_dead else Further.SILENT
            raise
        return _fetched(destination, connection, exchange, answer)

    async def _send(self, connection: Connection, exchange: Exchange) -> Answer:
        errand, destination = self._errand, self._aim.destination
        head = request_bytes(errand.request, self._aim.path)
        if errand.body is None:
            connection.send(head, exchange)
        else:
            connection.send(b"", exchange)
            upload = Upload(connection, exchange, head, errand.request.framing, errand.body)
            exchange.upload = self._room.tasks.spawn(upload.run(), name=f"upload to {destination.name}")
        try:
            return await exchange.answered
        except UpstreamFault as fault:
            destination.tally.outcome(fault.proxy_status).value += 1
            raise
        except asyncio.CancelledError:
            connection.drop(exchange)
            raise


def _fetched(destination: Destination, connection: Connection, exchange: Exchange, answer: Answer) -> Fetched:
    head = answer.parsed.head
    destination.tally.outcome(head.status // 100).value += 1
    destination.tally.seconds.observe(answer.at - exchange.sent_at)
    return Fetched(
        head,
        answer.parsed.framing,
        exchange.body,
        answer.tunnel,
        exchange.is_reused,
        connection.address,
        Timings(exchange.sent_at, answer.at),
    )
