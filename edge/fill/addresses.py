"""Where an origin is right now: the addresses its name stands for, and which to try first.

Owns: `Addresses`. Rules: an address or a Unix socket written in the settings is itself; a name is looked up
when a connection is opened and, while connections go on serving, once its TTL has passed, so that connections
to addresses that left the name age out; every connect takes turns among the addresses; one that failed is
tried last for a while.
"""

from __future__ import annotations

from edge.clock import Clock
from edge.errors import UpstreamFault
from edge.fill.guard import is_allowed, is_literal
from edge.fill.resolver import NameSource
from edge.semantics.rules import OriginRules
from edge.tasks import TaskOwner

UNIX = b"unix:"
"""An origin host that begins so is the path of a Unix socket."""
MAX_ADDRESSES = 4
"""Addresses of one name that are tried for one connection; the connect timeout is shared among them."""
SHUN_SECONDS = 30.0
"""For this long an address that failed is tried after the others."""
ASK_AGAIN_SECONDS = 5.0
"""After a look-up that failed, while the old addresses still serve."""
_ALWAYS = float("inf")


def is_unix(host: bytes) -> bool:
    """Whether an origin host of the settings is a Unix socket."""
    return host.startswith(UNIX)


def bare(host: bytes) -> str:
    """A name or address without an IPv6 literal's brackets."""
    return host.decode("ascii").removeprefix("[").removesuffix("]")


class Addresses:
    """See the module. host: as written in the settings. origin: its label, for messages."""

    def __init__(self, host: bytes, origin: str, clock: Clock, names: NameSource, tasks: TaskOwner) -> None:
        self._host = host
        self._origin = origin
        self._clock = clock
        self._names = names
        self._tasks = tasks
        self._current: tuple[str, ...] = ()
        self._until = 0.0
        self._is_fixed = is_literal(host) or is_unix(host)
        if self._is_fixed:
            self._current, self._until = (host.decode() if is_unix(host) else bare(host),), _ALWAYS
        self._shunned: dict[str, float] = {}
        self._turn = 0
        self._is_asking = False

    def current(self, now: float) -> tuple[str, ...]:
        """What the name stands for as far as is known; looks it up again in the background when that is overdue.

        now: the clock's mono.
        """
        if now >= self._until and not self._is_asking:
            self._is_asking = True
            self._tasks.spawn(self._ask_again(), name=f"look up {self._origin} again")
        return self._current

    async def candidates(self, rules: OriginRules) -> list[str]:
        """Addresses to try, in order; at least one. A Unix socket is "unix:/path". Raises UpstreamFault."""
        await self._look_up()
        if is_unix(self._host):
            return list(self._current)
        allowed = [address for address in self._current if is_allowed(address, self._host, rules)]
        if not allowed:
            raise UpstreamFault(
                f"{self._origin} resolves to {', '.join(self._current)}, which is not public;"
                " origin.allow_private_names permits it",
                proxy_status="destination_ip_prohibited",
            )
        self._turn += 1
        start = self._turn % len(allowed)
        now = self._clock.mono()
        turned = allowed[start:] + allowed[:start]
        turned.sort(key=lambda address: self._shunned.get(address, 0.0) > now)
        return turned[:MAX_ADDRESSES]

    def shun(self, address: str) -> None:
        """Connecting to it failed just now."""
        self._shunned[address] = self._clock.mono() + SHUN_SECONDS

    async def _look_up(self) -> None:
        if self._is_fixed:
            return
        resolved = await self._names.resolve(self._host.decode("ascii"))
        self._current, self._until = resolved.addresses, resolved.until
        self._shunned = {address: end for address, end in self._shunned.items() if address in self._current}

    async def _ask_again(self) -> None:
        try:
            await self._look_up()
        except UpstreamFault:
            # The resolver counted it and has used up its patience with the old answer; connections that work still do.
            self._until = self._clock.mono() + ASK_AGAIN_SECONDS
        finally:
            self._is_asking = False
