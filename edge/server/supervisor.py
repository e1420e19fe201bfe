"""The first process of a node: it holds what outlives workers, and serves no client itself.

Owns: `Supervisor`: the order of a start and of an end, what the signals mean, reloads, and the admin address. Rules:
* First signal (SIGTERM, SIGINT): no new connections, `node.drain` seconds for what is under way. Second: at once.
* SIGHUP: settings and log files anew. SIGUSR1: log files only (logrotate). New settings reach a worker only after they
  were read here without a fault.
* SIGUSR2: all workers are replaced, one after the other (edge.server.rolling).
* With one worker it is the same: a crash of it is survived, and no signal or scrape waits for a busy loop.
* When the supervisor dies, its workers notice by the end of their lines, and drain.
docs/why/006-processes.md says why.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge.clock import SystemClock
from edge.errors import EdgeError
from edge.measures import Measures
from edge.semantics.redirect_rules import Redirect
from edge.server import rolling, sockets
from edge.server.admin import Admin, State, perigee_version
from edge.server.certifying import Certifying
from edge.server.command_line import CommandLine, Loaded, Standing, write_contents
from edge.server.crew import Crew, handled
from edge.server.doors import open_doors
from edge.server.keeper import Keeper
from edge.server.machine import cores, raise_file_limit
from edge.server.orders import Applied, Order, Reload, Reopen, Show, Start
from edge.server.purge_counter import Ground, Serving
from edge.server.purging import Purging, purging
from edge.server.rolling import Roller
from edge.server.rolling_door import serve_rolls
from edge.server.run_dir import admin_socket_of, claim, contents_of
from edge.server.steering import Steering
from edge.server.totals import Totals
from edge.server.warmth import Warmth
from edge.server.watchdog import Watchdog
from edge.server.watching import Watching
from edge.server.worker_process import EDGE_WORKER, rehearsed
from edge.settings.change import Change, without_restart
from edge.settings.node import NodeSettings, PurgeLogKind
from edge.settings.reload import Reloader
from edge.tasks import TaskOwner
from edge.tls.measures import CertificateMeasures

GRACE_SECONDS = 1.0
"""What a worker may take beyond the drain to say that it drained."""

_log = logging.getLogger("perigee.supervisor")


class Supervisor:
    """One node. loaded: what `command_line` gave. announce: told one line when all workers serve.

    program: the module that a worker runs.
    """

    def __init__(
        self,
        command_line: CommandLine,
        loaded: Loaded,
        *,
        announce: Callable[[str], None],
        program: str = EDGE_WORKER,
    ) -> None:
        self._program = program
        self._command_line = command_line
        self._announce = announce
        clock = self._clock = SystemClock()
        measures = self._measures = Measures()
        self._totals = Totals()
        self._stopped = asyncio.Event()
        self._crew = Crew(self._stopped)
        self._at_once = asyncio.Event()
        self._reloader = Reloader(loaded.settings, self._load, self._apply, clock=clock, measures=measures)
        self._standing = Standing.once(loaded.contents)
        self._run_dir: Path | None = None
        self._addresses: tuple[str, ...] = ()
        self._tier_sockets = self._tls_sockets = 0
        self._certifying: Certifying | None = None
        self._purging: Purging | None = None
        self._watching: Watching | None = None
        self._warmth = Warmth(lambda: self.settings, self._clock)
        self._steering = Steering(0, 0)
        self._roller: Roller | None = None

    @property
    def settings(self) -> NodeSettings:
        """Those in force."""
        return self._reloader.settings

    async def run(self) -> int:
        """Until a signal ends it. 0 = every worker ended as it should, 1 = one had to be killed or failed.

        EdgeError when it cannot start.
        """
        raise_file_limit()
        async with claim(self.settings.data_dir) as run_dir, TaskOwner("supervisor") as tasks:
            with handled(self._signals()):
                await self._certify()
                for_admin, where = await self._open(run_dir)
                try:
                    async with self._purges(run_dir), self._watches():
                        return await self._serve(run_dir, tasks, for_admin, where)
                finally:
                    sockets.close(for_admin)
                    self._crew.end()

    async def _serve(self, run_dir: Path, tasks: TaskOwner, doors: list[socket.socket], where: str) -> int:
        admin = Admin(
            self._state,
            lambda index: admin_socket_of(run_dir, index),
            self._measures.registry.snapshot,
            self._totals,
            routes=() if self._purging is None else self._purging.counter.api.routes(),
        )
        try:
            if doors:
                await admin.start(doors)
            self._roller = Roller(self._rolling(run_dir, admin), tasks)
            rolls = await serve_rolls(self._roller, run_dir)
            self._crew.start(tasks)
            tasks.spawn(Watchdog(self._crew.keepers, admin.answering).run(), name="watchdog")
            tasks.spawn(self._warmth.watch(admin.stored, self._serving_changed), name="warmth")
            try:
                await self._crew.live(tasks, partial(self._served, tasks, where))
                await self._drain()
            finally:
                self._roller.stop()
                await self._crew.kill()
                await rolls.cleanup()
            return self._crew.code
        finally:
            await admin.aclose()

    @asynccontextmanager
    async def _purges(self, run_dir: Path) -> AsyncIterator[None]:
        """The purge log, from before the first worker to after the last one."""
        if self.settings.purge.log is PurgeLogKind.OFF:
            yield
            return
        ground = Ground(
            settings=lambda: self.settings,
            serving=self._serving,
            socket_of=lambda index: admin_socket_of(run_dir, index),
            run_dir=run_dir,
            clock=self._clock,
            measures=self._measures,
            version=perigee_version(),
        )
        async with purging(ground) as self._purging:
            yield

    @asynccontextmanager
    async def _watches(self) -> AsyncIterator[None]:
        """Which POPs are up, where clients may be sent to them."""
        network, answers = self.settings.network, (site.redirect.answer for site in self.settings.sites)
        if network is None or not (network.nats.url or any(each is not Redirect.OFF for each in answers)):
            yield
            return
        self._watching = Watching(
            network,
            vantage=None,
            folder=self.settings.data_dir,
            clock=self._clock,
            measures=Measures(),
            show=lambda state: self._crew.tell(Show(state)),
        )
        async with TaskOwner("watching") as tasks:
            try:
                await self._watching.start(tasks)
                yield
            finally:
                await self._watching.aclose()

    async def _open(self, run_dir: Path) -> tuple[list[socket.socket], str]:
        """Bind everything, make the keepers. The admin's sockets; and in words, where it is."""
        settings = self.settings
        self._run_dir = run_dir
        await asyncio.to_thread(write_contents, self._standing, contents_of(run_dir))
        count = settings.workers or cores()
        doors = await open_doors(settings, count)
        self._addresses, self._tls_sockets, self._tier_sockets = doors.addresses, doors.tls, doors.tier
        self._steering = Steering(count, len(doors.groups[0]))
        self._crew.keepers = [
            self._keeper(index, count, run_dir, group) for index, group in enumerate(doors.groups)
        ]
        return doors.admin, doors.described(settings.data_dir)

    def _keeper(self, index: int, count: int, run_dir: Path, held: list[socket.socket]) -> Keeper:
        return Keeper(
            index,
            lambda: self._start_of(index, count, run_dir),
            held,
            clock=self._clock,
            restarts=self._measures.worker_restarts,
            on_start=self._starts,
            on_end=self._has_ended,
            on_applied=self._has_applied,
            program=self._program,
            greeting=self._greeting,
            group=self._steering,
        )

    def _start_of(self, index: int, count: int, run_dir: Path) -> Start:
        said = self._command_line.pinned(self.settings).as_json()
        log = None if self._purging is None else self._purging.access.as_json()
        sockets = self._tier_sockets, self._shown(), self._tls_sockets
        return Start(index, count, str(run_dir), (), said, log, *sockets)

    def _rolling(self, run_dir: Path, admin: Admin) -> rolling.Ground:
        """What a roll needs of us. Settings that are newer than its beginning wait for the next one."""
        before, newest = self._standing, self.settings

        async def prepare() -> None:
            nonlocal before, newest
            self._reloader.request()
            await self._reloader.look()
            async with self._reloader.quiet:
                if (complaint := self._reloader.complaint()) is not None:
                    raise EdgeError(f"{complaint}; nothing was replaced")
                before, newest = self._standing, self._reloader.newest
                await asyncio.to_thread(self._keep, replace(self._standing, rolled=self._standing.now))

        async def undo() -> None:
            async with self._reloader.quiet:
                await asyncio.to_thread(self._keep, replace(self._standing, rolled=before.rolled))

        async def rehearse() -> str | None:
            start = self._start_of(0, len(self._crew.keepers), run_dir)
            return await rehearsed(start, self._clock.mono(), self._program)

        return rolling.Ground(
            keepers=self._crew.keepers,
            steering=self._steering,
            drain=lambda: self.settings.drain,
            prepare=prepare,
            rehearse=rehearse,
            undo=undo,
            commit=lambda: self._reloader.rolled(newest),
            has_caught_up=self._has_caught_up,
            farewell=admin.farewell,
            changed=self._serving_changed,
            clock=self._clock,
            measures=self._measures,
        )

    def _has_caught_up(self, index: int) -> bool:
        return self._purging is None or self._purging.acknowledged.has_caught_up(index)

    def _greeting(self) -> list[Order]:
        shown = self._shown()
        certificates = [] if self._certifying is None else self._certifying.greeting()
        return certificates if shown is None else [*certificates, Show(shown)]

    async def _certify(self) -> None:
        """Certificates, where there is TLS. EdgeError."""
        if self.settings.tls.listen:
            measures = CertificateMeasures(self._measures.registry)
            self._certifying = Certifying(lambda: self.settings, self._crew.tell, self._clock, measures)
            await self._certifying.start()

    def _shown(self) -> Mapping[str, object] | None:
        return None if self._watching is None else self._watching.shown

    def _starts(self, index: int) -> None:
        if self._purging is not None:
            self._purging.worker_starts(index)

    def _has_ended(self, index: int) -> None:
        self._totals.ended(index)
        if self._purging is not None:
            self._purging.worker_ended(index)

    def _has_applied(self, index: int, applied: Applied) -> None:
        if self._purging is not None:
            self._purging.worker_applied(index, applied)
        if self._roller is not None:
            self._roller.moved()

    def _served(self, tasks: TaskOwner, where: str) -> None:
        self._announce(where)
        tasks.spawn(self._reloader.run(), name="reload")
        if self._certifying is not None:
            tasks.spawn(self._certifying.run(), name="certificates")

    async def _drain(self) -> None:
        """Drain all before any is ended: one may need another for what it has under way. Shorter if asked again."""
        drain = self.settings.drain
        _log.info("draining", extra={"seconds": drain})
        for keeper in self._crew.keepers:
            keeper.stop(drain)
        async with asyncio.TaskGroup() as group:
            sooner = group.create_task(self._at_once.wait())
            drained = group.create_task(self._crew.all_drained())
            await asyncio.wait(
                (sooner, drained), timeout=drain + GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            sooner.cancel()
            drained.cancel()

    def _signals(self) -> dict[signal.Signals, Callable[[], None]]:
        return {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: self._hang_up,
            signal.SIGUSR1: lambda: self._crew.tell(Reopen()),
            signal.SIGUSR2: self._roll,
        }

    def _roll(self) -> None:
        if self._roller is not None:  # else it has not even begun
            self._roller.request()

    def _stop(self) -> None:
        if self._roller is not None:
            self._roller.stop()
        if self._stopped.is_set():
            self._at_once.set()
        self._stopped.set()
        self._serving_changed()

    def _serving_changed(self) -> None:
        if self._purging is not None:
            self._purging.serving_changed()

    def _hang_up(self) -> None:
        self._reloader.request()
        if self._certifying is not None:
            self._certifying.request()
        self._crew.tell(Reopen())

    def _load(self) -> NodeSettings:
        """Read the files, and keep what stood in them for the workers. In a thread.

        A node of a network is looked for there by the name that it has, as its workers will: a new name needs a restart.
        """
        command_line = self._command_line
        if self.settings.network is not None:
            command_line = command_line.named(self.settings.name)
        loaded = command_line.load()
        if self._certifying is not None:
            self._certifying.prepare(without_restart(self.settings, loaded.settings))
        self._keep(replace(self._standing, now=loaded.contents))
        return loaded.settings

    def _keep(self, standing: Standing) -> None:
        """In a thread, one at a time: whoever comes here holds `Reloader.quiet`."""
        assert self._run_dir is not None, "a reload before the start"
        write_contents(standing, contents_of(self._run_dir))
        self._standing = standing

    def _apply(self, settings: NodeSettings, _change: Change) -> None:
        """The files were read and are good: now the workers."""
        logging.getLogger().setLevel(settings.log.level.value.upper())
        if self._purging is not None:
            self._purging.rekey()
        if self._certifying is not None:
            self._certifying.apply()
        self._crew.tell(Reload())
        if self._watching is not None and settings.network is not None:
            self._watching.apply(settings.network)

    def _state(self) -> State:
        return State(
            workers=self._crew.seen(),
            draining=self._stopped.is_set(),
            complaint=self._reloader.complaint(),
            loaded=float(self._measures.settings_loaded.value),
            purges=None if self._purging is None else self._purging.described(),
            warmth=self._warmth.described(),
            certificates=None if self._certifying is None else self._certifying.described(),
            is_too_cold=self._warmth.is_waited_for,
            roll=None if self._roller is None else self._roller.described(),
            replaced=self._replaced(),
        )

    def _replaced(self) -> int | None:
        return None if self._roller is None else self._roller.replaced

    def _serving(self) -> Serving:
        seen = self._crew.seen()
        indices = tuple(each.index for each in seen if each.served)
        replaced = self._replaced()
        ready = bool(indices) and all(each.served or each.index == replaced for each in seen)
        ready = ready and not self._stopped.is_set() and not self._warmth.is_waited_for
        return Serving(indices, ready, self._addresses, replaced)
