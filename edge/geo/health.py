"""Which POPs are up, and how much of their clients they get. PURE.

Owns: `Streak` (one node as one vantage point sees it), `verdict` (what all of them make of a POP), `judge` (what the network is
from one moment to the next) and `view_of`. Rules:

- one vantage point never takes a POP out where there are more: more than `quorum` of those who know something must agree;
- what the nodes say of themselves is one vantage point too, but only while the control plane is there: a POP that is silent is
  down if others speak, and says nothing if nobody does;
- where nobody knows anything, what was known last stays (and at the start all are up);
- checks that take out more than `max_out` of all POPs are doubted: then health does not count;
- who returns gets its clients slowly, who is drained loses them slowly, and a node that is cold or behind the purge log does
  not count in its POP's share.

Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from edge.geo.load import NOT_SHEDDING, Shedding, load_of, shed
from edge.geo.network_view import Health, NetworkView, PopView
from edge.settings.network import HealthSettings, Network, NetworkNode, Pop, PopState, Role

NODES = "nodes"
"""The vantage point that the presence of nodes is."""

LEAST_SHARE = 0.02
"""What a POP that returns gets at once: with none at all it would never be seen to work."""


@dataclass(frozen=True, slots=True)
class Streak:
    """A node, as one vantage point sees it. against: results in a row that contradict `health`."""

    health: Health = Health.UNKNOWN
    against: int = 0


def checked(streak: Streak, works: bool, settings: HealthSettings) -> Streak:
    """After one more check. The first that works is enough for a node that nobody knew."""
    if works and streak.health is Health.UNKNOWN:
        return Streak(Health.UP)
    if streak.health is not Health.UNKNOWN and works == (streak.health is Health.UP):
        return Streak(streak.health)
    against = streak.against + 1
    if against >= (settings.up_after if works else settings.down_after):
        return Streak(Health.UP if works else Health.DOWN)
    return Streak(streak.health, against)


def pop_health(nodes: Iterable[tuple[float, Health]]) -> Health:
    """What one vantage point says of a POP by its nodes. nodes: (weight, health); down = all that are known are."""
    known = [health for weight, health in nodes if weight > 0 and health is not Health.UNKNOWN]
    if not known:
        return Health.UNKNOWN
    return Health.UP if Health.UP in known else Health.DOWN


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a vantage point says of a POP, and when it said so."""

    vantage: str
    health: Health
    at: float


@dataclass(frozen=True, slots=True)
class Said:
    """What a node said of itself last. at: when that was heard. lag: seconds behind the purge log, None = it cannot tell.

    load: of its own capacity. rate: requests a second, None = it did not say.
    """

    at: float
    ready: bool
    lag: float | None = 0.0
    load: float = 0.0
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known at one moment. opinions: by POP. said: by node. drains: POPs that are drained by command."""

    opinions: Mapping[str, tuple[Opinion, ...]] = field(default_factory=lambda: MappingProxyType({}))
    said: Mapping[str, Said] = field(default_factory=lambda: MappingProxyType({}))
    drains: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PopHealth:
    """A POP from one moment to the next."""

    at: float
    """When this was judged."""
    health: Health = Health.UNKNOWN
    returned: float | None = None
    """When it last began to get clients again. None = it has them all along."""
    drained: float = 0.0
    ready: float = 1.0
    shedding: Shedding = NOT_SHEDDING
    load: float | None = None


def verdict(opinions: Iterable[Opinion], now: float, settings: HealthSettings) -> Health:
    """What all vantage points make of a POP. opinions: one of each. UNKNOWN = none of them knows anything now."""
    fresh = [
        opinion.health
        for opinion in opinions
        if opinion.health is not Health.UNKNOWN and now - opinion.at <= settings.opinion_life
    ]
    if not fresh:
        return Health.UNKNOWN
    return Health.DOWN if fresh.count(Health.DOWN) > settings.quorum * len(fresh) else Health.UP


def edges_of(network: Network, pop: str) -> tuple[NetworkNode, ...]:
    """The nodes of a POP that clients come to."""
    return tuple(node for node in network.nodes if node.pop == pop and node.role is Role.EDGE)


def _heard(seen: Seen, node: NetworkNode, now: float, settings: HealthSettings) -> Said | None:
    said = seen.said.get(node.name)
    return said if said is not None and now - said.at <= settings.presence_life else None


def nodes_opinion(network: Network, pop: str, seen: Seen, now: float) -> Opinion | None:
    """What the nodes themselves say; None where nobody in the network speaks, or the network names no edge of the POP."""
    edges = edges_of(network, pop)
    if not edges or all(_heard(seen, node, now, network.health) is None for node in network.nodes):
        return None
    there = any(_heard(seen, node, now, network.health) is not None for node in edges)
    return Opinion(NODES, Health.UP if there else Health.DOWN, now)


def readiness(network: Network, pop: str, seen: Seen, now: float) -> float | None:
    """The share of a POP's edges, by weight, that clients should be sent to. None = none of them speaks."""
    edges = edges_of(network, pop)
    heard = [(node.weight, _heard(seen, node, now, network.health)) for node in edges]
    total = sum(weight for weight, _ in heard)
    if not total or all(said is None for _, said in heard):
        return None
    ready = sum(weight for weight, said in heard if said is not None and _is_ready(said, network.health))
    return ready / total


def _is_ready(said: Said, settings: HealthSettings) -> bool:
    return said.ready and said.lag is not None and said.lag <= settings.max_lag


def _load(network: Network, pop: Pop, seen: Seen, now: float) -> float | None:
    heard = [
        (node, said)
        for node in edges_of(network, pop.name)
        if (said := _heard(seen, node, now, network.health)) is not None
    ]
    rates = [said.rate for _, said in heard if said.rate is not None]
    if pop.capacity is not None and rates:
        return sum(rates) / pop.capacity
    return load_of((node.weight, said.load) for node, said in heard)


def judge(
    before: Mapping[str, PopHealth], network: Network, seen: Seen, now: float
) -> Mapping[str, PopHealth]:
    """Every POP now, by name. before: what this gave last time; a POP that is not in it is new."""
    return MappingProxyType(
        {pop.name: _judged(before.get(pop.name), network, pop, seen, now) for pop in network.pops}
    )


def _judged(was: PopHealth | None, network: Network, pop: Pop, seen: Seen, now: float) -> PopHealth:
    settings = network.health
    draining = pop.state is PopState.DRAIN or pop.name in seen.drains
    if was is None:  # what is drained when we start has been so
        was = PopHealth(now, drained=1.0 if draining else 0.0)
    own = nodes_opinion(network, pop.name, seen, now)
    opinions = (*seen.opinions.get(pop.name, ()), *(() if own is None else (own,)))
    health = verdict(opinions, now, settings)
    if health is Health.UNKNOWN:
        health = was.health
    returned = was.returned
    if health is Health.UP and was.health is Health.DOWN:
        returned = now
    elif returned is not None and now - returned >= settings.slow_start:
        returned = None
    seconds = max(now - was.at, 0.0)
    ready = readiness(network, pop.name, seen, now)
    load = _load(network, pop, seen, now)
    step = seconds / settings.drain_ramp if settings.drain_ramp else 1.0
    return replace(
        was,
        at=now,
        health=health,
        returned=returned,
        drained=min(max(was.drained + (step if draining else -step), 0.0), 1.0),
        ready=was.ready if ready is None else ready,
        load=was.load if load is None else load,
        shedding=shed(was.shedding, load, seconds, network.load),
    )


def view_of(network: Network, states: Mapping[str, PopHealth], now: float) -> NetworkView:
    """What placement knows. states: as `judge` gives them."""
    down = sum(state.health is Health.DOWN for state in states.values())
    doubted = down > network.health.max_out * len(network.pops)
    pops = tuple(
        _shown(pop, states.get(pop.name, PopHealth(now)), now, network.health, doubted)
        for pop in network.pops
    )
    return NetworkView(pops, network.geo.default_pops)


def _shown(pop: Pop, state: PopHealth, now: float, settings: HealthSettings, doubted: bool) -> PopView:
    ready = state.ready
    if state.returned is not None and settings.slow_start:
        ready = min(ready, max((now - state.returned) / settings.slow_start, LEAST_SHARE))
    health = Health.UNKNOWN if doubted and state.health is Health.DOWN else state.health
    return PopView(pop, health, state.drained, min(ready, 1.0), state.shedding.share, state.load)
