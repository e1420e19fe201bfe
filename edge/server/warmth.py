"""Whether a node has enough stored to be sent its clients: warm or not.

Owns: `Warmth`. Rules:

* Warm is a node that has `node.warm_objects` stored responses, on disk or in memory: those of the index of its disk count, for
  they are served from there. With 0, the default, it is as soon as its workers serve: their indices are read by then.
* After `node.warm_patience` it counts as warm all the same, and says so: a node that nobody asks never fills, and one that is
  never ready is never asked.
* Who was warm once stays so for this life: what a purge empties is not taken out of service for it, least of all everywhere at
  once.
* It is told in /readyz in any case. Only with `node.ready_when = "warm"` is a cold node not ready.

It does not say how many of the next requests will be hits: nobody knows what they will be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from edge.clock import Clock
from edge.settings.node import NodeSettings, ReadyWhen

LOOK_SECONDS = 1.0

Ask = Callable[[], Awaitable[Collection[Mapping[str, Any]] | None]]
"""What each worker has stored, {"memory": responses, "disk": responses, None = no disk}; None where not all serve."""


class Warmth:
    """See the module. settings: those in force."""

    def __init__(self, settings: Callable[[], NodeSettings], clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._began = clock.mono()
        self._objects: int | None = None
        self.why: str | None = None
        """How it became warm; None = it is cold."""

    @property
    def is_waited_for(self) -> bool:
        """True where it is not to be ready yet."""
        return self.why is None and self._settings().ready_when is ReadyWhen.WARM

    def described(self) -> dict[str, object]:
        """For /readyz. objects: stored responses when it was last counted, None = not yet."""
        settings = self._settings()
        return {
            "warm": self.why is not None,
            "why": self.why,
            "objects": self._objects,
            "wanted": settings.warm_objects,
            "patience": settings.warm_patience,
            "ready_when": settings.ready_when.value,
        }

    def look(self, said: Collection[Mapping[str, Any]]) -> bool:
        """Whether it is warm now. said: as `Ask` has it, of all workers."""
        self._objects = objects_of(said)
        settings = self._settings()
        if self.why is None and self._objects >= settings.warm_objects:
            self.why = "it has as many stored responses as are wanted"
        elif self.why is None and self._clock.mono() - self._began >= settings.warm_patience:
            self.why = "it has waited for as long as it may"
        return self.why is not None

    async def watch(
        self,
        ask: Ask,
        changed: Callable[[], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Until it is warm. changed: called then. sleep: how it waits between two looks."""
        while (said := await ask()) is None or not self.look(said):
            await sleep(LOOK_SECONDS)
        changed()


def objects_of(said: Collection[Mapping[str, Any]]) -> int:
    """Stored responses that a node has at least: workers share a disk, and hold copies of each other's in memory."""
    on_disk = sum(each["disk"] or 0 for each in said)
    return max(on_disk, *(each["memory"] for each in said)) if said else 0
