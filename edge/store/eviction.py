"""PURE. Which stored response leaves the memory tier when room is needed: S3-FIFO (the product's) and SIEVE.

Rules that hold for every policy here:

* A hit is one attribute write, ``resident.visited = True``, made by whoever serves the hit. Nothing moves, nothing is
  counted, nothing is locked; what the write means is found out when room is needed.
* A policy names victims, the caller removes them. It knows keys and sizes, never bodies; it owns no index and no
  capacity accounting beyond the bytes in its own queues.
* One call of `victim` looks at no more than `MAX_LOOKS` residents. The textbook forms sweep until they meet a resident
  that was not visited, which is O(1) amortised but a stall of the event loop on the day when everything was visited.
* The queues are linked through the residents themselves: removal from the middle (a purge) is O(1), and it costs two
  pointers, where an OrderedDict costs ten times as much. (A plain dict as a FIFO is quadratic: finding its first key
  walks over all the deleted ones.)

S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): newcomers stand in a small queue
with a tenth of the bytes. Who was visited there moves on to the main queue, who was not leaves and its key is
remembered as a ghost; a newcomer with a ghost goes straight to main. So a scan runs through the small queue only.
SIEVE (Zhang et al., NSDI 2024): one queue and a hand that moves from old to new, clearing marks; survivors stay where
they are. Where we bend the two: sizes are bytes and not slots, ghosts are bounded in bytes too, the newcomer counts as
already standing in its queue (so that the main queue gives nothing for a scan while it is within its share), there is
one mark instead of a two-bit counter, a cache that never was full lets newcomers into main, and looks are bounded.
docs/why/003-eviction.md has what each of these is worth.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from typing import Final

MAX_LOOKS: Final = 64
"""Residents looked at for one victim, some 10 us in CPython. From 32 on, no trace of ours tells it from no bound."""

SMALL_SHARE: Final = 10
"""The small queue gets one part in so many of the bytes. The paper's value; 5 % and 20 % measured no better."""

GHOST_BYTES: Final = 12
"""What one ghost costs: a 4-byte fingerprint and an 8-byte stamp in two arrays."""

BYTES_PER_GHOST: Final = 2048
"""One place for a ghost per so many bytes of capacity: 0.3 to 0.6 % of it, enough where responses average 4 KB."""


class Resident:
    """Something held in memory, as a policy sees it: a key, a size in bytes, and a mark that it was used.

    `visited` is written by the hit path; `was_visited` says that a policy took such a mark. `queue`, `older` and `newer`
    belong to the policy; `queue` is the one it stands in or was placed for, None before `place`; the other two exist only
    while it stands there.
    """

    __slots__ = ("key", "newer", "older", "queue", "size", "visited", "was_visited")

    key: bytes
    size: int
    visited: bool
    was_visited: bool
    queue: Queue | None
    older: Resident
    newer: Resident

    def __init__(self, key: bytes, size: int) -> None:
        self.key = key
        self.size = size
        self.visited = False
        self.was_visited = False
        self.queue = None


class Queue:
    """Residents in order of arrival and the sum of their sizes in bytes; a ring through one end mark."""

    __slots__ = ("_end", "bytes", "length")

    def __init__(self) -> None:
        self._end = end = Resident(b"", 0)
        end.older = end.newer = end
        self.bytes = 0
        self.length = 0

    def append(self, resident: Resident) -> None:
        """Put `resident` at the new end."""
        end, newest = self._end, self._end.older
        resident.older, resident.newer = newest, end
        newest.newer = end.older = resident
        resident.queue = self
        self.bytes += resident.size
        self.length += 1

    def remove(self, resident: Resident) -> None:
        """Take `resident` out, wherever it stands.

        Its links go, so that it keeps no neighbour alive and its body is freed without the cycle collector.
        """
        assert resident.queue is self, (resident.key, resident.queue)
        resident.older.newer, resident.newer.older = resident.newer, resident.older
        del resident.older, resident.newer
        self.bytes -= resident.size
        self.length -= 1

    def oldest(self) -> Resident:
        """The one that has stood here longest. The queue must not be empty."""
        assert self.length, "an empty queue has no oldest resident"
        return self._end.newer

    def after(self, resident: Resident) -> Resident:
        """The next newer one, and after the newest the oldest again."""
        return resident.newer if resident.newer is not self._end else self._end.newer


class Policy(ABC):
    """What the memory tier asks of an eviction policy. Order of calls: place, victim (as often as needed), admit.

    `fixed_bytes` is what the policy itself occupies, whatever is held. `ghost_hits` counts newcomers that had been here
    and left too early; it stays 0 where a policy remembers nothing.
    """

    __slots__ = ("fixed_bytes", "ghost_hits")

    def __init__(self, fixed_bytes: int = 0) -> None:
        self.fixed_bytes = fixed_bytes
        self.ghost_hits = 0

    @abstractmethod
    def place(self, newcomer: Resident) -> None:
        """Decide in which queue `newcomer` will stand, before room is made for it."""

    @abstractmethod
    def victim(self, newcomer: Resident) -> Resident:
        """Name the one that makes room for `newcomer`. It has left its queue; the caller removes it from its index.

        Somebody must be in.
        """

    def admit(self, newcomer: Resident) -> None:
        """`newcomer` is in, where it was placed (or stood before it was removed)."""
        assert newcomer.queue is not None, newcomer.key
        newcomer.queue.append(newcomer)

    def remove(self, resident: Resident) -> None:
        """`resident` is gone for a reason that is not room: purged, replaced. It leaves no ghost."""
        assert resident.queue is not None, resident.key
        resident.queue.remove(resident)

    def resize(self, resident: Resident, delta: int) -> None:
        """`resident`, which is in, is `delta` bytes larger from now on; its `size` is written here."""
        assert resident.queue is not None, resident.key
        resident.size += delta
        resident.queue.bytes += delta


class Ghosts:
    """Keys of those that left the small queue unvisited, for as long as `window` bytes more have left it after them.

    A table of fingerprints, one place a key: a newer ghost overwrites an older one in the same place, so it can forget
    early but never grows. Fingerprints come from `hash`, whose seed a client does not know.
    """

    __slots__ = ("_clock", "_fingerprints", "_mask", "_stamps", "_window")

    def __init__(self, window: int, places: int) -> None:
        """`window` in bytes of departed responses; `places` = most ghosts at a time, a power of two."""
        assert places > 0, places
        assert places & (places - 1) == 0, places
        self._mask = places - 1
        self._fingerprints = array("I", bytes(4 * places))
        self._stamps = array("Q", bytes(8 * places))
        self._window = window
        # Begins beyond the window, so that the zeros in an empty place are ghosts long forgotten.
        self._clock = window + 1

    def remember(self, key: bytes, size: int) -> None:
        """The resident of `key` leaves with `size` bytes."""
        digest = hash(key)
        self._clock += size
        self._fingerprints[digest & self._mask] = digest >> 32 & 0xFFFF_FFFF
        self._stamps[digest & self._mask] = self._clock

    def recall(self, key: bytes) -> bool:
        """Whether `key` left not long ago; it is forgotten by the question, for it is coming back."""
        digest = hash(key)
        place = digest & self._mask
        known = self._fingerprints[place] == digest >> 32 & 0xFFFF_FFFF
        if not known or self._clock - self._stamps[place] > self._window:
            return False
        self._stamps[place] = 0
        return True


class S3Fifo(Policy):
    """Small queue, main queue, ghosts. See the head of this module."""

    __slots__ = ("_filling", "_ghosts", "_main", "_small", "_small_share")

    def __init__(self, capacity: int) -> None:
        """`capacity` in bytes, the table of ghosts (`fixed_bytes`) included."""
        places = 1 << max(0, (capacity // BYTES_PER_GHOST).bit_length() - 1)
        super().__init__(GHOST_BYTES * places)
        room = capacity - self.fixed_bytes
        self._small_share = room // SMALL_SHARE
        self._small = Queue()
        self._main = Queue()
        self._ghosts = Ghosts(room - self._small_share, places)
        # Until the first victim there is room to spare, and the small queue would only be a place to be lost from.
        self._filling = True

    def place(self, newcomer: Resident) -> None:
        """Those with a ghost stand in main, all others in small."""
        if self._ghosts.recall(newcomer.key):
            self.ghost_hits += 1
            newcomer.queue = self._main
        elif self._filling and self._small.bytes + newcomer.size > self._small_share:
            newcomer.queue = self._main
        else:
            newcomer.queue = self._small

    def victim(self, newcomer: Resident) -> Resident:
        """The oldest unvisited one of the queue that is beyond its share; the visited go on, or once more, to main."""
        small, main = self._small, self._main
        arriving = newcomer.size if newcomer.queue is small else 0
        self._filling = False
        looks = MAX_LOOKS
        while True:
            looks -= 1
            queue = (
                small
                if small.length and (not main.length or small.bytes + arriving > self._small_share)
                else main
            )
            resident = queue.oldest()
            queue.remove(resident)
            if not (resident.visited and looks > 0):
                break
            resident.visited = False
            resident.was_visited = True
            main.append(resident)
        if queue is small:
            self._ghosts.remember(resident.key, resident.size)
        return resident


class Sieve(Policy):
    """One queue, and a hand that goes from the oldest to the newest and round again. See the head of this module."""

    __slots__ = ("_hand", "_queue")

    def __init__(self) -> None:
        super().__init__()
        self._queue = Queue()
        self._hand: Resident | None = None

    def place(self, newcomer: Resident) -> None:
        """There is one queue."""
        newcomer.queue = self._queue

    def victim(self, newcomer: Resident) -> Resident:
        """The next unvisited one from the hand on; the visited lose their mark where they stand."""
        resident = self._hand or self._queue.oldest()
        looks = MAX_LOOKS
        while resident.visited and (looks := looks - 1) > 0:
            resident.visited = False
            resident.was_visited = True
            resident = self._queue.after(resident)
        self._hand = resident
        self.remove(resident)
        return resident

    def remove(self, resident: Resident) -> None:
        """The hand must not point at one that is gone: it moves on."""
        if resident is self._hand:
            onward = self._queue.after(resident)
            self._hand = None if onward is resident else onward
        super().remove(resident)
