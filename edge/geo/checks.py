"""Active checks: every edge of the network is asked, again and again, whether it works.

Owns: `Checks`. Rules: a round asks all edges at once and ends after `health.timeout` at the latest; each check is a connection
of its own, as a client's is, so that a node that takes no new connections is down; only the status is looked at, and nothing
of the body is read. An admin address says by its status whether the node is ready. What answers at an http address need not
have the path that is asked for, so there every answer below 500 shows that the node works.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from edge.geo.measures import WatchMeasures
from edge.settings.network import CheckedAddress, HealthSettings, Network, NetworkNode, Role

AT_ONCE = 256
"""Checks under way; a network has a few hundred edges at most, and descriptors are few where nobody raised their limit."""


class Checks:
    """See the module. One round at a time."""

    def __init__(self, measures: WatchMeasures) -> None:
        self._outcomes = measures.checks
        self._room = asyncio.Semaphore(AT_ONCE)

    async def round(self, network: Network) -> Mapping[str, bool]:
        """Whether each edge works, by name."""
        edges = [node for node in network.nodes if node.role is Role.EDGE]
        async with self._session(network.health) as session:
            works = await asyncio.gather(*(self._works(session, node, network.health) for node in edges))
        return {node.name: each for node, each in zip(edges, works, strict=True)}

    @asynccontextmanager
    async def _session(self, settings: HealthSettings) -> AsyncIterator[ClientSession]:
        connector = TCPConnector(force_close=True, limit=AT_ONCE, use_dns_cache=False)
        async with ClientSession(
            connector=connector,
            timeout=ClientTimeout(total=settings.timeout),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": "perigee-check"},
        ) as session:
            yield session

    async def _works(self, session: ClientSession, node: NetworkNode, settings: HealthSettings) -> bool:
        at_admin = settings.address is CheckedAddress.ADMIN and node.admin is not None
        address = node.admin if at_admin else node.http
        url = URL(f"http://{address}{settings.path.decode('ascii')}", encoded=True)
        try:
            async with self._room, session.get(url, allow_redirects=False) as answer:
                works = answer.status == 200 if at_admin else answer.status < 500
                outcome = "up" if works else "refused"
        except TimeoutError:
            works, outcome = False, "late"
        except (ClientError, OSError, ValueError):
            works, outcome = False, "failed"
        self._outcomes.of(outcome).value += 1
        return works
