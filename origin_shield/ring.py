"""Which shield a key's misses go to, and who is asked after it. PURE.

Owns: `Ring`, `bounded`, `ways`. Rules: every node of a network computes the same order from the same list, whatever the order
of that list; each shield is first for a part of the keys in proportion to its weight; a shield that is lost, or comes, moves
only its own keys (Thaler, Ravishankar 1998, with weights as -w / ln(u)); a shield that has more than its bound of what is under
way passes a key on to the next in that key's own order (Mirrokni, Thorup, Zadimoghaddam 2016), so that the passed-on keys do
not all meet at one neighbour. Inputs of the hash are length-prefixed.

The load is that of the one who asks: it is known without a message, and nodes that each spread evenly spread evenly together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil

from edge.semantics.rendezvous import liking
from edge.semantics.rules import ShieldFallback


@dataclass(frozen=True, slots=True)
class RingNode:
    """A place on a ring. weight: its part of the keys, 0 = none as long as another is there."""

    name: str
    weight: int = 100


def score(key: bytes, name: bytes, weight: float) -> float:
    """How much a name wants a key; who wants it most has it. weight: more than 0."""
    digest = blake2b(len(name).to_bytes(4) + name + key, digest_size=8).digest()
    return liking(int.from_bytes(digest), weight)


class Ring:
    """The shields of one region. Immutable."""

    __slots__ = ("_named", "nodes")

    def __init__(self, nodes: Iterable[RingNode]) -> None:
        self.nodes = tuple(sorted(nodes, key=lambda node: node.name))
        """By name."""
        names = [node.name for node in self.nodes]
        assert len(set(names)) == len(names), f"a name stands twice in {names}"
        self._named = tuple((node.name.encode(), node) for node in self.nodes)

    def order(self, key: bytes) -> tuple[RingNode, ...]:
        """All nodes, the key's own first. Those without weight come last, by name."""
        if len(self.nodes) == 1:
            return self.nodes
        scored = [(score(key, name, node.weight) if node.weight else 0.0, node) for name, node in self._named]
        scored.sort(key=lambda each: -each[0])
        return tuple(node for _, node in scored)


def bounded(order: Sequence[RingNode], loads: Mapping[str, int], factor: float) -> tuple[RingNode, ...]:
    """The order with those behind the others that are full. loads: requests under way, by name; absent = none.

    Full is who would have more than `factor` times its share, by weight, of what is under way with this request.
    """
    weights = sum(node.weight for node in order)
    if len(order) < 2 or not weights:
        return tuple(order)
    total = sum(loads.get(node.name, 0) for node in order) + 1
    free = [node for node in order if loads.get(node.name, 0) < ceil(factor * total * node.weight / weights)]
    return (*free, *(node for node in order if node not in free))


@dataclass(frozen=True, slots=True)
class ToShield:
    """Ask this shield."""

    node: RingNode


@dataclass(frozen=True, slots=True)
class ToOrigin:
    """Ask the origin itself."""


Way = ToShield | ToOrigin


@dataclass(frozen=True, slots=True)
class Upwards:
    """Where the misses of a node go. here: the shields of the region asked first. others: of other regions, in order.

    fallback, load_factor: the site's.
    """

    here: Ring
    others: tuple[Ring, ...] = ()
    fallback: ShieldFallback = ShieldFallback.ORIGIN
    load_factor: float = 1.25


def ways(
    key: bytes,
    upwards: Upwards,
    *,
    gone: Collection[str] = (),
    loads: Mapping[str, int] | None = None,
) -> tuple[Way, ...]:
    """Whom to ask for a key, in order; the next one when nothing came of the one before. What is stale comes after the last.

    gone: shields that seem to be out of service. They are asked after all others, for who says so may be wrong; not at all
    where the site allows the origin itself. loads: as `bounded` has them. Empty = nobody may be asked.
    """
    rings = (upwards.here,) if upwards.fallback is ShieldFallback.STALE else (upwards.here, *upwards.others)
    there: list[RingNode] = []
    doubted: list[RingNode] = []
    for ring in rings:
        order = [node for node in ring.order(key) if node.name not in gone]
        there += bounded(order, loads or {}, upwards.load_factor)
        doubted += [node for node in ring.order(key) if node.name in gone]
    if upwards.fallback is ShieldFallback.ORIGIN:
        return (*(ToShield(node) for node in there), ToOrigin())
    return tuple(ToShield(node) for node in (*there, *doubted))
