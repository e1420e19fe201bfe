"""An origin that is not the bottleneck: `python -m tools.benching.origin PORT`.

Owns: answering `GET /<size>/...` with a body of that size (`1k`, `8k`, `1m`, `100m`), made once, storable for a day;
`/<size>/own/...` with validators of its own; `/cold/...` after one second; `/-/count` with how many requests came since the
start. It reads no more of a request than its first line: it is asked by caches only, one request at a time on a connection.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
import zlib
from email.utils import formatdate
from functools import lru_cache
from typing import cast

TAG = '"v1"'
"""The entity tag of everything here."""

_MODIFIED = b"Tue, 01 Jul 2025 09:00:00 GMT"
COLD_SECONDS = 1.0
SLICE_BYTES = 512 * 1024
_UNITS = {"k": 1024, "m": 1024 * 1024}
_SIZE = re.compile(r"/([0-9]+)([km])/")


def size_of(target: str) -> int:
    """Bytes of the body behind a target; 1 KB where it names no size."""
    found = _SIZE.match(target)
    return int(found[1]) * _UNITS[found[2]] if found else 1024


@lru_cache(maxsize=16)
def _body(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


@lru_cache(maxsize=64)
def head(size: int, second: int) -> bytes:
    """A response head as many origins send it. second: unix time, for Date."""
    return (
        f"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: {formatdate(second, usegmt=True)}\r\n"
        f"Content-Type: image/webp\r\nContent-Length: {size}\r\n"
        f"Last-Modified: {_MODIFIED.decode()}\r\nETag: {TAG}\r\n"
        "Cache-Control: public, max-age=86400\r\n\r\n"
    ).encode()


def own_head(size: int, second: int, target: str) -> bytes:
    """The same with an ETag and a Last-Modified that no other target has, as files have them."""
    number = zlib.crc32(target.encode())
    return (
        head(size, second)
        .replace(TAG.encode(), b'"%08x-%x"' % (number, size), 1)
        .replace(_MODIFIED, formatdate(second - number % 100_000_000, usegmt=True).encode(), 1)
    )


class Answering(asyncio.Protocol):
    """One connection of a cache."""

    asked = 0
    """Requests to all connections, without those for the count."""

    def __init__(self) -> None:
        self._buffer = b""
        self._rest = memoryview(b"")
        self._paused = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A request, or a part of one."""
        self._buffer += data
        if not self._buffer.endswith(b"\r\n\r\n"):
            return
        target = self._buffer.split(b" ", 2)[1].decode("latin-1")
        self._buffer = b""
        if target == "/-/count":
            body = b"%d" % Answering.asked
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            return
        Answering.asked += 1
        if target.startswith("/cold/"):
            asyncio.get_running_loop().call_later(COLD_SECONDS, self._answer, 1024, target)
        else:
            self._answer(size_of(target), target)

    def _answer(self, size: int, target: str) -> None:
        second = int(time.time())
        start = own_head(size, second, target) if "/own/" in target else head(size, second)
        if size <= SLICE_BYTES:
            self._transport.write(start + _body(size))
            return
        self._transport.write(start)
        self._rest = memoryview(_body(size))
        self._send()

    def _send(self) -> None:
        while self._rest and not self._paused:
            piece, self._rest = self._rest[:SLICE_BYTES], self._rest[SLICE_BYTES:]
            self._transport.write(piece)

    def pause_writing(self) -> None:
        """The cache is slow."""
        self._paused = True

    def resume_writing(self) -> None:
        """It caught up."""
        self._paused = False
        self._send()


async def serve(port: int) -> None:
    """Answer on 127.0.0.1:port until cancelled."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Run it on the fastest loop there is."""
    from edge.server.machine import new_loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
