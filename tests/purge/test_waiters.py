"""Who waits for a position, and is told in time."""

import asyncio

import pytest

from edge.purge.waiters import Waiters


async def test_each_waits_for_its_own_position():
    waiters, told = Waiters(), list[int]()

    async def wait(position: int) -> None:
        assert await waiters.until(position, 60.0)
        told.append(position)

    async with asyncio.TaskGroup() as group:
        for position in (7, 3, 5, 3):
            group.create_task(wait(position))
        await asyncio.sleep(0)
        assert len(waiters) == 4
        for reached, expected in ((2, []), (4, [3, 3]), (6, [3, 3, 5]), (7, [3, 3, 5, 7])):
            waiters.reached(reached)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert told == expected
    assert len(waiters) == 0


async def test_one_that_waits_too_long_is_told_and_forgotten():
    waiters = Waiters()
    assert await waiters.until(7, 0.0) is False
    assert len(waiters) == 0


async def test_one_that_leaves_is_forgotten():
    waiters = Waiters()
    waiting = asyncio.ensure_future(waiters.until(7, 60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(waiters) == 0
    waiters.reached(9)
