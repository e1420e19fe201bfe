"""What tests of the upstream side need: a pool over a hand-moved clock, names that say what the test says, bodies."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge.errors import UpstreamFault
from edge.fill.destination import DEFAULT_POOL, Destination, PoolSettings
from edge.fill.pool import OriginPool, OriginUpstream
from edge.fill.resolver import Resolved
from edge.fill.upstream import BodySource, Fetched, OnInterim, UpstreamRequest
from edge.measures import Measures
from edge.semantics.message import EMPTY, Fields
from edge.semantics.rules import OriginAddress, OriginRules, Timeouts
from edge.wire.framing import NO_BODY, Framing
from edge.wire.limits import DEFAULT_LIMITS, Limits
from tests.kit.clock import ManualClock

QUICK = Timeouts(connect=5.0, first_byte=5.0, between_bytes=5.0, total=20.0)
"""Long enough for a busy machine, short enough to fail a test rather than hang it."""


@dataclass(slots=True)
class Names:
    """A NameSource under the test's control. asked: every name in order."""

    clock: ManualClock
    table: dict[str, Sequence[str]] = field(default_factory=dict)
    ttl: float = 60.0
    asked: list[str] = field(default_factory=list)

    async def resolve(self, name: str) -> Resolved:
        self.asked.append(name)
        if name not in self.table:
            raise UpstreamFault(f"{name}: not found", proxy_status="dns_error")
        return Resolved(tuple(self.table[name]), self.clock.mono() + self.ttl)


@dataclass(slots=True)
class Pieces:
    """A request body of these pieces; an exception among them is raised. taken: pieces read so far."""

    pieces: Sequence[bytes | Exception]
    taken: int = 0

    async def read(self) -> bytes:
        if self.taken == len(self.pieces):
            return b""
        piece = self.pieces[self.taken]
        self.taken += 1
        if isinstance(piece, Exception):
            raise piece
        return piece


@dataclass(slots=True)
class Bench:
    """A pool and what it was built with."""

    pool: OriginPool
    clock: ManualClock
    names: Names
    measures: Measures

    def upstream(self, *origins: int | OriginAddress, **rules: object) -> OriginUpstream:
        return self.pool.upstream(self.rules(*origins, **rules))

    def rules(self, *origins: int | OriginAddress, **rules: object) -> OriginRules:
        made = OriginRules(timeouts=QUICK, **rules) if "timeouts" not in rules else OriginRules(**rules)  # type: ignore[arg-type]  # by the test
        addresses = tuple(o if isinstance(o, OriginAddress) else at(o) for o in origins)
        return OriginRules(
            **{name: getattr(made, name) for name in made.__dataclass_fields__} | {"origins": addresses}
        )

    def destination(self, *origins: int | OriginAddress, **rules: object) -> Destination:
        made = self.rules(*origins, **rules)
        return self.pool.destination(made.origins[0], made)

    def counted(self, metric: str) -> Mapping[str, float]:
        """The cells of a metric that are not zero, by the last label's value."""
        family = self.measures.registry.snapshot()[metric]
        return {cell["values"][-1]: cell["value"] for cell in family["cells"] if cell["value"]}


def at(port: int, host: bytes = b"127.0.0.1", scheme: bytes = b"http") -> OriginAddress:
    return OriginAddress(scheme, host, port)


@asynccontextmanager
async def bench(
    *, limits: Limits = DEFAULT_LIMITS, settings: PoolSettings = DEFAULT_POOL
) -> AsyncIterator[Bench]:
    """A pool that is closed in the end."""
    clock, measures = ManualClock(), Measures()
    names = Names(clock)
    pool = OriginPool(clock, names, measures, limits=limits, settings=settings)
    try:
        yield Bench(pool, clock, names, measures)
    finally:
        await pool.aclose()


async def fetch(
    upstream: OriginUpstream,
    target: str = "/",
    method: str = "GET",
    body: BodySource | None = None,
    *,
    framing: Framing = NO_BODY,
    fields: Fields = EMPTY,
    on_interim: OnInterim | None = None,
    upgrade: bytes | None = None,
) -> Fetched:
    """Send a request for host origin.test."""
    request = UpstreamRequest(method.encode(), target.encode(), b"origin.test", fields, framing, upgrade)
    return await upstream.fetch(request, body, on_interim)


async def whole(fetched: Fetched) -> bytes:
    """The body, read to its end."""
    read = bytearray()
    while piece := await fetched.body.read():
        read += piece
    return bytes(read)
