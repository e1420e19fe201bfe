"""The program of a DNS worker process: `python -m edge.server.dns_worker_main DESCRIPTOR INDEX/COUNT`.

Owns: the life of one `DnsWorker`: started by the first order on the line to the supervisor, told to reload, and drained by an
order, by SIGTERM, or when the line ends since the supervisor died. The second argument is for those who read `ps`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from edge.errors import EdgeError
from edge.log import Form, Log, set_up
from edge.server.control import Line
from edge.server.dns_command import DnsCommand, kept_content
from edge.server.dns_worker import DnsWorker
from edge.server.machine import new_loop
from edge.server.orders import Drain, Drained, End, Failed, Ready, Reload, Reopen, Show, Start
from edge.server.run_dir import admin_socket_of, contents_of
from edge.server.worker_admin import MAX_BODY_BYTES, serve
from edge.server.worker_process import SIGNALS
from edge.tasks import TaskOwner

_log = logging.getLogger("perigee.dns")


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
    command = DnsCommand.from_json(start.command_line)
    log = set_up(level=command.level, form=Form(command.form))
    try:
        async with TaskOwner(f"dns-worker-{start.index}") as tasks:
            return await _Life(start, command, line, tasks, log).live()
    except EdgeError as error:
        line.send(Failed(error.detail))
        return 1
    except OSError as error:
        line.send(Failed(f"DNS worker {start.index} cannot start: {error}"))
        return 1
    finally:
        log.close()
        await line.aclose()


class _Life:
    """A worker and who gives it orders."""

    def __init__(self, start: Start, command: DnsCommand, line: Line, tasks: TaskOwner, log: Log) -> None:
        self._run_dir = Path(start.run_dir)
        self._command = command
        self._worker = DnsWorker(
            command.network(kept_content(contents_of(self._run_dir))),
            folder=Path(command.data_dir) / "geo",
            sockets=[socket.socket(fileno=number) for number in start.listen],
            secret=bytes.fromhex(str(start.command_line["secret"])),
            state=start.state,
        )
        self._admin_socket = admin_socket_of(self._run_dir, start.index)
        self._line = line
        self._tasks = tasks
        self._log = log
        self._stop = asyncio.Event()
        self._end = asyncio.Event()

    async def live(self) -> int:
        """From the start to the end of the drain."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):  # these are for the supervisor
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker = self._worker
        await worker.start()
        admin = await serve(self._app(), self._admin_socket)
        self._line.send(Ready())
        self._tasks.spawn(self._obey(), name="orders")
        try:
            await self._stop.wait()
            self._line.send(Drained(await worker.drain()))
            await self._end.wait()
        finally:
            await admin.cleanup()
            await worker.aclose()
        return 0

    async def _obey(self) -> None:
        while True:
            match await self._line.receive():
                case Reload():
                    content = await asyncio.to_thread(kept_content, contents_of(self._run_dir))
                    await self._worker.apply(await asyncio.to_thread(self._command.network, content))
                case Show(state):
                    self._worker.show(state)
                case Reopen():
                    self._worker.reopen()
                case Drain():
                    self._stop.set()
                case End():
                    self._stop.set()
                    self._end.set()
                case None:
                    if not self._end.is_set():
                        _log.warning("the supervisor is gone; this worker ends")
                    self._stop.set()
                    self._end.set()
                    return
                case other:
                    raise AssertionError(f"no order: {other}")

    def _app(self) -> web.Application:
        """GET /snapshot, /readyz, /explain?address=IP&site=NAME."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/snapshot", self._snapshot),
                web.get("/readyz", self._ready),
                web.get("/explain", self._explain),
            ]
        )
        return app

    async def _snapshot(self, _request: web.Request) -> web.Response:
        measures = self._worker.measures
        measures.log_lines_dropped.of("application").value = self._log.dropped
        return web.json_response(self._worker.snapshot())

    async def _ready(self, _request: web.Request) -> web.Response:
        is_ready, detail = self._worker.readiness()
        return web.json_response({"ready": is_ready, "detail": detail})

    async def _explain(self, request: web.Request) -> web.Response:
        try:
            said = self._worker.explain(request.query.get("address", ""), request.query.get("site", ""))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(said)


if __name__ == "__main__":
    main()
