"""The ways out of a worker: to origins, and to the nodes that shield them.

Owns: `Outward`, what a worker asks of them; `Ground`, what they stand on; and `Straight`, every origin asked by ourselves and
as often as clients want. origin_shield has another one, that spares the origins; a worker's program says which it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Clock
from edge.fill.pool import OriginPool
from edge.fill.upstream import Upstream
from edge.measures import Measures
from edge.semantics.rules import SiteRules
from edge.settings.node import NodeSettings
from edge.tiers import NoShields, Ways


@dataclass(frozen=True, slots=True)
class Ground:
    """pool: the worker's connections. count: workers of the node, among whom caps are divided."""

    pool: OriginPool
    settings: NodeSettings
    clock: Clock
    measures: Measures
    count: int


class Outward(Protocol):
    """The ways out of one worker. It is also the `Shields` of its tiers."""

    async def start(self) -> None:
        """Begin what it does by itself."""

    def origin(self, rules: SiteRules) -> Upstream:
        """The way to a site's origins; the same for the same rules."""

    def ways(self, rules: SiteRules, key: bytes, *, from_node: bool) -> Ways:
        """See edge.tiers.Shields."""

    def apply(self, settings: NodeSettings) -> None:
        """New settings."""

    async def aclose(self) -> None:
        """End what it does by itself."""


MakeOutward = Callable[[Ground], Outward]


class Straight:
    """See the module."""

    def __init__(self, ground: Ground) -> None:
        self._pool = ground.pool
        self._origins: dict[int, tuple[SiteRules, Upstream]] = {}
        self._shields = NoShields()

    async def start(self) -> None:
        """Nothing."""

    def origin(self, rules: SiteRules) -> Upstream:
        """See Outward."""
        known = self._origins.get(id(rules))
        if known is None or known[0] is not rules:
            known = self._origins[id(rules)] = (rules, self._pool.upstream(rules.origin))
        return known[1]

    def ways(self, rules: SiteRules, key: bytes, *, from_node: bool) -> Ways:
        """None but to the origin."""
        return self._shields.ways(rules, key, from_node=from_node)

    def apply(self, _settings: NodeSettings) -> None:
        """The rules of sites are new ones."""
        self._origins.clear()

    async def aclose(self) -> None:
        """Nothing."""
