"""A worker's place is kept: its process is replaced, its sockets wait, and a hopeless start is given up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.server.command_line import CommandLine
from edge.server.orders import End, Order
from edge.server.run_dir import contents_of, folder_of
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


async def nothing() -> None:
    """Nobody wants to hear its last numbers."""


async def test_one_that_is_replaced_did_not_die(tmp_path: Path, command_line: CommandLine):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=0)
        old = place.keeper.seen().pid
        heard: list[int | None] = []

        async def farewell() -> None:
            heard.append(place.keeper.seen().pid)

        assert await place.keeper.replace(1.0, farewell) is None
        new = place.keeper.seen()
        assert heard == [old]
        assert (new.served, new.restarts, place.restarts.value, place.ends) == (True, 0, 0, [0])
        assert new.pid not in (None, old)
        place.connect().close()
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean


async def test_one_that_hangs_while_it_is_replaced_is_killed_and_counted(
    tmp_path: Path, command_line: CommandLine
):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=0)
        pid = place.keeper.seen().pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert await asyncio.wait_for(place.keeper.replace(0.0, nothing), 2 * PATIENCE) is None
        assert (place.keeper.restarts, place.restarts.value) == (1, 1)
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean


async def test_why_a_successor_does_not_serve_is_said_and_it_is_tried_again(
    tmp_path: Path, command_line: CommandLine
):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=0)
        standing = contents_of(folder_of(tmp_path))
        held = standing.read_bytes()
        standing.unlink()
        why = await place.keeper.replace(1.0, nothing)
        assert why is not None
        assert "settings.json" in why
        standing.write_bytes(held)
        assert await place.keeper.next_serves()
        assert place.restarts.value >= 1
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean


async def test_a_stop_ends_the_wait_for_a_successor(tmp_path: Path, command_line: CommandLine):
    async with kept(tmp_path, command_line) as place:
        life = spawn(place.keeper.run(), name="keeper")
        await place.until(served=True, restarts=0)

        async def stop() -> None:
            place.keeper.stop(0.0)

        assert await place.keeper.replace(1.0, stop) == "the node is stopping"
        await asyncio.wait_for(place.keeper.drained.wait(), PATIENCE)
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean
        assert not await place.keeper.next_serves()


class Group:
    """What a keeper tells of its sockets."""

    def __init__(self) -> None:
        self.held: Sequence[socket.socket] = ()
        self.told: list[str] = []

    def holds(self, _worker: int, held: Sequence[socket.socket]) -> None:
        self.held = held

    def left(self, worker: int) -> None:
        self.told.append(f"{worker} left, {len(self.held)} held")

    def joined(self, worker: int, group: int) -> None:
        self.told.append(f"{worker} joined {group}, {len(self.held)} held")


async def test_who_steers_is_told_when_sockets_are_closed_and_opened_again(
    tmp_path: Path, command_line: CommandLine
):
    group = Group()
    async with kept(tmp_path, command_line, group=group) as place:
        life = spawn(place.keeper.run(), name="keeper")
        for deaths in range(3):
            await place.until(served=True, restarts=deaths)
            assert (len(group.held), group.told) == (1, [])
            place.die()
        await place.until(served=True, restarts=3)
        assert group.told == ["0 left, 0 held", "0 joined 0, 1 held"]
        place.keeper.end()
        assert (await asyncio.wait_for(life, PATIENCE)).clean
