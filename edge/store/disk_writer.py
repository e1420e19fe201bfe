"""One response on its way to the disk tier.

Owns: `BodyWriter`. Rules: small bodies are kept in memory and become a row, larger ones go to a file as they come; the row
is written last. Nothing is left of a writer that did not finish. It blocks, see disk.py.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from edge.store.bodyfile import FileWriter
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_layout import bodies_of
from edge.store.disk_ledger import Ledger, Reservation
from edge.store.record import InlineBody, Record


class BodyWriter:
    """One response on its way to the disk. One thread at a time; `finish` stores it, anything else leaves nothing.

    Up to `inline_bytes` it is kept in memory, beyond that it goes to a file. As a context manager it aborts on leaving
    unless finished; forgotten, when it is collected.
    """

    __slots__ = ("_done", "_file", "_generation", "_head", "_key", "_ledger", "_length", "_reservation")

    def __init__(self, ledger: Ledger, key: bytes, generation: bytes, length: int | None) -> None:
        self._done = False
        self._file: FileWriter | None = None
        self._head = bytearray()
        self._reservation = Reservation(ledger)
        self._ledger = ledger
        self._key, self._generation = key, generation
        self._length = length

    @property
    def written(self) -> int:
        """Bytes of the body so far."""
        return len(self._head) if self._file is None else self._file.length

    def write(self, chunk: bytes | memoryview) -> None:
        """Append to the body. Raises DiskFault, after which nothing is left and the writer is done."""
        assert not self._done, "a body writer that is done"
        try:
            if self._length is not None and self.written + len(chunk) > self._length:
                raise DiskFault(DiskFailure.INCOMPLETE, f"a body of more than its {self._length} bytes")
            if self._file is None and self.written + len(chunk) <= self._ledger.limits.inline_bytes:
                self._head += chunk
                return
            if self._file is None:
                self._open_file()
            assert self._file is not None
            self._file.write(chunk)
        except BaseException as error:
            self._give_up(error)
            raise

    def open_for_reading(self) -> int:
        """A descriptor of the body as far as it is written, for bodyfile.read_back; the caller closes it.

        It stays good after `finish` and `abort`. A body that is still in memory goes to its file. Raises DiskFault, after
        which nothing is left and the writer is done.
        """
        assert not self._done, "a body writer that is done"
        try:
            if self._file is None:
                self._open_file()
            assert self._file is not None
            return self._file.open_for_reading()
        except BaseException as error:
            self._give_up(error)
            raise

    def finish(self, meta: bytes) -> None:
        """The body is complete: store it with `meta`. Raises DiskFault, after which nothing is left."""
        assert not self._done, "a body writer that is done"
        try:
            if self._length is not None and self.written != self._length:
                raise DiskFault(DiskFailure.INCOMPLETE, f"{self.written} of {self._length} bytes")
            self._ledger.limits.check_meta(meta)
            body = InlineBody(bytes(self._head)) if self._file is None else self._file.seal()
            self._ledger.put({self._key: Record(self._generation, meta, body)}, reservation=self._reservation)
        except BaseException as error:
            self._give_up(error)
            raise
        self._done = True

    def abort(self) -> None:
        """Leave nothing. May be called at any time, again, and after `finish` (which stands)."""
        if not self._done:
            self._give_up(None)

    def _open_file(self) -> None:
        self._file = FileWriter(
            bodies_of(self._ledger.root),
            self._key,
            self._generation,
            expected=self._length,
            reserve=self._reservation.grow,  # not a method of ours: a cycle would keep a dropped writer alive
            durable=self._ledger.limits.durable,
            files=self._ledger.files,
        )
        head, self._head = self._head, bytearray()
        self._file.write(memoryview(head))

    def _give_up(self, error: BaseException | None) -> None:
        self._done = True
        self._head = bytearray()
        if self._file is not None:
            self._file.discard()
        self._ledger.give_back(self._reservation)
        if isinstance(error, DiskFault):
            self._ledger.counters.faults[error.why] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def __del__(self) -> None:
        if not getattr(self, "_done", True):
            self.abort()
