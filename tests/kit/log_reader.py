"""HandReader: a reader of the purge log that a test turns by hand, for what asks it and not for how the log is read.

`order(...)` puts a purge into force; `waiting` are messages of the log that were not read yet, which `reach` reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.semantics.selectors import Selector
from tests.kit.clock import ManualClock

HISTORY = b"00000000000000aa"


class HandReader:
    """See the module. It is current until told otherwise."""

    def __init__(self, clock: ManualClock) -> None:
        self.table: PurgeTable
        self.clock = clock
        self.proven_at = clock.mono()
        self.suspended = False
        self.waiting: list[PurgeOrder | None] = []
        """None = a tick."""
        self.reached: list[int] = []

    def token(self, position: int) -> bytes:
        return b"%b:%d" % (HISTORY, position)

    def position(self, token: bytes) -> int | None:
        history, _, number = token.partition(b":")
        return int(number) if history == HISTORY else None

    async def reach(self, position: int, seconds: float) -> bool:
        self.reached.append(position)
        while self.waiting and self.table.applied < position:
            self.read()
        return self.table.applied >= position

    def read(self) -> None:
        """One message of those that wait."""
        message = self.waiting.pop(0)
        if message is None:
            self.table.advance(self.table.applied + 1)
        else:
            self.table.apply(message, self.table.applied + 1)

    def order(self, *items: Selector, soft: bool = False) -> int:
        """A purge comes into force; its position."""
        self.table.apply(self.order_of(*items, soft=soft), self.table.applied + 1)
        return self.table.applied

    def order_of(self, *items: Selector, soft: bool = False) -> PurgeOrder:
        """The same, not yet in force."""
        made: Sequence[Selector] = items
        return PurgeOrder("purge-1", UnixSeconds(self.clock.now()), tuple(made), soft)
