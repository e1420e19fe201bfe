"""What is started for a soak or a benchmark of purges: servers of the log, and nodes. Each is a group of processes of its own.

Owns: `Member`, `LogServer`, `LogCluster`, `Node`. Rules: only what was started here is ever ended, by its id; what is down
is started again on the same ports over the same folder; what everything wrote is kept in files beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tools.benching.processes import living_workers, pinned
from tools.ports import free_ports
from tools.soaking.readers import Place

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
LOOK_SECONDS = 0.05
TOKEN = "soak-on-loopback"


class NotUp(Exception):
    """Something that was started does not do what it should; with what it wrote."""


class Member:
    """A process with its children. log: the file that it writes into."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What is started."""
        raise NotImplementedError

    @property
    def is_running(self) -> bool:
        """False = it was not started, or has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def launch(self) -> None:
        """Start it; it need not be ready when this returns."""
        assert not self.is_running, f"{self.name} runs"
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command(),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def freeze(self) -> None:
        """Stop its first process for a while."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """End the whole group at once; harmless when it does not run."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        self._process = None

    def last_words(self) -> str:
        """The end of what it wrote."""
        return (
            self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
            if self.log.exists()
            else "(nothing)"
        )


# --- the log ---------------------------------------------------------------------------------------------------------


class LogServer(Member):
    """One server of a cluster. ports: for clients, for its monitor, for the others. routes: the last one of all."""

    def __init__(self, name: str, folder: Path, ports: tuple[int, int, int], routes: Sequence[int]) -> None:
        super().__init__(name, folder / f"{name}.log")
        self.port, self.monitor_port, self._route_port = ports
        self._file = folder / f"{name}.conf"
        others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        cluster = f'cluster {{ name: soak, listen: "127.0.0.1:{self._route_port}", routes: [ {others} ] }}'
        self._file.write_text(
            f"""
            server_name: {name}
            listen: "127.0.0.1:{self.port}"
            http: "127.0.0.1:{self.monitor_port}"
            authorization {{ token: "{TOKEN}" }}
            jetstream {{
              store_dir: "{folder / name}"
              sync_interval: "always"
              max_memory_store: 16MB
              max_file_store: 1GB
            }}
            {cluster if len(routes) > 1 else ""}
            """,
            encoding="utf-8",
        )

    def command(self) -> list[str]:
        """nats-server of this environment."""
        return [str(Path(sys.executable).parent / "nats-server"), "-c", str(self._file)]


class LogCluster:
    """Servers that are one. Use it as a context manager: all are ended at the end."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ports = free_ports(3 * size)
        routes = ports[2 * size :]
        self.servers = [
            LogServer(f"n{at + 1}", folder, (ports[at], ports[size + at], routes[at]), routes)
            for at in range(size)
        ]

    async def __aenter__(self) -> Self:
        for server in self.servers:
            server.launch()
        await self.wait_leader()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            await server.kill()  # SIGKILL reaches one that is frozen, too

    async def wait_leader(self) -> None:
        """Until JetStream can be used. NotUp."""
        for _ in range(int(START_SECONDS / LOOK_SECONDS)):
            has_leader = len(self.servers) == 1 or await self._meta_leader()
            monitor = f"http://127.0.0.1:{self.servers[0].monitor_port}/healthz"
            if has_leader and await _said(monitor) is not None:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise NotUp(f"the servers of the log have no leader:\n{self.servers[0].last_words()}")

    async def _meta_leader(self) -> str:
        for server in self.servers:
            said = await _said(f"http://127.0.0.1:{server.monitor_port}/jsz")
            leader = (said or {}).get("meta_cluster", {}).get("leader")
            if leader:
                return str(leader)
        return ""

    async def stream_leader(self) -> LogServer | None:
        """The server that leads the log's stream; None = nobody says so now."""
        for server in self.servers:
            said = await _said(f"http://127.0.0.1:{server.monitor_port}/jsz?accounts=true&streams=true")
            for account in (said or {}).get("account_details", ()):
                for stream in account.get("stream_detail", ()):
                    leader = stream.get("cluster", {}).get("leader")
                    found = [each for each in self.servers if each.name == leader]
                    if found:
                        return found[0]
        return None

    @property
    def settings(self) -> str:
        """The [nats] table of a node."""
        urls = ", ".join(f'"nats://127.0.0.1:{server.port}"' for server in self.servers)
        monitors = ", ".join(f'"http://127.0.0.1:{server.monitor_port}"' for server in self.servers)
        return f'[nats]\nurl = [{urls}]\ntoken = "{TOKEN}"\nreplicas = {len(self.servers)}\nmonitor = [{monitors}]\n'


# --- nodes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeSetting:
    """What a node is told. fills: by site, the origin's port. log: its [nats] table. tier: its [tier] table, "" = it stands
    alone. lease: purge.log_loss_after, seconds.
    """

    fills: dict[str, int]
    hosts: dict[str, str]
    log: str
    keys: Path
    workers: int = 2
    lease: int = 15
    rate: int = 100_000
    tier: str = ""


_NODE = """\
sites = []
[node]
name = "{name}"
listen = ["127.0.0.1:{port}"]
admin = "127.0.0.1:{admin}"
data_dir = "{folder}/data"
workers = {workers}
[log]
access = "off"
level = "info"
[disk]
capacity = "256MiB"
[memory]
capacity = "32MiB"
[limits]
connections_per_client = 20000
[purge]
keys = "{keys}"
rate = {rate}
{log}
{tier}
"""

_SITE = """
[[site]]
name = "{name}"
hostnames = ["{host}"]
origins = ["http://127.0.0.1:{origin}"]
[site.stale]
if_error = "0s"
[site.purge]
log_loss_after = "{lease}s"
"""


class Node(Member):
    """A whole `perigee run` with its workers. core: for all of it, None = any."""

    def __init__(self, name: str, folder: Path, setting: NodeSetting, *, core: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(name, folder / "output.txt")
        port, admin = free_ports(2)
        self.place = Place(name, port, admin)
        self._core = core
        self._file = folder / "node.toml"
        said = _NODE.format(
            name=name,
            port=port,
            admin=admin,
            folder=folder,
            workers=setting.workers,
            keys=setting.keys,
            log=setting.log,
            rate=setting.rate,
            tier=setting.tier,
        )
        sites = (
            _SITE.format(name=site, host=setting.hosts[site], origin=origin, lease=setting.lease)
            for site, origin in setting.fills.items()
        )
        self._file.write_text(said + "".join(sites), encoding="utf-8")

    def command(self) -> list[str]:
        """`perigee run`."""
        return pinned(self._core, [sys.executable, "-m", "tools.perigee", "run", "--config", str(self._file)])

    def worker_pids(self) -> list[int]:
        """Of those that live now."""
        return living_workers(self.pid)

    async def is_ready(self) -> bool:
        """As /readyz says."""
        return await _said(f"http://127.0.0.1:{self.place.admin_port}/readyz", any_text=True) is not None

    async def wait_ready(self, within: float = START_SECONDS) -> None:
        """NotUp with what it wrote."""
        try:
            async with asyncio.timeout(within):
                while not await self.is_ready():
                    if not self.is_running:
                        break
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    return
        except TimeoutError:
            pass
        raise NotUp(f"{self.name} is not ready within {within:g} s:\n{self.last_words()}")


async def _said(url: str, *, any_text: bool = False) -> dict[str, Any] | None:
    """The JSON that a 200 has, None for anything else; {} for any 200 where any text will do."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0), trust_env=False) as session,
            session.get(url) as answer,
        ):
            text = await answer.text()
            if answer.status != 200:
                return None
            said = {} if any_text else json.loads(text)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
