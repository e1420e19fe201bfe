"""Rendezvous hashing with weights: who wants a thing most. PURE. Thaler, Ravishankar 1998, with weights as -w / ln(u).

Owns: `liking`. Rule: of many things each candidate is the most eager for a part in proportion to its weight, and one that
comes or goes moves only its own. What is hashed, and how its parts are told apart, is the caller's.
"""

from __future__ import annotations

from math import log
from typing import Final

_SPAN: Final = 2.0**64
_MOST: Final = 1.0 - 2.0**-53
"""The last number before 1, whose logarithm is nothing to divide by: the last few digests round up to it."""


def liking(digest: int, weight: float) -> float:
    """How much a candidate wants a thing; who wants it most has it. digest: 64 bits, of both. weight: more than 0."""
    return -weight / log(min((digest + 0.5) / _SPAN, _MOST))
