"""One HTTP/1.1 connection to an origin, as the client. RFC 9112 s9.

Owns: `Connection`. Rules: one request at a time; strict reading by edge.wire; any byte while idle, any byte
behind a response, any doubt about where a message ends destroys the connection, and so do HEAD's, 204's and
304's bodies, a 101, a close-delimited body, an unfinished upload, a deadline and a reader who gives up. Who
opened it (`Owner`) learns exactly once that it is free again or gone. Reading stops while the body's reader
is behind, writing while the socket is full.
"""

from __future__ import annotations

import asyncio
import os
import select
import ssl
from typing import Protocol, cast

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.deadline import NEVER, Deadline
from edge.fill.exchange import Answer, Exchange
from edge.fill.failures import broken
from edge.fill.tunnel import Tunnel
from edge.semantics.message import UnixSeconds
from edge.wire.body import BodyError, CloseDecoder, decoder
from edge.wire.limits import Limits
from edge.wire.response import ParsedResponse, find_response_head_end, parse_response_head

_LAST_WORDS = 64 * 1024
"""Bytes read from a connection that broke while we were sending: an early final response is smaller."""
_EVENTS = b"text/event-stream"


class Owner(Protocol):
    """Who opened the connection."""

    def received(self, size: int) -> None:
        """An exchange brought that many bytes of body."""

    def freed(self, connection: Connection) -> None:
        """Ready for another request."""

    def lost(self, connection: Connection, *, doubted: bool) -> None:
        """Gone. doubted: not an ordinary end, something was wrong with what the peer sent."""


class Connection(asyncio.Protocol):
    """See the module. address: what it is connected to, for the log. host, idle_until: the owner's.

    is_gone: destroyed, or its transport is.
    """

    def __init__(self, owner: Owner, address: str, host: str, clock: Clock, limits: Limits) -> None:
        self._owner = owner
        self._clock = clock
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._overdue)
        self._token = "connection_read_timeout"
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._drain: asyncio.Future[None] | None = None
        self._is_reading_paused = False
        self.is_gone = False
        self._poll = select.poll()
        self.address = address
        self.host = host
        self.idle_until = 0.0
        self._has_served = False

    # --- the owner's side

    def is_quiet(self) -> bool:
        """Idle, and nothing waits in the socket: neither a byte nobody asked for nor the peer's FIN.

        The loop may not have looked at the socket yet; a request sent now would take those bytes for its answer.
        """
        return not self.is_gone and self._exchange is None and not self._poll.poll(0)

    def send(self, head: bytes, exchange: Exchange) -> None:
        """Begin an exchange. head: the rendered request head, b"" when an upload sends it with the first of the
        body.
        """
        assert self._exchange is None and not self.is_gone, "one request at a time"
        self._exchange = exchange
        exchange.body.come_from(self)
        exchange.sent_at = UnixSeconds(self._clock.now())
        exchange.is_reused = self._has_served
        self._has_served = True
        if head:
            self._transport.write(head)
            exchange.is_sent = True
        self._expect(exchange)

    def drop(self, exchange: Exchange) -> None:
        """Whoever sent the request does not wait for its answer any more."""
        if exchange is self._exchange:
            self.close()

    def close(self) -> None:
        """Close; an exchange under way fails."""
        self._fail(UpstreamFault("the connection was closed by us", proxy_status="connection_terminated"))

    # --- the upload's and the tunnel's side

    def write(self, data: bytes) -> None:
        """Send, or queue for sending; what is written to a connection that is gone goes nowhere."""
        if not self.is_gone:
            self._transport.write(data)

    async def drained(self) -> None:
        """Until there is room to send more; bounded by the between-bytes timeout. UpstreamFault when gone."""
        drain = self._drain
        if drain is not None and self._exchange is not None:
            self._expect(self._exchange)
            await asyncio.shield(drain)
        if self.is_gone:
            raise UpstreamFault("the connection is gone", proxy_status="connection_terminated")

    def uploaded(self, exchange: Exchange) -> None:
        """The request has been sent whole."""
        if exchange is not self._exchange:
            return
        exchange.is_sent = True
        exchange.upload = None
        if exchange.body.is_over:
            self._settle(exchange)
        else:
            self._expect(exchange)

    def broke_off(self, exchange: Exchange, error: Exception) -> None:
        """The request's body will not come to its end: the origin sees the connection break."""
        exchange.upload = None
        if exchange is self._exchange:
            self._fail(error)

    def finish(self) -> None:
        """Close after what was written (a tunnel's end)."""
        if not self.is_gone:
            self._transport.close()

    # --- the body reader's side

    def pause(self) -> None:
        """The reader is behind: stop reading. Only the total deadline runs on, the peer is not at fault."""
        if not self._is_reading_paused and not self.is_gone:
            self._is_reading_paused = True
            self._transport.pause_reading()
            if self._exchange is not None:
                self._expect(self._exchange)

    def resume(self) -> None:
        """The reader took what there was."""
        if self._is_reading_paused and not self.is_gone:
            self._is_reading_paused = False
            self._transport.resume_reading()
            if self._exchange is not None:
                self._expect(self._exchange)

    def abandon(self) -> None:
        """Nobody wants the rest of the response."""
        self.close()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected (and past the TLS handshake)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        exchange = self._exchange
        if exchange is None:
            self._fail(UpstreamFault("bytes nobody asked for"), doubted=True)
            return
        try:
            if exchange.decoder is None:
                self._read_head(exchange, data)
            else:
                self._read_body(exchange, data)
        except UpstreamFault as fault:
            self._fail(fault, doubted=True)
        except BodyError as error:
            self._fail(UpstreamFault(f"malformed response body: {error}"), doubted=True)

    def eof_received(self) -> None:
        """The peer closed (FIN; with TLS, close_notify or a mere FIN)."""
        exchange = self._exchange
        held = exchange.decoder if exchange is not None else None
        if (
            exchange is not None
            and held is not None
            and not held.done
            and self._is_clean_end()
            and held.end()
        ):
            exchange.body.end(close_delimited=True)
            self._settle(exchange)
        self._fail(broken(exchange, None))

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone, ours or the peer's doing."""
        exchange = self._exchange
        if exc is not None and exchange is not None and exchange.decoder is None:
            self._read_last_words(exchange)
        self._fail(broken(self._exchange, exc))

    def pause_writing(self) -> None:
        """The socket is full."""
        self._drain = self._loop.create_future()

    def resume_writing(self) -> None:
        """The socket took what there was."""
        drain, self._drain = self._drain, None
        if drain is not None and not drain.done():
            drain.set_result(None)
        if self._exchange is not None:
            self._expect(self._exchange)

    # --- reading

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        exchange.has_bytes = True
        seen = len(self._buffer)
        if seen:
            data = self._buffer + data
            self._buffer = b""
        while data:
            end = find_response_head_end(data, self._limits, seen)
            if end < 0:
                self._buffer = data
                return
            parsed = parse_response_head(data[:end], exchange.method, self._limits)
            data, seen = data[end:], 0
            if parsed.head.status >= 200 or parsed.head.status == 101:
                self._answer(exchange, parsed, data)
                return
            self._interim(exchange, parsed)

    def _interim(self, exchange: Exchange, parsed: ParsedResponse) -> None:
        exchange.interims += 1
        if exchange.interims > self._limits.interim_responses:
            raise UpstreamFault("too many interim responses")
        # 100 answers an Expect that is never sent on: the client was told to go on by us (RFC 9110 s10.1.1).
        if exchange.on_interim is not None and parsed.head.status != 100:
            exchange.on_interim(parsed.head)
        self._expect(exchange)

    def _answer(self, exchange: Exchange, parsed: ParsedResponse, rest: bytes) -> None:
        exchange.parsed = parsed
        now = UnixSeconds(self._clock.now())
        tunnel = self._tunnel(exchange, parsed) if parsed.head.status == 101 else None
        if tunnel is None:
            exchange.decoder = decoder(parsed.framing, self._limits)
            kind = parsed.head.fields.get(b"content-type")
            exchange.may_be_quiet = kind is not None and kind.startswith(_EVENTS)
            if not exchange.is_sent and (parsed.head.status >= 400 or not parsed.keep_alive):
                exchange.stop_upload()  # RFC 9112 s9.5: cease transmitting, and close in the end
        self._read_body(exchange, rest)
        if not exchange.answered.done():
            exchange.body.settle_small()
            exchange.answered.set_result(Answer(parsed, tunnel, now))

    def _tunnel(self, exchange: Exchange, parsed: ParsedResponse) -> Tunnel:
        if exchange.upgrade is None:
            raise UpstreamFault("101 to a request that asked for no upgrade")
        if parsed.upgrade != exchange.upgrade:
            raise UpstreamFault("101 to another protocol than asked for", proxy_status="http_upgrade_failed")
        if not exchange.is_sent:
            raise UpstreamFault("101 before the end of the request", proxy_status="http_upgrade_failed")
        exchange.decoder = CloseDecoder()
        exchange.may_be_quiet = True
        exchange.total_at = NEVER
        return Tunnel(exchange.body, self)

    def _read_body(self, exchange: Exchange, data: bytes) -> None:
        held = exchange.decoder
        assert held is not None, "a body comes behind a head"
        if data:
            if exchange.body.is_over:
                raise UpstreamFault("bytes behind a complete response")
            exchange.body.feed(held.feed(data))
        if held.done:
            if not exchange.body.is_over:
                exchange.body.end(held.trailers)
            self._settle(exchange)
        else:
            self._expect(exchange)

    def _settle(self, exchange: Exchange) -> None:
        """The response is complete: free the connection, keep it for a running upload, or close it."""
        assert exchange.parsed is not None and exchange.decoder is not None, "a response has a head"
        clean = exchange.parsed.keep_alive and not exchange.decoder.leftover
        if clean and exchange.upload is not None:
            self._expect(exchange)
            return
        self._exchange = None
        self._owner.received(exchange.body.size)
        if not clean or not exchange.is_sent or self.is_gone:
            exchange.stop_upload()
            self._fail(UpstreamFault("done"), doubted=bool(exchange.decoder.leftover))
            return
        self._deadline.clear()
        self.resume()
        self._owner.freed(self)

    def _read_last_words(self, exchange: Exchange) -> None:
        """An early final response may lie behind a write that failed: the peer refused, closed, and its RST
        came first.
        """
        if self._transport.get_extra_info("ssl_object") is not None or self.is_gone:
            return
        exchange.stop_upload()
        exchange.is_sent = False  # whatever is read now, this connection is not used again
        try:
            data = os.read(self._transport.get_extra_info("socket").fileno(), _LAST_WORDS)
        except OSError:
            return
        if data:
            self.data_received(data)

    # --- ends

    def _is_clean_end(self) -> bool:
        """Whether the peer itself said that it sends no more. With TLS a FIN does not: anybody on the way can send one.

        asyncio reports both alike; a read tells them apart: end of data after close_notify, "wants more" after a FIN.
        """
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return tls.read(1) == b""
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def _expect(self, exchange: Exchange) -> None:
        """Set the deadline for what comes next."""
        timeouts = exchange.timeouts
        if self._drain is not None:
            self._token, seconds = "connection_write_timeout", timeouts.between_bytes
        elif (
            not exchange.is_sent or exchange.may_be_quiet or self._is_reading_paused or exchange.body.is_over
        ):
            # Somebody else's turn (the client's, the reader's), or no turn at all: only the whole is bounded.
            self._deadline.move(exchange.total_at)
            return
        elif exchange.parsed is None:
            self._token, seconds = "connection_read_timeout", timeouts.first_byte
        else:
            self._token, seconds = "connection_read_timeout", timeouts.between_bytes
        at = self._loop.time() + seconds
        self._deadline.move(at if at < exchange.total_at else exchange.total_at)

    def _overdue(self) -> None:
        exchange = self._exchange
        if exchange is not None:
            is_total = self._loop.time() >= exchange.total_at
            token = "http_response_timeout" if is_total else self._token
            self._fail(UpstreamFault("the origin took too long", proxy_status=token))

    def _fail(self, error: Exception, *, doubted: bool = False) -> None:
        """Destroy the connection, once; an exchange under way gets `error`."""
        if self.is_gone:
            return
        self.is_gone = True
        exchange, self._exchange = self._exchange, None
        self._deadline.close()
        self._transport.abort()
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        self._owner.lost(self, doubted=doubted)
        if exchange is not None:
            self._owner.received(exchange.body.size)
            exchange.stop_upload()
            exchange.fail(error)
