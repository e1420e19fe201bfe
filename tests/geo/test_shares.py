"""Clients are shared out by weight, the same way every time, and few move when something changes."""

from __future__ import annotations

from collections import Counter

import pytest

from edge.geo.shares import Seed, turned_away, weighted_order

SLOTS = 256
PLACES = [f"place {n}" for n in range(8)]
SEEDS = [Seed(place, slot, SLOTS) for place in PLACES for slot in range(0, SLOTS, 2)]
EVEN = [("fra", 1.0), ("ams", 1.0), ("lhr", 1.0)]


def test_the_order_is_the_same_every_time():
    """The first hash of this house: whoever changes it moves everybody's clients."""
    assert weighted_order(Seed("DE 52.5 13.37", 7, SLOTS), EVEN) == ["lhr", "ams", "fra"]
    away = [name for name, _ in EVEN if turned_away(Seed("DE 52.5 13.37", 7, SLOTS), name, 0.5)]
    assert away == ["ams", "lhr"]


@pytest.mark.parametrize(
    "weights, shares",
    [
        (EVEN, {"fra": 1 / 3, "ams": 1 / 3, "lhr": 1 / 3}),
        ([("fra", 90.0), ("ams", 10.0)], {"fra": 0.9, "ams": 0.1}),
        ([("fra", 97.0), ("canary", 3.0)], {"fra": 0.97, "canary": 0.03}),
        ([("fra", 1.0), ("none", 0.0)], {"fra": 1.0}),
    ],
)
def test_each_is_first_by_its_weight(weights: list[tuple[str, float]], shares: dict[str, float]):
    firsts = Counter(weighted_order(seed, weights)[0] for seed in SEEDS)
    assert firsts.keys() == shares.keys()
    for name, share in shares.items():
        assert firsts[name] / len(SEEDS) == pytest.approx(share, abs=0.05)


def test_names_without_weight_come_last_in_their_order():
    weights = [("a", 0.0), ("b", 1.0), ("c", 0.0)]
    assert weighted_order(SEEDS[0], weights) == ["b", "a", "c"]
    assert weighted_order(SEEDS[0], []) == []


def test_when_one_goes_only_its_clients_move():
    for seed in SEEDS:
        before, after = weighted_order(seed, EVEN), weighted_order(seed, EVEN[1:])
        assert after == [name for name in before if name != "fra"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.99, 1.0])
def test_exactly_the_share_of_a_places_clients_is_turned_away(share: float):
    for place in PLACES:
        away = sum(turned_away(Seed(place, slot, SLOTS), "fra", share) for slot in range(SLOTS))
        assert away == pytest.approx(share * SLOTS, abs=1)


def test_who_is_turned_away_stays_so_while_the_share_grows():
    for seed in SEEDS[:200]:
        history = [turned_away(seed, "fra", share / 20) for share in range(21)]
        assert history == sorted(history)


def test_two_pops_turn_different_clients_away():
    both = [seed for seed in SEEDS if turned_away(seed, "fra", 0.5) and turned_away(seed, "ams", 0.5)]
    assert len(both) == pytest.approx(len(SEEDS) / 4, rel=0.5)
