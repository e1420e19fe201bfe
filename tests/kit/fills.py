"""Fills over a real store and a scripted next tier, and what reads and writes their bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.errors import StoreFault, UpstreamFault
from edge.fill.body import FillBody, FillReader
from edge.fill.fill import Fill, FillRoom
from edge.fill.order import FillOrder, Route
from edge.fill.table import FillTable, Lead, Lease
from edge.fill.upstream import UpstreamRequest
from edge.measures import Measures
from edge.semantics.message import Line
from edge.semantics.rules import SiteRules
from edge.semantics.stored import StoredResponse
from edge.semantics.validation import conditional_fields, parse_validators
from edge.store.memory import MemoryTier
from edge.store.store import Store
from edge.tasks import spawn
from tests.kit.clock import ManualClock
from tests.kit.disk import MB, SMALL, primary
from tests.kit.scripted_upstream import Said, ScriptedUpstream, Step
from tests.kit.stored_responses import asking
from tests.kit.stores import response, store_room

KEY = primary(1)
WINDOW = 10_000
ETAG: Line = (b"ETag", b'"v1"')
REFUSED = UpstreamFault("refused", proxy_status="connection_refused")
RESET = UpstreamFault("reset", proxy_status="connection_terminated")
PRIVATE = Said(200, ((b"Cache-Control", b"private"),), b"mine")


@dataclass
class Bench:
    """A room for fills over a real store, and the next tier."""

    room: FillRoom
    store: Store
    table: FillTable[Fill]
    clock: ManualClock
    upstream: ScriptedUpstream
    faults: list[StoreFault]
    rules: SiteRules
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def lease(self, key: bytes = KEY) -> Lease[Fill]:
        joined = self.table.join(
            key, b"", fence=0, vouches=lambda _fence: True, now=self.clock.mono(), patience=5.0
        )
        assert isinstance(joined, Lead), joined
        return joined.lease

    def order(self, **more: object) -> FillOrder:
        order = FillOrder(asking(), KEY, self.rules, (self.route(),))
        return replace(order, **more)  # type: ignore[arg-type]

    def route(self, upstream: ScriptedUpstream | None = None, *, is_worker: bool = False) -> Route:
        def build(validating: tuple[StoredResponse, ...]) -> UpstreamRequest:
            fields = asking(*conditional_fields(validating)).fields
            return UpstreamRequest(b"GET", b"/a", b"a.example", fields)

        return Route(upstream or self.upstream, build, is_worker)

    def start(self, lease: Lease[Fill] | None = None, **more: object) -> Fill:
        fill = Fill(self.order(**more), self.room, lease)
        self.tasks.append(spawn(fill.run(), name="fill"))
        return fill

    async def led(self, *script: Step, **more: object) -> tuple[Fill, Lease[Fill]]:
        """A fill with a lease, run to its end."""
        self.upstream.says(*script)
        lease = self.lease()
        fill = self.start(lease, **more)
        await self.ended()
        return fill, lease

    async def ended(self) -> None:
        await asyncio.wait(self.tasks)

    def held(self) -> list[StoredResponse]:
        return [held.value for held in self.store.in_memory(KEY)]

    def storing(self, body: bytes, *lines: Line) -> StoredResponse:
        stored, _ = response(1, len(body))
        head = replace(stored.head, fields=asking((b"Cache-Control", b"max-age=1"), *lines).fields)
        stored = replace(stored, head=head, validators=parse_validators(head, stored.freshness.response_time))
        self.store.put(stored, body)
        return stored


@asynccontextmanager
async def benched(directory: Path | None = None, rules: SiteRules | None = None) -> AsyncIterator[Bench]:
    """directory: None = no disk."""
    rooms = None if directory is None else store_room(directory, ceiling=16 * MB, limits=SMALL)
    faults: list[StoreFault] = []
    clock = ManualClock()
    upstream = ScriptedUpstream(clock)
    numbers = iter(range(10_000))
    store = Store(
        MemoryTier(MB, MB // 2),
        None if rooms is None else rooms.tier(),
        measures=Measures(),
        write_behind_bytes=MB,
        on_fault=faults.append,
    )
    await store.open()
    table = FillTable[Fill]()
    room = FillRoom(table, store, clock, WINDOW, lambda: b"fill-%d" % next(numbers), faults.append)
    bench = Bench(room, store, table, clock, upstream, faults, rules or SiteRules())
    try:
        yield bench
    finally:
        for task in bench.tasks:
            task.cancel()
        await asyncio.gather(*bench.tasks, return_exceptions=True)
        await store.aclose()


async def rest_of(reader: FillReader) -> bytes:
    """All that is still to come; the reader is closed."""
    pieces = []
    while piece := await reader.read():
        pieces.append(piece)
    reader.close()
    return b"".join(pieces)


async def quiet(look: Callable[[], object]) -> None:
    """Let all tasks run until nothing that `look` sees has changed for a while: they all wait."""
    seen, same = look(), 0
    while same < 20:
        await asyncio.sleep(0)
        now = look()
        same = same + 1 if now == seen else 0
        seen = now


def cut(data: bytes, size: int) -> Iterable[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def write(body: FillBody, data: bytes, *, piece: int = 1000, end: bool = True) -> None:
    """As a fill writes: add, then make room."""
    for part in cut(data, piece):
        body.add(part)
        await body.make_room()
    if end:
        body.end()


async def turns(claim: Callable[[], bool]) -> None:
    """Let tasks run until `claim` is true; nothing here waits for the world."""
    for _ in range(100):
        if claim():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come true")
