"""What may lie in the directory: planted rows, flipped bits, cut and swapped files, databases that are none.

Every one of them is a miss and a counter; nothing wrong is served, nothing is executed, no file outside is read.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.store.disk import NO_VARY, DiskTier
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.record import BLOCK_BYTES, FILE_HEADER_BYTES
from tests.kit.disk import (
    MB,
    SMALL,
    body_files,
    body_of,
    database,
    flip,
    opened,
    opened_body,
    primary,
    whole,
)

LARGE = 2 * BLOCK_BYTES + 77
INLINE = body_of(1, 1, 900)
FILED = body_of(2, 1, LARGE)


class Planted:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.path),)


def fill(tier: DiskTier) -> None:
    """Key 1 inline, key 2 in a file, key 3 a witness that must survive."""
    tier.put_small(primary(1), NO_VARY, b"one", INLINE)
    tier.put_small(primary(2), NO_VARY, b"two", FILED)
    tier.put_small(primary(3), NO_VARY, b"three", b"witness")


def witness(tier: DiskTier) -> bool:
    return whole(tier.read(primary(3))) == (b"three", b"witness")


def plant(directory: Path, columns: str, *values: object) -> None:
    with database(directory) as connection:
        changed = connection.execute(
            f"UPDATE Cache SET {columns} WHERE key = ?", (*values, primary(1) + NO_VARY)
        )
        assert changed.rowcount == 1


@pytest.mark.parametrize("when", ["open", "closed"])
@pytest.mark.parametrize("where", ["value", "file"])
def test_a_planted_pickle_is_not_executed(tmp_path: Path, when: str, where: str) -> None:
    store, trap = tmp_path / "store", tmp_path / "trap"
    payload = pickle.dumps(Planted(trap))
    with opened(store) as tier:
        fill(tier)
        if where == "file":
            (store / "live" / "x.val").write_bytes(payload)
        filename, value = ("x.val", None) if where == "file" else (None, payload)
        plant(store, "mode = 4, filename = ?, value = ?", filename, value)
        if when == "open":
            assert tier.read(primary(1)) is None
            assert tier.counters.foreign_rows == 1
            assert tier.variants(primary(1)) == ()
            assert witness(tier)
    with opened(store) as tier:
        assert tier.read(primary(1)) is None
        assert tier.counters.foreign_rows == (when == "closed")
        assert witness(tier)
    assert not trap.exists()
    pickle.loads(payload)
    assert trap.exists()  # it would have worked


@pytest.mark.parametrize("raw", [0, 1])
def test_a_planted_key_is_not_unpickled(tmp_path: Path, raw: int) -> None:
    store, trap = tmp_path / "store", tmp_path / "trap"
    with opened(store) as tier:
        fill(tier)
    plant(store, "key = ?, raw = ?", pickle.dumps(Planted(trap)), raw)
    with opened(store) as tier:
        assert tier.counters.foreign_rows == 1
        assert set(tier.index()) == {primary(2), primary(3)}
        tier.clear()
    assert not trap.exists()


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("form", ["absolute", "upwards"])
def test_a_file_named_by_a_row_is_neither_read_nor_removed(tmp_path: Path, mode: int, form: str) -> None:
    store, secret = tmp_path / "store", tmp_path / "secret"
    secret.write_bytes(b"not for clients")
    before = secret.stat()
    name = str(secret) if form == "absolute" else "../../secret"
    with opened(store) as tier:
        fill(tier)
        plant(store, "mode = ?, filename = ?, value = NULL", mode, name)
        assert tier.read(primary(1)) is None
        assert tier.counters.foreign_rows == 1
        tier.put_small(primary(1), NO_VARY, b"again", INLINE)
        plant(store, "filename = ?", name)
        tier.put_small(primary(1), NO_VARY, b"again", INLINE)  # replaces a row that names a file
        plant(store, "filename = ?", name)
        assert tier.delete(primary(1), NO_VARY)
        assert witness(tier)
    assert secret.read_bytes() == b"not for clients"
    assert secret.stat().st_ino == before.st_ino


def test_any_flipped_bit_of_a_record_is_a_miss_and_the_row_is_dropped(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        for offset in range(0, 60 + len(b"one") + len(INLINE), 37):
            fill(tier)
            with database(tmp_path) as connection:
                key = primary(1) + NO_VARY
                ((value,),) = connection.execute("SELECT value FROM Cache WHERE key = ?", (key,))
                bad = value[:offset] + bytes((value[offset] ^ 4,)) + value[offset + 1 :]
                connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (bad, key))
            before = tier.counters.damaged_records
            assert tier.read(primary(1)) is None
            assert tier.counters.damaged_records == before + 1
            assert tier.variants(primary(1)) == ()
        assert witness(tier)
    with opened(tmp_path) as tier:
        assert set(tier.index()) == {primary(2), primary(3)}


def test_a_record_in_the_row_of_another_key_is_a_miss(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        tier.put_small(primary(4), NO_VARY, b"four", b"somebody else's")
        with database(tmp_path) as connection:
            connection.execute(
                "UPDATE Cache SET value = (SELECT value FROM Cache WHERE key = ?) WHERE key = ?",
                (primary(4) + NO_VARY, primary(1) + NO_VARY),
            )
        assert tier.read(primary(1)) is None
        assert whole(tier.read(primary(4))) == (b"four", b"somebody else's")


@pytest.mark.parametrize("offset", [0, 50, -1])
def test_a_damaged_head_or_table_of_a_body_file_is_a_miss(tmp_path: Path, offset: int) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        flip(body_files(tmp_path)[0], offset)
        assert tier.read(primary(2)) is None
        assert tier.counters.damaged_bodies == 1
        assert tier.variants(primary(2)) == ()
        assert body_files(tmp_path) == []
        assert witness(tier)


def test_a_damaged_block_ends_the_body_there_and_the_next_read_is_a_miss(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        flip(body_files(tmp_path)[0], FILE_HEADER_BYTES + BLOCK_BYTES + 5)
        with opened_body(tier.read(primary(2))) as body:
            assert body.read_block(0) == FILED[:BLOCK_BYTES]
            with pytest.raises(DiskFault):
                body.read_block(1)
        assert tier.counters.damaged_bodies == 1
        assert tier.read(primary(2)) is None
        assert body_files(tmp_path) == []
        assert witness(tier)


def test_a_damaged_block_of_a_body_that_was_replaced_leaves_the_new_one(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        path = body_files(tmp_path)[0]
        with opened_body(tier.read(primary(2))) as body:
            flip(path, FILE_HEADER_BYTES + BLOCK_BYTES + 5)
            tier.put_small(primary(2), NO_VARY, b"new", FILED)
            with pytest.raises(DiskFault):
                body.read_block(1)
        assert whole(tier.read(primary(2))) == (b"new", FILED)


@pytest.mark.parametrize("size", [0, 100, LARGE // 2])
def test_a_cut_body_file_is_a_miss(tmp_path: Path, size: int) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        os.truncate(body_files(tmp_path)[0], size)
        assert tier.read(primary(2)) is None
        assert tier.counters.damaged_bodies == 1


@pytest.mark.parametrize("when", ["open", "closed"])
def test_a_missing_body_file_is_a_miss_and_its_row_goes(tmp_path: Path, when: str) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        body_files(tmp_path)[0].unlink()
        if when == "open":
            assert tier.read(primary(2)) is None
            assert tier.counters.lost_bodies == 1
            assert tier.variants(primary(2)) == ()
    with opened(tmp_path) as tier:
        assert tier.counters.lost_bodies == (when == "closed")
        assert tier.read(primary(2)) is None
        assert witness(tier)


def test_two_body_files_that_changed_places_are_misses(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        tier.put_small(primary(4), NO_VARY, b"four", body_of(4, 1, LARGE))
        one, other = body_files(tmp_path)
        one.rename(tmp_path / "held")
        other.rename(one)
        (tmp_path / "held").rename(other)
        assert tier.read(primary(2)) is None
        assert tier.read(primary(4)) is None
        assert tier.counters.damaged_bodies == 2
        assert witness(tier)


def test_orphans_are_swept_and_never_served_and_strangers_are_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
    (sound,) = body_files(tmp_path)
    old_generation = sound.with_name(f"{sound.name[:-16]}{'0' * 16}")
    part = sound.with_name(f"{sound.name}.part")
    no_row = sound.with_name(f"{(primary(9) + NO_VARY).hex()}-{'0' * 16}")
    stranger = sound.with_name("README")
    for path in (old_generation, part, no_row, stranger):
        shutil.copy(sound, path)
    (sound.parent / f"{sound.name}.d").mkdir()
    with opened(tmp_path) as tier:
        assert tier.counters.orphans == 3
        assert body_files(tmp_path) == sorted([sound, stranger])
        assert tier.read(primary(9)) is None
        assert whole(tier.read(primary(2))) == (b"two", FILED)


def broken_by_garbage(live: Path) -> None:
    (live / "cache.db").write_bytes(b"garbage" * 1000)


def broken_by_cut(live: Path) -> None:
    os.truncate(live / "cache.db", 5000)


def broken_by_zeros(live: Path) -> None:
    with (live / "cache.db").open("r+b") as file:
        file.write(bytes(100))


def broken_by_a_strange_table(live: Path) -> None:
    with database(live.parent) as connection:
        connection.execute("CREATE TABLE More (x)")


def broken_by_a_strange_setting(live: Path) -> None:
    with database(live.parent) as connection:
        connection.execute("INSERT INTO Settings VALUES ('_disk', 'text')")


def broken_by_being_a_pickle_cache(live: Path) -> None:
    with database(live.parent) as connection:
        connection.execute("DROP TABLE Cache")
        connection.execute("CREATE TABLE Cache (key, value)")


@pytest.mark.parametrize(
    "damage",
    [
        broken_by_garbage,
        broken_by_cut,
        broken_by_zeros,
        broken_by_a_strange_table,
        broken_by_a_strange_setting,
        broken_by_being_a_pickle_cache,
    ],
)
def test_a_damaged_database_is_set_aside_and_an_empty_one_serves(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
    damage(tmp_path / "live")
    with opened(tmp_path) as tier:
        assert tier.counters.set_aside == 1
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert len(tier) == 0
        assert tier.read(primary(1)) is None
        assert (tmp_path / "damaged" / "cache.db").exists()
        assert body_files(tmp_path) == []
        fill(tier)
        assert whole(tier.read(primary(2))) == (b"two", FILED)
    with opened(tmp_path) as tier:
        assert tier.counters.set_aside == 0
        assert witness(tier)


def test_a_database_damaged_while_open_is_set_aside_while_readers_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        body = opened_body(tier.read(primary(2)))
        with (tmp_path / "live" / "cache.db").open("r+b") as file:
            file.write(b"\xff" * 4096 * 4)
        os.truncate(tmp_path / "live" / "cache.db-wal", 0)
        with ThreadPoolExecutor(1) as thread:  # whose connection has no pages in memory
            assert thread.submit(tier.read, primary(3)).result() is None
        assert tier.counters.set_aside == 1
        assert caplog.records
        assert body.pread(0, LARGE) == FILED
        body.close()
        assert len(tier) == 0
        fill(tier)
        assert witness(tier)


def test_a_write_that_meets_a_damaged_database_fails_and_the_next_one_is_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as tier, ThreadPoolExecutor(1) as thread:
        fill(tier)
        with (tmp_path / "live" / "cache.db").open("r+b") as file:
            file.write(b"\xff" * 4096 * 4)
        os.truncate(tmp_path / "live" / "cache.db-wal", 0)
        with pytest.raises(DiskFault) as raised:
            thread.submit(tier.put_small, primary(4), NO_VARY, b"four", b"body").result()
        assert raised.value.why is DiskFailure.DAMAGED
        assert (tier.counters.set_aside, len(tier), len(caplog.records)) == (1, 0, 1)
        thread.submit(tier.put_small, primary(4), NO_VARY, b"four", b"body").result()
        assert whole(tier.read(primary(4))) == (b"four", b"body")


def test_a_process_notices_that_another_has_set_the_database_aside(tmp_path: Path) -> None:
    with opened(tmp_path) as tier:
        fill(tier)
        other = DiskTier(tmp_path, MB, limits=SMALL, owns=lambda key: key == primary(7))
        (tmp_path / "live").rename(tmp_path / "elsewhere")
        other.open()
        other.put_small(primary(7), NO_VARY, b"seven", b"body")
        tier.put_small(primary(5), NO_VARY, b"five", b"body")
        assert set(tier.index()) == {primary(5)} | {primary(7)}
        assert whole(other.read(primary(5))) == (b"five", b"body")
        assert tier.read(primary(1)) is None
        other.close()
