"""A small cache that a soak can be run against: right, or wrong in one way, so that the checker is seen to fail."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping
from enum import Enum
from typing import Any, Self

from aiohttp import web

from edge.clock import SystemClock
from tools.soaking.checker import Checker
from tools.soaking.pages import PAGES, Page
from tools.soaking.readers import Place, read_one


class Way(Enum):
    """How it purges."""

    FENCED = "knows what it asked for before the purge came"
    DELETES = "deletes what it has, and keeps what comes later"
    LIES = "says that it did"
    HALF = "mixes two bodies"


Url = tuple[str, str, str]


class Toy:
    """One node. Use it as a context manager. origin: a port. unavailable: so many purges are refused with 503 first."""

    def __init__(
        self, origin: int, way: Way, *, name: str = "toy", unavailable: int = 0, names: bool = True
    ) -> None:
        self.name = name
        self.unavailable = unavailable
        self.keys: list[str] = []
        """Idempotency-Keys, as they came."""
        self._origin = origin
        self._way = way
        self._names = names
        self._stored: dict[Url, tuple[int, bytes]] = {}
        self._seq = itertools.count(1)
        self._applied = 0
        self._ports: list[int] = []
        self._runners: list[web.AppRunner] = []

    @property
    def place(self) -> Place:
        return Place(self.name, *self._ports)

    async def __aenter__(self) -> Self:
        for path, handle in (("/{tail:.*}", self._get), ("/v1/purges", self._purge)):
            app = web.Application()
            app.router.add_route("*", path, handle)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self._ports.append(runner.addresses[0][1])
            self._runners.append(runner)
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _get(self, request: web.Request) -> web.Response:
        url = (request.host, request.path, request.headers.get("Accept-Language", ""))
        if url not in self._stored:
            began = self._applied
            body = await self._fetch(url)
            if self._way is Way.FENCED and began != self._applied:
                return web.Response(body=body)
            self._stored[url] = (began, body)
        body = self._stored[url][1]
        if self._way is Way.HALF:
            body = body[:100] + b"x" + body[101:]
        return web.Response(body=body, headers={"Cache-Status": "toy"})

    async def _fetch(self, url: Url) -> bytes:
        host, path, language = url
        reader, writer = await asyncio.open_connection("127.0.0.1", self._origin)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Language: {language}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return body

    async def _purge(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        if self.unavailable > 0:
            self.unavailable -= 1
            return web.json_response({"reason": "log-unavailable", "id": "o1"}, status=503)
        self._applied = next(self._seq)
        if self._way is not Way.LIES:
            for url in [url for url in self._stored if _is_named(await request.json(), url)]:
                del self._stored[url]
        applied = [{"node": self.name}] if self._names else []
        said = {
            "id": f"o{self._applied}",
            "seq": self._applied,
            "receipt": {"done": self._names, "applied": applied},
        }
        return web.json_response(said, status=200 if self._names else 202)


def _is_named(said: Mapping[str, Any], url: Url) -> bool:
    host, path, _ = url
    return "everything" in said or f"http://{host}{path}" in said.get("urls", ())


PLAIN: Page = next(page for page in PAGES if page.site == "paper" and not page.language)
CLOCK = SystemClock()


async def read_once(place: Place, checker: Checker) -> None:
    """PLAIN, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    try:
        await read_one(reader, writer, checker, CLOCK, place.name, PLAIN)
    finally:
        writer.close()


class NeverLate(random.Random):
    """For an origin whose answers come at once."""

    def random(self) -> float:
        return 1.0


class AlwaysLate(random.Random):
    """For an origin whose answers all come a little late."""

    def random(self) -> float:
        return 0.0

    def uniform(self, a: float, b: float) -> float:
        return 0.05
