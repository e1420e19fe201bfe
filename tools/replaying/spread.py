"""Which edge a request of a log goes to. PURE.

Owns: `Spread`, `edge_of`, `namesake`. Rules: by address, a client stays with one edge as DNS would keep him at one POP, by
rendezvous hashing, so that another edge more or less moves only its share; by turns, requests go round as a balancer in front
of one POP lets them.
"""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b


class Spread(Enum):
    """How clients are spread over edges."""

    ADDRESS = "address"
    TURNS = "turns"


def edge_of(spread: Spread, client: str, turn: int, edges: int) -> int:
    """Its index. client: his address. turn: the number of the request."""
    if edges == 1:
        return 0
    if spread is Spread.TURNS:
        return turn % edges
    return max(range(edges), key=lambda edge: blake2b(f"{edge} {client}".encode(), digest_size=8).digest())


def namesake(client: str, copy: int) -> str:
    """The client of whom there are several: the first is himself."""
    return client if copy == 0 else f"{client}#{copy}"
