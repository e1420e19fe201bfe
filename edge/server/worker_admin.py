"""What a worker tells the supervisor when asked: a small web app on a unix socket of its own.

Owns: `worker_app` and `serve`. Rules: it only tells; orders come over the line (edge.server.orders), where they cannot be
lost or overtake each other. The socket lies in a folder that only this user can enter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web

from edge.errors import ClientFault
from edge.metrics import Snapshot
from edge.semantics.message import RequestHead
from edge.server.explaining import asked

MAX_BODY_BYTES = 4096
"""Nothing here takes a body."""


Explain = Callable[[RequestHead], Awaitable[dict[str, object]]]


class Tells(Protocol):
    """What is asked of a worker."""

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether requests should be sent here, and why."""


def worker_app(worker: Tells, snapshot: Callable[[], Snapshot], explain: Explain) -> web.Application:
    """GET /snapshot, /readyz, /explain?url=URL&header=NAME:VALUE&method=METHOD."""

    async def numbers(_request: web.Request) -> web.Response:
        return web.json_response(snapshot())

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

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes([web.get("/snapshot", numbers), web.get("/readyz", ready), web.get("/explain", explained)])
    return app


async def serve(app: web.Application, path: Path) -> web.AppRunner:
    """Serve on a unix socket; `cleanup()` of what is returned ends it. OSError."""
    await asyncio.to_thread(path.unlink, missing_ok=True)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    await asyncio.to_thread(path.chmod, 0o600)
    return runner
