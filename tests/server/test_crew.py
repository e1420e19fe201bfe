"""All workers of a first process: served together, ended together; and whose signals are whose."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.server.command_line import CommandLine
from edge.server.crew import Crew, handled
from edge.settings.node import Overrides
from edge.tasks import TaskOwner
from tests.kit.keepers import kept
from tests.kit.waiting import PATIENCE


@pytest.mark.slow
async def test_it_lives_until_it_is_stopped_and_ends_clean(tmp_path: Path):
    stopped, served = asyncio.Event(), asyncio.Event()
    command_line = CommandLine(None, Overrides(origin="http://127.0.0.1:1", data_dir=str(tmp_path)))
    async with kept(tmp_path, command_line) as place, TaskOwner("crew") as tasks:
        crew = Crew(stopped, [place.keeper])
        crew.start(tasks)
        living = tasks.spawn(crew.live(tasks, served.set), name="live")
        await asyncio.wait_for(served.wait(), PATIENCE)
        assert [seen.served for seen in crew.seen()] == [True]
        assert not living.done()
        stopped.set()
        await asyncio.wait_for(living, PATIENCE)
        await crew.kill()
        assert crew.code == 0
        assert [seen.pid for seen in crew.seen()] == [None]


@pytest.mark.slow
async def test_a_worker_that_never_serves_ends_it_with_the_reason(tmp_path: Path):
    wrong = CommandLine(Path("edge.toml"), Overrides(data_dir=str(tmp_path)))
    async with kept(tmp_path, wrong, contents=False) as place, TaskOwner("crew") as tasks:
        crew = Crew(asyncio.Event(), [place.keeper])
        crew.start(tasks)
        with pytest.raises(EdgeError, match=r"settings\.json"):
            await asyncio.wait_for(crew.live(tasks, lambda: pytest.fail("it served")), PATIENCE)
        await crew.kill()
        assert crew.code == 1


async def test_signals_are_for_who_handles_them_and_for_nobody_afterwards():
    came = asyncio.Event()
    before = signal.getsignal(signal.SIGUSR1)
    with handled({signal.SIGUSR1: came.set}):
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(came.wait(), PATIENCE)
    assert signal.getsignal(signal.SIGUSR1) == before
