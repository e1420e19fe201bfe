"""What can go wrong with a disk, as a closed list.

Owns: `DiskFailure`, `DiskFault`, and `fault_of`, which says which of them an OSError is (rows.py does it for SQLite).
Rule: whoever uses the disk tier meets `StoreFault` and nothing else of the world's; for a client each is a miss.
"""

from __future__ import annotations

import errno
from enum import Enum
from typing import Final

from edge.errors import StoreFault


class DiskFailure(Enum):
    """Why the disk tier could not do what it was asked."""

    NO_SPACE = "no-space"
    """The file system is full, or the process has met a quota or a limit on file sizes."""
    READ_ONLY = "read-only"
    """The directory cannot be written (or read) by us."""
    BUSY = "busy"
    """Another writer did not finish within the setting's seconds."""
    NO_DESCRIPTORS = "no-descriptors"
    """No file descriptor is left, or all that the setting allows are being read."""
    DAMAGED = "damaged"
    """What was read is not what was written."""
    TOO_LARGE = "too-large"
    """Larger than the ceiling, or a head larger than the limit."""
    NO_ROOM = "no-room"
    """Everything evicted, and the bodies being written still fill the ceiling."""
    INCOMPLETE = "incomplete"
    """A body that ended before, or went on after, the length it was begun with."""
    NOT_OWNED = "not-owned"
    """Another process writes this key."""
    NOT_OPEN = "not-open"
    """Before `open`, after `close`, or the directory could not be opened again."""
    IO = "io"
    """Any other error of the device or the file system."""


class DiskFault(StoreFault):
    """The disk tier failed; `why` is the word in the metric and the log."""

    def __init__(self, why: DiskFailure, detail: str) -> None:
        super().__init__(f"{why.value}: {detail}")
        self.why = why


_BY_ERRNO: Final = {
    errno.ENOSPC: DiskFailure.NO_SPACE,
    errno.EDQUOT: DiskFailure.NO_SPACE,
    errno.EFBIG: DiskFailure.NO_SPACE,
    errno.EROFS: DiskFailure.READ_ONLY,
    errno.EACCES: DiskFailure.READ_ONLY,
    errno.EPERM: DiskFailure.READ_ONLY,
    errno.EMFILE: DiskFailure.NO_DESCRIPTORS,
    errno.ENFILE: DiskFailure.NO_DESCRIPTORS,
}


def fault_of(error: OSError, doing: str) -> DiskFault:
    """The fault that `error` is. doing: what we were at, for the operator."""
    return DiskFault(_BY_ERRNO.get(error.errno or 0, DiskFailure.IO), f"{doing}: {error.strerror or error}")
