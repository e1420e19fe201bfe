"""Clients are shared out by weight, the same way every time, and few move when something changes."""

from __future__ import annotations

from collections import Counter

import pytest

from edge.geo.shares import Weights, turned_away, weighted_order
from edge.geo.whereabouts import SLOTS

EVEN = (("fra", 1.0), ("ams", 1.0), ("lhr", 1.0))


def test_the_order_is_the_same_every_time():
    """Whoever changes the hash moves everybody's clients."""
    assert weighted_order(7, EVEN) == ("lhr", "fra", "ams")
    assert [name for name, _ in EVEN if turned_away(7, name, 0.5)] == ["ams", "lhr"]


@pytest.mark.parametrize(
    "weights, shares",
    [
        (EVEN, {"fra": 1 / 3, "ams": 1 / 3, "lhr": 1 / 3}),
        ((("fra", 90.0), ("ams", 10.0)), {"fra": 0.9, "ams": 0.1}),
        ((("fra", 97.0), ("canary", 3.0)), {"fra": 0.97, "canary": 0.03}),
        ((("fra", 1.0), ("none", 0.0)), {"fra": 1.0}),
    ],
)
def test_each_is_first_by_its_weight(weights: Weights, shares: dict[str, float]):
    firsts = Counter(weighted_order(slot, weights)[0] for slot in range(SLOTS))
    assert firsts.keys() == shares.keys()
    for name, share in shares.items():
        assert firsts[name] / SLOTS == pytest.approx(share, abs=1 / SLOTS)


def test_names_without_weight_come_last_in_their_order():
    assert weighted_order(0, (("a", 0.0), ("b", 1.0), ("c", 0.0))) == ("b", "a", "c")
    assert weighted_order(0, (("a", 0.0), ("c", 0.0))) == ("a", "c")
    assert weighted_order(0, ()) == ()


@pytest.mark.parametrize("count", [3, 5, 10])
def test_when_one_goes_its_clients_move_and_hardly_any_other(count: int):
    weights = tuple((f"pop-{n}", 1.0) for n in range(count))
    for gone, _ in weights[:3]:
        left = tuple(pair for pair in weights if pair[0] != gone)
        moved = [
            before
            for slot in range(SLOTS)
            if (before := weighted_order(slot, weights)[0]) != weighted_order(slot, left)[0]
        ]
        assert len([name for name in moved if name != gone]) <= 0.06 * SLOTS


def test_when_a_weight_grows_only_as_many_move_as_have_to():
    few, more = (tuple({"fra": 100 - share, "canary": share}.items()) for share in (3.0, 10.0))
    first = [(weighted_order(slot, few)[0], weighted_order(slot, more)[0]) for slot in range(SLOTS)]
    assert {pair for pair in first if pair[0] != pair[1]} == {("fra", "canary")}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.99, 1.0])
def test_exactly_the_share_of_clients_is_turned_away(share: float):
    away = sum(turned_away(slot, "fra", share) for slot in range(SLOTS))
    assert away == pytest.approx(share * SLOTS, abs=1)


def test_who_is_turned_away_stays_so_while_the_share_grows():
    for slot in range(SLOTS):
        history = [turned_away(slot, "fra", share / 20) for share in range(21)]
        assert history == sorted(history)


def test_two_pops_turn_different_clients_away():
    both = [slot for slot in range(SLOTS) if turned_away(slot, "fra", 0.5) and turned_away(slot, "ams", 0.5)]
    assert len(both) == pytest.approx(SLOTS / 4, rel=0.5)
