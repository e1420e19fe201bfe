"""Rows of the disk tier as the event loop reads them itself: one connection, one statement, no waiting.

Owns: `LoopRows`. diskcache takes 15 us for a row of 8 KB, of which SQLite takes 10; and waits for locks. Rules: a read-only
connection of the loop's own, which waits for no lock; it belongs to one `Rows` and is made anew when another has taken its
place; only a row that nopickle.py would take is seen. Whatever is wrong - no such row, a foreign one, a lock, a damaged
database - is None here: a reading thread looks again, and does about it what has to be done.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from edge.store.nopickle import MODE_RAW
from edge.store.rows import Rows

_QUERY: Final = (
    f"SELECT value FROM Cache WHERE key = ? AND raw = 1 AND mode = {MODE_RAW} AND filename IS NULL"  # noqa: S608
)
_CACHE_PAGES: Final = 1024


class LoopRows:
    """See the module. For one thread."""

    __slots__ = ("_connection", "_cursor", "_of")

    def __init__(self) -> None:
        self._of: Rows | None = None
        self._connection: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None

    def get(self, rows: Rows, key: bytes) -> bytes | None:
        """The value of the row `key` of `rows`, unverified; None = ask `rows` itself, in a thread."""
        try:
            if self._of is not rows or self._cursor is None:
                self._cursor = self._open(rows)
            found = self._cursor.execute(_QUERY, (key,)).fetchall()
        except sqlite3.Error:
            self.close()
            return None
        if len(found) != 1:
            return None
        value = found[0][0]
        return value if type(value) is bytes else None

    def _open(self, rows: Rows) -> sqlite3.Cursor:
        self.close()
        self._connection = sqlite3.connect(
            f"{rows.database.as_uri()}?mode=ro", uri=True, timeout=0, isolation_level=None
        )
        self._connection.execute("PRAGMA mmap_size = 0")
        self._connection.execute(f"PRAGMA cache_size = {_CACHE_PAGES}")
        self._of = rows
        return self._connection.cursor()

    def close(self) -> None:
        """Let go of the database. May be called again, and `get` after it."""
        connection, self._connection, self._cursor, self._of = self._connection, None, None, None
        if connection is not None:
            connection.close()
