"""Processes of a benchmark: started on one core, waited for, and ended whatever happens.

Owns: `Cores`, `Process`, `cpu_seconds`, `resident_bytes`, `living_workers`, `workers_of`. Linux pins by `taskset`; where that
is missing processes run where the system puts them, and the report says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 30.0
"""Varnish has a C compiler make its rules, on the server's core."""
END_SECONDS = 5.0
WORKER = b"origin_shield.worker"
"""What a worker runs: PROGRAM of tools/run.py, which takes 0.7 s to import. Their tests hold them together."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the servers have and which the load generator and the origin. None: no pinning here."""

    server: int | None
    load: int | None

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The first and the last core that we may use; unpinned without taskset or with one core."""
        if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        ours = sorted(os.sched_getaffinity(0))
        return cls(ours[0], ours[-1]) if len(ours) > 1 else cls(None, None)

    @property
    def said(self) -> str:
        """For the report."""
        if self.server is None:
            return "not pinned"
        return f"servers on core {self.server}, load and origin on core {self.load}"


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command, on that core."""
    return list(command) if core is None else ["taskset", "-c", str(core), *command]


class BenchFault(Exception):
    """Something that was started did not do what it should."""


class Process:
    """A child with its output in a file. Use it as a context manager: it is ended at the end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int | None,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._log = log
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                pinned(core, command), stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd, env=env
            )

    @property
    def pid(self) -> int:
        """Its process id (taskset becomes what it starts)."""
        return self._child.pid

    def wait_for_port(self, port: int) -> None:
        """Until somebody listens on 127.0.0.1:port. BenchFault with the end of its output when nobody does in time."""
        self._wait_for(port, b"")

    def wait_for_answer(self, port: int) -> None:
        """Until a request to 127.0.0.1:port is answered, whatever the answer: who listens may not yet serve. BenchFault."""
        self._wait_for(port, b"GET /1k/ready HTTP/1.1\r\nHost: ready\r\nConnection: close\r\n\r\n")

    def _wait_for(self, port: int, request: bytes) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._child.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5.0) as asking:
                asking.sendall(request)
                if not request or asking.recv(1):
                    return
            time.sleep(0.05)
        raise BenchFault(f"nobody answers on port {port}:\n{self._log.read_text(errors='replace')[-2000:]}")

    def end(self) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process and of its children that live, None where /proc does not tell."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    try:
        for each in (pid, *_children(pid)):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / ticks
    except (OSError, IndexError, ValueError):
        return None
    return total


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def resident_bytes(pid: int, name: str = "VmRSS") -> int:
    """Resident memory of a process. name: VmHWM for the most it ever had. BenchFault where /proc does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise BenchFault(f"/proc does not tell {name} of {pid}")


def living_workers(pid: int) -> list[int]:
    """The workers of a `perigee run`, oldest first, and not what else it started; [] when it has none or is gone."""
    try:
        return [each for each in _children(pid) if WORKER in _command_of(each)]
    except OSError:
        return []


def workers_of(pid: int) -> list[int]:
    """Those. BenchFault when there is none."""
    found = living_workers(pid)
    if not found:
        raise BenchFault(f"process {pid} has no worker")
    return found


def _command_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
