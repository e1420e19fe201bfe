"""The program of a worker process: `python -m edge.server.worker_main DESCRIPTOR INDEX/COUNT`.

Owns: the life of one `Worker`: started by the first order on the line to the supervisor, told to reload, and drained by
an order, by SIGTERM, or when the line ends since the supervisor died. The second argument is for those who read `ps`.
"""

from __future__ import annotations

import asyncio
import gc
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
from edge.server.hot_set import worker_route
from edge.server.machine import new_loop
from edge.server.orders import (
    PROTOCOL,
    Certify,
    Drain,
    Drained,
    End,
    Failed,
    Ready,
    Reload,
    Reopen,
    Retire,
    Seal,
    Show,
    Start,
)
from edge.server.outward import MakeOutward, Straight
from edge.server.reporting import report
from edge.server.run_dir import admin_socket_of, contents_of, tier_socket_of
from edge.server.surveying import surveyed
from edge.server.worker import Worker
from edge.server.worker_admin import serve, worker_app
from edge.server.worker_log import LogAccess
from edge.server.worker_process import SIGNALS
from edge.settings.change import without_restart
from edge.settings.node import NodeSettings
from edge.store.survey import Survey
from edge.tasks import TaskOwner

_log = logging.getLogger("perigee.worker")

_OTHER_VERSION = (
    "cannot start: the perigee that is installed now does not understand the one that runs; restart the node"
)

YOUNG_OBJECTS = 10_000
"""More of these than were freed start a look at what is new: some 2 ms, once in a few hundred misses."""
YOUNG_ROUNDS = 5
NEVER = 1_000_000_000


def main(outward: MakeOutward = Straight) -> None:
    """Be a worker with these ways out; exits 0 when it was drained, 1 when it could not start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    line = socket.socket(fileno=int(sys.argv[1]))
    spare_the_store()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        code = runner.run(_serve(line, outward))
    raise SystemExit(code)


def spare_the_store() -> None:
    """Keep the cycle collector away from what is stored: looking through it all takes 0.4 s for 60,000 responses.

    What a request makes forms no rings (tests/test_rings.py), so reference counts free it; the collector is for accidents
    and looks at what is young only. By default it takes a third of a stored miss, most of it to find nothing.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, NEVER)


async def _serve(sock: socket.socket, outward: MakeOutward) -> int:
    line = await Line.over(sock)
    start = await line.receive()
    if not isinstance(start, Start):
        return 1  # the supervisor is gone already
    try:
        if start.protocol != PROTOCOL:
            raise EdgeError(f"worker {start.index} {_OTHER_VERSION}")
        command_line = CommandLine.from_json(start.command_line)
        settings = command_line.in_force(read_contents(contents_of(Path(start.run_dir))))
        if start.is_rehearsal:
            line.send(Ready())
            return 0
        log = set_up(level=settings.log.level.value, form=settings.log.form)
        try:
            async with TaskOwner(f"worker-{start.index}") as tasks:
                life = _Life(start, command_line, settings, line, tasks, log, outward)
                return await life.live() if await life.supplied() else 0
        finally:
            log.close()
    except EdgeError as error:
        line.send(Failed(error.detail))
        return 1
    except OSError as error:
        line.send(Failed(f"worker {start.index} cannot start: {error}"))
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
        outward: MakeOutward,
    ) -> None:
        run_dir = Path(start.run_dir)
        listening = [socket.socket(fileno=number) for number in start.listen]
        for_clients = len(listening) - start.tier_sockets - start.tls_sockets
        for_tls = for_clients + start.tls_sockets
        self._speaks_tls = start.tls_sockets > 0
        self._worker = Worker(
            settings,
            index=start.index,
            count=start.count,
            run_dir=run_dir,
            listen_sockets=listening[:for_clients],
            admin_socket=admin_socket_of(run_dir, start.index),
            tier_socket_of=partial(tier_socket_of, run_dir),
            log=None if start.log is None else LogAccess.from_json(start.log),
            tls_sockets=listening[for_clients:for_tls],
            tier_sockets=listening[for_tls:],
            outward=outward,
            state=start.state,
        )
        self._command_line = command_line
        self._settings = settings
        self._line = line
        self._tasks = tasks
        self._log = log
        self._stop = asyncio.Event()
        self._seconds = 0.0
        self._retires = False
        self._end = asyncio.Event()

    async def supplied(self) -> bool:
        """Wait for the certificates, which come first; False when it is to end, or the supervisor is gone."""
        tls = self._worker.tls
        while self._speaks_tls and not tls.is_supplied:
            match await self._line.receive():
                case Certify() as order:
                    tls.certify(order)
                case Seal() as order:
                    tls.seal(order)
                case _:
                    return False
        return True

    async def live(self) -> int:
        """From the start to the end of the drain."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, lambda: self._drain(self._settings.drain))
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):  # these are for the supervisor
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker = self._worker
        await worker.start()
        if worker.log is not None:
            self._tasks.spawn(report(worker.log.follower, self._line.send), name="report")
        hot = worker_route(lambda: worker.node.sites, lambda: worker.store.contents, worker.clock.mono)
        app = worker_app(worker, self._snapshot, self._explain, self._count, [hot])
        admin = await serve(app, worker.admin_socket)
        self._line.send(Ready())
        self._tasks.spawn(self._obey(), name="orders")
        try:
            await self._stop.wait()
            await self._drained()
        finally:
            await admin.cleanup()
            await worker.aclose()
        return 0

    def _snapshot(self) -> Snapshot:
        measures = self._worker.measures
        measures.log_lines_dropped.of("application").value = self._log.dropped
        return measures.registry.snapshot()

    async def _explain(self, request: RequestHead) -> dict[str, object]:
        worker = self._worker
        now = UnixSeconds(worker.clock.now())
        return await explain(request, worker.node.sites, worker.store, worker.fence, now)

    async def _count(self, order: bytes, seconds: float) -> Survey:
        worker = self._worker
        return await surveyed(
            order, worker.node.sites, worker.store.contents, seconds=seconds, clock=worker.clock
        )

    async def _obey(self) -> None:
        while True:
            match await self._line.receive():
                case Reload():
                    await self._reload()
                case Certify() as order:
                    if self._worker.tls.certify(order):
                        await self._worker.tls.renew(self._settings)
                case Seal() as order:
                    self._worker.tls.seal(order)
                case Show(state):
                    if self._worker.leading is not None:  # it is, but after a change of node.network
                        self._worker.leading.show(state)
                case Reopen():
                    self._worker.access_log.reopen()
                case Drain(seconds):
                    self._drain(seconds)
                case Retire(seconds):
                    self._retires = not self._stop.is_set()
                    self._drain(seconds)
                case End():
                    self._drain(0.0)
                    self._end.set()
                case None:
                    await self._go_alone()
                    return
                case other:
                    raise AssertionError(f"no order: {other}")

    def _drain(self, seconds: float) -> None:
        if not self._stop.is_set():
            self._seconds = seconds
            self._stop.set()

    async def _drained(self) -> None:
        """Until it may end. Where all do, another may need this one for what it has under way until it has drained, too."""
        way = self._worker.retire if self._retires else self._worker.drain
        drain = self._tasks.spawn(way(self._seconds), name="drain")
        end = self._tasks.spawn(self._end.wait(), name="end")
        await asyncio.wait((drain, end), return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            drain.cancel()
            await asyncio.wait((drain,))
            await self._worker.drain(0.0)
            return
        self._line.send(Drained(drain.result()))
        await end

    async def _go_alone(self) -> None:
        """The supervisor is gone. Nobody knows how far the other workers are: what comes through this one is cut."""
        if self._end.is_set():
            return
        _log.warning("the supervisor is gone; this worker drains and ends")
        self._drain(self._settings.drain)
        await self._worker.drain(self._seconds)
        self._end.set()

    async def _reload(self) -> None:
        new = await asyncio.to_thread(self._newest)
        self._settings = without_restart(self._settings, new)
        logging.getLogger().setLevel(self._settings.log.level.value.upper())
        if self._speaks_tls:
            await self._worker.tls.renew(self._settings)
        self._worker.apply(self._settings)
        self._worker.access_log.apply(self._settings.log, self._settings.trusted_proxies)

    def _newest(self) -> NodeSettings:
        """What the supervisor read last and found good. Blocks."""
        return self._command_line.load(read_contents(contents_of(self._worker.run_dir)).now).settings


if __name__ == "__main__":
    main()
