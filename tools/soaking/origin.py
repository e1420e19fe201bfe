"""The origin of a soak: every page has a version, and now and then an answer is late.

Owns: `Origin`. Rules: the version of an answer is that of the moment at which its request came, also where the answer goes
out much later: that is the late fill which must not outlive a purge. Pages are fresh for an hour; nothing but a purge ever
makes a cache look again. Validation by entity tag works.
"""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Self

from tools.soaking.pages import LANGUAGES, PAGES, SITES, VARIED, Page, content

LATE_SHARE = 0.3
LATE_SECONDS = (0.002, 0.06)
VERY_LATE_SHARE = 0.03
VERY_LATE_SECONDS = (0.2, 1.0)

_PAGES = {(page.host, page.path, page.language): page for page in PAGES}
_HOSTS = frozenset(SITES.values())


class Origin:
    """Listens on 127.0.0.1:port. Use it as a context manager."""

    def __init__(self, dice: random.Random) -> None:
        self.versions: dict[Page, int] = dict.fromkeys(PAGES, 1)
        self.asked = 0
        self.port = 0
        self._dice = dice
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0)

    def change(self, page: Page) -> int:
        """Its next version."""
        self.versions[page] += 1
        return self.versions[page]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                writer.write(await self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the cache left, or the soak is over
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        """The whole response."""
        first, *lines = head[:-4].split(b"\r\n")
        fields = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
        }
        path = first.split(b" ")[1].decode("latin-1")
        host = fields.get(b"host", b"").decode("latin-1").partition(":")[0]
        is_varied = path.startswith(f"/{VARIED}/")
        language = _language(fields.get(b"accept-language", b"")) if is_varied else ""
        page = _PAGES.get((host, path, language))
        if page is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n"
        version = self.versions[page]
        await self._be_late()
        more = b"Vary: Accept-Language\r\n" if is_varied else b""
        tag = b'"v%d%b"' % (version, language.encode())  # a strong tag is of one variant (RFC 9110 s8.8.1)
        said = b"ETag: %b\r\nCache-Control: max-age=3600\r\nSurrogate-Key: %b\r\n%b\r\n" % (
            tag,
            " ".join(page.tags).encode(),
            more,
        )
        if tag in fields.get(b"if-none-match", b"").replace(b" ", b"").split(b","):
            return b"HTTP/1.1 304 Not Modified\r\n" + said
        body = content(page, version)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b%b" % (len(body), said, body)

    async def _be_late(self) -> None:
        drawn = self._dice.random()
        if drawn < VERY_LATE_SHARE:
            await asyncio.sleep(self._dice.uniform(*VERY_LATE_SECONDS))
        elif drawn < LATE_SHARE:
            await asyncio.sleep(self._dice.uniform(*LATE_SECONDS))


def _language(said: bytes) -> str:
    language = said.decode("latin-1")[:2]
    return language if language in LANGUAGES else LANGUAGES[0]
