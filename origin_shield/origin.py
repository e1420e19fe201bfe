"""The protected way to the origins of a site.

Owns: `Protection` (all origins of a worker; `edge.fill.upstream.Origins`) and `ProtectedUpstream` (the `Upstream` of one site).
A request goes: origins in service, in the order of the site's balance, whose breaker lets it pass; a place at the first of
them; one try over edge.fill.pool's connections; its end told to breaker, health and gradient; and again elsewhere, where
edge.fill.trying allows that and the site's budget of retries has something left. What is refused on that way is `HeldBack`:
503 with Retry-After, or what is stale.

Between origins: one that has a place free goes before one that has none, but a backup is not asked because others are busy,
and nothing is gained by asking an origin that is passed over; it is the last resort where no other could be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from math import ceil

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.pool import OriginPool
from edge.fill.trying import Aim, Errand, Further, Try
from edge.fill.upstream import BodySource, Fetched, HeldBack, OnInterim, UpstreamRequest
from edge.measures import Measures
from edge.semantics.reasons import Because
from edge.semantics.rules import Balance, OriginAddress, SiteRules
from edge.tasks import TaskOwner
from edge.values import value
from origin_shield.balance import Balancer, Candidate
from origin_shield.breaker import State
from origin_shield.budget import Priority
from origin_shield.checks import Checks, Wanted, wanted
from origin_shield.guard import Guard, Judges, Visit, share_of
from origin_shield.health import in_service
from origin_shield.measures import OriginMeasures
from origin_shield.retries import RetryBudget


@dataclass(frozen=True, slots=True)
class OriginState:
    """What is known of an origin as one site sees it: for the admin page and `perigee explain`."""

    site: str
    origin: str
    in_flight: int
    limit: int
    queue: int
    breaker: State
    is_out: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Origin:
    """An origin of one site."""

    guard: Guard
    judges: Judges
    aim: Aim
    name: str
    weight: int
    is_backup: bool


class _Group(Enum):
    """What an origin is asked as."""

    SERVING = "serving"
    BACKUP = "backup"
    OUT = "out"


@value(frozen=True, slots=True)
class _Option:
    origin: _Origin
    group: _Group


class Protection:
    """See the module. workers: processes that share a node's bounds. Close it before the pool."""

    def __init__(self, pool: OriginPool, clock: Clock, measures: Measures, *, workers: int = 1) -> None:
        self._pool = pool
        self._mono = clock.mono
        self._workers = workers
        self._measures = OriginMeasures(measures.registry)
        self._tasks = TaskOwner("origin protection")
        self._checks = Checks(pool, self._measures, self._tasks)
        self._guards: dict[str, Guard] = {}
        self._retries: dict[str, RetryBudget] = {}
        self._sites: dict[str, SiteRules] = {}

    def apply(self, sites: Iterable[SiteRules]) -> None:
        """These sites are in force now, and no others. What is under way goes on as it began."""
        self._sites = {site.name: site for site in sites}
        self._retries = {name: budget for name, budget in self._retries.items() if name in self._sites}
        self._settle()

    def upstream(self, rules: SiteRules) -> ProtectedUpstream:
        """The way to the origins of one site; of one that is no longer in force, by the bounds that were last."""
        said = rules.protection
        retry = replace(said.retry, minimum=share_of(said.retry.minimum, self._workers))
        budget = self._retries.setdefault(rules.name, RetryBudget(retry))
        budget.rules = retry
        return ProtectedUpstream(self._pool, rules, self._guarded(rules), budget, self._measures, self._mono)

    def states(self) -> list[OriginState]:
        """All origins of all sites, as of now."""
        now = self._mono()
        return [
            OriginState(
                site.name,
                guard.name,
                guard.gate.budget.held,
                guard.gate.budget.cap,
                guard.gate.budget.waiting,
                judges.breaker.state(now),
                judges.health.is_out(now),
            )
            for site in self._sites.values()
            for guard in (self._guard(site, origin) for origin in _all(site))
            for judges in (guard.judges(site.protection),)
        ]

    async def aclose(self) -> None:
        """End the checks."""
        await self._tasks.aclose()

    def _settle(self) -> None:
        """Share the places of each origin out among those who use it, and check what is to be checked."""
        users: dict[str, list[SiteRules]] = {}
        checks: list[Wanted] = []
        for site in self._sites.values():
            for origin in _all(site):
                guard = self._guard(site, origin)
                users.setdefault(guard.name, []).append(site)
                if site.protection.check.path is not None:
                    checks.append(wanted(site, origin, guard))
        for name, those in users.items():
            self._guards[name].serve(those)
        self._checks.apply(checks)

    def _guard(self, rules: SiteRules, origin: OriginAddress) -> Guard:
        name = self._pool.destination(origin, rules.origin).name
        guard = self._guards.get(name)
        if guard is None:
            guard = self._guards[name] = Guard(name, self._mono, self._measures, self._workers)
            guard.serve((rules,))
        return guard

    def _guarded(self, rules: SiteRules) -> Iterator[_Origin]:
        weights = rules.protection.weights
        for at, origin in enumerate(_all(rules)):
            guard = self._guard(rules, origin)
            yield _Origin(
                guard,
                guard.judges(rules.protection),
                self._pool.aim(origin, rules.origin),
                f"{guard.name}{origin.path.decode('latin-1')}",
                weights.get(origin, 1),
                at >= len(rules.origin.origins),
            )


def _all(rules: SiteRules) -> tuple[OriginAddress, ...]:
    return (*rules.origin.origins, *rules.protection.backups)


class ProtectedUpstream:
    """See the module."""

    __slots__ = ("_balancer", "_mono", "_origins", "measures", "pool", "retries", "rules")

    def __init__(
        self,
        pool: OriginPool,
        rules: SiteRules,
        origins: Iterable[_Origin],
        retries: RetryBudget,
        measures: OriginMeasures,
        mono: Callable[[], float],
    ) -> None:
        self.pool = pool
        self.rules = rules
        self.retries = retries
        self.measures = measures
        self._mono = mono
        self._origins = {origin.name: origin for origin in origins}
        self._balancer = Balancer(rules.protection.balance)

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        """See `Upstream.fetch`. Raises HeldBack where nothing was sent to spare the origins."""
        if not self._origins:
            raise UpstreamFault("the site has no origin", proxy_status="destination_not_found")
        errand = Errand(request, body, on_interim, self.rules.origin)
        return await _Journey(self, errand, self._options(request)).run()

    def _options(self, request: UpstreamRequest) -> list[_Option]:
        """The origins whose breaker allows it, in the order to ask them."""
        now = self._mono()
        allowed = [origin for origin in self._origins.values() if origin.judges.breaker.allows(now)]
        if len(self._origins) == 1:
            return [_Option(origin, _Group.SERVING) for origin in allowed]
        healths = [origin.judges.health for origin in self._origins.values()]
        serving = in_service(healths, self.rules.protection.ejection.max_share, now)
        serves = dict(zip(self._origins, serving, strict=True))
        candidates = [
            Candidate(
                origin.name,
                origin.weight,
                origin.guard.gate.budget.held,
                origin.judges.health.share(now),
                origin.is_backup,
            )
            for origin in allowed
            if serves[origin.name]
        ]
        ordered = self._balancer.order(candidates, request.host + request.target)
        return [
            *(
                _Option(self._origins[chosen.name], _Group.BACKUP if chosen.is_backup else _Group.SERVING)
                for chosen in ordered
            ),
            *(_Option(origin, _Group.OUT) for origin in allowed if not serves[origin.name]),
        ]

    def resting(self) -> HeldBack:
        """All breakers are open."""
        rest = min(origin.judges.breaker.rest(self._mono()) for origin in self._origins.values())
        detail = f"{', '.join(self._origins)}: left alone, having failed too often"
        return HeldBack(detail, Because.ORIGIN_RESTS, max(1, ceil(rest)))


class _Journey:
    """One request's way through the origins of its site."""

    def __init__(self, upstream: ProtectedUpstream, errand: Errand, options: list[_Option]) -> None:
        self._upstream = upstream
        self._errand = errand
        self._left = options
        self._failure: UpstreamFault | None = None
        rules, request = upstream.rules, errand.request
        may_repeat = errand.may_repeat and request.may_repeat
        self._tries_left = rules.origin.retries if may_repeat else 0
        self._priority = Priority.BACKGROUND if request.is_background else Priority.CLIENT

    async def run(self) -> Fetched:
        """To an answer, or to the failure of the last who was asked."""
        while True:
            option, visit = await self._enter()
            origin = option.origin
            trying = self._upstream.pool.trying(self._errand, origin.aim)
            try:
                return await self._visited(visit, trying, origin)
            except UpstreamFault as fault:
                self._failure = fault
            if trying.further is Further.DROPPED:
                self._left.append(option)  # where there is no other, it is asked again itself
            if not self._may_go_on(trying.further, origin):
                raise self._failure

    async def _enter(self) -> tuple[_Option, Visit]:
        """The next origin that lets the request in."""
        upstream, refusal = self._upstream, None
        while self._left:
            option = self._next()
            try:
                visit = await option.origin.guard.enter(
                    upstream.rules.name, option.origin.judges, self._priority
                )
            except HeldBack as held_back:
                refusal = held_back
                if refusal.because is not Because.ORIGIN_QUEUE_FULL:
                    break
                self._left = [other for other in self._left if other.group is not _Group.OUT]
                continue
            if visit is not None:
                self._note(option.origin)
                return option, visit
        refused = refusal or upstream.resting()
        upstream.measures.held_back.of(upstream.rules.name, refused.because.value).value += 1
        raise self._failure or refused

    def _next(self) -> _Option:
        """The first that has room, but nobody of another group because those of the first are busy."""
        first = chosen = self._left[0]
        protection = self._upstream.rules.protection
        if protection.balance is not Balance.ORDER:
            for option in self._left:
                if option.group is first.group and option.origin.guard.gate.has_room(
                    self._upstream.rules.name
                ):
                    chosen = option
                    break
        self._left.remove(chosen)
        return chosen

    def _note(self, origin: _Origin) -> None:
        if self._failure is None:
            self._upstream.retries.request(origin.guard.mono())

    async def _visited(self, visit: Visit, trying: Try, origin: _Origin) -> Fetched:
        """One try; two where a kept connection was dead, which says nothing of the origin."""
        try:
            try:
                fetched = await trying.run(fresh=not self._errand.may_repeat)
            except UpstreamFault:
                if trying.further is not Further.WAS_DEAD:
                    raise
                self._tries_left = max(0, self._tries_left - 1)
                self._upstream.retries.spend(origin.guard.mono())
                origin.aim.destination.tally.retries.value += 1
                fetched = await trying.run(fresh=True)
        except UpstreamFault as fault:
            visit.failed(fault)
            raise
        except BaseException:
            visit.gave_up()
            raise
        visit.answered(fetched)
        return fetched

    def _may_go_on(self, further: Further, origin: _Origin) -> bool:
        """Whether another try is allowed; if so, it is counted."""
        if further is Further.FINAL or not self._left:
            return False
        if further is Further.NOT_SENT:
            return True
        if not self._tries_left:
            return False
        if not self._upstream.retries.take(origin.guard.mono()):
            self._upstream.measures.retries_denied.of(self._upstream.rules.name).value += 1
            return False
        self._tries_left -= 1
        origin.aim.destination.tally.retries.value += 1
        return True
