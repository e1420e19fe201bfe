"""A listener on a real socket before a node that says what the test says, under a clock that the test moves.

async with listening({b"/a": saying(b"hello")}) as edge, await edge.client() as client:
    await client.get("/a")
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from edge.errors import EdgeError
from edge.exchange import Exchange, Reply
from edge.measures import Measures
from edge.semantics.message import EMPTY, Fields
from edge.server.connection import Connection
from edge.server.listener import Listener
from edge.server.tls_listener import TlsListener
from edge.tasks import TaskOwner
from edge.tls.contexts import Contexts
from edge.tls.measures import TlsMeasures
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.request import ParsedRequest
from tests.kit.client import RawClient
from tests.kit.clock import ManualClock
from tests.kit.waiting import PATIENCE, TookTooLong

Answer = Callable[[Exchange], Awaitable[Reply]]
HOUSE = b"edge"


def saying(body: bytes, status: int = 200, fields: Fields = EMPTY) -> Answer:
    """Always this."""

    async def answer(exchange: Exchange) -> Reply:
        return Reply(status, b"", fields, body, len(body))

    return answer


async def whole_body(exchange: Exchange) -> bytes:
    """The request's body to its end."""
    assert exchange.body is not None, "the request has no body"
    read = bytearray()
    while piece := await exchange.body.read():
        read += piece
    return bytes(read)


async def counting(exchange: Exchange) -> Reply:
    """Answers with the size of the request's body."""
    size = b"%d" % len(await whole_body(exchange))
    return Reply(200, b"", EMPTY, size, len(size))


@dataclass(slots=True)
class Stream:
    """A response body of these pieces; an error among them is raised, an event is waited for."""

    pieces: Sequence[bytes | EdgeError | asyncio.Event]
    taken: int = 0
    is_closed: bool = False
    trailers: Fields = EMPTY

    async def read(self) -> bytes:
        while self.taken < len(self.pieces):
            piece = self.pieces[self.taken]
            self.taken += 1
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, EdgeError):
                raise piece
            else:
                return piece
        return b""

    def close(self) -> None:
        self.is_closed = True


def streaming(
    *pieces: bytes | EdgeError | asyncio.Event, length: int | None = None, status: int = 200
) -> Answer:
    """A body that comes in pieces, of known or unknown length."""

    async def answer(exchange: Exchange) -> Reply:
        return Reply(status, b"", EMPTY, Stream(pieces), length)

    return answer


@dataclass(frozen=True, slots=True)
class Recorded:
    """One finished exchange. line: b"" where its head could not be read."""

    line: bytes
    status: int
    sent: int
    whole: bool


@dataclass(slots=True)
class Answering:
    """A node by target. ready: what `answer_now` has."""

    answers: Mapping[bytes, Answer]
    ready: Mapping[bytes, Reply]
    asked: list[Exchange] = field(default_factory=list)

    def answer_now(self, exchange: Exchange) -> Reply | None:
        return self.ready.get(exchange.request.head.target)

    async def handle(self, exchange: Exchange) -> Reply:
        self.asked.append(exchange)
        return await self.answers[exchange.request.head.target](exchange)


@dataclass(slots=True)
class Listening:
    """What a test holds of it."""

    listener: Listener
    node: Answering
    clock: ManualClock
    measures: Measures
    port: int
    recorded: list[Recorded] = field(default_factory=list)

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
        line = b"" if request is None else request.line
        self.recorded.append(Recorded(line, reply.status, sent, whole))

    async def client(self, tls: ssl.SSLContext | None = None, name: str | None = None) -> RawClient:
        return await RawClient.connect("127.0.0.1", self.port, tls=tls, server_name=name)

    @property
    def connections(self) -> list[Connection]:
        return list(self.listener._open)

    def pass_time(self, seconds: float) -> None:
        """That much later the listener looks after its connections."""
        self.clock.advance(seconds)
        if self.listener._sweeper is not None:
            self.listener._sweeper.cancel()
        self.listener._sweep()

    def counted(self, metric: str) -> dict[str, float]:
        cells = self.measures.registry.snapshot()[metric]["cells"]
        return {(cell["values"] or [""])[-1]: cell["value"] for cell in cells if cell["value"]}

    async def until(self, claim: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not claim():  # noqa: ASYNC110  # a connection's state rings no bell
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise TookTooLong(f"waited {PATIENCE} s for {what}") from None

    async def asked(self, count: int) -> None:
        await self.until(lambda: len(self.node.asked) >= count, f"{count} requests at the node")


@asynccontextmanager
async def listening(
    answers: Mapping[bytes, Answer],
    ready: Mapping[bytes, Reply] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    max_connections: int | None = None,
    contexts: Callable[[], Contexts] | None = None,
) -> AsyncIterator[Listening]:
    """A listener that is drained in the end. contexts: it speaks TLS."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    clock, measures, node = ManualClock(), Measures(), Answering(answers, ready or {})
    async with TaskOwner("listening") as tasks:
        held: list[Listening] = []

        class Recorder:
            def record(self, *args: object, **named: object) -> None:
                held[0].record(*args, **named)  # type: ignore[arg-type]  # the same signature

            def record_hit(self, *_args: object) -> None:
                raise AssertionError("there is no lane here")

        rest: dict[str, Any] = {
            "node_name": HOUSE,
            "limits": limits,
            "clock": clock,
            "measures": measures,
            "tasks": tasks,
            "recorder": Recorder(),
            "max_connections": max_connections,
        }
        if contexts is None:
            listener = Listener(sock, node, **rest)
        else:
            handshakes = TlsMeasures(measures.registry)
            listener = TlsListener(sock, node, contexts=contexts, handshakes=handshakes, **rest)
        made = Listening(listener, node, clock, measures, sock.getsockname()[1])
        held.append(made)
        listener.start()
        try:
            yield made
        finally:
            await listener.drain(0)
