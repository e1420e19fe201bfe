"""The ways out of a worker that spares the origins.

Owns: `Shielded`, an edge.server.outward.Outward: misses go to the nodes above this one, in the order that
origin_shield.above says, without those that are out; and origins are asked with the care of origin_shield.origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from edge.fill.upstream import Upstream
from edge.semantics.rules import SiteRules
from edge.server.outward import Ground
from edge.settings.node import NodeSettings
from edge.tasks import TaskOwner
from edge.tiers import Ways
from origin_shield.above import Above, Steps, above, addresses, steps
from origin_shield.origin import Protection
from origin_shield.shield_measures import ShieldMeasures
from origin_shield.shields import Shield

FEW = 64
"""Requests under way from one worker, below which load is not balanced: it would only take keys from where they are."""
_STRAIGHT = Ways()


class _Course:
    """All that is known of the way up for one site."""

    def __init__(self, settings: NodeSettings, rules: SiteRules, shields: Mapping[str, Shield]) -> None:
        self.rules = rules
        self.for_clients = above(settings, rules, from_node=False)
        self.for_nodes = above(settings, rules, from_node=True)
        self._shields = shields
        self._upstreams: dict[tuple[str, int], Upstream] = {}

    def towards(self, name: str, tiers: int) -> Upstream:
        """The way to one of the nodes."""
        known = self._upstreams.get((name, tiers))
        if known is None:
            known = self._upstreams[name, tiers] = self._shields[name].towards(self.rules, tiers)
        return known


class Shielded:
    """See the module."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._settings = ground.settings
        self._measures = ShieldMeasures(ground.measures.registry)
        self._shields: dict[str, Shield] = {}
        self._courses: dict[int, _Course] = {}
        self._protection = Protection(ground.pool, ground.clock, ground.measures, workers=ground.count)
        self._origins: dict[int, tuple[SiteRules, Upstream]] = {}
        self._tasks = TaskOwner("shields")
        self._watches: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Know the nodes above, and whether they are there."""
        self.apply(self._settings)

    def origin(self, rules: SiteRules) -> Upstream:
        """See Outward."""
        known = self._origins.get(id(rules))
        if known is None or known[0] is not rules:
            known = self._origins[id(rules)] = (rules, self._protection.upstream(rules))
        return known[1]

    def ways(self, rules: SiteRules, key: bytes, *, from_node: bool) -> Ways:
        """See edge.tiers.Shields."""
        course = self._courses.get(id(rules))
        if course is None or course.rules is not rules:
            course = self._courses[id(rules)] = _Course(self._settings, rules, self._shields)
        up = course.for_nodes if from_node else course.for_clients
        if up.upwards is None and not up.siblings.nodes:
            return _STRAIGHT
        found = self._steps(key, up)
        return Ways(tuple(course.towards(name, up.tiers) for name in found.nodes), found.straight)

    def _steps(self, key: bytes, up: Above) -> Steps:
        """Who is asked now."""
        shields = self._shields
        out = {name for name, shield in shields.items() if shield.is_out}
        here = () if up.upwards is None else up.upwards.here.nodes
        returning = {
            name for name, shield in shields.items() if name not in out and not shield.is_back_for(key)
        }
        if any(node.name not in out and node.name not in returning for node in here):
            out |= returning  # where there is no other, one that is cold is better than none
        loads = {node.name: shields[node.name].load for node in here if node.name in shields}
        return steps(key, up, gone=out, loads=loads if sum(loads.values()) > FEW else None)

    def apply(self, settings: NodeSettings) -> None:
        """The rules of sites are new ones, and there may be other nodes."""
        self._settings = settings
        self._protection.apply(settings.sites)
        self._origins.clear()
        self._courses.clear()
        asked = addresses(settings)
        for name in [name for name, shield in self._shields.items() if asked.get(name) != shield.address]:
            self._shields.pop(name).retire()
        ground = self._ground
        for name, address in asked.items():
            if name in self._shields:
                self._shields[name].apply(settings.tier)
            else:
                self._shields[name] = Shield(
                    name, address, settings.tier, ground.pool, ground.clock, self._measures
                )
        self._watch(settings)

    def _watch(self, settings: NodeSettings) -> None:
        for task in self._watches:
            task.cancel()
        self._watches.clear()
        if settings.tier.check is None or not settings.tier.secrets:
            return
        name, secret = settings.name.encode(), settings.tier.secrets[0]
        self._watches = [
            self._tasks.spawn(shield.watch(name, secret), name=f"watch {shield.name}")
            for shield in self._shields.values()
        ]

    async def aclose(self) -> None:
        """End the watches."""
        await self._tasks.aclose()
        await self._protection.aclose()
