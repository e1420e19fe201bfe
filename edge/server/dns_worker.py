"""One worker of the DNS server: every part put together on one event loop.

Owns: `DnsWorker`: what starts, what new settings, another database or another state of the network change, and in which order
it stops. A worker has an atlas, ready answers and counters of its own; workers share nothing but the address they answer at.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from edge.clock import SystemClock
from edge.geo.atlas import Atlas
from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.responder import Responder
from edge.geo.dns.tcp import TcpServer
from edge.geo.dns.udp import UdpServer
from edge.geo.dns.view import View
from edge.geo.dns.zones import zones_of
from edge.geo.explained import explained
from edge.geo.keeper import AtlasKeeper
from edge.geo.routing import Routing
from edge.geo.view_message import heard_of
from edge.metrics import Snapshot
from edge.server.dns_log import RoutingLog
from edge.settings.network import Network
from edge.tasks import TaskOwner

_log = logging.getLogger("perigee.dns")

MAX_EXEMPT = 4096
"""Addresses whose exemption from rates is remembered."""


class DnsWorker:
    """folder: for copies of databases. sockets: bound, UDP and TCP. secret: of cookies, where the settings have none.

    state: what is known of the network, as edge.geo.view_message says it; None = nothing yet.
    """

    def __init__(
        self,
        network: Network,
        *,
        folder: Path,
        sockets: Sequence[socket.socket],
        secret: bytes,
        state: Mapping[str, object] | None = None,
    ) -> None:
        self.measures = DnsMeasures()
        self._network = network
        self._folder = folder
        self._sockets = tuple(sockets)
        self._secret = secret
        self._said = state
        self._clock = SystemClock()
        self._tasks = TaskOwner("dns worker")
        self._udp: list[UdpServer] = []
        self._tcp: list[TcpServer] = []
        self._routing_log: RoutingLog | None = None
        self._exempt: dict[bytes, bool] = {}
        self._is_started = False
        self._is_draining = False

    async def start(self) -> None:
        """Read the databases, answer. Raises EdgeError, OSError."""
        network = self._network
        self._state = heard_of(network, self._said).view
        self._zones = zones_of(network)
        self._keeper = AtlasKeeper(network.geo, self._folder)
        await asyncio.to_thread(self._keeper.refresh)
        self._responder = Responder(
            network.dns,
            self._view(),
            secrets=self._secrets(network),
            clock=self._clock,
            measures=self.measures,
            is_exempt=self._is_exempt,
        )
        if network.dns.log is not None:
            self._routing_log = RoutingLog(network.dns.log, self._clock, self.measures)
            self._responder.record = self._routing_log.record
        for sock in self._sockets:
            if sock.type is socket.SOCK_DGRAM:
                self._udp.append(
                    UdpServer(sock, self._responder, batch=network.dns.batch, measures=self.measures)
                )
            else:
                self._tcp.append(
                    TcpServer(
                        sock,
                        self._responder,
                        network.dns.tcp,
                        clock=self._clock,
                        measures=self.measures,
                    )
                )
        for tcp in self._tcp:
            await tcp.start()
        for udp in self._udp:
            udp.start()
        self._keeping = self._tasks.spawn(self._keeper.keep(self._take_atlas), name="atlas")
        self._tasks.spawn(self._tend(), name="tend")
        self._is_started = True

    async def apply(self, network: Network) -> None:
        """New settings, but for addresses and the number of workers, which are those of the start."""
        if network.geo != self._network.geo:
            keeper = AtlasKeeper(network.geo, self._folder)
            await asyncio.to_thread(keeper.refresh)
            self._keeping.cancel()
            self._keeper = keeper
            self._keeping = self._tasks.spawn(keeper.keep(self._take_atlas), name="atlas")
        if network.dns.log != self._network.dns.log:
            await self._log_to(network.dns.log)
        self._zones = zones_of(network)
        self._network = network
        self._state = heard_of(network, self._said).view
        self._exempt.clear()
        self._responder.apply(network.dns, self._view(), self._secrets(network))
        for udp in self._udp:
            udp.batch = network.dns.batch
        for tcp in self._tcp:
            tcp.settings = network.dns.tcp

    def show(self, said: Mapping[str, object]) -> None:
        """Health or load changed. said: as edge.geo.view_message says it."""
        self._said = said
        state = heard_of(self._network, said).view
        if state != self._state:
            self._state = state
            self._responder.show(self._view())

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether it answers, and what is not as it should be."""
        detail: dict[str, object] = {
            "started": self._is_started,
            "draining": self._is_draining,
            "zones": len(self._zones) if self._is_started else 0,
            "databases": list(self._keeper.complaints) if self._is_started else [],
        }
        return self._is_started and not self._is_draining, detail

    def snapshot(self) -> Snapshot:
        """Every number now."""
        if self._is_started:
            self.measures.atlas.tell(self._keeper)
        return self.measures.registry.snapshot()

    def explain(self, address: str, site: str) -> dict[str, object]:
        """Which POP clients of an address get for a site now (edge.geo.explained). ValueError for what is neither."""
        routing = self._responder.view.geography
        assert isinstance(routing, Routing), "a worker routes"
        route = self._network.route(site)
        if route is None:
            known = ", ".join(sorted(route.name for route in self._network.routes)) or "none"
            raise ValueError(f"no site {site!r} is routed here; known: {known}")
        return explained(ip_address(address), route, routing.atlas, routing.network, self._network.dns.ecs)

    def reopen(self) -> None:
        """The log was renamed."""
        if self._routing_log is not None:
            self._routing_log.reopen()

    async def drain(self) -> int:
        """Answer what has come, and nothing more. Returns how many connections were open still."""
        self._is_draining = True
        left = sum(tcp.connections for tcp in self._tcp)
        for udp in self._udp:
            udp.close()
        for tcp in self._tcp:
            await tcp.aclose()
        return left

    async def aclose(self) -> None:
        """Stop all parts; what waits to be written is written."""
        await self.drain()
        await self._tasks.aclose()
        if self._routing_log is not None:
            await self._routing_log.aclose()

    async def _log_to(self, file: Path | None) -> None:
        """A log that cannot be opened leaves the old one as it is, and is told."""
        old = self._routing_log
        try:
            new = None if file is None else RoutingLog(file, self._clock, self.measures)
        except OSError as error:
            _log.error("routing log cannot be opened", extra={"file": str(file), "error": str(error)})
            return
        self._routing_log = new
        self._responder.record = None if new is None else new.record
        if old is not None:
            await old.aclose()

    def _take_atlas(self, atlas: Atlas) -> None:
        _log.info("a new atlas", extra={"generation": self._keeper.generation})
        self._responder.show(self._view(atlas))

    def _view(self, atlas: Atlas | None = None) -> View:
        network = self._network
        routing = Routing(self._keeper.atlas if atlas is None else atlas, self._state, network.routes)
        return View(self._zones, routing, network.dns.ecs)

    def _secrets(self, network: Network) -> tuple[bytes, ...]:
        return network.dns.cookie_secrets or (self._secret,)

    def _is_exempt(self, source: bytes) -> bool:
        known = self._exempt.get(source)
        if known is None:
            if len(self._exempt) >= MAX_EXEMPT:
                self._exempt.clear()
            address = ip_address(source)
            known = any(address in network for network in self._network.dns.rate.exempt)
            self._exempt[source] = known
        return known

    async def _tend(self) -> None:
        """The clock follows the wall: cookies have times in them."""
        while True:
            await asyncio.sleep(1.0)
            self._clock.discipline()
