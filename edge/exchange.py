"""One exchange as the node sees it: what the server hands in, what it gets back.

Owns: the values between `edge.server` (sockets) and `edge.node` (decisions). Neither knows the other: a node can be
driven by anything that makes an `Exchange` and sends a `Reply`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from edge.semantics.message import Fields, ResponseHead
from edge.semantics.reasons import Because
from edge.values import value
from edge.wire.request import ParsedRequest


class BodySource(Protocol):
    """A request body on its way in."""

    async def read(self) -> bytes:
        """The next bytes, b"" at the clean end. Raises ClientFault when it is malformed or broke off."""


class BodyStream(Protocol):
    """A response body on its way out."""

    @property
    def trailers(self) -> Fields:
        """Known after the end."""

    async def read(self) -> bytes:
        """The next bytes, b"" at the clean end.

        Raises EdgeError when it broke off: then the client must see a cut.
        """

    def close(self) -> None:
        """No more will be read; harmless at any time, any number of times."""


class Tunnel(Protocol):
    """Both directions of an upgraded connection to the next tier."""

    async def read(self) -> bytes:
        """Bytes from there, b"" when it closed."""

    async def write(self, data: bytes) -> None:
        """Bytes to there, with back-pressure."""

    def close(self) -> None:
        """End it."""


def no_interim(_head: ResponseHead) -> None:
    """For those who cannot take a 1xx (HTTP/1.0, background work)."""


class Presence:
    """Whether the client of an exchange is still there, and whether its task has to go on without it.

    A miss is fetched in the task of who asked first. Others may wait for it by then, so that task is not cancelled when its
    client leaves: what it runs is told, and it ends by itself as if it had been cancelled.
    """

    __slots__ = ("_leave", "is_gone")

    def __init__(self) -> None:
        self.is_gone = False
        self._leave: Callable[[], None] | None = None

    def stay(self, leave: Callable[[], None]) -> None:
        """From here on the task goes on without the client. leave: called when it goes."""
        self._leave = leave

    def stayed(self) -> None:
        """The task serves nobody but its client again, and should end if that one `is_gone`."""
        self._leave = None

    def go(self) -> bool:
        """The client is gone. False: nobody else wants what its task does, cancel it."""
        self.is_gone = True
        leave, self._leave = self._leave, None
        if leave is None:
            return False
        leave()
        return True


@value(frozen=True, slots=True)
class Exchange:
    """One request. peer: address of the connection's other end, without port. tier: it is a node or worker of ours;
    is_worker: and if so, a worker of this node, which has not been to the key's owner because that is us.

    body: None when the request has none. on_interim: called for each 1xx of the next tier, before the reply.
    """

    request: ParsedRequest
    peer: str
    tier: bool = False
    body: BodySource | None = None
    on_interim: Callable[[ResponseHead], None] = no_interim
    is_worker: bool = True
    presence: Presence | None = None
    """None: who handles the exchange cancels it when its client leaves, whatever it is at."""


@value(frozen=True, slots=True)
class Verdict:
    """What the log and the metrics say of a reply.

    cache: hit, stale, or an RFC 9211 fwd token; "-" = refused unseen.
    """

    site: str
    cache: str
    because: Because | None = None
    stored: bool = False
    collapsed: bool = False
    detail: str = ""
    """For our own errors: what went wrong, one line."""


NO_VERDICT = Verdict("-", "-")


AT_HAND = (bytes, memoryview)
"""The types of a body that has not to be waited for; a view is part of a larger one, which is not copied for it."""


@dataclass(slots=True)
class Reply:
    """What goes to the client. fields: end to end, final. body: None = none is sent.

    length: the Content-Length to write; None = not known (chunked, or until close) or not wanted (304, 204).
    """

    status: int
    reason: bytes
    fields: Fields
    body: bytes | memoryview | BodyStream | None
    length: int | None
    verdict: Verdict = field(default=NO_VERDICT)
    tunnel: Tunnel | None = None
    close: bool = False
    ready: bytes | None = None
    """The head as bytes, Content-Length included, without Connection and the empty line; `fields` is empty then."""

    def discard(self) -> None:
        """The client is gone: let go of the body."""
        if self.body is not None and not isinstance(self.body, AT_HAND):
            self.body.close()
        if self.tunnel is not None:
            self.tunnel.close()
