"""The hot set: the URLs of what a node has in memory and is asked for, so that another can be warmed with them.

Owns: the answer of one worker (`hot_of`), that of a node (`together`), and the route of each, `GET /hot?limit=`. Rules:

* A URL is told only where its key is made from what is told: scheme, host and path. What was stored under a query is left
  out and counted, for a query may hold a token and is not kept with a response; so is what was asked for with Authorization.
  Of variants nothing is told, neither that there are any nor what they were made from.
* It is told at the admin address alone, which is private: a path can be a secret, too.
* How much something is used is what eviction knows of it (docs/why/003-eviction.md), which is little: 2 = it was served
  since the queues last passed it, 1 = before that; over the workers it is added up. What was never served again is not hot.
* What is on disk alone counts as not used: the hot set of a node that has just started is empty.
* It is bounded in number, in bytes and in time, and says whether that was enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from heapq import nsmallest
from typing import Any

from aiohttp import web

from edge.semantics.key import primary_key
from edge.semantics.stored import StoredResponse
from edge.settings.sites import SiteTable
from edge.store.contents import Contents

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 5_000
MAX_URL_BYTES = 2_048
"""Longer ones are left out: five thousand of these are what a worker may say at a time."""
SECONDS = 1.5
"""The supervisor waits for two."""
TURN_SECONDS = 0.002
REST_SECONDS = 0.004


@dataclass(frozen=True, slots=True)
class HotUrl:
    """uses: see the module. bytes: of the largest body under it."""

    url: str
    uses: int
    bytes: int

    @property
    def rank(self) -> tuple[int, str]:
        """The hottest first."""
        return -self.uses, self.url


@dataclass(frozen=True, slots=True)
class HotSet:
    """unnamed: keys that are used and whose URL is not told. complete: False = there may be more than was looked at."""

    urls: tuple[HotUrl, ...]
    unnamed: int
    complete: bool

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "urls": [asdict(each) for each in self.urls],
            "unnamed": self.unnamed,
            "complete": self.complete,
        }


async def hot_of(
    sites: SiteTable,
    contents: Contents,
    *,
    limit: int,
    mono: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> HotSet:
    """What one worker has. limit: of URLs. mono: seconds, for differences. sleep: how a rest is taken."""
    found: list[HotUrl] = []
    unnamed = 0
    deadline = mono() + SECONDS
    until = mono() + TURN_SECONDS
    is_complete = True
    for key in contents.keys_in_memory():
        used = [held for held in contents.held(key) if held.was_hit]
        if used:
            url = _url_of(key, [held.value for held in used], sites)
            if url is None:
                unnamed += 1
            else:
                uses = max(2 if held.visited else 1 for held in used)
                found.append(HotUrl(url, uses, max(held.value.body_length for held in used)))
        if mono() >= until:
            if mono() >= deadline:
                is_complete = False
                break
            await sleep(REST_SECONDS)
            until = mono() + TURN_SECONDS
    return HotSet(tuple(nsmallest(limit, found, key=lambda each: each.rank)), unnamed, is_complete)


def _url_of(key: bytes, used: Iterable[StoredResponse], sites: SiteTable) -> str | None:
    """The URL that alone makes this key; None where it is not to be told."""
    for stored in used:
        named = stored.selectors
        rules = sites.find(named.authority.host)
        if stored.request_authorized or rules is None:
            return None
        url = b"%b://%b%b" % (named.authority.scheme, named.authority.render(), named.path)
        is_plain = named.path.startswith(b"/") and url.isascii() and len(url) <= MAX_URL_BYTES
        if not is_plain or primary_key(named.authority, named.path, rules.key) != key:
            return None
        return url.decode("ascii")
    return None


def together(answers: Iterable[Mapping[str, Any]], *, workers: int, limit: int) -> HotSet:
    """The node's. answers: what workers said. workers: how many there are."""
    uses: dict[str, int] = {}
    sizes: dict[str, int] = {}
    said = list(answers)
    for answer in said:
        for each in answer["urls"]:
            url = each["url"]
            uses[url] = uses.get(url, 0) + each["uses"]
            sizes[url] = max(sizes.get(url, 0), each["bytes"])
    urls = (HotUrl(url, count, sizes[url]) for url, count in uses.items())
    return HotSet(
        tuple(nsmallest(limit, urls, key=lambda each: each.rank)),
        sum(answer["unnamed"] for answer in said),
        len(said) == workers and all(answer["complete"] for answer in said),
    )


def limit_of(request: web.Request) -> int:
    """What stands in ?limit=. HTTPBadRequest."""
    said = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (said.isascii() and said.isdigit() and len(said) < 8 and 1 <= int(said) <= MAX_LIMIT):
        raise web.HTTPBadRequest(text=f"limit: 1 to {MAX_LIMIT}\n")
    return int(said)


def worker_route(
    sites: Callable[[], SiteTable], contents: Callable[[], Contents], mono: Callable[[], float]
) -> web.RouteDef:
    """For the worker's own socket."""

    async def answer(request: web.Request) -> web.Response:
        hot = await hot_of(sites(), contents(), limit=limit_of(request), mono=mono)
        return web.json_response(hot.as_json())

    return web.get("/hot", answer)


def node_route(ask: Callable[[str], Awaitable[tuple[int, Iterable[Mapping[str, Any]]]]]) -> web.RouteDef:
    """For the admin address. ask: how many workers serve, and what those who answer say to a target."""

    async def answer(request: web.Request) -> web.Response:
        limit = limit_of(request)
        # Each worker may have others as its hottest: only with a margin are the hottest of all among what they say.
        count, said = await ask(f"/hot?limit={min(2 * limit, MAX_LIMIT)}")
        hot = together(said, workers=count, limit=limit)
        return web.json_response(hot.as_json(), headers={"Cache-Control": "no-store"})

    return web.get("/hot", answer)
