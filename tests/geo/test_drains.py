"""Drains: the latest command counts, wherever it was given, and whatever order it is heard in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.drains import MAX_AHEAD, TICK, Drain, Drains, heard_of, said_of

POPS = ("fra", "iad", "sin")


def test_a_pop_is_drained_until_that_is_taken_back():
    drains = Drains(POPS)
    drains.order("fra", True, "dns-1", 100.0)
    assert drains.drained == {"fra"}
    drains.order("fra", False, "dns-1", 200.0)
    assert drains.drained == frozenset()
    assert drains.latest["fra"] == Drain(200.0, False, "dns-1")


def test_there_is_nothing_to_drain_that_the_network_does_not_have():
    drains = Drains(POPS)
    with pytest.raises(KeyError):
        drains.order("lhr", True, "dns-1", 100.0)
    assert not drains.merge({"lhr": Drain(100.0, True, "dns-2")}, 100.0)
    drains.order("fra", True, "dns-1", 100.0)
    drains.know(("iad",))
    assert drains.drained == frozenset()


def test_who_knows_a_command_gives_a_later_one_whatever_his_clock_says():
    drains = Drains(POPS)
    drains.merge({"fra": Drain(500.0, True, "dns-2")}, 100.0)
    assert drains.order("fra", False, "dns-1", 100.0) == Drain(500.0 + TICK, False, "dns-1")


def test_a_command_from_far_in_the_future_is_not_believed():
    drains = Drains(POPS)
    assert not drains.merge({"fra": Drain(100.1 + MAX_AHEAD, True, "dns-2")}, 100.0)
    assert drains.merge({"fra": Drain(100.0 + MAX_AHEAD, True, "dns-2")}, 100.0)


def test_what_is_known_already_changes_nothing():
    drains = Drains(POPS)
    said = {"fra": Drain(100.0, True, "dns-2")}
    assert drains.merge(said, 100.0)
    assert not drains.merge(said, 100.0)


COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(POPS),
        st.builds(
            Drain,
            st.integers(0, 5).map(float),
            st.booleans(),
            st.sampled_from(("dns-1", "dns-2")),
        ),
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(COMMANDS, st.randoms(use_true_random=False))
def test_all_come_to_know_the_same_in_whatever_order_they_hear_it(commands, chance):
    one, other = Drains(POPS), Drains(POPS)
    for pop, drain in commands:
        one.merge({pop: drain}, 10.0)
    chance.shuffle(commands)
    for pop, drain in commands:
        other.merge(heard_of(json.loads(json.dumps(said_of({pop: drain}))), 1), 10.0)
    assert one.latest == other.latest


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {"fra": None},
        {"fra": [True, 1.0]},
        {"fra": [1, 1.0, "dns-1"]},
        {"fra": [True, "1", "dns-1"]},
        {"fra": [True, True, "dns-1"]},
        {"fra": [True, float("nan"), "dns-1"]},
        {"fra": [True, -1.0, "dns-1"]},
        {"fra": [True, 1.0, ""]},
        {"fra": [True, 1.0, "a" * 65]},
        {"fra": [True, 1.0, "a\nb"]},
        {"": [True, 1.0, "dns-1"]},
        {"fra": [True, 1.0, "dns-1"], "iad": [True, 1.0, "dns-1"]},
    ],
)
def test_what_is_no_table_of_drains_is_refused(said):
    with pytest.raises(ValueError):
        heard_of(said, 1)
