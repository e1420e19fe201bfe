"""The nodes that one worker asks instead of origins.

Owns: `Shield`, what is known of one of them, and `Towards`, the `Upstream` to it for one site. Rules:

* Two failures in a row take it out for a while: no connection, or no answer. A body that breaks off is none, for it may be the
  origin's; nor is anything that an origin says.
* One from which nothing was heard for a while is asked whether it is there. One that hangs takes connections and says nothing:
  when the checks have found that out, safe requests that wait for it go on to the next one at once.
* It returns slowly: a growing part of the keys goes to it, and every node takes the same keys first.
* Time-outs are longer than what it may take itself, so that the tier next to the origin is the one who judges the origin.
"""

from __future__ import annotations

import asyncio
from typing import Final

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.fill import NOTHING_SENT, TIER_GONE
from edge.fill.pool import OriginPool
from edge.fill.upstream import (
    SAFE_METHODS,
    BodySource,
    Fetched,
    OnInterim,
    Upstream,
    UpstreamRequest,
)
from edge.passport import PASSPORT, issue
from edge.semantics.message import Fields, UnixSeconds
from edge.semantics.rules import CheckRules, EjectionRules, OriginAddress, OriginRules, SiteRules, Timeouts
from edge.server.nodes import IS_THERE
from edge.settings.node import ListenAddress, TierSettings
from edge.values import replace
from origin_shield.health import Health
from origin_shield.shield_measures import ShieldMeasures

FAILURES: Final = 2
"""In a row: one may be the end of a worker there, which is another one's business."""
REST_MAX: Final = 60.0
"""Seconds of the longest rest."""
MARGIN: Final = 1.0
"""Seconds that a tier may take beyond the next one's time-out."""
CONNECTIONS: Final = 2048
"""To one node from each worker; what is under way is bounded by the clients' connections."""

_OURS: Final = frozenset(("connection_limit_reached", "http_upgrade_failed", "proxy_internal_error"))
"""Faults that say nothing of the node."""
_KNOWN: Final = NOTHING_SENT | TIER_GONE
"""After these a safe request goes elsewhere anyhow."""
_NOT_SENT: Final = frozenset(
    (
        "connection_limit_reached",
        "dns_error",
        "dns_timeout",
        "destination_not_found",
        "destination_ip_unroutable",
    )
)
_ELSEWHERE: Final = "destination_unavailable"
"""Nothing was sent, or it may be sent twice: the next way may have the request (edge.fill.fill)."""


class Shield:
    """One node. name: on rings and in metrics. `tier` may be replaced at any time."""

    def __init__(
        self,
        name: str,
        address: ListenAddress,
        tier: TierSettings,
        pool: OriginPool,
        clock: Clock,
        measures: ShieldMeasures,
    ) -> None:
        self.name = name
        self.address = address
        self.load = 0
        """Requests under way."""
        self._pool = pool
        self._clock = clock
        self._measures = measures
        self._health = Health(*_rules(tier))
        self._waiting: set[asyncio.Timeout] = set()
        self._heard = 0.0
        self.tier = tier
        measures.in_flight.of(name).source = lambda: self.load
        measures.out.of(name).source = lambda: int(self.is_out)

    def apply(self, tier: TierSettings) -> None:
        """New settings."""
        self.tier = tier
        self._health.ejection, self._health.check = _rules(tier)

    def retire(self) -> None:
        """It is asked no more; what is under way to it ends as it began."""
        self._measures.in_flight.of(self.name).source = self._measures.out.of(self.name).source = None

    @property
    def is_out(self) -> bool:
        """Whether it is passed over."""
        return self._health.is_out(self._clock.mono())

    def is_back_for(self, key: bytes) -> bool:
        """Whether it has its part of the keys again that this one is of; True for one that was never out."""
        share = self._health.share(self._clock.mono())
        return share >= 1.0 or int.from_bytes(key[-4:]) < share * 2.0**32

    def towards(self, rules: SiteRules, tiers: int) -> Towards:
        """The way to it for a site. tiers: of nodes from here to the origin."""
        return Towards(self, self._upstream(longer(rules, self.tier, tiers)))

    def _upstream(self, timeouts: Timeouts) -> Upstream:
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        origin = OriginAddress(b"http", host.encode(), self.address.port)
        rules = OriginRules(
            origins=(origin,),
            timeouts=timeouts,
            max_connections=CONNECTIONS,
            retries=0,
            allow_private_names=True,
            is_ours=True,
        )
        return self._pool.upstream(rules)

    # -- what became of requests --

    def answered(self) -> None:
        """It said something."""
        self._heard = self._clock.mono()
        self._health.worked(self._heard)
        self.count("answered")

    def failed(self) -> None:
        """It said nothing."""
        if self._health.failed(self._clock.mono()):
            self._measures.ejections.of(self.name, "failures").value += 1

    def count(self, outcome: str) -> None:
        """What became of a request."""
        self._measures.requests.of(self.name, outcome).value += 1

    def waits(self, limit: asyncio.Timeout) -> None:
        """A request that may go elsewhere waits for it within this limit."""
        self._waiting.add(limit)

    def waits_no_more(self, limit: asyncio.Timeout) -> None:
        """It does not any more."""
        self._waiting.discard(limit)

    def _let_go(self) -> None:
        """What waits for it is asked elsewhere."""
        now = asyncio.get_running_loop().time()
        for limit in self._waiting:
            limit.reschedule(now)
        self._waiting.clear()

    # -- checks --

    async def watch(self, name: bytes, secret: bytes) -> None:
        """Ask it whether it is there whenever it has been silent. name: this node's. secret: for passports."""
        seconds = self.tier.check
        assert seconds is not None, "it is watched without an interval"
        upstream = self._upstream(Timeouts(seconds, seconds, seconds, seconds))
        while True:
            await asyncio.sleep(seconds)
            if not self.is_out and self._clock.mono() - self._heard < seconds:
                continue
            is_there = await self._is_there(upstream, name, secret, seconds)
            self._measures.checks.of(self.name, "up" if is_there else "down").value += 1
            if self._health.checked(is_there, self._clock.mono()):
                self._measures.ejections.of(self.name, "checks").value += 1
                self._let_go()

    async def _is_there(self, upstream: Upstream, name: bytes, secret: bytes, seconds: float) -> bool:
        asked = UpstreamRequest(b"GET", b"/", b"perigee", Fields(((IS_THERE, b"1"),)))
        now = UnixSeconds(self._clock.now())
        shown = issue(
            name,
            now,
            secret,
            method=asked.method,
            authority=asked.host,
            target=asked.target,
            fields=asked.fields,
        )
        try:
            async with asyncio.timeout(seconds):
                fetched = await upstream.fetch(
                    replace(asked, fields=asked.fields.with_added((PASSPORT, shown)))
                )
        except (TimeoutError, UpstreamFault):
            return False
        fetched.body.abort()
        return fetched.head.status == 204


class Towards:
    """One node as the `Upstream` of one site."""

    __slots__ = ("_shield", "_upstream")

    def __init__(self, shield: Shield, upstream: Upstream) -> None:
        self._shield = shield
        self._upstream = upstream

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        """See `Upstream.fetch`."""
        shield = self._shield
        shield.load += 1
        try:
            fetched = await self._answered(request, body, on_interim)
        except UpstreamFault as fault:
            shield.load -= 1
            shield.count("failed")
            if fault.proxy_status not in _OURS:
                shield.failed()
            may_repeat = body is None and request.method in SAFE_METHODS
            if fault.proxy_status in _NOT_SENT or (may_repeat and fault.proxy_status not in _KNOWN):
                raise UpstreamFault(fault.detail, proxy_status=_ELSEWHERE) from None
            raise
        except BaseException:
            shield.load -= 1
            shield.count("given-up")
            raise
        shield.answered()
        if fetched.tunnel is not None:
            self._over()
        else:
            fetched.body.when_over(lambda _: self._over())
        return fetched

    async def _answered(
        self, request: UpstreamRequest, body: BodySource | None, on_interim: OnInterim | None
    ) -> Fetched:
        shield = self._shield
        try:
            async with asyncio.timeout(None) as limit:
                if body is None and request.method in SAFE_METHODS:
                    shield.waits(limit)
                try:
                    fetched = await self._upstream.fetch(request, body, on_interim)
                finally:
                    shield.waits_no_more(limit)
        except TimeoutError:
            raise UpstreamFault(
                f"{shield.name} seems to hang", proxy_status="http_response_timeout"
            ) from None
        if fetched.head.status == 403 and b"via" not in fetched.head.fields:
            # Its own word: what it passes on bears its Via. A shield that does not know us is as good as none.
            fetched.body.abort()
            status = _ELSEWHERE if body is None else "http_request_denied"
            raise UpstreamFault(f"{shield.name} refuses our passport", proxy_status=status, status=502)
        return fetched

    def _over(self) -> None:
        self._shield.load -= 1


def _rules(tier: TierSettings) -> tuple[EjectionRules, CheckRules]:
    ejection = EjectionRules(
        failures=FAILURES,
        share=None,
        time=tier.rest,
        time_max=max(tier.rest, REST_MAX),
        slow_start=tier.slow_return,
    )
    return ejection, CheckRules(down_after=2, up_after=2)


def longer(rules: SiteRules, tier: TierSettings, tiers: int) -> Timeouts:
    """What a site's origin may take, and the tiers before it."""
    said = rules.origin.timeouts
    more = tiers * (tier.connect + MARGIN)
    return Timeouts(
        connect=tier.connect,
        first_byte=rules.protection.queue_deadline + said.connect + said.first_byte + more,
        between_bytes=said.between_bytes + more,
        total=said.total + more,
    )
