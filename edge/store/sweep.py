"""The sweep: the space of what was purged comes back, in the background, within a budget. DESIGN section 4.

Owns: `Sweep`. A purge is in force once its order is in the purge table; nothing here makes it so, and nothing waits for
it. Rules:
* One turn at a time, and a rest after each. In memory a turn ends after TURN_SECONDS of the loop. Of the disk a turn is one
  batch: read and verified in a reading thread, judged on the loop, deleted in one transaction in the writing thread. The
  rest is at least REST_SECONDS, and REST_TURNS times what the turn took: a slow disk is left alone for longer.
* Judged is what the record says: what was stored after an order has a fence beyond it, and stays. Nothing is put anywhere,
  so nothing comes back.
* An order that names URLs: their keys are looked at. Any other: one pass over all memory, and all of the disk that is ours.
  Orders that come while a pass is under way ask for one more, however many they are. After a pass there is a pause as
  long as it took, so that orders without end take half as much.
* What memory has and is clean is told so (`Held.clean`): an old order can be retired without it becoming doubtful.
* A fault of the disk ends the pass, and another one is made later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

from edge.errors import StoreFault
from edge.measures import Measures
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import Uri, Variant
from edge.semantics.stored import StoredResponse
from edge.store.contents import Contents
from edge.store.disk import DiskRow
from edge.store.memory import Held

TURN_SECONDS = 0.002
"""Of the event loop in one turn: a hit that comes meanwhile is late by this much."""
REST_SECONDS = 0.05
REST_TURNS = 9
PAUSE_SECONDS = 5.0
"""Between two passes at least: a thousand purges that come one by one are one pass or two."""
FAULT_PAUSE_SECONDS = 60.0
"""Until the next pass, when the disk failed."""
NAMED = 64
"""Keys of named URLs looked at in one turn."""
MAX_NAMED = 10_000
"""Keys of named URLs that wait; with more a pass is made instead."""

Judge = Callable[[StoredResponse, int], int | None]
"""(stored, up to where it was found clean) -> up to where it is clean as of now (what came in, when it is not known to be
clean any further), None = it is gone: nobody will ever be answered with it."""


class Sweep:
    """See the module. judge: by the purge table and the sites as they are now; called on the loop.

    keys_of: the keys of a purged URL. mono: seconds, for differences. sleep: how a rest is taken.
    """

    def __init__(
        self,
        contents: Contents,
        judge: Judge,
        *,
        keys_of: Callable[[Uri], tuple[bytes, ...]],
        measures: Measures,
        mono: Callable[[], float],
        on_fault: Callable[[StoreFault], None] = lambda _fault: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._contents = contents
        self._judge = judge
        self._keys_of = keys_of
        self._measures = measures
        self._mono = mono
        self._on_fault = on_fault
        self._sleep = sleep
        self._wake = asyncio.Event()
        self._named: dict[bytes, None] = {}
        self._later: dict[bytes, None] = {}
        """Keys for which something waited to be written."""
        self._is_wanted = False
        self._in_memory: Iterator[bytes] | None = None
        self._on_disk: Iterator[list[bytes]] | None = None
        self._begun = 0.0
        self._not_before = float("-inf")

    # -- what there is to do --

    def applied(self, order: PurgeOrder) -> None:
        """An order is in the table."""
        if order.soft:
            return  # what it names is stale, and may be served yet
        keys: list[bytes] = []
        for item in order.items:
            match item:
                case Uri():
                    keys += self._keys_of(item)
                case Variant(uri):
                    keys += self._keys_of(uri)
                case _:
                    self.look_everywhere()
                    return
        self._named.update(dict.fromkeys(keys))
        if len(self._named) > MAX_NAMED:
            self._named.clear()
            self._is_wanted = True
        self._wake.set()

    def look_everywhere(self) -> None:
        """Make a pass: at the start, when sites have changed, or when the table has begun anew."""
        self._is_wanted = True
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be looked at."""
        return not (self._named or self._later or self._is_wanted or self._is_passing)

    @property
    def _is_passing(self) -> bool:
        return self._in_memory is not None or self._on_disk is not None

    # -- doing it --

    async def run(self) -> None:
        """For ever: a task of the worker's."""
        while True:
            while self.is_idle:
                self._wake.clear()
                await self._wake.wait()
            began = self._mono()
            await self.turn()
            await self._sleep(max(REST_SECONDS, REST_TURNS * (self._mono() - began)))

    async def turn(self) -> None:
        """A little of what there is to do."""
        try:
            if self._named:
                await self._look_at_named()
            elif self._in_memory is not None:
                self._look_at_memory(self._in_memory)
            elif self._on_disk is not None:
                await self._look_at_disk(self._on_disk)
            elif self._is_wanted and self._mono() >= self._not_before:
                self._begin()
            else:
                self._named, self._later = self._later, {}
        except StoreFault as fault:
            self._on_fault(fault)
            self._in_memory = self._on_disk = None
            self._is_wanted = True
            self._not_before = self._mono() + FAULT_PAUSE_SECONDS

    def _begin(self) -> None:
        self._is_wanted = False
        self._begun = self._mono()
        self._in_memory = iter(self._contents.keys_in_memory())

    def _end(self) -> None:
        self._on_disk = None
        took = self._mono() - self._begun
        self._measures.sweep_seconds.observe(took)
        self._not_before = self._mono() + max(PAUSE_SECONDS, took)

    async def _look_at_named(self) -> None:
        keys = list(islice(self._named, NAMED))
        for key in keys:
            del self._named[key]
            self._look_at_held(key)
        waiting = [key for key in keys if self._contents.waits(key)]
        self._later.update(dict.fromkeys(waiting))
        for batch in self._contents.batches(key for key in keys if key not in self._later):
            await self._look_at_rows(batch)

    def _look_at_memory(self, keys: Iterator[bytes]) -> None:
        until = self._mono() + TURN_SECONDS
        for key in keys:
            self._look_at_held(key)
            if self._mono() >= until:
                return
        self._in_memory = None
        # What waits to be written now is on the disk by the time that it is looked at.
        self._later.update(dict.fromkeys(self._contents.keys_that_wait()))
        self._on_disk = self._contents.batches(self._contents.keys_on_disk())

    async def _look_at_disk(self, batches: Iterator[list[bytes]]) -> None:
        keys = next(batches, None)
        if keys is None:
            self._end()
        else:
            await self._look_at_rows(keys)

    def _look_at_held(self, key: bytes) -> None:
        for held in self._contents.held(key):
            clean = self._judge(held.value, held.clean)
            if clean is None:
                self._contents.drop_held(held)
                self._count("memory", held)
            else:
                held.clean = max(held.clean, clean)

    async def _look_at_rows(self, keys: list[bytes]) -> None:
        rows = await self._contents.look(keys)
        gone = [
            each
            for each in rows
            if each.stored is None or self._judge(each.stored, each.stored.fence) is None
        ]
        if not gone:
            return
        dropped = await self._contents.drop_rows(gone)
        for each in dropped:
            self._count("disk", each.row)
            self._look_at_held(each.row.primary)
        rows_dropped = {each.row for each in dropped}
        self._later.update((each.row.primary, None) for each in gone if each.row not in rows_dropped)

    def _count(self, tier: str, what: Held[StoredResponse] | DiskRow) -> None:
        self._measures.reclaimed.of(tier).value += 1
        self._measures.reclaimed_bytes.of(tier).value += what.size
