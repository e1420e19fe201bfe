"""The wall clock may be set to anything; `now` takes no notice at once, and forgets nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import MAX_SLEW, Clock, SystemClock
from tests.kit.clock import ManualClock


class Machine:
    """A machine whose two clocks are set by hand."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.mono = 50.0

    def clock(self, *, not_before: float = 0.0) -> SystemClock:
        return SystemClock(not_before=not_before, wall=lambda: self.wall, mono=lambda: self.mono)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


def test_now_starts_at_the_wall_clock_and_advances_with_the_monotonic_one():
    machine = Machine()
    clock = machine.clock()
    machine.passes(12.5)
    assert clock.now() == 1_000_012.5
    assert clock.mono() == 62.5


@pytest.mark.parametrize("step", [-86_400.0, -3_600.0, 3_600.0, 86_400.0])
def test_a_step_of_the_wall_clock_neither_resurrects_nor_expires(step: float):
    machine = Machine()
    clock = machine.clock()
    machine.wall += step
    assert clock.discipline() == step
    assert clock.is_suspect
    before = clock.now()
    machine.passes(100.0)
    assert 100.0 * (1 - MAX_SLEW) - 1e-6 <= clock.now() - before <= 100.0 * (1 + MAX_SLEW) + 1e-6


@pytest.mark.parametrize("step", [-30.0, 30.0])
def test_after_a_step_now_comes_back_to_the_wall_clock_slowly(step: float):
    machine = Machine()
    clock = machine.clock()
    machine.wall += step
    for _ in range(1200):
        clock.discipline()
        machine.passes(1.0)
    assert abs(clock.offset()) < 0.01
    assert not clock.is_suspect
    assert clock.steps == 1


def test_a_slewed_wall_clock_is_followed_and_is_no_step():
    machine = Machine()
    clock = machine.clock()
    for _ in range(1000):
        machine.passes(1.0)
        machine.wall += 0.0005
        assert clock.discipline() is None
    assert abs(clock.offset()) < 0.05


def test_back_and_forth_counts_as_two_steps():
    machine = Machine()
    clock = machine.clock()
    for step in (30.0, -30.0):
        machine.wall += step
        assert clock.discipline() == step
        machine.passes(1.0)
    assert clock.steps == 2


def test_now_starts_no_earlier_than_what_the_store_wrote_last():
    machine = Machine()
    clock = machine.clock(not_before=1_000_500.0)
    assert clock.now() == 1_000_500.0
    machine.passes(10.0)
    assert clock.now() == 1_000_510.0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(-1e5, 1e5), st.booleans()), max_size=40))
def test_now_never_goes_backwards(moves: list[tuple[float, float, bool]]):
    machine = Machine()
    clock = machine.clock()
    last = clock.now()
    for passed, step, looks in moves:
        machine.passes(passed)
        machine.wall += step
        if looks:
            clock.discipline()
        assert clock.now() >= last
        last = clock.now()


def test_both_clocks_are_clocks():
    clocks: list[Clock] = [SystemClock(), ManualClock()]
    assert all(clock.now() > 1_700_000_000 for clock in clocks)


def test_the_manual_clock_stands_still_until_it_is_advanced():
    clock = ManualClock(now=5.0)
    assert clock.now() == 5.0
    clock.advance(2.0)
    assert clock.now() == 7.0
    assert clock.mono() == 1_002.0
