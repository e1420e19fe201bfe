"""Sitemaps (sitemaps.org, 0.9): a list of URLs, or of further sitemaps, as XML.

Owns: `Sitemap`, `parse`, `fetch_all`. Rules: only <loc> is read; a document with a DOCTYPE is refused, since a sitemap has none
and entities are how XML grows without bound; an index is followed one level deep, to the same host only; every
document, and their number, has a bound. One that ends in .gz, or begins like gzip, is unpacked.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from xml.parsers import expat  # no DTD is read, see `parse`

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from edge.errors import ConfigFault, UpstreamFault

MAX_BYTES = 50 * 1024 * 1024
"""[sitemaps.org: 50 MB, uncompressed]"""
MAX_SITEMAPS = 1_000
MAX_LOCATIONS = 50_000
"""Of one document. [sitemaps.org: 50,000]"""
MAX_LOCATION_CHARS = 2_048
TIMEOUT_SECONDS = 30.0
_GZIP = b"\x1f\x8b"

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Sitemap:
    """urls: of pages. sitemaps: of further ones."""

    urls: tuple[str, ...]
    sitemaps: tuple[str, ...]


class BadSitemap(ConfigFault):
    """Not a sitemap that we read."""


class _Reading:
    """One document."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.sitemaps: list[str] = []
        self._inside: list[str] = []
        self._text: list[str] | None = None

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._inside.append(name.rpartition(":")[2])
        self._text = [] if self._inside[-1] == "loc" else None

    def data(self, text: str) -> None:
        if self._text is not None and sum(map(len, self._text)) <= MAX_LOCATION_CHARS:
            self._text.append(text)

    def end(self, _name: str) -> None:
        if self._text is not None and self._inside[-1] == "loc":
            where = self._inside[-2] if len(self._inside) > 1 else ""
            found = "".join(self._text).strip()
            # <image:loc> stands in <image:image>, and is not what a page's visitors ask for first.
            if where in {"url", "sitemap"} and len(found) <= MAX_LOCATION_CHARS:
                (self.urls if where == "url" else self.sitemaps).append(found)
            if len(self.urls) + len(self.sitemaps) > MAX_LOCATIONS:
                raise BadSitemap(f"a sitemap has more than {MAX_LOCATIONS} entries")
        self._text = None
        self._inside.pop()

    def doctype(self, *_said: object) -> None:
        raise BadSitemap("a sitemap with a DOCTYPE is not read")


def parse(document: bytes) -> Sitemap:
    """What stands in it. BadSitemap."""
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reading.doctype
    parser.StartElementHandler = reading.start
    parser.CharacterDataHandler = reading.data
    parser.EndElementHandler = reading.end
    try:
        parser.Parse(_unpacked(document), True)
    except (expat.ExpatError, zlib.error) as error:
        raise BadSitemap(f"no sitemap: {error}") from None
    return Sitemap(tuple(reading.urls), tuple(reading.sitemaps))


def _unpacked(document: bytes) -> bytes:
    if not document.startswith(_GZIP):
        return document
    unpacking = zlib.decompressobj(wbits=31)
    text = unpacking.decompress(document, MAX_BYTES)
    if unpacking.unconsumed_tail:
        raise BadSitemap(f"a sitemap has more than {MAX_BYTES} bytes")
    return text


async def fetch_all(url: str, fetch: Fetch) -> list[str]:
    """All URLs of pages in a sitemap, and in those that it lists. BadSitemap, and what `fetch` raises."""
    first = parse(await fetch(url))
    found = list(first.urls)
    if len(first.sitemaps) > MAX_SITEMAPS:
        raise BadSitemap(f"{url} lists more than {MAX_SITEMAPS} sitemaps")
    for other in first.sitemaps:
        if _host(other) == _host(url):
            found += parse(await fetch(other)).urls
    return found


def _host(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError:
        return None


async def by_http(url: str) -> bytes:
    """The document there. UpstreamFault, BadSitemap."""
    timeout = ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            ClientSession(timeout=timeout, cookie_jar=DummyCookieJar(), auto_decompress=False) as session,
            session.get(url, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status != 200:
                raise UpstreamFault(f"{url} answers {answer.status}")
            document = b""
            async for piece in answer.content.iter_any():
                document += piece
                if len(document) > MAX_BYTES:
                    raise BadSitemap(f"{url} has more than {MAX_BYTES} bytes")
    except (ClientError, TimeoutError, ValueError) as error:
        raise UpstreamFault(f"{url}: {str(error) or 'no answer in time'}") from None
    return document
