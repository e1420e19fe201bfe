"""An origin that has what an access log says: every path, with its status and its size.

Owns: `Thing`, `things_of`, `SizedOrigin`. Rules: what a path is, is what the log says of it at best: the largest 200, else the
status that it had last; of one that the log knows by 304 alone nobody knows the size, and it gets `UNKNOWN_BYTES`. Bytes
depend on the path only, so that a response is the same each time; it has an entity tag, and a conditional request gets
its 304. Every request and every body byte is counted: this is what the tiers in front are measured by. It reads no more of a
request than its line and If-None-Match: it is asked by caches.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import blake2b, shake_128

from tools.replaying.access_lines import Line

UNKNOWN_BYTES = 1024
MAX_HEAD_BYTES = 64 * 1024
PIECE_BYTES = 256 * 1024
COUNT = "/-/count"
"""Where it tells what it counted, as JSON."""

_SEED = shake_128(b"perigee replay").digest(PIECE_BYTES)
_BODILESS = frozenset({204, 304})
_KEPT = frozenset({301, 302, 303, 307, 308, 404, 410})
"""Statuses that are a path's own; others (403, 416, 500) were of one request, and the path has a page."""
_IF_NONE_MATCH = re.compile(rb"\r\nIf-None-Match: *([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Thing:
    """What a path is."""

    status: int
    size: int


def things_of(lines: Iterable[Line]) -> dict[str, Thing]:
    """By target."""
    pages: dict[str, int] = {}
    others: dict[str, Thing] = {}
    for line in lines:
        if line.method != "GET":
            continue
        if line.status in {200, 206}:
            pages[line.target] = max(line.size, pages.get(line.target, 0))
        elif line.status in _KEPT:
            others[line.target] = Thing(line.status, line.size)
        else:
            others.setdefault(line.target, Thing(200, UNKNOWN_BYTES))
    return {**others, **{target: Thing(200, size) for target, size in pages.items()}}


@dataclass(slots=True)
class Counted:
    """requests: all; not_modified: those answered 304. nbytes: of bodies."""

    requests: int = 0
    not_modified: int = 0
    nbytes: int = 0
    targets: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, int]:
        """Plain values."""
        return {
            "requests": self.requests,
            "not_modified": self.not_modified,
            "bytes": self.nbytes,
            "targets": len(self.targets),
        }


class SizedOrigin:
    """things: by target, what else is asked for is 404. cache_control: of each response, "" = it says nothing."""

    def __init__(self, things: dict[str, Thing], cache_control: str) -> None:
        assert cache_control.isprintable(), cache_control
        self.counted = Counted()
        self._things = things
        self._cache_control = cache_control
        self._open: set[asyncio.StreamWriter] = set()
        self.is_closed = False
        """True = it closes each connection instead of answering, and counts nothing."""

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[int]:
        """Answer there while the context lasts; the port. port: 0 = any free one. OSError."""
        server = await asyncio.start_server(self._talk, host, port, limit=MAX_HEAD_BYTES, backlog=4096)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            while self._open:
                for writer in self._open:
                    writer.transport.abort()
                await asyncio.sleep(0)
            await server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self.is_closed:
                    return
                method, _, rest = head.partition(b" ")
                target = rest.partition(b" ")[0].decode("latin-1")
                if target == COUNT:
                    body = json.dumps(self.counted.as_json()).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                else:
                    await self._answer(writer, method, target, _IF_NONE_MATCH.search(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the cache left, or is none
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, method: bytes, target: str, condition: re.Match[bytes] | None
    ) -> None:
        thing = self._things.get(target, Thing(404, 0))
        tag = f'"{blake2b(target.encode("latin-1"), digest_size=8).hexdigest()}-{thing.size}"'
        status = thing.status
        if status == 200 and condition is not None and tag.encode() in condition[1]:
            status = 304
        self.counted.requests += 1
        self.counted.not_modified += status == 304
        self.counted.targets.add(target)
        writer.write(self._head(status, thing, tag))
        if method != b"HEAD" and status not in _BODILESS:
            self.counted.nbytes += thing.size
            for piece in pieces(target, thing.size):
                writer.write(piece)
                await writer.drain()

    def _head(self, status: int, thing: Thing, tag: str) -> bytes:
        lines = [f"HTTP/1.1 {status} ", f"Date: {formatdate(usegmt=True)}"]
        if status not in _BODILESS:
            lines += [f"Content-Length: {thing.size}", "Content-Type: application/octet-stream"]
        if thing.status == 200:
            lines.append(f"ETag: {tag}")
        elif 300 < status < 400 and status != 304:
            lines.append("Location: /")
        if self._cache_control:
            lines.append(f"Cache-Control: {self._cache_control}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def pieces(target: str, size: int) -> Iterable[bytes]:
    """The body of a target: its digest first, where there is room for it, so that no two are alike."""
    first = blake2b(target.encode("latin-1")).digest()[:size]
    yield first
    left = size - len(first)
    while left > 0:
        yield _SEED[:left]
        left -= PIECE_BYTES
