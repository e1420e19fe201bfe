"""The rows: what diskcache is given, what is looked at before it, and what its errors become."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from edge.clock import SystemClock
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.nopickle import ForeignRow, NoPickleDisk
from edge.store.record import InlineBody, Record, accounted_bytes, encode
from edge.store.rows import (
    DATABASE,
    PUT_ROWS,
    VACUUM_PAGES,
    BrokenDatabase,
    NewRow,
    Rows,
    SeenRow,
    _put,
    inspect,
    row_fault,
)


def key(name: int) -> bytes:
    return bytes((name,)) * 48


def row(name: int, body: bytes = b"body", generation: bytes | None = None) -> NewRow:
    return NewRow(key(name), encode(key(name), Record(bytes(8), b"meta", InlineBody(body))), generation)


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return Rows(tmp_path, busy_seconds=0.05, durable=False)


def seen(directory: Path) -> list[SeenRow]:
    found, foreign = inspect(directory / DATABASE, busy_seconds=0.05)
    assert foreign == 0
    return found


def execute(directory: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        connection.execute(statement, parameters)


def test_what_was_put_is_there_and_inspected(rows: Rows, tmp_path: Path) -> None:
    one, two = row(1), row(2, b"b" * 9000, generation=b"\x07" * 8)
    rows.change(puts=[one, two])
    assert rows.get(key(1)) == one.value
    assert rows.get(key(3)) is None
    assert {(found.key, found.size, found.generation) for found in seen(tmp_path)} == {
        (one.key, accounted_bytes(one.value), None),
        (two.key, accounted_bytes(two.value), b"\x07" * 8),
    }


def test_rows_are_inspected_in_the_order_of_their_last_use(rows: Rows, tmp_path: Path) -> None:
    for name in (1, 2, 3):
        rows.change(puts=[row(name)])
    rows.change(touches=[key(1), key(9)])
    assert [found.key for found in seen(tmp_path)] == [key(2), key(3), key(1)]


@pytest.mark.parametrize("hour", [-3600.0, 3600.0])
def test_the_order_of_use_outlives_a_wall_clock_that_was_set(rows: Rows, tmp_path: Path, hour: float) -> None:
    """The wall clock is what diskcache reads to touch a row; so must what is put, whatever `now` of a clock is by then."""
    began = [time.time() + hour]
    clock = SystemClock(wall=lambda: began.pop() if began else time.time())
    assert clock.is_suspect, "the wall clock was set by an hour since this one began"
    rows.change(puts=[row(1), row(2)])
    rows.change(touches=[key(1)])
    with rows._cache.transact():
        _put(rows._cache, [row(3)], clock)
    rows.change(touches=[key(2)])
    assert [found.key for found in seen(tmp_path)] == [key(1), key(3), key(2)]


def test_more_rows_than_one_statement_takes_and_rows_that_are_replaced(rows: Rows, tmp_path: Path) -> None:
    many = 2 * PUT_ROWS + 7
    rows.change(puts=[row(name, generation=b"\x07" * 8) for name in range(0, many, 3)])
    replacing = [row(name, b"%d" % name) for name in range(many)]
    rows.change(puts=replacing)
    assert [rows.get(each.key) for each in replacing] == [each.value for each in replacing]
    assert all(found.generation is None for found in seen(tmp_path))
    rows.close()
    with closing(diskcache.Cache(str(tmp_path), disk=NoPickleDisk)) as cache:
        # diskcache's own counters, which its triggers keep: of inserted rows and of changed ones
        assert len(cache) == many
        assert cache.reset("size") == sum(accounted_bytes(each.value) for each in replacing)


def test_a_batch_is_done_whole_or_not_at_all(rows: Rows) -> None:
    rows.change(puts=[row(1)])
    with pytest.raises(TypeError):
        rows.change(deletes=[key(1)], puts=[row(2), NewRow(b"short", b"", None)])
    assert rows.get(key(1)) == row(1).value
    assert rows.get(key(2)) is None
    rows.change(puts=[row(2)])
    assert rows.get(key(2)) is not None


def test_another_writer_is_waited_for_but_not_for_ever(rows: Rows, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DiskFault) as raised:
            rows.change(puts=[row(1)])
        assert raised.value.why is DiskFailure.BUSY
        assert rows.get(key(1)) is None  # reading needs no lock
        other.execute("ROLLBACK")
    rows.change(puts=[row(1)])
    assert rows.get(key(1)) == row(1).value


@pytest.mark.parametrize(
    "column",
    [
        "raw = 0",
        "mode = 4",
        "mode = NULL",
        "filename = '/etc/hostname'",
        "key = 'text'",
        "key = x'00'",
        "value = 'text'",
        "value = NULL",
        "value = x'00'",
        "size = 'many'",
        "size = 1",
        "size = NULL",
        "tag = 'text'",
        "tag = x'00'",
        "expire_time = NULL",
        "expire_time = 'never'",
    ],
)
def test_a_row_that_is_not_ours_is_deleted_on_inspection(rows: Rows, tmp_path: Path, column: str) -> None:
    rows.change(puts=[row(1), row(2)])
    execute(tmp_path, f"UPDATE Cache SET {column} WHERE key = ?", key(1))
    found, foreign = inspect(tmp_path / DATABASE, busy_seconds=0.05)
    assert ([each.key for each in found], foreign) == ([key(2)], 1)
    assert len(seen(tmp_path)) == 1


def test_a_row_that_becomes_foreign_while_open_is_not_read(rows: Rows, tmp_path: Path) -> None:
    rows.change(puts=[row(1)])
    execute(tmp_path, "UPDATE Cache SET mode = 4, value = ?", b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ForeignRow):
        rows.get(key(1))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE More (x)",
        "CREATE VIEW More AS SELECT * FROM Cache",
        "CREATE TRIGGER More AFTER DELETE ON Cache BEGIN DELETE FROM Cache; END",
        "CREATE INDEX More ON Cache(store_time)",
        "INSERT INTO Settings VALUES ('_directory', '/etc')",
        "INSERT INTO Settings VALUES ('sqlite_temp_store_directory', '/tmp')",
        "INSERT INTO Settings VALUES (x'ff', 1)",
        "INSERT INTO Settings VALUES (CAST(x'ff' AS TEXT), 1)",
        "ALTER TABLE Cache RENAME COLUMN expire_time TO gone",
    ],
)
def test_a_database_that_holds_more_than_diskcache_makes_is_none_of_ours(
    rows: Rows, tmp_path: Path, statement: str
) -> None:
    rows.change(puts=[row(1)])
    execute(tmp_path, statement)
    with pytest.raises(BrokenDatabase):
        inspect(tmp_path / DATABASE, busy_seconds=0.05)


@pytest.mark.parametrize("content", [b"no database at all" * 300, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_broken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(content)
    with pytest.raises(BrokenDatabase):
        inspect(tmp_path / DATABASE, busy_seconds=0.05)


def test_an_empty_file_is_a_database_still_to_be_made(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    assert inspect(tmp_path / DATABASE, busy_seconds=0.05) == ([], 0)


def test_it_knows_when_another_database_has_taken_its_place(rows: Rows, tmp_path: Path) -> None:
    states = [rows.is_in_place]
    (tmp_path / DATABASE).rename(tmp_path / "aside")
    states.append(rows.is_in_place)
    (tmp_path / DATABASE).touch()
    states.append(rows.is_in_place)
    assert states == [True, False, False]


def test_planted_settings_do_not_outlive_opening(rows: Rows, tmp_path: Path) -> None:
    for name, value in (("cull_limit", 10), ("sqlite_mmap_size", 2**26), ("disk_min_file_size", 0)):
        execute(tmp_path, "UPDATE Settings SET value = ? WHERE key = ?", value, name)
    again = Rows(tmp_path, busy_seconds=0.05, durable=False)
    again.change(puts=[row(1, b"b" * 50_000)])
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        settings = dict(connection.execute("SELECT key, value FROM Settings"))
    assert (settings["cull_limit"], settings["sqlite_mmap_size"]) == (0, 0)


def test_freed_pages_are_given_back_little_by_little(rows: Rows, tmp_path: Path) -> None:
    rows.change(puts=[row(name, b"b" * 30_000) for name in range(250)])
    rows.change(deletes=[key(name) for name in range(250)])
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        ((before,),) = connection.execute("PRAGMA page_count")
        rows.give_back()
        ((after,),) = connection.execute("PRAGMA page_count")
    assert 0 < before - after <= VACUUM_PAGES + 4  # pointer maps go with them


@pytest.mark.parametrize("length", [500, 1300, 2300, 4000, 8500, 30_000])
def test_a_row_is_charged_what_it_occupies(rows: Rows, tmp_path: Path, length: int) -> None:
    news = [row(name, bytes(length)) for name in range(200)]
    rows.change(puts=news)
    rows.close()  # the last connection writes everything into the database
    charged = sum(accounted_bytes(new.value) for new in news)
    assert 0.9 < (tmp_path / DATABASE).stat().st_size / charged < 1.05


def test_a_timeout_without_a_cause_is_a_busy_database() -> None:
    assert row_fault(diskcache.Timeout(), "testing").why is DiskFailure.BUSY


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(28, "No space left on device"), DiskFailure.NO_SPACE),
        (OSError(27, "File too large"), DiskFailure.NO_SPACE),
        (OSError(30, "Read-only file system"), DiskFailure.READ_ONLY),
        (OSError(24, "Too many open files"), DiskFailure.NO_DESCRIPTORS),
        (OSError(5, "Input/output error"), DiskFailure.IO),
        (sqlite3.OperationalError("something new"), DiskFailure.IO),
    ],
)
def test_every_error_has_its_word(error: Exception, why: DiskFailure) -> None:
    assert row_fault(error, "testing").why is why
