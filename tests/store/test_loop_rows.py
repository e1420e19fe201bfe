"""Rows as the loop reads them: what a thread would find, or nothing at all, and never a wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.store.loop_rows import LoopRows
from edge.store.record import InlineBody, Record, encode
from edge.store.rows import NewRow, Rows, inspect
from tests.kit.disk import primary

KEY = primary(1) + bytes(16)
VALUE = encode(KEY, Record(b"\x01" * 8, b"meta", InlineBody(b"body" * 3000)))


def rows_in(directory: Path) -> Rows:
    directory.mkdir(exist_ok=True)
    inspect(directory / "cache.db", busy_seconds=1.0)
    rows = Rows(directory, busy_seconds=1.0, durable=False)
    rows.change(puts=[NewRow(KEY, VALUE, None)])
    return rows


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = rows_in(tmp_path / "rows")
    yield made
    made.close()


@pytest.fixture
def reader() -> Iterator[LoopRows]:
    made = LoopRows()
    yield made
    made.close()


def test_a_row_is_read_as_it_is_now(rows: Rows, reader: LoopRows) -> None:
    assert reader.get(rows, KEY) == rows.get(KEY) == VALUE
    connection = reader._connection
    assert connection is not None
    other = encode(KEY, Record(b"\x02" * 8, b"meta", InlineBody(b"other")))
    rows.change(puts=[NewRow(KEY, other, None)])
    assert reader.get(rows, KEY) == other
    rows.change(deletes=[KEY])
    assert reader.get(rows, KEY) is None
    assert reader._connection is connection, "none of these was a failure"


@pytest.mark.parametrize(
    "column", ["mode = 2", "filename = 'x'", "raw = 0", "value = 'text'", "value = NULL"]
)
def test_a_row_that_is_not_ours_is_none(rows: Rows, reader: LoopRows, tmp_path: Path, column: str) -> None:
    with closing(sqlite3.connect(tmp_path / "rows" / "cache.db")) as database, database:
        database.execute(f"UPDATE Cache SET {column}")
    assert reader.get(rows, KEY) is None


def test_it_waits_for_no_lock_and_no_writer_waits_for_it(
    rows: Rows, reader: LoopRows, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "rows" / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert reader.get(rows, KEY) == VALUE
        other.execute("ROLLBACK")
    rows.change(deletes=[KEY])
    # Nothing it has read is held on to: the log can be emptied under it.
    with closing(sqlite3.connect(tmp_path / "rows" / "cache.db", timeout=0)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_another_database_in_its_place_is_read_from_then_on(
    rows: Rows, reader: LoopRows, tmp_path: Path
) -> None:
    assert reader.get(rows, KEY) == VALUE
    newer = rows_in(tmp_path / "newer")
    newer.change(deletes=[KEY])
    try:
        assert reader.get(newer, KEY) is None
        assert reader.get(rows, KEY) == VALUE
    finally:
        newer.close()


def test_a_database_that_is_damaged_or_gone_is_none_and_let_go_of(
    rows: Rows, reader: LoopRows, tmp_path: Path
) -> None:
    folder = tmp_path / "rows"
    rows.close()
    for file in folder.iterdir():
        file.unlink()
    assert reader.get(rows, KEY) is None
    assert reader._connection is None
    (folder / "cache.db").write_bytes(b"no database at all" * 1000)
    assert reader.get(rows, KEY) is None
    assert reader._connection is None
    (folder / "cache.db").unlink()
    rows_in(folder).close()
    assert reader.get(rows, KEY) == VALUE, "it is opened anew"


def test_it_is_closed_twice_and_used_again(rows: Rows, reader: LoopRows) -> None:
    assert reader.get(rows, KEY) == VALUE
    reader.close()
    reader.close()
    assert reader.get(rows, KEY) == VALUE
