"""Fills a node by plain requests, within a rate and a budget of bytes.

Owns: `Budget`, `Filled`, `fill`. Rules: no more requests a second than the budget has, evenly spaced, and no more at a time;
when the bytes are used up none is begun, and those under way are read to their end, so it is exceeded by these at most; nothing
is asked twice, whatever came of it. What a node does with an answer is its own affair: it is told by its Cache-Status.

A request is what any client would send: GET, Host, and the fields that are wanted. Where clients come by https, through what
takes TLS off, X-Forwarded-Proto says so; a node believes it where we are one of its trusted_proxies, and else keeps the
response where nobody by https will find it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from tools.replaying.player import ADDED, TIMEOUT_SECONDS
from tools.replaying.tiers import Did, deeds
from tools.warming.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Budget:
    """rate: requests a second. nbytes: of bodies; None = as many as there are. concurrency: requests at a time."""

    rate: float = 100.0
    nbytes: int | None = None
    concurrency: int = 8


@dataclass(slots=True)
class Filled:
    """What came of it. taken: how many were begun. hits: what the node had already."""

    total: int
    taken: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    hits: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    under_way: set[int] = field(default_factory=set)

    @property
    def done(self) -> int:
        """All before this one are finished."""
        return min(self.under_way, default=self.taken)


@dataclass(frozen=True, slots=True)
class Clock:
    """mono: seconds. sleep: until so many have passed."""

    mono: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


async def fill(
    node: str,
    wanted: Sequence[Wanted],
    budget: Budget,
    *,
    begin: int = 0,
    fields: Mapping[str, str] | None = None,
    shown: Callable[[Filled], None] = lambda _: None,
    clock: Clock = Clock(),
) -> Filled:
    """node: http://host:port. begin: where to go on. fields: sent with each. shown: called after each."""
    filled = Filled(len(wanted), begin)
    began = clock.mono()
    timeout = ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=TIMEOUT_SECONDS)
    async with ClientSession(
        connector=TCPConnector(limit=budget.concurrency),
        timeout=timeout,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=ADDED,
    ) as session:
        filler = _Filler(session, node, wanted, budget, dict(fields or {}), filled, clock)
        await asyncio.gather(*(filler.work(shown) for _ in range(budget.concurrency)))
    filled.seconds = clock.mono() - began
    return filled


class _Filler:
    def __init__(
        self,
        session: ClientSession,
        node: str,
        wanted: Sequence[Wanted],
        budget: Budget,
        fields: dict[str, str],
        filled: Filled,
        clock: Clock,
    ) -> None:
        self._session = session
        self._node = node
        self._wanted = wanted
        self._budget = budget
        self._fields = fields
        self._filled = filled
        self._clock = clock
        self._next = clock.mono()

    async def work(self, shown: Callable[[Filled], None]) -> None:
        """One request after the other, as others take theirs."""
        filled, limit = self._filled, self._budget.nbytes
        while filled.taken < len(self._wanted) and (limit is None or filled.nbytes < limit):
            at = filled.taken
            filled.taken += 1
            filled.under_way.add(at)
            await self._wait()
            await self._ask(self._wanted[at])
            filled.under_way.discard(at)
            shown(filled)

    async def _wait(self) -> None:
        now = self._clock.mono()
        due = max(self._next, now)
        self._next = due + 1 / self._budget.rate
        if due > now:
            await self._clock.sleep(due - now)

    async def _ask(self, wanted: Wanted) -> None:
        headers = dict(self._fields)
        if wanted.host:
            headers["Host"] = wanted.host
        if wanted.is_secure:
            headers["X-Forwarded-Proto"] = "https"
        url = URL(self._node + wanted.target, encoded=True)
        filled = self._filled
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                async for piece in answer.content.iter_any():
                    filled.nbytes += len(piece)
                filled.statuses[answer.status] += 1
                said = ", ".join(answer.headers.getall("Cache-Status", []))
        except (ClientError, TimeoutError) as error:
            filled.failures[type(error).__name__] += 1
            return
        found = deeds(said.encode("utf-8", "surrogateescape") or None)
        filled.hits += bool(found) and found[0].did in {Did.HIT, Did.STALE}
        filled.stored += bool(found) and found[0].stored
