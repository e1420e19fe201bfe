"""One worker: every part of a node, put together on one event loop.

Owns: `Worker`, the only place that knows all parts; what starts, in which order it stops, and what new settings
change. A worker is a complete node with its own memory tier and fill table; the disk tier is shared, each key has
one owner.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import resource
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.clock import SystemClock
from edge.fence import Fence
from edge.fill.fill import FillRoom
from edge.fill.pool import OriginPool
from edge.fill.resolver import Resolver, ResolverSettings
from edge.fill.table import FillTable
from edge.fill.upstream import Upstream
from edge.measures import Measures
from edge.node import Node
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.semantics.rules import HOUR, OriginAddress, OriginRules
from edge.semantics.selectors import Group, Uri
from edge.server.access_log import AccessLog
from edge.server.file_shares import share_files
from edge.server.listener import Answers, Listener
from edge.server.missed import missed_by
from edge.server.nodes import NodeAnswers
from edge.server.outward import Ground, MakeOutward, Straight
from edge.server.peers import BETWEEN_WORKERS, GROUPS_AT_ONCE, PeerAnswers, Peers, owner_of, recall
from edge.server.purge_method import PurgeMethod
from edge.server.retiring import retire
from edge.server.run_dir import purge_socket_of
from edge.server.tls_listener import TlsListener
from edge.server.worker_leading import WorkerLeading
from edge.server.worker_log import LogAccess, WorkerLog
from edge.server.worker_store import StoreFaults, make_store
from edge.server.worker_tls import WorkerTls
from edge.settings.node import NodeSettings
from edge.settings.sites import purged_keys
from edge.store.sweep import Sweep
from edge.tasks import TaskOwner
from edge.tiers import Tiers
from edge.wire.limits import among_ours

log = logging.getLogger(__name__)

FILL_WINDOW_BYTES = 1024 * 1024
"""Bytes of one incoming body held in memory; beyond it the body goes through a file [nginx proxy_max_temp_file_size]."""
TEND_SECONDS = 1.0


class Worker:
    """See the module. index, count: which of how many. tier_socket_of: where worker i listens for the others.

    log: where the purge log is; None = there is none. tier_sockets: where other nodes are served. tls_sockets: where clients
    are over TLS, with what `tls` has been given. outward: the ways out.
    state: what is known of the network (edge.geo.view_message), None = nothing.
    """

    def __init__(
        self,
        settings: NodeSettings,
        *,
        index: int,
        count: int,
        run_dir: Path,
        listen_sockets: Sequence[socket.socket],
        admin_socket: Path,
        tier_socket_of: Callable[[int], Path],
        log: LogAccess | None = None,
        tier_sockets: Sequence[socket.socket] = (),
        tls_sockets: Sequence[socket.socket] = (),
        outward: MakeOutward = Straight,
        state: Mapping[str, object] | None = None,
    ) -> None:
        self.settings = settings
        self.index = index
        self.run_dir = run_dir
        self.admin_socket = admin_socket
        self.clock = SystemClock()
        self.measures = Measures()
        self._count = count
        self._sockets = tuple(listen_sockets)
        self._tier_sockets = tuple(tier_sockets)
        self._tls_sockets = tuple(tls_sockets)
        self.tls = WorkerTls(self.measures.registry)
        self._make_outward = outward
        self._log_access = log
        self.log: WorkerLog | None = None
        self._tier_socket_of = tier_socket_of
        self.leading = (
            None if settings.network is None else WorkerLeading(settings, state, self.measures, self.clock)
        )
        self._tasks = TaskOwner(f"worker {index}")
        self._faults = StoreFaults(self.clock)
        self._listeners: list[Listener] = []
        self._is_started = False
        self._files = share_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0], settings.limits)
        self._body_names = itertools.count()
        self._body_prefix = secrets.token_bytes(8)

    # -- start --

    async def start(self) -> None:
        """Open the store, join the other workers, accept connections. Raises EdgeError, OSError."""
        settings = self.settings
        self.access_log = AccessLog(settings.log, self.clock, self.measures, trusted=settings.trusted_proxies)
        self._names = Resolver(ResolverSettings.of(settings), self.clock, self.measures)
        self._pool = OriginPool(self.clock, self._names, self.measures, limits=settings.limits)
        self.outward = self._make_outward(
            Ground(self._pool, settings, self.clock, self.measures, self._count)
        )
        self.store = make_store(
            settings,
            count=self._count,
            owns=self._owns,
            open_files=self._files.bodies,
            measures=self.measures,
            faults=self._faults,
        )
        await self.store.open()
        await self._start_log()
        if self.leading is not None:
            await self.leading.start(self._tasks)
        self.node = self._make_node()
        self._sweep()
        await self.outward.start()
        if self.log is not None:
            await self.log.wait_caught_up()
        if self._tls_sockets:
            await self.tls.renew(settings)
        self._listen()
        await self._serve()
        self._tasks.spawn(self._tend(), name="tend")
        self._is_started = True

    async def _start_log(self) -> None:
        """The purge table, and what reads the log into it."""
        settings = self.settings
        self.table = PurgeTable(self._keys_of, max_items=settings.purge.keep)
        self.fence = Fence(self.table, self.clock)
        if self._log_access is not None:
            self.log = WorkerLog(
                self._log_access,
                self.table,
                node=settings.name,
                index=self.index,
                data_dir=settings.data_dir,
                clock=self.clock,
                measures=self.measures,
            )
            self.fence.reader = self.log.follower
            await self.log.start(self._tasks)

    def _make_node(self) -> Node:
        settings = self.settings
        name = settings.name.encode()
        others = [other for other in range(self._count) if other != self.index]
        self._peers = Peers(
            [self._peer(other) for other in others],
            self.measures,
            [missed_by(self.run_dir, other) for other in others],
        )
        room = FillRoom(
            table=FillTable(),
            store=self.store,
            clock=self.clock,
            window=self._fill_window(),
            new_body_id=self._new_body_id,
            on_store_fault=self._faults.note,
            measures=self.measures,
            positions=self.fence,
        )
        self._tiers = Tiers(
            name=name,
            cdn_id=name,
            trusted=settings.trusted_proxies,
            index=self.index,
            owner_of=lambda key: owner_of(key, self._count),
            workers=[self._peer(other) for other in range(self._count)] if self._count > 1 else (),
            origin_of=self.outward.origin,
            shields=self.outward,
            secret=_sealing(settings),
            now=self.clock.now,
        )
        return Node(
            name=name,
            sites=settings.sites,
            store=self.store,
            room=room,
            tiers=self._tiers,
            fence=self.fence,
            clock=self.clock,
            tasks=self._tasks,
            max_ranges=settings.limits.ranges,
            invalidate_elsewhere=self._peers.invalidate,
            invalidate_groups=self._invalidate_groups,
            purge=None
            if self.log is None
            else PurgeMethod(purge_socket_of(self.run_dir), self.measures, self._tiers.client),
            leading=None if self.leading is None else self.leading.leading,
        )

    def _sweep(self) -> None:
        """The space of what was purged comes back in the background."""
        self.sweep = Sweep(
            self.store.contents,
            lambda stored, clean: self.fence.judged(stored, clean, self.settings.sites),
            keys_of=self._keys_of,
            measures=self.measures,
            mono=self.clock.mono,
            on_fault=self._faults.note,
        )
        if self.log is not None:
            self.log.follower.on_order(lambda order, _position: self.sweep.applied(order))
            self._tasks.spawn(self._sweep_once_caught_up(self.log), name="first sweep")
        self._tasks.spawn(self.sweep.run(), name="sweep")

    async def _sweep_once_caught_up(self, purges: WorkerLog) -> None:
        """What was purged while we were away, or in a pass that a restart cut short, is there still."""
        await purges.follower.caught_up.wait()
        self.sweep.look_everywhere()

    def _fill_window(self) -> int:
        """Without a disk, what is to be kept in memory must be whole there while it comes in."""
        if self.store.disk is None:
            return max(FILL_WINDOW_BYTES, self.settings.memory.max_object)
        return FILL_WINDOW_BYTES

    def _listen(self) -> None:
        self.node.lane.bound(self.settings.limits)
        nodes = NodeAnswers(self.node, lambda: self.settings.tier.secrets, self.clock, self.measures)
        self._listeners += [self._listener(sock, self.node) for sock in self._sockets]
        self._listeners += [self._listener(sock, self.node, tls=True) for sock in self._tls_sockets]
        self._listeners += [self._listener(sock, nodes, tier=True) for sock in self._tier_sockets]
        peers = PeerAnswers(self.node, self.fence, self._take)
        self._listeners.append(self._listener(self._bind_tier_socket(), peers, tier=True))

    def _listener(
        self, sock: socket.socket, node: Answers, *, tls: bool = False, tier: bool = False
    ) -> Listener:
        rest: dict[str, Any] = {
            "node_name": self.settings.name.encode(),
            "limits": among_ours(self.settings.limits) if tier else self.settings.limits,
            "clock": self.clock,
            "measures": self.measures,
            "tasks": self._tasks,
            "recorder": self.access_log.of_tier() if tier else self.access_log,
            "max_connections": None if tier else self._files.connections,
            "proxies": () if tier else self.settings.proxy_protocol,
            "lane": None if tier else self.node.lane,
        }
        if tls:
            return TlsListener(sock, node, contexts=self.tls.contexts, handshakes=self.tls.measures, **rest)
        return Listener(sock, node, tier=tier, **rest)

    async def _serve(self) -> None:
        """The other workers first: from then on they can tell what changes, and what they could not is read."""
        *public, peers = self._listeners
        peers.start()
        await recall(missed_by(self.run_dir, self.index), self.node, self._take)
        for listener in public:
            listener.start()

    def _bind_tier_socket(self) -> socket.socket:
        path = self._tier_socket_of(self.index)
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(1024)
        return sock

    def _peer(self, index: int) -> Upstream:
        address = OriginAddress(b"http", b"unix:" + str(self._tier_socket_of(index)).encode(), 0)
        return self._pool.upstream(
            OriginRules(origins=(address,), timeouts=BETWEEN_WORKERS, max_connections=4096, is_ours=True)
        )

    async def _invalidate_groups(self, groups: Sequence[Group]) -> None:
        """An origin's answer invalidates groups: here and in all that reads the same log before its client hears of it."""
        order_id = secrets.token_hex(16)
        if self.log is None:
            for at in range(0, len(groups), GROUPS_AT_ONCE):
                some = tuple(groups[at : at + GROUPS_AT_ONCE])
                order = PurgeOrder(order_id, UnixSeconds(self.clock.now()), some, by="origin")
                self._take(order)
                await self._peers.order(order)
        elif await self.log.order(groups, order_id, by="origin"):
            token = self.fence.token(self.fence.applied)
            assert token is not None, "a log without positions"
            await self._peers.reach(token)
        else:
            log.error("an origin invalidated %d groups, and the purge log did not take it", len(groups))

    def _take(self, order: PurgeOrder) -> None:
        """A purge that stands in no log, since there is none: nobody else tells the sweep of it."""
        self.fence.take(order)
        self.sweep.applied(order)

    def _keys_of(self, uri: Uri) -> tuple[bytes, ...]:
        """The keys that a purged URL has here, by the rules of its site as they are now."""
        return purged_keys(uri, self.settings.sites)

    def _owns(self, key: bytes) -> bool:
        return owner_of(key, self._count) == self.index

    def _new_body_id(self) -> bytes:
        return self._body_prefix + next(self._body_names).to_bytes(8, "big")

    # -- life --

    async def _tend(self) -> None:
        """What is done once a second: the clock follows the wall, the disk puts itself in order."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            step = self.clock.discipline()
            if step is not None:
                log.warning("the wall clock was stepped by %.1f s; ages follow slowly", step)
            await self.store.tend()
            # Nothing is used for longer than that without being validated, which gives it a new fence.
            self.table.retire(self.clock.now() - self.settings.sites.longest_life - HOUR)

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether requests should be sent here, and why not.

        A disk that fails is told, and does not make us unready.
        """
        disk = self.store.disk if self._is_started else None
        detail: dict[str, object] = {
            "started": self._is_started,
            "draining": any(listener.draining for listener in self._listeners),
            "disk": "off" if disk is None else "open" if disk.is_open else "failed",
            "store_fault": self._faults.latest,
            "sites": len(self.settings.sites),
            "stored": {
                "memory": self.store.memory.objects if self._is_started else 0,
                "disk": None if disk is None else len(disk),
            },
            "purge_log": {"state": "off"} if self.log is None else self.log.described(),
        }
        is_caught_up = self.log is None or self.log.is_caught_up
        return self._is_started and is_caught_up and not detail["draining"], detail

    def apply(self, settings: NodeSettings) -> None:
        """Take what a running node can take; exchanges under way end as they began."""
        self.settings = settings
        if self.leading is not None:
            self.leading.apply(settings)
        self.node.apply(settings.sites, settings.trusted_proxies, settings.limits.ranges)
        self._pool.apply(settings.limits)
        self.store.min_hits = settings.disk.min_hits
        self.outward.apply(settings)
        self.sweep.look_everywhere()
        self.node.lane.bound(settings.limits)
        for listener in self._listeners:
            listener.limits = among_ours(settings.limits) if listener.is_tier else settings.limits
            if not listener.is_tier:
                listener.proxies = settings.proxy_protocol
        self._tiers.secret = _sealing(settings)

    async def drain(self, seconds: float) -> int:
        """Stop accepting, finish what is under way. Returns how many connections were cut."""
        public = self._listeners[:-1]
        return sum(await asyncio.gather(*(listener.drain(seconds) for listener in public)))

    async def retire(self, seconds: float) -> int:
        """As `drain`, while the other workers go on (edge.server.retiring)."""
        *public, peers = self._listeners
        return await retire(public, peers, self._tier_socket_of(self.index), seconds)

    async def aclose(self) -> None:
        """Stop all parts; what waits to be written is written."""
        for listener in self._listeners:
            await listener.drain(0)
        await self._tasks.aclose()
        if self.log is not None:
            await self.log.aclose()
        await self.outward.aclose()
        await self._pool.aclose()
        await self._names.aclose()
        await self.store.aclose()
        await self.access_log.aclose()


def _sealing(settings: NodeSettings) -> bytes | None:
    """What passports for other nodes are sealed with."""
    return settings.tier.secrets[0] if settings.tier.secrets else None
