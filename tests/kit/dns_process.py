"""A real `perigee dns` on ports of its own, and a network file for it.

async with DnsProcess(tmp_path) as server:
    answer = await server.ask("www.cdn.example.")
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import dns.asyncquery
import dns.edns
import dns.message

from tests.kit.process import children
from tests.kit.waiting import until

CHECKOUT = Path(__file__).parent.parent.parent
READY_WITHIN = 20.0
AT = re.compile(r"at 127\.0\.0\.1:(\d+) \(UDP and TCP\).*admin http://127\.0\.0\.1:(\d+)")

NETWORK = """
[dns]
log = "routing.log"
[dns.rate]
responses = "off"
errors = "off"
[geo]
reload = "1s"
databases = {databases}
[[region]]
name = "all"
[[pop]]
name = "fra"
region = "all"
latitude = 50.11
longitude = 8.68
addresses = ["192.0.2.1", "2001:db8:1::1"]
[[pop]]
name = "nyc"
region = "all"
latitude = 40.71
longitude = -74.0
addresses = ["192.0.2.2"]
[[node]]
name = "fra-1"
pop = "fra"
http = "127.0.0.1:1"
[[node]]
name = "nyc-1"
pop = "nyc"
http = "127.0.0.1:1"
[[route]]
site = "shop"
hosts = ["www.cdn.example", "*.shop.cdn.example"]
spread = false
[[zone]]
origin = "cdn.example"
ns = ["ns1.cdn.example"]
[[zone.record]]
name = "ns1"
type = "A"
values = ["127.0.0.1"]
[[zone.record]]
name = "text"
type = "TXT"
values = ["{text}"]
"""


def network(text: str = "first", databases: list[str] | None = None) -> str:
    return NETWORK.format(text=text, databases=json.dumps(databases or []))


class DnsProcess:
    """text: of the network file. The server is ready once the block is entered, and gone when it is left."""

    def __init__(self, directory: Path, text: str | None = None, *, workers: int = 1) -> None:
        self.file = directory / "network.toml"
        self.file.write_text(network() if text is None else text, encoding="utf-8")
        self.directory = directory
        self.port = self.admin_port = 0
        self._workers = workers
        self._log = directory / "dns.log"
        self._process: asyncio.subprocess.Process | None = None

    def command(self) -> list[str]:
        line = [
            sys.executable,
            "-m",
            "tools.perigee",
            "dns",
            "--config",
            str(self.file),
            "--listen",
            "127.0.0.1:0",
        ]
        line += ["--admin", "127.0.0.1:0", "--data-dir", str(self.directory / "data")]
        return [*line, "--workers", str(self._workers)]

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command(),
                cwd=CHECKOUT,
                env=dict(os.environ, PYTHONUNBUFFERED="1"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await until(self._is_announced, within=READY_WITHIN)
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        if error is not None:
            error.add_note(f"--- the server wrote:\n{self.log()}")

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-65536:]

    @property
    def workers(self) -> list[int]:
        assert self._process is not None
        return children(self._process.pid)

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(READY_WITHIN):
            return await self._process.wait()

    async def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def ask(
        self, name: str, kind: str = "A", *, subnet: str | None = None, tcp: bool = False
    ) -> dns.message.Message:
        options: list[dns.edns.Option] = [] if subnet is None else [dns.edns.ECSOption(subnet, 24)]
        asked = dns.message.make_query(name, kind, use_edns=0, options=options)
        send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        answer = await send(asked, "127.0.0.1", port=self.port, timeout=10)
        assert isinstance(answer, dns.message.Message)
        return answer

    async def texts(self, name: str, kind: str = "A", *, subnet: str | None = None) -> list[str]:
        """The data of the last answer set."""
        answer = (await self.ask(name, kind, subnet=subnet)).answer
        return sorted(each.to_text() for each in answer[-1]) if answer else []

    async def until_told(self, said: Callable[[list[str]], bool], name: str, kind: str = "A") -> None:
        async def is_so() -> bool:
            return said(await self.texts(name, kind))

        await until(is_so)

    async def admin(self, target: str) -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.admin_port}{target}") as got,
        ):
            return await got.text()

    async def _is_announced(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, f"the server ended\n{self.log()}"
        found = AT.search(self.log())
        if found is not None:
            self.port, self.admin_port = int(found[1]), int(found[2])
        return found is not None
