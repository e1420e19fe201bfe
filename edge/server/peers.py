"""What the workers of one node tell each other, over their Unix sockets.

Owns: `Peers` (asking) and `PeerAnswers` (answering). The messages: forget these keys; read the purge log up to there; take
this purge, which stands in no log since there is none. Each is sent before the client of an unsafe request gets its answer,
so that whoever asks any worker afterwards sees the change (RFC 9111 s4.4, RFC 9875 s3). A worker that does not answer within
`PATIENCE_SECONDS` is counted; if it is dead its memory is gone anyway.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from edge.errors import ClientFault, UpstreamFault
from edge.exchange import Exchange, Reply
from edge.fence import Fence
from edge.fill.upstream import Upstream, UpstreamRequest
from edge.measures import Measures
from edge.node import Node
from edge.semantics.key import KEY_BYTES
from edge.semantics.message import EMPTY, Fields
from edge.semantics.purge_order import BadMessage, PurgeOrder, decode, encode

FORGET = b"Perigee-Forget"
REACH = b"Perigee-Reach"
ORDER = b"Perigee-Order"
PATIENCE_SECONDS = 1.0
MAX_KEYS = 64
"""Keys in one message; a request makes at most three."""
_KEYS = re.compile(rb"[0-9a-f]{%d}(?:,[0-9a-f]{%d}){0,%d}" % (2 * KEY_BYTES, 2 * KEY_BYTES, MAX_KEYS - 1))


def owner_of(key: bytes, count: int) -> int:
    """Which of `count` workers owns a key (a digest, so its first bytes are spread evenly)."""
    return int.from_bytes(key[:4], "big") % count


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
                await self._tell_all(FORGET, said)

    async def reach(self, token: bytes) -> None:
        """Have the others read the purge log up to there; returns when all have, or when patience ends."""
        await self._tell_all(REACH, token)

    async def order(self, order: PurgeOrder) -> None:
        """Have the others take a purge that stands in no log. It must be small: it travels in a field."""
        await self._tell_all(ORDER, encode(order))

    async def _tell_all(self, name: bytes, said: bytes) -> None:
        request = UpstreamRequest(b"GET", b"/told", b"worker", Fields(((name, said),)))
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

    def __init__(self, node: Node, fence: Fence) -> None:
        self._node = node
        self._fence = fence

    def answer_now(self, exchange: Exchange) -> Reply | None:
        """Never: a worker asks for what it does not have."""

    async def handle(self, exchange: Exchange) -> Reply:
        """A request for a key we own, or a message. Raises ClientFault for one that no worker sends."""
        fields = exchange.request.head.fields
        said = fields.combined(FORGET.lower())
        if said is None:
            if REACH.lower() in fields or ORDER.lower() in fields:
                return await self._purged(fields)
            return await self._node.handle(exchange)
        if _KEYS.fullmatch(said) is None:
            raise ClientFault("malformed keys to forget, or too many")
        keys = [bytes.fromhex(part.decode("ascii")) for part in said.split(b",")]
        await self._node.invalidate(keys, everywhere=False)
        return Reply(204, b"", EMPTY, None, None)

    async def _purged(self, fields: Fields) -> Reply:
        token = fields.get(REACH.lower())
        if token is not None:
            position = self._fence.position(token)
            if position is None:
                raise ClientFault("a position of another history")
            await self._fence.reach(position)
            return Reply(204 if self._fence.applied >= position else 503, b"", EMPTY, None, None)
        try:
            order = decode(fields.get(ORDER.lower()) or b"")
        except BadMessage as error:
            raise ClientFault(f"no purge: {error}") from None
        if not isinstance(order, PurgeOrder):
            raise ClientFault("no purge")
        self._fence.take(order)
        return Reply(204, b"", EMPTY, None, None)
