"""The first process of a DNS server: it holds what outlives workers, and answers no query itself.

Owns: `DnsSupervisor`: the order of a start and of an end, what the signals mean, reloads, the admin address; and, for all
workers, what is known of the network (edge.server.watching). Rules: those of edge.server.supervisor, with the same keepers: a
worker that dies is replaced while its sockets stay open, SIGHUP reads the settings anew (and so does a change of the network
file or of a zone file, once it has come to rest), settings reach a worker only after they were read here without a fault,
SIGTERM ends it: what has come is answered, and nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge.clock import SystemClock
from edge.errors import ConfigFault, EdgeError
from edge.geo.dns.cookies import SECRET_BYTES
from edge.measures import Measures
from edge.server import sockets
from edge.server.admin import Admin, State
from edge.server.crew import Crew, handled
from edge.server.dns_command import Content, DnsCommand, keep_content
from edge.server.keeper import Keeper
from edge.server.machine import cores, raise_file_limit
from edge.server.orders import Reload, Reopen, Show, Start
from edge.server.pops_api import pops_routes
from edge.server.run_dir import admin_socket_of, claim, contents_of
from edge.server.totals import Totals
from edge.server.watchdog import Watchdog
from edge.server.watching import Watching
from edge.settings.network import Network
from edge.settings.node import ListenAddress
from edge.settings.reload import Settling, stamps
from edge.tasks import TaskOwner

PROGRAM = "edge.server.dns_worker_main"

LOOK_SECONDS = 1.0
"""How often the network file is looked at."""

RECEIVE_BYTES = 1 << 20
"""Of queries that wait in a UDP socket while its worker is busy or being replaced: a few thousand. The kernel caps it."""

OF_THE_START = ("listen", "admin", "workers", "name")
"""Settings of [dns] that a reload leaves as they are."""

_NO_NAME = re.compile(r"[^A-Za-z0-9._\-]|^[._\-]+")

_log = logging.getLogger("perigee.dns")


class DnsSupervisor:
    """announce: told one line when all workers answer."""

    def __init__(self, command: DnsCommand, *, announce: Callable[[str], None]) -> None:
        self._command = command
        self._announce = announce
        self._clock = SystemClock()
        self._measures = Measures()
        self._totals = Totals()
        self._secret = secrets.token_bytes(SECRET_BYTES).hex()
        self._stopped = asyncio.Event()
        self._crew = Crew(self._stopped)
        self._hung_up = asyncio.Event()
        self._complaint: str | None = None
        self._file = Path(command.config)

    async def run(self) -> int:
        """Until a signal ends it. 0 = every worker ended as it should. Raises EdgeError when it cannot start."""
        raise_file_limit()
        content = await asyncio.to_thread(self._command.content)
        network = await asyncio.to_thread(self._command.network, content)
        self._began = network
        folder = Path(self._command.data_dir)
        try:
            await asyncio.to_thread((folder / "geo").mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigFault(
                f"--data-dir {folder}: {error.strerror or error}; name a folder that can be written"
            ) from None
        async with claim(folder) as run_dir, TaskOwner("dns supervisor") as tasks:
            self._run_dir = run_dir
            await asyncio.to_thread(keep_content, content, contents_of(run_dir))
            self._measures.settings_loaded.value = self._clock.now()
            self._files = _files_of(self._file, content)
            self._settling = Settling(await asyncio.to_thread(stamps, self._files))
            self._watching = self._watch(network, folder)
            admin = Admin(
                self._state,
                lambda index: admin_socket_of(run_dir, index),
                self._measures.registry.snapshot,
                self._totals,
                routes=pops_routes(self._watching),
            )
            with handled(self._signals()):
                try:
                    where = await self._open(network, admin)
                    await self._watching.start(tasks)
                    self._crew.start(tasks)
                    tasks.spawn(Watchdog(self._crew.keepers, admin.answering).run(), name="watchdog")
                    try:
                        await self._crew.live(tasks, partial(self._served, tasks, where))
                    finally:
                        await self._crew.kill()
                    return self._crew.code
                finally:
                    await admin.aclose()
                    await self._watching.aclose()

    def _watch(self, network: Network, folder: Path) -> Watching:
        return Watching(
            network,
            vantage=network.dns.name or _NO_NAME.sub("-", socket.gethostname())[:64] or "dns",
            folder=folder,
            clock=self._clock,
            measures=self._measures,
            show=lambda state: self._crew.tell(Show(state)),
        )

    async def _open(self, network: Network, admin: Admin) -> str:
        """Bind everything, make the keepers; in words, where it is."""
        dns = network.dns
        count = dns.workers or cores()
        groups: list[list[socket.socket]] = [[] for _ in range(count)]
        admin_at = "off"
        try:
            for address in dns.listen:
                for group, more in zip(groups, await _bound(address, count), strict=True):
                    group += more
            if dns.admin is not None:
                for_admin = (await sockets.bind(dns.admin, 1))[0]
                admin_at = f"http://{sockets.listening_at(for_admin[0])}"
                await admin.start(for_admin)
        except EdgeError:
            for group in groups:
                sockets.close(group)
            raise
        self._crew.keepers = [self._keeper(index, count, group) for index, group in enumerate(groups)]
        places = ", ".join(
            str(sockets.listening_at(sock)) for sock in groups[0] if sock.type is socket.SOCK_DGRAM
        )
        workers = "1 worker" if count == 1 else f"{count} workers"
        zones = ", ".join(zone.origin.decode("ascii") for zone in dns.zones)
        return f"answering for {zones} at {places} (UDP and TCP) with {workers}; admin {admin_at}"

    def _keeper(self, index: int, count: int, held: list[socket.socket]) -> Keeper:
        said = {**self._command.as_json(), "secret": self._secret}
        return Keeper(
            index,
            lambda: Start(index, count, str(self._run_dir), (), said, state=self._watching.shown),
            held,
            clock=self._clock,
            restarts=self._measures.worker_restarts,
            on_end=self._totals.ended,
            program=PROGRAM,
            greeting=lambda: () if self._watching.shown is None else (Show(self._watching.shown),),
        )

    def _served(self, tasks: TaskOwner, where: str) -> None:
        self._announce(where)
        tasks.spawn(self._reload_for_ever(), name="reload")

    def _signals(self) -> dict[signal.Signals, Callable[[], None]]:
        return {
            signal.SIGTERM: self._stopped.set,
            signal.SIGINT: self._stopped.set,
            signal.SIGHUP: self._hang_up,
            signal.SIGUSR1: lambda: self._crew.tell(Reopen()),
            signal.SIGUSR2: lambda: _log.warning("a DNS server does not roll; restart it"),
        }

    async def _reload_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._hung_up.wait()
            except TimeoutError:
                pass
            asked = self._hung_up.is_set()
            self._hung_up.clear()
            now = await asyncio.to_thread(stamps, self._files)
            if self._settling.is_due(now, asked=asked):
                await self._reload()

    async def _reload(self) -> None:
        try:
            content = await asyncio.to_thread(self._command.content)
            network = await asyncio.to_thread(self._command.network, content)
        except ConfigFault as fault:
            self._complaint = f"older settings are in force: {fault.detail.splitlines()[0]}"
            self._measures.reloads.of("refused").value += 1
            _log.error("settings refused; the old ones stay in force", extra={"problem": fault.detail})
            return
        await asyncio.to_thread(keep_content, content, contents_of(self._run_dir))
        self._files = _files_of(self._file, content)
        self._complaint = None
        self._measures.reloads.of("taken").value += 1
        self._measures.settings_loaded.value = self._clock.now()
        _log.info("settings taken")
        later = [
            name for name in OF_THE_START if getattr(network.dns, name) != getattr(self._began.dns, name)
        ]
        later = [f"dns.{name}" for name in later] + ["nats"] * (network.nats != self._began.nats)
        if later:
            _log.warning("some settings count from the next start", extra={"settings": ", ".join(later)})
        self._crew.tell(Reload())
        self._watching.apply(network)

    def _hang_up(self) -> None:
        self._hung_up.set()
        self._crew.tell(Reopen())

    def _state(self) -> State:
        return State(
            workers=self._crew.seen(),
            draining=self._stopped.is_set(),
            complaint=self._complaint,
            loaded=float(self._measures.settings_loaded.value),
        )


def _files_of(network: Path, content: Content) -> tuple[Path, ...]:
    """What is looked at for changes."""
    return (network, *map(Path, content.zone_files))


async def _bound(address: ListenAddress, count: int) -> list[list[socket.socket]]:
    """For each worker the UDP and TCP sockets of an address, on one port also where it was left to the system."""
    groups = await sockets.bind(address, count)
    try:
        for sock in tuple(groups[0]):
            where = sockets.listening_at(sock)
            for group, more in zip(
                groups, await sockets.bind(where, count, kind=socket.SOCK_DGRAM), strict=True
            ):
                for each in more:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
                group += more
    except EdgeError:
        for group in groups:
            sockets.close(group)
        raise
    return groups
