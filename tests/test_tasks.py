"""Nothing that was started is lost: not its failure, not its end."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from edge.tasks import TaskOwner, running, spawn


async def test_a_failure_is_logged_with_the_name_of_the_task(caplog: pytest.LogCaptureFixture):
    async def fails() -> None:
        raise ValueError("no such thing")

    task = spawn(fails(), name="doomed")
    with pytest.raises(ValueError, match="no such thing"):
        await task
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.__dict__["task"] == "doomed"
    assert record.exc_info is not None


async def test_being_cancelled_is_no_failure(caplog: pytest.LogCaptureFixture):
    task = spawn(asyncio.Event().wait(), name="waits")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.records == []


async def test_a_task_that_nobody_holds_is_kept_until_it_ends():
    gate = asyncio.Event()
    ended = asyncio.Event()

    async def waits() -> None:
        await gate.wait()
        ended.set()

    spawn(waits(), name="unheld")
    await asyncio.sleep(0)
    gc.collect()
    assert "unheld" in running()
    gate.set()
    await ended.wait()
    await asyncio.sleep(0)
    assert "unheld" not in running()


async def test_closing_an_owner_cancels_its_tasks_and_lets_them_clean_up():
    cleaned: list[str] = []

    async def works(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    async with TaskOwner("owner") as owner:
        owner.spawn(works("a"), name="a")
        owner.spawn(works("b"), name="b")
        await asyncio.sleep(0)
        assert len(owner) == 2
        assert {"owner:a", "owner:b"} <= running()
    assert sorted(cleaned) == ["a", "b"]
    assert len(owner) == 0


async def test_with_grace_a_task_may_end_by_itself():
    gate = asyncio.Event()
    owner = TaskOwner("owner")
    task = owner.spawn(gate.wait(), name="almost")
    asyncio.get_running_loop().call_soon(gate.set)
    await owner.aclose(grace=5.0)
    assert task.result() is True


async def test_a_closed_owner_starts_nothing():
    owner = TaskOwner("owner")
    await owner.aclose()
    await owner.aclose()
    with pytest.raises(RuntimeError, match="owner is closed"):
        owner.spawn(asyncio.sleep(0), name="late")


async def test_a_failed_task_does_not_make_closing_fail(caplog: pytest.LogCaptureFixture):
    async def fails() -> None:
        raise ValueError("once")

    async with TaskOwner("owner") as owner:
        owner.spawn(fails(), name="fails")
        await asyncio.sleep(0)
    assert [record.message for record in caplog.records] == ["task failed"]


async def test_a_task_may_close_its_own_owner():
    owner = TaskOwner("owner")

    async def closes() -> str:
        await owner.aclose()
        return "closed"

    assert await owner.spawn(closes(), name="closes") == "closed"
