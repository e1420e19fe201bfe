"""What the next tier looks like from inside: one request out, one response in.

Owns: `Upstream` and the values that cross it. `edge.fill.pool` is the one that goes to origins over HTTP/1.1;
a shield tier is another. Rules: an `UpstreamRequest` is complete and canonical (end-to-end fields only;
framing, Host and Upgrade are typed values, never fields); a `Fetched` always has its whole head; a body that
breaks off raises, it never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from edge.errors import UpstreamFault
from edge.fill.body_reader import BodyReader
from edge.fill.tunnel import Tunnel
from edge.semantics.message import Fields, ResponseHead, UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import SiteRules
from edge.values import value
from edge.wire.framing import NO_BODY, Framing

SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
"""RFC 9110 s9.2.1. Only these are ever sent twice."""

OnInterim = Callable[[ResponseHead], None]
"""Gets each 102, 103 (and other 1xx but 100 and 101) as it comes. Must not raise."""


@value(frozen=True, slots=True)
class UpstreamRequest:
    """A request to the next tier.

    target: origin form, or b"*" for OPTIONS. host: the Host field to send. fields: end-to-end ones, prepared.
    framing: of the request's body; the pool writes Content-Length or Transfer-Encoding from it.
    upgrade: the one protocol asked for, lower case (b"websocket"), None = none.
    """

    method: bytes
    target: bytes
    host: bytes
    fields: Fields
    framing: Framing = NO_BODY
    upgrade: bytes | None = None
    may_repeat: bool = True
    """False: this is a repetition already; no further try where the origin gave no answer."""
    is_background: bool = False
    """True: no client waits for it. It is what can be given up first where there is too much to do."""


class HeldBack(UpstreamFault):
    """The request was not sent, so that the next tier is spared: 503, or what is stale.

    because: in our words. retry_after: seconds after which it may be worth while to ask again.
    """

    def __init__(self, detail: str, because: Because, retry_after: int) -> None:
        super().__init__(detail, proxy_status=HELD_BACK[because])
        self.because = because
        self.retry_after = retry_after


HELD_BACK = {
    Because.ORIGIN_QUEUE_FULL: "connection_limit_reached",
    Because.ORIGIN_QUEUE_OVERDUE: "connection_limit_reached",
    Because.ORIGIN_RESTS: "destination_unavailable",
}
"""Why a request may be held back, and the error type (RFC 9209 s2.3) for it; both are 503."""


class BodySource(Protocol):
    """A request body on its way through."""

    async def read(self) -> bytes:
        """The next piece, b"" at its clean end.

        Raises ClientFault or ConnectionError when the client broke off or broke the rules; the upstream connection is
        then destroyed, so that the origin never sees a finished upload. Is cancelled when the origin answered early
        (4xx, 5xx) or broke: no piece may be lost to whoever reads on, to drain it.
        """


@value(frozen=True, slots=True)
class Timings:
    """sent: when the request that was answered went out (RFC 9111 s4.2.3 request_time). answered: its head was
    there.
    """

    sent: UnixSeconds
    answered: UnixSeconds


@value(frozen=True, slots=True)
class Fetched:
    """An answer. Whoever holds it reads `body` to the end or aborts it.

    head: end-to-end fields and Content-Length. tunnel: after a 101 that was asked for, else None.
    reused: the connection had served before. address: "ip:port" or "unix:/path" that answered.
    """

    head: ResponseHead
    framing: Framing
    body: BodyReader
    tunnel: Tunnel | None
    reused: bool
    address: str
    timings: Timings


class Upstream(Protocol):
    """The next tier, for one site."""

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        """Send, and return when the final response's head is there.

        body: must be given exactly when `request.framing` announces one. Raises UpstreamFault when there is no usable
        answer, and whatever `body.read` raised. Cancelling it destroys the connection.
        """


class Origins(Protocol):
    """The ways to all origins of a worker. edge.fill.pool sends whatever comes, origin_shield does not."""

    def upstream(self, rules: SiteRules) -> Upstream:
        """The way to the origins of one site. Cheap; make a new one when the rules change."""

    def apply(self, sites: Iterable[SiteRules]) -> None:
        """These sites are in force now, and no others."""

    async def aclose(self) -> None:
        """End what runs in the background; connections are the pool's."""
