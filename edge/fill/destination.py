"""All connections to one origin: those under way, idle ones, and who waits for one.

Owns: `Destination`. Rules: never more than `max_connections` are open or being opened; who finds none waits
in a bounded queue for a bounded time and is served in order; idle connections are a stack, so that the
surplus ages out at its bottom; an idle connection is handed out only after a look at its socket, and not once
its address has left the name. Addresses are judged by edge.fill.guard at every connect.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.addresses import Addresses, bare, is_unix
from edge.fill.connection import Connection
from edge.fill.dial import Tls, TlsContexts, dial
from edge.fill.resolver import NameSource
from edge.fill.tally import Tally
from edge.measures import Measures
from edge.semantics.rules import OriginAddress, OriginRules
from edge.tasks import TaskOwner
from edge.wire.limits import Limits, among_ours


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """waiting: requests that may wait for a connection to one origin; further ones are refused with 503.

    sweep: seconds between two looks for idle connections that have expired.
    """

    waiting: int = 1024
    sweep: float = 5.0


DEFAULT_POOL = PoolSettings()


@dataclass(slots=True)
class PoolRoom:
    """What all destinations of a worker share. limits: of connections that are opened from now on."""

    clock: Clock
    names: NameSource
    measures: Measures
    limits: Limits
    settings: PoolSettings
    contexts: TlsContexts
    tasks: TaskOwner


@dataclass(frozen=True, slots=True)
class _Waiter:
    """granted: a connection, or None = you may open one. fresh: only the latter will do."""

    granted: asyncio.Future[Connection | None]
    fresh: bool


class Destination:
    """See the module. `rules` of the methods: those of the site that asks; sites that share an origin may differ."""

    def __init__(self, origin: OriginAddress, room: PoolRoom, *, is_ours: bool = False) -> None:
        self.origin = origin
        self._is_ours = is_ours
        self.name = _label(origin)
        self.tally = Tally(room.measures, self.name)
        self._room = room
        self._opening = 0
        self._connections: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[_Waiter] = deque()
        self._addresses = Addresses(origin.host, self.name, room.clock, room.names, room.tasks)
        self._keep_alive = 0.0
        self._is_closed = False
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def open(self) -> int:
        """Connections open or being opened."""
        return self._opening + len(self._connections)

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    async def acquire(self, rules: OriginRules, *, fresh: bool) -> Connection:
        """A connection that is ready to send on, at once. fresh: one that has not served yet.

        Raises UpstreamFault; nothing has been sent then.
        """
        self._keep_alive = rules.keep_alive
        while True:
            if self._is_closed:
                raise UpstreamFault("the pool is closed", proxy_status="connection_terminated")
            if not fresh:
                connection = self._take_idle()
                if connection is not None:
                    return connection
            elif self._idle and self.open >= rules.max_connections:
                self._idle[0].close()
            if self.open < rules.max_connections:
                self._opening += 1
            else:
                handed = await self._queue(rules, fresh)
                if handed is not None:
                    if handed.is_quiet():
                        self.tally.reused.value += 1
                        return handed
                    handed.close()
                    continue
            return await self._open(rules)

    def close(self) -> None:
        """Close every connection, those under way too; who waits for one, or comes later, is refused."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._waiting:
            granted = self._waiting.popleft().granted
            if not granted.done():
                granted.set_exception(
                    UpstreamFault("the pool is closed", proxy_status="connection_terminated")
                )
        for connection in tuple(self._connections):
            connection.close()

    # --- the connection's side

    def received(self, size: int) -> None:
        """An exchange brought that many bytes of body."""
        self.tally.body_bytes.value += size

    def freed(self, connection: Connection) -> None:
        """A connection finished its exchange in a state fit for another."""
        while self._waiting:
            if self._waiting[0].granted.done():
                self._waiting.popleft()
            elif self._waiting[0].fresh:
                connection.close()
                return
            else:
                self._waiting.popleft().granted.set_result(connection)
                return
        connection.idle_until = self._room.clock.mono() + self._keep_alive
        self._idle.append(connection)
        if self._sweeper is None:
            self._plan_sweep()

    def lost(self, connection: Connection, *, doubted: bool) -> None:
        """A connection is gone."""
        if doubted:
            self.tally.destroyed.value += 1
        if connection not in self._connections:
            return  # it broke before it was ours
        self._connections.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._grant_room()

    # --- inside

    def _take_idle(self) -> Connection | None:
        if not self._idle:
            return None
        now = self._room.clock.mono()
        current = self._addresses.current(now)
        while self._idle:
            connection = self._idle[-1]
            if now < connection.idle_until and connection.host in current and connection.is_quiet():
                self._idle.pop()
                self.tally.reused.value += 1
                return connection
            connection.close()
        return None

    def _grant_room(self) -> None:
        """There is room for one more: the first who waits may open a connection."""
        while self._waiting:
            granted = self._waiting.popleft().granted
            if not granted.done():
                self._opening += 1
                granted.set_result(None)
                return

    async def _queue(self, rules: OriginRules, fresh: bool) -> Connection | None:
        """Wait for a connection, or (None) for the right to open one, which is then counted in `_opening`."""
        if len(self._waiting) >= self._room.settings.waiting:
            raise self._crowded("too many requests wait for a connection")
        waiter = _Waiter(asyncio.get_running_loop().create_future(), fresh)
        self._waiting.append(waiter)
        granted = waiter.granted
        try:
            async with asyncio.timeout(rules.timeouts.connect):
                return await granted
        except BaseException as error:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self._give_back(granted.result())
            if isinstance(error, TimeoutError):
                raise self._crowded("no connection became free in time") from error
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _crowded(self, what: str) -> UpstreamFault:
        fault = UpstreamFault(f"{self.name}: {what}", proxy_status="connection_limit_reached")
        self.tally.outcome(fault.proxy_status).value += 1
        return fault

    def _give_back(self, granted: Connection | None) -> None:
        """What a waiter was granted just when it stopped waiting."""
        if granted is None:
            self._opening -= 1
            self._grant_room()
        elif granted.is_quiet():
            self.freed(granted)
        else:
            granted.close()

    async def _open(self, rules: OriginRules) -> Connection:
        """A new connection, on the place counted in `_opening`."""
        try:
            connection = await self._dial(rules)
            if connection.is_gone:
                raise UpstreamFault(f"{self.name} broke the connection", proxy_status="connection_terminated")
        except BaseException as error:
            self._opening -= 1
            self._grant_room()
            if isinstance(error, UpstreamFault):
                self.tally.failed.value += 1
                self.tally.outcome(error.proxy_status).value += 1
                if error.proxy_status == "destination_ip_prohibited":
                    self._room.measures.lookups.of("prohibited").value += 1
            raise
        self._opening -= 1
        self._connections.add(connection)
        self.tally.opened.value += 1
        return connection

    async def _dial(self, rules: OriginRules) -> Connection:
        limit = rules.timeouts.connect
        try:
            async with asyncio.timeout(limit):
                tls = await self._tls(rules)
                hosts = await self._addresses.candidates(rules)
                return await self._dial_first(hosts, tls, limit / len(hosts))
        except TimeoutError as error:
            raise UpstreamFault(
                f"no connection to {self.name} in time", proxy_status="connection_timeout"
            ) from error

    async def _dial_first(self, hosts: list[str], tls: Tls | None, share: float) -> Connection:
        """Connect to the first that answers. share: seconds for each."""
        failure: UpstreamFault | None = None
        for host in hosts:
            try:
                async with asyncio.timeout(share):
                    return await dial(partial(self._made, host), host, self.origin.port, tls)
            except UpstreamFault as fault:
                failure = fault
            except TimeoutError:
                failure = UpstreamFault(f"no connection to {host} in time", proxy_status="connection_timeout")
            self._addresses.shun(host)
        assert failure is not None, "there is always a candidate"
        raise failure

    def _made(self, host: str, where: str) -> Connection:
        limits = among_ours(self._room.limits) if self._is_ours else self._room.limits
        return Connection(self, where, host, self._room.clock, limits)

    async def _tls(self, rules: OriginRules) -> Tls | None:
        if self.origin.scheme != b"https":
            return None
        context = await self._room.contexts.get(verify=rules.tls_verify, ca_file=rules.tls_ca_file)
        return Tls(context, rules.tls_server_name or bare(self.origin.host))

    def _plan_sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(self._room.settings.sweep, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self._room.clock.mono()
        for connection in tuple(self._idle):
            if now >= connection.idle_until:
                connection.close()
        if self._idle:
            self._plan_sweep()


def _label(origin: OriginAddress) -> str:
    if is_unix(origin.host):
        return origin.host.decode()
    return f"{origin.host.decode('latin-1')}:{origin.port}"
