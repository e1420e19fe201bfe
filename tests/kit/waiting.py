"""Waiting for a fact instead of sleeping: a bell that rings on every change, and a bound on every wait.

A wait that runs out fails the test at once and says what was awaited and what was seen instead.
"""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 10.0
"""Seconds any single wait of the kit may take; generous, because the machine may be busy with other tests."""


class TookTooLong(AssertionError):
    """A fact the test waited for did not come true within the bound."""


class Bell:
    """Wakes everybody who waits for a predicate over some changing state."""

    def __init__(self) -> None:
        self._sleepers: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """The state has changed: all waiters look again."""
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        self._sleepers.clear()

    async def until(
        self, claim: Callable[[], bool], what: str, *, seen: Callable[[], object], within: float = PATIENCE
    ) -> None:
        """Return as soon as `claim()` is true; raise `TookTooLong` naming `what` and `seen()` after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while not claim():
                    sleeper = asyncio.get_running_loop().create_future()
                    self._sleepers.add(sleeper)
                    try:
                        await sleeper
                    finally:
                        self._sleepers.discard(sleeper)
        except TimeoutError:
            raise TookTooLong(f"waited {within} s for {what}; seen: {seen()}") from None


class Gate:
    """A closed gate that a scripted answer waits at until the test releases it."""

    def __init__(self, name: str = "gate") -> None:
        self.name = name
        self.waiting = 0
        self._open = asyncio.Event()
        self._bell = Bell()

    def release(self) -> None:
        """Let everybody through, now and later."""
        self._open.set()

    async def passed(self) -> None:
        """Wait until the gate is released. There is no bound here: the origin's close() cancels its handlers."""
        self.waiting += 1
        self._bell.ring()
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1

    async def wait_waiting(self, count: int, *, within: float = PATIENCE) -> None:
        """Wait until at least `count` answers stand at the gate."""
        await self._bell.until(
            lambda: self.waiting >= count,
            f"{count} waiting at {self.name}",
            seen=lambda: self.waiting,
            within=within,
        )


async def until(
    claim: Callable[[], Awaitable[bool]], *, within: float = PATIENCE, every: float = 0.02
) -> None:
    """Ask `claim` again and again until it is true: for what happens in another process, which rings no bell."""
    try:
        async with asyncio.timeout(within):
            while not await claim():  # noqa: ASYNC110 - another process rings no bell
                await asyncio.sleep(every)
    except TimeoutError:
        raise TookTooLong(f"waited {within} s for {claim!r}") from None
