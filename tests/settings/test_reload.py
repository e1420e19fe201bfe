"""A running node takes good files and refuses bad ones, loudly."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.measures import Measures
from edge.settings.change import Change
from edge.settings.load import load_node
from edge.settings.node import ListenAddress, NodeSettings
from edge.settings.reload import Reloader, Settling, Stamp, stamps, watched
from edge.tasks import spawn
from tests.kit.clock import ManualClock

SITE = 'hostnames = ["{name}.org"]\norigins = ["http://127.0.0.1:3000"]\n'


@dataclass
class Node:
    """A folder of settings and the reloader that watches it."""

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    measures: Measures = field(default_factory=Measures)
    applied: list[tuple[NodeSettings, Change]] = field(default_factory=list)
    was_applied: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        (self.folder / "sites").mkdir()
        self.site("a")
        self.write("")
        self.reloader = Reloader(self.load(), self.load, self.apply, clock=self.clock, measures=self.measures)

    def load(self) -> NodeSettings:
        return load_node(self.folder / "edge.toml", env={})

    def apply(self, settings: NodeSettings, change: Change) -> None:
        self.applied.append((settings, change))
        self.was_applied.set()

    def write(self, text: str) -> None:
        (self.folder / "edge.toml").write_text(text)

    def site(self, name: str, more: str = "") -> None:
        (self.folder / "sites" / f"{name}.toml").write_text(SITE.format(name=name) + more)

    def count(self, outcome: str) -> int | float:
        return self.measures.reloads.of(outcome).value


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def look(node: Node, times: int) -> None:
    for _ in range(times):
        await node.reloader.look()


async def test_files_that_do_not_change_are_not_read_again(node: Node):
    await look(node, 3)
    assert node.applied == []
    assert (node.count("taken"), node.count("refused")) == (0, 0)


async def test_a_change_is_taken_when_it_has_come_to_rest(node: Node):
    node.site("b")
    await look(node, 1)
    assert node.applied == []
    node.site("b", "collapse = false")
    await look(node, 1)
    assert node.applied == [], "it changed between the two looks"
    node.clock.advance(100)
    await look(node, 1)
    [(settings, change)] = node.applied
    assert change.sites_added == ("b",)
    assert settings.sites.find(b"b.org") is not None
    assert node.reloader.settings == settings
    assert node.count("taken") == 1
    assert node.measures.settings_loaded.value == node.clock.now()
    await look(node, 3)
    assert len(node.applied) == 1


async def test_a_site_that_is_gone_is_gone(node: Node):
    node.site("b")
    await look(node, 2)
    (node.folder / "sites" / "a.toml").unlink()
    await look(node, 2)
    assert node.applied[-1][1].sites_removed == ("a",)


async def test_a_bad_file_keeps_the_old_settings_loudly(node: Node, caplog: pytest.LogCaptureFixture):
    old = node.reloader.settings
    node.site("a", "ttl.max = 3")
    with caplog.at_level(logging.INFO, "perigee.settings"):
        await look(node, 2)
    assert node.applied == []
    assert node.reloader.settings is old
    assert (node.count("taken"), node.count("refused")) == (0, 1)
    problem = f'{node.folder}/sites/a.toml:3: ttl.max: 3 has no unit; write "3s" if seconds are meant'
    assert node.reloader.complaint() == f"older settings are in force: {problem}"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "bad setting"),
        ("ERROR", "settings refused; the old ones stay in force"),
    ]
    assert vars(caplog.records[0])["problem"] == problem
    await look(node, 3)
    assert node.count("refused") == 1, "once for each change"


async def test_a_good_file_ends_the_complaint(node: Node):
    node.write("x = 1\ny = 2")
    await look(node, 2)
    complaint = node.reloader.complaint()
    assert complaint is not None
    assert complaint.endswith("(and 1 more)")
    node.write("# good")
    await look(node, 2)
    assert node.reloader.complaint() is None
    assert len(node.applied) == 1


async def test_a_file_that_is_put_back_between_looks_is_nothing(node: Node):
    before = stamps([node.folder / "edge.toml"])[node.folder / "edge.toml"]
    assert before is not None
    node.write("x = 1")
    await look(node, 1)
    node.write("")
    os.utime(node.folder / "edge.toml", ns=(before.mtime_ns, before.mtime_ns))
    await look(node, 3)
    assert (node.count("taken"), node.count("refused")) == (0, 0)


async def test_what_needs_a_restart_is_said_and_not_applied(node: Node, caplog: pytest.LogCaptureFixture):
    node.write('[node]\nlisten = "127.0.0.1:9"\n[limits]\nidle = "5s"\n')
    with caplog.at_level(logging.INFO, "perigee.settings"):
        await look(node, 2)
    [(settings, change)] = node.applied
    assert (change.restart, change.live) == (("node.listen",), ("limits.idle",))
    assert settings.listen == (ListenAddress("127.0.0.1", 8080),)
    assert settings.limits.idle == 5.0
    taken, warning = caplog.records
    assert (taken.levelname, vars(taken)["settings"]) == ("INFO", "limits.idle")
    assert (warning.levelname, vars(warning)["settings"]) == ("WARNING", "node.listen")


async def test_what_needs_a_roll_is_in_force_after_one(node: Node, caplog: pytest.LogCaptureFixture):
    node.write('[node]\nlisten = "127.0.0.1:9"\n[memory]\ncapacity = "128MiB"\n')
    with caplog.at_level(logging.INFO, "perigee.settings"):
        await look(node, 2)
    said = {vars(record)["settings"]: record.message for record in caplog.records[1:]}
    assert "perigee roll" in said["memory.capacity"]
    assert "restart of the node" in said["node.listen"]
    before, newest = node.reloader.settings, node.reloader.newest
    assert (before.memory.capacity, newest.memory.capacity) != (
        newest.memory.capacity,
        before.memory.capacity,
    )
    node.write('[limits]\nidle = "5s"\n[memory]\ncapacity = "256MiB"\n')  # while they are being replaced
    await look(node, 2)
    node.reloader.rolled(newest)
    now = node.reloader.settings
    assert (now.memory, now.listen, now.limits.idle) == (newest.memory, before.listen, 5.0)
    assert node.reloader.newest.memory.capacity == 256 << 20


async def test_other_files_are_watched_when_the_pattern_changes(node: Node):
    (node.folder / "more").mkdir()
    (node.folder / "more" / "c.toml").write_text(SITE.format(name="c"))
    node.write('sites = "more/*.toml"')
    await look(node, 4)
    assert len(node.applied) == 1, "the new files are not taken for a change"
    (node.folder / "more" / "d.toml").write_text(SITE.format(name="d"))
    await look(node, 2)
    assert node.applied[-1][1].sites_added == ("d",)


async def test_a_request_reads_at_once(node: Node):
    node.reloader.request()
    await look(node, 1)
    assert len(node.applied) == 1
    node.site("b")
    node.reloader.request()
    await look(node, 1)
    assert node.applied[-1][1].sites_added == ("b",)
    await look(node, 2)
    assert len(node.applied) == 2


async def test_a_request_is_not_kept_waiting_for_the_next_look(node: Node):
    task = spawn(node.reloader.run(period=60), name="reload")
    await asyncio.sleep(0)  # it starts
    node.reloader.request()
    await asyncio.wait_for(node.was_applied.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(node.applied) == 1


async def test_it_looks_again_and_again(node: Node):
    task = spawn(node.reloader.run(period=0.001), name="reload")
    node.site("b")
    await asyncio.wait_for(node.was_applied.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert node.applied[0][1].sites_added == ("b",)


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path):
    (tmp_path / "a").write_text("abc")
    found = stamps([tmp_path / "a", tmp_path / "b"])
    assert found[tmp_path / "b"] is None
    stamp = found[tmp_path / "a"]
    assert isinstance(stamp, Stamp)
    assert stamp.size == 3


def test_without_files_nothing_is_watched():
    assert watched(NodeSettings()) == ()


A, B, C = ({Path("a"): number} for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("looks", "due"),
    [
        ([A, A], [False, False]),
        ([B, B, B], [False, True, False]),
        ([B, C, B, B], [False, False, False, True]),
        ([B, A, B, B], [False, False, False, True]),
        ([B, A, A], [False, False, False]),
        ([B, B, A, A], [False, True, False, True]),
    ],
    ids=["the same", "another", "a third", "as before", "put back", "back later"],
)
def test_files_are_due_once_they_changed_and_came_to_rest(looks: list[dict[Path, int]], due: list[bool]):
    settling = Settling(A)
    assert [settling.is_due(now) for now in looks] == due


@pytest.mark.parametrize("now", [A, B], ids=["the same", "another"])
def test_files_that_are_asked_for_are_due_at_once_and_once(now: dict[Path, int]):
    settling = Settling(A)
    assert [settling.is_due(now, asked=asked) for asked in (True, False, False)] == [True, False, False]
    settling.is_due(C)
    assert [settling.is_due(C, asked=True), settling.is_due(C)] == [True, False]
