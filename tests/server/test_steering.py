"""The kernel sends new connections past one worker, and to all again, whatever became of the group meanwhile."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import closing

import pytest

from edge.server import sockets
from edge.server.steering import Places, Steering, program
from edge.settings.node import ListenAddress

HERE = ListenAddress("127.0.0.1", 0)
MANY = 120
"""Connections at a time: that one of three members gets none of them by chance has a probability of 1e-21."""
pytestmark = pytest.mark.skipif(not sockets.SPREADS, reason="sockets are shared here")


def run(code: bytes, random: int) -> int:
    """What the kernel would make of a program: the few instructions that ours have."""
    steps = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    held = at = 0
    while True:
        operation, yes, no, value = steps[at]
        at += 1
        match operation:
            case 0x20:
                held = random
            case 0x94:
                held %= value
            case 0x35:
                at += yes if held >= value else no
            case 0x04:
                held += value
            case 0x16:
                return held
            case other:
                raise AssertionError(f"no instruction: {other:#x}")


@pytest.mark.parametrize(
    ("size", "spared", "chosen"),
    [
        (2, 0, [1, 1, 1, 1]),
        (2, 1, [0, 0, 0, 0]),
        (3, 0, [1, 2, 1, 2]),
        (3, 1, [0, 2, 0, 2]),
        (3, 2, [0, 1, 0, 1]),
        (4, 1, [0, 2, 3, 0]),
        (3, None, [0, 1, 2, 0]),
    ],
)
def test_a_program_chooses_among_all_but_one(size: int, spared: int | None, chosen: list[int]):
    assert [run(program(size, spared), random) for random in range(4)] == chosen


@pytest.mark.parametrize(("size", "spared"), [(1, 0), (3, 3), (3, -1)])
def test_somebody_has_to_be_left(size: int, spared: int):
    with pytest.raises(AssertionError, match="nobody"):
        program(size, spared)


@pytest.mark.parametrize(
    ("steps", "order"),
    [
        ([], [0, 1, 2, 3]),
        ([("left", 1)], [0, 3, 2]),
        ([("left", 3)], [0, 1, 2]),
        ([("left", 0), ("joined", 0)], [3, 1, 2, 0]),
        ([("left", 0), ("left", 2), ("joined", 0), ("joined", 2)], [3, 1, 0, 2]),
        ([("left", 1), ("left", 1)], [0, 3, 2]),
    ],
)
def test_places_are_followed_as_the_kernel_gives_them(steps: list[tuple[str, int]], order: list[int]):
    places = Places(4)
    for name, worker in steps:
        getattr(places, name)(worker)
    assert places.of == order


class Group:
    """Two addresses of three workers, and who accepts there."""

    def __init__(self, held: list[list[socket.socket]]) -> None:
        self.held = held
        self.steering = Steering(len(held), len(held[0]))
        self.where = [sock.getsockname() for sock in held[0]]
        for worker, each in enumerate(held):
            for sock in each:
                sock.setblocking(False)
            self.steering.holds(worker, each)

    def leave(self, worker: int) -> None:
        sockets.close(self.held[worker])
        self.held[worker].clear()
        self.steering.left(worker)

    def join(self, worker: int) -> None:
        for group, where in enumerate(self.where):
            self.held[worker].append(sockets.join(socket.AF_INET, where))
            self.held[worker][-1].setblocking(False)
            self.steering.joined(worker, group)

    def accepted(self, group: int) -> list[int]:
        """How many of MANY connections each worker was given at one address."""
        clients = [socket.create_connection(self.where[group]) for _ in range(MANY)]
        counts = [_taken(each[group : group + 1]) for each in self.held]
        for client in clients:
            client.close()
        assert sum(counts) == MANY
        return counts

    def idle(self, group: int = 0) -> list[int]:
        """Workers that were given none."""
        return [worker for worker, count in enumerate(self.accepted(group)) if not count]


def _taken(held: Sequence[socket.socket]) -> int:
    count = 0
    for sock in held:
        while True:
            try:
                sock.accept()[0].close()
            except BlockingIOError:
                break
            count += 1
    return count


@pytest.fixture
async def group() -> AsyncIterator[Group]:
    first, second = await sockets.bind(HERE, 3), await sockets.bind(HERE, 3)
    made = Group([[*one, *other] for one, other in zip(first, second, strict=True)])
    yield made
    for held in made.held:
        sockets.close(held)


@pytest.mark.parametrize("worker", range(3))
async def test_nobody_new_comes_to_one_that_is_spared_and_everybody_gets_some_again_afterwards(
    group: Group, worker: int
):
    assert group.idle() == []
    assert group.steering.away(worker)
    assert (group.idle(0), group.idle(1)) == ([worker], [worker])
    group.steering.back()
    assert (group.idle(0), group.idle(1)) == ([], [])


async def test_who_waits_to_be_accepted_stays_where_he_is(group: Group):
    with closing(group.held[0][0].dup()) as other_end:
        clients = [socket.create_connection(group.where[0]) for _ in range(MANY)]
        assert group.steering.away(0)
        assert group.steering.away(0), "once more does no harm"
        assert _taken([other_end])
        for client in clients:
            client.close()


async def test_the_right_one_is_spared_whoever_leaves_and_comes_back(group: Group):
    group.leave(0)
    assert group.steering.away(2)
    assert (group.idle(0), group.idle(1)) == ([0, 2], [0, 2])
    group.join(0)
    assert (group.idle(0), group.idle(1)) == ([2], [2])
    group.leave(2)
    assert (group.idle(0), group.idle(1)) == ([2], [2])
    group.leave(0)
    assert (group.idle(0), group.idle(1)) == ([0, 2], [0, 2])
    group.join(2)
    group.join(0)
    assert (group.idle(0), group.idle(1)) == ([2], [2]), "also when it comes back itself"
    for worker in range(3):
        assert group.steering.away(worker)
        assert (group.idle(0), group.idle(1)) == ([worker], [worker])
    group.steering.back()
    assert (group.idle(0), group.idle(1)) == ([], [])


async def test_one_that_is_alone_or_gone_cannot_be_spared(group: Group):
    group.leave(1)
    assert not group.steering.away(1)
    group.leave(2)
    assert not group.steering.away(0)
    group.leave(0)
    assert not group.steering.away(0)
    group.steering.back()


async def test_sockets_that_are_in_no_group_are_not_steered(caplog: pytest.LogCaptureFixture):
    alone = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    steering = Steering(2, 1)
    for worker, sock in enumerate(alone):
        steering.holds(worker, [sock])
    assert not steering.away(0)
    assert "cannot be steered" in caplog.text
    sockets.close(alone)
