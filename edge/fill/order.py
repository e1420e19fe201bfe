"""What a fill is told and what it finds.

Owns: `FillOrder` and `Route` (what to fetch and how), `Found` (what came of it), and what a fill needs of the
store. Values and protocols only: `edge.fill.fill` does the work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from edge.errors import EdgeError
from edge.fill.body import FillBody
from edge.fill.upstream import BodySource, Fetched, Upstream, UpstreamRequest
from edge.semantics.message import RequestHead, ResponseHead
from edge.semantics.reasons import Because
from edge.semantics.rules import SiteRules
from edge.semantics.stored import StoredResponse
from edge.values import value

NOT_TO_BE_STORED = b"Perigee-Not-Stored"
"""Between workers of a node: the owner relayed this answer and did not keep it; the value is its reason."""

NEED = b"Perigee-Need"
"""Between tiers, in a request: content must be clean up to this position of the purge log."""
BACKGROUND = b"Perigee-Background"
"""Between tiers, in a request: no client waits for the answer."""
FENCE = b"Perigee-Fence"
"""Between tiers, in an answer: up to where its content is known to be clean."""


STALE = b"Perigee-Stale"
"""Between tiers, in an answer: it is stale, and stands in for an error. All who wait for it may have it."""


class Positions(Protocol):
    """What a fill needs of the fence (edge.fence)."""

    def stamp(self, need: int) -> int:
        """What a request that is sent now brings at least."""

    def token(self, position: int) -> bytes | None:
        """A position for the next tier; None = there is no purge log."""

    def position(self, token: bytes | None) -> int | None:
        """What the next tier said; None when it means nothing here."""

    def vouches(self, stored: StoredResponse, need: int, rules: SiteRules) -> bool:
        """Whether the next tier may have sent this for `need`."""


class Unfenced:
    """Where there is no purge log."""

    def stamp(self, need: int) -> int:
        """As asked."""
        return need

    def token(self, _position: int) -> bytes | None:
        """None."""

    def position(self, _token: bytes | None) -> int | None:
        """Nothing is ever purged."""
        return 0

    def vouches(self, _stored: StoredResponse, _need: int, _rules: SiteRules) -> bool:
        """Always."""
        return True


class FillSpool(Protocol):
    """Where a large body goes while it comes in, and becomes a stored one at the end."""

    async def append(self, data: bytes) -> None:
        """Write at the end. Raises StoreFault."""

    async def read(self, offset: int, length: int) -> bytes:
        """Read back what was appended. Raises StoreFault."""

    async def finish(self, stored: StoredResponse) -> None:
        """Publish it as the body of `stored`. Raises StoreFault."""

    def abort(self) -> None:
        """Leave nothing behind, once readers of the running fill are done; harmless after finish."""


class FillStore(Protocol):
    """What a fill needs of the store."""

    def put(self, stored: StoredResponse, body: bytes) -> None:
        """Keep a complete response whose body is small."""

    def can_spool(self, key: bytes) -> bool:
        """True when a body too large for memory may be kept for `key`."""

    async def open_spool(self, stored: StoredResponse, length: int | None) -> FillSpool | None:
        """A spool for a large body; None when there is no room or no disk."""

    def freshen(self, old: StoredResponse, new: StoredResponse) -> None:
        """Replace a head, keep its body."""

    def forget_one(self, stored: StoredResponse) -> None:
        """Drop one stored response."""


@value(frozen=True, slots=True)
class Streaming:
    """A storable answer; its body comes through `body`. length: None = not known yet."""

    stored: StoredResponse
    head: ResponseHead
    """As it came, for who caused the fill; `stored.head` lacks what may not be kept (no-cache="field", Age, ...)."""
    body: FillBody
    length: int | None
    because: Because
    kept: bool
    """True when it is stored or being stored."""
    behind: bytes | None = None
    """The Cache-Status member of the worker it came through, None when it came from elsewhere."""
    has_age: bool = True
    """False: it came straight from the origin for this request, and Age would say that it did not (RFC 9111 s5.1)."""


@value(frozen=True, slots=True)
class FromStore:
    """The next tier vouched for (304) or failed beside (5xx) this stored response."""

    stored: StoredResponse
    because: Because
    status: int
    """What the next tier said."""
    behind: bytes | None = None
    has_age: bool = True


@value(frozen=True, slots=True)
class Private:
    """An answer for the leader only. Whoever takes it owns `fetched`."""

    head: ResponseHead
    fetched: Fetched
    because: Because
    behind: bytes | None = None


@value(frozen=True, slots=True)
class Failed:
    """No usable answer."""

    error: EdgeError


Found = Streaming | FromStore | Private | Failed


@value(frozen=True, slots=True)
class Route:
    """One way to the next tier. build: the request as it is sent there, with validators of what is given.

    is_worker: the next tier is a worker of this node: its Cache-Status stands for both of us. is_node: it is another node
    of ours. Either has made the site's edits, says what its content's fence is, and is told what is needed.
    """

    upstream: Upstream
    build: Callable[[tuple[StoredResponse, ...]], UpstreamRequest]
    is_worker: bool = False
    is_node: bool = False
    seal: Callable[[UpstreamRequest], UpstreamRequest] | None = None
    """Done to the request at the very last, when nothing is added to it any more."""

    @property
    def is_tier(self) -> bool:
        """Whether it is one of ours."""
        return self.is_worker or self.is_node


OnHead = Callable[[ResponseHead, bool], Awaitable[None]]
"""Told the final head, and whether a worker of ours sent it (which has then done what its answer asks for)."""


@value(frozen=True, slots=True)
class FillOrder:
    """What is to be fetched, and how.

    routes: ways to the next tier in order; the following one only when nothing could be sent by the one before.
    on_head: awaited when the final head is there, before anything is decided. body: of the request, sent at most
    once. relay: not None = nothing is decided or stored, the answer is the leader's, for this reason.
    """

    request: RequestHead
    key: bytes
    rules: SiteRules
    routes: tuple[Route, ...]
    validating: tuple[StoredResponse, ...] = ()
    fallback: StoredResponse | None = None
    variants_held: int = 0
    on_interim: Callable[[ResponseHead], None] | None = None
    on_head: OnHead | None = None
    body: BodySource | None = None
    relay: Because | None = None
    need: int = 0
    """Position of the purge log up to which what comes must be clean."""
    may_repeat: bool = True
    """False: a fill for this key has just failed, and one more request is all that those who waited for it get."""
    is_background: bool = False
    """True: no client waits for it."""
