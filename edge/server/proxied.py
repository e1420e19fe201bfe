"""The PROXY header at the start of an accepted connection.

Owns: `client_behind`. Rule: not one byte behind the header is taken off the socket: those are the connection's.
"""

from __future__ import annotations

import asyncio
import socket

from edge.errors import ClientFault
from edge.wire.proxy_protocol import (
    HEADER_V2_BYTES,
    MAX_V1_BYTES,
    PREFIX_BYTES,
    SIGNATURE_V2,
    body_length_v2,
    parse_v1,
    parse_v2,
)


async def client_behind(sock: socket.socket) -> str | None:
    """The address that the proxy names; None where it speaks for itself. Raises ClientFault, OSError."""
    start = await _exactly(sock, PREFIX_BYTES)
    if start == SIGNATURE_V2:
        header = start + await _exactly(sock, HEADER_V2_BYTES - PREFIX_BYTES)
        return parse_v2(header, await _exactly(sock, body_length_v2(header)))
    while not start.endswith(b"\r\n"):
        if len(start) >= MAX_V1_BYTES or not start.startswith(b"PROXY "):
            raise ClientFault("malformed PROXY header")
        start += await _exactly(sock, 1)
    return parse_v1(start)


async def _exactly(sock: socket.socket, size: int) -> bytes:
    taken = b""
    while len(taken) < size:
        try:
            more = sock.recv(size - len(taken))  # most often it is here already
        except BlockingIOError:
            more = await asyncio.get_running_loop().sock_recv(sock, size - len(taken))
        if not more:
            raise ClientFault("the connection ended within its PROXY header")
        taken += more
    return taken
