"""What the next tier looks like from inside: one request out, one response in.

Owns: `Upstream` and the values that cross it. `edge.fill.pool` is the one that goes to origins over HTTP/1.1;
a shield tier is another. Rules: an `UpstreamRequest` is complete and canonical (end-to-end fields only;
framing, Host and Upgrade are typed values, never fields); a `Fetched` always has its whole head; a body that
breaks off raises, it never ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edge.fill.body_reader import BodyReader
from edge.fill.tunnel import Tunnel
from edge.semantics.message import Fields, ResponseHead, UnixSeconds
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
