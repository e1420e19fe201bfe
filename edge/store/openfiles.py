"""Descriptors of body files: shared by the readers of one body, kept open a while after the last, bounded.

Owns: `OpenFiles`. Rules: a body that several clients stream costs one descriptor; up to `idle` bodies that nobody reads
stay open (the least recently used goes first), because the next reader saves an open and the check of the table; no
more than `most` are open at a time, and no more than the process may have: then idle ones are closed first, and only
after that a reader is refused with NO_DESCRIPTORS, which is a miss and not an error. A body that was replaced or deleted is
closed when its last reader leaves, so that its space comes back.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from edge.clock import monotonic
from edge.store.disk_faults import DiskFailure, DiskFault, fault_of
from edge.store.verified import Verified


class OpenBody:
    """One open body file. table: its verified table of digests. Shared; `readers` belongs to OpenFiles.

    verified: which of its blocks were; None = none. Replaced as a whole, by any thread.
    """

    __slots__ = ("descriptor", "forgotten", "name", "readers", "table", "verified")

    def __init__(self, name: str, descriptor: int, table: bytes) -> None:
        self.name = name
        self.descriptor = descriptor
        self.table = table
        self.readers = 0
        self.forgotten = False
        self.verified: Verified | None = None


class OpenFiles:
    """The open body files of one process. Thread-safe."""

    def __init__(self, *, idle: int, most: int, mono: Callable[[], float] | None = None) -> None:
        """idle: kept open without a reader. most: open at a time for reading. mono: monotonic seconds."""
        self.mono = mono or monotonic()
        self._idle_limit = idle
        self._most = most
        # Re-entrant: a garbage collection inside one of our own critical sections may run BodyFile.__del__.
        self._lock = threading.RLock()
        self._busy: dict[str, OpenBody] = {}
        self._idle: OrderedDict[str, OpenBody] = OrderedDict()
        self._forgotten = 0
        self.refused = 0
        """How often a reader was refused for want of a descriptor."""

    def __len__(self) -> int:
        return len(self._busy) + len(self._idle) + self._forgotten

    def open(self, path: str | Path, flags: int) -> int:
        """A descriptor of `path`; OSError as `os.open` raises it, but out of descriptors only when none is idle."""
        try:
            return os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE} or not self.shed():
                raise
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def lease(self, name: str, path: Path, load: Callable[[int], bytes]) -> OpenBody:
        """The open file `name`, for one more reader; give it back with `release`.

        load: verifies a file that was just opened and returns its table. Raises FileNotFoundError, DiskFault.
        """
        with self._lock:
            held = self._join(name)
            if held is not None:
                return held
            if len(self) >= self._most and not self._close_oldest():
                self.refused += 1
                raise DiskFault(DiskFailure.NO_DESCRIPTORS, f"{self._most} body files are being read")
        opened = self._load(name, path, load)
        with self._lock:
            held = self._join(name)
            if held is not None:  # two readers opened it at once
                os.close(opened.descriptor)
                return held
            self._busy[name] = opened
            opened.readers = 1
        return opened

    def _join(self, name: str) -> OpenBody | None:
        held = self._busy.get(name)
        if held is None:
            held = self._idle.pop(name, None)
            if held is None:
                return None
            self._busy[name] = held
        held.readers += 1
        return held

    def _load(self, name: str, path: Path, load: Callable[[int], bytes]) -> OpenBody:
        try:
            descriptor = self.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise
        except OSError as error:
            fault = fault_of(error, "opening a body file")
            if fault.why is DiskFailure.NO_DESCRIPTORS:
                self.refused += 1
            raise fault from None
        try:
            return OpenBody(name, descriptor, load(descriptor))
        except OSError as error:
            os.close(descriptor)
            raise fault_of(error, "reading a body file") from None
        except BaseException:
            os.close(descriptor)
            raise

    def release(self, opened: OpenBody) -> None:
        """One reader of `opened` has left."""
        with self._lock:
            assert opened.readers > 0, opened.name
            opened.readers -= 1
            if opened.readers:
                return
            if opened.forgotten:
                self._forgotten -= 1
                os.close(opened.descriptor)
                return
            del self._busy[opened.name]
            self._idle[opened.name] = opened
            while len(self._idle) > self._idle_limit:
                self._close_oldest()

    def forget(self, name: str) -> None:
        """The file was replaced or deleted: nobody new joins, and the last reader closes it."""
        with self._lock:
            idle = self._idle.pop(name, None)
            if idle is not None:
                os.close(idle.descriptor)
            busy = self._busy.pop(name, None)
            if busy is not None:
                busy.forgotten = True
                self._forgotten += 1

    def forget_all(self) -> None:
        """As `forget`, for all."""
        with self._lock:
            for name in [*self._idle, *self._busy]:
                self.forget(name)

    def shed(self) -> int:
        """Close all that nobody reads; how many there were."""
        with self._lock:
            closed = len(self._idle)
            while self._close_oldest():
                pass
            return closed

    def _close_oldest(self) -> bool:
        if not self._idle:
            return False
        _, oldest = self._idle.popitem(last=False)
        os.close(oldest.descriptor)
        return True
