"""Lines of the access log on their way to a file or pipe, without the event loop ever waiting for it.

Owns: `LogWriter`, one thread. Rules: what waits to be written is bounded in bytes, and what does not fit is dropped and
counted; several workers write to one file (opened for appending: each write lands at its end) or to one pipe (written in
pieces that it takes whole, POSIX PIPE_BUF), so their lines do not mix; a file that was renamed is opened anew when told.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from edge.server.log_lines import MAX_LINE_BYTES

QUEUE_BYTES = 8 << 20
"""What may wait: 40,000 lines, some seconds of a busy worker."""

CLOSE_SECONDS = 2.0
"""How long the end waits for a pipe that nobody reads."""

STDOUT = 1

_log = logging.getLogger("perigee.log")


@dataclass(frozen=True, slots=True)
class _Batch:
    lines: list[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class _Open:
    """target: a file, None = standard output."""

    target: Path | None


class LogWriter:
    """Writes batches in a thread of its own. target: a file, None = standard output. on_drop: told how many lines."""

    def __init__(
        self, target: Path | None, *, on_drop: Callable[[int], None], queue_bytes: int = QUEUE_BYTES
    ) -> None:
        self._target = target
        self._on_drop = on_drop
        self._limit = queue_bytes
        self._waiting = 0
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Batch | _Open | None] = SimpleQueue()
        self._file = _opened(target)
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def write(self, lines: list[bytes], size: int) -> None:
        """Write these lines, which together have `size` bytes, some time soon; never waits."""
        with self._lock:
            fits = self._waiting + size <= self._limit
            if fits:
                self._waiting += size
        if fits:
            self._queue.put(_Batch(lines, size))
        else:
            self._on_drop(len(lines))

    def open(self, target: Path | None) -> None:
        """Write what comes from now on to `target`, opened anew; where that fails, go on as before, and say so."""
        self._target = target
        self._queue.put(_Open(target))

    def reopen(self) -> None:
        """The file was renamed: make a new one of its name."""
        self.open(self._target)

    def close(self) -> None:
        """Write what waits, and end. Blocks, CLOSE_SECONDS at most."""
        self._queue.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        """The thread."""
        while (item := self._queue.get()) is not None:
            if isinstance(item, _Open):
                self._file = _replaced(self._file, item.target)
                continue
            try:
                for piece in _pieces(item.lines, whole=not _is_shared_stream(self._file)):
                    _write_all(self._file, piece)
            except OSError as error:
                self._on_drop(len(item.lines))
                _log.error("access log cannot be written", extra={"error": error.strerror or str(error)})
            finally:
                with self._lock:
                    self._waiting -= item.size
        if self._file != STDOUT:
            os.close(self._file)


def _opened(target: Path | None) -> int:
    """A descriptor for appending. Raises OSError."""
    if target is None:
        return STDOUT
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _replaced(old: int, target: Path | None) -> int:
    try:
        new = _opened(target)
    except OSError as error:
        _log.error(
            "access log cannot be opened; the old one goes on",
            extra={"file": str(target), "error": error.strerror or str(error)},
        )
        return old
    if old not in (STDOUT, new):
        os.close(old)
    return new


def _is_shared_stream(file: int) -> bool:
    """Whether long writes of several processes may mix: everything but a file."""
    return not stat.S_ISREG(os.fstat(file).st_mode)


def _pieces(lines: list[bytes], *, whole: bool) -> list[bytes]:
    """The lines in as few writes as may be."""
    if whole:
        return [b"".join(lines)]
    found: list[bytes] = []
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if size + len(line) > MAX_LINE_BYTES and piece:
            found.append(b"".join(piece))
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    return [*found, b"".join(piece)]


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
