"""Load on the purge API: requests that were signed before the clock runs, over connections that are kept.

Owns: `Signed`, `blast`. Rule: anything but a 202 ends it, and measures nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import time
from collections.abc import Iterator

from edge.clock import SystemClock
from edge.purge.signing.sign import SigningKey, request_to, sign
from edge.semantics.message import Fields
from tools.benching.processes import BenchFault

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
AHEAD = 4_000
"""Requests that are signed before the clock runs, for each second; batches are fewer."""


class Signed:
    """Makes requests to the API at 127.0.0.1:port. items: URLs of each."""

    def __init__(self, port: int, key: SigningKey, items: int) -> None:
        self.port = port
        self._url = f"http://127.0.0.1:{port}/v1/purges"
        self._key = key
        self._items = items
        self._numbers = itertools.count()

    def ahead(self, seconds: float) -> int:
        """How many to make for so many seconds."""
        return int(AHEAD * seconds / (1 if self._items == 1 else 40))

    def one(self) -> bytes:
        """The next request, whole."""
        number = next(self._numbers)
        urls = [
            f"http://purged.example/assets/{number}/picture-{item:06d}.webp" for item in range(self._items)
        ]
        body = json.dumps({"urls": urls}).encode()
        message = request_to(self._url, fields=Fields(((b"Content-Type", b"application/json"),)), body=body)
        lines = (*message.fields, *sign(message, self._key, now=time.time(), nonce=secrets.token_urlsafe(18)))
        head = b"POST /v1/purges HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n" % (
            self.port,
            len(body),
        )
        return head + b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n" + body


async def blast(signed: Signed, connections: int, seconds: float) -> tuple[float, list[float]]:
    """For so many seconds, one request at a time on each connection. How long it was, and the seconds of each answer."""
    clock = SystemClock()
    made = iter([signed.one() for _ in range(signed.ahead(seconds))])
    answers: list[float] = []
    began = clock.mono()
    await asyncio.gather(
        *[_send(signed.port, made, answers, clock, began + seconds) for _ in range(connections)]
    )
    if not answers:
        raise BenchFault("no purge was answered")
    return clock.mono() - began, answers


async def _send(
    port: int, made: Iterator[bytes], answers: list[float], clock: SystemClock, until: float
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while clock.mono() < until and (request := next(made, None)) is not None:
            began = clock.mono()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if not head.startswith(b"HTTP/1.1 202 "):
                raise BenchFault(f"a purge was answered {head[9:12].decode()}: {body[:300]!r}")
            answers.append(clock.mono() - began)
    finally:
        writer.close()
