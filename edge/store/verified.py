"""Which blocks of an open body file were verified, of which file, and how long that is believed.

Owns: `Verified`, `stamp_of`, `is_resident`. A block is read and hashed once and then sent as often as it is asked for, as
long as the file is the one that was read: the same size, inode, times of change (of content and of inode), looked at again
before each piece. Rules:
* The stamp is taken before the block is read, so that a change meanwhile makes another one.
* What a stamp does not show - a medium that gives other bytes for a page that it gave right before - is believed for
  BELIEVED_SECONDS at most. A change within one tick of the kernel's clock (4 ms; none since Linux 6.13) after the stamp
  was taken may not show in it.
"""

from __future__ import annotations

import os
from typing import Final

BELIEVED_SECONDS: Final = 3600.0
"""How long a verified block is not verified again: a disk of 1 TB that is sent all day is read through once an hour."""
PROBE_BYTES: Final = 128 * 1024
"""Between two pages that are looked for in the page cache: what Linux reads ahead, and lets go of, at a time."""

Stamp = tuple[int, int, int, int]
"""Inode, size, mtime and ctime in nanoseconds."""


def stamp_of(descriptor: int) -> Stamp:
    """What `descriptor` is now. Raises OSError."""
    status = os.fstat(descriptor)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Verified:
    """The verified blocks of a file with that stamp. For any thread. until: monotonic seconds."""

    __slots__ = ("_blocks", "stamp", "until")

    def __init__(self, stamp: Stamp, until: float, blocks: int) -> None:
        self.stamp = stamp
        self.until = until
        self._blocks = bytearray(blocks)

    def __contains__(self, number: int) -> bool:
        return self._blocks[number] == 1

    def add(self, number: int) -> None:
        """Block `number` is what was written."""
        self._blocks[number] = 1

    def covers(self, first: int, stop: int) -> bool:
        """Whether blocks [first, stop) are all verified."""
        return self._blocks.find(0, first, stop) < 0


def is_resident(descriptor: int, start: int, stop: int) -> bool:
    """Whether bytes [start, stop) seem to be in the page cache: some of their pages are looked for, without waiting.

    True also where the file system cannot tell (tmpfs, which is memory itself): time tells then, see pace.py.
    """
    at = start
    page = bytearray(1)
    while at < stop:
        try:
            os.preadv(descriptor, (page,), at, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        at = stop - 1 if at < stop - 1 <= at + PROBE_BYTES else at + PROBE_BYTES
    return True
