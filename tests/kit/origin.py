"""ScriptedOrigin: an HTTP/1.1 origin on a real socket that does exactly, and only, what the test says.

It uses no HTTP library, so that it can send what a correct server never would: wrong lengths, cut bodies, garbage,
resets, bytes nobody asked for. It records every request as it came off the wire and counts what a test needs to
wait for (requests, connections, requests in flight), so that no test has to sleep.

A rule is a `Canned` answer, a list of them (one per request, the last one repeats) or an async handler
`(request, connection) -> None`. Rules are found by exact target, then by path without query, host first:
`origin.on("/a", ..., host="b.test")`. What no rule names gets `origin.default`.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.kit.origin_connection import (
    Canned,
    Header,
    HeadersLike,
    OriginConnection,
    OriginRequest,
    chunk,
    header_list,
    last_chunk,
    parse_request,
    read_body,
    render_head,
)
from tests.kit.waiting import PATIENCE, Bell, Gate

__all__ = [
    "Canned",
    "Gate",
    "Handler",
    "Header",
    "HeadersLike",
    "OriginConnection",
    "OriginRequest",
    "Rule",
    "ScriptedOrigin",
    "chunk",
    "header_list",
    "last_chunk",
    "render_head",
]

_READ_LIMIT = 4 * 1024 * 1024
"""Bytes of request head the origin takes: far above what an edge may send, so that the edge's own bound shows."""

Handler = Callable[[OriginRequest, OriginConnection], Awaitable[None]]
Rule = Canned | Sequence[Canned] | Handler


class ScriptedOrigin:
    """An origin under the test's control. Use it as `async with ScriptedOrigin({...}) as origin`."""

    def __init__(self, rules: Mapping[str, Rule] | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.default: Rule = Canned(404, {"Cache-Control": "no-store"}, b"no rule for this path\n")
        self.requests: list[OriginRequest] = []
        self.malformed: list[bytes] = []
        """Heads that could not be read as a request: a correct edge never causes one."""
        self.connections: list[OriginConnection] = []
        """Every connection ever accepted, in order; see `OriginConnection.open`."""
        self.in_flight = 0
        self.in_flight_max = 0
        self.port = 0
        self._tls = tls
        self._rules: dict[tuple[str | None, str], tuple[Rule, bool]] = {}
        self._turns: dict[tuple[str | None, str], int] = {}
        self._gates: dict[str, Gate] = {}
        self._failures: list[Exception] = []
        self._bell = Bell()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        for path, rule in (rules or {}).items():
            self.on(path, rule)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if error is None and self._failures:
            raise ExceptionGroup("handlers of the scripted origin failed", self._failures)

    @property
    def url(self) -> str:
        """Where it listens, as `perigee run --origin` takes it."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def on(self, path: str, rule: Rule, *, host: str | None = None, read_body: bool = True) -> None:
        """Answer `path` (with or without query) by `rule`. `read_body=False`: the handler reads the body itself."""
        self._rules[host, path] = (rule, read_body)
        self._turns.pop((host, path), None)

    def hold(self, path: str) -> Gate:
        """Requests for `path` are recorded, then wait at the returned gate before their rule runs."""
        gate = self._gates[path] = Gate(path)
        return gate

    def seen(self, path: str) -> list[OriginRequest]:
        """The requests received for this path, or for this exact target."""
        return [r for r in self.requests if path in (r.path, r.target.decode("latin-1"))]

    async def wait_requests(self, count: int, path: str | None = None, *, within: float = PATIENCE) -> None:
        """Wait until at least `count` requests (for `path`) have arrived."""
        await self._bell.until(
            lambda: len(self.seen(path) if path else self.requests) >= count,
            f"{count} requests at the origin" + (f" for {path}" if path else ""),
            seen=lambda: [(r.method, r.target) for r in self.requests],
            within=within,
        )

    async def wait_in_flight(self, count: int, *, within: float = PATIENCE) -> None:
        """Wait until exactly `count` requests are being answered at once."""
        await self._bell.until(
            lambda: self.in_flight == count,
            f"{count} requests in flight at the origin",
            seen=lambda: self.in_flight,
            within=within,
        )

    async def wait_connections(self, count: int, *, within: float = PATIENCE) -> None:
        """Wait until exactly `count` connections are open."""
        await self._bell.until(
            lambda: sum(c.open for c in self.connections) == count,
            f"{count} open connections at the origin",
            seen=lambda: sum(c.open for c in self.connections),
            within=within,
        )

    async def listen(self) -> None:
        """Start to listen, or listen again on the same port after `stop_listening`."""
        self._server = await asyncio.start_server(
            self._accepted, "127.0.0.1", self.port, limit=_READ_LIMIT, ssl=self._tls, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        """Refuse new connections; the open ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def close(self) -> None:
        """Stop listening, end every handler and connection."""
        await self.stop_listening()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this callback as a task"
        self._tasks.add(task)
        connection = OriginConnection(len(self.connections), reader, writer)
        self.connections.append(connection)
        self._bell.ring()
        try:
            await self._converse(connection, reader)
        except asyncio.CancelledError:
            # close() cancelled us; asyncio's stream callback would report a cancelled task as an unhandled error.
            pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            # The peer has gone: for a scripted origin that is an ordinary end, the record says what had arrived.
            pass
        except Exception as failure:  # noqa: BLE001 - a task boundary: kept and raised in the test's own task
            self._failures.append(failure)
        finally:
            connection.open = False
            writer.close()
            self._tasks.discard(task)
            self._bell.ring()

    async def _converse(self, connection: OriginConnection, reader: asyncio.StreamReader) -> None:
        while connection.open:
            try:
                raw = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as rest:
                if rest.partial:
                    self.malformed.append(rest.partial)
                return
            request = parse_request(raw, len(self.requests), connection.number)
            if request is None:
                self.malformed.append(raw)
                await connection.send_response(400, {"Connection": "close"})
                return
            await self._answer(request, connection, reader)
            if not request.complete:
                # What is left of its body would be read as the next request.
                await connection.close()

    async def _answer(
        self, request: OriginRequest, connection: OriginConnection, reader: asyncio.StreamReader
    ) -> None:
        connection.request = request
        key, rule, body_first = self._find(request)
        self.requests.append(request)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        self._bell.ring()
        try:
            if body_first:
                await read_body(reader, request)
                self._bell.ring()
            gate = self._gates.get(request.path)
            if gate is not None:
                await gate.passed()
            if isinstance(rule, Canned):
                await connection.send(rule)
            elif isinstance(rule, Sequence):
                turn = self._turns[key] = self._turns.get(key, -1) + 1
                await connection.send(rule[min(turn, len(rule) - 1)])
            else:
                await rule(request, connection)
        finally:
            self.in_flight -= 1
            self._bell.ring()

    def _find(self, request: OriginRequest) -> tuple[tuple[str | None, str], Rule, bool]:
        host = (request.header("Host") or b"").decode("latin-1")
        target = request.target.decode("latin-1")
        for key in ((host, target), (host, request.path), (None, target), (None, request.path)):
            if key in self._rules:
                return (key, *self._rules[key])
        return ((None, ""), self.default, True)
