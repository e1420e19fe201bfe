"""A key read from the disk: every variant, with its body when that is small.

Owns: `load_all`, `head_of`. It blocks: a reading thread of the store calls it. Rule: whatever is wrong with one variant is
a miss of that variant only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from edge.errors import StoreFault
from edge.semantics.key import variant_digest
from edge.semantics.stored import StoredResponse
from edge.store.codec import decode
from edge.store.disk import DiskRecord, DiskTier

SMALL_BYTES = 1024 * 1024
"""A larger body stays on the disk: a thread would read for milliseconds what perhaps nobody wants."""
MAX_BYTES = 8 * SMALL_BYTES
"""The most that one look-up brings into memory: a key may have dozens of variants."""


@dataclass(slots=True, eq=False)
class Opening:
    """A body being opened. is_void: its key has changed meanwhile."""

    is_void: bool = False


@dataclass(slots=True)
class Loaded:
    """found: with the body, None = it stays on the disk. outcomes: words of the metric. unreadable: digests of variants."""

    found: list[tuple[StoredResponse, bytes | None]] = field(default_factory=list)
    faults: list[StoreFault] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    unreadable: list[bytes] = field(default_factory=list)


def load_all(disk: DiskTier, key: bytes, max_body: int) -> Loaded:
    """Everything that `disk` holds for `key`. max_body: bytes of a body that memory would take."""
    loaded = Loaded()
    left = MAX_BYTES
    for variant, _ in disk.variants(key):
        try:
            record = disk.read(key, variant)
            if record is None:
                loaded.outcomes["absent"] += 1
                continue
            stored = head_of(record.meta, key, variant)
            if stored is None:
                loaded.unreadable.append(variant)
                loaded.outcomes["corrupt"] += 1
            body = _small_body(record, min(max_body, left, SMALL_BYTES), wanted=stored is not None)
        except StoreFault as fault:
            loaded.faults.append(fault)
            loaded.outcomes["failed"] += 1
            continue
        if stored is not None:
            loaded.found.append((stored, body))
            loaded.outcomes["found"] += 1
            left -= len(body or b"")
    return loaded


def head_of(meta: bytes, key: bytes, variant: bytes) -> StoredResponse | None:
    """The head that a record says; None when it is of another version, or does not belong there."""
    try:
        stored = decode(meta)
    except ValueError:
        return None
    return stored if stored.key == key and variant_digest(stored.nominated) == variant else None


def _small_body(record: DiskRecord, most: int, *, wanted: bool) -> bytes | None:
    body = record.body
    if isinstance(body, bytes):
        return body
    with body:
        return body.pread(0, body.length) if wanted and body.length <= most else None
