"""What a node says it has applied holds for every process of it that serves, at every moment."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from edge.server.acknowledged import Acknowledged
from edge.server.orders import Applied

OURS, LATER = "0" * 16, "1" * 16


def at(seq: int, history: str = OURS, *, proven_at: float | None = 1.0) -> Applied:
    return Applied(history, seq, caught_up=True, proven_at=proven_at)


def behind(seq: int) -> Applied:
    return Applied(OURS, seq, caught_up=False, proven_at=None)


@pytest.fixture
def node() -> Acknowledged:
    """Two workers and the supervisor, at 5."""
    node = Acknowledged()
    for index in range(2):
        node.started(index)
        node.reported(index, at(5))
    assert node.read(at(5))
    assert (node.history, node.seq) == (OURS, 5)
    return node


def test_nothing_holds_before_all_have_caught_up():
    node = Acknowledged()
    assert not node.started(0)
    assert not node.read(at(5))
    assert not node.reported(0, behind(5))
    assert (node.history, node.seq, node.all_caught_up(), node.proven_at) == ("", 0, False, None)
    assert node.reported(0, at(5, proven_at=0.5))
    assert (node.history, node.seq, node.all_caught_up(), node.proven_at) == (OURS, 5, True, 0.5)


def test_one_that_is_being_replaced_holds_what_is_said_but_nobody_waits_for_it(node: Acknowledged):
    node.ended(1)
    node.started(1)
    assert not node.has_caught_up(1)
    assert (node.all_caught_up(), node.all_caught_up(1), node.all_caught_up(0)) == (False, True, False)
    assert not node.read(at(9))
    assert not node.reported(0, at(9))
    assert node.seq == 5, "what was ordered since is not said to be done"
    assert node.reported(1, at(9))
    assert node.has_caught_up(1)
    assert node.seq == 9
    node.ended(1)
    assert not node.has_caught_up(1)


def test_the_slowest_says_how_far_the_node_is(node: Acknowledged):
    assert not node.reported(0, at(7))
    assert not node.read(at(9))
    assert node.reported(1, at(6))
    assert node.seq == 6
    assert node.reported(1, at(9))
    assert node.seq == 7


def test_what_the_supervisor_has_not_read_does_not_hold(node: Acknowledged):
    node.reported(0, at(7))
    assert not node.reported(1, at(7))
    assert node.read(at(7))
    assert node.seq == 7


def test_a_worker_that_is_gone_holds_nothing(node: Acknowledged):
    node.reported(0, at(7))
    node.read(at(7))
    assert node.ended(1)
    assert node.seq == 7


def test_a_worker_that_starts_holds_the_node_where_it_is_until_it_has_caught_up(node: Acknowledged):
    node.ended(1)
    node.started(1)
    node.reported(0, at(7))
    node.read(at(7))
    node.reported(1, behind(6))
    assert node.seq == 5
    assert not node.all_caught_up()
    assert node.reported(1, at(7))
    assert node.seq == 7


def test_it_never_goes_back(node: Acknowledged):
    node.ended(1)
    node.started(1)
    assert not node.reported(1, at(3))
    assert node.seq == 5


def test_what_a_worker_said_before_it_ended_is_too_late_afterwards(node: Acknowledged):
    node.ended(1)
    assert not node.reported(1, at(3))
    node.reported(0, at(7))
    node.read(at(7))
    assert node.seq == 7


def test_a_new_history_holds_when_all_are_in_it(node: Acknowledged):
    assert not node.read(at(2, LATER))
    assert not node.reported(0, at(2, LATER))
    assert (node.history, node.seq) == (OURS, 5)
    assert node.reported(1, at(3, LATER))
    assert (node.history, node.seq) == (LATER, 2)


@dataclass(slots=True)
class Process:
    """A worker as it really is."""

    seq: int = 0
    caught_up: bool = False
    unsent: list[Applied] = field(default_factory=list)

    def report(self) -> None:
        self.unsent.append(Applied(OURS, self.seq, caught_up=self.caught_up, proven_at=None))


class OneNode(RuleBasedStateMachine):
    """A log that grows, and processes that read it, start and die; reports are late."""

    workers = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.node = Acknowledged()
        self.head = 1
        self.own = Process()
        self.alive: dict[int, Process] = {}

    @rule()
    def order(self) -> None:
        self.head += 1

    @rule(seq=st.integers(0, 40))
    def supervisor_reads(self, seq: int) -> None:
        self.own.seq = max(self.own.seq, min(seq, self.head))
        self.node.read(Applied(OURS, self.own.seq, caught_up=True, proven_at=None))

    @rule(target=workers, index=st.integers(0, 2))
    def start(self, index: int) -> int:
        if index not in self.alive:
            self.node.started(index)
            self.alive[index] = Process()
        return index

    @rule(index=workers, seq=st.integers(0, 40))
    def read(self, index: int, seq: int) -> None:
        process = self.alive.get(index)
        if process is not None:
            process.seq = max(process.seq, min(seq, self.head))
            process.report()

    @rule(index=workers)
    def catch_up(self, index: int) -> None:
        """It asks for the end of the log, reads up to there, and only then trusts what it has."""
        process = self.alive.get(index)
        if process is not None:
            process.seq, process.caught_up = self.head, True
            process.report()

    @rule(index=workers)
    def deliver(self, index: int) -> None:
        process = self.alive.get(index)
        if process is not None and process.unsent:
            self.node.reported(index, process.unsent.pop(0))

    @rule(index=consumes(workers))
    def die(self, index: int) -> None:
        if self.alive.pop(index, None) is not None:
            self.node.ended(index)

    @invariant()
    def what_is_said_holds_for_all_that_trust_what_they_have(self) -> None:
        for process in (self.own, *self.alive.values()):
            assert process is not self.own or process.seq >= self.node.seq
            assert not process.caught_up or process.seq >= self.node.seq


OneNode.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOneNode = OneNode.TestCase
