"""A worker without sockets: a node whose memory holds one response, and a connection whose transport is a bucket.

What a hit costs here is what it costs in a worker, less the kernel and the event loop.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

from edge.clock import SystemClock
from edge.fence import Fence
from edge.fill.body_reader import BodyReader
from edge.fill.fill import FillRoom
from edge.fill.table import FillTable
from edge.fill.upstream import BodySource, Fetched, OnInterim, Timings, UpstreamRequest
from edge.measures import Measures
from edge.node import Node
from edge.semantics.decide import decide_fill
from edge.semantics.decisions import Store as Storable
from edge.semantics.key import primary_key
from edge.semantics.message import RequestHead, ResponseHead, UnixSeconds
from edge.semantics.purge_table import PurgeTable
from edge.semantics.rules import OriginAddress, OriginRules, SiteRules
from edge.semantics.stored import StoredResponse
from edge.server.access_log import AccessLog
from edge.server.connection import Connection
from edge.server.listener import Listener
from edge.settings.node import LogSettings, LogTarget
from edge.settings.sites import SiteTable
from edge.store.memory import MemoryTier
from edge.store.store import Store
from edge.tasks import TaskOwner
from edge.tiers import Tiers
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.request import parse_request_head
from edge.wire.response import parse_response_head
from tools.benching.heads import request_bytes
from tools.benching.origin import head as origin_head

RULES = SiteRules(name="bench", origin=OriginRules(origins=(OriginAddress(b"http", b"127.0.0.1", 9),)))
REQUEST = request_bytes("127.0.0.1:8080", "/1k/assets/img/picture-00042.webp?v=3")
CONDITIONAL = request_bytes(
    "127.0.0.1:8080", "/1k/assets/img/picture-00042.webp?v=3", [("If-None-Match", '"v1"')]
)
BODY = b"0123456789abcdef" * 64


class Bucket:
    """A transport that keeps nothing."""

    def __init__(self) -> None:
        self.written = 0
        self.last = b""

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self.last = data

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_extra_info(self, name: str) -> None:
        return None


def request_head() -> RequestHead:
    return parse_request_head(REQUEST, DEFAULT_LIMITS).head


def response_head(now: float) -> ResponseHead:
    return parse_response_head(origin_head(len(BODY), int(now)), b"GET", DEFAULT_LIMITS).head


def stored_response(now: float) -> StoredResponse:
    head = request_head()
    key = primary_key(head.authority, head.target, RULES.key)
    verdict = decide_fill(
        head,
        response_head(now),
        validating=(),
        variants_held=0,
        request_time=UnixSeconds(now),
        response_time=UnixSeconds(now),
        rules=RULES,
        key=key,
        body_id=b"body",
        fallback=None,
        content_length=len(BODY),
    )
    assert isinstance(verdict, Storable), verdict
    return verdict.stored


class AtHand:
    """A next tier that answers at once, always the same."""

    def __init__(self, now: float) -> None:
        self._head = origin_head(len(BODY), int(now))
        self._now = UnixSeconds(now)

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        parsed = parse_response_head(self._head, b"GET", DEFAULT_LIMITS)
        came = BodyReader.of(BODY)
        return Fetched(parsed.head, parsed.framing, came, None, True, "-", Timings(self._now, self._now))


class Scene:
    """Everything between the sockets. To be made on a running loop."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.measures = Measures()
        self.tasks = TaskOwner("bench")
        self.memory: MemoryTier[StoredResponse] = MemoryTier(64 << 20)
        self.store = Store(self.memory, None, measures=self.measures, write_behind_bytes=0)
        self.stored = stored_response(self.clock.now())
        self.store.put(self.stored, BODY)
        self.recorder = AccessLog(LogSettings(access=LogTarget.OFF), self.clock, self.measures)
        self.origin = AtHand(self.clock.now())
        self.node = self._node()
        self.socket = socket.socket()
        self.listener = Listener(
            self.socket,
            self.node,
            node_name=b"bench",
            limits=replace(DEFAULT_LIMITS, requests_per_connection=1_000_000_000),
            clock=self.clock,
            measures=self.measures,
            tasks=self.tasks,
            recorder=self.recorder,
            lane=self.node.lane,
        )
        self.transport = Bucket()
        self.connection = Connection(self.listener, "127.0.0.1")
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]  # as much of one as is used

    def _node(self) -> Node:
        room = FillRoom(
            table=FillTable(),
            store=self.store,
            clock=self.clock,
            window=1 << 20,
            new_body_id=lambda: b"body",
            on_store_fault=lambda _: None,
        )
        tiers = Tiers(
            name=b"bench",
            cdn_id=b"bench",
            trusted=(),
            index=0,
            owner_of=lambda _: 0,
            workers=(),
            origin_of=lambda _: self.origin,
        )

        async def elsewhere(_keys: object) -> None:
            await asyncio.sleep(0)

        return Node(
            fence=Fence(PurgeTable(lambda _uri: ()), self.clock),
            name=b"bench",
            sites=SiteTable([RULES]),
            store=self.store,
            room=room,
            tiers=tiers,
            clock=self.clock,
            tasks=self.tasks,
            max_ranges=8,
            invalidate_elsewhere=elsewhere,
            invalidate_groups=elsewhere,
        )

    async def aclose(self) -> None:
        self.socket.close()
        await self.tasks.aclose()
        await self.store.aclose()
        await self.recorder.aclose()

    def hit(self, request: bytes = REQUEST) -> None:
        """One request that is answered in `data_received`."""
        self.connection.data_received(request)

    async def miss(self, target: str) -> None:
        """One request that goes all the way, and is stored."""
        held = self.memory.objects
        self.connection.data_received(request_bytes("127.0.0.1:8080", target))
        while len(self.tasks):  # noqa: ASYNC110  # an event would be measured, too
            await asyncio.sleep(0)
        assert self.memory.objects == held + 1, target
