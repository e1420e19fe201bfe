"""All that a worker's store holds, for those who go through it from one end to the other.

Owns: `Contents`, `StoredRow`. It knows how to look at much without getting in the way: what is read from the disk is read
in the store's threads, counts as no use, and moves nothing into memory. Rules:
* What is there is named by a list of keys, made at once (2 ms for 200,000); whoever goes through it finds at each key what
  is there by then.
* A row is dropped if it still is as it was looked at, and nothing waits to be written for its key: so what came
  meanwhile stays, whatever it is.
* Of the disk a worker sees what it owns. In memory it has copies of what others own, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from edge.semantics.stored import StoredResponse
from edge.store.bodies import Run
from edge.store.disk import DiskRow, DiskTier
from edge.store.loading import head_of
from edge.store.memory import Held, MemoryTier
from edge.store.writing import WriteBehind

ROWS = 64
"""Rows read, or deleted, at a time: some 4 ms of a thread, which lets go of the interpreter several times a row."""

KEYS = 1024
"""Keys looked up in the index at a time: 0.5 ms of the loop, where all that they had is gone by now."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of the disk. stored: what it says, None = nothing to us (another version wrote it)."""

    row: DiskRow
    stored: StoredResponse | None


class Contents:
    """See the module. It is a part of the store: it shares its memory, disk, threads and look-ups.

    forget_one: for what waits to be written. look_again: called with a key whose rows are not what they were.
    """

    def __init__(
        self,
        memory: MemoryTier[StoredResponse],
        disk: DiskTier | None,
        writing: WriteBehind | None,
        *,
        owns: Callable[[bytes], bool],
        read: Run,
        forget_one: Callable[[StoredResponse], None],
        look_again: Callable[[bytes], None],
    ) -> None:
        self.owns = owns
        self._memory = memory
        self._disk = disk
        self._writing = writing
        self._read = read
        self._forget_one = forget_one
        self._look_again = look_again

    def keys_in_memory(self) -> list[bytes]:
        """Those of all that is in memory now."""
        return self._memory.keys()

    def keys_on_disk(self) -> list[bytes]:
        """Those of all that is on the disk now and is ours; none when it is not open."""
        return self._disk.primaries() if self._disk is not None and self._disk.is_open else []

    def keys_that_wait(self) -> list[bytes]:
        """Those for which something waits to be written; look at them when nothing does any more."""
        return self._writing.pending.keys() if self._writing is not None else []

    def waits(self, key: bytes) -> bool:
        """Whether something waits to be written for `key`."""
        return self._writing is not None and self._writing.pending.waits(key)

    def held(self, key: bytes) -> tuple[Held[StoredResponse], ...]:
        """What is in memory under `key`."""
        return self._memory.get(key)

    def batches(self, keys: Iterable[bytes]) -> Iterator[list[bytes]]:
        """Those that have anything on the disk now, as many at a time as have some `ROWS` rows; see `look`."""
        batch: list[bytes] = []
        rows = seen = 0
        for key in keys:
            here = len(self._disk.variants(key)) if self._disk is not None else 0
            seen += 1
            if here:
                batch.append(key)
                rows += here
            if rows >= ROWS or seen >= KEYS:
                yield batch
                batch, rows, seen = [], 0, 0
        if batch:
            yield batch

    async def look(self, keys: Sequence[bytes]) -> list[StoredRow]:
        """What the disk holds under these keys: a batch of `batches`. Raises StoreFault."""
        disk = self._disk
        if disk is None or not keys:
            return []
        return await self._read(partial(_look, disk, keys))

    def drop_held(self, held: Held[StoredResponse]) -> None:
        """Drop it from memory. What waits to be written of it is not; what is on the disk is `drop_rows`'s."""
        if self.waits(held.key):
            self._forget_one(held.value)
        elif held in self._memory:
            self._memory.remove(held.key, held.identity)

    async def drop_rows(self, rows: Iterable[StoredRow]) -> list[StoredRow]:
        """Drop them from the disk; those that were. Raises StoreFault.

        Memory may have copies: `drop_held` is for them.
        """
        disk, writing = self._disk, self._writing
        if disk is None or writing is None:
            return []
        # Behind what waits for a key something newer may stand that goes by the row: the head that freshened it.
        idle = {each.row: each for each in rows if not writing.pending.waits(each.row.primary)}
        if not idle:
            return []
        gone = await writing.run(lambda: disk.delete_unchanged(idle))
        for row in gone:
            self._look_again(row.primary)
        return [idle[row] for row in gone]


def _look(disk: DiskTier, keys: Sequence[bytes]) -> list[StoredRow]:
    return [
        StoredRow(row, head_of(row.meta, row.primary, row.variant)) for key in keys for row in disk.look(key)
    ]
