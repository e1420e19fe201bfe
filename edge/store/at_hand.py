"""Small responses on the disk, read by the event loop itself.

Owns: `AtHand`, `AskedLately`. A hop to a reading thread and back costs more than reading a row out of the page cache, and
while it waits for the interpreter's lock it costs several times that. Rules:
* Only rows: a key of which any variant has its body in a file, or which has more than MOST_VARIANTS, is the threads'.
* Only while that is quick (pace.py): a slow disk holds the loop once, and then no more for a while.
* Whatever is odd is the threads' as well: nothing is dropped, counted as damaged or set aside here.
* What was read does not push others out of memory unless it was asked for before, within about as many disk hits as memory
  holds responses: of a set of responses that is far larger than memory each would displace one that is as good.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final

from edge.metrics import Counter
from edge.semantics.stored import StoredResponse
from edge.store.codec import resident_bytes
from edge.store.disk import DiskTier
from edge.store.loading import head_of
from edge.store.loop_rows import LoopRows
from edge.store.memory import Held, MemoryTier, charge
from edge.store.pace import Pace
from edge.store.pending import Pending

MOST_VARIANTS: Final = 4
LEAST_WINDOW: Final = 64
MOST_WINDOW: Final = 65_536
"""Keys remembered, four bytes each."""
_FINGERPRINT: Final = 0xFFFFFFFF


class AskedLately:
    """Which keys were asked for lately: a table of fingerprints in which a newcomer takes the place of another."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table = array("I", bytes(4 * LEAST_WINDOW))

    def again(self, key: bytes, window: int) -> bool:
        """Whether `key` was asked for within about the last `window` questions; it is from now on."""
        window = min(max(window, LEAST_WINDOW), MOST_WINDOW)
        if not window // 2 <= len(self._table) <= 2 * window:
            self._table = array("I", bytes(4 * window))
        hashed = hash(key)
        at, fingerprint = hashed % len(self._table), hashed >> 32 & _FINGERPRINT
        was = self._table[at] == fingerprint
        self._table[at] = fingerprint
        return was


class AtHand:
    """See the module."""

    __slots__ = ("_asked", "_disk", "_found", "_memory", "_pace", "_pending", "_remember", "_rows")

    def __init__(
        self,
        disk: DiskTier,
        memory: MemoryTier[StoredResponse],
        pending: Pending,
        remember: Callable[[StoredResponse, bytes, int], Held[StoredResponse] | None],
        found: Counter,
        pace: Pace,
    ) -> None:
        """remember: puts a response and its body, of so many bytes together, into memory; None = it is not held.

        found: counts. pace: of the loop's reading, shared with who else reads.
        """
        self._disk = disk
        self._memory = memory
        self._pending = pending
        self._remember = remember
        self._found = found
        self._pace = pace
        self._rows = LoopRows()
        self._asked = AskedLately()

    def brought(self, key: bytes) -> tuple[Held[StoredResponse], ...]:
        """All variants of `key`, which has none in memory; () = `Store.load` has to look.

        They come into memory when it has room or they were asked for lately; else they are in no tier, and good for one
        answer.
        """
        pending = self._pending
        if not self._disk.is_open or pending.waits(key) or pending.is_hidden(key):
            return ()  # what a look-up would see is not what the disk has
        found = self._read(key)
        if not found:
            return ()
        self._found.value += len(found)
        is_wanted = self._asked.again(key, self._memory.objects)
        return tuple(self._held(stored, body, is_wanted=is_wanted) for stored, body in found)

    def _held(self, stored: StoredResponse, body: bytes, *, is_wanted: bool) -> Held[StoredResponse]:
        memory, key, least = self._memory, stored.key, len(body)
        if is_wanted or memory.has_room(key, least):
            size = least + resident_bytes(stored)
            if is_wanted or memory.has_room(key, size):
                newcomer = self._remember(stored, body, size)
                if newcomer is not None:
                    return newcomer
        held = Held(key, stored.nominated, stored, body, charge(key, least))
        held.clean = stored.fence
        return held

    def _read(self, key: bytes) -> list[tuple[StoredResponse, bytes]]:
        """All variants with their bodies; none = a thread has to look. Counts as a use of each."""
        variants = self._disk.variants_in_rows(key, MOST_VARIANTS)
        began = self._pace.begin() if variants else None
        if began is None:
            return []
        found = []
        try:
            for variant in variants:
                record = self._disk.read_now(key, variant, self._rows)
                stored = None if record is None else head_of(record.meta, key, variant)
                if record is None or stored is None or not isinstance(record.body, bytes):
                    return []
                found.append((stored, record.body))
        finally:
            self._pace.end(began)
        return found

    def close(self) -> None:
        """Let go of the database; before the disk tier does, which then is the last to do so."""
        self._rows.close()
