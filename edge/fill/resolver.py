"""Origin names to addresses, without blocking the loop and without asking twice.

Owns: `Resolver` and its cache. Rules: the answer's TTL is honoured within bounds; one look-up a name is under
way at a time, whoever waits for it (a waiter that leaves does not end it); failures are remembered for a
short while; when a look-up fails, an expired answer is good for a bounded time longer (RFC 8767), since an
origin outlives its name server more often than it moves. /etc/hosts and localhost are honoured (c-ares does).
Whether an address may be used is edge.fill.guard's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import aiodns
import pycares
from aiodns.error import DNSError

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.measures import Measures
from edge.settings.node import NodeSettings
from edge.tasks import TaskOwner

_TIMED_OUT = frozenset((pycares.errno.ARES_ETIMEOUT, pycares.errno.ARES_ECONNREFUSED))


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """Seconds, but for the counts.

    nameservers: "ip" or "ip:port", () = the system's. timeout: of one try; tries: per name server.
    """

    nameservers: tuple[str, ...] = ()
    timeout: float = 2.0
    tries: int = 2
    min_ttl: float = 1.0
    """Shorter TTLs are raised to this, so that TTL 0 is not a look-up per connection."""
    max_ttl: float = 3600.0
    """Longer ones are cut to this [unbound cache-max-ttl: a day]."""
    negative_ttl: float = 5.0
    """How long a failure is remembered."""

    @classmethod
    def of(cls, settings: NodeSettings) -> ResolverSettings:
        """As a node is told."""
        said = settings.resolver
        return cls(tuple(map(str, said.nameservers)), min_ttl=said.min_ttl, max_ttl=said.max_ttl)

    serve_expired: float = 3600.0
    """How long past its TTL an answer is used while look-ups fail [RFC 8767 s5: up to days]."""
    max_names: int = 4096
    """Names remembered; names come from settings, so this is a backstop."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """addresses: textual, in the order to try, never empty. until: the clock's mono up to which they hold."""

    addresses: tuple[str, ...]
    until: float


@dataclass(frozen=True, slots=True)
class _Known:
    """answer: the last good one, None = never. fault: the last failure, None = the answer is good. until: of both."""

    answer: Resolved | None
    fault: UpstreamFault | None
    until: float


class NameSource(Protocol):
    """What the pool needs."""

    async def resolve(self, name: str) -> Resolved:
        """The addresses of a name. Raises UpstreamFault dns_error (it has none), dns_timeout (nobody answers)."""


class Resolver:
    """See the module. Close it on the loop it was used on."""

    def __init__(self, settings: ResolverSettings, clock: Clock, measures: Measures) -> None:
        self._settings = settings
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[_Known]] = {}
        self._tasks = TaskOwner("resolver")
        lookups = measures.lookups
        self._answered, self._cached = lookups.of("answered"), lookups.of("cached")
        self._failed, self._timed_out = lookups.of("failed"), lookups.of("timed-out")

    async def resolve(self, name: str) -> Resolved:
        """The addresses of a host name. Raises UpstreamFault dns_error (it has none), dns_timeout (nobody
        answers).
        """
        name = name.lower().removesuffix(".")
        known = self._known.get(name)
        if known is not None and self._clock.mono() < known.until:
            self._cached.value += 1
        else:
            asking = self._asking.get(name)
            if asking is None:
                asking = self._tasks.spawn(self._ask(name), name=f"resolve {name}")
                self._asking[name] = asking
            known = await asyncio.shield(asking)
        if known.answer is None:
            assert known.fault is not None, "what is known is an answer or a fault"
            raise UpstreamFault(known.fault.detail, proxy_status=known.fault.proxy_status)
        return known.answer

    async def aclose(self) -> None:
        """End look-ups under way."""
        await self._tasks.aclose()

    async def _ask(self, name: str) -> _Known:
        try:
            answer = await self._look_up(name)
            known = _Known(answer, None, answer.until)
        except UpstreamFault as fault:
            known = self._after_failure(self._known.get(name), fault)
        finally:
            del self._asking[name]
        self._remember(name, known)
        return known

    def _after_failure(self, old: _Known | None, fault: UpstreamFault) -> _Known:
        now = self._clock.mono()
        answer = old.answer if old is not None else None
        if answer is not None and now >= answer.until + self._settings.serve_expired:
            answer = None
        return _Known(answer, fault, now + self._settings.negative_ttl)

    def _remember(self, name: str, known: _Known) -> None:
        self._known.pop(name, None)
        if len(self._known) >= self._settings.max_names:
            del self._known[next(iter(self._known))]
        self._known[name] = known

    async def _look_up(self, name: str) -> Resolved:
        # A channel for each: c-ares keeps a cache of its own, on another clock, and holds an empty answer without SOA
        # for an hour. It costs 0.15 ms a look-up, and resolv.conf is read anew.
        try:
            async with self._open() as dns:
                found = await dns.getaddrinfo(name, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM)
        except DNSError as error:
            code, text = error.args[0], error.args[1]
            if code in _TIMED_OUT:
                self._timed_out.value += 1
                raise UpstreamFault(f"no answer for {name}: {text}", proxy_status="dns_timeout") from error
            self._failed.value += 1
            raise UpstreamFault(f"{name}: {text}", proxy_status="dns_error") from error
        nodes = found.nodes
        if not nodes:
            self._failed.value += 1
            raise UpstreamFault(f"{name} has no address", proxy_status="dns_error")
        self._answered.value += 1
        ttl = min([node.ttl for node in nodes] + [cname.ttl for cname in found.cnames])
        held = min(max(float(ttl), self._settings.min_ttl), self._settings.max_ttl)
        addresses = dict.fromkeys(node.addr[0].decode("ascii") for node in nodes)
        return Resolved(tuple(addresses), self._clock.mono() + held)

    def _open(self) -> aiodns.DNSResolver:
        settings = self._settings
        nameservers: Sequence[str] | None = settings.nameservers or None
        return aiodns.DNSResolver(nameservers, timeout=settings.timeout, tries=settings.tries)
