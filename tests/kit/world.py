"""World: the real edge as a process of its own, on free ports, over a data directory the test owns.

    async with World(tmp_path, origin=origin.url) as world:
        answer = await world.get("/a")
        await world.wait_metric("perigee_requests_total", 1)

It starts `python -m tools.perigee run`, waits for /readyz, and ends only what it started: its own process group. What
the edge wrote to stderr is shown when it does not start, dies, or the test fails.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.origin_connection import HeadersLike
from tests.kit.process import children, command
from tests.kit.waiting import PATIENCE, TookTooLong
from tools.ports import free_ports

CHECKOUT = Path(__file__).resolve().parents[2]
WORKER = "origin_shield.worker"
READY_WITHIN = 30.0
"""Seconds until /readyz must answer 200; a Python process on a busy two-core machine needs a few."""
_POLL = 0.02
"""Seconds between two looks at another process, which cannot ring a bell of ours."""


class EdgeDied(AssertionError):
    """The edge's process ended when it should not have; carries what it wrote."""


class World:
    """One edge in front of one origin. `config` is the text of a TOML file, `args` are further options."""

    def __init__(
        self,
        directory: Path,
        *,
        origin: str | None,
        config: str | None = None,
        workers: int = 1,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.config_file = directory / "perigee.toml"
        self.log_file = directory / "edge.log"
        self.port, self.admin_port = free_ports(2)
        self._origin = origin
        self._workers = workers
        self._args = list(args)
        self._env = dict(os.environ, PYTHONUNBUFFERED="1", **(env or {}))
        self._process: asyncio.subprocess.Process | None = None
        directory.mkdir(parents=True, exist_ok=True)
        if config is not None:
            self.config_file.write_text(config, encoding="utf-8")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        died = self._process is not None and self._process.returncode is not None
        await self.kill9()
        if error is not None:
            error.add_note(f"--- the edge wrote:\n{self.log()}")
        elif died:
            raise EdgeDied(f"the edge ended during the test\n--- the edge wrote:\n{self.log()}")

    @property
    def url(self) -> str:
        """Where the edge listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the edge's first process."""
        assert self._process is not None, "the edge is not running"
        return self._process.pid

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the workers that live now, and of no other process of the edge."""
        return [pid for pid in children(self.pid) if WORKER in command(pid)]

    def log(self) -> str:
        """The last 64 KiB of what the edge wrote, stdout and stderr, since the world began."""
        if not self.log_file.exists():
            return "(nothing)"
        return self.log_file.read_bytes()[-65536:].decode("utf-8", "replace")

    def command(self) -> list[str]:
        """The command line the edge is started with."""
        line = [sys.executable, "-m", "tools.perigee", "run"]
        line += ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}"]
        line += ["--data-dir", str(self.data_dir), "--workers", str(self._workers)]
        if self._origin is not None:
            line += ["--origin", self._origin]
        if self.config_file.exists():
            line += ["--config", str(self.config_file)]
        return line + self._args

    async def start(self) -> None:
        """Start the edge and wait until it is ready; raises EdgeDied or TookTooLong with its output."""
        assert self._process is None, "the edge is running already"
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command(),
                cwd=CHECKOUT,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await self._is_ready():  # noqa: ASYNC110 - another process rings no bell
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            await self.kill9()
            raise TookTooLong(f"not ready within {READY_WITHIN} s; the edge wrote:\n{self.log()}") from None

    async def sigterm(self, *, within: float = PATIENCE) -> int:
        """Ask the edge to end, wait for it, and return its exit code."""
        assert self._process is not None, "the edge is not running"
        self._process.terminate()
        try:
            async with asyncio.timeout(within):
                code = await self._process.wait()
        except TimeoutError:
            raise TookTooLong(f"still running {within} s after SIGTERM; it wrote:\n{self.log()}") from None
        self._process = None
        return code

    async def kill9(self) -> None:
        """Kill the edge and its workers at once, as a power cut would; harmless when it is not running."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def restart(self) -> None:
        """End the edge politely if it runs, and start it again over the same data directory and ports."""
        if self._process is not None:
            await self.sigterm()
        await self.start()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal (SIGHUP, SIGUSR1) to the edge's first process."""
        assert self._process is not None, "the edge is not running"
        self._process.send_signal(number)

    async def client(self) -> RawClient:
        """A new connection to the edge; the caller closes it (`async with await world.client() as client`)."""
        return await RawClient.connect("127.0.0.1", self.port)

    async def request(
        self,
        method: str,
        target: str,
        headers: HeadersLike = (),
        body: bytes | None = None,
        *,
        within: float = PATIENCE,
    ) -> Answer:
        """One request on a connection of its own."""
        async with await self.client() as client:
            return await client.request(method, target, headers, body, within=within)

    async def get(self, target: str, headers: HeadersLike = (), *, within: float = PATIENCE) -> Answer:
        """GET on a connection of its own."""
        return await self.request("GET", target, headers, within=within)

    async def admin(self, target: str, method: str = "GET") -> Answer:
        """One request to the admin port."""
        async with await RawClient.connect("127.0.0.1", self.admin_port) as client:
            return await client.request(method, target)

    async def readiness(self) -> dict[str, Any]:
        """What /readyz says, ready or not."""
        told: dict[str, Any] = json.loads((await self.admin("/readyz")).body)
        return told

    async def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """The samples of /metrics: name to a list of (labels, value)."""
        answer = await self.admin("/metrics")
        assert answer.status == 200, f"/metrics answered {answer.status}"
        samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(answer.body.decode()):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return samples

    async def metric(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """The sum of the samples of that name that carry these labels; 0.0 when there is none."""
        wanted = (labels or {}).items()
        return sum(value for has, value in (await self.metrics()).get(name, ()) if wanted <= has.items())

    async def wait_metric(
        self, name: str, value: float, labels: Mapping[str, str] | None = None, *, within: float = PATIENCE
    ) -> float:
        """Wait until the metric is at least `value`; returns what it is then."""
        seen = 0.0
        try:
            async with asyncio.timeout(within):
                while (seen := await self.metric(name, labels)) < value:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise TookTooLong(
                f"waited {within} s for {name}{labels or ''} >= {value}; it is {seen}"
            ) from None
        return seen

    async def _is_ready(self) -> bool:
        assert self._process is not None, "start() has just set it"
        if self._process.returncode is not None:
            code, self._process = self._process.returncode, None
            raise EdgeDied(f"the edge ended with {code} before it was ready; it wrote:\n{self.log()}")
        try:
            return (await self.admin("/readyz")).status == 200
        except ConnectionError:
            return False
