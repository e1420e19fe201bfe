"""Edge: a whole worker on the test's own event loop, behind a real listening socket.

    async with Edge(tmp_path, origin=origin.url) as edge, await edge.client() as client:
        answer = await client.get("/a")

Everything is as in production but the process around it: real sockets, the real parser, pool, node and store. The
settings come from where an operator's come from, a node file (`config`, TOML text) and a command line (`origin`),
so a test can only ask for what an operator can. The disk tier is off unless asked for.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.measures import Measures
from edge.node import Node
from edge.server.outward import MakeOutward, Straight
from edge.server.worker import Worker
from edge.settings.load import from_origin, load_node
from edge.settings.node import DiskSettings, LogSettings, LogTarget, NodeSettings, Overrides
from edge.store.store import Store
from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.origin_connection import HeadersLike
from tests.kit.waiting import PATIENCE, TookTooLong

_BACKLOG = 1024


class Edge:
    """One worker, alone. config: text of a node file; origin: adds a site that takes every host no other names.

    outward: its ways out. It serves nodes where its settings say.
    """

    def __init__(
        self,
        directory: Path,
        *,
        origin: str | None = None,
        config: str | None = None,
        disk: bool = False,
        name: str = "edge",
        outward: MakeOutward = Straight,
    ) -> None:
        self.directory = directory
        self._outward = outward
        self.settings = _settings(directory, origin, config, disk=disk, name=name)
        self.worker: Worker
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        sock, tier = _listening(self.port), self.settings.tier.listen
        self.port = sock.getsockname()[1]
        run = self.directory / "run"
        run.mkdir(parents=True, exist_ok=True)
        self.worker = Worker(
            self.settings,
            index=0,
            count=1,
            run_dir=run,
            listen_sockets=[sock],
            admin_socket=run / "admin",
            tier_socket_of=lambda index: run / f"worker-{index}",
            tier_sockets=[] if tier is None else [_listening(tier.port)],
            outward=self._outward,
        )
        await self.worker.start()

    async def stop(self) -> None:
        """Cut what is open, write what waits to be written."""
        await self.worker.aclose()

    async def restart(self) -> None:
        """Stop, and start again on the same port with an empty memory."""
        await self.stop()
        await self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def node(self) -> Node:
        """The node inside."""
        return self.worker.node

    @property
    def store(self) -> Store:
        """Its store."""
        return self.worker.store

    @property
    def measures(self) -> Measures:
        """Its metrics."""
        return self.worker.measures

    def counted(self, metric: str) -> Mapping[str, float]:
        """The cells of a metric that are not zero, by the last label's value ("" where it has no label)."""
        cells = self.measures.registry.snapshot()[metric]["cells"]
        return {(cell["values"] or [""])[-1]: cell["value"] for cell in cells if cell["value"]}

    async def until(self, claim: Callable[[], bool], what: str) -> None:
        """Return as soon as `claim()` is true of what the edge counts, which rings no bell."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not claim():  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise TookTooLong(f"waited {PATIENCE} s for {what}") from None

    async def client(self) -> RawClient:
        """A new connection."""
        return await RawClient.connect("127.0.0.1", self.port)

    async def get(self, target: str, headers: HeadersLike = ()) -> Answer:
        """GET on a connection of its own."""
        return await self.request("GET", target, headers)

    async def request(
        self, method: str, target: str, headers: HeadersLike = (), body: bytes | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        async with await self.client() as client:
            return await client.request(method, target, headers, body)


def _listening(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(_BACKLOG)
    return sock


def _settings(
    directory: Path, origin: str | None, config: str | None, *, disk: bool, name: str
) -> NodeSettings:
    said = Overrides(name=name, data_dir=str(directory / "data"), origin=origin)
    if config is None:
        assert origin is not None, "an edge needs an origin or a node file"
        settings = from_origin(origin, said)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "edge.toml"
        file.write_text(config, encoding="utf-8")
        settings = load_node(file, said)
    if not disk:
        settings = replace(settings, disk=DiskSettings(capacity=None))
    return replace(settings, log=LogSettings(access=LogTarget.OFF))
