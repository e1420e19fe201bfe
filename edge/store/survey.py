"""The survey: how much of what is stored a purge would name, without purging it.

Owns: `Survey`, `survey`. Rules: each stored response counts once, whether memory has it, the disk, or both; of keys that
other workers own, memory has copies, and these count where they are owned. It is bounded in time, and says whether that was
enough. Somebody waits for the answer, so it goes faster than the sweep: it leaves others two thirds of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from edge.semantics.stored import StoredResponse
from edge.store.contents import Contents, StoredRow

TURN_SECONDS = 0.002
REST_SECONDS = 0.004
REST_TURNS = 2

Match = Callable[[StoredResponse], bool]
"""Whether the purge would name it; called on the loop."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one worker has of it.

    objects: stored responses that match, bytes: of their bodies. hot_objects: of what matches in memory, copies of what
    other workers own included, those that were served since they came there: so many requests to the origin may be
    expected soon. examined: looks taken, in memory and on disk. complete: False = time was over, there may be more.
    """

    objects: int
    bytes: int
    hot_objects: int
    examined: int
    complete: bool


async def survey(
    contents: Contents,
    match: Match,
    *,
    seconds: float,
    mono: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Survey:
    """Count what matches, for `seconds` at most. mono: seconds, for differences. sleep: how a rest is taken.

    Raises StoreFault when the disk cannot be read.
    """
    count = _Count(contents, match)
    deadline = mono() + seconds
    complete = False
    turns = count.turns(mono)
    while not complete and (began := mono()) < deadline:
        complete = await anext(turns, None) is None
        if not complete:
            await sleep(max(REST_SECONDS, REST_TURNS * (mono() - began)))
    await turns.aclose()
    return Survey(count.objects, count.nbytes, count.hot_objects, count.examined, complete)


@dataclass(slots=True)
class _Count:
    """A survey under way."""

    contents: Contents
    match: Match
    objects: int = 0
    nbytes: int = 0
    hot_objects: int = 0
    examined: int = 0
    counted: set[bytes] = field(default_factory=set)
    """Bodies counted in memory: the disk has most of them, too."""

    async def turns(self, mono: Callable[[], float]) -> AsyncGenerator[int]:
        """One step each; what was examined so far."""
        until = mono() + TURN_SECONDS
        for key in self.contents.keys_in_memory():
            self._memory(key)
            if mono() >= until:
                yield self.examined
                until = mono() + TURN_SECONDS
        yield self.examined
        for batch in self.contents.batches(self.contents.keys_on_disk()):
            for each in await self.contents.look(batch):
                self._row(each)
            yield self.examined

    def _memory(self, key: bytes) -> None:
        for held in self.contents.held(key):
            self.examined += 1
            if not self.match(held.value):
                continue
            self.hot_objects += held.was_hit
            if self.contents.owns(key):
                self.counted.add(held.value.body_id)
                self._object(held.value)

    def _row(self, row: StoredRow) -> None:
        stored = row.stored
        self.examined += 1
        if stored is not None and stored.body_id not in self.counted and self.match(stored):
            self._object(stored)

    def _object(self, stored: StoredResponse) -> None:
        self.objects += 1
        self.nbytes += stored.body_length
