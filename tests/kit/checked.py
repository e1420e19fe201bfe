"""Nodes as a check sees them: something on a port that answers with a status, or hangs, or is gone.

async with CheckedNodes("fra-1", "iad-1") as nodes:
    nodes["fra-1"].status = 503
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from edge.settings.node import ListenAddress


class CheckedNode:
    """status: what it answers; None = it takes the connection and says nothing."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.asked: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._port = 0
        self._held = asyncio.Event()

    async def start(self) -> None:
        """Listen, again where it was."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody is there any more."""
        if self._server is not None:
            self._held.set()
            self._server.close()
            await self._server.wait_closed()
            self._held.clear()
            self._server = None

    @property
    def at(self) -> ListenAddress:
        return ListenAddress("127.0.0.1", self._port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
            if self.status is None:
                await self._held.wait()
            else:
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


class CheckedNodes(dict[str, CheckedNode]):
    """By name, all of them there."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: CheckedNode() for name in names})

    async def __aenter__(self) -> Self:
        for node in self.values():
            await node.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.values():
            await node.stop()
