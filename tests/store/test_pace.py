"""When the loop reads the disk itself: after quick reads, and not after a slow one."""

from __future__ import annotations

import itertools

from edge.metrics import Counter
from edge.store.pace import (
    HUNG_SECONDS,
    REST_MOST_SECONDS,
    REST_SECONDS,
    SLOW_SECONDS,
    TRUSTED_READS,
    Pace,
    blocks_read,
)
from tests.kit.clock import ManualClock


class Disk:
    """A scripted disk: each read takes as long as the test says, and asks a device or not."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.blocks = 0
        self.rests = Counter()
        self.pace = Pace(self.clock.mono, lambda: self.blocks, self.rests)

    def read(self, seconds: float = 0.0001, *, device: bool = True) -> bool:
        """Whether the loop read it."""
        began = self.pace.begin()
        if began is None:
            return False
        self.clock.advance(seconds)
        self.blocks += device
        self.pace.end(began)
        return True

    def rest(self) -> float:
        """How long it rests from now on, in steps of a tenth of the shortest rest."""
        step, waited = REST_SECONDS / 10, 0.0
        while self.pace.begin() is None:
            self.clock.advance(step)
            waited += step
        return waited


def test_quick_reads_go_on():
    disk = Disk()
    assert all(disk.read(SLOW_SECONDS * 0.9) for _ in range(100))
    assert disk.rests.value == 0


def test_one_slow_read_sends_the_next_to_the_threads_for_a_while():
    disk = Disk()
    assert disk.read(SLOW_SECONDS * 1.1)
    assert not disk.read()
    assert disk.rests.value == 1
    disk.clock.advance(REST_SECONDS)
    assert disk.read()


def test_a_process_that_waited_for_its_core_is_no_slow_disk():
    disk = Disk()
    assert disk.read(SLOW_SECONDS * 5, device=False)
    assert disk.read()
    assert disk.rests.value == 0


def test_what_hangs_is_slow_whatever_the_reason():
    disk = Disk()
    assert disk.read(HUNG_SECONDS * 1.1, device=False)
    assert not disk.read()


def test_a_disk_that_stays_slow_is_tried_less_and_less_often():
    disk, rests = Disk(), []
    for _ in range(12):
        disk.read(1.0)
        rests.append(disk.rest())
    assert rests[1] > 1.5 * rests[0]
    assert all(later >= earlier * 0.99 for earlier, later in itertools.pairwise(rests))
    assert abs(rests[-1] - REST_MOST_SECONDS) < 1.0


def test_a_disk_that_was_quick_for_long_is_forgiven():
    disk = Disk()
    for _ in range(6):
        disk.read(1.0)
        disk.rest()
    for _ in range(TRUSTED_READS):
        assert disk.read()
    disk.read(1.0)
    assert disk.rest() <= REST_SECONDS * 1.2


def test_the_systems_own_count_grows_only():
    before = blocks_read()
    assert 0 <= before <= blocks_read()
