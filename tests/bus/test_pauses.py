"""How long one waits before the next try."""

import pytest

from edge.bus.pauses import FORGIVEN_SECONDS, Pauses


def test_each_pause_is_twice_the_last_up_to_the_longest():
    pauses = Pauses(0.1, 0.5)
    assert [pauses.next(0.0) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]


@pytest.mark.parametrize("chance,factor", [(0.0, 1.0), (0.5, 1.25), (1.0, 1.5)])
def test_chance_adds_up_to_half(chance: float, factor: float):
    assert Pauses(2.0, 2.0).next(chance) == 2.0 * factor


def test_what_lived_for_a_while_is_forgiven():
    pauses = Pauses(0.1, 10.0)
    for _ in range(4):
        pauses.next(0.0)
    assert pauses.next(0.0, lived=FORGIVEN_SECONDS - 1) == 1.6
    assert pauses.next(0.0, lived=FORGIVEN_SECONDS) == 0.1
    assert pauses.next(0.0) == 0.2
