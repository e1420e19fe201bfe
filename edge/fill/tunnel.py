"""Bytes both ways after a 101: what a WebSocket becomes at the edge.

Owns: `Tunnel`. Rules: it exists only after the next tier's 101 to an upgrade that was asked for; its
connection is never used again; it has no deadline of its own, since a quiet WebSocket is an ordinary one: who
relays it bounds its idleness. RFC 9110 s7.8.
"""

from __future__ import annotations

from typing import Protocol

from edge.fill.body_reader import BodyReader


class Wire(Protocol):
    """The connection under a tunnel."""

    def write(self, data: bytes) -> None:
        """Send, or queue for sending."""

    async def drained(self) -> None:
        """Until there is room to send more. Raises UpstreamFault when the connection is gone."""

    def finish(self) -> None:
        """Close after what was written."""

    def abandon(self) -> None:
        """Close at once."""


class Tunnel:
    """One end of the tunnel, at the next tier's side."""

    __slots__ = ("_incoming", "_wire")

    def __init__(self, incoming: BodyReader, wire: Wire) -> None:
        self._incoming = incoming
        self._wire = wire

    async def read(self) -> bytes:
        """What came since the last call; b"" when the peer closed. Raises UpstreamFault when the connection broke."""
        return await self._incoming.read()

    async def write(self, data: bytes) -> None:
        """Send, waiting while the peer is slow. Raises UpstreamFault when the connection is gone."""
        self._wire.write(data)
        await self._wire.drained()

    def close(self) -> None:
        """Close after what was written; harmless when closed."""
        self._wire.finish()

    def abort(self) -> None:
        """Close at once; harmless when closed."""
        self._wire.abandon()
