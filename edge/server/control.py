"""The line between the supervisor and one worker.

Owns: `Line`, one end of a socket pair. Rules: sending never waits (what is sent is small and rare); the end of the line
means that the other process is gone: that is how a worker hears that its supervisor died, and the other way round.
"""

from __future__ import annotations

import asyncio
import socket

from edge.server.orders import MAX_LINE_BYTES, Order, Report, decode, encode


class Line:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> Line:
        """On a connected unix socket, which belongs to the line from now on."""
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=MAX_LINE_BYTES))

    def send(self, message: Order | Report) -> None:
        """Send; harmless when the other end is gone."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def receive(self) -> Order | Report | None:
        """The next message; None when the other process is gone."""
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        return decode(line) if line.endswith(b"\n") else None

    async def aclose(self) -> None:
        """Send what is left, and close; any number of times."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
