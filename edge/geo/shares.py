"""Sharing clients out by a stable hash. PURE.

Owns: `weighted_order`, `turned_away`. Rules: a client is its *slot*, one of `SLOTS` equal parts of all clients, wherever it is:
so what is decided for a slot holds at all places where the same POPs are to choose from. The same client gets the same POP from
every server, after every restart; when a POP goes, its clients move and hardly any other; when a share grows, nobody who was
moved moves back. Inputs of the hash are length-prefixed.

By rendezvous hashing (Thaler, Ravishankar 1998, with weights as -w / ln(u)) alone, three equal POPs had 104, 77 and 75 of 256
slots: chance is not even. So each gets as many slots as its weight says, those that like it most first. For that, up to 4 % of
the slots move besides those that have to when one of three to ten POPs goes.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from edge.geo.whereabouts import SLOTS
from edge.semantics.rendezvous import liking

Weights = tuple[tuple[str, float], ...]
"""(name, weight), each name once; weights are 0 or more."""


def _hash(*parts: str) -> int:
    """64 bits."""
    digest = blake2b(digest_size=8)
    for part in parts:
        encoded = part.encode("utf-8")
        digest.update(len(encoded).to_bytes(4) + encoded)
    return int.from_bytes(digest.digest())


def _liking(slot: int, name: str, weight: float) -> float:
    return liking(_hash(str(slot), name), weight)


def weighted_order(slot: int, weights: Weights) -> tuple[str, ...]:
    """Names, the one that this slot goes to first; of all slots each is first for as many as its weight says.

    Names without weight come last, in their order.
    """
    weighted = tuple(pair for pair in weights if pair[1] > 0)
    if not weighted:
        return tuple(name for name, _ in weights)
    first = _firsts(weighted)[slot]
    others = sorted((pair for pair in weighted if pair[0] != first), key=lambda pair: -_liking(slot, *pair))
    return (first, *(name for name, _ in others), *(name for name, weight in weights if weight <= 0))


@lru_cache(maxsize=1_024)  # neighbourhoods of POPs at a time; a table takes a millisecond
def _firsts(weights: Weights) -> tuple[str, ...]:
    """The name that each slot goes to."""
    left = _quotas(weights)
    liked = [(_liking(slot, name, weight), slot, name) for slot in range(SLOTS) for name, weight in weights]
    given: list[str | None] = [None] * SLOTS
    for _, slot, name in sorted(liked, key=lambda each: -each[0]):
        if given[slot] is None and left[name]:
            given[slot] = name
            left[name] -= 1
    return tuple(name for name in given if name is not None)


def _quotas(weights: Weights) -> dict[str, int]:
    """How many slots each name gets: SLOTS together, by largest remainders."""
    total = sum(weight for _, weight in weights)
    exact = {name: SLOTS * weight / total for name, weight in weights}
    quotas = {name: int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: quotas[name] - exact[name])[: SLOTS - sum(quotas.values())]:
        quotas[name] += 1
    return quotas


def turned_away(slot: int, name: str, share: float) -> bool:
    """Whether this slot is among the `share` (0 to 1) of slots that `name` does not take.

    Exactly that share of them is, up to one: each name goes through them in an order of its own.
    """
    if share <= 0:
        return False
    if share >= 1:
        return True
    own = _hash("turned away", name)
    turn = (slot * (own | 1) + (own >> 32)) % SLOTS  # an odd factor: every slot has its own turn
    return turn + 0.5 < share * SLOTS
