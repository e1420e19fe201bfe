"""The write side of a client connection: heads, bodies, back-pressure, and whether the reader keeps up.

Owns: `Sending`. Rules: Content-Length or chunked or close, chosen here and nowhere else; a stream that breaks off
leaves the message without its end (the caller cuts the connection); HEAD, 204 and 304 have no body whatever the reply
holds; what waits in the socket's buffer is bounded by `limits.write_buffer` plus one piece; a file goes into the socket
beside the transport (outlet.py), which has nothing to write meanwhile, and what it takes counts as progress all the same.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.exchange import AT_HAND, BodyStream, Reply
from edge.semantics.message import EMPTY, Line, ResponseHead
from edge.server.outlet import Outlet, outlet_of
from edge.store.bodies import FileStream
from edge.store.bodyreading import CannotSend
from edge.wire import render

if TYPE_CHECKING:
    from edge.server.listener import Listener
    from edge.wire.limits import Limits
    from edge.wire.request import ParsedRequest

_CLOSE: Line = (b"Connection", b"close")
_KEEP_ALIVE: Line = (b"Connection", b"keep-alive")
_CHUNKED: Line = (b"Transfer-Encoding", b"chunked")
SLICE_BYTES = 256 * 1024


class Sending:
    """See the module."""

    __slots__ = (
        "_gone",
        "_is_full",
        "_listener",
        "_progress",
        "_progress_at",
        "_slow_from",
        "_slow_since",
        "_transport",
        "_until_close",
        "_waiter",
        "is_cut",
        "is_paused",
        "written",
    )

    def __init__(self, transport: asyncio.Transport, listener: Listener) -> None:
        self._transport = transport
        self._listener = listener
        self._waiter: asyncio.Future[None] | None = None
        self._gone = False
        self._is_full = False
        self._progress = 0
        self._progress_at = 0.0
        self._slow_since: float | None = None
        self._slow_from = 0
        self._until_close = False
        self.is_cut = False
        self.is_paused = False
        self.written = 0

    # -- from the transport --

    def pause(self) -> None:
        """The socket's buffer is full."""
        self.is_paused = True

    def resume(self) -> None:
        """It drained."""
        self.is_paused = False
        self._wake()

    def lost(self) -> None:
        """The connection is gone; who waits to write is woken and finds out."""
        self._gone = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def drain(self) -> bool:
        """Wait until more can be written; False when the client is gone."""
        while self.is_paused and not self._gone:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return not self._gone

    # -- writing --

    @property
    def has_unsent(self) -> bool:
        """True while bytes wait for the socket."""
        return self._transport.get_write_buffer_size() > 0

    @staticmethod
    def must_close(request: ParsedRequest, reply: Reply) -> bool:
        """True when only the connection's end can tell this client that the body is complete."""
        return request.head.minor == 0 and reply.length is None and _has_body(request, reply)

    def cut(self, *, hard: bool = False) -> None:
        """End the connection so that nobody takes what was sent for a whole message.

        hard: drop what the kernel holds for the reader, too, which may be megabytes for as long as he likes.
        """
        self.is_cut = True
        if (hard or self._until_close) and not self._gone:
            # Also for a body that only a FIN ends: to this one it would be its proper end.
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def fits(self, reply: Reply) -> bool:
        """True when the reply may be written at once without passing the write buffer's bound."""
        body = reply.body
        if body is None:
            return True
        return isinstance(body, AT_HAND) and len(body) <= self._listener.limits.write_buffer

    def whole(self, request: ParsedRequest | None, reply: Reply, *, keep: bool) -> int:
        """Write a reply whose body is bytes or none. Returns its body bytes. request: None = it could not be read."""
        body = reply.body if request is None or _has_body(request, reply) else None
        assert body is None or isinstance(body, AT_HAND)
        head, _ = self._head(request, reply, keep=keep)
        if not body:
            self._write(head)
            return 0
        size = len(body)
        if size < SLICE_BYTES:
            self._write(head + body)
        else:
            self._write_lines((head, body))
        return size

    def interim_100(self) -> None:
        """Write 100 (Continue)."""
        self._write(render.CONTINUE)

    def interim(self, head: ResponseHead) -> None:
        """Write another 1xx."""
        self._write(render.head(render.status_line(head.status, head.reason), head.fields.lines))

    def hit(self, head: bytes, body: bytes) -> None:
        """Write an answer that is at hand. head: without its empty line. body: up to `limits.write_buffer`."""
        if len(body) < SLICE_BYTES:
            data = b"%b\r\n%b" % (head, body)
            self.written += len(data)
            self._transport.write(data)
        else:
            self._write_lines((head, b"\r\n", body))

    async def reply(self, request: ParsedRequest, reply: Reply, *, keep: bool) -> tuple[int, bool]:
        """Write any reply. Returns (body bytes, whether the message is whole)."""
        body = reply.body if _has_body(request, reply) else None
        if body is None or self.fits(reply):
            return self.whole(request, reply, keep=keep), not self._gone
        head, chunked = self._head(request, reply, keep=keep)
        if isinstance(body, AT_HAND):
            return await self._bytes(head, memoryview(body))
        self._write(head)
        if isinstance(body, FileStream) and not chunked:
            outlet = outlet_of(self._transport)
            if outlet is not None:
                return await self._file(body, outlet, reply, request)
        return await self._stream(body, reply, request, chunked=chunked)

    async def _bytes(self, head: bytes, body: memoryview) -> tuple[int, bool]:
        """A large body from memory, in slices that share its bytes; the head goes with the first."""
        for at in range(0, len(body), SLICE_BYTES):
            piece = body[at : at + SLICE_BYTES]
            if at:
                self._write(piece)
            else:
                self._write_lines((head, piece))
            if self.is_paused and not await self.drain():
                return at, False
        return len(body), not self._gone

    async def _file(
        self, body: FileStream, outlet: Outlet, reply: Reply, request: ParsedRequest
    ) -> tuple[int, bool]:
        """A body that goes from its file into the socket, behind what the transport still has."""
        sent = 0
        try:
            if not await self._emptied():
                return 0, False
            while piece := await self._piece(body, outlet):
                sent += piece
                self.written += piece
        except EdgeError:
            self._listener.count_broken_off()
            return sent, False
        except CannotSend:
            return await self._stream(body, reply, request, chunked=False, sent=sent)
        except OSError:
            # The client is gone, and it was we who were told: the transport is to hear of it, and ends the exchange.
            self._transport.abort()
            self.is_paused = True
            return sent, await self.drain()
        finally:
            outlet.close()
        return sent, sent == reply.length and not self._gone

    async def _piece(self, body: FileStream, outlet: Outlet) -> int:
        """How many bytes the socket took, once it takes any; 0 at the end."""
        while True:
            try:
                piece = await body.send(outlet)
            except BlockingIOError:
                self._is_full = True
                try:
                    await outlet.writable()
                finally:
                    self._is_full = False
            else:
                await asyncio.sleep(0)  # others have their turn, however quick this reader is
                return piece

    async def _emptied(self) -> bool:
        """Wait until the transport has handed everything to the socket; False when the client is gone."""
        if not self.has_unsent:
            return not self._gone
        self._transport.set_write_buffer_limits(high=0)
        try:
            return await self.drain()
        finally:
            self._transport.set_write_buffer_limits(high=self._listener.limits.write_buffer)

    async def _stream(
        self, body: BodyStream, reply: Reply, request: ParsedRequest, *, chunked: bool, sent: int = 0
    ) -> tuple[int, bool]:
        try:
            while piece := await body.read():
                if self._gone:
                    return sent, False
                sent += len(piece)
                if chunked:
                    self._write_lines((b"%x\r\n" % len(piece), piece, b"\r\n"))
                else:
                    self._write(piece)
                if self.is_paused and not await self.drain():
                    return sent, False
        except EdgeError:
            self._listener.count_broken_off()
            return sent, False
        if reply.length is not None and sent != reply.length:
            return sent, False
        if chunked:
            self._write(render.last_chunk(body.trailers if request.accepts_trailers else EMPTY))
        return sent, not self._gone

    def _head(self, request: ParsedRequest | None, reply: Reply, *, keep: bool) -> tuple[bytes, bool]:
        """The head's bytes and whether the body is chunked.

        An HTTP/1.0 client gets a body of unknown length by close.
        """
        old = request is not None and request.head.minor == 0
        if reply.ready is not None:
            if keep and not old:
                return reply.ready + b"\r\n", False
            return reply.ready + (
                b"Connection: keep-alive\r\n\r\n" if keep else b"Connection: close\r\n\r\n"
            ), False
        framing: Line | None = None
        chunked = False
        if reply.status not in (204, 304) and reply.status >= 200:
            if reply.length is not None:
                framing = (b"Content-Length", b"%d" % reply.length)
            elif reply.body is not None:
                chunked = not old
                framing = _CHUNKED if chunked else None
                self._until_close = old
        hop: tuple[Line, ...] = (_CLOSE,) if not keep else (_KEEP_ALIVE,) if old else ()
        head = render.response_head(reply.status, reply.reason, reply.fields.lines, framing, *hop)
        return head, chunked

    def switching(self, reply: Reply) -> None:
        """Write a 101 and what it switches to."""
        upgrade: tuple[Line, ...] = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
        self._write(render.response_head(reply.status, reply.reason, reply.fields.lines, None, *upgrade))

    def raw(self, data: bytes) -> None:
        """Bytes of a tunnel."""
        self._write(data)

    def _write(self, data: bytes | memoryview) -> None:
        if not self._gone:
            self.written += len(data)
            self._transport.write(data)

    def _write_lines(self, parts: tuple[bytes | memoryview, ...]) -> None:
        if not self._gone:
            self.written += sum(map(len, parts))
            self._transport.writelines(parts)

    # -- time --

    def is_stalled(self, tick: float, limits: Limits) -> bool:
        """True when the reader took nothing for `reader_stall`, or less than `reader_min_rate` for as long.

        tick: monotonic seconds. Called about once a second.
        """
        waiting = self._transport.get_write_buffer_size()
        taken = self.written - waiting
        if not waiting and not self._is_full:
            self._slow_since = None
            return False
        if self._slow_since is None:
            self._slow_since, self._slow_from = tick, taken
            self._progress, self._progress_at = taken, tick
            return False
        if taken != self._progress:
            self._progress, self._progress_at = taken, tick
        elif tick - self._progress_at > limits.reader_stall:
            return True
        slow_for = tick - self._slow_since
        return (
            slow_for > 2 * limits.reader_stall and taken - self._slow_from < limits.reader_min_rate * slow_for
        )


def _has_body(request: ParsedRequest, reply: Reply) -> bool:
    """RFC 9112 s6.3: no body follows these heads, whatever they say."""
    return reply.body is not None and request.head.method != b"HEAD" and reply.status not in (204, 304)
