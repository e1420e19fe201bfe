"""Yard: an edge with an origin behind it, and the claims that the catalogue makes of the two.

`refused` is the most frequent one: answered with an error, closed, nothing behind it ever read, the origin never
asked. `SMUGGLED` is the request that a second reading of the same bytes would find.
"""

import contextlib
from dataclasses import dataclass

from tests.kit.answer import Answer, Ending
from tests.kit.edge import Edge
from tests.kit.origin import OriginRequest, ScriptedOrigin

HOST = b"a.test"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"


@dataclass(slots=True)
class Yard:
    """See the module."""

    origin: ScriptedOrigin
    edge: Edge
    _named: int = 0

    def target(self) -> str:
        """A path that no other case of this yard uses."""
        self._named += 1
        return f"/case-{self._named}"

    async def refused(self, data: bytes, *statuses: int, bytewise: bool = False) -> Answer:
        """`data` is answered with one of `statuses` (400 where none is named) and close; the origin hears nothing."""
        before = self._heard()
        answer, rest = await self.closed(data, bytewise=bytewise)
        assert answer.status in (statuses or (400,)), (answer, data[:300])
        assert answer.complete and answer.header("Connection") == b"close", answer
        assert rest == b"", rest
        assert self._heard() == before, self.origin.requests[-1]
        return answer

    async def closed(
        self, data: bytes, method: str = "GET", *, bytewise: bool = False
    ) -> tuple[Answer, bytes]:
        """The one answer to `data` on a connection of its own, and what came behind it until the edge closed."""
        async with await self.edge.client() as client:
            with contextlib.suppress(ConnectionError):  # it may be refused before all of it is sent
                await (client.send_bytewise if bytewise else client.send)(data)
            answer = await client.read_answer(method)
            ending, rest = await client.wait_ended()
            assert ending is Ending.CLOSED, answer
        return answer, rest

    async def never_finished(self, path: str) -> None:
        """No request for `path` came to the origin as a whole; one that began was seen to break off."""
        await self.origin.wait_in_flight(0)
        assert not [r for r in self.origin.seen(path) if r.complete], path
        assert not self.origin.seen("/smuggled")

    def only(self, path: str) -> OriginRequest:
        """The one request that came for `path`."""
        (request,) = self.origin.seen(path)
        return request

    def _heard(self) -> tuple[int, int]:
        return len(self.origin.requests), len(self.origin.malformed)


def head(first: str | bytes, *lines: bytes, host: bytes | None = HOST) -> bytes:
    """A request head of exactly these lines. host: None = no Host line."""
    start = first if isinstance(first, bytes) else first.encode("latin-1")
    named = () if host is None else (b"Host: " + host,)
    return b"\r\n".join((start, *named, *lines, b"", b""))


def get(target: str | bytes, *lines: bytes) -> bytes:
    """A GET's head."""
    return head(
        b"GET %b HTTP/1.1" % (target if isinstance(target, bytes) else target.encode("latin-1")), *lines
    )


def post(target: str, *lines: bytes) -> bytes:
    """A POST's head."""
    return head(f"POST {target} HTTP/1.1", *lines)
