"""The purge API of one node on real sockets, with a log and a fleet that are turned by hand.

    async with purge_api() as node:
        answer = await node.post({"urls": [...]})

`node.private` is where reading is free, `node.public` where everything is signed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web
from yarl import URL

from edge.bus.faults import BusLost
from edge.fleet.presence import Presence
from edge.fleet.registry import Receipt, Registry
from edge.purge.signing.message import Message
from edge.purge.signing.sign import SigningKey, request_to
from edge.semantics.message import Fields, Line
from edge.server import sockets
from edge.server.purge_api import SERVER_OPTIONS, PurgeApi
from edge.settings.node import ListenAddress
from tests.kit.clock import ManualClock
from tests.kit.desks import ALL, HISTORY, Office, OneDesk
from tests.kit.waiting import Bell


@dataclass
class HandFleet:
    """Nodes that are heard when the test says so; what they answer to questions."""

    clock: ManualClock
    surveyed: bool = True
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: bool = False
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    waiting: int = 0
    registry: Registry = field(default_factory=Registry)
    bell: Bell = field(default_factory=Bell)

    def hear(self, node: str, applied: int, region: str = "eu") -> None:
        """What a node says of itself."""
        said = Presence(node, "one", region, history=HISTORY, applied=applied, ready=True, workers=1)
        self.registry.hear(said, self.clock.mono())
        self.bell.ring()

    def described(self) -> list[dict[str, Any]]:
        now = self.clock.mono()
        return [{"node": each.presence.node, "live": each.is_live(now)} for each in self.registry.members()]

    def receipt(self, seq: int, history: str, region: str | None = None) -> Receipt:
        now = self.clock.mono()
        return self.registry.receipt(seq, history, region, now, surveyed=self.surveyed)

    async def wait(self, seq: int, history: str, region: str | None, seconds: float) -> Receipt:
        self.waiting += 1
        self.bell.ring()
        try:
            async with asyncio.timeout(seconds):
                await self.bell.until(
                    lambda: self.receipt(seq, history, region).is_complete,
                    "a receipt",
                    seen=lambda: self.registry,
                )
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1
        return self.receipt(seq, history, region)

    async def is_waited_for(self) -> None:
        """Until somebody waits."""
        await self.bell.until(lambda: self.waiting > 0, "who waits", seen=lambda: self.waiting)

    async def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, dict[str, Any]]:
        if self.lost:
            raise BusLost("no connection")
        self.asked.append(question)
        return self.answers


@dataclass(frozen=True)
class Told:
    """An answer. said: its JSON."""

    status: int
    fields: Mapping[str, str]
    said: dict[str, Any]

    @property
    def reason(self) -> str:
        assert self.fields["Content-Type"] == "application/problem+json", self.fields
        assert self.said["status"] == self.status
        reason: str = self.said["reason"]
        return reason


@dataclass
class ApiNode:
    """A node's API. private, public: URLs without a path."""

    office: Office
    desk: OneDesk
    fleet: HandFleet
    api: PurgeApi
    private: str
    public: str
    session: ClientSession

    async def send(self, message: Message, base: str | None = None, **more: Any) -> Told:
        """A message as it is; its authority is where it goes."""
        url = (self.private if base is None else base) + message.target.decode()
        async with self.session.request(
            message.method.decode(),
            URL(url, encoded=True),
            data=message.body or None,
            headers=[(name.decode(), value.decode("latin-1")) for name, value in message.fields],
            **more,
        ) as answer:
            data = await answer.read()
            return Told(answer.status, answer.headers, json.loads(data) if data else {})

    async def post(
        self,
        said: object,
        path: str = "/v1/purges",
        *,
        key: SigningKey = ALL,
        lines: tuple[Line, ...] = (),
        base: str | None = None,
    ) -> Told:
        """A signed POST."""
        return await self.send(self.signed(said, path, key=key, lines=lines, base=base), base)

    def signed(
        self,
        said: object,
        path: str = "/v1/purges",
        *,
        key: SigningKey = ALL,
        lines: tuple[Line, ...] = (),
        base: str | None = None,
        method: str = "POST",
    ) -> Message:
        """A request for `base`, signed now. said: None = no body."""
        self.office.clock.advance(1e-5)
        body = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
        kind = ((b"Content-Type", b"application/json"),) if body else ()
        url = (self.private if base is None else base) + path
        unsigned = request_to(url, method=method, fields=Fields((*kind, *lines)), body=body)
        return self.office.signed(unsigned, key)

    async def get(self, path: str, *, base: str | None = None, key: SigningKey | None = None) -> Told:
        """A GET. key: None = unsigned."""
        url = (self.private if base is None else base) + path
        if key is not None:
            return await self.send(self.signed(None, path, key=key, base=base, method="GET"), base)
        return await self.send(request_to(url, method="GET"), base)

    def counted(self) -> dict[tuple[str, ...], float]:
        """Requests by shape and outcome."""
        return {values: cell.value for values, cell in self.desk.desk.counted.requests.cells.items()}


@asynccontextmanager
async def purge_api(
    office: Office | None = None, *, body_seconds: float = 5.0, max_held: int = 1 << 20
) -> AsyncIterator[ApiNode]:
    """One node's API, until the end of the block."""
    office = Office() if office is None else office
    desk, fleet = await office.desk(), HandFleet(office.clock)
    api = PurgeApi(
        desk.desk,
        office.log,
        fleet,
        settings=lambda: office.settings,
        clock=office.clock,
        body_seconds=body_seconds,
        max_held=max_held,
    )
    async with AsyncExitStack() as stack:
        loopback = ListenAddress("127.0.0.1", 0)
        public, private = (await sockets.bind(loopback, 1))[0], (await sockets.bind(loopback, 1))[0]
        at_public, at_private = (f"http://{sockets.listening_at(each[0])}" for each in (public, private))
        await api.start(public)
        stack.push_async_callback(api.aclose)
        app = web.Application()
        app.add_routes(api.routes())
        runner = web.AppRunner(app, **SERVER_OPTIONS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, private[0]).start()
        session = await stack.enter_async_context(ClientSession())
        yield ApiNode(office, desk, fleet, api, at_private, at_public, session)
