"""Sitemaps are read as far as they are harmless."""

from __future__ import annotations

import gzip

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.errors import UpstreamFault
from tools.warming.sitemap import MAX_BYTES, MAX_LOCATIONS, BadSitemap, Sitemap, by_http, fetch_all, parse

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
PAGES = (
    f'<?xml version="1.0" encoding="UTF-8"?><urlset {NS}><url><loc>\n http://a/1?x=1&amp;y=2 </loc><lastmod>2026</lastmod>'
    "<image:image><image:loc>http://a/1.png</image:loc></image:image></url><url><loc>http://a/2</loc></url></urlset>"
).encode()
INDEX = (
    f"<sitemapindex {NS}><sitemap><loc>http://a/s1</loc></sitemap><sitemap><loc>http://b/s2</loc></sitemap></sitemapindex>"
).encode()


def test_it_lists_pages_and_sitemaps():
    assert parse(PAGES) == Sitemap(("http://a/1?x=1&y=2", "http://a/2"), ())
    assert parse(gzip.compress(INDEX)) == Sitemap((), ("http://a/s1", "http://b/s2"))


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "no sitemap"),
        (b"<urlset><url>", "no sitemap"),
        (b"<html><br></html>", "no sitemap"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><urlset/>', "DOCTYPE"),
        (b"<urlset>" + b"<url><loc>a</loc></url>" * (MAX_LOCATIONS + 1) + b"</urlset>", "more than 50000"),
        (gzip.compress(PAGES)[:-9] + b"?" * 9, "no sitemap"),
        (gzip.compress(bytes(MAX_BYTES + 1), 1), "more than"),
    ],
)
def test_what_is_none_is_refused(document: bytes, why: str):
    with pytest.raises(BadSitemap, match=why):
        parse(document)


def test_a_page_of_another_kind_lists_nothing():
    assert parse(b"<html><loc>http://a/</loc></html>") == Sitemap((), ())
    assert parse(b"<loc>http://a/</loc>") == Sitemap((), ())
    long = b"<urlset><url><loc>http://a/" + b"x" * 9_000 + b"</loc></url></urlset>"
    assert parse(long) == Sitemap((), ())


async def test_an_index_is_followed_to_its_own_host_only():
    asked: list[str] = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        return INDEX if url == "http://a/index" else PAGES

    assert await fetch_all("http://a/index", fetch) == ["http://a/1?x=1&y=2", "http://a/2"]
    assert asked == ["http://a/index", "http://a/s1"]


async def test_it_is_fetched_by_http():
    async def there(_request: web.Request) -> web.Response:
        return web.Response(body=PAGES)

    app = web.Application()
    app.router.add_get("/s", there)
    server = TestServer(app)
    await server.start_server()
    try:
        assert await by_http(str(server.make_url("/s"))) == PAGES
        with pytest.raises(UpstreamFault, match="answers 404"):
            await by_http(str(server.make_url("/none")))
    finally:
        await server.close()
    with pytest.raises(UpstreamFault, match="http://127.0.0.1:1/s"):
        await by_http("http://127.0.0.1:1/s")
