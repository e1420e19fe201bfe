"""Workers: several workers of one node on the test's own event loop, sharing a data and a run directory.

    async with workers(tmp_path, origin.url) as (one, other):
        target = one.owned("/a")
        answer = await other.get(target)

Each listens on a port of its own, so that a test says which of them is asked. They talk to each other over their real
Unix sockets.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from edge.semantics import key as keys
from edge.semantics.message import Authority
from edge.server.outward import MakeOutward, Straight
from edge.server.peers import owner_of
from edge.server.worker import Worker
from edge.settings.load import from_origin
from edge.settings.node import DiskSettings, LogSettings, LogTarget, NodeSettings, Overrides
from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.origin_connection import HeadersLike

HOST = "a.example"


class OneWorker:
    """One of them. port: where it listens; for_nodes: where it serves nodes, 0 = nowhere."""

    def __init__(self, worker: Worker, count: int, port: int, for_nodes: int = 0) -> None:
        self.worker = worker
        self.port = port
        self.for_nodes = for_nodes
        self._count = count
        self.is_stopped = False
        self.again: Callable[[], Awaitable[OneWorker]]
        """Start its successor, once it was stopped."""

    def key(self, target: str) -> bytes:
        """The primary key of a target."""
        rules = next(iter(self.worker.settings.sites))
        return keys.primary_key(Authority(b"http", HOST.encode(), 80), target.encode(), rules.key)

    def owned(self, path: str) -> str:
        """A target under `path` whose key this worker owns."""
        targets = (f"{path}?{number}" for number in itertools.count())
        return next(t for t in targets if owner_of(self.key(t), self._count) == self.worker.index)

    async def get(self, target: str, headers: HeadersLike = ()) -> Answer:
        """GET of this worker."""
        return await self.request("GET", target, headers)

    async def request(
        self, method: str, target: str, headers: HeadersLike = (), body: bytes | None = None
    ) -> Answer:
        """One request of this worker."""
        lines = [("Host", HOST), *(headers.items() if isinstance(headers, Mapping) else headers)]
        async with await RawClient.connect("127.0.0.1", self.port) as client:
            return await client.request(method, target, lines, body)

    def counted(self, metric: str) -> dict[str, float]:
        """The cells of a metric that are not zero, by the last label's value."""
        cells = self.worker.measures.registry.snapshot()[metric]["cells"]
        return {(cell["values"] or [""])[-1]: cell["value"] for cell in cells if cell["value"]}

    async def stop(self) -> None:
        """End it."""
        if not self.is_stopped:
            self.is_stopped = True
            await self.worker.aclose()


def settings_for(directory: Path, origin: str, *, disk: bool = True) -> NodeSettings:
    """What an operator gets who says --origin, without an access log."""
    settings = from_origin(origin, Overrides(name="edge", data_dir=str(directory / "data"), origin=origin))
    if not disk:
        settings = replace(settings, disk=DiskSettings(capacity=None))
    return replace(settings, log=LogSettings(access=LogTarget.OFF))


@asynccontextmanager
async def workers(
    settings: NodeSettings, count: int = 2, *, outward: MakeOutward = Straight, for_nodes: bool = False
) -> AsyncIterator[tuple[OneWorker, ...]]:
    """All of them, started; stopped in the end. outward: their ways out. for_nodes: each serves nodes on a port of its own."""
    # A Unix socket's path may have 107 bytes, which a test's own directory can come near to.
    run = Path(tempfile.mkdtemp(prefix="perigee-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, run)
        made: list[OneWorker] = []

        async def begin(index: int) -> OneWorker:
            sock = socket.create_server(("127.0.0.1", 0), backlog=128)
            tier = [socket.create_server(("127.0.0.1", 0), backlog=128)] if for_nodes else []
            worker = Worker(
                settings,
                index=index,
                count=count,
                run_dir=run,
                listen_sockets=[sock],
                admin_socket=run / f"admin-{index}",
                tier_socket_of=lambda index: run / f"worker-{index}",
                tier_sockets=tier,
                outward=outward,
            )
            await worker.start()
            nodes_at = tier[0].getsockname()[1] if tier else 0
            one = OneWorker(worker, count, sock.getsockname()[1], nodes_at)
            stack.push_async_callback(one.stop)
            one.again = lambda: begin(index)
            return one

        for index in range(count):
            made.append(await begin(index))  # noqa: PERF401  # one that fails ends those before it
        yield tuple(made)
