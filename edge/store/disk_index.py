"""What lies on the disk, in memory: the index of the disk tier, and who leaves when room is needed.

Owns: `Held`, `DiskIndex`. Rules: a question from the event loop (`under`, `get`) takes no lock and touches no disk: it
reads one dictionary whose values are tuples that are replaced, never changed. Everything that changes the index is
called under the tier's lock. The policy is SIEVE (eviction.py): a use is one attribute write; admission to the disk is
decided before (second hit, size), so a scan seldom gets here, and S3-FIFO's ghosts would cost 0.6 % of the disk in RAM.
diskcache's own culling is off: it writes a row for every hit, and makes ten victims at most for what is being stored,
however large that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.store.eviction import Resident, Sieve
from edge.store.record import PRIMARY_BYTES

_NOBODY: Final = Resident(b"", 0)


class Held(Resident):
    """One stored response on the disk. key: the row key; size: accounted bytes.

    generation: of its body file, None when the body lies in the row.
    """

    __slots__ = ("generation",)

    generation: bytes | None

    def __init__(self, key: bytes, size: int, generation: bytes | None) -> None:
        super().__init__(key, size)
        self.generation = generation

    @property
    def variant(self) -> bytes:
        """The variant's digest."""
        return self.key[PRIMARY_BYTES:]


class DiskIndex:
    """Primary digest -> what is held for it, and the order of eviction."""

    __slots__ = ("_by_primary", "_policy", "bytes", "length")

    def __init__(self) -> None:
        self._by_primary: dict[bytes, tuple[Held, ...]] = {}
        self._policy = Sieve()
        self.bytes = 0
        """Accounted bytes of all that is held."""
        self.length = 0

    def under(self, primary: bytes) -> tuple[Held, ...]:
        """What is held for `primary`, oldest first. Safe from any thread."""
        return self._by_primary.get(primary, ())

    def get(self, key: bytes) -> Held | None:
        """What is held in the row `key`. Safe from any thread."""
        for held in self._by_primary.get(key[:PRIMARY_BYTES], ()):
            if held.key == key:
                return held
        return None

    def primaries(self) -> list[bytes]:
        """All primaries that have anything, at this moment."""
        return list(self._by_primary)

    def __iter__(self) -> Iterator[Held]:
        for primary in self.primaries():
            yield from self.under(primary)

    def __len__(self) -> int:
        return self.length

    def add(self, held: Held) -> Held | None:
        """Put `held` in; what it replaces is returned and has left."""
        replaced = self.get(held.key)
        if replaced is not None:
            self.remove(replaced)
        primary = held.key[:PRIMARY_BYTES]
        self._by_primary[primary] = (*self.under(primary), held)
        self.readmit(held)
        self.bytes += held.size
        self.length += 1
        return replaced

    def remove(self, held: Held) -> None:
        """Take `held`, which is in the policy's order, out."""
        self._policy.remove(held)
        self.expel(held)

    def expel(self, victim: Held) -> None:
        """Take out a victim that `victims` has already taken from the order."""
        primary = victim.key[:PRIMARY_BYTES]
        rest = tuple(each for each in self.under(primary) if each is not victim)
        if rest:
            self._by_primary[primary] = rest
        else:
            del self._by_primary[primary]
        self.bytes -= victim.size
        self.length -= 1

    def victims(self, nbytes: int, rows: int, *, most: int) -> list[Held]:
        """Who leaves so that `nbytes` bytes and `rows` rows become free; at most `most`, fewer when none is left.

        They have left the order of eviction but are still held: the caller goes on with `expel`, or, when they could
        not be deleted, with `readmit`.
        """
        chosen: list[Held] = []
        freed = 0
        while (freed < nbytes or len(chosen) < rows) and len(chosen) < min(most, self.length):
            victim = self._policy.victim(_NOBODY)
            assert isinstance(victim, Held), victim
            chosen.append(victim)
            freed += victim.size
        return chosen

    def resize(self, held: Held, size: int) -> None:
        """`held` is charged `size` bytes from now on; its place in the order stays."""
        delta = size - held.size
        self._policy.resize(held, delta)
        self.bytes += delta

    def readmit(self, held: Held) -> None:
        """Give `held` a place in the order of eviction, at the new end."""
        self._policy.place(held)
        self._policy.admit(held)
