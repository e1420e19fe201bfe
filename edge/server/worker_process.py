"""One worker process, from its start to its end, as the supervisor sees it.

Owns: `WorkerProcess`; and `launched`, for every program of ours. A worker is a new program (`python -m
edge.server.worker_main`, or the DNS server's), not a fork: a forked event loop shares its selector with its parent, forked
threads are gone while their locks stay held, and memory that is shared after a fork is copied soon anyway, since Python
writes a count into every object that it reads. A start costs half a second of one core instead. What is shared is passed by
descriptor: listening sockets and one end of a `Line`.

The signals that mean something to us are blocked while the child starts; it takes them off when it has its handlers, so
that Ctrl-C, which goes to the whole group, never kills a worker that is not yet ready for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import edge
from edge.server.control import Line
from edge.server.orders import Applied, Drained, Failed, Order, Ready, Start

SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2))

EDGE_WORKER = "edge.server.worker_main"

REHEARSAL_SECONDS = 60.0

END_SECONDS = 5.0
"""How long a process may live on after its line has ended, before it is killed."""


class WorkerProcess:
    """A child that was started. is_ready: once it serves. is_dry: once it has no clients any more, having been told to.

    detail: why it could not, None = it did not say.
    """

    def __init__(self, process: asyncio.subprocess.Process, line: Line, since: float) -> None:
        self._process = process
        self._line = line
        self.since = since
        self.is_ready = self.is_dry = False
        self.detail: str | None = None

    @classmethod
    async def spawn(
        cls, start: Start, sockets: Sequence[socket.socket], *, since: float, program: str = EDGE_WORKER
    ) -> WorkerProcess:
        """Start one. sockets: it inherits them; `start.listen` is filled in. since: monotonic seconds now.

        program: the module that is run.
        """
        ours, its = socket.socketpair()
        with its:
            listen = tuple(sock.fileno() for sock in sockets)
            descriptor, place = str(its.fileno()), f"{start.index + 1}/{start.count}"
            process = await launched(program, descriptor, place, pass_fds=(its.fileno(), *listen))
        line = await Line.over(ours)
        line.send(replace(start, listen=listen))
        return cls(process, line, since)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, order: Order) -> None:
        """Tell it something; harmless when it is gone."""
        self._line.send(order)

    def kill(self) -> None:
        """End it at once; harmless when it is gone."""
        if self._process.returncode is None:
            self._process.kill()

    async def ended(
        self,
        on_ready: Callable[[], None] = lambda: None,
        on_drained: Callable[[int], None] = lambda _cut: None,
        on_applied: Callable[[Applied], None] = lambda _applied: None,
    ) -> int:
        """Wait for its end; its exit code, negative for a signal's number.

        on_drained: told how many it had to cut. on_applied: told how far it has read the purge log.
        """
        try:
            while (report := await self._line.receive()) is not None:
                match report:
                    case Ready():
                        self.is_ready = True
                        on_ready()
                    case Failed(detail):
                        self.detail = detail
                    case Drained(cut):
                        self.is_dry = True
                        on_drained(cut)
                    case Applied():
                        on_applied(report)
                    case _:
                        raise AssertionError(f"a worker reports {report}")
            try:
                return await asyncio.wait_for(self._process.wait(), END_SECONDS)
            except TimeoutError:
                self._process.kill()
                return await self._process.wait()
        finally:
            await self._line.aclose()


async def rehearsed(start: Start, since: float, program: str) -> str | None:
    """Whether a worker would start, by one that serves nobody: None = it would; else why not. since: monotonic seconds now."""
    try:
        process = await WorkerProcess.spawn(
            replace(start, is_rehearsal=True), (), since=since, program=program
        )
    except OSError as error:
        return str(error)
    try:
        async with asyncio.timeout(REHEARSAL_SECONDS):
            code = await process.ended()
    except TimeoutError:
        return f"it is not done after {REHEARSAL_SECONDS:g} s"
    finally:
        process.kill()
    return None if process.is_ready and code == 0 else process.detail or f"it ended with {code}"


async def launched(module: str, *arguments: str, **rest: Any) -> asyncio.subprocess.Process:
    """Start a module as a program, with our signals blocked and nothing to read. rest: of `create_subprocess_exec`. OSError."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            env=_environment(),
            **rest,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _environment() -> dict[str, str]:
    """Of a process of ours: our own, and where our own packages are: `-P` keeps the working folder off the child's path."""
    environment = dict(os.environ)  # noqa: TID251  # passed on whole; settings are read from it by edge.settings
    root = str(Path(edge.__file__).parent.parent)
    path = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = root if not path else os.pathsep.join((root, path))
    return environment
