"""A roll replaces one worker after the other, or ends and says why; one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from edge.clock import SystemClock
from edge.errors import EdgeError
from edge.measures import Measures
from edge.server.keeper import Keeper, Seen
from edge.server.rolling import Ground, Roll, Roller
from edge.server.steering import Steering
from edge.tasks import TaskOwner
from tests.kit.buses import counted
from tests.kit.waiting import until


class Kept:
    """A worker's place, as far as a roll goes: what becomes of its successor is the test's to say."""

    def __init__(self, index: int, done: list[str]) -> None:
        self.index = index
        self.pid = 100 + index
        self.served = True
        self.fails: str | None = None
        self.why: str | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.mended = asyncio.Event()
        self._done = done

    def seen(self) -> Seen:
        return Seen(self.index, self.pid, 1.0, 0, served=self.served)

    async def replace(self, seconds: float, farewell: Callable[[], Awaitable[None]]) -> str | None:
        self.why = self.fails
        self._done.append(f"retire {self.index} in {seconds:g}")
        await self.gate.wait()
        await farewell()
        self.pid += 100
        return self.why

    async def next_serves(self) -> bool:
        if self.why is not None:
            await self.mended.wait()
        return self.served


class Steered:
    """Where connections go."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def away(self, worker: int) -> bool:
        self._done.append(f"away from {worker}")
        return True

    def back(self) -> None:
        self._done.append("back")


class Node:
    """Two places and what a roll asks of their node."""

    def __init__(self, tasks: TaskOwner) -> None:
        self.done: list[str] = []
        self.places = [Kept(index, self.done) for index in range(2)]
        self.fault: str | None = None
        self.rehearsal: str | None = None
        self.behind: set[int] = set()
        self.replaced: list[int | None] = []
        self.measures = Measures()
        ground = Ground(
            keepers=cast("list[Keeper]", self.places),
            steering=cast("Steering", Steered(self.done)),
            drain=lambda: 7.0,
            prepare=self._prepare,
            rehearse=self._rehearse,
            undo=self._undo,
            commit=lambda: self.done.append("commit"),
            has_caught_up=lambda index: index not in self.behind,
            farewell=self._farewell,
            changed=lambda: self.replaced.append(self.roller.replaced),
            clock=SystemClock(),
            measures=self.measures,
        )
        self.roller = Roller(ground, tasks)

    async def _prepare(self) -> None:
        if self.fault is not None:
            raise EdgeError(self.fault)
        self.done.append("prepare")

    async def _rehearse(self) -> str | None:
        return self.rehearsal

    async def _undo(self) -> None:
        self.done.append("undo")

    async def _farewell(self, index: int) -> None:
        self.done.append(f"farewell {index}")

    async def roll(self) -> list[dict[str, Any]]:
        """A whole one, without what differs from run to run."""
        roll, _ = self.roller.request()
        async with asyncio.timeout(5):
            return [{k: v for k, v in said.items() if k != "seconds"} async for said in roll.follow()]

    async def until(self, last: str) -> None:
        """Until that is the last thing that was done."""

        async def is_last() -> bool:
            return self.done[-1:] == [last]

        await until(is_last, every=0.0)

    def rolls(self) -> dict[str, float]:
        return {labels[-1]: value for labels, value in counted(self.measures, "perigee_rolls_total").items()}


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with TaskOwner("test") as tasks:
        yield Node(tasks)


async def test_one_is_replaced_after_the_other(node: Node):
    assert await node.roll() == [
        {"event": "begun", "workers": 2},
        {"event": "leaving", "worker": 0, "pid": 100, "steered": True},
        {"event": "serving", "worker": 0, "pid": 200},
        {"event": "leaving", "worker": 1, "pid": 101, "steered": True},
        {"event": "serving", "worker": 1, "pid": 201},
        {"event": "done", "workers": 2},
    ]
    assert node.done[:6] == ["prepare", "away from 0", "retire 0 in 7", "farewell 0", "back", "away from 1"]
    assert node.done[6:] == ["retire 1 in 7", "farewell 1", "back", "back", "commit"]
    assert node.replaced == [0, None, 1, None, None]
    assert node.rolls() == {"done": 1}
    described = node.roller.described()
    assert described is not None
    assert (described["under_way"], described["event"]) == (False, "done")


async def test_who_asks_while_one_is_under_way_is_told_of_that(node: Node):
    node.places[0].gate.clear()
    first, is_joined = node.roller.request()
    again, is_joined_again = node.roller.request()
    assert (again is first, is_joined, is_joined_again) == (True, False, True)
    node.places[0].gate.set()
    assert [said["event"] async for said in again.follow()][-1] == "done"
    other, is_joined = node.roller.request()
    assert (other is first, is_joined) == (False, False)


async def test_a_successor_counts_once_it_has_read_the_purge_log(node: Node):
    node.behind = {0}
    roll, _ = node.roller.request()
    await node.until("farewell 0")
    for _ in range(20):
        node.roller.moved()
        await asyncio.sleep(0)
    assert [said["event"] for said in roll.said] == ["begun", "leaving"]
    assert node.roller.replaced == 0
    node.behind = set()
    node.roller.moved()
    assert [said["event"] async for said in roll.follow()][-1] == "done"


def unread(node: Node) -> None:
    node.fault = "edge.toml:3: wrong"


def unfit(node: Node) -> None:
    node.rehearsal = "no module named x"


def absent(node: Node) -> None:
    node.places[1].served = False


@pytest.mark.parametrize(
    ("broken", "why", "done"),
    [
        (unread, "edge.toml:3: wrong", ["back"]),
        (unfit, "no module named x", ["prepare", "undo", "back"]),
        (absent, "worker 1 does not serve yet", ["back"]),
    ],
)
async def test_what_would_not_end_well_is_not_begun(
    node: Node, broken: Callable[[Node], None], why: str, done: list[str]
):
    broken(node)
    *_, last = await node.roll()
    assert last["event"] == "failed"
    assert why in last["why"]
    await asyncio.sleep(0)
    assert (node.done, node.rolls()) == (done, {"refused": 1})


async def test_a_successor_that_does_not_come_ends_it_and_the_others_stay(node: Node):
    node.places[0].fails = "it ended with 1"
    events = await node.roll()
    assert [said["event"] for said in events] == ["begun", "leaving", "failed"]
    assert "the successor of worker 0 does not serve: it ended with 1" in events[-1]["why"]
    again, is_joined = node.roller.request()
    assert (is_joined, again.said[-1]) == (True, events[-1]), "it is being mended"
    node.places[0].mended.set()
    await node.until("back")
    assert node.done[-2:] == ["undo", "back"], "spared until it serves with the old settings"
    assert (node.rolls(), node.places[1].pid) == ({"failed": 1}, 101)
    node.places[0].fails = node.places[0].why = None
    assert (await node.roll())[-1]["event"] == "done"


async def test_a_node_that_stops_replaces_nobody_any_more(node: Node):
    node.places[0].gate.clear()
    roll, _ = node.roller.request()
    await node.until("retire 0 in 7")
    node.roller.stop()
    assert [said async for said in roll.follow()][-1] == {"event": "failed", "why": "the node is stopping"}
    assert node.done[-1] == "back"
    assert (await node.roll())[-1] == {"event": "failed", "why": "the node is stopping"}
    assert node.rolls() == {"stopped": 2}


async def test_one_that_is_alone_is_missed_while_it_is_replaced(node: Node):
    node.places.pop()
    assert (await node.roll())[-1]["event"] == "done"
    assert set(node.replaced) == {None}


async def test_who_follows_late_hears_all_of_it():
    roll = Roll()
    roll.say({"event": "begun"})
    late = asyncio.create_task(_all(roll))
    roll.say({"event": "done"})
    assert await late == await _all(roll) == ["begun", "done"]
    assert roll.is_over


async def _all(roll: Roll) -> list[object]:
    return [said["event"] async for said in roll.follow()]
