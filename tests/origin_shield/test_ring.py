"""Keys are shared out by weight, a lost shield moves only its own, and the way up never ends too early."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.rules import ShieldFallback
from origin_shield.ring import Ring, RingNode, ToOrigin, ToShield, Upwards, bounded, ways

KEYS = tuple(blake2b(b"%d" % n, digest_size=16).digest() for n in range(3000))
names = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)
weights = st.integers(0, 200)
keys = st.binary(min_size=1, max_size=16)


@st.composite
def rings(draw: st.DrawFn) -> Ring:
    return Ring(RingNode(name, draw(weights)) for name in draw(names))


def named(order: tuple[RingNode, ...]) -> str:
    return "".join(node.name for node in order)


def test_the_order_is_the_same_every_time():
    """Whoever changes the hash moves the keys of every network that is up."""
    ring = Ring(RingNode(name) for name in "abc")
    assert [named(ring.order(key)) for key in (b"", b"key", b"k0")] == ["cab", "cab", "acb"]


@pytest.mark.parametrize(
    "said",
    [{"a": 100, "b": 100, "c": 100}, {"a": 300, "b": 100}, {"a": 100, "b": 1, "c": 0}],
    ids=["even", "three to one", "one without weight"],
)
def test_each_is_first_by_its_weight(said: dict[str, int]):
    ring = Ring(RingNode(*each) for each in said.items())
    firsts = Counter(ring.order(key)[0].name for key in KEYS)
    for name, weight in said.items():
        assert firsts[name] / len(KEYS) == pytest.approx(weight / sum(said.values()), abs=0.03)


@settings(max_examples=40)
@given(rings(), keys, st.data())
def test_a_lost_shield_moves_only_its_keys(ring: Ring, key: bytes, data: st.DataObject):
    gone = data.draw(st.sampled_from(ring.nodes))
    before = ring.order(key)
    after = Ring(node for node in ring.nodes if node != gone).order(key)
    assert after == tuple(node for node in before if node != gone)


@settings(max_examples=40)
@given(names, keys, st.randoms())
def test_it_does_not_matter_in_which_order_the_nodes_are_written(some: list[str], key: bytes, chance):
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert Ring(map(RingNode, some)).order(key) == Ring(map(RingNode, shuffled)).order(key)


def test_one_without_weight_is_asked_when_there_is_no_other():
    assert named(Ring((RingNode("a", 0), RingNode("b", 1))).order(b"k")) == "ba"
    assert named(Ring((RingNode("b", 0), RingNode("a", 0))).order(b"k")) == "ab"


def test_a_name_stands_once():
    with pytest.raises(AssertionError, match="twice"):
        Ring((RingNode("a"), RingNode("a", 3)))


ABC = tuple(RingNode(name) for name in "abc")


@pytest.mark.parametrize(
    "loads,order",
    [
        ({}, "abc"),
        ({"a": 1}, "bca"),  # two under way with this one: ceil(1.25 * 2 / 3) = 1 each
        ({"a": 1, "b": 1}, "abc"),  # three: ceil(1.25 * 3 / 3) = 2 each
        ({"a": 2, "b": 1}, "bca"),
        ({"a": 3, "b": 3}, "cab"),
        ({"a": 9, "b": 9, "c": 9}, "abc"),
        ({"a": 12, "b": 9, "c": 9}, "abc"),
        ({"a": 13, "b": 9, "c": 9}, "abc"),  # ceil(1.25 * 32 / 3) = 14
        ({"a": 14, "b": 9, "c": 9}, "bca"),
        ({"x": 500}, "abc"),
    ],
)
def test_a_shield_with_more_than_its_bound_passes_new_keys_on(loads: dict[str, int], order: str):
    assert named(bounded(ABC, loads, 1.25)) == order


@settings(max_examples=40)
@given(rings(), keys, st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50)), st.floats(1, 5))
def test_somebody_with_weight_is_always_below_the_bound(
    ring: Ring, key: bytes, loads: dict[str, int], factor: float
):
    order = ring.order(key)
    given_out = bounded(order, loads, factor)
    assert sorted(map(id, given_out)) == sorted(map(id, order))
    assert given_out[0].weight or not any(node.weight for node in order)


def test_a_heavier_one_takes_more():
    order = (RingNode("a", 300), RingNode("b", 100))
    assert named(bounded(order, {"a": 3, "b": 0}, 1.0)) == "ba"  # 4 under way: 3 and 1
    assert named(bounded(order, {"a": 2, "b": 1}, 1.0)) == "ab"


HERE, THERE = Ring(map(RingNode, "ab")), Ring(map(RingNode, "xy"))
KEY = b"k0"


def said(**more) -> str:
    """The names, "O" for the origin."""
    upwards = Upwards(HERE, (THERE,), more.pop("fallback", ShieldFallback.ORIGIN))
    return "".join(way.node.name if isinstance(way, ToShield) else "O" for way in ways(KEY, upwards, **more))


def test_the_order_below():
    assert (named(HERE.order(KEY)), named(THERE.order(KEY))) == ("ab", "yx")


@pytest.mark.parametrize(
    "fallback,gone,order",
    [
        (ShieldFallback.ORIGIN, "", "abyxO"),
        (ShieldFallback.ORIGIN, "a", "byxO"),
        (ShieldFallback.ORIGIN, "abxy", "O"),
        (ShieldFallback.SHIELDS, "", "abyx"),
        (ShieldFallback.SHIELDS, "ay", "bxay"),
        (ShieldFallback.SHIELDS, "abxy", "abyx"),
        (ShieldFallback.STALE, "", "ab"),
        (ShieldFallback.STALE, "a", "ba"),
        (ShieldFallback.STALE, "ab", "ab"),
    ],
)
def test_who_is_asked_in_which_order(fallback: ShieldFallback, gone: str, order: str):
    assert said(fallback=fallback, gone=set(gone)) == order


def test_the_load_moves_a_key_within_its_region_only():
    assert said(loads={"a": 5, "y": 9}) == "baxyO"


def test_where_there_is_nobody_there_is_no_way():
    assert ways(KEY, Upwards(Ring(()), fallback=ShieldFallback.SHIELDS)) == ()
    assert ways(KEY, Upwards(Ring(()))) == (ToOrigin(),)
