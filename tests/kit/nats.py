"""Real nats-servers on loopback, one or a cluster of three, that tests kill, freeze and start again.

A server keeps its ports over restarts, so that who was connected finds it again; its data are in a folder of the test.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.bus import attached
from edge.bus.address import BusAddress
from tests.kit.waiting import PATIENCE, TookTooLong, until
from tools.ports import free_ports

PROGRAM = Path(sys.executable).parent / "nats-server"
TOKEN = "loopback-only"
USUAL_LOGIN = f"authorization {{ token: {TOKEN} }}"


@dataclass
class NatsServer:
    """One server. folder: for its data. login, jetstream, more: lines of its configuration.

    sync_always: False = as NATS does by default. keeps: it has a log of its own. port, monitor_port: 0 = any.
    """

    folder: Path
    name: str = "n1"
    login: str = USUAL_LOGIN
    jetstream: str = ""
    more: str = ""
    sync_always: bool = True
    keeps: bool = True
    port: int = 0
    monitor_port: int = 0
    process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}"

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")

    def address(self, **changes: Any) -> BusAddress:
        """For a bus to it."""
        return BusAddress(**{"urls": (self.url,), "token": TOKEN, **changes})

    def configuration(self) -> str:
        sync = 'sync_interval: "always"' if self.sync_always else ""
        most = "max_memory_store: 16MB, max_file_store: 1GB"
        keeping = f'jetstream {{ store_dir: "{self.folder / self.name}", {most}, {sync} {self.jetstream} }}'
        return f"""
            server_name: {self.name}
            listen: "127.0.0.1:{self.port or -1}"
            http: "127.0.0.1:{self.monitor_port or -1}"
            ports_file_dir: "{self.folder}"
            log_file: "{self.folder / self.name}.log"
            {keeping if self.keeps else ""}
            {self.login}
            {self.more}
        """

    async def start(self) -> None:
        """Start it, again where it was."""
        assert self.process is None, f"{self.name} runs"
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{self.name}.conf"
        file.write_text(self.configuration(), encoding="utf-8")
        self.process = started([str(PROGRAM), "-c", str(file)])
        ports = self.folder / f"nats-server_{self.process.pid}.ports"

        async def is_up() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"nats-server ended: {self.log[-2000:]}")
            try:
                said = json.loads(ports.read_text(encoding="utf-8"))
            except (FileNotFoundError, ValueError):
                return False
            self.port = _port(said["nats"][0])
            self.monitor_port = _port(said["monitoring"][0])
            return True

        await until(is_up, every=0.005)

    def freeze(self) -> None:
        """It answers nobody from now on, and keeps its connections."""
        assert self.process is not None, f"{self.name} does not run"
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """It goes on."""
        assert self.process is not None, f"{self.name} does not run"
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End it properly."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it at once; harmless when it does not run."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE)
        except TimeoutError:
            process.kill()
            raise TookTooLong(f"{self.name} does not end") from None


@dataclass
class NatsCluster:
    """Servers that are one. more: lines of each one's configuration."""

    folder: Path
    size: int = 3
    login: str = USUAL_LOGIN
    jetstream: str = ""
    servers: list[NatsServer] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        ports = free_ports(3 * self.size)
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[: self.size])
        for index, port in enumerate(ports[: self.size]):
            self.servers.append(
                NatsServer(
                    self.folder,
                    f"n{index + 1}",
                    self.login,
                    self.jetstream,
                    f'cluster {{ name: test, listen: "127.0.0.1:{port}", routes: [ {routes} ], no_advertise: true }}',
                    port=ports[self.size + index],
                    monitor_port=ports[2 * self.size + index],
                )
            )
        await asyncio.gather(*[server.start() for server in self.servers])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            await server.kill()

    @property
    def monitors(self) -> tuple[str, ...]:
        return tuple(server.monitor for server in self.servers)

    def address(self, **changes: Any) -> BusAddress:
        """For a bus to all of them."""
        urls = tuple(server.url for server in self.servers)
        return BusAddress(**{"urls": urls, "token": TOKEN, "replicas": self.size, **changes})

    def named(self, name: str) -> NatsServer:
        """The server that NATS calls so, as in the answer of STREAM.INFO."""
        return next(server for server in self.servers if server.name == name)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """A program that ends with this process, however that ends."""
    attach = [sys.executable, "-I", attached.__file__, str(os.getpid())]
    return subprocess.Popen([*attach, *command], stderr=subprocess.DEVNULL)
