"""The disk tier: stored responses in a directory, bytes only, every byte verified before it is served.

Owns: `DiskTier`, `DiskRecord`. What lies under it: disk_writer.py (a body on its way),
disk_ledger.py (the write side), rows.py (diskcache, SQLite), record.py (what a row holds), bodyfile.py (larger bodies),
disk_index.py (what is there, in memory), disk_layout.py (the directory).

Who may call what. Everything here blocks and is called from the store's own threads, any number of them - except
`variants`, `index`, `primaries`, `touch` and `used_bytes`, which touch neither disk nor lock and are for the event loop, and
`read_now`, which is for it as long as the disk is quick (at_hand.py).

Rules.
* A key belongs to one process (`owns`, by primary digest): it alone writes, deletes and evicts it, and has it in its
  index. Reading is open to all. SQLite has one writer at a time; waiting for it is bounded.
* Order of a write: body file under its part name, rename, row, then the old body is unlinked. A kill between any two
  leaves a file without a row, which is swept at the next start, and never a row without its bytes.
* Damage is a miss and a counter: the row is dropped if it still is the one that was read. A damaged database is set
  aside as a whole and an empty one takes its place, loudly, while the node serves on.
* The ceiling counts rows, files, and what is being written. Room is made before bytes are written, a few rows at a
  time, so that no write waits for the eviction of everything that a large body displaces.
* Whatever fails raises DiskFault (a StoreFault), and what was there before is still there.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edge.store.bodyreading import BodyFile, open_body
from edge.store.disk_faults import DiskFailure, DiskFault
from edge.store.disk_layout import bodies_of
from edge.store.disk_ledger import Ledger
from edge.store.disk_limits import DiskCounters, DiskLimits
from edge.store.disk_writer import BodyWriter
from edge.store.loop_rows import LoopRows
from edge.store.nopickle import ForeignRow
from edge.store.record import (
    GENERATION_BYTES,
    OVERHEAD_BYTES,
    PRIMARY_BYTES,
    VARIANT_BYTES,
    DiskRow,
    FiledBody,
    InlineBody,
    Record,
    SmallPut,
    decode,
    digest_of,
    filed_bytes,
    row_bytes,
)
from edge.store.rows import BrokenDatabase

__all__ = ["NO_VARY", "BodyWriter", "DiskRecord", "DiskRow", "DiskTier", "SmallPut", "Variants"]

NO_VARY: Final = bytes(VARIANT_BYTES)
"""The variant digest of a response without Vary."""

DRAWN: Final = 128
"""Generations whose octets are drawn at once."""

_READS: Final = 4
"""How often a read begins again because the response was being replaced; each time it was replaced once more."""

Variants = tuple[tuple[bytes, int], ...]
"""(variant digest, accounted bytes) of what is held for a primary, oldest first."""


@dataclass(frozen=True, slots=True)
class DiskRecord:
    """One stored response as read: verified, a BodyFile block by block as it is read; close that one.

    generation: a name of the body, kept by `replace_meta`; what `replace_meta` and `delete` can be tied to.
    """

    meta: bytes
    body: bytes | BodyFile
    generation: bytes


def _everything(_primary: bytes) -> bool:
    return True


_drawn: deque[bytes] = deque()


def _new_generation() -> bytes:
    """Chance is drawn for many at a time, for it is a system call. From any thread."""
    try:
        return _drawn.popleft()
    except IndexError:
        drawn = secrets.token_bytes(DRAWN * GENERATION_BYTES)
        _drawn.extend(
            drawn[at : at + GENERATION_BYTES] for at in range(GENERATION_BYTES, len(drawn), GENERATION_BYTES)
        )
        return drawn[:GENERATION_BYTES]


def _row_key(primary: bytes, variant: bytes) -> bytes:
    assert len(primary) == PRIMARY_BYTES, primary
    assert len(variant) == VARIANT_BYTES, variant
    return primary + variant


class DiskTier:
    """The stored responses in one directory; see the head of this module.

    directory: made when it is not there, mode 0700. ceiling_bytes: for what this process owns. owns: whether a primary
    digest is this process's; must not change while it runs, and give every primary to exactly one of the processes.
    generation: 8 bytes, new each time.
    """

    def __init__(
        self,
        directory: Path,
        ceiling_bytes: int,
        *,
        owns: Callable[[bytes], bool] = _everything,
        limits: DiskLimits | None = None,
        counters: DiskCounters | None = None,
        generation: Callable[[], bytes] = _new_generation,
    ) -> None:
        self.limits = limits or DiskLimits()
        self.counters = counters or DiskCounters()
        self._owns = owns
        self._generation = generation
        self._ledger = Ledger(
            directory.absolute(), ceiling_bytes, owns=owns, limits=self.limits, counters=self.counters
        )

    def open(self) -> None:
        """Make or open the directory, load the index, sweep orphans; some 0.7 s for 100,000 responses.

        Raises DiskFault when the directory cannot be used. May be called again after that.
        """
        with self._counted():
            self._ledger.open()

    def close(self) -> None:
        """Let go of the directory. Bodies that are being read stay readable."""
        with self._counted():
            self._ledger.close()

    @property
    def is_open(self) -> bool:
        """False before `open`, after `close`, and when a damaged directory could not be replaced: try `open` again."""
        return self._ledger.is_open

    # For the event loop: neither disk nor lock, but for `read_now`.

    def variants(self, primary: bytes) -> Variants:
        """What is held for `primary`; () when nothing is, or when another process owns it."""
        return tuple((held.variant, held.size) for held in self._ledger.index.under(primary))

    def index(self) -> Mapping[bytes, Variants]:
        """All that is held, as of now: a copy."""
        index = self._ledger.index
        return {primary: held for primary in index.primaries() if (held := self.variants(primary))}

    def primaries(self) -> list[bytes]:
        """Those of all that is held, as of now: a copy, 10 ms for a million."""
        return self._ledger.index.primaries()

    def touch(self, primary: bytes, variant: bytes) -> None:
        """It was used (from memory, say). Written in batches; nothing happens when it is not held."""
        held = self._ledger.index.get(primary + variant)
        if held is not None:
            self._ledger.touch(held)

    @property
    def used_bytes(self) -> int:
        """Accounted bytes of all that is held and of bodies being written; at most the ceiling."""
        return self._ledger.used_bytes

    def __len__(self) -> int:
        return len(self._ledger.index)

    def variants_in_rows(self, primary: bytes, most: int) -> list[bytes]:
        """All variants of `primary`, if there are at most so many and each has its body in its row; else none."""
        under = self._ledger.index.under(primary)
        if len(under) > most or any(held.generation is not None for held in under):
            return []
        return [held.variant for held in under]

    def read_now(self, primary: bytes, variant: bytes, rows: LoopRows) -> DiskRecord | None:
        """As `read`, out of a row and for the event loop. None: nothing that could be had without more ado, ask `read`."""
        key = primary + variant
        held = self._ledger.index.get(key)
        if held is None or not self._ledger.is_open:
            return None
        value = rows.get(self._ledger.rows, key)
        if value is None:
            return None
        try:
            record = decode(key, value)
        except DiskFault:
            return None  # `read` meets it, counts it, and drops the row
        if not isinstance(record.body, InlineBody):
            return None
        self.counters.hits += 1
        self._ledger.touch(held)
        return DiskRecord(record.meta, record.body.body, record.generation)

    # For the store's threads.

    def read(self, primary: bytes, variant: bytes = NO_VARY) -> DiskRecord | None:
        """What is stored there; None when nothing is, or nothing that verifies. Counts as a use. Raises DiskFault."""
        key = _row_key(primary, variant)
        with self._counted():
            held = self._ledger.index.get(key)
            found = self._read(key) if held is not None or not self._owns(primary) else None
        if found is None:
            self.counters.misses += 1
        else:
            self.counters.hits += 1
            if held is not None:
                self._ledger.touch(held)
        return found

    def look(self, primary: bytes) -> list[DiskRow]:
        """What is held for `primary`, as its rows say: bodies in files are not looked at. Not a use. Raises DiskFault."""
        rows = []
        with self._counted():
            for held in self._ledger.index.under(primary):
                found = self._record(held.key)
                if found is not None:
                    value, record = found
                    rows.append(DiskRow(primary, held.variant, record.meta, digest_of(value), held.size))
        return rows

    def begin(self, primary: bytes, variant: bytes, length: int | None) -> BodyWriter:
        """Start writing a body of `length` bytes (None: not known yet). Raises DiskFault."""
        with self._counted():
            self._check_owned(primary)
            least = filed_bytes(length or 0) + row_bytes(OVERHEAD_BYTES)
            if length is not None and least > self._ledger.ceiling:
                raise DiskFault(DiskFailure.TOO_LARGE, f"a body of {length} bytes")
            return BodyWriter(self._ledger, _row_key(primary, variant), self._generation(), length)

    def put_small(self, primary: bytes, variant: bytes, meta: bytes, body: bytes) -> None:
        """Store a response whose body is at hand; a body above `inline_bytes` goes to a file. Raises DiskFault."""
        if len(body) > self.limits.inline_bytes:
            with self.begin(primary, variant, len(body)) as writer:
                writer.write(body)
                writer.finish(meta)
        else:
            self.put_many((SmallPut(primary, variant, meta, body),))

    def put_many(self, puts: tuple[SmallPut, ...]) -> None:
        """Store several responses with bodies up to `inline_bytes` in one transaction: all or, with a DiskFault, none.

        Of two with the same key the later counts. A few dozen at a time are twice as fast as one by one.
        """
        with self._counted():
            records: dict[bytes, Record] = {}
            for put in puts:
                self._check_owned(put.primary)
                self.limits.check_meta(put.meta)
                assert len(put.body) <= self.limits.inline_bytes, len(put.body)
                key = _row_key(put.primary, put.variant)
                records[key] = Record(self._generation(), put.meta, InlineBody(put.body))
            self._ledger.put(records)

    def replace_meta(self, primary: bytes, variant: bytes, meta: bytes, *, of: bytes | None = None) -> bool:
        """Give what is stored another meta (a 304 freshened it); a body in a file is not touched.

        of: the generation that it must have, None = whichever. False when it is not there (any more). Raises DiskFault.
        """
        key = _row_key(primary, variant)
        with self._counted():
            self._check_owned(primary)
            self.limits.check_meta(meta)
            found = self._record(key)
            if found is None or of not in {None, found[1].generation}:
                return False
            value, record = found
            return self._ledger.rewrite(key, value, replace(record, meta=meta))

    def delete(self, primary: bytes, variant: bytes) -> bool:
        """Delete one variant; whether there was one. Raises DiskFault."""
        with self._counted():
            return self._ledger.delete((_row_key(primary, variant),)) > 0

    def delete_unchanged(self, rows: Iterable[DiskRow]) -> list[DiskRow]:
        """Delete those that are still as they were looked at, in one transaction; which they were. Raises DiskFault."""
        looked_at = {_row_key(row.primary, row.variant): row for row in rows}
        with self._counted():
            gone = self._ledger.delete_unchanged({key: row.digest for key, row in looked_at.items()})
        return [row for key, row in looked_at.items() if key in gone]

    def delete_primary(self, primary: bytes) -> int:
        """Delete all variants; how many there were. Raises DiskFault."""
        with self._counted():
            return self._ledger.delete([held.key for held in self._ledger.index.under(primary)])

    def clear(self) -> int:
        """Delete all that is held now, in batches; how many there were. Raises DiskFault, having deleted some."""
        with self._counted():
            keys = [held.key for held in self._ledger.index]
            most = self.limits.batch
            return sum(self._ledger.delete(keys[start : start + most]) for start in range(0, len(keys), most))

    def tend(self) -> None:
        """To be called every few seconds: writes uses, gives freed space of the database back. Raises DiskFault."""
        with self._counted():
            self._ledger.tend()

    def _check_owned(self, primary: bytes) -> None:
        if not self._owns(primary):
            raise DiskFault(DiskFailure.NOT_OWNED, primary.hex())

    def _read(self, key: bytes) -> DiskRecord | None:
        missing: bytes | None = None
        for _ in range(_READS):
            found = self._record(key)
            if found is None:
                return None
            value, record = found
            if isinstance(record.body, InlineBody):
                return DiskRecord(record.meta, record.body.body, record.generation)
            if value == missing:
                # Twice the same row and no file: it was not being replaced, the file is gone.
                self.counters.lost_bodies += 1
                self._ledger.discard(key, value)
                return None
            body = self._open_body(key, value, record, record.body)
            if body is not None:
                return DiskRecord(record.meta, body, record.generation)
            missing = value
        return None

    def _record(self, key: bytes) -> tuple[bytes, Record] | None:
        """The row's value and what it says; None when there is none that verifies."""
        rows = self._ledger.rows
        try:
            value = rows.get(key)
        except ForeignRow:
            self.counters.foreign_rows += 1
            self._ledger.discard(key, None)
            return None
        except BrokenDatabase:
            self._ledger.recover(rows)
            return None
        if value is None:
            return None
        try:
            return value, decode(key, value)
        except DiskFault:
            self.counters.damaged_records += 1
            self._ledger.discard(key, value)
            return None

    def _open_body(self, key: bytes, value: bytes, record: Record, body: FiledBody) -> BodyFile | None:
        """None when there is no such file, or one that does not verify (then the row is dropped)."""

        def damaged() -> None:
            self.counters.damaged_bodies += 1
            self._ledger.discard(key, value)

        try:
            return open_body(
                bodies_of(self._ledger.root),
                key,
                record.generation,
                body,
                files=self._ledger.files,
                damaged=damaged,
            )
        except FileNotFoundError:
            return None
        except DiskFault as fault:
            if fault.why is not DiskFailure.DAMAGED:
                raise
            damaged()
            return None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except DiskFault as fault:
            self.counters.faults[fault.why] += 1
            raise
