"""Faults, done to processes that do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge.clock import SystemClock
from tests.tools.soaking.test_processes import setting, state_of
from tools.soaking.breaking import Breaker
from tools.soaking.faults import Fault, Planned
from tools.soaking.processes import LogCluster, LogServer, Node


class StillServer(LogServer):
    def command(self) -> list[str]:
        return ["sleep", "60"]


class StillNode(Node):
    workers: tuple[int, ...] = ()

    def command(self) -> list[str]:
        return ["sleep", "60"]

    def worker_pids(self) -> list[int]:
        return [self.pid]

    async def is_ready(self) -> bool:
        return True


class StillCluster(LogCluster):
    """Three servers, the second leads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.servers = [StillServer(f"n{at}", folder, (0, 0, 0), (0, 0)) for at in (1, 2, 3)]

    async def stream_leader(self) -> LogServer | None:
        return self.servers[1]


class Scene:
    def __init__(self, folder: Path) -> None:
        self.cluster = StillCluster(folder / "log")
        self.nodes = [StillNode(name, folder / name, setting()) for name in ("edge-1", "edge-2")]
        self.breaker = Breaker(self.cluster, self.nodes, SystemClock())

    @property
    def members(self) -> list[StillServer | StillNode]:
        return [*self.cluster.servers, *self.nodes]  # type: ignore[list-item]  # they are Still

    async def do(self, fault: Fault, lasts: float = 0.0, which: int = 0) -> str:
        return await self.breaker.do(Planned(0.0, fault, lasts, which))


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    for member in scene.members:
        member.launch()
    yield scene
    for member in scene.members:
        await member.kill()


@pytest.mark.parametrize(
    ("fault", "target"),
    [
        (Fault.SERVER_KILLED, "n3"),
        (Fault.LEADER_KILLED, "n2"),
        (Fault.NODE_KILLED, "edge-1"),
    ],
)
async def test_what_is_killed_is_started_again(scene: Scene, fault: Fault, target: str) -> None:
    before = {member.name: member.pid for member in scene.members}
    assert await scene.do(fault, which=2) == target
    changed = {member.name for member in scene.members if member.pid != before[member.name]}
    assert changed == {target}
    assert all(member.is_running for member in scene.members)
    assert len(scene.breaker.ready_after) == (fault is Fault.NODE_KILLED)


@pytest.mark.parametrize(
    ("fault", "targets"),
    [
        (Fault.SERVER_STOPPED, {"n3"}),
        (Fault.LEADER_STOPPED, {"n2"}),
        (Fault.QUORUM_LOST, {"n1", "n2"}),
        (Fault.WORKER_STOPPED, {"edge-1"}),
    ],
)
async def test_what_is_stopped_goes_on_after_a_while(scene: Scene, fault: Fault, targets: set[str]) -> None:
    doing = asyncio.ensure_future(scene.do(fault, 0.1, which=2))
    while {member.name for member in scene.members if state_of(member.pid) == "T"} != targets:
        assert not doing.done()
        await asyncio.sleep(0)
    assert set((await doing).split()) == targets
    while any(state_of(member.pid) == "T" for member in scene.members):
        pass


async def test_a_worker_that_is_killed_is_gone(scene: Scene) -> None:
    assert await scene.do(Fault.WORKER_KILLED, which=1) == "edge-2"
    while scene.nodes[1].is_running:
        pass


async def test_what_is_broken_is_left_alone(scene: Scene) -> None:
    doing = [asyncio.ensure_future(scene.do(fault, 0.2)) for fault in (Fault.QUORUM_LOST, Fault.NODE_KILLED)]
    await asyncio.sleep(0)
    for fault in (Fault.SERVER_KILLED, Fault.LEADER_STOPPED, Fault.QUORUM_LOST, Fault.NODE_KILLED):
        assert await scene.do(fault) == "", fault
    assert await scene.do(Fault.WORKER_STOPPED) == "edge-2"
    assert [await each for each in doing] == ["n1 n2", "edge-1"]
