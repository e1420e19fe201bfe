"""A listening socket and its connections: accepting within bounds, keeping time, counting, draining.

Owns: `Listener`. It accepts by itself (`sock.accept` from a reader callback) so that accepting can stop: at the
bound on connections (which leaves descriptors for the next tier and the store), and when descriptors run short all
the same. One sweep, twice a second, looks after every connection's deadlines: cheaper than a timer each, and the same
for 10 or 10,000.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from edge.clock import Clock
from edge.errors import ClientFault
from edge.exchange import Exchange, Reply
from edge.lane import Lane, LaneHit
from edge.measures import Measures
from edge.semantics.forwarding import Network, is_trusted
from edge.server.connection import Connection
from edge.server.proxied import client_behind
from edge.server.sockets import BACKLOG
from edge.tasks import TaskOwner
from edge.wire.limits import Limits
from edge.wire.request import ParsedRequest

SWEEP_SECONDS = 0.5
"""Between two looks at all connections; shorter where a limit is so short that this would be coarse."""
FINEST_SWEEP_SECONDS = 0.05
ACCEPT_AT_ONCE = 64
"""Connections taken per wake-up, so that a burst does not starve those that are open."""
ACCEPT_RETRY_SECONDS = 0.1
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OF_THE_NETWORK = frozenset(
    (errno.EPROTO, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EOPNOTSUPP)
)
"""Errors of one connection that Linux reports through accept: it is gone, the next one is fine."""


class Answers(Protocol):
    """What a listener needs of a node."""

    def answer_now(self, exchange: Exchange) -> Reply | None:
        """A reply that is at hand, without waiting."""

    async def handle(self, exchange: Exchange) -> Reply:
        """A reply, whatever it takes."""


class Recorder(Protocol):
    """What a listener tells about finished exchanges (access log)."""

    def record(
        self,
        peer: str,
        request: ParsedRequest | None,
        reply: Reply,
        sent: int,
        seconds: float,
        *,
        whole: bool,
    ) -> None:
        """One exchange ended. request: None when its head could not be read."""

    def record_hit(self, peer: str, hit: LaneHit, sent: int, seconds: float) -> None:
        """The lane answered, whole. sent: body bytes."""


class Listener:
    """One listening socket of one worker."""

    def __init__(
        self,
        sock: socket.socket,
        node: Answers,
        *,
        node_name: bytes,
        limits: Limits,
        clock: Clock,
        measures: Measures,
        tasks: TaskOwner,
        recorder: Recorder,
        scheme: bytes = b"http",
        tier: bool = False,
        max_connections: int | None = None,
        proxies: Sequence[Network] = (),
        lane: Lane | None = None,
    ) -> None:
        """lane: None = every request goes the long way."""
        self.lane = lane
        self.proxies = tuple(proxies)
        """Peers that begin with a PROXY header, and are not clients themselves."""
        self._sock = sock
        self.node = node
        self.node_name = node_name
        self.limits = limits
        self.scheme = scheme
        self.measures = measures
        self.lane_answers = measures.lane_answers
        self.tasks = tasks
        self.draining = False
        self.clock_mono: Callable[[], float] = clock.mono
        self.tick = clock.mono()
        self.recorder = recorder
        self._tier = self.is_tier = tier
        self._max = max_connections if max_connections is not None else limits.connections
        self._open: set[Connection] = set()
        self._taken = 0
        """Accepted and not gone. It is no sum of two sets: for a moment a connection is in both."""
        self._per_client: Counter[str] = Counter()
        self._accepting = False
        self._stopped = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._all_closed: asyncio.Event = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()

    # -- life --

    def start(self) -> None:
        """Accept connections. The socket must be bound and listening."""
        self._sock.setblocking(False)
        self._accept_more()
        self._sweep()

    def stop_accepting(self) -> None:
        """Close the listening socket; open connections live on.

        Who is in its backlog has connected already, as far as he knows: he is taken first, not reset.
        """
        for _ in range(BACKLOG // ACCEPT_AT_ONCE + 1):
            if not self._accept():
                break
        self._stopped = True
        self._pause_accepting()
        self._sock.close()

    async def turn_away(self, seconds: float) -> None:
        """Answers end their connections from now on. Returns when none is open, or after `seconds`.

        Nothing is closed under a client that is just about to ask again; who comes is still served.
        """
        self.draining = True
        if self._taken:
            self._all_closed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._all_closed.wait()

    async def let_in_no_more(self) -> None:
        """As `stop_accepting`, with answers that end their connections; whoever was accepted has a protocol when it returns."""
        self.draining = True
        if not self._stopped:
            self.stop_accepting()
        if self._opening:
            await asyncio.wait(self._opening)

    async def drain(self, seconds: float) -> int:
        """Stop: finish what is under way within `seconds`, then cut the rest. Returns how many were cut."""
        await self.let_in_no_more()
        for connection in tuple(self._open):
            connection.drain()
        cut = 0
        if self._open:
            self._all_closed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._all_closed.wait()
            except TimeoutError:
                cut = len(self._open)
                for connection in tuple(self._open):
                    connection.transport.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        return cut

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return len(self._open)

    # -- accepting --

    def _accept_more(self) -> None:
        if not self._accepting and not self._stopped:
            self._accepting = True
            asyncio.get_running_loop().add_reader(self._sock.fileno(), self._accept)

    def _pause_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            asyncio.get_running_loop().remove_reader(self._sock.fileno())

    def _accept(self) -> bool:
        """Take some of those who wait. Whether more of them may be there."""
        for _ in range(ACCEPT_AT_ONCE):
            if self._taken >= self._max:
                self.bound("connections")
                self._pause_accepting()
                return False
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return False
            except OSError as error:
                if error.errno in _OF_THE_NETWORK:
                    continue
                if error.errno not in _OUT_OF_FILES:
                    raise
                self.bound("open_files")
                self._pause_accepting()
                asyncio.get_running_loop().call_later(ACCEPT_RETRY_SECONDS, self._accept_more)
                return False
            self._take(sock, address[0] if isinstance(address, tuple) else "unix")
        return True

    def _take(self, sock: socket.socket, peer: str) -> None:
        is_proxy = not self._tier and self.proxies and is_trusted(peer, self.proxies)
        if not self._tier and not is_proxy and self._has_enough(peer):
            sock.close()
            return
        self._per_client[peer] += 1
        self._taken += 1
        sock.setblocking(False)
        connect = self._connect_proxied if is_proxy else self._connect
        task = self.tasks.spawn(connect(sock, peer), name="accept")
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _has_enough(self, peer: str) -> bool:
        if self._per_client[peer] < self.limits.connections_per_client:
            return False
        self.bound("connections_per_client")
        return True

    async def _connect_proxied(self, sock: socket.socket, proxy: str) -> None:
        """From a proxy of ours: it says first who its client is."""
        try:
            async with asyncio.timeout(self.limits.head_deadline):
                client = await client_behind(sock) or proxy
            if client != proxy and self._has_enough(client):
                raise ConnectionAbortedError
        except (ClientFault, OSError, TimeoutError) as error:  # TimeoutError is an OSError
            if isinstance(error, ClientFault):
                self.count_refused(error)
            elif isinstance(error, TimeoutError):
                self.bound("head_deadline")
            self._left(proxy)
            sock.close()
            return
        except BaseException:
            self._left(proxy)
            sock.close()
            raise
        self._per_client[client] += 1
        self._taken += 1
        self._left(proxy)
        await self._connect(sock, client)

    async def _connect(self, sock: socket.socket, peer: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            if not self._tier:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(lambda: self._protocol(peer), sock)
        except BaseException as error:
            self._left(peer)
            sock.close()
            if not isinstance(error, OSError):  # it was reset between accept and now
                raise

    def _protocol(self, peer: str) -> asyncio.Protocol:
        """What is to read an accepted connection."""
        return Connection(self, peer, tier=self._tier)

    def _left(self, peer: str) -> None:
        self._taken -= 1
        self._per_client[peer] -= 1
        if self._per_client[peer] <= 0:
            del self._per_client[peer]
        if self._taken < self._max:
            self._accept_more()

    # -- from the connections --

    def opened(self, connection: Connection) -> None:
        """A connection is up."""
        self._open.add(connection)
        self.measures.connections.value += 1
        self.measures.connections_open.value += 1

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._left(connection.peer)
        self.measures.connections_open.value -= 1
        if not self._open:
            self._all_closed.set()

    def bound(self, name: str) -> None:
        """A bound was met."""
        self.measures.bound_reached.of(name).value += 1

    def refused(self, connection: Connection, fault: ClientFault, reply: Reply) -> None:
        """A head was refused."""
        self.count_refused(fault)
        self.recorder.record(connection.peer, None, reply, reply.length or 0, 0.0, whole=True)

    def count_refused(self, fault: ClientFault) -> None:
        """Something malformed came."""
        self.measures.refused.of(fault.detail).value += 1

    def replying(self, reply: Reply, started: float) -> None:
        """The first byte of a reply that had to be waited for is about to leave."""
        self.measures.first_byte_seconds.of(reply.verdict.cache).observe(self.clock_mono() - started)

    def count_broken_off(self) -> None:
        """A body broke off behind us."""
        self.measures.aborted.of("upstream").value += 1

    def finished(
        self,
        connection: Connection,
        request: ParsedRequest,
        reply: Reply,
        sent: int,
        started: float,
        *,
        whole: bool = True,
    ) -> None:
        """An exchange ended."""
        self.recorder.record(connection.peer, request, reply, sent, self.clock_mono() - started, whole=whole)

    def left(
        self, connection: Connection, request: ParsedRequest, reply: Reply, sent: int, started: float
    ) -> None:
        """A client left before its reply was whole, or was cut by us."""
        self.measures.aborted.of("us" if connection.sending.is_cut else "client").value += 1
        self.finished(connection, request, reply, sent, started, whole=False)

    # -- time --

    def _sweep(self) -> None:
        now = self.clock_mono()
        passed, self.tick = now - self.tick, now
        for connection in tuple(self._open):
            connection.check_time(now, passed)
        self._sweeper = asyncio.get_running_loop().call_later(sweep_seconds(self.limits), self._sweep)


def sweep_seconds(limits: Limits) -> float:
    """Seconds between two looks at all connections, so that the shortest deadline is not kept much too late."""
    shortest = min(
        limits.head_deadline, limits.idle, limits.body_grace, limits.reader_stall, limits.handshake_deadline
    )
    return min(SWEEP_SECONDS, max(shortest / 8, FINEST_SWEEP_SECONDS))
