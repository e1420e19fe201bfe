"""What a worker tells the supervisor when asked: a small web app on a unix socket of its own.

Owns: `worker_app` and `serve`; and `ask`, for the other end. Rules: it only tells; orders come over the line
(edge.server.orders), where they cannot be lost or overtake each other. The socket lies in a folder that only this user can
enter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from yarl import URL

from edge.errors import ClientFault, StoreFault
from edge.metrics import Snapshot, flat
from edge.semantics.message import RequestHead
from edge.semantics.purge_order import MAX_BYTES
from edge.server.explaining import asked
from edge.store.survey import Survey

MAX_BODY_BYTES = MAX_BYTES + 1024
"""A purge order that somebody would like to see counted."""
MAX_SURVEY_SECONDS = 60.0

REQUESTS = "perigee_requests_total"

Explain = Callable[[RequestHead], Awaitable[dict[str, object]]]
Count = Callable[[bytes, float], Awaitable[Survey]]
"""How much an order (as encoded) would name, within so many seconds. BadMessage, StoreFault."""


class Tells(Protocol):
    """What is asked of a worker."""

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether requests should be sent here, and why."""


def worker_app(
    worker: Tells,
    snapshot: Callable[[], Snapshot],
    explain: Explain,
    count: Count,
    routes: Sequence[web.RouteDef] = (),
) -> web.Application:
    """GET /snapshot, /served, /readyz, /explain?url=URL&header=NAME:VALUE&method=METHOD, POST /survey?seconds=SECONDS; and
    `routes`.
    """

    async def numbers(_request: web.Request) -> web.Response:
        return web.json_response(snapshot())

    async def served(_request: web.Request) -> web.Response:
        return web.json_response({"requests": sum(flat(snapshot(), REQUESTS).values())})

    async def ready(_request: web.Request) -> web.Response:
        is_ready, detail = worker.readiness()
        return web.json_response({"ready": is_ready, "detail": detail})

    async def explained(request: web.Request) -> web.Response:
        query = request.query
        try:
            head = asked(query.get("url", ""), query.getall("header", []), query.get("method", "GET"))
            return web.json_response(await explain(head))
        except ClientFault as fault:
            return web.json_response({"error": fault.detail, "status": fault.status}, status=400)

    async def counted(request: web.Request) -> web.Response:
        try:
            seconds = min(float(request.query.get("seconds", "")), MAX_SURVEY_SECONDS)
            return web.json_response(asdict(await count(await request.read(), seconds)))
        except ValueError as error:  # BadMessage is one
            return web.json_response({"error": str(error)}, status=400)
        except StoreFault as fault:
            return web.json_response({"error": fault.detail}, status=500)

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.get("/snapshot", numbers),
            web.get("/served", served),
            web.get("/readyz", ready),
            web.get("/explain", explained),
            web.post("/survey", counted),
            *routes,
        ]
    )
    return app


async def ask(
    path: Path, target: str, *, seconds: float, body: bytes | None = None
) -> dict[str, object] | None:
    """What the worker on that socket answers; None when that is nothing, in time. body: sent by POST; None = GET."""
    connector = UnixConnector(str(path), force_close=True)
    url = URL(f"http://worker{target}", encoded=True)
    try:
        async with (
            ClientSession(connector=connector, timeout=ClientTimeout(total=seconds)) as session,
            session.request("GET" if body is None else "POST", url, data=body) as answer,
        ):
            said = await answer.json()
    except (ClientError, TimeoutError, json.JSONDecodeError):
        return None
    return said if isinstance(said, dict) else None


async def serve(app: web.Application, path: Path) -> web.AppRunner:
    """Serve on a unix socket; `cleanup()` of what is returned ends it. OSError."""
    await asyncio.to_thread(path.unlink, missing_ok=True)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    await asyncio.to_thread(path.chmod, 0o600)
    return runner
