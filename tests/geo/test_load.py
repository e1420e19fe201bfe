"""Clients are passed on before a POP is full, and come back without swinging."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geo.load import MOST, Shedding, load_of, shed
from edge.settings.network import LoadSettings

LOADS = LoadSettings()


@pytest.mark.parametrize(
    "name, share, load, seconds, expected",
    [
        ("nobody knows", 0.4, None, 6, 0.4),
        ("room", 0.0, 0.5, 6, 0.0),
        ("between", 0.4, 0.75, 6, 0.4),
        ("at the start", 0.0, 0.8, 6, 0.0),
        ("above it", 0.0, 0.81, 3, 0.05),
        ("above it, as much as brings it down", 0.0, 0.81, 60, 1 - 0.75 / 0.81),
        ("full", 0.0, 1.0, 6, 0.1),
        ("all passed on, and still full", MOST, 1.0, 6, MOST),
        ("idle", 0.5, 0.0, 6, 0.4),
        ("below the stop", 0.5, 0.3, 6, 0.4),
        ("below the stop, as much as fills it", 0.5, 0.69, 60, 1 - 0.75 / (0.69 / 0.5)),
        ("idle, nothing passed on", 0.0, 0.0, 6, 0.0),
    ],
)
def test_the_share_moves_towards_what_is_needed(
    name: str, share: float, load: float | None, seconds: float, expected: float
):
    assert shed(Shedding(share, share), load, seconds, LOADS).share == pytest.approx(expected)


def test_what_is_decided_is_felt_slowly():
    moved = shed(Shedding(0.5, 0.0), 0.75, 6.0, LOADS)
    assert moved.share == 0.5
    assert moved.felt == pytest.approx(0.05)
    assert shed(Shedding(0.5, 0.0), 0.75, 600.0, LOADS).felt == 0.5


@given(st.sampled_from([0.85, 1.0, 1.5, 3.0, 5.0]), st.sampled_from([5, 30]), st.sampled_from([1, 2]))
@settings(max_examples=20)
def test_it_comes_to_rest_where_the_load_is_neither_too_high_nor_too_low(demand: float, ttl: int, ramps: int):
    """Answers run out evenly over their TTL."""
    history, now = [0.0] * ttl, Shedding()
    loads: list[float] = []
    for _ in range(16 * ttl * ramps):
        loads.append(demand * (1 - sum(history[-ttl:]) / ttl))
        now = shed(now, loads[-1], 1.0, LoadSettings(ramp=float(ttl * ramps)))
        history.append(now.share)
    assert max(loads[-ttl:]) <= 0.81
    assert min(loads[-ttl:]) >= 0.7
    assert min(loads) >= 0.65  # and nobody was sent away for nothing


@pytest.mark.parametrize(
    "said, load", [([], None), ([(0, 0.9)], None), ([(1, 0.5), (3, 0.9)], 0.8), ([(1, 0.5), (0, 9.0)], 0.5)]
)
def test_the_load_of_a_pop_is_that_of_its_nodes_by_weight(
    said: list[tuple[float, float]], load: float | None
):
    assert load_of(said) == (None if load is None else pytest.approx(load))
