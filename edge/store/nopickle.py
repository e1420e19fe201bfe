"""The diskcache Disk that stores bytes and does nothing else.

Owns: `NoPickleDisk`, `ForeignRow`. CVE-2025-69872: diskcache's own Disk unpickles what it finds in its database, and
opens any file whose name stands in the `filename` column (`/etc/hostname`, `../../secret`). Rules: bytes in, bytes out;
a row is read only when it is one that this class could have written (raw, a BLOB, no file name); a file named by a row
is neither opened nor removed; nothing is unpickled, nothing is written to a file. Bodies that lie in files are none of
diskcache's business: bodyfile.py.
"""

from __future__ import annotations

import sqlite3
from typing import Final, Never

import diskcache

from edge.store.record import KEY_BYTES, accounted_bytes

MODE_RAW: Final = 1
"""diskcache.core.MODE_RAW: the value column is the value. Every other mode means a file, text, or a pickle."""


class ForeignRow(Exception):
    """A row that this product did not write. It is dropped by whoever reads it.

    No OSError, for diskcache takes those for a row that was just deleted.
    """


class NoPickleDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys are 48 bytes, values are records; see the head of this module."""

    def put(self, key: object) -> tuple[memoryview, bool]:
        """The key column. TypeError for anything but a row key."""
        if type(key) is not bytes or len(key) != KEY_BYTES:
            raise TypeError(f"a row key is {KEY_BYTES} bytes, not {key!r}")
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        """The key of a row; diskcache would unpickle one that is not raw."""
        if not raw or type(key) is not bytes or len(key) != KEY_BYTES:
            raise ForeignRow("the key is not one of ours")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, memoryview]:
        """The columns size, mode, filename, value. TypeError for anything but bytes.

        The size is what the record is charged to the ceiling: diskcache itself says 0 for what lies in a row.
        """
        if read or type(value) is not bytes:
            raise TypeError(f"a row's value is bytes, not {type(value).__name__}")
        return accounted_bytes(value), MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        """The value of a row, or ForeignRow."""
        if mode != MODE_RAW or filename is not None or read or type(value) is not bytes:
            raise ForeignRow(f"mode {mode!r}, a {type(value).__name__}")
        return value

    def filename(self, key: object = None, value: object = None) -> Never:
        """No row has a file."""
        raise TypeError("no row has a file")

    def remove(self, file_path: object) -> None:
        """What diskcache calls when a row with a file name goes. The name is not ours: nothing is touched."""
