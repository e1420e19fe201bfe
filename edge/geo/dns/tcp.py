"""Queries by TCP: each behind two octets of its length, many in one connection (RFC 7766).

Owns: `TcpServer` and its connections. Rules: answers go out in the order of the queries; nothing is answered, and nothing is
read, while the client does not read its answers; a connection ends when it is idle, when a query takes too long from its
first octet to its last, when it had its share of queries, and when it sends what cannot be a query. All bounds are settings.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter as Tally
from enum import Enum
from math import inf
from typing import cast

from edge.clock import Clock
from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.responder import Responder
from edge.geo.dns.udp import packed
from edge.settings.dns import TcpSettings

LENGTH_BYTES = 2
MAX_WAITING_BYTES = 2 * 65_537
"""What is held of a client's queries while it does not read: two of the longest."""

BATCH = 64
"""Queries of one connection that are answered before others get a turn."""

LOOKS = 4
"""How often connections are looked at within the shortest time that is allowed for anything."""


class End(Enum):
    """Why a connection ended; the label in `perigee_dns_connections_total`."""

    CLIENT = "client"
    IDLE = "idle"
    SLOW = "slow"
    QUERIES = "queries"
    BACKLOG = "backlog"
    REFUSED = "refused"
    DRAIN = "drain"
    FAILED = "failed"


class TcpServer:
    """sock: listening, it belongs to the server from now on."""

    def __init__(
        self,
        sock: socket.socket,
        responder: Responder,
        settings: TcpSettings,
        *,
        clock: Clock,
        measures: DnsMeasures,
    ) -> None:
        self.settings = settings
        self.responder = responder
        self.clock = clock
        self.measures = measures
        self.queries = measures.queries.of("tcp")
        self._sock = sock
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._by_client: Tally[bytes] = Tally()
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Accept from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=self._sock, backlog=1024)
        self._sweep()

    async def aclose(self) -> None:
        """Accept nobody, send what is answered, and close; any number of times."""
        if self._server is None:
            return
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._server.close()
        for connection in tuple(self._open):
            connection.end(End.DRAIN)
        self._server = None

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._open)

    def takes(self, connection: _Connection) -> bool:
        """Whether there is room for one more; then it is counted."""
        settings, client = self.settings, connection.source
        for bound, held, most in (
            ("dns.tcp.connections", len(self._open), settings.connections),
            ("dns.tcp.per_client", self._by_client[client], settings.per_client),
        ):
            if held >= most:
                self.measures.bound_reached.of(bound).value += 1
                return False
        self._open.add(connection)
        self._by_client[client] += 1
        self.measures.connections_open.value += 1
        return True

    def lost(self, connection: _Connection, end: End) -> None:
        """It is gone."""
        self.measures.connections.of(end.value).value += 1
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._by_client[connection.source] -= 1
        if not self._by_client[connection.source]:
            del self._by_client[connection.source]
        self.measures.connections_open.value -= 1

    def _sweep(self) -> None:
        """End what is overdue."""
        now = self.clock.mono()
        for connection in tuple(self._open):
            if connection.due <= now:
                connection.overdue()
        pause = min(1.0, self.settings.idle, self.settings.query_deadline) / LOOKS
        self._sweeper = asyncio.get_running_loop().call_later(pause, self._sweep)


class _Connection(asyncio.Protocol):
    """due: monotonic seconds at which it has to have done what is expected of it."""

    def __init__(self, server: TcpServer) -> None:
        self.source = b""
        self.due = inf
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._answered = 0
        self._is_backlogged = False
        self._is_at_end = False
        self._end = End.CLIENT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.source = packed(peer[0]) if peer else b""
        if not self.source or not self._server.takes(self):
            self._end = End.REFUSED
            self._transport.abort()
            return
        self._expect(self._server.settings.idle)

    def data_received(self, data: bytes) -> None:
        if not self._waiting:
            self._expect(self._server.settings.query_deadline)
        self._waiting += data
        self._advance()

    def eof_received(self) -> bool:
        """It will ask no more, and still reads: whole queries that wait behind a backlog are answered."""
        self._is_at_end = True
        self._advance()
        return self._is_backlogged

    def pause_writing(self) -> None:
        self._is_backlogged = True

    def resume_writing(self) -> None:
        self._is_backlogged = False
        self._advance()

    def connection_lost(self, failure: Exception | None) -> None:
        if failure is not None and self._end is End.CLIENT:
            self._end = End.FAILED
        self._server.lost(self, self._end)
        self._transport = None

    def overdue(self) -> None:
        """What was expected did not happen in time."""
        if self._is_backlogged:
            self.end(End.BACKLOG)
        else:
            self.end(End.SLOW if self._waiting else End.IDLE)

    def end(self, end: End) -> None:
        """Close it; what is answered is sent, if the client reads it."""
        if self._transport is None or self._transport.is_closing():
            return
        self._end = end
        if end is End.BACKLOG:
            self._transport.abort()
        else:
            self._transport.close()

    def _expect(self, seconds: float) -> None:
        self.due = self._server.clock.mono() + seconds

    def _advance(self) -> None:
        """Answer the whole queries there are, as long as the client takes the answers."""
        server, waiting, transport = self._server, self._waiting, self._transport
        if transport is None or transport.is_closing():
            return
        answered = self._answered
        server.responder.tick()
        at = 0
        while not self._is_backlogged and len(waiting) - at >= LENGTH_BYTES:
            if self._answered - answered >= BATCH:
                asyncio.get_running_loop().call_soon(self._advance)
                break
            end = at + LENGTH_BYTES + int.from_bytes(waiting[at : at + LENGTH_BYTES], "big")
            if len(waiting) < end:
                break
            made = server.responder.by_tcp(bytes(waiting[at + LENGTH_BYTES : end]), self.source)
            at = end
            self._answered += 1
            server.queries.value += 1
            if made is None:  # no query, so this is not DNS, or nobody we talk to
                self.end(End.FAILED)
                return
            transport.write(len(made).to_bytes(LENGTH_BYTES, "big") + made)
            if self._answered >= server.settings.queries:
                server.measures.bound_reached.of("dns.tcp.queries").value += 1
                self.end(End.QUERIES)
                return
        del waiting[:at]
        self._wait(transport, has_answered=self._answered > answered)

    def _wait(self, transport: asyncio.Transport, *, has_answered: bool) -> None:
        """For what comes next, and how long."""
        settings = self._server.settings
        if self._is_at_end and not self._is_backlogged:
            transport.close()
        elif self._is_backlogged:
            if has_answered:
                self._expect(settings.idle)
        elif has_answered:
            self._expect(settings.query_deadline if self._waiting else settings.idle)
        if len(self._waiting) > MAX_WAITING_BYTES:
            transport.pause_reading()
        elif not transport.is_reading() and not self._is_at_end:
            transport.resume_reading()
