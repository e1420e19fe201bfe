"""A worker's place is kept: its process is replaced, its sockets wait, and a hopeless start is given up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.server.command_line import CommandLine
from edge.server.orders import End, Order
from edge.settings.node import Overrides
from edge.tasks import spawn
from tests.kit.keepers import kept
from tests.kit.waiting import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(None, Overrides(origin="http://127.0.0.1:1", data_dir=str(tmp_path)))


async def test_a_worker_that_never_served_ends_it_with_the_reason(tmp_path: Path):
    wrong = CommandLine(Path("edge.toml"), Overrides(data_dir=str(tmp_path)))
    async with kept(tmp_path, wrong, contents=False) as place:
        end = await asyncio.wait_for(place.keeper.run(), PATIENCE)
        assert not end.clean
        assert "settings.json" in (end.why or "")
        assert place.restarts.value == 0
        place.keeper.stop(0.0)


async def test_it_drains_when_stopped(tmp_path: Path, command_line: CommandLine):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await asyncio.wait_for(place.keeper.served.wait(), PATIENCE)
        place.keeper.stop(1.0)
        await asyncio.wait_for(place.keeper.drained.wait(), PATIENCE)
        assert not life.done()
        place.keeper.end()
        end = await asyncio.wait_for(life, PATIENCE)
        assert end.clean
        assert place.keeper.seen().pid is None
        with pytest.raises(ConnectionError):
            place.connect()


async def test_being_stopped_before_it_began_starts_nothing(tmp_path: Path, command_line: CommandLine):
    async with kept(tmp_path, command_line) as place:
        place.keeper.stop(1.0)
        assert (await place.keeper.run()).clean
        assert place.ends == []


async def test_being_stopped_while_it_starts_ends_what_was_started(tmp_path: Path, command_line: CommandLine):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        async with asyncio.timeout(PATIENCE):
            while place.keeper.seen().pid is None:  # noqa: ASYNC110
                await asyncio.sleep(0)
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean
        assert place.ends == [0]


async def test_connections_wait_for_a_successor_but_not_for_one_that_keeps_dying(
    tmp_path: Path, command_line: CommandLine
):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=0)
        for deaths in (1, 2):  # pauses of 0.1 and 0.4 s
            place.die()
            await place.until(served=False, restarts=deaths)
            place.connect().close()
            await place.until(served=True, restarts=deaths)
        place.die()
        await place.until(served=False, restarts=3)  # a pause of 1.6 s
        with pytest.raises(ConnectionError):
            place.connect()
        await place.until(served=True, restarts=3)
        place.connect().close()
        assert (place.restarts.value, place.ends) == (3, [0, 0, 0])
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean


async def test_one_that_somebody_else_told_to_stop_is_replaced(tmp_path: Path, command_line: CommandLine):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=0)
        pid = place.keeper.seen().pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        await place.until(served=True, restarts=1)
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean


async def test_a_process_is_told_what_changed_while_it_was_being_started(
    tmp_path: Path, command_line: CommandLine
):
    greetings: list[Sequence[Order]] = [(End(),), ()]
    async with kept(tmp_path, command_line, greeting=lambda: greetings.pop(0)) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=1)  # the first took it to heart
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean
    assert greetings == []
