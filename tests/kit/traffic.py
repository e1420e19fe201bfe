"""Traffic: clients that ask without a pause, on new and on kept connections, and note every answer that is not as it should be.

    async with Traffic(world, fresh=2, kept=2) as traffic:
        await traffic.answered(100)
    assert traffic.faults == []

Rules for what is a fault: a connection that is refused or reset, one that ends without an answer to what was asked on it
(also where it was kept, as long as no answer before said that it would end), a body that is cut, a status of 500 or more.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.waiting import PATIENCE, Bell
from tests.kit.world import World


class Traffic:
    """fresh, kept: clients of either kind. target_of: what the request with that number asks for, and how."""

    def __init__(
        self,
        world: World,
        *,
        fresh: int = 2,
        kept: int = 2,
        target_of: Callable[[int], tuple[str, str]] = lambda number: ("GET", f"/{number % 200}"),
    ) -> None:
        self.faults: list[str] = []
        self.count = 0
        self.ends = 0
        """How often a kept connection was ended by an answer that said so."""
        self._world = world
        self._clients = [self._fresh] * fresh + [self._kept] * kept
        self._target_of = target_of
        self._numbers = itertools.count()
        self._bell = Bell()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_over = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(client()) for client in self._clients]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def answered(self, more: int, *, within: float = PATIENCE) -> None:
        """Wait for so many more answers."""
        wanted = self.count + more
        await self._bell.until(
            lambda: self.count >= wanted, f"{wanted} answers", seen=lambda: self.count, within=within
        )

    async def _fresh(self) -> None:
        while not self._is_over:
            try:
                async with await self._world.client() as client:
                    await self._ask(client, "new")
            except OSError as error:
                self.faults.append(f"a new connection: {error!r}")

    async def _kept(self) -> None:
        while not self._is_over:
            try:
                async with await self._world.client() as client:
                    while not self._is_over:
                        answer = await self._ask(client, "kept")
                        if not answer.status or answer.header("Connection") == b"close":
                            self.ends += bool(answer.status)
                            break
            except OSError as error:
                self.faults.append(f"a kept connection: {error!r}")

    async def _ask(self, client: RawClient, kind: str) -> Answer:
        method, target = self._target_of(next(self._numbers))
        body = b"x" * 100 if method == "POST" else None
        answer = await client.request(method, target, body=body)
        if not answer.complete or answer.status >= 500:
            self.faults.append(
                f"{method} {target} on a {kind} connection: {answer.status}, {answer.ending}, complete: {answer.complete}, "
                f"{answer.header('Cache-Status')!r} {answer.header('Proxy-Status')!r}"
            )
        self.count += 1
        self._bell.ring()
        return answer
