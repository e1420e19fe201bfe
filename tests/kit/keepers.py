"""kept: a keeper of a real worker, with its port and what it said."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from edge.clock import SystemClock
from edge.metrics import Counter
from edge.server import sockets
from edge.server.command_line import CommandLine, Standing, write_contents
from edge.server.keeper import Group, Keeper
from edge.server.orders import Order, Start
from edge.server.run_dir import claim, contents_of
from edge.settings.node import ListenAddress
from tests.kit.waiting import PATIENCE


class Kept:
    """A keeper with its port and what it said."""

    def __init__(self, keeper: Keeper, where: ListenAddress, restarts: Counter, ends: list[int]) -> None:
        self.keeper, self.where, self.restarts, self.ends = keeper, where, restarts, ends

    async def until(self, served: bool, restarts: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while (self.keeper.seen().served, self.keeper.restarts) != (served, restarts):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def die(self) -> None:
        pid = self.keeper.seen().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def connect(self) -> socket.socket:
        return socket.create_connection((self.where.host, self.where.port), timeout=PATIENCE)


@asynccontextmanager
async def kept(
    tmp_path: Path,
    command_line: CommandLine,
    *,
    contents: bool = True,
    greeting: Callable[[], Sequence[Order]] = tuple,
    group: Group | None = None,
) -> AsyncIterator[Kept]:
    async with claim(tmp_path) as run_dir:
        if contents:
            write_contents(Standing.once({}), contents_of(run_dir))
        (held,) = await sockets.bind(ListenAddress("127.0.0.1", 0), 1)
        where = sockets.listening_at(held[0])
        restarts, ends = Counter(), list[int]()
        start = Start(0, 1, str(run_dir), (), command_line.as_json())
        keeper = Keeper(
            0,
            lambda: start,
            held,
            clock=SystemClock(),
            restarts=restarts,
            on_end=ends.append,
            greeting=greeting,
            group=group,
        )
        yield Kept(keeper, where, restarts, ends)
