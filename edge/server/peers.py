"""What the workers of one node tell each other, over their Unix sockets.

Owns: `Peers` (asking) and `PeerAnswers` (answering). The messages: forget these keys; read the purge log up to there; take
this purge, which stands in no log since there is none. Each is sent before the client of an unsafe request gets its answer,
so that whoever asks any worker afterwards sees the change (RFC 9111 s4.4, RFC 9875 s3). A worker that does not answer within
`PATIENCE_SECONDS` is counted; if it is gone, so is its memory, and its successor reads what it missed (edge.server.missed).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import ClientFault, UpstreamFault
from edge.exchange import Exchange, Reply
from edge.fence import Fence
from edge.fill.upstream import Upstream, UpstreamRequest
from edge.measures import Measures
from edge.node import Node
from edge.semantics.key import KEY_BYTES
from edge.semantics.message import EMPTY, Fields
from edge.semantics.purge_order import BadMessage, PurgeOrder, decode, encode
from edge.semantics.rules import DAY, HOUR, Timeouts
from edge.server.missed import Missed, note, take

FORGET = b"Perigee-Forget"
REACH = b"Perigee-Reach"
ORDER = b"Perigee-Order"
PATIENCE_SECONDS = 1.0
MAX_KEYS = 64
"""Keys in one message; a request makes at most three."""
GROUPS_AT_ONCE = 4
"""Cache groups in one message, where there is no log: it travels in a field."""
_log = logging.getLogger("perigee.worker")
_KEYS = re.compile(rb"[0-9a-f]{%d}(?:,[0-9a-f]{%d}){0,%d}" % (2 * KEY_BYTES, 2 * KEY_BYTES, MAX_KEYS - 1))


BETWEEN_WORKERS = Timeouts(connect=1.0, first_byte=2 * HOUR, between_bytes=2 * HOUR, total=8 * DAY)
"""Longer than what a site may allow its origin: the owner keeps the site's time, and it is the supervisor's watchdog that
ends a worker that hangs."""


def owner_of(key: bytes, count: int) -> int:
    """Which of `count` workers owns a key (a digest, so its first bytes are spread evenly)."""
    return int.from_bytes(key[:4], "big") % count


class Peers:
    """The other workers. missed: the file of each (`missed_by`); () = what they miss is lost."""

    def __init__(self, others: Sequence[Upstream], measures: Measures, missed: Sequence[Path] = ()) -> None:
        self._others = others
        self._missed = missed
        self._unheard = measures.bound_reached.of("peer_patience")

    async def invalidate(self, keys: Sequence[bytes]) -> None:
        """Have the others forget `keys`; returns when all have, or when patience ends."""
        if self._others:
            for at in range(0, len(keys), MAX_KEYS):
                some = tuple(keys[at : at + MAX_KEYS])
                said = b",".join(key.hex().encode() for key in some)
                await self._tell_all(FORGET, said, Missed(keys=some))

    async def reach(self, token: bytes) -> None:
        """Have the others read the purge log up to there; returns when all have, or when patience ends."""
        await self._tell_all(REACH, token)

    async def order(self, order: PurgeOrder) -> None:
        """Have the others take a purge that stands in no log. It must be small: it travels in a field."""
        await self._tell_all(ORDER, encode(order), Missed(orders=(order,)))

    async def _tell_all(self, name: bytes, said: bytes, missed: Missed | None = None) -> None:
        request = UpstreamRequest(b"GET", b"/told", b"worker", Fields(((name, said),)))
        await asyncio.gather(*(self._tell(at, request, missed) for at in range(len(self._others))))

    async def _tell(self, at: int, request: UpstreamRequest, missed: Missed | None) -> None:
        """missed: to be kept for its successor, None = that has it from elsewhere."""
        other = self._others[at]
        heard = await _hears(other, request)
        if heard:
            return
        if missed is not None and self._missed:
            try:
                if not await asyncio.to_thread(note, self._missed[at], missed):
                    _log.error(
                        "another worker missed more than can be kept; what it has on disk may be served again"
                    )
            except OSError as error:
                _log.error("what another worker missed cannot be kept", extra={"error": str(error)})
            if heard is False and await _hears(other, request):
                return  # its successor is there now, and had looked before
        self._unheard.value += 1


async def recall(file: Path, node: Node, apply: Callable[[PurgeOrder], None]) -> None:
    """What our predecessor was not there to be told is in force when this first waits. apply: a purge that stands in no log.

    To be called when the others can reach us, and before the loop turns, so that none of them is answered before. It blocks.
    """
    missed = take(file)
    for order in missed.orders:
        apply(order)
    await node.invalidate(missed.keys, everywhere=False)


async def _hears(other: Upstream, request: UpstreamRequest) -> bool | None:
    """Whether it says that it has done it; None = it says nothing."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await other.fetch(request)
        answer.body.abort()
        return answer.head.status == 204
    except TimeoutError:
        return None
    except UpstreamFault:
        return False


class PeerAnswers:
    """The node, as the other workers see it. apply: puts a purge in force that stands in no log."""

    def __init__(self, node: Node, fence: Fence, apply: Callable[[PurgeOrder], None]) -> None:
        self._node = node
        self._fence = fence
        self._apply = apply

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
        self._apply(order)
        return Reply(204, b"", EMPTY, None, None)
