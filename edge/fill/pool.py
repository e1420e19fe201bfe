"""Misses on their way to origins: which origin, which connection, and whether to ask again.

Owns: `OriginPool` (all destinations of a worker) and `OriginUpstream` (the Upstream of one site). Rules:
origins are tried in order; the next one, or the same once more, only when nothing was sent (no connection) or
when a safe request without a body got not one byte of an answer, at most `retries` times; after a connection that
had been idle and turns out dead, once on a fresh one even where `retries` is 0; an unsafe request goes out at
most once, on a connection that was opened for it, because nobody can tell whether the origin acted on what it got before an
idle connection died. RFC 9110 s9.2.2, RFC 9112 s9.3.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.connection import Connection
from edge.fill.destination import DEFAULT_POOL, Destination, PoolRoom, PoolSettings
from edge.fill.dial import TlsContexts
from edge.fill.exchange import Answer, Exchange, request_bytes
from edge.fill.resolver import NameSource
from edge.fill.upload import Upload
from edge.fill.upstream import SAFE_METHODS, BodySource, Fetched, OnInterim, Timings, UpstreamRequest
from edge.measures import Measures
from edge.semantics.rules import OriginAddress, OriginRules
from edge.tasks import TaskOwner
from edge.wire.framing import NO_BODY
from edge.wire.limits import DEFAULT_LIMITS, Limits

_Key = tuple[bytes, bytes, int, bool, str | None, str | None, bool]


class OriginPool:
    """The connections of one worker to all origins. Close it on its loop."""

    def __init__(
        self,
        clock: Clock,
        names: NameSource,
        measures: Measures,
        *,
        limits: Limits = DEFAULT_LIMITS,
        settings: PoolSettings = DEFAULT_POOL,
    ) -> None:
        self._room = PoolRoom(
            clock, names, measures, limits, settings, TlsContexts(), TaskOwner("origin pool")
        )
        self._destinations: dict[_Key, Destination] = {}

    def upstream(self, rules: OriginRules) -> OriginUpstream:
        """The way to the origins of one site. Cheap; make a new one when the rules change."""
        return OriginUpstream(
            self._room, rules, tuple(self.destination(origin, rules) for origin in rules.origins)
        )

    def destination(self, origin: OriginAddress, rules: OriginRules) -> Destination:
        """The one set of connections for this address under these TLS and address rules."""
        key = (
            origin.scheme,
            origin.host,
            origin.port,
            rules.tls_verify,
            rules.tls_ca_file,
            rules.tls_server_name,
            rules.allow_private_names,
        )
        held = self._destinations.get(key)
        if held is None:
            held = self._destinations[key] = Destination(origin, self._room)
        return held

    def apply(self, limits: Limits) -> None:
        """New bounds, for connections that are opened from now on."""
        self._room.limits = limits

    async def aclose(self) -> None:
        """Break what is under way and close every connection."""
        for destination in self._destinations.values():
            destination.close()
        await self._room.tasks.aclose()


class OriginUpstream:
    """An `Upstream` over HTTP/1.1; see the module."""

    __slots__ = ("_destinations", "_room", "_rules")

    def __init__(self, room: PoolRoom, rules: OriginRules, destinations: tuple[Destination, ...]) -> None:
        self._room = room
        self._rules = rules
        self._destinations = destinations

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        """See `Upstream.fetch`."""
        assert (body is None) == (request.framing == NO_BODY), "a body and its framing come together"
        rules = self._rules
        total_at = asyncio.get_running_loop().time() + rules.timeouts.total
        may_repeat = body is None and request.method in SAFE_METHODS
        fresh = not may_repeat
        tries_left = rules.retries if may_repeat and request.may_repeat else 0
        others = iter(self._destinations)
        destination = _next(others)
        if destination is None:
            raise UpstreamFault("the site has no origin", proxy_status="destination_not_found")
        while True:
            try:
                connection = await destination.acquire(rules, fresh=fresh)
            except UpstreamFault:
                # Nothing was sent: the next origin may have any request.
                destination = _next(others)
                if destination is None:
                    raise
                continue
            exchange = Exchange(request, rules.timeouts, on_interim, total_at=total_at)
            try:
                answer = await self._send(destination, connection, exchange, request, body)
            except UpstreamFault as fault:
                is_dead = fault.proxy_status == "connection_terminated"
                if exchange.has_bytes or not may_repeat:
                    raise
                if exchange.is_reused and is_dead and not fresh:
                    # Allowed even where no retry is; where one is, this was it: nobody can tell a kept connection that
                    # had died from an origin that resets whatever it gets.
                    fresh = True
                    tries_left = max(0, tries_left - 1)
                else:
                    following = _next(others)
                    if not tries_left or (following is None and not is_dead):
                        raise
                    tries_left -= 1
                    destination = following or destination
                destination.tally.retries.value += 1
            else:
                return _fetched(destination, connection, exchange, answer)

    async def _send(
        self,
        destination: Destination,
        connection: Connection,
        exchange: Exchange,
        request: UpstreamRequest,
        body: BodySource | None,
    ) -> Answer:
        head = request_bytes(request, destination.origin.path)
        if body is None:
            connection.send(head, exchange)
        else:
            connection.send(b"", exchange)
            upload = Upload(connection, exchange, head, request.framing, body)
            exchange.upload = self._room.tasks.spawn(upload.run(), name=f"upload to {destination.name}")
        try:
            return await exchange.answered
        except UpstreamFault as fault:
            destination.tally.outcome(fault.proxy_status).value += 1
            raise
        except asyncio.CancelledError:
            connection.drop(exchange)
            raise


def _next(destinations: Iterator[Destination]) -> Destination | None:
    return next(destinations, None)


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
