"""Bounds and counters of the disk tier.

Owns: `DiskLimits`, each with why it is what it is, and `DiskCounters`, plain integers that are collected on scrape (two
threads that count at once may lose one; nothing is decided by them).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from edge.store.disk_faults import DiskFailure, DiskFault

KB = 1024


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """What the disk tier may use. Sizes in bytes."""

    inline_bytes: int = 32 * KB
    """A body up to this lies in its row; SQLite's own advice puts the break-even with files between 20 and 100 KB."""
    meta_bytes: int = 256 * KB
    """The most that the head of one stored response may serialise to."""
    rows: int = 1_000_000
    """The most responses held by this process: each costs some 500 bytes of memory in the index."""
    variants: int = 64
    """The most variants of one primary; the oldest leaves."""
    busy_seconds: float = 1.0
    """How long a write waits for another process's; ours take a few milliseconds."""
    opening_seconds: float = 30.0
    """How long `open` waits for another process that opens the same directory: some seconds for 1 M responses."""
    idle_files: int = 64
    """Body files kept open after their last reader."""
    open_files: int = 512
    """Body files open for reading at a time; half of the usual limit of 1024 descriptors."""
    batch: int = 64
    """Rows evicted or deleted in one transaction: some 3 ms."""
    touches: int = 256
    """Uses remembered before they are written, so that the order of use survives a restart."""
    durable: bool = False
    """fsync every body and every row. Off: a power cut costs the last seconds' responses, never a wrong byte."""

    def check_meta(self, meta: bytes) -> None:
        """Raises DiskFault(TOO_LARGE) for a meta above the limit."""
        if len(meta) > self.meta_bytes:
            raise DiskFault(DiskFailure.TOO_LARGE, f"a head of {len(meta)} bytes")


@dataclass(slots=True)
class DiskCounters:
    """What happened. Each is a count of events since the start."""

    hits: int = 0
    misses: int = 0
    """Reads that found nothing, or nothing that verified."""
    puts: int = 0
    freshened: int = 0
    deleted: int = 0
    evicted: int = 0
    foreign_rows: int = 0
    """Rows that this product did not write: dropped unread."""
    damaged_records: int = 0
    damaged_bodies: int = 0
    """Body files, or blocks of them, that did not verify."""
    lost_bodies: int = 0
    """Rows whose body file was not there."""
    orphans: int = 0
    """Files without a row, swept at a start."""
    set_aside: int = 0
    """Databases found damaged as a whole."""
    faults: Counter[DiskFailure] = field(default_factory=Counter)
    """Operations that failed, by reason."""
