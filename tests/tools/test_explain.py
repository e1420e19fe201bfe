"""`perigee explain` asks as a client would, and says what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.errors import ConfigFault, UpstreamFault
from tools.explain import run


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "max-age=60", "X-Asked": request.raw_path, "Vary": "X-Lang"}
        return web.Response(headers=headers, text="x")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


async def explained(url: str, *, to_json: bool, headers: tuple[str, ...] = ()) -> int:
    return await asyncio.to_thread(run, url, headers, method="GET", config=None, to_json=to_json)


async def test_a_url_is_explained_to_a_program(origin: str, capsys: pytest.CaptureFixture[str]):
    assert await explained(f"{origin}/a%2Fb?c", to_json=True, headers=("X-Lang: de",)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["because"] == "stored"
    assert said["lifetime"] == 60.0
    assert said["target"] == "/a%2Fb?c"
    assert said["vary"] == {"x-lang": "de"}


async def test_a_url_is_explained_to_people(origin: str, capsys: pytest.CaptureFixture[str]):
    assert await explained(f"{origin}/", to_json=False) == 0
    said = capsys.readouterr().out
    assert "max-age in the origin's Cache-Control" in said


async def test_an_origin_that_is_away_is_an_error(origin: str):
    with pytest.raises(UpstreamFault, match="127.0.0.1:1"):
        await explained("http://127.0.0.1:1/", to_json=True)


@pytest.mark.parametrize("url", ["gopher://a/", "a.example/x", "http:///x", "http://a/\u00e9", "http://a:x/"])
def test_what_is_no_url_is_said(url: str):
    with pytest.raises(ConfigFault, match="no URL"):
        run(url, (), method="GET", config=None, to_json=True)


@pytest.mark.parametrize("header", ["nothing", ": x", "a: b\r\nc: d"])
def test_what_is_no_header_is_said(header: str):
    with pytest.raises(ConfigFault, match="no header"):
        run("http://127.0.0.1:1/", (header,), method="GET", config=None, to_json=True)
