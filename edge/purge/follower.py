"""The reader of the purge log (skeleton)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from edge.bus.connection import Bus
from edge.clock import Clock
from edge.measures import Measures
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.tasks import TaskOwner

OnOrder = Callable[[PurgeOrder, int], None]
"""Told an order and its position, after it is in force."""


class Follower:
    """See the module. node, instance: of this node's supervisor, whose beats prove us current (edge.purge.ticks).

    folder: data_dir/purge. Satisfies edge.purge.fence.LogReader.
    """

    def __init__(
        self,
        bus: Bus,
        table: PurgeTable,
        *,
        folder: Path,
        node: str,
        instance: str,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self.table = table
        self.proven_at = float("-inf")
        self.suspended = False
        self.caught_up = asyncio.Event()
        """Set while all that the log was last seen to have is read, and our node's beat was read back once."""

    async def start(self, tasks: TaskOwner) -> None:
        """Listen, and read on in tasks of `tasks`. It needs no connection yet."""
        raise NotImplementedError

    def on_order(self, call: OnOrder) -> None:
        """Tell it every order that comes into force."""
        raise NotImplementedError

    @property
    def applied(self) -> int:
        """The position read up to."""
        return self.table.applied

    @property
    def lag(self) -> int:
        """Messages known to be in the log and not read."""
        raise NotImplementedError

    @property
    def history(self) -> str:
        """16 hex digits, "" = nothing is known yet."""
        raise NotImplementedError

    def seq_of(self, position: int) -> int | None:
        """The sequence number in the present history; None for a position of another."""
        raise NotImplementedError

    def position_of(self, seq: int) -> int:
        """The position of a sequence number in the present history."""
        raise NotImplementedError

    async def reach(self, position: int, seconds: float) -> bool:
        """Read up to there, at once; False when it did not get so far in time."""
        raise NotImplementedError

    async def wait_applied(self, position: int, seconds: float) -> bool:
        """Wait until it has been read, without asking for it."""
        raise NotImplementedError

    def token(self, position: int) -> bytes:
        """`history:seq`, for other nodes."""
        raise NotImplementedError

    def position(self, token: bytes) -> int | None:
        """What `token` of another node gave; None when it is of another history than ours, or nonsense."""
        raise NotImplementedError

    def is_current(self, now_mono: float, lease: float) -> bool:
        """Whether all that was ordered up to `lease` seconds ago is known to have been read."""
        return not self.suspended and now_mono - self.proven_at <= lease
