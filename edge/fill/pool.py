"""Misses on their way to origins: which origin, which connection, and whether to ask again.

Owns: `OriginPool` (all destinations of a worker) and `OriginUpstream` (the Upstream of one site). Rules:
origins are tried in order; the next one, or the same once more, only when nothing was sent (no connection) or
when a safe request without a body got not one byte of an answer, at most `retries` times; after a connection that
had been idle and turns out dead, once on a fresh one even where `retries` is 0; an unsafe request goes out at
most once, on a connection that was opened for it, because nobody can tell whether the origin acted on what it got before an
idle connection died. RFC 9110 s9.2.2, RFC 9112 s9.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.destination import DEFAULT_POOL, Destination, PoolRoom, PoolSettings
from edge.fill.dial import TlsContexts
from edge.fill.resolver import NameSource
from edge.fill.trying import Aim, Errand, Further, Try
from edge.fill.upstream import BodySource, Fetched, OnInterim, UpstreamRequest
from edge.measures import Measures
from edge.semantics.rules import OriginAddress, OriginRules
from edge.tasks import TaskOwner
from edge.wire.limits import DEFAULT_LIMITS, Limits

_Key = tuple[bytes, bytes, int, bool, str | None, str | None, bool, bool]


class OriginPool:
    """The connections of one worker to all origins. Close it on its loop."""

    def __init__(
        self,
        clock: Clock,
        names: NameSource,
        measures: Measures,
        *,
        limits: Limits = DEFAULT_LIMITS,
        settings: PoolSettings = DEFAULT_POOL,
    ) -> None:
        self._room = PoolRoom(
            clock, names, measures, limits, settings, TlsContexts(), TaskOwner("origin pool")
        )
        self._destinations: dict[_Key, Destination] = {}

    def upstream(self, rules: OriginRules) -> OriginUpstream:
        """The way to the origins of one site. Cheap; make a new one when the rules change."""
        return OriginUpstream(self._room, rules, tuple(self.aim(origin, rules) for origin in rules.origins))

    def destination(self, origin: OriginAddress, rules: OriginRules) -> Destination:
        """The one set of connections for this address under these TLS and address rules."""
        key = (
            origin.scheme,
            origin.host,
            origin.port,
            rules.tls_verify,
            rules.tls_ca_file,
            rules.tls_server_name,
            rules.allow_private_names,
            rules.is_ours,
        )
        held = self._destinations.get(key)
        if held is None:
            held = self._destinations[key] = Destination(origin, self._room, is_ours=rules.is_ours)
        return held

    def aim(self, origin: OriginAddress, rules: OriginRules) -> Aim:
        """Where requests for this origin go."""
        return Aim(self.destination(origin, rules), origin.path)

    def trying(self, errand: Errand, aim: Aim) -> Try:
        """One try of a request, for who says by himself what comes after it."""
        return Try(errand, aim, self._room)

    def apply(self, limits: Limits) -> None:
        """New bounds, for connections that are opened from now on."""
        self._room.limits = limits

    async def aclose(self) -> None:
        """Break what is under way and close every connection."""
        for destination in self._destinations.values():
            destination.close()
        await self._room.tasks.aclose()


class OriginUpstream:
    """An `Upstream` over HTTP/1.1; see the module."""

    __slots__ = ("_aims", "_room", "_rules")

    def __init__(self, room: PoolRoom, rules: OriginRules, aims: tuple[Aim, ...]) -> None:
        self._room = room
        self._rules = rules
        self._aims = aims

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        """See `Upstream.fetch`."""
        rules = self._rules
        errand = Errand(request, body, on_interim, rules)
        fresh = not errand.may_repeat
        tries_left = rules.retries if errand.may_repeat and request.may_repeat else 0
        others = iter(self._aims)
        aim = _next(others)
        if aim is None:
            raise UpstreamFault("the site has no origin", proxy_status="destination_not_found")
        while True:
            trying = Try(errand, aim, self._room)
            try:
                return await trying.run(fresh=fresh)
            except UpstreamFault:
                match trying.further:
                    case Further.FINAL:
                        raise
                    case Further.NOT_SENT:
                        aim = _next(others)
                        if aim is None:
                            raise
                        continue
                    case Further.WAS_DEAD:
                        # Allowed even where no retry is; where one is, this was it: nobody can tell a kept connection that
                        # had died from an origin that resets whatever it gets.
                        fresh = True
                        tries_left = max(0, tries_left - 1)
                    case Further.DROPPED | Further.SILENT as further:
                        following = _next(others)
                        if not tries_left or (following is None and further is Further.SILENT):
                            raise
                        tries_left -= 1
                        aim = following or aim
                    case _ as never:
                        assert_never(never)
                aim.destination.tally.retries.value += 1


def _next(aims: Iterator[Aim]) -> Aim | None:
    return next(aims, None)
