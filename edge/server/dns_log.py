"""The routing log of a DNS worker on its way to a file.

Owns: `RoutingLog`. Rules: a line is made at once and written with others, at the latest after FLUSH_SECONDS, by a thread
(edge.server.log_writer); what does not fit is dropped and counted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge.clock import Clock
from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.routing_log import Recorded, routing_line
from edge.server.log_writer import LogWriter

FLUSH_SECONDS = 0.25
FLUSH_BYTES = 64 * 1024


class RoutingLog:
    """To be made on the running loop. OSError when the file cannot be opened."""

    def __init__(self, file: Path, clock: Clock, measures: DnsMeasures) -> None:
        self._clock = clock
        self._dropped = measures.log_lines_dropped.of("routing")
        self._writer = LogWriter(file, on_drop=self._drop)
        self._lines: list[bytes] = []
        self._size = 0
        self._flusher: asyncio.TimerHandle | None = None

    def record(self, recorded: Recorded) -> None:
        """One answer."""
        line = routing_line(recorded, self._clock.now())
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self._flush()
        elif self._flusher is None:
            self._flusher = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def reopen(self) -> None:
        """The file was renamed."""
        self._flush()
        self._writer.reopen()

    async def aclose(self) -> None:
        """Write what is left."""
        self._flush()
        await asyncio.to_thread(self._writer.close)

    def _flush(self) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        if self._lines:
            self._writer.write(self._lines, self._size)
            self._lines, self._size = [], 0

    def _drop(self, lines: int) -> None:
        self._dropped.value += lines
