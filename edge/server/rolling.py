"""All workers of a node are replaced, one after the other, while the node serves.

Owns: `Roller`: one roll at a time, what it says of itself, and `Ground`, what it stands on. Rules:
* It begins when every worker serves. The settings are read anew, and a worker is rehearsed with them that serves nobody: what
  would not start is found out before anything has ended.
* New connections are steered past the worker that is next (edge.server.steering), it retires (edge.server.retiring), its
  successor serves and has read the purge log; only then the next one.
* A successor that does not come ends the roll. It is tried again with the settings from before; the others serve on as they
  are. What failed stays failed until somebody asks again.
* Who asks while a roll is under way is told of that one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.clock import Clock
from edge.errors import EdgeError
from edge.measures import Measures
from edge.server.keeper import START_SECONDS, Keeper
from edge.server.steering import Steering
from edge.tasks import TaskOwner

Said = Mapping[str, object]
"""One thing that happened. "event": begun, leaving, serving, done, failed; the last is one of the last two."""

_log = logging.getLogger("perigee.supervisor")


@dataclass(frozen=True, slots=True)
class Ground:
    """keepers: of all workers. drain: `node.drain` now, seconds. prepare: read the settings anew, and have workers that start
    from now on take them; EdgeError where they cannot be had. rehearse: None = a worker would start; else why not. undo: of
    `prepare`. commit: every worker has them. has_caught_up: whether a worker has read the purge log. farewell: hear the last
    numbers of one. changed: told when the worker that is being replaced is another.
    """

    keepers: Sequence[Keeper]
    steering: Steering
    drain: Callable[[], float]
    prepare: Callable[[], Awaitable[None]]
    rehearse: Callable[[], Awaitable[str | None]]
    undo: Callable[[], Awaitable[None]]
    commit: Callable[[], None]
    has_caught_up: Callable[[int], bool]
    farewell: Callable[[int], Awaitable[None]]
    changed: Callable[[], None]
    clock: Clock
    measures: Measures


class Roll:
    """One of them, as far as it is. said: what happened."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._more = asyncio.Event()

    def say(self, said: Said) -> None:
        """One more thing."""
        self.said.append(said)
        self._more.set()
        self._more = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return bool(self.said) and self.said[-1]["event"] in ("done", "failed")

    async def follow(self) -> AsyncIterator[Said]:
        """All that happened, and what happens, to the end of it."""
        at = 0
        while True:
            while at < len(self.said):
                yield self.said[at]
                at += 1
            if self.is_over:
                return
            await self._more.wait()


class Roller:
    """See the module."""

    def __init__(self, ground: Ground, tasks: TaskOwner) -> None:
        self._ground = ground
        self._tasks = tasks
        self._roll: Roll | None = None
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._at: int | None = None
        self._has_begun = False
        self._is_stopped = False

    @property
    def replaced(self) -> int | None:
        """The worker that is being replaced while others serve; None = none is, or it is alone."""
        return self._at if len(self._ground.keepers) > 1 else None

    def described(self) -> dict[str, object] | None:
        """For /readyz: the roll under way, or the last one; None = there was none."""
        return None if self._roll is None else {"under_way": not self._roll.is_over, **self._roll.said[-1]}

    def request(self) -> tuple[Roll, bool]:
        """Begin one. The roll that is under way now, and whether it was before; one that failed is until that is mended."""
        if self._roll is not None and self._task is not None and not self._task.done():
            return self._roll, True
        roll = self._roll = Roll()
        roll.say({"event": "begun", "workers": len(self._ground.keepers)})
        if self._is_stopped:
            self._failed(roll, "the node is stopping")
        else:
            self._task = self._tasks.spawn(self._run(roll), name="roll")
        return roll, False

    def moved(self) -> None:
        """Some worker has read more of the purge log."""
        self._moved.set()
        self._moved = asyncio.Event()

    def stop(self) -> None:
        """The node stops: nobody is replaced any more."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()

    async def _run(self, roll: Roll) -> None:
        ground, began = self._ground, self._ground.clock.mono()
        self._has_begun = False
        _log.info("rolling", extra={"workers": len(ground.keepers)})
        try:
            await self._roll_all(roll)
        except EdgeError as error:
            if self._has_begun:
                await ground.undo()
            self._failed(roll, error.detail)
            await self._mended()
            return
        except asyncio.CancelledError:
            self._failed(roll, "the node is stopping")
            raise
        finally:
            self._at_is(None)
            ground.steering.back()
        ground.commit()
        seconds = round(ground.clock.mono() - began, 3)
        _log.info("rolled", extra={"workers": len(ground.keepers), "seconds": seconds})
        ground.measures.rolls.of("done").value += 1
        roll.say({"event": "done", "workers": len(ground.keepers), "seconds": seconds})

    async def _roll_all(self, roll: Roll) -> None:
        ground = self._ground
        for keeper in ground.keepers:
            if not keeper.seen().served:
                raise EdgeError(f"worker {keeper.index} does not serve yet; nothing was replaced")
        await ground.prepare()
        self._has_begun = True
        why = await ground.rehearse()
        if why is not None:
            raise EdgeError(f"a worker would not start: {why}; nothing was replaced")
        for keeper in ground.keepers:
            await self._one(roll, keeper)

    async def _one(self, roll: Roll, keeper: Keeper) -> None:
        """Replace one worker. EdgeError when its successor does not come."""
        ground, index, began = self._ground, keeper.index, self._ground.clock.mono()
        for other in ground.keepers:  # one that died by itself meanwhile is waited for
            if not await other.next_serves():
                raise EdgeError(f"worker {other.index} died and does not come back")
        steered = ground.steering.away(index)
        self._at_is(index)
        roll.say({"event": "leaving", "worker": index, "pid": keeper.seen().pid, "steered": steered})
        why = await keeper.replace(ground.drain(), lambda: ground.farewell(index))
        if why is not None:
            raise EdgeError(f"the successor of worker {index} does not serve: {why}")
        await self._caught_up(index)
        ground.steering.back()
        self._at_is(None)
        seconds = round(ground.clock.mono() - began, 3)
        _log.info("worker replaced", extra={"worker": index, "pid": keeper.seen().pid, "seconds": seconds})
        roll.say({"event": "serving", "worker": index, "pid": keeper.seen().pid, "seconds": seconds})

    async def _caught_up(self, index: int) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not self._ground.has_caught_up(index):
                    await self._moved.wait()
        except TimeoutError:
            raise EdgeError(
                f"the successor of worker {index} serves, but has not read the purge log in {START_SECONDS:g} s"
            ) from None

    async def _mended(self) -> None:
        """Until the one that failed serves with what was before; it is spared as long as its sockets are there."""
        if self._at is not None:
            await self._ground.keepers[self._at].next_serves()

    def _failed(self, roll: Roll, why: str) -> None:
        outcome = "stopped" if self._is_stopped else "failed" if self._at is not None else "refused"
        self._ground.measures.rolls.of(outcome).value += 1
        _log.error("the roll has ended before its end", extra={"why": why})
        roll.say({"event": "failed", "why": why})

    def _at_is(self, index: int | None) -> None:
        self._at = index
        self._ground.changed()
