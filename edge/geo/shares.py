"""Sharing clients out by a stable hash. PURE.

Owns: `Seed`, `weighted_order`, `turned_away`. Rules: the same client gets the same POP from every server, after every restart;
when a POP goes, only its clients move, and when a share grows, nobody who was moved moves back. Inputs of the hash are
length-prefixed. Rendezvous hashing (Thaler, Ravishankar 1998), with weights as -w / ln(u).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from math import log


@dataclass(frozen=True, slots=True)
class Seed:
    """What tells one group of clients from another. slot: 0 to slots - 1. place: any text, the same for one place."""

    place: str
    slot: int
    slots: int


def _hash(*parts: str) -> int:
    """64 bits."""
    digest = blake2b(digest_size=8)
    for part in parts:
        encoded = part.encode("utf-8")
        digest.update(len(encoded).to_bytes(4) + encoded)
    return int.from_bytes(digest.digest())


def weighted_order(seed: Seed, weights: Iterable[tuple[str, float]]) -> list[str]:
    """Names, the one that this group goes to first; over all groups each is first in proportion to its weight.

    weights: (name, weight), 0 or more. Names without weight come last, in their order.
    """
    scored = [
        (-weight / log((_hash(seed.place, str(seed.slot), name) + 0.5) / 2**64) if weight > 0 else 0.0, name)
        for name, weight in weights
    ]
    return [name for _, name in sorted(scored, key=lambda each: -each[0])]


def turned_away(seed: Seed, name: str, share: float) -> bool:
    """Whether this group is among the `share` (0 to 1) of groups that `name` does not take.

    Of the slots of one place exactly that share is, up to a slot: each name goes through them in an order of its own.
    """
    if share <= 0:
        return False
    if share >= 1:
        return True
    own = _hash("turned away", seed.place, name)
    turn = (seed.slot * (own | 1) + (own >> 32)) % seed.slots  # an odd factor: every slot has its own turn
    return turn + 0.5 < share * seed.slots
