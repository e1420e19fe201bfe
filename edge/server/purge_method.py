"""PURGE on the public port: from the worker that got it to the process that has the desk, and back.

Owns: `PurgeMethod` (in each worker) and `purge_method_app` (in the supervisor, on a unix socket in the run folder). Rules: what
was signed is the request as the client sent it, so that goes over as it was parsed, with whom it came from; nothing is
decided here; so many at a time and no more, since whoever reaches the port can send one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from edge.errors import ClientFault
from edge.exchange import Exchange, Reply, Verdict
from edge.measures import Measures
from edge.purge.declined import RETRY_SECONDS, Reason, declined
from edge.purge.dialects_answers import Answer, problem
from edge.semantics.message import Authority, Fields, RequestHead
from edge.semantics.reasons import Because
from edge.wire.framing import NO_BODY

PATIENCE_SECONDS = 15.0
"""The log may take ten to acknowledge an order."""
MAX_UNDER_WAY = 64
"""PURGE requests of one worker at a time; then 503."""
MAX_BYTES = 1024 * 1024

_BUSY = declined(Reason.TOO_BUSY, "too many purges at once", retry_after=RETRY_SECONDS)
_NO_DESK = declined(
    Reason.LOG_UNAVAILABLE, "the purge desk of this node does not answer", retry_after=RETRY_SECONDS
)

Take = Callable[[RequestHead, str], Awaitable[Answer]]
"""(head as the client sent it, IP address of the client) -> what he is answered."""


class PurgeMethod:
    """Of one worker. socket: where the desk is. client_of: the address of who asks, which `purge.allow` is asked about: what
    came through a proxy that we trust is not the proxy's.
    """

    def __init__(self, socket: Path, measures: Measures, client_of: Callable[[Exchange], str]) -> None:
        self._socket = socket
        self._client_of = client_of
        self._full = measures.bound_reached.of("purge_method")
        self._under_way = 0

    async def __call__(self, head: RequestHead, exchange: Exchange, site: str) -> Reply:
        """head: with the authority that the client meant. Raises ClientFault."""
        if exchange.request.framing is not NO_BODY:
            raise ClientFault("a PURGE has no body", status=400)
        if self._under_way >= MAX_UNDER_WAY:
            self._full.value += 1
            return _reply(problem(_BUSY), site)
        self._under_way += 1
        try:
            return _reply(await self._ask(head, self._client_of(exchange)), site)
        finally:
            self._under_way -= 1

    async def _ask(self, head: RequestHead, peer: str) -> Answer:
        connector = UnixConnector(str(self._socket), force_close=True)
        try:
            async with (
                ClientSession(connector=connector, timeout=ClientTimeout(total=PATIENCE_SECONDS)) as session,
                session.post("http://desk/method", data=_written(head, peer)) as answer,
            ):
                said = await answer.json()
            return Answer(
                int(said["status"]),
                tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in said["fields"]),
                said["body"].encode("latin-1"),
            )
        except (ClientError, TimeoutError, OSError, ValueError, KeyError):
            return problem(_NO_DESK)


def purge_method_app(take: Take) -> web.Application:
    """POST /method, for the workers of this node."""

    async def method(request: web.Request) -> web.Response:
        try:
            head, peer = _read(await request.read())
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        answer = await take(head, peer)
        fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.fields]
        return web.json_response(
            {"status": answer.status, "fields": fields, "body": answer.body.decode("latin-1")}
        )

    app = web.Application(client_max_size=MAX_BYTES)
    app.add_routes([web.post("/method", method)])
    return app


def _reply(answer: Answer, site: str) -> Reply:
    verdict = Verdict(site, "-", Because.METHOD_NOT_CACHED)
    return Reply(answer.status, b"", Fields(answer.fields), answer.body, len(answer.body), verdict)


def _written(head: RequestHead, peer: str) -> bytes:
    authority = head.authority
    return json.dumps(
        {
            "method": head.method.decode("latin-1"),
            "scheme": authority.scheme.decode("latin-1"),
            "host": authority.host.decode("latin-1"),
            "port": authority.port,
            "target": head.target.decode("latin-1"),
            "fields": [
                [name.decode("latin-1"), value.decode("latin-1")] for name, value in head.fields.lines
            ],
            "peer": peer,
        }
    ).encode()


def _read(data: bytes) -> tuple[RequestHead, str]:
    said = json.loads(data)
    method, scheme, host, target = (
        said[name].encode("latin-1") for name in ("method", "scheme", "host", "target")
    )
    lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said["fields"]]
    return RequestHead(method, Authority(scheme, host, int(said["port"])), target, Fields(lines)), str(
        said["peer"]
    )


async def serve_purge_method(take: Take, path: Path) -> web.AppRunner:
    """Serve the workers on a unix socket; `cleanup()` of what is returned ends it. OSError."""
    await asyncio.to_thread(path.unlink, missing_ok=True)
    runner = web.AppRunner(
        purge_method_app(take), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    await web.UnixSite(runner, path).start()
    await asyncio.to_thread(path.chmod, 0o600)
    return runner
