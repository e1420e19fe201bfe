"""Asking origins whether they work.

Owns: `Checks`, and `wanted`, what it is given. Rules: a check goes the way that requests go (names, address guard, TLS, strict
reading), but waits for no place: it is one request, and must come through when the origin is busy. When it finds no connection
free, nothing was learned. The next one comes an interval after the end of the last. What a result means is
origin_shield.health's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge.errors import UpstreamFault
from edge.fill.pool import OriginPool
from edge.fill.upstream import Upstream, UpstreamRequest
from edge.semantics.message import Fields
from edge.semantics.rules import CheckRules, EjectionRules, OriginAddress, OriginRules, SiteRules, Timeouts
from edge.tasks import TaskOwner
from origin_shield.guard import Guard
from origin_shield.measures import OriginMeasures

_FIELDS = Fields(((b"User-Agent", b"perigee-check"), (b"Accept", b"*/*")))


@dataclass(frozen=True, slots=True)
class Wanted:
    """One origin that is to be checked. way: how it is reached. guard: who is told, for those who judge by these rules."""

    way: OriginRules
    host: bytes
    check: CheckRules
    ejection: EjectionRules
    guard: Guard

    @property
    def request(self) -> UpstreamRequest:
        """What is sent."""
        assert self.check.path is not None, "nothing is checked without a path"
        return UpstreamRequest(b"GET", self.check.path, self.host, _FIELDS)


def wanted(site: SiteRules, origin: OriginAddress, guard: Guard) -> Wanted:
    """The check of one of a site's origins."""
    check, seconds = site.protection.check, site.protection.check.timeout
    timeouts = Timeouts(connect=seconds, first_byte=seconds, between_bytes=seconds, total=seconds)
    named = (name for name in site.hostnames if not name.startswith(b"*"))
    host = check.host or site.origin.host_header or next(named, None)
    return Wanted(
        replace(site.origin, origins=(origin,), timeouts=timeouts, retries=0),
        host or b"%b:%d" % (origin.host, origin.port),
        check,
        site.protection.ejection,
        guard,
    )


class Checks:
    """All checks of a worker."""

    def __init__(self, pool: OriginPool, measures: OriginMeasures, tasks: TaskOwner) -> None:
        self._pool = pool
        self._measures = measures
        self._tasks = tasks
        self._running: dict[Wanted, asyncio.Task[None]] = {}

    def apply(self, wanted: Iterable[Wanted]) -> None:
        """Check these and nothing else; what is checked already goes on in its rhythm."""
        now = dict.fromkeys(wanted)
        for gone in self._running.keys() - now.keys():
            self._running.pop(gone).cancel()
        for new in now:
            if new not in self._running:
                self._running[new] = self._tasks.spawn(self._check(new), name=f"check {new.guard.name}")

    async def _check(self, wanted: Wanted) -> None:
        told = {True: "up", False: "down", None: "skipped"}
        upstream = self._pool.upstream(wanted.way)
        while True:
            works = await _works(upstream, wanted.request)
            self._measures.checks.of(wanted.guard.name, told[works]).value += 1
            if works is not None:
                wanted.guard.checked(wanted.ejection, wanted.check, works)
            await asyncio.sleep(wanted.check.interval)


async def _works(upstream: Upstream, request: UpstreamRequest) -> bool | None:
    """Whether the origin says that it works; None = it could not be asked."""
    try:
        fetched = await upstream.fetch(request)
    except UpstreamFault as fault:
        return None if fault.proxy_status == "connection_limit_reached" else False
    fetched.body.abort()
    return 200 <= fetched.head.status < 400
