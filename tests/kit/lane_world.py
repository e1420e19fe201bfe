"""Two nodes told the same, one of which has the lane: what the lane answers must be what the long way answers.

Owns: `Bucket`, a transport that keeps what is written to it, and `OneSide`, a node with one client connection on it. The parts
are the real ones; only sockets are missing, and the next tier is scripted.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.exchange import ClientTls
from edge.semantics.forwarding import Network
from edge.semantics.rules import SiteRules
from edge.server.access_log import AccessLog
from edge.server.connection import Connection
from edge.server.listener import Listener
from edge.settings.node import LogSettings
from edge.wire.limits import DEFAULT_LIMITS, Limits
from tests.kit.node_bench import NodeBench, node_bench

PEER = "192.0.2.1"
"""Who connects."""
TURNS = 200
"""Of the loop, after which whoever is not done waits for the client: nothing here waits for anything else."""


class Bucket:
    """As much of a transport as a connection uses. sent: all that was written."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.closed = ""
        self.limit = 1 << 30
        self.protocol: Connection | None = None

    def write(self, data: bytes | memoryview) -> None:
        self.sent += data
        if len(self.sent) > self.limit and self.protocol is not None:
            self.protocol.pause_writing()

    def writelines(self, parts: Sequence[bytes]) -> None:
        self.write(b"".join(parts))

    def drained(self) -> None:
        """The client read all of it."""
        assert self.protocol is not None
        self.limit = 1 << 30
        self.protocol.resume_writing()

    def write_eof(self) -> None:
        self.closed = self.closed or "half"

    def close(self) -> None:
        self.closed = "closed"

    def abort(self) -> None:
        self.closed = "cut"

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed in ("closed", "cut")

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """See pause_reading."""

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_extra_info(self, name: str) -> None:
        return None


@dataclass(slots=True)
class OneSide:
    """See the module."""

    bench: NodeBench
    listener: Listener
    log: AccessLog
    log_file: Path
    connection: Connection
    bucket: Bucket
    tls: ClientTls | None = None
    """What the next client was asked for."""

    def connect(self) -> None:
        """Another connection, in place of the last one."""
        self.bucket = Bucket()
        self.connection = Connection(self.listener, PEER)
        self.connection.tls = self.tls
        self.connection.connection_made(self.bucket)  # type: ignore[arg-type]  # as much of one as is used
        self.bucket.protocol = self.connection

    async def hears(self, *pieces: bytes) -> bytes:
        """Bytes from the client; what was written for them."""
        before = len(self.bucket.sent)
        for piece in pieces:
            if not self.bucket.closed:
                self.connection.data_received(piece)
        for _ in range(TURNS):
            if not len(self.bench.tasks):
                break
            await asyncio.sleep(0)
        return bytes(self.bucket.sent[before:])

    @property
    def lane_answers(self) -> int:
        """How many of them came by the lane."""
        return int(self.bench.measures.lane_answers.value)


@asynccontextmanager
async def one_side(
    directory: Path,
    rules: Sequence[SiteRules],
    *,
    lane: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    trusted: Sequence[Network] = (),
    form: str = "combined",
    scheme: bytes = b"http",
) -> AsyncIterator[OneSide]:
    """A node of that table of sites, without a disk, its access log in a file below `directory`."""
    directory.mkdir(exist_ok=True)
    log_file = directory / "access.log"
    async with node_bench(directory, disk=False, sites=rules, trusted=trusted) as bench:
        log = AccessLog(
            LogSettings(access=log_file, format=form), bench.clock, bench.measures, trusted=trusted
        )
        sock = socket.socket()
        bench.node.lane.bound(limits)
        listener = Listener(
            sock,
            bench.node,
            node_name=b"edge-1",
            limits=limits,
            clock=bench.clock,
            measures=bench.measures,
            tasks=bench.tasks,
            recorder=log,
            scheme=scheme,
            lane=bench.node.lane if lane else None,
        )
        side = OneSide(bench, listener, log, log_file, Connection(listener, PEER), Bucket())
        side.connect()
        try:
            yield side
        finally:
            await log.aclose()
            sock.close()
