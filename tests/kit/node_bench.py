"""NodeBench: a node of real parts - store with memory and disk, fill table, tiers - over a scripted next tier.

    async with node_bench(tmp_path) as bench:
        bench.origin.says(fresh(b"body"))
        answer = await bench.get(b"/a")

There is no socket: exchanges go in as values, replies come out. The clock is moved by hand.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edge.clock import Clock
from edge.errors import EdgeError, StoreFault
from edge.exchange import AT_HAND, BodySource, Exchange, Presence, Reply, Verdict
from edge.fence import Fence, LogReader
from edge.fill.fill import FillRoom
from edge.fill.table import FillTable
from edge.geo.measures import LeadMeasures
from edge.geo.router import Router
from edge.leading import Leading
from edge.measures import Measures
from edge.node import Node
from edge.semantics import key as keys
from edge.semantics.forwarding import Network
from edge.semantics.message import Authority, Fields, Line, ResponseHead
from edge.semantics.purge_table import PurgeTable
from edge.semantics.rules import SiteRules
from edge.semantics.selectors import Group
from edge.semantics.stored import StoredResponse
from edge.settings.sites import SiteTable, purged_keys
from edge.store.disk import DiskTier
from edge.store.memory import MemoryTier
from edge.store.store import Store
from edge.tasks import TaskOwner
from edge.tiers import Tiers
from tests.kit.clock import ManualClock
from tests.kit.disk import SMALL
from tests.kit.request_heads import read
from tests.kit.scripted_upstream import ScriptedUpstream, fresh
from tests.kit.waiting import PATIENCE

T = TypeVar("T")

KIB, MIB = 1024, 1024 * 1024
WINDOW = 64 * KIB
"""Bytes of one body that a fill holds in memory here."""
CLIENT = "192.0.2.1"


@dataclass(slots=True)
class Got:
    """A reply with its body read to the end, or to where it broke off. `length`: as in Content-Length."""

    status: int
    fields: Fields
    body: bytes
    length: int | None
    verdict: Verdict
    broke: EdgeError | None = None

    def line(self, name: bytes) -> bytes | None:
        """The field's lines joined, None when there is none. name: lower case."""
        return self.fields.combined(name)

    @property
    def cache(self) -> bytes | None:
        """Cache-Status."""
        return self.fields.get(b"cache-status")


async def got(reply: Reply) -> Got:
    """Read the body; a `ready` head is taken apart into its fields."""
    fields, broke, body = reply.fields, None, b""
    if reply.ready is not None:
        _, *lines = reply.ready.removesuffix(b"\r\n").split(b"\r\n")
        split = [line.partition(b": ") for line in lines]
        fields = Fields((name, value) for name, _, value in split)
    if isinstance(reply.body, AT_HAND):
        body = bytes(reply.body)
    elif reply.body is not None:
        try:
            while piece := await reply.body.read():
                body += piece
        except EdgeError as error:
            broke = error
    reply.discard()
    fields = fields.without((b"content-length",))  # the writer's; see `length`
    return Got(reply.status, fields, body, reply.length, reply.verdict, broke)


@dataclass(slots=True)
class NodeBench:
    """See the module. others: the scripted workers of the node, this one's place included; () = it is alone."""

    node: Node
    store: Store
    clock: ManualClock
    origin: ScriptedUpstream
    others: Sequence[ScriptedUpstream]
    room: FillRoom
    tasks: TaskOwner
    measures: Measures
    rules: SiteRules
    fence: Fence
    told: list[bytes] = field(default_factory=list)
    """Keys that the other workers were told to forget."""
    groups: list[Group] = field(default_factory=list)
    """Cache groups that were to be invalidated."""
    faults: list[StoreFault] = field(default_factory=list)

    async def get(self, target: bytes = b"/a", *lines: Line, peer: str = CLIENT) -> Got:
        """GET as a connection does it: at once if that is possible."""
        return await self.ask(b"GET", target, *lines, peer=peer)

    async def ask(
        self, method: bytes, target: bytes, *lines: Line, peer: str = CLIENT, body: BodySource | None = None
    ) -> Got:
        """Any request."""
        return await got(await self.reply(exchange(method, target, *lines, peer=peer, body=body)))

    async def crowd(self, count: int, target: bytes = b"/a", *lines: Line) -> list[Got]:
        """`count` clients at once, all there before the next tier answers."""
        gate = self.origin.hold()
        asking = [asyncio.ensure_future(self.get(target, *lines)) for _ in range(count)]
        await gate.wait_waiting(1)
        gate.release()
        return await asyncio.gather(*asking)

    async def reply(self, asked: Exchange) -> Reply:
        """The reply itself; discard it."""
        request = asked.request
        if asked.body is None and request.upgrade is None and not asked.tier:
            at_once = self.node.answer_now(asked)
            if at_once is not None:
                return at_once
        return await self.node.handle(asked)

    async def stored(
        self, target: bytes = b"/a", *lines: Line, body: bytes = b"body", seconds: int = 60
    ) -> None:
        """Have it stored; the next tier's script and record stay as they are."""
        script, turn = self.origin.script, len(self.origin.requests)
        self.origin.says(fresh(body, *lines, seconds=seconds))
        await self.get(target)
        await self.settled()
        self.origin.says(*script)
        del self.origin.requests[turn:]

    async def settled(self) -> None:
        """Until no task of the node runs."""
        while running := {task for task in asyncio.all_tasks() if task.get_name().startswith("bench:")}:
            await asyncio.wait(running, timeout=PATIENCE)

    def key(self, target: bytes = b"/a") -> bytes:
        """The primary key of a target here."""
        return keys.primary_key(HERE, target, self.rules.key)

    def held(self, target: bytes = b"/a") -> list[StoredResponse]:
        """What memory has of it."""
        return [held.value for held in self.store.in_memory(self.key(target))]

    def counted(self, metric: str) -> dict[str, float]:
        """The cells of a metric that are not zero, by the last label's value."""
        cells = self.measures.registry.snapshot()[metric]["cells"]
        return {(cell["values"] or [""])[-1]: cell["value"] for cell in cells if cell["value"]}


HERE = Authority(b"http", b"a.example", 80)


def exchange(
    method: bytes,
    target: bytes,
    *lines: Line,
    peer: str = CLIENT,
    tier: bool = False,
    body: BodySource | None = None,
    interim: list[ResponseHead] | None = None,
    host: bytes = b"a.example",
    minor: int = 1,
) -> Exchange:
    """A request as a connection hands it in, parsed by the real parser."""
    written = b"".join(b"%b: %b\r\n" % line for line in lines)
    request = read(b"%b %b HTTP/1.%d\r\nHost: %b\r\n%b\r\n" % (method, target, minor, host, written))
    if interim is None:
        return Exchange(request, peer, tier, body, presence=Presence())
    return Exchange(request, peer, tier, body, interim.append, presence=Presence())


@asynccontextmanager
async def node_bench(
    directory: Path,
    rules: SiteRules | None = None,
    *,
    disk: bool = True,
    memory: int = 4 * MIB,
    workers: int = 1,
    index: int = 0,
    trusted: Sequence[Network] = (),
    sites: Sequence[SiteRules] | None = None,
    max_ranges: int = 16,
    reader: LogReader | None = None,
    router: Router | None = None,
) -> AsyncIterator[NodeBench]:
    """A node. reader: of the purge log. workers: how many; 0 owns each key. router: of its network. None = there is none."""
    clock, measures, tasks, rules = ManualClock(), Measures(), TaskOwner("bench"), rules or SiteRules()
    told, groups, faults = list[bytes](), list[Group](), list[StoreFault]()
    store = _store(directory if disk else None, memory, index, measures, faults)
    await store.open()
    table = SiteTable((rules,) if sites is None else sites)
    fence = Fence(PurgeTable(lambda uri: purged_keys(uri, table)), clock, reader)
    room = _room(store, clock, measures, faults, fence)
    origin = ScriptedUpstream(clock, fresh())
    others = [ScriptedUpstream(clock, fresh()) for _ in range(workers)] if workers > 1 else []

    node = Node(
        name=b"edge-1",
        sites=table,
        store=store,
        room=room,
        fence=fence,
        tiers=_tiers(origin, others, trusted, index),
        clock=clock,
        tasks=tasks,
        max_ranges=max_ranges,
        invalidate_elsewhere=_teller(told),
        invalidate_groups=_teller(groups),
        leading=_leading(router, measures, trusted, clock),
    )
    counted = (measures, rules, fence, told, groups, faults)
    try:
        yield NodeBench(node, store, clock, origin, others, room, tasks, *counted)
    finally:
        await tasks.aclose()
        await store.aclose()


def _teller(told: list[T]) -> Callable[[Sequence[T]], Awaitable[None]]:
    async def tell(more: Sequence[T]) -> None:
        told.extend(more)

    return tell


def _leading(
    router: Router | None, measures: Measures, trusted: Sequence[Network], clock: Clock
) -> Leading | None:
    if router is None:
        return None
    counted = LeadMeasures(measures.registry)
    return Leading(b"edge-1", router, measures=counted, trusted=trusted, clock=clock)


def _tiers(
    origin: ScriptedUpstream, workers: Sequence[ScriptedUpstream], trusted: Sequence[Network], index: int
) -> Tiers:
    return Tiers(
        name=b"edge-1",
        cdn_id=b"edge-1",
        trusted=trusted,
        index=index,
        owner_of=lambda _: 0,
        workers=workers,
        origin_of=lambda _: origin,
    )


def _store(
    directory: Path | None, memory: int, index: int, measures: Measures, faults: list[StoreFault]
) -> Store:
    disk = None
    if directory is not None:
        disk = DiskTier(directory / "cache", 64 * MIB, owns=lambda _: index == 0, limits=SMALL)
    return Store(
        MemoryTier(memory),
        disk,
        measures=measures,
        write_behind_bytes=8 * MIB,
        owns=lambda _: index == 0,
        on_fault=faults.append,
    )


def _room(store: Store, clock: Clock, measures: Measures, faults: list[StoreFault], fence: Fence) -> FillRoom:
    names = itertools.count()
    return FillRoom(
        table=FillTable(),
        store=store,
        clock=clock,
        window=WINDOW,
        new_body_id=lambda: b"body-%d" % next(names),
        on_store_fault=faults.append,
        measures=measures,
        positions=fence,
    )
