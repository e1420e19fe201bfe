"""One client connection: bytes in, requests to the node, replies out, in order.

Owns: the state of a connection - what is buffered, what is under way, which deadline runs. Rules (field notes on
reliability, section 5): one strict parser and nothing behind a refusal is ever read; one request at a time, further
ones wait unread beyond `limits.pipelined`; a head has a total deadline, a body and a reader a minimum rate; a body
that broke off is never ended cleanly; a request body that nobody read closes the connection (CVE-2025-4366 is what
happens otherwise).

A hit that is ready is answered inside `data_received`, without a task; everything else runs in one task per request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from edge.errors import ClientFault, EdgeError
from edge.exchange import Exchange, Reply
from edge.server import replies
from edge.server.request_body import RequestBody
from edge.server.sending import Sending
from edge.server.tunnel import TunnelBody, copy_both_ways
from edge.wire import render
from edge.wire.body import decoder
from edge.wire.framing import NO_BODY
from edge.wire.request import ParsedRequest, find_head_end, parse_request_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.semantics.message import ResponseHead
    from edge.server.listener import Listener

LINGER_SECONDS = 2.0
"""After a refusal the connection is read and ignored this long, so that the answer is not lost in a reset."""


class Connection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_body",
        "_buffer",
        "_lingering",
        "_listener",
        "_reading_paused",
        "_requests",
        "_task",
        "_tier",
        "body_since",
        "deadline",
        "peer",
        "sending",
        "transport",
    )

    def __init__(self, listener: Listener, peer: str, *, tier: bool = False) -> None:
        self._listener = listener
        self._tier = tier
        self.peer = peer
        self._buffer = b""
        self._body: RequestBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._lingering = False
        self._reading_paused = False
        self._requests = 0
        self.deadline: float | None = listener.tick + listener.limits.head_deadline
        self.body_since = 0.0
        self.transport: asyncio.Transport
        self.sending: Sending

    # -- what asyncio tells us --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self._listener.limits.write_buffer)
        self.sending = Sending(self.transport, self._listener)
        self._listener.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The other end is gone, or we closed."""
        self._listener.closed(self)
        self.sending.lost()
        if self._body is not None:
            self._body.fail(ClientFault("the client left in mid-body", status=400))
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client is slow."""
        self.sending.pause()

    def resume_writing(self) -> None:
        """The client caught up."""
        self.sending.resume()
        if self._task is None and self._buffer and not self._lingering:
            self._read_heads(b"")

    def eof_received(self) -> bool:
        """The client will send no more. It may still read: keep the write side while an exchange is under way."""
        if self._body is not None and not self._body.done:
            self._body.fail(ClientFault("the client ended in mid-body", status=400))
        if self._task is None or self._lingering:
            return False
        self._listener.half_closed(self)
        return True

    def data_received(self, data: bytes) -> None:
        """Bytes off the socket."""
        if self._lingering:
            return
        if self._body is not None and not self._body.done:
            try:
                data = self._body.feed(data)
            except ClientFault as fault:
                self._refuse_body(fault)
                return
            if not data:
                return
        if self._task is not None or self.sending.is_paused:
            self._buffer += data
            if len(self._buffer) > self._listener.limits.pipelined:
                self._pause_reading()
            return
        self._read_heads(data)

    # -- heads --

    def _read_heads(self, data: bytes) -> None:
        """Answer what is ready, start what is not, keep what is incomplete."""
        buffer = self._buffer + data if self._buffer else data
        self._buffer = b""
        limits, listener = self._listener.limits, self._listener
        try:
            at = self._skip_blank(buffer)
            while (end := find_head_end(buffer, at, limits)) > 0:
                request = parse_request_head(buffer[at:end], limits, listener.scheme)
                at = end
                if not self._start(request, buffer, at):
                    return
                at = self._skip_blank(buffer, at)
        except ClientFault as fault:
            self._refuse(fault)
            return
        if at < len(buffer):
            if self.deadline_kind_is_idle:
                self.deadline = listener.tick + limits.head_deadline
            self._buffer = buffer[at:]
        elif self._requests:
            self.deadline = listener.tick + limits.idle
        self._resume_reading()

    @property
    def deadline_kind_is_idle(self) -> bool:
        """True when no head had begun before these bytes, so that its total deadline starts now."""
        return not self._buffer and self._requests > 0

    @staticmethod
    def _skip_blank(buffer: bytes, at: int = 0) -> int:
        """RFC 9112 s2.2: one empty line before a request line is ignored; more are not."""
        return at + 2 if buffer.startswith(b"\r\n", at) else at

    def _start(self, request: ParsedRequest, buffer: bytes, at: int) -> bool:
        """Begin one exchange. True when it is answered already and the next head may be read."""
        listener = self._listener
        self._requests += 1
        started = listener.clock_mono()
        keep = (
            request.keep_alive
            and not listener.draining
            and self._requests < listener.limits.requests_per_connection
        )
        if request.framing is NO_BODY and request.upgrade is None and not self._tier:
            exchange = Exchange(request, self.peer)
            reply = listener.node.answer_now(exchange)
            if reply is not None and isinstance(reply.body, bytes | None) and self.sending.fits(reply):
                sent = self.sending.whole(request, reply, keep=keep)
                listener.finished(self, request, reply, sent, started)
                if not keep:
                    self._close_after_answer()
                    return False
                if self.sending.is_paused:
                    self._buffer = buffer[at:]
                    return False
                return True
        self.deadline = None
        rest = buffer[at:]
        if request.framing is not NO_BODY:
            on_first = self._send_continue if request.expect_continue else None
            self._body = RequestBody(
                decoder(request.framing, listener.limits), self._pause_reading, self._resume_reading, on_first
            )
            self.body_since = listener.tick
            if rest:
                rest = self._body.feed(rest)
        else:
            self._body = None
        self._buffer = rest
        self._task = listener.tasks.spawn(self._run(request, keep, started), name="exchange")
        return False

    def _send_continue(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(render.CONTINUE)

    # -- one exchange --

    async def _run(self, request: ParsedRequest, keep: bool, started: float) -> None:
        """One request from its head to the last byte of its reply."""
        listener = self._listener
        listener.measures.requests_active.value += 1
        whole = False
        try:
            exchange = Exchange(request, self.peer, self._tier, self._body, self._interim_for(request))
            reply = await self._reply(exchange)
            keep = (
                keep and not reply.close and not listener.draining and (self._body is None or self._body.done)
            )
            try:
                if reply.tunnel is not None:
                    keep = False
                    await self._tunnel(request, reply, started)
                    return
                sent, whole = await self.sending.reply(request, reply, keep=keep)
            finally:
                reply.discard()
            listener.finished(self, request, reply, sent, started, whole=whole)
        finally:
            listener.measures.requests_active.value -= 1
            self._task = None
            self._after(whole=whole, keep=keep)

    async def _reply(self, exchange: Exchange) -> Reply:
        try:
            return await self._listener.node.handle(exchange)
        except EdgeError as error:
            return replies.error(self._listener.node_name, error)

    def _interim_for(self, request: ParsedRequest) -> Callable[[ResponseHead], None]:
        def write(head: ResponseHead) -> None:
            if request.head.minor == 1 and not self.transport.is_closing():
                self.transport.write(
                    render.head(render.status_line(head.status, head.reason), head.fields.lines)
                )

        return write

    def _after(self, *, whole: bool, keep: bool) -> None:
        """The exchange is over: next request, orderly close, or cut."""
        if self.transport.is_closing():
            return
        if not whole:
            self.transport.abort()
        elif not keep or (self._body is not None and not self._body.done):
            self._close_after_answer()
        else:
            self._body = None
            self.deadline = self._listener.tick + self._listener.limits.idle
            self._read_heads(b"")

    async def _tunnel(self, request: ParsedRequest, reply: Reply, started: float) -> None:
        """Copy both ways until either side ends (RFC 9110 s7.8)."""
        body = self._body = TunnelBody(self._pause_reading, self._resume_reading, self._buffer)
        self._buffer = b""
        self._resume_reading()
        self.sending.switching(reply)
        sent = await copy_both_ways(body, reply, self.sending)
        self._listener.finished(self, request, reply, sent, started, whole=True)

    # -- ends --

    def _refuse(self, fault: ClientFault) -> None:
        """Answer what is wrong with a head and never look at what follows."""
        self._buffer = b""
        reply = replies.refusal(self._listener.node_name, fault)
        self.sending.whole(None, reply, keep=False)
        self._listener.refused(self, fault, reply)
        self._close_after_answer()

    def _refuse_body(self, fault: ClientFault) -> None:
        """The body's framing broke: the exchange hears of it from its source; nothing more is read."""
        self._buffer = b""
        self._listener.count_refused(fault)
        self._pause_reading()

    def _close_after_answer(self) -> None:
        """Half-close and linger, so that unread input does not turn the answer into a reset."""
        self._lingering = True
        self._buffer = b""
        self.deadline = self._listener.tick + LINGER_SECONDS
        self._resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    # -- time, called by the listener about once a second --

    def check_time(self, tick: float) -> None:
        """Close what is overdue: a head, an idle connection, a dripping body, a reader that does not read."""
        limits = self._listener.limits
        if self.deadline is not None and tick > self.deadline:
            if self._lingering or (not self._buffer and self._requests):
                self.transport.abort() if self._lingering else self.transport.close()
            else:
                self._listener.bound("head_deadline")
                self._refuse(ClientFault("the request head came too slowly", status=408))
            return
        body = self._body
        lasted = tick - self.body_since
        if (
            body is not None
            and body.is_wanted
            and lasted > limits.body_grace
            and body.received < limits.body_min_rate * (lasted - limits.body_grace / 2)
        ):
            self._listener.bound("body_min_rate")
            body.fail(ClientFault("the request body came too slowly", status=408))
        if self.sending.is_stalled(tick, limits):
            self._listener.bound("reader_stall")
            self.transport.abort()

    def drain(self) -> None:
        """The worker stops: close when nothing is under way."""
        if self._task is None and not self._lingering:
            if self._buffer:
                return
            self.transport.close()
