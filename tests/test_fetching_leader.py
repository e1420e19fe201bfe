"""Who caused a fill may leave: the fill goes on, in whose task it ever runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge.exchange import Presence, Reply
from tests.kit.node_bench import NodeBench, exchange, node_bench
from tests.kit.scripted_upstream import Coming, Said, fresh
from tests.test_fetching import PRIVATE


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    async with node_bench(tmp_path) as bench:
        yield bench


@dataclass
class Leader:
    """Who asks first, and may leave: as a connection of ours tells it, or by cancelling what handles the request."""

    bench: NodeBench
    has_presence: bool

    def asks(self) -> asyncio.Task[Reply]:
        presence = Presence() if self.has_presence else None
        self.asked = replace(exchange(b"GET", b"/a"), presence=presence)
        self.task = asyncio.ensure_future(self.bench.reply(self.asked))
        return self.task

    def leaves(self) -> None:
        presence = self.asked.presence
        if presence is None or not presence.go():
            self.task.cancel()


@pytest.fixture(params=[False, True], ids=["cancelled", "said to be gone"])
def leader(bench: NodeBench, request: pytest.FixtureRequest) -> Leader:
    return Leader(bench, request.param)


async def test_the_leaders_client_may_leave_and_the_fill_goes_on(bench: NodeBench, leader: Leader):
    gate = bench.origin.hold()
    leading = leader.asks()
    await gate.wait_waiting(1)
    follower = asyncio.ensure_future(bench.get())
    await asyncio.sleep(0)
    leader.leaves()
    gate.release()
    with pytest.raises(asyncio.CancelledError):
        await leading
    assert (await follower).body == b"body"
    assert len(bench.origin.requests) == 1
    assert len(bench.held()) == 1


async def test_a_body_that_is_still_coming_in_comes_in_without_the_leader(bench: NodeBench, leader: Leader):
    coming = Coming()
    bench.origin.says(fresh(coming, length=6))
    gate = bench.origin.hold()
    leading = leader.asks()
    await gate.wait_waiting(1)
    leader.leaves()
    gate.release()
    with pytest.raises(asyncio.CancelledError):
        await leading
    coming.feed(b"abc")
    coming.feed(b"def")
    await bench.settled()
    assert bench.counted("perigee_fills_total") == {"complete": 1.0}
    assert (await bench.get()).body == b"abcdef"
    assert len(bench.origin.requests) == 1


async def test_who_leaves_before_anything_was_asked_for_ends_it(bench: NodeBench, leader: Leader):
    leading = leader.asks()
    leader.leaves()
    with pytest.raises(asyncio.CancelledError):
        await leading
    assert not bench.origin.requests


async def test_a_worker_that_ends_takes_a_fill_with_it_that_its_leader_runs(bench: NodeBench):
    """Cancelled though its client is still there; who follows hears of it and asks for himself."""
    gate = bench.origin.hold()
    leader = asyncio.ensure_future(bench.get())
    await gate.wait_waiting(1)
    follower = asyncio.ensure_future(bench.get())
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    gate.release()
    assert (await follower).body == b"body"
    assert len(bench.origin.requests) == 2
    assert bench.counted("perigee_fills_total") == {"abandoned": 1.0, "complete": 1.0}


async def test_an_answer_for_a_leader_who_left_is_dropped(bench: NodeBench, leader: Leader):
    coming = Coming()
    bench.origin.says(Said(200, ((b"Cache-Control", b"private"),), coming, length=5))
    gate = bench.origin.hold()
    leading = leader.asks()
    await gate.wait_waiting(1)
    leader.leaves()
    gate.release()
    with pytest.raises(asyncio.CancelledError):
        await leading
    await bench.settled()
    assert coming.is_dropped


@pytest.mark.parametrize("stored", [False, True], ids=["nothing stored", "a fallback stored"])
async def test_when_the_leader_of_a_private_answer_has_left_the_followers_ask_for_themselves(
    bench: NodeBench, leader: Leader, stored: bool
):
    if stored:
        await bench.stored(seconds=10)
        bench.clock.advance(11)
    bench.origin.says(PRIVATE)
    gate = bench.origin.hold()
    leader.asks()
    await gate.wait_waiting(1)
    followers = [asyncio.ensure_future(bench.get()) for _ in range(2)]
    await asyncio.sleep(0)
    leader.leaves()
    gate.release()
    for answer in await asyncio.gather(*followers):
        assert (answer.status, answer.body) == (200, b"mine")
    assert len(bench.origin.requests) == 3
