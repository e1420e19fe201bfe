"""Whether the event loop may read the disk itself: while that was quick lately.

Owns: `Pace`. A read that the page cache answers takes microseconds, and handing it to a thread takes longer than that; a
read that a device answers may take forever. Rules: what the loop reads itself is timed. One that took longer than
SLOW_SECONDS while this thread had a device read something, or longer than HUNG_SECONDS whatever the reason, sends all reads
to the threads for a while, twice as long each time that fewer than TRUSTED_READS quick ones came in between, at most
REST_MOST_SECONDS. So the loop stands still for one slow read in a while, and never for a queue of them. Time alone would
not do: on a busy machine this process waits for its core for milliseconds, and a thread of it would do so, too.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Final

from edge.clock import monotonic
from edge.metrics import Counter

SLOW_SECONDS: Final = 0.002
"""Forty times what a row out of the page cache takes, and a quarter of a rotating disk's seek."""
HUNG_SECONDS: Final = 0.25
"""On two cores with seven processes that want one, this one waited up to a tenth of a second."""
REST_SECONDS: Final = 0.25
REST_MOST_SECONDS: Final = 30.0
TRUSTED_READS: Final = 1000


def blocks_read() -> int:
    """How often this thread had a device read something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_inblock


class Pace:
    """See the module."""

    __slots__ = ("_blocks", "_mono", "_quick", "_read", "_rest", "_rests", "_until")

    def __init__(
        self,
        mono: Callable[[], float] | None = None,
        blocks: Callable[[], int] = blocks_read,
        rests: Counter | None = None,
    ) -> None:
        """mono: monotonic seconds. blocks: as `blocks_read`. rests: counts how often all was sent to the threads."""
        self._mono = mono or monotonic()
        self._blocks = blocks
        self._read = blocks()
        self._until = 0.0
        self._rest = REST_SECONDS
        self._quick = 0
        self._rests = rests or Counter()

    def begin(self) -> float | None:
        """The moment at which a read on the loop begins, to be given to `end`; None = a thread has to do it."""
        now = self._mono()
        return None if now < self._until else now

    def end(self, began: float) -> None:
        """That read is over, however it ended."""
        now = self._mono()
        took = now - began
        if took <= SLOW_SECONDS or not self._was_slow(took):
            self._quick += 1
            return
        if self._quick >= TRUSTED_READS:
            self._rest = REST_SECONDS
        self._rests.value += 1
        self._quick = 0
        self._until = now + self._rest
        self._rest = min(2 * self._rest, REST_MOST_SECONDS)

    def _was_slow(self, took: float) -> bool:
        before, self._read = self._read, self._blocks()
        return self._read > before or took > HUNG_SECONDS
