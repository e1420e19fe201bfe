"""A small origin to put an edge in front of: real files of several sizes and types, and paths that do things.

Owns: the demo's HTTP server (127.0.0.1 only). Each answer carries `X-Origin-Count`, the number of requests that have
reached the origin: it stands still while the edge answers by itself.

Run by itself: `python -m tools.demo_origin [--port 3000] [--data-dir var/demo-origin]`; port 0 takes a free one.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from tools.demo_site import TEXT_SUFFIXES, lay_out

HOST = "127.0.0.1"
PORT = 3000

CACHE_CONTROL = {
    ".html": "max-age=60, stale-while-revalidate=30",
    ".css": "max-age=31536000, immutable",
    ".js": "max-age=31536000, immutable",
    ".json": "max-age=10",
    ".svg": "max-age=86400",
    ".png": "max-age=86400",
    ".bin": "max-age=3600",
}
"""By suffix; .txt says nothing, for a cache to guess."""

CONTENT_TYPE = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".bin": "application/octet-stream",
}
"""By suffix: what a machine's own table says differs from one to the next. What is not here is not served."""

SLOW_SECONDS = 1.0
SSE_EVENTS = 3_600
"""An event a second, so an hour: then the client asks anew."""

MAX_BODY_BYTES = 1 << 30
"""The most that /echo sends back."""

SITE = web.AppKey("site", Path)
COUNT = web.AppKey("count", list[int])

routes = web.RouteTableDef()


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every request, and show how many there were."""
    request.app[COUNT][0] += 1
    return await handler(request)


async def _show_count(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Origin-Count"] = str(request.app[COUNT][0])


def _json(said: dict[str, object], cache_control: str, status: int = 200) -> web.Response:
    return web.json_response(
        said,
        status=status,
        headers={"Cache-Control": cache_control},
        dumps=lambda value: json.dumps(value) + "\n",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@routes.get("/time")
async def tell_time(request: web.Request) -> web.Response:
    """The time: fresh for 5 s, and usable for 30 s more while it is fetched anew."""
    return _json({"time": _now(), "count": request.app[COUNT][0]}, "max-age=5, stale-while-revalidate=30")


@routes.get("/slow")
async def slow(_request: web.Request) -> web.Response:
    """Takes a second: many who ask at once are answered by one request."""
    await asyncio.sleep(SLOW_SECONDS)
    return _json({"made": _now()}, "max-age=30")


@routes.get("/private")
async def private(_request: web.Request) -> web.Response:
    """For one user: no shared cache stores it."""
    return _json({"made": _now()}, "private, max-age=60")


@routes.get("/login")
async def login(_request: web.Request) -> web.Response:
    """Sets a cookie, and claims to be cacheable all the same, as many a framework does."""
    response = _json({"made": _now()}, "max-age=60")
    response.set_cookie("session", "demo", httponly=True, samesite="Lax")
    return response


@routes.get("/status/{code:[2-5][0-9][0-9]}")
async def status(request: web.Request) -> web.Response:
    """Any final status; nothing is said about caching, unless by ?cache-control=."""
    code = int(request.match_info["code"])
    said = request.query.get("cache-control", "")
    headers = {"Cache-Control": said} if said.isprintable() and said else {}
    if code in {204, 205, 304}:
        return web.Response(status=code, headers=headers)
    return web.Response(status=code, headers=headers, text=f"{code}\n")


@routes.post("/echo")
async def echo(request: web.Request) -> web.StreamResponse:
    """Send back what comes, while it comes."""
    response = web.StreamResponse(
        headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    async for chunk in request.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


@routes.get("/sse")
async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: one a second."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    with suppress(ConnectionResetError):
        for number in range(SSE_EVENTS):
            await response.write(f"id: {number}\ndata: {_now()}\n\n".encode())
            await asyncio.sleep(1.0)
    return response


@routes.get("/ws")
async def socket(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket that says everything back."""
    response = web.WebSocketResponse(heartbeat=30.0)
    await response.prepare(request)
    async for message in response:
        if message.type is WSMsgType.TEXT:
            await response.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await response.send_bytes(message.data)
    return response


@routes.get("/{name:[A-Za-z0-9._-]*}")
async def file(request: web.Request) -> web.StreamResponse:
    """A file of the site; ranges, validators and the compressed variant are aiohttp's work."""
    path = request.app[SITE] / (request.match_info["name"] or "index.html")
    if path.name.startswith(".") or path.suffix not in CONTENT_TYPE or not path.is_file():
        return web.Response(status=404, text="no such file\n", headers={"Cache-Control": "max-age=10"})
    headers = {"Content-Type": CONTENT_TYPE[path.suffix]}
    if path.suffix in CACHE_CONTROL:
        headers["Cache-Control"] = CACHE_CONTROL[path.suffix]
    if path.suffix in TEXT_SUFFIXES:
        headers["Vary"] = "Accept-Encoding"
    return web.FileResponse(path, headers=headers)


def application(site: Path) -> web.Application:
    """The origin, serving the files of `site` (`lay_out` makes them)."""
    app = web.Application(middlewares=[counted], client_max_size=MAX_BODY_BYTES)
    app[SITE] = site
    app[COUNT] = [0]
    app.add_routes(routes)
    app.on_response_prepare.append(_show_count)
    return app


async def serve(port: int | None, site: Path) -> None:
    """Listen, say where (`listening on 127.0.0.1:PORT`, one line), and go on until cancelled.

    port: 0 = any free one, None = PORT, or any free one where that is taken. OSError where it is taken.
    """
    runner = web.AppRunner(application(site), access_log=None, handle_signals=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, port)
        _, bound = runner.addresses[0][:2]
        print(f"listening on {HOST}:{bound}", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int | None) -> None:
    if port is not None:
        await web.TCPSite(runner, HOST, port).start()
        return
    try:
        await _listen(runner, PORT)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        await _listen(runner, 0)


def main() -> None:
    """The origin by itself."""
    parser = argparse.ArgumentParser(description="A small origin to put an edge in front of.")
    parser.add_argument("--port", type=int, help="0: any free one; default: 3000, or a free one")
    parser.add_argument("--data-dir", type=Path, default=Path("var/demo-origin"))
    chosen = parser.parse_args()
    with suppress(KeyboardInterrupt, web.GracefulExit):
        asyncio.run(serve(chosen.port, lay_out(chosen.data_dir)))


if __name__ == "__main__":
    main()
