"""What goes wrong in a soak, and when: drawn from a seed. PURE but for `Injector`, which does it.

Owns: `Fault`, `plan`, `Injector`. Rules: a fault has a target, and no two faults are at work on one target at a time; each
ends by itself. Faults of different targets overlap. Twice in a while two servers of the log stop at once, so that it has no
quorum and nothing can be acknowledged: for a moment, or for longer than a node may go on without news.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from edge.clock import Clock
from edge.tasks import TaskOwner


class Fault(Enum):
    """What happens."""

    WORKER_KILLED = "worker killed"
    WORKER_STOPPED = "worker stopped for a while"
    NODE_KILLED = "node killed and started again"
    SERVER_KILLED = "log server killed and started again"
    SERVER_STOPPED = "log server stopped for a while"
    LEADER_KILLED = "leader of the log killed and started again"
    LEADER_STOPPED = "leader of the log stopped for a while"
    QUORUM_LOST = "two log servers stopped for a while"


WEIGHTS = {
    Fault.WORKER_KILLED: 20,
    Fault.WORKER_STOPPED: 10,
    Fault.NODE_KILLED: 18,
    Fault.SERVER_KILLED: 12,
    Fault.SERVER_STOPPED: 10,
    Fault.LEADER_KILLED: 14,
    Fault.LEADER_STOPPED: 10,
    Fault.QUORUM_LOST: 6,
}

FIRST_SECONDS = 3.0
BETWEEN_SECONDS = (1.5, 6.0)
SHORT_SECONDS = (0.2, 6.0)
LONG_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Planned:
    """at: seconds after the start. lasts: seconds until it is undone. which: of how many the injector has, modulo."""

    at: float
    fault: Fault
    lasts: float
    which: int


def plan(
    dice: random.Random, seconds: float, *, long: float, faults: Mapping[Fault, int] = WEIGHTS
) -> Iterator[Planned]:
    """What happens within so many seconds. long: what some faults last, seconds; some last less."""
    at = FIRST_SECONDS
    while at < seconds:
        fault = dice.choices(tuple(faults), weights=tuple(faults.values()))[0]
        is_long = dice.random() < LONG_SHARE
        lasts = long * dice.uniform(0.8, 1.3) if is_long else dice.uniform(*SHORT_SECONDS)
        yield Planned(at, fault, lasts, dice.randrange(1_000))
        at += dice.uniform(*BETWEEN_SECONDS)


Do = Callable[[Planned], Awaitable[str]]
"""Does it and undoes it. The result: what it was done to, "" = nothing, since all that it could be done to is broken."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that was at work. began, ended: monotonic seconds."""

    fault: Fault
    target: str
    began: float
    ended: float


class Injector:
    """Carries a plan out."""

    def __init__(self, do: Do, clock: Clock) -> None:
        self.happened: list[Happened] = []
        self.skipped: Counter[Fault] = Counter()
        self._do = do
        self._clock = clock

    async def run(self, planned: Iterator[Planned]) -> None:
        """Until all is done and undone. What fails to be undone ends it."""
        began = self._clock.mono()
        async with TaskOwner("faults") as tasks:
            under_way = []
            for each in planned:
                await asyncio.sleep(max(0.0, began + each.at - self._clock.mono()))
                under_way.append(tasks.spawn(self._one(each), name=each.fault.value))
            await asyncio.gather(*under_way)

    async def _one(self, planned: Planned) -> None:
        began = self._clock.mono()
        target = await self._do(planned)
        if target:
            self.happened.append(Happened(planned.fault, target, began, self._clock.mono()))
        else:
            self.skipped[planned.fault] += 1
