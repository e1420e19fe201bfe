"""A listening socket whose connections speak TLS.

Owns: `TlsListener`: a `Listener` with a handshake before each connection. Rules: a handshake has a deadline of its own and
counts as a connection while it lasts, so that slow ones hold places no longer than others do; the certificates in force are
looked up for each handshake, so that new ones are used without anybody being cut off; in a drain, who is in mid-handshake has
connected already: he is let in and gets the answer to his first request.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from edge.server.connection import Connection
from edge.server.listener import Answers, Listener
from edge.server.tls_transport import TlsTransport
from edge.tls.contexts import Contexts
from edge.tls.measures import TlsMeasures
from edge.tls.outcomes import Outcome


class TlsListener(Listener):
    """See the module. contexts: gives those in force. The rest is a `Listener`'s."""

    def __init__(
        self,
        sock: socket.socket,
        node: Answers,
        *,
        contexts: Callable[[], Contexts],
        handshakes: TlsMeasures,
        **rest: Any,
    ) -> None:
        super().__init__(sock, node, scheme=b"https", **rest)
        self._contexts = contexts
        self._handshakes = handshakes.handshakes
        self._under_way: set[TlsTransport] = set()
        self._none_under_way = asyncio.Event()
        self._none_under_way.set()

    @property
    def handshakes(self) -> int:
        """Under way now."""
        return len(self._under_way)

    async def drain(self, seconds: float) -> int:
        """As a listener's. Who is in mid-handshake when the time is over is cut, too."""
        await self.let_in_no_more()
        started = self.clock_mono()
        cut = 0
        try:
            async with asyncio.timeout(seconds):
                await self._none_under_way.wait()
        except TimeoutError:
            cut = len(self._under_way)
            for transport in tuple(self._under_way):
                transport.abort()
        return cut + await super().drain(max(0.0, seconds - (self.clock_mono() - started)))

    def _protocol(self, peer: str) -> asyncio.Protocol:
        deadline = self.clock_mono() + self.limits.handshake_deadline
        return TlsTransport(self, self._contexts, Connection(self, peer), deadline=deadline)

    # -- from the transports --

    def opening(self, transport: TlsTransport) -> None:
        """A handshake begins."""
        self._under_way.add(transport)
        self._none_under_way.clear()

    def done(self, transport: TlsTransport, outcome: Outcome) -> None:
        """A handshake ended."""
        self._handshakes.of(transport.version, outcome.value).value += 1
        self._under_way.discard(transport)
        if not self._under_way:
            self._none_under_way.set()

    def lost(self, transport: TlsTransport) -> None:
        """A connection ended that never was one."""
        self._left(transport.peer)

    def _sweep(self) -> None:
        for transport in tuple(self._under_way):
            transport.check_time(self.clock_mono())
        super()._sweep()
