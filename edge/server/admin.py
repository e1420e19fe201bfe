"""The admin address of a node: metrics, health, and who serves.

Owns: `Admin`, which the supervisor serves. Rules: it answers for all workers as one; it only tells, and tells no secret; a
worker that does not answer in time is said to be silent, and never makes the whole answer wait longer. It has no
password: `node.admin` is for loopback or a private network.
"""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from edge.metrics import CONTENT_TYPE, Snapshot, exposition
from edge.server.hot_set import node_route
from edge.server.keeper import Seen
from edge.server.totals import Totals
from edge.server.worker_admin import ask

ASK_SECONDS = 2.0
"""How long a worker may take to answer; a load balancer's own patience is rarely below three."""

MAX_BODY_BYTES = 4096
"""Nothing here takes a body."""

SUPERVISORS_OWN = (
    "perigee_workers",
    "perigee_worker_restarts_total",
    "perigee_reloads_total",
    "perigee_rolls_total",
)
"""What a worker knows nothing of."""

OF_ALL = (
    "perigee_bus_",
    "perigee_checks_",
    "perigee_fleet_",
    "perigee_key",
    "perigee_opinions_",
    "perigee_pop_",
    "perigee_presences_",
    "perigee_purge",
    "perigee_signatures_",
    "perigee_tls_certificate_",
    "perigee_tls_earliest_",
)
"""How the names begin of what the supervisor counts as workers do: it reads the purge log, and takes purges."""


@dataclass(frozen=True, slots=True)
class State:
    """What the supervisor knows. complaint: of the settings, None = those in the files are in force."""

    workers: Sequence[Seen]
    draining: bool
    complaint: str | None
    loaded: float
    """Unix seconds at which the settings in force were read."""
    purges: Mapping[str, object] | None = None
    """Of the purge log, as all processes together know it; None = there is none."""
    warmth: Mapping[str, object] | None = None
    """As `Warmth.described` says it; None = nobody looks."""
    is_too_cold: bool = False
    """It is not to be asked before it is warm."""
    certificates: Mapping[str, object] | None = None
    """As `Certifying.described` says it; None = this node speaks no TLS to clients."""
    roll: Mapping[str, object] | None = None
    """As `Roller.described` says it; None = there was none."""
    replaced: int | None = None
    """The worker that is being replaced while others serve: no connection is sent to it."""


def perigee_version() -> str:
    """Of the installed package; "unknown" where it runs from a folder."""
    try:
        return version("perigee")
    except PackageNotFoundError:
        return "unknown"


class Admin:
    """state: what is known now. socket_of: where a worker answers. own: the supervisor's snapshot. routes: more of them, which
    read and bound what they are sent themselves.
    """

    def __init__(
        self,
        state: Callable[[], State],
        socket_of: Callable[[int], Path],
        own: Callable[[], Snapshot],
        totals: Totals,
        routes: Sequence[web.RouteDef] = (),
    ) -> None:
        self._state = state
        self._routes = routes
        self._socket_of = socket_of
        self._own = own
        self._totals = totals
        self._runner: web.AppRunner | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on listening sockets, which belong to the server from now on."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/metrics", self.metrics),
                web.get("/livez", self.alive),
                web.get("/readyz", self.ready),
                web.get("/healthz", self.ready),
                web.get("/workers", self.workers),
                web.get("/version", self.version),
                web.get("/explain", self.explain),
                node_route(self._hot),
                *self._routes,
            ]
        )
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            keepalive_timeout=15.0,
            auto_decompress=False,
        )
        await self._runner.setup()
        for sock in sockets:
            await web.SockSite(self._runner, sock).start()

    async def aclose(self) -> None:
        """End it; any number of times."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def alive(self, _request: web.Request) -> web.Response:
        """The supervisor runs, and its loop turns. That workers do is for /readyz."""
        return web.Response(text="alive\n")

    async def version(self, _request: web.Request) -> web.Response:
        """Which program this is."""
        return _json({"perigee": perigee_version(), "python": platform.python_version()})

    async def workers(self, _request: web.Request) -> web.Response:
        """The processes."""
        return _json({"workers": [asdict(seen) for seen in self._state().workers]})

    async def ready(self, _request: web.Request) -> web.Response:
        """200 when every worker serves, has read all of the purge log that there was, and is warm where that is waited for;
        else 503. One that is being replaced while others serve is not waited for. Details in either case.
        """
        state = self._state()
        answers = await self._ask("/readyz", [seen.index for seen in state.workers if seen.served])
        replaced = {state.replaced, self._state().replaced}  # a roll may have gone on while they were asked
        told = [
            {**_readiness(seen, answers.get(seen.index)), "replaced": seen.index in replaced}
            for seen in state.workers
        ]
        waited_for = [each["ready"] for each in told if not each["replaced"]]
        ready = bool(waited_for) and not state.draining and all(waited_for)
        ready = ready and (state.purges is None or bool(state.purges["caught_up"]))
        ready = ready and not state.is_too_cold
        settings = {"loaded": state.loaded, "complaint": state.complaint}
        body = {
            "ready": ready,
            "draining": state.draining,
            "settings": settings,
            "purge_log": state.purges,
            "warmth": state.warmth,
            "certificates": state.certificates,
            "roll": state.roll,
            "workers": told,
        }
        return _json(body, 200 if ready else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """All workers as one, in Prometheus's text format."""
        lives = self._totals.lives()
        served = [seen.index for seen in self._state().workers if seen.served]
        answers = await self._numbers(served)
        own = {
            name: family
            for name, family in self._own().items()
            if name in SUPERVISORS_OWN or name.startswith(OF_ALL)
        }
        own["perigee_workers"]["cells"][0]["value"] = len(answers)
        page = exposition(self._totals.together(answers, own, lives))
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    async def farewell(self, index: int) -> None:
        """Hear what a worker has counted that serves nobody any more, and is about to end."""
        for said in (await self._numbers([index])).values():
            self._totals.last_words(index, said)

    async def _numbers(self, indices: Sequence[int]) -> dict[int, Snapshot]:
        answers = cast("dict[int, Snapshot]", await self._ask("/snapshot", indices))
        for snapshot in answers.values():
            for name in SUPERVISORS_OWN:
                snapshot.pop(name, None)
        return answers

    async def explain(self, request: web.Request) -> web.Response:
        """What each worker holds for a request, and what it would do (edge.server.explaining)."""
        served = [seen.index for seen in self._state().workers if seen.served]
        answers = await self._ask(f"/explain?{request.rel_url.raw_query_string}", served)
        if not answers:
            return _json({"error": "no worker answers"}, 503)
        wrong = next((said for said in answers.values() if "error" in said), None)
        if wrong is not None:
            return _json(wrong, 400)
        return _json({"workers": [{"index": index, **said} for index, said in sorted(answers.items())]})

    async def stored(self) -> list[Mapping[str, object]] | None:
        """What each worker has stored; None where one does not serve, or does not say."""
        seen = self._state().workers
        if not seen or not all(each.served for each in seen):
            return None
        answers = await self._ask("/readyz", [each.index for each in seen])
        details = [cast("Mapping[str, Any]", said.get("detail", {})) for said in answers.values()]
        found = [detail["stored"] for detail in details if "stored" in detail]
        return found if len(found) == len(seen) else None

    async def _hot(self, target: str) -> tuple[int, Collection[Mapping[str, object]]]:
        served = [seen.index for seen in self._state().workers if seen.served]
        return len(self._state().workers), (await self._ask(target, served)).values()

    async def answering(self, indices: Sequence[int]) -> Collection[int]:
        """Which of these workers answer, whatever they say."""
        return (await self._ask("/readyz", indices)).keys()

    async def _ask(self, target: str, indices: Sequence[int]) -> dict[int, dict[str, object]]:
        """What each worker answers; those that do not are left out."""
        asking = (ask(self._socket_of(index), target, seconds=ASK_SECONDS) for index in indices)
        answers = await asyncio.gather(*asking)
        return {index: said for index, said in zip(indices, answers, strict=True) if said is not None}


def _readiness(seen: Seen, said: Mapping[str, object] | None) -> dict[str, object]:
    told: dict[str, object] = {"index": seen.index, "pid": seen.pid, "ready": False}
    if seen.pid is None:
        return {**told, "why": "between two lives"}
    if not seen.served:
        return {**told, "why": "it is starting"}
    if said is None:
        return {**told, "why": "it does not answer"}
    return {**told, **said}


def _json(body: Mapping[str, object], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
