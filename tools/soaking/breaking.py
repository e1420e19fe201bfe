"""How each fault is done to real processes, and undone.

Owns: `Breaker`. Rules: it knows what is broken just now and leaves that alone; at most one node is down at a time, so that
purges can be asked for and readers read; of the servers of the log two may be away at once, and then there is no quorum.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import assert_never

from edge.clock import Clock
from tools.soaking.faults import Fault, Planned
from tools.soaking.processes import LogCluster, LogServer, Node

STOPPED_WORKER_SECONDS = 4.0
"""At most: one that is stopped for ten is replaced, which is a killed one again."""


class Breaker:
    """See the module. ready_after: seconds from the start of each killed node until it was ready."""

    def __init__(self, cluster: LogCluster, nodes: Sequence[Node], clock: Clock) -> None:
        self.ready_after: list[float] = []
        self._cluster = cluster
        self._nodes = nodes
        self._clock = clock
        self._broken: set[str] = set()

    async def do(self, planned: Planned) -> str:
        """For `Injector`."""
        match planned.fault:
            case Fault.WORKER_KILLED | Fault.WORKER_STOPPED:
                return await self._worker(planned)
            case Fault.NODE_KILLED:
                return await self._node(planned)
            case Fault.QUORUM_LOST:
                whole = self._whole()[:2]
                return await self._freeze(whole, planned.lasts) if len(whole) == 2 else ""
            case Fault.LEADER_KILLED | Fault.LEADER_STOPPED:
                return await self._server(await self._cluster.stream_leader(), planned)
            case Fault.SERVER_KILLED | Fault.SERVER_STOPPED:
                servers = self._cluster.servers
                return await self._server(servers[planned.which % len(servers)], planned)
            case _ as never:
                assert_never(never)

    async def _server(self, server: LogServer | None, planned: Planned) -> str:
        """One alone: two at once is a fault of its own."""
        if server is None or len(self._whole()) < len(self._cluster.servers):
            return ""
        if planned.fault in {Fault.LEADER_KILLED, Fault.SERVER_KILLED}:
            return await self._restart(server, planned.lasts)
        return await self._freeze([server], planned.lasts)

    def _whole(self) -> list[LogServer]:
        return [server for server in self._cluster.servers if server.name not in self._broken]

    async def _freeze(self, servers: Sequence[LogServer], seconds: float) -> str:
        names = {server.name for server in servers}
        self._broken |= names
        for server in servers:
            server.freeze()
        try:
            await asyncio.sleep(seconds)
        finally:
            for server in servers:
                server.thaw()
            self._broken -= names
        return " ".join(sorted(names))

    async def _restart(self, server: LogServer, seconds: float) -> str:
        self._broken.add(server.name)
        await server.kill()
        await asyncio.sleep(seconds)
        server.launch()
        self._broken.discard(server.name)
        return server.name

    async def _worker(self, planned: Planned) -> str:
        whole = [node for node in self._nodes if node.name not in self._broken]
        if not whole:
            return ""
        node = whole[planned.which % len(whole)]
        pids = node.worker_pids()
        if not pids:
            return ""
        pid = pids[planned.which // 7 % len(pids)]
        if planned.fault is Fault.WORKER_KILLED:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return node.name
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(min(planned.lasts, STOPPED_WORKER_SECONDS))
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        return node.name

    async def _node(self, planned: Planned) -> str:
        if any(node.name in self._broken for node in self._nodes):
            return ""
        node = self._nodes[planned.which % len(self._nodes)]
        self._broken.add(node.name)
        await node.kill()
        await asyncio.sleep(planned.lasts)
        began = self._clock.mono()
        node.launch()
        await node.wait_ready()
        self.ready_after.append(self._clock.mono() - began)
        self._broken.discard(node.name)
        return node.name
