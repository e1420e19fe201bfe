"""What the workers of one node tell each other, over their Unix sockets.

Owns: `Peers` (asking) and `PeerAnswers` (answering). One message so far: forget these keys. It is sent before the
client of an unsafe request gets its answer, so that whoever asks any worker afterwards sees the change (RFC 9111
s4.4). A worker that does not answer within `PATIENCE_SECONDS` is counted; if it is dead its memory is gone anyway.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from edge.errors import ClientFault, UpstreamFault
from edge.exchange import Exchange, Reply
from edge.fill.upstream import Upstream, UpstreamRequest
from edge.measures import Measures
from edge.node import Node
from edge.semantics.key import KEY_BYTES
from edge.semantics.message import EMPTY, Fields

FORGET = b"Perigee-Forget"
PATIENCE_SECONDS = 1.0
MAX_KEYS = 64
"""Keys in one message; a request makes at most three."""
_KEYS = re.compile(rb"[0-9a-f]{%d}(?:,[0-9a-f]{%d}){0,%d}" % (2 * KEY_BYTES, 2 * KEY_BYTES, MAX_KEYS - 1))


class Peers:
    """The other workers."""

    def __init__(self, others: Sequence[Upstream], measures: Measures) -> None:
        self._others = others
        self._unheard = measures.bound_reached.of("peer_patience")

    async def invalidate(self, keys: Sequence[bytes]) -> None:
        """Have the others forget `keys`; returns when all have, or when patience ends."""
        if self._others:
            for at in range(0, len(keys), MAX_KEYS):
                said = b",".join(key.hex().encode() for key in keys[at : at + MAX_KEYS])
                request = UpstreamRequest(b"GET", b"/forget", b"worker", Fields(((FORGET, said),)))
                await asyncio.gather(*(self._tell(other, request) for other in self._others))

    async def _tell(self, other: Upstream, request: UpstreamRequest) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await other.fetch(request)
            answer.body.abort()
            has_heard = answer.head.status == 204
        except (TimeoutError, UpstreamFault):
            has_heard = False
        if not has_heard:
            self._unheard.value += 1


class PeerAnswers:
    """The node, as the other workers see it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def answer_now(self, exchange: Exchange) -> Reply | None:
        """Never: a worker asks for what it does not have."""

    async def handle(self, exchange: Exchange) -> Reply:
        """A request for a key we own, or a message. Raises ClientFault for one that no worker sends."""
        said = exchange.request.head.fields.combined(FORGET.lower())
        if said is None:
            return await self._node.handle(exchange)
        if _KEYS.fullmatch(said) is None:
            raise ClientFault("malformed keys to forget, or too many")
        keys = [bytes.fromhex(part.decode("ascii")) for part in said.split(b",")]
        await self._node.invalidate(keys, everywhere=False)
        return Reply(204, b"", EMPTY, None, None)
