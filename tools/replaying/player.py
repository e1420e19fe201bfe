"""Sends the requests of an access log again.

Owns: `Plan`, `play`. Rules: so many requests are under way as the plan allows, never more; with a speed, none is sent before
its time, and how late the latest was is told, for then the plan is not what was measured. GET and HEAD only, unless others
are wanted, and these without bodies. A client's address goes along as X-Forwarded-For, which an edge believes where we are
one of its trusted_proxies; of fields that a log knows nothing of (Accept-Encoding, cookies) none is made up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from tools.replaying.access_lines import Line
from tools.replaying.spread import Spread, edge_of, namesake
from tools.replaying.tally import Answered, Tally
from tools.replaying.tiers import deeds

SAFE = frozenset({"GET", "HEAD"})
TIMEOUT_SECONDS = 60.0
ADDED = ("Accept-Encoding", "Accept", "User-Agent", "Content-Type")
"""What aiohttp would send by itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """edges: http://host:port each. host: what stands in Host, None = the edge's own. concurrency: requests at a time.

    speed: how much faster than the log, None = as fast as `concurrency` allows. copies: how many clients there are for each of
    the log's, all of whom ask for what he asked for.
    """

    edges: tuple[str, ...]
    host: str | None = None
    spread: Spread = Spread.ADDRESS
    concurrency: int = 16
    speed: float | None = None
    copies: int = 1
    unsafe: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    line: Line
    edge: int
    due: float


async def play(lines: Sequence[Line], plan: Plan, shown: Callable[[Tally], None] = lambda _: None) -> Tally:
    """All of them; what came of it. shown: called after each."""
    tally = Tally([0] * len(plan.edges))
    connector = TCPConnector(limit=plan.concurrency)
    timeout = ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=TIMEOUT_SECONDS)
    began = time.monotonic()
    requests = _requests(lines, plan, tally)
    async with ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=ADDED,
        read_bufsize=256 * 1024,
    ) as session:
        sender = _Sender(session, plan, tally, began, shown)
        await asyncio.gather(*(sender.send_all(requests) for _ in range(plan.concurrency)))
    tally.seconds = time.monotonic() - began
    return tally


def _requests(lines: Sequence[Line], plan: Plan, tally: Tally) -> Iterator[_Request]:
    turn = 0
    for line in lines:
        if line.method not in SAFE and not plan.unsafe:
            tally.skipped += plan.copies
            continue
        due = 0.0 if plan.speed is None else (line.at - lines[0].at) / plan.speed
        for copy in range(plan.copies):
            edge = edge_of(plan.spread, namesake(line.client, copy), turn, len(plan.edges))
            turn += 1
            tally.edges[edge] += 1
            yield _Request(line, edge, due)


class _Sender:
    def __init__(
        self,
        session: ClientSession,
        plan: Plan,
        tally: Tally,
        began: float,
        shown: Callable[[Tally], None],
    ) -> None:
        self._session = session
        self._plan = plan
        self._tally = tally
        self._began = began
        self._shown = shown

    async def send_all(self, requests: Iterator[_Request]) -> None:
        """One after the other, as others take theirs from the same."""
        for request in requests:
            if self._plan.speed is not None:
                ahead = request.due - (time.monotonic() - self._began)
                self._tally.late = max(self._tally.late, -ahead)
                if ahead > 0:
                    await asyncio.sleep(ahead)
            await self._send(request)
            self._shown(self._tally)

    async def _send(self, request: _Request) -> None:
        line = request.line
        headers = {} if self._plan.host is None else {"Host": self._plan.host}
        if _is_address(line.client):
            headers["X-Forwarded-For"] = line.client
        url = URL(self._plan.edges[request.edge] + line.target, encoded=True)
        sent = time.monotonic()
        size = 0
        try:
            async with self._session.request(
                line.method, url, headers=headers, allow_redirects=False
            ) as answer:
                first = time.monotonic() - sent
                async for piece in answer.content.iter_any():
                    size += len(piece)
                status = answer.status
                cache_status = ", ".join(answer.headers.getall("Cache-Status", []))
        except (ClientError, TimeoutError) as error:
            self._tally.failed(type(error).__name__)
            return
        found = deeds(cache_status.encode("utf-8", "surrogateescape") or None)
        self._tally.answered(Answered(status, size, first, time.monotonic() - sent, found))


def _is_address(client: str) -> bool:
    try:
        ip_address(client)
    except ValueError:
        return False
    return True
