"""What placement knows of the network at one moment. PURE.

Owns: `NetworkView` and `PopView`, frozen and swapped whole. Rule: shares are of a POP's clients, 0 to 1, and are what has been
decided (edge.geo.health, edge.geo.load), not what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge.settings.network import Network, Pop, PopState


class Health(Enum):
    """Of a POP; the word in metrics and explanations."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    """Nobody has looked yet, or nobody can tell: it counts as up."""


@dataclass(frozen=True, slots=True)
class PopView:
    """A POP now."""

    pop: Pop
    health: Health = Health.UNKNOWN
    drained: float = 0.0
    """The share of its clients that it does not get because it is drained."""
    ready: float = 1.0
    """The share that it is ready for: less while it starts slowly, and where nodes of it are cold or behind."""
    shed: float = 0.0
    """The share that is passed on because it has too much to do."""
    load: float | None = None
    """Of its capacity; for explanations. None = unknown."""


@dataclass(frozen=True, slots=True)
class NetworkView:
    """All POPs now, in the order of the file. default_pops: the first POPs for clients whose place is unknown."""

    pops: tuple[PopView, ...] = ()
    default_pops: tuple[str, ...] = ()


def static_view(network: Network) -> NetworkView:
    """What the file alone says: nobody has looked, nothing is known of loads, and what is drained is drained."""
    return NetworkView(
        tuple(PopView(pop, drained=1.0 if pop.state is PopState.DRAIN else 0.0) for pop in network.pops),
        network.geo.default_pops,
    )
