"""The purge log, to write to (skeleton)."""

from __future__ import annotations

from edge.bus.connection import Bus
from edge.bus.faults import BusFault
from edge.clock import Clock
from edge.measures import Measures
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.values import value


class LogUnavailable(BusFault):
    """The log did not take the order in time, as far as we know: it may be sent again with the same id. 503.

    retry_after: seconds.
    """

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@value(frozen=True, slots=True)
class Appended:
    """seq: in the stream. duplicate: it was there already, under the same id."""

    seq: int
    duplicate: bool


@value(frozen=True, slots=True)
class Past:
    """An order of the log. stored_at: the servers' time."""

    seq: int
    stored_at: UnixSeconds
    order: PurgeOrder


class PurgeLog:
    """See the module."""

    def __init__(self, bus: Bus, clock: Clock, measures: Measures) -> None:
        raise NotImplementedError

    async def append(self, order: PurgeOrder, *, within: float = 10.0) -> Appended:
        """Store it durably. LogUnavailable when that is not known to have happened within so many seconds."""
        raise NotImplementedError

    async def history(self, *, limit: int = 100, before: int | None = None) -> list[Past]:
        """The newest orders, newest first. before: a seq, None = the end. LogUnavailable."""
        raise NotImplementedError
