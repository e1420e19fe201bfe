"""A load generator in Python: fills caches, makes crowds, and stands in for wrk where that is missing.

Owns: `fetch_all`, `crowd`, `keep_asking`. Rules: one request at a time on a connection; a response counts when its whole
body came; anything but a 200 or 304 with a Content-Length is a failure.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from tools.benching.heads import Field, request_bytes
from tools.benching.pacing import Answers, BadAnswer


@dataclass(slots=True)
class Tally:
    """What came back. failures: answers that were no whole 200 or 304, and connections that broke."""

    requests: int = 0
    bytes: int = 0
    failures: int = 0


class _Asking(asyncio.Protocol):
    """One connection that asks for what `requests` gives it, until that ends."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, done: Callable[[], None]) -> None:
        self._requests = requests
        self._tally = tally
        self._done = done
        self._answers = Answers()
        self._is_over = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._over()
        else:
            self._transport.write(request)

    def _over(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._transport.abort()  # nothing is unsent, and a farewell of TLS may take its time

    def data_received(self, data: bytes) -> None:
        self._tally.bytes += len(data)
        try:
            ended = self._answers.feed(data)
            if ended > 1:
                raise BadAnswer("an answer to no request")
        except BadAnswer:
            self._tally.failures += 1
            self._over()
            return
        if ended:
            self._tally.requests += 1
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._tally.failures += 1
        self._done()


async def _ask_all(
    port: int, connections: int, requests: Iterator[bytes], tls: ssl.SSLContext | None = None
) -> Tally:
    loop = asyncio.get_running_loop()
    tally = Tally()
    all_done = asyncio.Event()
    left = connections

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            all_done.set()

    for _ in range(connections):
        await loop.create_connection(lambda: _Asking(requests, tally, done), "127.0.0.1", port, ssl=tls)
    await all_done.wait()
    return tally


async def fetch_all(
    port: int, targets: Iterable[str], connections: int = 16, tls: ssl.SSLContext | None = None
) -> Tally:
    """Every target once. tls: how, None = in the clear."""
    host = f"127.0.0.1:{port}"
    return await _ask_all(port, connections, (request_bytes(host, target) for target in targets), tls)


async def keep_asking(
    port: int, targets: Iterable[str], extra: tuple[Field, ...], connections: int, seconds: float
) -> Tally:
    """As many as may be in `seconds`. targets: endless, or they end it."""
    loop = asyncio.get_running_loop()
    host = f"127.0.0.1:{port}"
    until = loop.time() + seconds
    requests = (request_bytes(host, target, extra) for target in targets)
    return await _ask_all(port, connections, itertools.takewhile(lambda _: loop.time() < until, requests))


async def crowd(port: int, target: str, clients: int) -> Tally:
    """So many clients, all connected before the first asks, one request each."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    gone = asyncio.Semaphore(0)
    asking = [
        _Asking(iter((request_bytes(f"127.0.0.1:{port}", target),)), tally, gone.release)
        for _ in range(clients)
    ]
    waiting = [_Later(one) for one in asking]
    for one in waiting:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    for one in waiting:
        one.begin()
    for _ in range(clients):
        await gone.acquire()
    return tally


class _Later(asyncio.Protocol):
    """Holds a connection open until it may ask."""

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def begin(self) -> None:
        assert self._transport is not None
        cast("asyncio.Transport", self._transport).set_protocol(self._asking)
        self._asking.connection_made(self._transport)
