"""The purge table on disk: whole, or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.purge.snapshot import FILE, Snapshot, SnapshotKeeper, load, save
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import Applied
from edge.semantics.selectors import Everything, Site, Tag
from edge.tasks import TaskOwner
from tests.kit.clock import ManualClock
from tests.kit.waiting import PATIENCE

BASE = 5 << 48
ORDERS = [
    Applied(BASE | 3, PurgeOrder("one", UnixSeconds(10.5), (Everything(),))),
    Applied(
        BASE | 7,
        PurgeOrder("two", UnixSeconds(11.0), (Tag("s", b"t\xff"), Site("s")), soft=True, note="why\nnot"),
    ),
]
SNAPSHOT = Snapshot("2026-11-24T12:00:00Z", "a" * 16, 5, BASE | 9, BASE | 1, "2026-11-24T13:00:00.5Z", ORDERS)


def test_what_is_saved_is_loaded(tmp_path: Path):
    assert load(tmp_path) is None
    save(SNAPSHOT, tmp_path / "purge")
    assert load(tmp_path / "purge") == SNAPSHOT


def test_an_empty_table_is_something_too(tmp_path: Path):
    empty = Snapshot("c", "b" * 16, 1, 9, 9, "s", [])
    save(empty, tmp_path)
    assert load(tmp_path) == empty


@given(st.data())
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_never_used(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("s")
    save(SNAPSHOT, folder)
    whole = (folder / FILE).read_bytes()
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    (folder / FILE).write_bytes(damaged)
    assert load(folder) is None


def test_more_than_there_was_is_damage_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save(SNAPSHOT, tmp_path)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b"more")
    assert load(tmp_path) is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path):
    save(SNAPSHOT, tmp_path)
    broken = Snapshot("c", "b" * 16, 1, 9, 9, "s", [Applied(1, None)])  # type: ignore[arg-type]  # cannot be written
    with pytest.raises(AssertionError):
        save(broken, tmp_path)
    assert load(tmp_path) == SNAPSHOT


async def test_only_what_has_changed_is_saved(tmp_path: Path):
    said: list[Snapshot | None] = [None]
    keeper = SnapshotKeeper(lambda: said[0], tmp_path, ManualClock())
    await keeper.save()
    assert load(tmp_path) is None
    said[0] = SNAPSHOT
    await keeper.save()
    (tmp_path / FILE).unlink()
    await keeper.save()
    assert load(tmp_path) is None, "nothing has changed"


async def test_a_disk_that_refuses_is_told_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "purge").write_bytes(b"a file where the folder should be")
    keeper = SnapshotKeeper(lambda: SNAPSHOT, tmp_path / "purge", ManualClock())
    await keeper.save()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    (tmp_path / "purge").unlink()
    await keeper.save()
    assert await asyncio.to_thread(load, tmp_path / "purge") == SNAPSHOT


async def test_the_first_is_saved_as_soon_as_all_has_been_read(tmp_path: Path):
    """A node that is killed in its first half minute must not come back knowing nothing."""
    begin = asyncio.Event()
    keeper = SnapshotKeeper(lambda: SNAPSHOT, tmp_path, ManualClock())
    async with TaskOwner("test") as tasks:
        tasks.spawn(keeper.run(begin), name="snapshots")
        await asyncio.sleep(0)
        assert load(tmp_path) is None
        begin.set()
        async with asyncio.timeout(PATIENCE):
            while load(tmp_path) is None:  # noqa: ASYNC110  # a file rings no bell
                await asyncio.sleep(0.001)
    assert load(tmp_path) == SNAPSHOT
