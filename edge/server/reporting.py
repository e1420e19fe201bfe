"""How far a process has read the purge log, told whenever that moves.

Owns: `report`, which runs in each worker (to the supervisor, over the line) and in the supervisor (to itself). Rules: at
most once in GAP_SECONDS, and then what is so by then; at least once in PERIOD_SECONDS, since the proof of being current
grows old by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import isfinite
from typing import Protocol

from edge.server.orders import Applied

GAP_SECONDS = 0.01
PERIOD_SECONDS = 1.0


class Reader(Protocol):
    """edge.purge.follower.Follower, as far as this goes."""

    caught_up: asyncio.Event
    proven_at: float

    @property
    def applied(self) -> int:
        """The position read up to."""

    @property
    def history(self) -> str:
        """16 hex digits, "" = nothing is known yet."""

    def seq_of(self, position: int) -> int | None:
        """The sequence number in the present history."""

    async def wait_applied(self, position: int, seconds: float) -> bool:
        """Wait until it has been read."""


async def report(reader: Reader, say: Callable[[Applied], None]) -> None:
    """Say it until cancelled. Once it has caught up, that is said for good: it has read all that there was at its start."""
    caught_up = False
    while True:
        caught_up = caught_up or reader.caught_up.is_set()
        position = reader.applied
        say(
            Applied(
                reader.history,
                reader.seq_of(position) or 0,
                caught_up,
                reader.proven_at if isfinite(reader.proven_at) else None,
            )
        )
        await asyncio.sleep(GAP_SECONDS)
        if caught_up:
            await reader.wait_applied(position + 1, PERIOD_SECONDS)
        else:
            await _caught_up(reader)


async def _caught_up(reader: Reader) -> None:
    try:
        async with asyncio.timeout(PERIOD_SECONDS):
            await reader.caught_up.wait()
    except TimeoutError:
        return
