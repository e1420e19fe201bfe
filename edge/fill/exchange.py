"""One request and its response on a connection.

Owns: `Exchange`, what a connection knows of the request it is serving, `Answer`, what the head of its
response said, and `request_bytes`. A connection makes progress on it; whoever sent the request awaits
`answered`. RFC 9112 s9.3.
"""

from __future__ import annotations

import asyncio

from edge.fill.body_reader import BodyReader
from edge.fill.tunnel import Tunnel
from edge.fill.upstream import OnInterim, UpstreamRequest
from edge.semantics.message import UnixSeconds
from edge.semantics.rules import Timeouts
from edge.values import value
from edge.wire.body import Decoder
from edge.wire.render import request_head
from edge.wire.response import ParsedResponse


@value(frozen=True, slots=True)
class Answer:
    """A final response's head (or 101's) and when it was there."""

    parsed: ParsedResponse
    tunnel: Tunnel | None
    at: UnixSeconds


class Exchange:
    """See the module. Mutable: its connection is the only writer.

    total_at: loop time at which all must be over. has_bytes: the peer answered at least one byte, so that the
    request may not be sent again. is_reused: the connection had served before. is_sent: the whole request
    went out. decoder: None until the final head is there. may_be_quiet: silence of the peer is ordinary (a
    tunnel, a stream of events).
    """

    __slots__ = (
        "answered",
        "body",
        "decoder",
        "has_bytes",
        "interims",
        "is_reused",
        "is_sent",
        "may_be_quiet",
        "method",
        "on_interim",
        "parsed",
        "sent_at",
        "timeouts",
        "total_at",
        "upgrade",
        "upload",
    )

    def __init__(
        self, request: UpstreamRequest, timeouts: Timeouts, on_interim: OnInterim | None, *, total_at: float
    ) -> None:
        self.method = request.method
        self.upgrade = request.upgrade
        self.timeouts = timeouts
        self.on_interim = on_interim
        self.total_at = total_at
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.body = BodyReader()
        self.decoder: Decoder | None = None
        self.parsed: ParsedResponse | None = None
        self.upload: asyncio.Task[None] | None = None
        self.has_bytes = False
        self.is_reused = False
        self.is_sent = False
        self.may_be_quiet = False
        self.interims = 0
        self.sent_at = UnixSeconds(0.0)

    def fail(self, error: Exception) -> None:
        """Tell whoever is waiting: for the head, or for the rest of the body."""
        if not self.answered.done():
            self.answered.set_exception(error)
        elif not self.body.is_over:
            self.body.fail(error)

    def stop_upload(self) -> None:
        """Send no more of the request; the connection cannot be used again."""
        if self.upload is not None:
            self.upload.cancel()
            self.upload = None


def request_bytes(request: UpstreamRequest, prefix: bytes) -> bytes:
    """The request's head as it goes out. prefix: the origin's path prefix, no trailing slash."""
    target = prefix + request.target if prefix and request.target != b"*" else request.target
    if request.upgrade is None:
        return request_head(request.method, target, request.host, request.fields, request.framing)
    return request_head(
        request.method,
        target,
        request.host,
        request.fields,
        request.framing,
        (b"Connection", b"Upgrade"),
        (b"Upgrade", request.upgrade),
    )
