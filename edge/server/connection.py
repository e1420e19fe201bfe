"""One client connection: bytes in, requests to the node, replies out, in order.

Owns: the state of a connection - what is buffered, what is under way, which deadline runs. Rules (field notes on
reliability, section 5): one strict parser and nothing behind a refusal is ever read; one request at a time, further
ones wait unread beyond `limits.pipelined`; a head has a total deadline, a body and a reader a minimum rate; a body
that broke off is never ended cleanly; a request body that nobody read closes the connection (CVE-2025-4366 is what
happens otherwise); who half-closes gets its replies, and then the connection ends.

A hit that is ready is answered inside `data_received`, without a task; everything else runs in one task per request.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, cast

from edge.errors import ClientFault
from edge.exchange import Exchange, Presence, Reply, no_interim
from edge.server import replies
from edge.server.laneway import Laneway
from edge.server.request_body import RequestBody
from edge.server.sending import Sending
from edge.server.tunnel import TunnelBody, copy_both_ways
from edge.values import replace
from edge.wire import render
from edge.wire.body import decoder
from edge.wire.framing import NO_BODY
from edge.wire.request import ParsedRequest, find_head_end, parse_request_head

if TYPE_CHECKING:
    from edge.semantics.message import ResponseHead
    from edge.server.listener import Listener

LINGER_SECONDS = 2.0
"""After a last answer the connection is read and ignored this long, so that the answer is not lost in a reset."""


class Waits(Enum):
    """What `deadline` is the deadline of."""

    FIRST = "the first byte of the first request"
    HEAD = "the rest of a request head"
    IDLE = "a further request"
    LINGER = "the client's end"
    NOTHING = "an exchange is under way, or its reader is behind"


_IDLE, _FIRST = Waits.IDLE, Waits.FIRST


class Connection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_blank",
        "_body",
        "_buffer",
        "_half_closed",
        "_laneway",
        "_listener",
        "_presence",
        "_reading_paused",
        "_requests",
        "_seen",
        "_task",
        "_tier",
        "_waits",
        "deadline",
        "peer",
        "sending",
        "transport",
    )

    def __init__(self, listener: Listener, peer: str, *, tier: bool = False) -> None:
        self._listener = listener
        self._tier = tier
        self._laneway: Laneway | None = None
        self.peer = peer
        self._buffer = b""
        self._seen = 0
        """Bytes of `_buffer` that were searched for the end of a head already."""
        self._blank = False
        """The one empty line that may stand before a request came already."""
        self._body: RequestBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._presence = Presence()
        self._half_closed = False
        self._reading_paused = False
        self._requests = 0
        self._waits = Waits.FIRST
        self.deadline: float | None = listener.tick + listener.limits.head_deadline
        self.transport: asyncio.Transport
        self.sending: Sending

    # -- what asyncio tells us --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self._listener.limits.write_buffer)
        self.sending = Sending(self.transport, self._listener)
        if self._listener.lane is not None and not self._tier:
            self._laneway = Laneway(self._listener.lane, self._listener, self.peer, self.sending)
        self._listener.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The other end is gone, or we closed."""
        self._listener.closed(self)
        self.sending.lost()
        if self._body is not None:
            self._body.fail(ClientFault("the client left in mid-body", status=400))
        if self._task is not None and not self._presence.go():
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client is slow."""
        self.sending.pause()

    def resume_writing(self) -> None:
        """The client caught up: the requests that waited for that go on."""
        self.sending.resume()
        if self._task is None and self._waits is Waits.NOTHING and not self.transport.is_closing():
            self._read_heads(b"")

    def eof_received(self) -> bool:
        """The client will send no more. It may still read: True keeps the write side while a reply is owed."""
        self._half_closed = True
        if self._body is not None and not self._body.done:
            self._body.fail(ClientFault("the client ended in mid-body", status=400))
        return self._waits is Waits.NOTHING

    def data_received(self, data: bytes) -> None:
        """Bytes off the socket."""
        waits = self._waits
        if waits is _IDLE or waits is _FIRST:
            way, listener = self._laneway, self._listener
            if way is None or self._blank or not way.answers(data, self._requests):
                self._read_heads(data)
                return
            self._requests += 1
            if self.sending.is_paused:
                self._waits, self.deadline = Waits.NOTHING, None
            else:
                self._waits, self.deadline = _IDLE, listener.tick + listener.limits.idle
            return
        if waits is Waits.LINGER:
            return
        if waits is Waits.HEAD:
            self._read_heads(data)
            return
        body = self._body
        if body is not None and not body.done:
            if body.fault is not None:
                return
            try:
                data = body.feed(data)
            except ClientFault as fault:
                # The exchange hears of it from its source, or before it replies.
                self._listener.count_refused(fault)
                self._pause_reading()
                return
            if not data:
                return
        self._buffer += data
        if len(self._buffer) > self._listener.limits.pipelined:
            self._pause_reading()

    # -- heads --

    def _read_heads(self, data: bytes) -> None:
        """Answer what is ready, start what is not, keep what is incomplete."""
        buffer = self._buffer + data if self._buffer else data
        seen, self._buffer, self._seen = self._seen, b"", 0
        limits, scheme, at = self._listener.limits, self._listener.scheme, 0
        try:
            while True:
                if not self._blank and buffer.startswith(b"\r\n", at):
                    # RFC 9112 s2.2: one empty line before a request line is ignored; more are not.
                    self._blank = True
                    at, seen = at + 2, 0
                end = find_head_end(buffer, at, limits, seen)
                if end < 0:
                    break
                request = parse_request_head(buffer[at:end], limits, scheme)
                if self._tier:
                    # A worker of ours takes trailers, whatever its own client does.
                    request = replace(request, accepts_trailers=True)
                head, at, seen, self._blank = buffer[at:end], end, 0, False
                if not self._start(request, head, buffer, at):
                    return
        except ClientFault as fault:
            self._refuse(fault, is_head=buffer.startswith(b"HEAD ", at))
            return
        self._wait_for_more(buffer[at:])

    def _wait_for_more(self, rest: bytes) -> None:
        """No whole head is at hand. rest: the first bytes of one."""
        if self._half_closed or (self._listener.draining and not rest):
            self.transport.close()
            return
        limits, tick = self._listener.limits, self._listener.tick
        if rest:
            self._buffer, self._seen = rest, len(rest)
            if self._waits is not Waits.HEAD:
                if self._waits is not Waits.FIRST:
                    self.deadline = tick + limits.head_deadline
                self._waits = Waits.HEAD
        elif self._waits is Waits.NOTHING:
            self._waits = Waits.IDLE
            self.deadline = tick + limits.idle
        elif self._waits is Waits.HEAD:
            self._waits = Waits.IDLE  # it was a blank line in two pieces, which buys no time
        self._resume_reading()

    def _start(self, request: ParsedRequest, head: bytes, buffer: bytes, at: int) -> bool:
        """Begin one exchange. True when it is answered already and the next head, from `at`, may be read."""
        listener = self._listener
        self._requests += 1
        self._waits, self.deadline = Waits.NOTHING, None
        started = listener.clock_mono()
        reply: Reply | None = None
        keep = (
            request.keep_alive
            and not listener.draining
            and self._requests < listener.limits.requests_per_connection
        )
        if request.framing is NO_BODY and request.upgrade is None and not self._tier:
            reply = listener.node.answer_now(Exchange(request, self.peer))
            if reply is not None and self.sending.fits(reply):
                sent = self.sending.whole(request, reply, keep=keep)
                listener.finished(self, request, reply, sent, started)
                if reply.ready is not None and self._laneway is not None:
                    self._laneway.learn(head, request)
                if not keep:
                    self._close_after_answer()
                    return False
                if self.sending.is_paused:
                    self._buffer = buffer[at:]
                    return False
                return True
        return self._start_task(request, buffer[at:], keep, started, reply)

    def _start_task(
        self, request: ParsedRequest, rest: bytes, keep: bool, started: float, ready: Reply | None
    ) -> bool:
        """Begin an exchange that takes time; False. rest: what came behind its head. ready: only writing takes time."""
        listener, self._body = self._listener, None
        if request.framing is not NO_BODY:
            on_first = self._send_continue if request.expect_continue else None
            self._body = RequestBody(
                decoder(request.framing, listener.limits), self._pause_reading, self._resume_reading, on_first
            )
            self._resume_reading()  # it may have been stopped for what was pipelined
            if rest:
                try:
                    rest = self._body.feed(rest)
                except ClientFault as fault:
                    self._refuse(fault, is_head=request.head.method == b"HEAD")
                    return False
        self._buffer = rest
        self._task = listener.tasks.spawn(self._run(request, keep, started, ready), name="exchange")
        return False

    def _send_continue(self) -> None:
        self.sending.raw(render.CONTINUE)

    def _send_interim(self, head: ResponseHead) -> None:
        self.sending.raw(render.head(render.status_line(head.status, head.reason), head.fields.lines))

    # -- one exchange --

    async def _run(self, request: ParsedRequest, keep: bool, started: float, ready: Reply | None) -> None:
        """One request from its head to the last byte of its reply."""
        listener, sending, whole = self._listener, self.sending, False
        listener.measures.requests_active.value += 1
        reply, before = replies.nobody_waits(), sending.written
        try:
            if ready is None:
                interim = self._send_interim if request.head.minor == 1 else no_interim
                asked = Exchange(request, self.peer, self._tier, self._body, interim, presence=self._presence)
                ready = await replies.of_node(listener.node, listener.node_name, asked, self._body)
            reply = ready
            listener.replying(reply, started)
            keep = (
                keep
                and not (reply.close or listener.draining or sending.must_close(request, reply))
                and (self._body is None or self._body.done)
            )
            if reply.tunnel is not None:
                keep, whole = False, True
                sent = await self._tunnel(reply)
            else:
                sent, whole = await sending.reply(request, reply, keep=keep)
            listener.finished(self, request, reply, sent, started, whole=whole)
        except asyncio.CancelledError:
            listener.left(self, request, reply, sending.written - before, started)
            raise
        finally:
            reply.discard()
            listener.measures.requests_active.value -= 1
            self._task = None
            self._after(whole=whole, keep=keep)

    async def _tunnel(self, reply: Reply) -> int:
        """Copy both ways until either side ends (RFC 9110 s7.8). Returns bytes sent to the client."""
        self._resume_reading()
        sending = self.sending
        body = self._body = TunnelBody(
            self._pause_reading, self._resume_reading, self._buffer, lambda: sending.written
        )
        self._buffer = b""
        if self._half_closed:
            body.end()
        self.sending.switching(reply)
        return await copy_both_ways(body, reply, self.sending)

    def _after(self, *, whole: bool, keep: bool) -> None:
        """The exchange is over: next request, orderly close, or cut."""
        if self.transport.is_closing():
            return
        if not whole:
            self.sending.cut()
        elif not keep or (self._body is not None and not self._body.done):
            self._close_after_answer()
        else:
            self._body = None
            if not self.sending.is_paused:
                self._read_heads(b"")

    # -- ends --

    def _refuse(self, fault: ClientFault, *, is_head: bool = False) -> None:
        """Answer what is wrong with a head and never look at what follows. is_head: the answer has no body."""
        if self.transport.is_closing():
            return
        reply = replies.refusal(self._listener.node_name, fault)
        if is_head:
            reply.body = None
        self.sending.whole(None, reply, keep=False)
        self._listener.refused(self, fault, reply)
        self._close_after_answer()

    def _close_after_answer(self) -> None:
        """Half-close and linger, so that unread input does not turn the answer into a reset."""
        self._waits = Waits.LINGER
        self._buffer = b""
        self.deadline = self._listener.tick + LINGER_SECONDS
        if self.transport.is_closing():
            return
        if self._half_closed or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._resume_reading()
        self.transport.write_eof()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    # -- time, called by the listener about twice a second --

    def check_time(self, tick: float, passed: float) -> None:
        """Close what is overdue: a head, an idle connection, a dripping body, a reader that does not read.

        tick: monotonic seconds; passed: seconds since the last call.
        """
        limits, body = self._listener.limits, self._body
        if self.sending.is_stalled(tick, limits):
            self._listener.bound("reader_stall")
            self.sending.cut(hard=True)
        elif self.deadline is not None and tick > self.deadline:
            self._overdue(tick)
        elif body is not None and body.is_too_slow(passed, limits):
            self._listener.bound(body.bound)
            body.fail(ClientFault("the request body came too slowly", status=408))

    def _overdue(self, tick: float) -> None:
        if self._waits is Waits.HEAD:
            self._listener.bound("head_deadline")
            self._refuse(ClientFault("the request head came too slowly", status=408))
        elif self.sending.has_unsent:
            # The client is still reading; a reader that stalls is seen to elsewhere.
            self.deadline = tick + LINGER_SECONDS
        elif self._waits is Waits.LINGER:
            self.transport.abort()
        else:
            self.transport.close()

    def drain(self) -> None:
        """The worker stops: close when nothing is under way. A connection's first request is still answered."""
        if self._waits is Waits.IDLE:
            self.transport.close()
