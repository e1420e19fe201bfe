"""What one vantage point makes of its own checks, and which nodes nothing should be sent to. PURE.

Owns: `Streaks`, `health_by_pop`, `countable`, `nodes_out`. Rules: POPs are judged by all vantage points together
(edge.geo.health). A single node of a POP that is up is left out where this vantage point finds it down, or it says itself that
it is not ready, or it is silent while others speak: another node of the same POP does as well, so that one doubt is enough.
Silence is held against nodes only where it is theirs and not ours: who has just begun to listen, or hears nobody, concludes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from edge.geo.health import Said, Streak, checked, edges_of, pop_health
from edge.geo.network_view import Health
from edge.settings.network import HealthSettings, Network, Role

SPEAK_SECONDS = 1.0
"""A node speaks once in so long (edge.fleet.fleet)."""

Streaks = Mapping[str, Streak]
"""By node."""


def after(streaks: Streaks, results: Mapping[str, bool], network: Network) -> Streaks:
    """Streaks after one round of checks. results: by node. Nodes that the network does not have are forgotten."""
    return MappingProxyType(
        {
            node.name: checked(streaks.get(node.name, Streak()), results[node.name], network.health)
            if node.name in results
            else streaks.get(node.name, Streak())
            for node in network.nodes
            if node.role is Role.EDGE
        }
    )


def health_by_pop(network: Network, streaks: Streaks) -> Mapping[str, Health]:
    """What these checks say of POPs; only those that they say anything of."""
    found = {
        pop.name: pop_health(
            (node.weight, streaks.get(node.name, Streak()).health) for node in edges_of(network, pop.name)
        )
        for pop in network.pops
    }
    return MappingProxyType({pop: health for pop, health in found.items() if health is not Health.UNKNOWN})


def countable(
    said: Mapping[str, Said], since: float | None, now: float, settings: HealthSettings
) -> Mapping[str, Said]:
    """What nodes said, as far as something may be concluded from who did not.

    since: when we began to hear, None = we do not. Where everybody has been silent for longer than a node ever is, it is our
    own connection that is silent: then time stands still for what was heard.
    """
    latest = max((each.at for each in said.values()), default=None)
    if since is None or latest is None or now - since < settings.presence_life:
        return {}
    if now - latest > settings.presence_life:
        return {}
    still = max(0.0, now - latest - SPEAK_SECONDS)
    return said if not still else {name: replace(each, at=each.at + still) for name, each in said.items()}


def nodes_out(network: Network, streaks: Streaks, said: Mapping[str, Said], now: float) -> frozenset[str]:
    """Edges that nothing should be sent to while their POP has another. said: by node, what it said last."""
    life = network.health.presence_life
    fresh = {name for name, each in said.items() if now - each.at <= life}
    out = set()
    for node in network.nodes:
        if node.role is not Role.EDGE:
            continue
        heard = said.get(node.name)
        is_down = streaks.get(node.name, Streak()).health is Health.DOWN
        is_silent = bool(fresh) and heard is not None and node.name not in fresh
        is_unready = heard is not None and node.name in fresh and not heard.ready
        if is_down or is_silent or is_unready:
            out.add(node.name)
    return frozenset(out)
