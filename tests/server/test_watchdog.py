"""A worker that is there and says nothing is replaced; one that answers, starts or has just come is left alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.server.watchdog import MISSES, Watchdog
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.world import World


class Kept:
    """A keeper as the watchdog sees it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.pid: int | None = 100 + index
        self.served = True
        self.killed: list[int | None] = []

    def seen(self) -> Kept:
        return self

    def kill(self) -> None:
        self.killed.append(self.pid)


async def test_who_misses_often_enough_in_a_row_is_killed_and_nobody_else():
    good, hung, starting = Kept(0), Kept(1), Kept(2)
    starting.served = False
    silent = {1, 2}

    async def answering(asked: Sequence[int]) -> set[int]:
        return set(asked) - silent

    dog = Watchdog([good, hung, starting], answering)  # type: ignore[list-item]  # what it needs of them
    for _ in range(MISSES - 1):
        await dog.look()
    silent.clear()
    await dog.look()
    silent.add(1)
    for _ in range(MISSES - 1):
        await dog.look()
    assert hung.killed == []
    await dog.look()
    assert (good.killed, hung.killed, starting.killed) == ([], [101], [])
    hung.pid = 201
    await dog.look()
    assert hung.killed == [101], "its successor begins at nought"


@pytest.mark.slow
async def test_a_stopped_worker_is_replaced_and_its_keys_are_served(tmp_path: Path):
    async with ScriptedOrigin() as origin, World(tmp_path, origin=origin.url, workers=2) as world:
        for number in range(8):
            origin.on(f"/{number}", Canned(200, {"Cache-Control": "max-age=60"}, b"x"))
        first = set(world.worker_pids)
        os.kill(min(first), signal.SIGSTOP)
        await world.wait_metric("perigee_worker_restarts_total", 1, within=45)
        answers = [await world.get(f"/{number}") for number in range(8)]
        assert {answer.status for answer in answers} == {200}
        assert min(first) not in world.worker_pids
