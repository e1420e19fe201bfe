"""The only maker of tasks.

Owns: `spawn` and `TaskOwner`. Rules: a task has a name and somebody who awaits or cancels it; the loop keeps only weak
references, so the strong one is kept here until it ends; a task that fails is logged at once, not when (or if) it is
garbage-collected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

_log = logging.getLogger("perigee.tasks")

T = TypeVar("T")

UNWILLING_SECONDS = 10.0
"""How long `TaskOwner.aclose` waits for cancelled tasks before it names those left and goes on."""

_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start `coro` as a task of the running loop. A failure is logged under `name`; being cancelled is none."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_settle)
    return task


def running() -> frozenset[str]:
    """The names of all tasks that have not ended: for tests that nothing is left behind, and for the admin page."""
    return frozenset(task.get_name() for task in _running)


def _settle(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    failure = task.exception()
    if failure is not None:
        _log.error("task failed", exc_info=failure, extra={"task": task.get_name()})


class TaskOwner:
    """Whoever starts tasks and answers for their end. name: prefixed to the names of its tasks.

    Use it as an async context manager, or call `aclose` in a `finally`.
    """

    __slots__ = ("_closed", "_tasks", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start a task that `aclose` will end. RuntimeError once closed (the coroutine is closed, not leaked)."""
        if self._closed:
            coro.close()
            raise RuntimeError(f"{self.name} is closed; {name} was not started")
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}:{name}")
        _running.add(task)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        _settle(task)

    def __len__(self) -> int:
        return len(self._tasks)

    async def aclose(self, *, grace: float = 0.0) -> None:
        """End every task: wait `grace` seconds for them to end by themselves, cancel the rest, await those.

        Failures were logged when they happened and are not raised here. Closing twice is allowed. A task that closes
        its own owner is left to end by itself.
        """
        self._closed = True
        others = self._tasks - {asyncio.current_task()}
        if others and grace > 0.0:
            _, others = await asyncio.wait(others, timeout=grace)
        for task in others:
            task.cancel()
        if others:
            _, unwilling = await asyncio.wait(others, timeout=UNWILLING_SECONDS)
            for task in unwilling:
                _log.error("task does not end when cancelled", extra={"task": task.get_name()})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
