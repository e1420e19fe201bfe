"""Who wants a thing most: shares by weight, and nothing infinite at either end of a hash."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from math import isfinite

import pytest

from edge.semantics.rendezvous import liking

WEIGHTS = {"a": 1.0, "b": 2.0, "c": 5.0}


def digest(thing: int, name: str) -> int:
    return int.from_bytes(blake2b(f"{thing}/{name}".encode(), digest_size=8).digest())


def owner(thing: int, names: tuple[str, ...]) -> str:
    return max(names, key=lambda name: liking(digest(thing, name), WEIGHTS[name]))


def test_each_has_its_part_by_weight():
    counted = Counter(owner(thing, ("a", "b", "c")) for thing in range(8_000))
    for name, weight in WEIGHTS.items():
        assert counted[name] == pytest.approx(weight * 1_000, rel=0.1)


def test_who_goes_moves_only_his_own():
    for thing in range(500):
        before = owner(thing, ("a", "b", "c"))
        if before != "b":
            assert owner(thing, ("a", "c")) == before


@pytest.mark.parametrize("number", [0, 1, 2**63, 2**64 - 2**12, 2**64 - 1])
def test_it_is_a_number_above_nothing(number: int):
    assert isfinite(liking(number, 3.0)) and liking(number, 3.0) > 0.0
