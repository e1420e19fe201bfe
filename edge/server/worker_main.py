"""The program of a worker process: `python -m edge.server.worker_main DESCRIPTOR INDEX/COUNT`.

Owns: the life of one `Worker`: started by the first order on the line to the supervisor, told to reload, and drained by
an order, by SIGTERM, or when the line ends since the supervisor died. The second argument is for those who read `ps`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from edge.errors import EdgeError
from edge.log import Log, set_up
from edge.metrics import Snapshot
from edge.semantics.message import RequestHead, UnixSeconds
from edge.server.command_line import CommandLine, read_contents
from edge.server.control import Line
from edge.server.explaining import explain
from edge.server.orders import Drain, Drained, Failed, Ready, Reload, Reopen, Start
from edge.server.run_dir import admin_socket_of, contents_of, tier_socket_of
from edge.server.worker import Worker
from edge.server.worker_admin import serve, worker_app
from edge.server.worker_process import SIGNALS
from edge.settings.change import without_restart
from edge.settings.node import NodeSettings
from edge.tasks import TaskOwner

_log = logging.getLogger("perigee.worker")


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop: of uvloop where that is there, else of asyncio."""
    try:
        import uvloop  # noqa: PLC0415  # it is optional
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main() -> None:
    """Be a worker; exits 0 when it was drained, 1 when it could not start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    line = socket.socket(fileno=int(sys.argv[1]))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        code = runner.run(_serve(line))
    raise SystemExit(code)


async def _serve(sock: socket.socket) -> int:
    line = await Line.over(sock)
    start = await line.receive()
    if not isinstance(start, Start):
        return 1  # the supervisor is gone already
    try:
        command_line = CommandLine.from_json(start.command_line)
        settings = _settings(command_line, Path(start.run_dir))
        log = set_up(level=settings.log.level.value, form=settings.log.form)
        try:
            async with TaskOwner(f"worker-{start.index}") as tasks:
                return await _Life(start, command_line, settings, line, tasks, log).live()
        finally:
            log.close()
    except EdgeError as error:
        line.send(Failed(error.detail))
        return 1
    finally:
        await line.aclose()


class _Life:
    """A worker and who gives it orders."""

    def __init__(
        self,
        start: Start,
        command_line: CommandLine,
        settings: NodeSettings,
        line: Line,
        tasks: TaskOwner,
        log: Log,
    ) -> None:
        run_dir = Path(start.run_dir)
        self._worker = Worker(
            settings,
            index=start.index,
            count=start.count,
            run_dir=run_dir,
            listen_sockets=[socket.socket(fileno=number) for number in start.listen],
            admin_socket=admin_socket_of(run_dir, start.index),
            tier_socket_of=partial(tier_socket_of, run_dir),
        )
        self._command_line = command_line
        self._settings = settings
        self._line = line
        self._tasks = tasks
        self._log = log
        self._drains: asyncio.Queue[float] = asyncio.Queue()

    async def live(self) -> int:
        """From the start to the end of the drain."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        for number in (signal.SIGHUP, signal.SIGUSR1):  # these are for the supervisor, which passes them on
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker = self._worker
        try:
            await worker.start()
            admin = await serve(worker_app(worker, self._snapshot, self._explain), worker.admin_socket)
        except OSError as error:
            raise EdgeError(f"worker {worker.index} cannot start: {error}") from error
        self._line.send(Ready())
        self._tasks.spawn(self._obey(), name="orders")
        try:
            cut = await self._drained()
        finally:
            await admin.cleanup()
            await worker.aclose()
        self._line.send(Drained(cut))
        return 0

    def _snapshot(self) -> Snapshot:
        measures = self._worker.measures
        measures.log_lines_dropped.of("application").value = self._log.dropped
        return measures.registry.snapshot()

    async def _explain(self, request: RequestHead) -> dict[str, object]:
        worker = self._worker
        now = UnixSeconds(worker.clock.now())
        return await explain(request, worker.node.sites, worker.store, now)

    async def _obey(self) -> None:
        while True:
            match await self._line.receive():
                case Reload():
                    await self._reload()
                case Reopen():
                    self._worker.access_log.reopen()
                case Drain(seconds):
                    self._drains.put_nowait(seconds)
                case None:
                    _log.warning("the supervisor is gone; this worker ends")
                    self._drain()
                    return
                case other:
                    raise AssertionError(f"no order: {other}")

    def _drain(self) -> None:
        self._drains.put_nowait(self._settings.drain)

    async def _drained(self) -> int:
        """Wait for the word to drain, and do it; a later word replaces the first. Connections cut."""
        seconds = await self._drains.get()
        while True:
            drain = self._tasks.spawn(self._worker.drain(seconds), name="drain")
            sooner = self._tasks.spawn(self._drains.get(), name="sooner")
            await asyncio.wait((drain, sooner), return_when=asyncio.FIRST_COMPLETED)
            if drain.done():
                sooner.cancel()
                return drain.result()
            drain.cancel()
            await asyncio.wait((drain,))
            seconds = sooner.result()

    async def _reload(self) -> None:
        new = await asyncio.to_thread(_settings, self._command_line, self._worker.run_dir)
        self._settings = without_restart(self._settings, new)
        logging.getLogger().setLevel(self._settings.log.level.value.upper())
        self._worker.apply(self._settings)
        self._worker.access_log.apply(self._settings.log, self._settings.trusted_proxies)


def _settings(command_line: CommandLine, run_dir: Path) -> NodeSettings:
    """Those in force: the supervisor found them good. Blocks."""
    return command_line.load(read_contents(contents_of(run_dir))).settings


if __name__ == "__main__":
    main()
