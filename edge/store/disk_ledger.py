"""The write side of the disk tier: one lock, the rows, the index, and room.

Owns: `Ledger`. Rules. Rows and index change together under one lock, so that the index is exact; SQLite has a single
writer anyway. Nothing is removed from the index before its row is gone, nothing is added before its row is there. Body
files are unlinked after the lock is released: unlinking 1 GB takes tens of milliseconds. Whatever fails leaves rows and
index as they were. All of this blocks, see disk.py.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.store.bodyfile import file_name, unlink
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_index import DiskIndex, Held
from edge.store.disk_layout import bodies_of, open_directory, sweep
from edge.store.disk_limits import DiskCounters, DiskLimits
from edge.store.nopickle import ForeignRow
from edge.store.openfiles import OpenFiles
from edge.store.record import PRIMARY_BYTES, FiledBody, Record, accounted_bytes, digest_of, encode
from edge.store.rows import BrokenDatabase, NewRow, Rows

_log = logging.getLogger("perigee.store")


class Reservation:
    """Bytes of a body that is being written. `Ledger.reserve` makes it grow, `give_back` ends it, from any thread."""

    __slots__ = ("_ledger", "nbytes")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.nbytes = 0

    def grow(self, nbytes: int) -> None:
        """`nbytes` more are about to be written: make room. Raises DiskFault."""
        self._ledger.reserve(self, nbytes)


class Ledger:
    """What this process holds on the disk, and the only one that changes it."""

    def __init__(
        self,
        root: Path,
        ceiling: int,
        *,
        owns: Callable[[bytes], bool],
        limits: DiskLimits,
        counters: DiskCounters,
    ) -> None:
        self.root = root
        self.ceiling = ceiling
        self.owns = owns
        self.index = DiskIndex()
        self.files = OpenFiles(idle=limits.idle_files, most=limits.open_files)
        self.limits = limits
        self.counters = counters
        self._lock = threading.Lock()
        self._rows: Rows | None = None
        # Given back by whoever drops a writer, which may be the garbage collector: so by one operation without a lock.
        self._reservations: set[Reservation] = set()
        self._touched: deque[bytes] = deque(maxlen=16 * limits.touches)

    @property
    def used_bytes(self) -> int:
        """Accounted bytes of rows, files, and bodies being written."""
        return self.index.bytes + self._in_flight()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._rows is not None

    @property
    def rows(self) -> Rows:
        """For reading. Raises DiskFault(NOT_OPEN)."""
        rows = self._rows
        if rows is None:
            raise DiskFault(DiskFailure.NOT_OPEN, str(self.root))
        return rows

    def open(self) -> None:
        """Open the directory, load the index, sweep what no row speaks of."""
        with self._locked():
            self._open(None)

    def close(self) -> None:
        """Write what was touched and let go of the directory. Bodies that are being read stay readable."""
        with self._locked():
            rows, self._rows = self._rows, None
            if rows is None:
                return
            try:
                rows.change(touches=self._take_touches())
            except DiskFault as fault:
                self.counters.faults[fault.why] += 1
            rows.close()
            self.index = DiskIndex()
            self.files.forget_all()

    def reserve(self, reservation: Reservation, nbytes: int) -> None:
        """Make room for `nbytes` more. Raises DiskFault."""
        if reservation.nbytes + nbytes > self.ceiling:
            raise DiskFault(DiskFailure.TOO_LARGE, f"a body of more than {reservation.nbytes} bytes")
        gone: list[Held] = []
        with self._writing() as rows:
            gone = self._make_room(rows, nbytes, 0)
            self._drop(rows, gone)
            reservation.nbytes += nbytes
            self._reservations.add(reservation)
        self._bury(gone)

    def give_back(self, reservation: Reservation) -> None:
        """The body was given up. For any thread, may be called again."""
        self._reservations.discard(reservation)

    def _in_flight(self, without: Reservation | None = None) -> int:
        return sum(each.nbytes for each in tuple(self._reservations) if each is not without)

    def put(self, records: dict[bytes, Record], *, reservation: Reservation | None = None) -> None:
        """Write rows, replacing what has the same keys; all of them or, with a DiskFault, none.

        reservation: of their body file, which counts as theirs from here on.
        """
        rows_new = [_row(key, record) for key, record in records.items()]
        arriving = [Held(row.key, accounted_bytes(row.value), row.generation) for row in rows_new]
        size = sum(held.size for held in arriving)
        if size > self.ceiling:
            raise DiskFault(DiskFailure.TOO_LARGE, f"{size} bytes of a ceiling of {self.ceiling}")
        with self._writing() as rows:
            victims = self._make_room(rows, size, len(arriving), own=reservation)
            surplus = self._surplus(arriving, victims)
            touches = self._take_touches() if len(self._touched) >= self.limits.touches else ()
            deletes = [held.key for held in (*victims, *surplus)]
            try:
                rows.change(puts=rows_new, deletes=deletes, touches=touches)
            except BaseException:
                self._readmit(victims)
                raise
            if reservation is not None:
                self.give_back(reservation)
            for victim in victims:
                self.index.expel(victim)
            for held in surplus:
                self.index.remove(held)
            replaced = [self.index.add(held) for held in arriving]
            self.counters.evicted += len(deletes)
            self.counters.puts += len(arriving)
        self._bury([*victims, *surplus, *(held for held in replaced if held is not None)])

    def rewrite(self, key: bytes, expected: bytes, record: Record) -> bool:
        """Put `record`, which has the body of the one that `expected` encodes, in its place. False: it is not there."""
        row = _row(key, record)
        size = accounted_bytes(row.value)
        gone: list[Held] = []
        with self._writing() as rows:
            held = self.index.get(key)
            if held is None or rows.get(key) != expected:
                return False
            gone = self._make_room(rows, max(0, size - held.size), 0)
            self._drop(rows, gone)
            if held not in gone:
                rows.change(puts=[row])
                self.index.resize(held, size)
                self.counters.freshened += 1
        self._bury(gone)
        return held not in gone

    def delete(self, keys: Iterable[bytes]) -> int:
        """Delete rows and bodies, in one transaction; how many there were."""
        with self._writing() as rows:
            gone = self._delete(rows, keys)
        self._bury(gone)
        return len(gone)

    def delete_unchanged(self, digests: Mapping[bytes, bytes]) -> set[bytes]:
        """Delete those rows whose values still have these digests, in one transaction; their keys."""
        with self._writing() as rows:
            same = [key for key, digest in digests.items() if _digest_in(rows, key) == digest]
            gone = self._delete(rows, same)
        self._bury(gone)
        return {held.key for held in gone}

    def _delete(self, rows: Rows, keys: Iterable[bytes]) -> list[Held]:
        """Under the lock."""
        gone = [held for key in keys if (held := self.index.get(key)) is not None]
        if gone:
            rows.change(deletes=[held.key for held in gone])
            for held in gone:
                self.index.remove(held)
            self.counters.deleted += len(gone)
        return gone

    def discard(self, key: bytes, value: bytes | None) -> None:
        """Drop the row `key` because it does not verify, if it still holds `value` (None: a row that is not ours).

        Only the owner does. Never raises: what cannot be dropped now fails to verify again.
        """
        if not self.owns(key[:PRIMARY_BYTES]):
            return
        gone: list[Held] = []
        try:
            with self._writing() as rows:
                try:
                    if rows.get(key) != value:
                        return
                except ForeignRow:
                    if value is not None:
                        return
                rows.change(deletes=[key])
                held = self.index.get(key)
                if held is not None:
                    self.index.remove(held)
                    gone.append(held)
        except DiskFault as fault:
            self.counters.faults[fault.why] += 1
        self._bury(gone)

    def touch(self, held: Held) -> None:
        """`held` was used. For any thread; one attribute write when it was used since the hand last passed."""
        if not held.visited:
            held.visited = True
            self._touched.append(held.key)

    def tend(self) -> None:
        """Write what was touched, and give a little free space of the database back. Raises DiskFault."""
        with self._writing() as rows:
            touches = self._take_touches()
            if touches:
                rows.change(touches=touches)
            rows.give_back()

    def recover(self, broken: Rows) -> None:
        """The database `broken`, which a reader was using, is damaged: start over, unless somebody already has."""
        with self._locked():
            if self._rows is broken:
                self._start_over(broken)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Each holder waits for another process once at most; a few in a row may.
        if not self._lock.acquire(timeout=4 * self.limits.busy_seconds):
            raise DiskFault(DiskFailure.BUSY, "other threads are writing")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[Rows]:
        with self._locked():
            rows = self.rows
            if not rows.is_in_place:
                # Another process has set the database aside; what we hold went with it.
                rows.close()
                rows = self._open(None)
            try:
                yield rows
            except BrokenDatabase:
                self._start_over(rows)
                raise

    def _start_over(self, broken: Rows) -> None:
        _log.error(
            "the disk store is damaged: starting over with an empty one", extra={"directory": str(self.root)}
        )
        broken.close()
        try:
            self._open(broken)
        except DiskFault as fault:
            self.counters.faults[fault.why] += 1
            _log.exception("the disk store cannot be opened again; going on without")

    def _open(self, broken: Rows | None) -> Rows:
        """Under the lock."""
        limits, counters = self.limits, self.counters
        self._rows = None
        self.index = DiskIndex()  # whoever fails from here on holds nothing
        self.files.forget_all()
        opened = open_directory(self.root, limits, broken=broken)
        index = DiskIndex()
        unwanted: list[Held] = []
        for row in opened.seen:
            primary = row.key[:PRIMARY_BYTES]
            if not self.owns(primary):
                continue
            held = Held(row.key, row.size, row.generation)
            if row.size > self.ceiling or len(index.under(primary)) >= limits.variants:
                unwanted.append(held)
            else:
                index.add(held)
        generations = {held.key: held.generation for held in index if held.generation is not None}
        found, orphans = sweep(bodies_of(self.root), owns=self.owns, generation_of=generations.get)
        lost = [held for held in index if held.generation is not None and held.key not in found]
        for held in lost:
            index.remove(held)
        for batch in _batches([*unwanted, *lost], limits.batch):
            opened.rows.change(deletes=[held.key for held in batch])
        counters.set_aside += opened.set_aside
        counters.foreign_rows += opened.foreign
        counters.lost_bodies += len(lost)
        counters.orphans += orphans
        self.index, self._rows = index, opened.rows
        gone = self._make_room(opened.rows, 0, 0)  # the ceiling may have been lowered
        self._drop(opened.rows, gone)
        self._bury([*gone, *unwanted])
        return opened.rows

    def _make_room(
        self, rows: Rows, nbytes: int, nrows: int, *, own: Reservation | None = None
    ) -> list[Held]:
        """Evict until `nbytes` and `nrows` more fit; own: what of that is reserved already.

        The last batch of victims is returned, still to be deleted: a write that displaces a few rows does so in its own
        transaction.
        """
        index, limits = self.index, self.limits
        in_flight = self._in_flight(own)
        if in_flight + nbytes > self.ceiling:
            raise DiskFault(DiskFailure.NO_ROOM, f"{in_flight} bytes are being written")
        while True:
            over = max(0, index.bytes + in_flight + nbytes - self.ceiling)
            surplus = max(0, len(index) + nrows - limits.rows)
            victims = index.victims(over, surplus, most=limits.batch)
            if sum(victim.size for victim in victims) >= over and len(victims) >= surplus:
                return victims
            assert victims, (over, surplus, index.bytes)
            self._drop(rows, victims)
            self._bury(victims)

    def _drop(self, rows: Rows, victims: Sequence[Held]) -> None:
        """Delete victims, which have left the order of eviction, and expel them."""
        if not victims:
            return
        try:
            rows.change(deletes=[victim.key for victim in victims])
        except BaseException:
            self._readmit(victims)
            raise
        for victim in victims:
            self.index.expel(victim)
        self.counters.evicted += len(victims)

    def _readmit(self, victims: Iterable[Held]) -> None:
        for victim in victims:
            self.index.readmit(victim)

    def _surplus(self, arriving: Sequence[Held], victims: Sequence[Held]) -> list[Held]:
        """The oldest variants of primaries that have more than the limit with the arriving ones."""
        surplus: list[Held] = []
        keys = {held.key for held in arriving}
        out = {victim.key for victim in victims}
        for primary, coming in Counter(key[:PRIMARY_BYTES] for key in keys).items():
            staying = [
                held for held in self.index.under(primary) if held.key not in keys and held.key not in out
            ]
            surplus += staying[: max(0, len(staying) + coming - self.limits.variants)]
        return surplus

    def _take_touches(self) -> set[bytes]:
        """Keys whose use is to be written; those of rows that are gone do no harm."""
        touches: set[bytes] = set()
        while self._touched and len(touches) < self.limits.touches:
            touches.add(self._touched.popleft())
        return touches

    def _bury(self, gone: Iterable[Held]) -> None:
        """Unlink the bodies of rows that are gone."""
        for held in gone:
            if held.generation is not None:
                name = file_name(held.key, held.generation)
                self.files.forget(name)
                unlink(bodies_of(self.root) / name)


def _row(key: bytes, record: Record) -> NewRow:
    generation = record.generation if isinstance(record.body, FiledBody) else None
    return NewRow(key, encode(key, record), generation)


def _digest_in(rows: Rows, key: bytes) -> bytes | None:
    """None when there is no row of ours."""
    try:
        value = rows.get(key)
    except ForeignRow:
        return None
    return None if value is None else digest_of(value)


def _batches(held: Sequence[Held], most: int) -> Iterator[Sequence[Held]]:
    for start in range(0, len(held), most):
        yield held[start : start + most]
