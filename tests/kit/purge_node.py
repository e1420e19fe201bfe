"""A node's purge API as a command line sees it: signatures are verified for real, the answers are the test's.

async with PurgeNode() as node:
node.receipts = [receipt(...), receipt(...)]
code = await asyncio.to_thread(run, ..., api=node.url)
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.clock import SystemClock
from edge.purge.signing.faults import Refused
from edge.purge.signing.message import Message
from edge.purge.signing.verify import Policy, verify
from edge.semantics.message import Authority, Fields
from tests.kit.signed import RING

ORDERED = {"id": "n1", "seq": 7, "history": "0" * 16, "accepted": 1, "repeated": False}
STATUS_URL = "/v1/purges/n1"


def node(name: str, region: str = "eu", **more: Any) -> dict[str, Any]:
    """One node of a receipt, as it stands there if it has not applied the order."""
    return {"node": name, "region": region, "applied": 3, "silent": 0.2, "contested": False, **more}


def receipt(
    *, applied: tuple[tuple[str, str], ...] = (), pending=(), away=(), surveyed: bool = True, region=None
) -> dict[str, Any]:
    """As `edge.server.purge_receipts` writes one. applied, pending, away: (node, region)."""
    counts: dict[str, dict[str, Any]] = {}
    for state, nodes in (("applied", applied), ("pending", pending), ("away", away)):
        for _, place in nodes:
            one = counts.setdefault(place, {"region": place, "applied": 0, "pending": 0, "away": 0})
            one[state] += 1
    return {
        "done": surveyed and bool(applied) and not pending,
        "surveyed": surveyed,
        "region": region,
        "regions": [counts[place] for place in sorted(counts)],
        "applied": [{"node": name, "region": place, "after": 0.012} for name, place in applied],
        "pending": [node(name, place) for name, place in pending],
        "away": [node(name, place, silent=60.0) for name, place in away],
        "seconds": None,
    }


class PurgeNode:
    """See the module. receipts: told one after the other, the last one for ever. refuse: (status, what is said)."""

    def __init__(self) -> None:
        self.receipts: list[dict[str, Any]] = [receipt(applied=(("a", "eu"),))]
        self.refuse: tuple[int, dict[str, Any]] | None = None
        self.told: dict[str, Any] = {}
        """Answers to other targets."""
        self.asked: list[tuple[str, str, dict[str, Any] | None]] = []
        self.verified: list[bool] = []
        self.failures = 0
        """So many looks get a 503 first."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append((request.method, request.raw_path, json.loads(body) if body else None))
        self._verify(request, body)
        if request.raw_path in self.told:
            said = self.told[request.raw_path]
            if isinstance(said, bytes):
                return web.Response(body=said)
            return web.json_response(said)
        if request.method == "POST":
            if self.refuse is not None:
                status, said = self.refuse
                return web.json_response(said, status=status, content_type="application/problem+json")
            said = {**ORDERED, "status_url": STATUS_URL}
            if request.query.get("wait"):
                said["receipt"] = self._receipt()
            return web.json_response(said, status=202)
        if self.failures:
            self.failures -= 1
            return web.json_response({"reason": "log-unavailable", "detail": "away"}, status=503)
        return web.json_response({"id": "n1", "receipt": self._receipt()})

    def _receipt(self) -> dict[str, Any]:
        return self.receipts.pop(0) if len(self.receipts) > 1 else self.receipts[0]

    def _verify(self, request: web.Request, body: bytes) -> None:
        message = Message(
            request.method.encode(),
            Authority(b"http", b"127.0.0.1", self._server.port or 0),
            request.raw_path.encode(),
            Fields(request.raw_headers),
            body,
        )
        verdict = verify(message, RING, SystemClock().now(), Policy(300.0, 30.0))
        self.verified.append(not isinstance(verdict, Refused))
