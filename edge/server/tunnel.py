"""An upgraded connection: bytes both ways, nothing understood. RFC 9110 s7.8.

Owns: `TunnelBody` (what the client sends after the switch) and `copy_both_ways`. A tunnel exists only after the
next tier answered 101 (Pingora CVE-2026-2833 is what happens otherwise). Either side's end ends both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from edge.errors import ClientFault, EdgeError
from edge.exchange import Reply, Tunnel
from edge.server.request_body import RequestBody
from edge.server.sending import Sending
from edge.tasks import spawn
from edge.wire.body import CloseDecoder
from edge.wire.limits import Limits


class TunnelBody(RequestBody):
    """The client's bytes; never done before the client is."""

    __slots__ = ("_moved", "_seen", "_silent")

    bound: ClassVar[str] = "tunnel_idle"

    def __init__(
        self, pause: Callable[[], None], resume: Callable[[], None], first: bytes, moved: Callable[[], int]
    ) -> None:
        """moved: bytes sent to the client so far."""
        super().__init__(CloseDecoder(), pause, resume, None)
        self._moved = moved
        self._seen = -1
        self._silent = 0.0
        if first:
            self.feed(first)

    def is_too_slow(self, passed: float, limits: Limits) -> bool:
        """No minimum rate, since a WebSocket may be silent - but not for `tunnel_idle` in both directions."""
        seen = self.received + self._moved()
        if seen != self._seen:
            self._seen, self._silent = seen, 0.0
            return False
        self._silent += passed
        return self._silent > limits.tunnel_idle

    def fail(self, fault: ClientFault) -> None:
        """The client's end is an end like any other: what came before it is still delivered."""
        self.end()

    def end(self) -> None:
        """No more will come."""
        self._decoder.end()
        self._wake()


async def copy_both_ways(body: TunnelBody, reply: Reply, sending: Sending) -> int:
    """Until either side ends. Returns bytes sent to the client."""
    tunnel = reply.tunnel
    assert tunnel is not None
    up = spawn(_up(body, tunnel), name="tunnel up")
    try:
        return await _down(tunnel, sending, up)
    finally:
        up.cancel()
        tunnel.close()


async def _up(body: TunnelBody, tunnel: Tunnel) -> None:
    try:
        while data := await body.read():
            await tunnel.write(data)
    except (ClientFault, EdgeError, ConnectionError):
        pass
    finally:
        tunnel.close()


async def _down(tunnel: Tunnel, sending: Sending, up: asyncio.Task[None]) -> int:
    sent = 0
    try:
        while data := await tunnel.read():
            sending.raw(data)
            sent += len(data)
            if sending.is_paused and not await sending.drain():
                break
            if up.done():
                break
    except EdgeError:
        pass
    return sent
