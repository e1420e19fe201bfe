"""All that one worker knows of one origin, and one request's way through it.

Owns: `Guard`, `Judges` and `Visit`. Rules: a place is held from before the request is sent until the last byte of its answer
has come, or nobody wants it any more; a request that became a tunnel is answered. What a request's end says of the origin is
told to its breaker, its health and its gradient exactly once. Sites that share an origin share its places; those that judge
failures by equal rules also share what they have seen.

What is no failure of the origin: a client that left, a connection of its own that had died while idle, our own bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from edge.errors import UpstreamFault
from edge.fill.upstream import Fetched
from edge.semantics.rules import BreakerRules, CheckRules, EjectionRules, ProtectionRules, SiteRules
from origin_shield.breaker import Breaker, Permit, State
from origin_shield.budget import Budget, Priority
from origin_shield.gate import Gate, Place
from origin_shield.gradient import Gradient
from origin_shield.health import Health
from origin_shield.measures import OriginMeasures

_OURS: Final = frozenset(("connection_limit_reached", "http_upgrade_failed", "proxy_internal_error"))
"""Faults that say nothing of the origin."""
_SHOWN: Final = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_JUDGES: Final = 64
"""Different rules to judge by that are kept for one origin. Only reloads make more than a few; the oldest goes."""

K = TypeVar("K", bound=Hashable)
J = TypeVar("J")


def share_of(node: int, workers: int) -> int:
    """What one worker has of a bound that is said per node."""
    return max(1, node // workers)


def _kept(judges: dict[K, J], rules: K, make: Callable[[], J]) -> J:
    """The one that judges by these rules."""
    judge = judges.get(rules)
    if judge is None:
        if len(judges) >= _JUDGES:
            del judges[next(iter(judges))]
        judge = judges[rules] = make()
    return judge


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """Who judges an origin by one site's rules."""

    rules: ProtectionRules
    breaker: Breaker
    health: Health


class Guard:
    """See the module. name: "host:port" or "unix:/path", of the origin. workers: of the node. mono: seconds."""

    def __init__(self, name: str, mono: Callable[[], float], measures: OriginMeasures, workers: int) -> None:
        self.name = name
        self.mono = mono
        self._workers = workers
        self._measures = measures
        self._breakers: dict[BreakerRules, Breaker] = {}
        self._healths: dict[tuple[EjectionRules, CheckRules], Health] = {}
        self._gradient: Gradient | None = None
        self.gate = Gate(self.name, Budget(1, 0, {}), mono)
        self._watch()

    def _watch(self) -> None:
        """Gauges are read on scrape."""
        budget, measures = self.gate.budget, self._measures
        measures.in_flight.of(self.name).source = lambda: budget.held
        measures.limit.of(self.name).source = lambda: budget.cap
        measures.queue.of(self.name).source = lambda: budget.waiting
        measures.breaker.of(self.name).source = self._worst
        measures.out.of(self.name).source = lambda: int(
            any(health.is_out(self.mono()) for health in self._healths.values())
        )

    def _worst(self) -> int:
        now = self.mono()
        return max((_SHOWN[breaker.state(now)] for breaker in self._breakers.values()), default=0)

    def serve(self, sites: Sequence[SiteRules]) -> None:
        """These sites (one at least) use the origin, and no others: its places are for them.

        A request needs a connection, so there are no more places than those: who had one and waited for the other would
        wait in another line, where no shares are kept.
        """
        said = [site.protection for site in sites]
        connections = min(site.origin.max_connections for site in sites)
        most = min(share_of(min(rules.max_in_flight for rules in said), self._workers), connections)
        queue = max(share_of(rules.queue, self._workers) if rules.queue else 0 for rules in said)
        if not any(rules.adaptive for rules in said):
            self._gradient = None
        elif self._gradient is None or self._gradient.most != most:
            self._gradient = Gradient(most)
        self.gate.budget.share_out({site.name: site.protection.weight for site in sites})
        self.gate.resize(most if self._gradient is None else self._gradient.limit, queue)

    def health(self, ejection: EjectionRules, check: CheckRules) -> Health:
        """Its health for those who judge by these rules."""
        return _kept(self._healths, (ejection, check), lambda: Health(ejection, check))

    def judges(self, rules: ProtectionRules) -> Judges:
        """Who judges it by these rules. Keep them: they are looked up by all of the rules."""
        said = rules.breaker
        enough = share_of(said.requests, self._workers)
        breaker = _kept(self._breakers, said, lambda: Breaker(replace(said, requests=enough)))
        return Judges(rules, breaker, self.health(rules.ejection, rules.check))

    def checked(self, ejection: EjectionRules, check: CheckRules, works: bool) -> None:
        """A check's result."""
        if self.health(ejection, check).checked(works, self.mono()):
            self._measures.ejections.of(self.name, "checks").value += 1

    async def enter(self, site: str, judges: Judges, priority: Priority) -> Visit | None:
        """Begin a request, waiting for a place where there is none. None = the breaker is open. Raises HeldBack."""
        began = self.mono()
        if not judges.breaker.allows(began):
            return None
        must_wait = not self.gate.has_room(site)
        place = await self.gate.enter(site, priority, judges.rules.queue_deadline)
        now = self.mono()
        if must_wait:
            self._measures.wait_seconds.of(site).observe(now - began)
        permit = judges.breaker.enter(now)
        if permit is None:  # it opened while we waited
            place.leave()
            return None
        return Visit(self, judges, place, permit)

    # -- a visit's side --

    def opened(self) -> None:
        """A breaker opened."""
        self._measures.breaker_opens.of(self.name).value += 1

    def ejected(self) -> None:
        """It was taken out for its failures."""
        self._measures.ejections.of(self.name, "failures").value += 1

    def timed(self, seconds: float | None) -> None:
        """How long an answer's head took, None = none came."""
        gradient, budget = self._gradient, self.gate.budget
        if gradient is None:
            return
        moved = gradient.failed(budget.held) if seconds is None else gradient.answered(seconds, budget.held)
        if moved:
            self.gate.resize(gradient.limit, budget.queue)


class Visit:
    """One request at one origin. It ends by exactly one of `answered`, `failed` and `gave_up`."""

    __slots__ = ("_breaker", "_failures", "_guard", "_health", "_is_success", "_permit", "_place")

    def __init__(self, guard: Guard, judges: Judges, place: Place, permit: Permit) -> None:
        self._guard = guard
        self._failures = judges.rules.failure_statuses
        self._place = place
        self._permit = permit
        self._breaker = judges.breaker
        self._health = judges.health
        self._is_success = False

    def answered(self, fetched: Fetched) -> None:
        """The head is there; the place is held until the body is over."""
        status = fetched.head.status
        self._is_success = status not in self._failures
        timings = fetched.timings
        self._guard.timed(max(0.0, timings.answered - timings.sent) if self._is_success else None)
        if self._is_success and fetched.body.small is not None and fetched.tunnel is None:
            self._over(broken=False)  # head and body came as one
            return
        now = self._guard.mono()
        if self._is_success:
            self._breaker.heard(self._permit, now)
        elif self._breaker.leave(self._permit, False, now):
            self._guard.opened()
        if fetched.tunnel is not None:
            self._over(broken=False)
        else:
            fetched.body.when_over(lambda broken: self._over(broken=broken))

    def failed(self, fault: UpstreamFault) -> None:
        """No usable answer came."""
        if fault.proxy_status in _OURS:
            self.gave_up()
            return
        self._guard.timed(None)
        now = self._guard.mono()
        if self._breaker.leave(self._permit, False, now):
            self._guard.opened()
        if self._health.failed(now):
            self._guard.ejected()
        self._place.leave()

    def gave_up(self) -> None:
        """Nothing was learned of the origin."""
        self._breaker.leave(self._permit, None, self._guard.mono())
        self._place.leave()

    def _over(self, *, broken: bool) -> None:
        now = self._guard.mono()
        if not self._is_success or broken:
            if self._health.failed(now):
                self._guard.ejected()
        else:
            self._health.worked(now)
        if self._is_success and self._breaker.leave(self._permit, not broken, now):
            self._guard.opened()
        self._place.leave()
