"""Valve: a TCP relay in front of a server that holds back what the server says, and lets it go in order.

Who is behind a shut valve lags: it serves on, and hears nothing new.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class Valve:
    """See the module. port: of the server; `listening` is the valve's own."""

    def __init__(self, port: int) -> None:
        self.listening = 0
        self.heard = bytearray()
        """What clients said."""
        self._port = port
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.listening = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "it was entered"
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def shut(self) -> None:
        """Nothing that the server says gets through from now on."""
        self._open.clear()

    def open(self) -> None:
        """All that it said, and says."""
        self._open.set()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += (writer, up_writer)
        for source, sink, is_held in ((reader, up_writer, False), (up_reader, writer, True)):
            task = asyncio.get_running_loop().create_task(self._copy(source, sink, is_held=is_held))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_held: bool) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if is_held:
                    await self._open.wait()
                else:
                    self.heard += data
                sink.write(data)
                await sink.drain()
        sink.close()
