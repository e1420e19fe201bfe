"""ScriptedUpstream: the next tier without a socket, for tests of what decides and not of what is on the wire.

It takes requests as they would go to the pool and answers each by the next step of its script (the last one repeats): a
`Said`, or a fault to raise. A gate holds the answers back; `requests` has what was asked, `uploads` what came as bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge.errors import EdgeError
from edge.fill.body_reader import BodyReader
from edge.fill.tunnel import Tunnel
from edge.fill.upstream import BodySource, Fetched, OnInterim, Timings, UpstreamRequest
from edge.semantics.message import Fields, Line, ResponseHead, UnixSeconds
from edge.wire.framing import CHUNKED, NO_BODY, Framing, Length
from tests.kit.clock import ManualClock
from tests.kit.waiting import PATIENCE, Bell, Gate


@dataclass(slots=True)
class Coming:
    """A body that comes in as the test feeds it. is_dropped: whoever read it gave it up before its end."""

    reader: BodyReader = field(default_factory=BodyReader)
    is_dropped: bool = False

    def __post_init__(self) -> None:
        self.reader.come_from(self)

    def feed(self, *pieces: bytes) -> None:
        """More of it."""
        self.reader.feed(pieces)

    def pause(self) -> None:
        """A test feeds little enough."""

    def resume(self) -> None:
        """See pause."""

    def abandon(self) -> None:
        """Nobody wants the rest."""
        self.is_dropped = True


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. body: bytes that are all there, or a body to come. length: None = chunked.

    tail: trailers of a body that is all there. framing: overrides what `length` says.
    """

    status: int = 200
    lines: tuple[Line, ...] = ()
    body: bytes | Coming = b""
    length: int | None = -1
    tail: tuple[Line, ...] = ()
    interim: tuple[ResponseHead, ...] = ()
    tunnel: Tunnel | None = None
    framing: Framing | None = None

    def framed(self, method: bytes) -> tuple[Framing, tuple[Line, ...]]:
        """The framing, and the Content-Length that the head has."""
        length = self.length
        if length == -1:
            length = len(self.body) if isinstance(self.body, bytes) else None
        if self.framing is not None:
            return self.framing, ()
        if self.status in (204, 304) or 100 <= self.status < 200:
            return NO_BODY, ()
        line: tuple[Line, ...] = () if length is None else ((b"Content-Length", b"%d" % length),)
        if method == b"HEAD":
            return NO_BODY, line
        return (CHUNKED if length is None else Length(length)), line


Step = Said | EdgeError


class ScriptedUpstream:
    """See the module. delay: seconds that pass on the clock between a request and its answer."""

    def __init__(self, clock: ManualClock, *script: Step) -> None:
        self.script: Sequence[Step] = script
        self.requests: list[UpstreamRequest] = []
        self.uploads: list[bytes] = []
        self.gate: Gate | None = None
        self.cancelled = 0
        self.delay = 0.0
        self._clock = clock
        self._turn = -1
        self._bell = Bell()

    def says(self, *script: Step) -> None:
        """From now on."""
        self.script, self._turn = script, -1

    def hold(self) -> Gate:
        """Keep answers back until the gate is released."""
        self.gate = Gate("the next tier")
        return self.gate

    async def asked(self, count: int, *, within: float = PATIENCE) -> None:
        """Until so many requests have come."""
        await self._bell.until(
            lambda: len(self.requests) >= count,
            f"{count} requests",
            seen=lambda: self.requests,
            within=within,
        )

    @property
    def targets(self) -> list[bytes]:
        """What was asked for, in order."""
        return [request.target for request in self.requests]

    async def fetch(
        self, request: UpstreamRequest, body: BodySource | None = None, on_interim: OnInterim | None = None
    ) -> Fetched:
        """As edge.fill.upstream.Upstream."""
        sent = self._clock.now()
        self.requests.append(request)
        self._turn += 1
        step = self.script[min(self._turn, len(self.script) - 1)]
        self._bell.ring()
        try:
            if body is not None:
                self.uploads.append(await _whole(body))
            if self.gate is not None:
                await self.gate.passed()
        except BaseException:
            self.cancelled += 1
            self._bell.ring()
            raise
        self._clock.advance(self.delay)
        if isinstance(step, EdgeError):
            raise step
        return self._fetched(step, request, sent, on_interim)

    def _fetched(
        self, said: Said, request: UpstreamRequest, sent: float, on_interim: OnInterim | None
    ) -> Fetched:
        for head in said.interim:
            if on_interim is not None:
                on_interim(head)
        framing, line = said.framed(request.method)
        if isinstance(said.body, Coming):
            reader = said.body.reader
        else:
            reader = BodyReader.of(b"" if framing is NO_BODY else said.body, Fields(said.tail))
        return Fetched(
            head=ResponseHead(said.status, b"", Fields((*said.lines, *line))),
            framing=framing,
            body=reader,
            tunnel=said.tunnel,
            reused=False,
            address="192.0.2.80:80",
            timings=Timings(UnixSeconds(sent), UnixSeconds(self._clock.now())),
        )


async def _whole(body: BodySource) -> bytes:
    read = bytearray()
    while piece := await body.read():
        read += piece
    return bytes(read)


def fresh(
    body: bytes | Coming = b"body", *lines: Line, status: int = 200, seconds: int = 60, **said: object
) -> Said:
    """A storable answer."""
    made = Said(status, ((b"Cache-Control", b"max-age=%d" % seconds), *lines), body)
    return replace(made, **said)  # type: ignore[arg-type]  # by the test
