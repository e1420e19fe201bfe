"""The purge log, to write to, and to look back into.

Owns: `PurgeLog`. Rules: an order is in force for the network once the stream has acknowledged it, and only then; whatever
goes wrong before that (no connection, no leader, no answer) it is sent again with the same id, by which the stream knows
what it has stored already, so that it stands there once; when time runs out nobody knows whether it is stored, and who
asked is told that it may be sent again with the same id.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from edge.bus.connection import Bus, Said
from edge.bus.faults import ApiFault, BusFault
from edge.clock import Clock
from edge.measures import Measures
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import BadMessage, PurgeOrder, decode, encode
from edge.values import value

ASK_SECONDS = 2.0
"""One try. With servers that fsync on slow disks an acknowledgement takes tens of milliseconds."""
LEAST_SECONDS = 0.01
"""With less than that left, nothing is tried any more."""
AGAIN_SECONDS = 0.1
RETRY_AFTER_SECONDS = 5
"""An election takes up to nine seconds."""
MAX_PAST = 1_000
_BATCH = 256
"""Messages of the log looked at in one go, to find orders among ticks."""
NOT_TAKEN = "not acknowledged by the purge log; it may be sent again with the same id"


class LogUnavailable(BusFault):
    """The log did not take the order in time, as far as we know: it may be sent again with the same id. 503.

    retry_after: seconds.
    """

    def __init__(self, detail: str, *, retry_after: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@value(frozen=True, slots=True)
class Appended:
    """seq: in the stream. duplicate: it was there already, under the same id."""

    seq: int
    duplicate: bool


@value(frozen=True, slots=True)
class Past:
    """An order of the log. stored_at: the servers' time."""

    seq: int
    stored_at: UnixSeconds
    order: PurgeOrder


class PurgeLog:
    """See the module."""

    def __init__(self, bus: Bus, clock: Clock, measures: Measures) -> None:
        self._bus = bus
        self._clock = clock
        self._appends = measures.purge_appends
        self._retries = measures.purge_append_retries

    async def append(self, order: PurgeOrder, *, within: float = 10.0) -> Appended:
        """Store it durably. LogUnavailable when that is not known to have happened within so many seconds."""
        data = encode(order)
        deadline = self._clock.mono() + within
        left = within
        while True:
            try:
                appended = await self._publish(data, order.id, min(ASK_SECONDS, left))
            except BusFault as fault:
                left = deadline - self._clock.mono()
                if left < LEAST_SECONDS or fault.status != 503:
                    self._appends.of("failed").value += 1
                    if fault.status != 503:
                        raise
                    raise LogUnavailable(f"{NOT_TAKEN} ({fault.detail})") from fault
                await self._pause(left)
                left = max(deadline - self._clock.mono(), LEAST_SECONDS)
                self._retries.value += 1
            else:
                self._appends.of("duplicate" if appended.duplicate else "stored").value += 1
                return appended

    async def _pause(self, left: float) -> None:
        """Until there is a connection, and a moment longer; not beyond `left` seconds."""
        try:
            await self._bus.connected(left)
        except BusFault:
            return
        await asyncio.sleep(min(AGAIN_SECONDS, left))

    async def _publish(self, data: bytes, order_id: str, within: float) -> Appended:
        said = await self._bus.request(
            self._bus.address.order_subject, data, within=within, headers={"Nats-Msg-Id": order_id}
        )
        return acknowledged(said)

    async def history(self, *, limit: int = 100, before: int | None = None) -> list[Past]:
        """The newest orders, newest first. before: a seq, None = the end. LogUnavailable.

        It looks back over `_BATCH` messages at a time, since ticks stand between the orders.
        """
        assert 0 < limit <= MAX_PAST, f"{limit} orders"
        try:
            info = await self._bus.api(f"STREAM.INFO.{self._bus.address.stream}", within=ASK_SECONDS)
            state = info["state"]
            first = int(state["first_seq"])
            end = int(state["last_seq"]) + 1
            end = end if before is None else min(end, before)
            found: list[Past] = []
            size = _BATCH
            while len(found) < limit and end > max(first, 1):
                start = max(end - size, first, 1)
                found += reversed(await self._orders(start, end))
                end, size = start, min(size * 2, 8 * _BATCH)
        except (BusFault, KeyError, ValueError, TypeError) as error:
            raise LogUnavailable(f"the purge log cannot be read: {error}") from error
        return found[:limit]

    async def _orders(self, start: int, end: int) -> list[Past]:
        """Those from `start` to before `end`."""
        found: list[Past] = []

        def take(said: Said) -> bool:
            if said.status:
                return True
            past = _past(said)
            if past is not None and past.seq < end:
                found.append(past)
            return False

        asked = json.dumps(
            {"seq": start, "batch": end - start, "next_by_subj": self._bus.address.order_subject}
        )
        address = self._bus.address
        await self._bus.gather(
            address.api(f"DIRECT.GET.{address.stream}"), asked.encode(), take, within=ASK_SECONDS
        )
        return found


def acknowledged(said: Said) -> Appended:
    """What the stream said to a message. ApiFault when it is no acknowledgement."""
    try:
        answer = json.loads(said.data)
        error = answer.get("error")
        if error is None:
            return Appended(int(answer["seq"]), answer.get("duplicate") is True)
        raise ApiFault(
            str(error.get("description")),
            code=int(error.get("code", 500)),
            err_code=int(error.get("err_code", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ApiFault(f"no acknowledgement: {said.data[:100]!r}", code=500, err_code=0) from error


def unix_of(stamp: str) -> UnixSeconds:
    """A time stamp of NATS (RFC 3339, nanoseconds). ValueError."""
    whole, _, rest = stamp.removesuffix("Z").partition(".")
    return UnixSeconds(datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}"))


def _past(said: Said) -> Past | None:
    try:
        order = decode(said.data)
    except BadMessage:
        return None
    if not isinstance(order, PurgeOrder):
        return None
    return Past(int(said.headers["Nats-Sequence"]), unix_of(said.headers["Nats-Time-Stamp"]), order)
