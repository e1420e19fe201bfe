"""A client's socket beside its transport, for files that go into it without being read.

Owns: `Outlet`, `outlet_of`. asyncio has the socket's own descriptor, and uvloop lets nobody wait for it; so files go through
a second descriptor of the same socket, which lives as long as one reply. Rules: it is made only where bytes go out as they
are (no TLS); it is closed when the reply is over and no thread is using it any more, so that a thread never writes into
somebody else's descriptor; who waits for room in the socket is cancelled with his reply.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable


class Outlet:
    """See the module."""

    __slots__ = ("_descriptor", "_lock", "_uses", "is_closed")

    def __init__(self, descriptor: int) -> None:
        """descriptor: of a socket that does not wait; it is this object's from here on."""
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._uses = 0
        self.is_closed = False

    def use(self, send: Callable[[int], int]) -> int:
        """Call `send` with the descriptor, which stays open meanwhile. For any thread. OSError after `close`."""
        with self._lock:
            if self.is_closed:
                raise BrokenPipeError
            self._uses += 1
        try:
            return send(self._descriptor)
        finally:
            with self._lock:
                self._uses -= 1
                self._close_unused()

    async def writable(self) -> None:
        """Until the socket takes more, or has failed."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._descriptor, _tell, ready)
        try:
            await ready
        finally:
            loop.remove_writer(self._descriptor)

    def close(self) -> None:
        """The reply is over. May be called again."""
        with self._lock:
            self.is_closed = True
            self._close_unused()

    def _close_unused(self) -> None:
        if self.is_closed and not self._uses and self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def outlet_of(transport: asyncio.BaseTransport) -> Outlet | None:
    """None where files have to be read: the bytes are encrypted, or no descriptor is left."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("ssl_object") is not None:
        return None
    try:
        return Outlet(os.dup(sock.fileno()))
    except OSError:
        return None


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
