"""A request body between the socket and whoever reads it, with back-pressure.

Owns: `RequestBody`: the connection feeds it, the node reads it. Bounds: at most `HIGH_BYTES` wait here, then the
connection stops reading its socket. 100 Continue is sent when somebody first asks for the body, so that a refused
upload never starts (RFC 9110 s10.1.1).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from edge.errors import ClientFault
from edge.wire.body import BodyError, Decoder
from edge.wire.limits import Limits

HIGH_BYTES = 256 * 1024
LOW_BYTES = 64 * 1024


class RequestBody:
    """One request's body. `done`: its end was seen. `received`: body bytes so far.

    `fault`: why it will not come to its end, None = nothing is wrong yet.
    """

    __slots__ = (
        "_decoder",
        "_on_first_read",
        "_pause",
        "_paused",
        "_pieces",
        "_resume",
        "_waited",
        "_waiter",
        "_waiting_bytes",
        "fault",
        "received",
    )

    bound: ClassVar[str] = "body_min_rate"
    """The limit that `is_too_slow` is about."""

    def __init__(
        self,
        decoder: Decoder,
        pause: Callable[[], None],
        resume: Callable[[], None],
        on_first_read: Callable[[], None] | None,
    ) -> None:
        self._decoder = decoder
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._pause = pause
        self._resume = resume
        self._paused = False
        self._on_first_read = on_first_read
        self._waited = 0.0
        self.fault: ClientFault | None = None
        self.received = 0

    @property
    def done(self) -> bool:
        """True when the whole body came."""
        return self._decoder.done

    def is_too_slow(self, passed: float, limits: Limits) -> bool:
        """True when it came at less than `limits.body_min_rate` for longer than `limits.body_grace`.

        passed: seconds since the last call. Only time in which somebody waited for the client counts: a client is not
        slow because the origin is.
        """
        if self._waiter is None or self.fault is not None:
            return False
        self._waited += passed
        asked = limits.body_min_rate * (self._waited - limits.body_grace / 2)
        return self._waited > limits.body_grace and self.received < asked

    def feed(self, data: bytes) -> bytes:
        """Bytes off the socket; returns what lies behind the body's end.

        Raises ClientFault (also told to the reader).
        """
        try:
            pieces = self._decoder.feed(data)
        except BodyError as error:
            fault = ClientFault(str(error))
            self.fail(fault)
            raise fault from error
        for piece in pieces:
            if piece:  # an empty one would read as the end
                self._pieces.append(piece)
                self._waiting_bytes += len(piece)
                self.received += len(piece)
        if self._waiting_bytes > HIGH_BYTES and not self._paused and not self.done:
            self._paused = True
            self._pause()
        if pieces or self.done:
            self._wake()
        return self._decoder.leftover if self.done else b""

    def fail(self, fault: ClientFault) -> None:
        """The client broke off or broke the grammar: the reader gets `fault`, never a clean end."""
        if self.fault is None and not (self.done and not self._pieces):
            self.fault = fault
            self._pieces.clear()
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        """See edge.exchange.BodySource."""
        if self._on_first_read is not None:
            first, self._on_first_read = self._on_first_read, None
            if not self.done and not self._pieces:
                first()
        while not self._pieces:
            if self.fault is not None:
                raise self.fault
            if self.done:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self._paused and self._waiting_bytes < LOW_BYTES:
            self._paused = False
            self._resume()
        return piece
