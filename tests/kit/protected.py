"""What tests of origin protection need: a pool over a hand-moved clock with the protection in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge.fill.upstream import Fetched, UpstreamRequest
from edge.semantics.message import EMPTY
from edge.semantics.rules import OriginAddress, ProtectionRules, SiteRules
from origin_shield.origin import OriginState, ProtectedUpstream, Protection
from tests.kit.upstreams import Bench, bench
from tests.kit.waiting import until


@dataclass(slots=True)
class Protected:
    """A protection and the pool below it."""

    on: Bench
    protection: Protection

    def site(
        self,
        *origins: int | OriginAddress,
        name: str = "a",
        protection: ProtectionRules | None = None,
        **origin: object,
    ) -> SiteRules:
        """A site with these origins; more are OriginRules."""
        return SiteRules(
            name=name,
            origin=self.on.rules(*origins, **origin),
            protection=protection or ProtectionRules(),
        )

    def upstream(self, *origins: int | OriginAddress, **said: object) -> ProtectedUpstream:
        """The way to the origins of the one site that is in force."""
        site = self.site(*origins, **said)  # type: ignore[arg-type]  # by the test
        self.protection.apply([site])
        return self.protection.upstream(site)

    def state(self, origin: int = 0) -> OriginState:
        """Of the so manyeth origin."""
        return self.protection.states()[origin]

    def counted(self, metric: str) -> dict[str, float]:
        """The cells of a metric that are not zero, by the last label's value."""
        return dict(self.on.counted(metric))

    async def until_free(self) -> None:
        """Until no place is held anywhere."""

        async def is_free() -> bool:
            return not any(state.in_flight for state in self.protection.states())

        await until(is_free)


@asynccontextmanager
async def protected(*, workers: int = 1) -> AsyncIterator[Protected]:
    """Closed in the end, in the right order."""
    async with bench() as on:
        protection = Protection(on.pool, on.clock, on.measures, workers=workers)
        try:
            yield Protected(on, protection)
        finally:
            await protection.aclose()


def request(target: str = "/a", method: str = "GET", *, is_background: bool = False) -> UpstreamRequest:
    """For host origin.test."""
    return UpstreamRequest(
        method.encode(), target.encode(), b"origin.test", EMPTY, is_background=is_background
    )


async def asked(upstream: ProtectedUpstream, target: str = "/a", method: str = "GET") -> tuple[int, bytes]:
    """Status and whole body of an answer."""
    fetched = await upstream.fetch(request(target, method))
    return fetched.head.status, await read(fetched)


async def read(fetched: Fetched) -> bytes:
    """The body to its end."""
    body = bytearray()
    while piece := await fetched.body.read():
        body += piece
    return bytes(body)


def several(
    count: int, upstream: ProtectedUpstream, target: str = "/a"
) -> list[asyncio.Task[tuple[int, bytes]]]:
    """So many clients at once."""
    return [asyncio.ensure_future(asked(upstream, target)) for _ in range(count)]


async def waiting(on: Protected, count: int) -> None:
    """Until so many requests wait for a place."""

    async def are_waiting() -> bool:
        return sum(state.queue for state in on.protection.states()) == count

    await until(are_waiting)
