"""Waiting for a place: in order, for so long and no longer, and no place is lost whoever is cancelled and when."""

from __future__ import annotations

import asyncio

import pytest

from edge.fill.upstream import HeldBack
from edge.semantics.reasons import Because
from origin_shield.budget import Budget, Priority
from origin_shield.gate import Gate, Place
from tests.kit.clock import ManualClock

CLIENT, BACKGROUND = Priority.CLIENT, Priority.BACKGROUND
LONG = 30.0


def gate(cap: int, queue: int = 10) -> Gate:
    return Gate("origin:80", Budget(cap, queue, {"a": 1}), ManualClock().mono)


def enters(gate: Gate, priority: Priority = CLIENT, patience: float = LONG) -> asyncio.Task[Place]:
    return asyncio.ensure_future(gate.enter("a", priority, patience))


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def counts(gate: Gate) -> tuple[int, int]:
    return gate.budget.held, gate.budget.waiting


async def test_who_finds_a_place_does_not_wait_and_who_waits_comes_in_order():
    on = gate(1)
    first = await on.enter("a", CLIENT, LONG)
    assert not on.has_room("a")
    refresh, second, third = enters(on, BACKGROUND), enters(on), enters(on)
    await turn()
    for waiting in (second, third, refresh):
        assert not waiting.done()
        first.leave()
        await turn()
        first = waiting.result()
    first.leave()
    assert counts(on) == (0, 0)


async def test_leaving_twice_is_leaving_once():
    on = gate(2)
    place, _ = await on.enter("a", CLIENT, LONG), await on.enter("a", CLIENT, LONG)
    place.leave()
    place.leave()
    assert counts(on) == (1, 0)


async def test_who_waits_for_too_long_is_refused_and_told_when_to_come_again():
    on = gate(1)
    place = await on.enter("a", CLIENT, LONG)
    with pytest.raises(HeldBack) as refused:
        await on.enter("a", CLIENT, 0.01)
    said = refused.value
    assert (said.because, said.status, said.retry_after) == (Because.ORIGIN_QUEUE_OVERDUE, 503, 1)
    assert counts(on) == (1, 0)
    place.leave()
    assert counts(on) == (0, 0)


@pytest.mark.parametrize("queue", [0, 1])
async def test_who_finds_the_queue_full_is_refused_at_once(queue: int):
    on = gate(1, queue)
    await on.enter("a", CLIENT, LONG)
    waiting = [enters(on) for _ in range(queue)]
    await turn()
    with pytest.raises(HeldBack) as refused:
        await on.enter("a", CLIENT, LONG)
    assert (refused.value.because, refused.value.retry_after) == (Because.ORIGIN_QUEUE_FULL, 30)
    assert counts(on) == (1, queue)
    for task in waiting:
        task.cancel()


async def test_a_refresh_that_waits_is_given_up_for_a_client():
    on = gate(1, 1)
    place = await on.enter("a", CLIENT, LONG)
    refresh = enters(on, BACKGROUND)
    await turn()
    client = enters(on)
    with pytest.raises(HeldBack):
        await refresh
    place.leave()
    await client
    assert counts(on) == (1, 0)


async def test_who_is_cancelled_while_he_waits_makes_room():
    on = gate(1)
    place = await on.enter("a", CLIENT, LONG)
    one, other = enters(on), enters(on)
    await turn()
    one.cancel()
    await turn()
    assert counts(on) == (1, 1)
    place.leave()
    await other
    assert counts(on) == (1, 0)


async def test_a_place_granted_to_one_who_is_cancelled_in_that_moment_goes_to_the_next():
    on = gate(1)
    place = await on.enter("a", CLIENT, LONG)
    one, other = enters(on), enters(on)
    await turn()
    place.leave()  # granted to `one`, which has not run since
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    (await other).leave()
    assert counts(on) == (0, 0)


async def test_more_places_are_given_out_at_once():
    on = gate(1)
    await on.enter("a", CLIENT, LONG)
    waiting = [enters(on) for _ in range(3)]
    await turn()
    on.resize(3, 10)
    await turn()
    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()


async def test_whatever_is_cancelled_no_place_is_lost():
    """Fifty who wait, every third is cancelled, at every moment that there is."""
    on = gate(3, 100)
    done = 0

    async def one() -> None:
        nonlocal done
        place = await on.enter("a", CLIENT, LONG)
        try:
            await asyncio.sleep(0)
        finally:
            place.leave()
        done += 1

    tasks = [asyncio.ensure_future(one()) for _ in range(50)]
    for task in tasks[::3]:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert counts(on) == (0, 0)
    assert done == sum(not task.cancelled() for task in tasks) >= 33
