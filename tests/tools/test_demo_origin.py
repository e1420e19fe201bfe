"""The demo origin says what a good origin says, so that there is something to cache."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tools import demo_site
from tools.demo_origin import application

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    for source in demo_site.BUNDLED.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "style.css.gz").write_bytes(gzip.compress((tmp_path / "style.css").read_bytes(), mtime=0))
    async with TestClient(TestServer(application(tmp_path)), auto_decompress=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "cache_control", "content_type"),
    [
        ("/", "max-age=60, stale-while-revalidate=30", "text/html; charset=utf-8"),
        ("/style.css", "max-age=31536000, immutable", "text/css; charset=utf-8"),
        ("/app.js", "max-age=31536000, immutable", "text/javascript; charset=utf-8"),
        ("/planets.json", "max-age=10", "application/json"),
        ("/logo.svg", "max-age=86400", "image/svg+xml"),
        ("/orbit.png", "max-age=86400", "image/png"),
        ("/notes.txt", None, "text/plain; charset=utf-8"),
        ("/time", "max-age=5, stale-while-revalidate=30", "application/json; charset=utf-8"),
        ("/private", "private, max-age=60", "application/json; charset=utf-8"),
        ("/login", "max-age=60", "application/json; charset=utf-8"),
    ],
)
async def test_each_path_says_how_long_it_may_be_kept(
    client: Client, path: str, cache_control: str | None, content_type: str
):
    answer = await client.get(path)
    assert answer.status == 200
    assert answer.headers.get("Cache-Control") == cache_control
    assert answer.headers["Content-Type"] == content_type


async def test_a_file_has_validators_that_work(client: Client):
    first = await client.get("/orbit.png")
    again = await client.get("/orbit.png", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    since = await client.get("/orbit.png", headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert since.status == 304


async def test_a_file_can_be_had_in_parts(client: Client):
    answer = await client.get("/orbit.png", headers={"Range": "bytes=0-7"})
    assert (answer.status, await answer.read()) == (206, b"\x89PNG\r\n\x1a\n")


async def test_text_varies_with_the_encodings_that_are_accepted(client: Client):
    plain = await client.get("/style.css", headers={"Accept-Encoding": "identity"})
    packed = await client.get("/style.css", headers={"Accept-Encoding": "gzip"})
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert gzip.decompress(await packed.read()) == await plain.read()


async def test_every_answer_counts_the_requests_that_reached_the_origin(client: Client):
    counts = [(await client.get(path)).headers["X-Origin-Count"] for path in ("/", "/status/404", "/time")]
    assert counts == ["1", "2", "3"]


@pytest.mark.parametrize("code", [200, 204, 301, 404, 410, 500, 503])
async def test_any_final_status_can_be_asked_for(client: Client, code: int):
    answer = await client.get(f"/status/{code}", params={"cache-control": "max-age=7"}, allow_redirects=False)
    assert answer.status == code
    assert answer.headers["Cache-Control"] == "max-age=7"


@pytest.mark.parametrize("path", ["/nothing.txt", "/style.css.gz", "/.hidden", "/status/100"])
async def test_what_is_not_there_is_not_found(client: Client, path: str):
    assert (await client.get(path)).status == 404


async def test_a_login_sets_a_cookie(client: Client):
    assert "session=demo" in (await client.get("/login")).headers["Set-Cookie"]


async def test_a_body_comes_back(client: Client):
    body = bytes(range(256)) * 1_000
    assert await (await client.post("/echo", data=body)).read() == body


async def test_events_come_while_they_happen(client: Client):
    answer = await client.get("/sse")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert await answer.content.readline() == b"id: 0\n"
    answer.close()


async def test_a_websocket_says_everything_back(client: Client):
    async with client.ws_connect("/ws") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"
        await socket.send_bytes(b"\x00")
        assert await socket.receive_bytes() == b"\x00"
