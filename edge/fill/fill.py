"""One fill: one request to the next tier for all who wait for its answer.

Owns: `Fill`, from the request going out to exactly one outcome. Detached from the client that caused it: the task of that
one may run its beginning, but goes on with it when the client leaves; followers attach and leave. What it found is one
`Found` value, set once; a follower looks at it and decides whether it may use it. Rules: the fence is stamped when the
request is sent; a body is stored only when complete; the store learns of it before any reader learns of its end; a tainted
lease (an invalidation came meanwhile) stores nothing. DESIGN sections 3 and 4, RFC 9111 s3, s4.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from edge.clock import Clock
from edge.errors import ClientFault, EdgeError, StoreFault, UpstreamFault
from edge.fill.behind import member_apart, said_by_tier
from edge.fill.body import FillBody
from edge.fill.inflow import Inflow
from edge.fill.order import (
    BACKGROUND,
    NEED,
    Failed,
    FillOrder,
    FillStore,
    Found,
    FromStore,
    Positions,
    Private,
    Route,
    Streaming,
    Unfenced,
)
from edge.fill.table import FillTable, Lease, Outcome
from edge.fill.upstream import Fetched
from edge.measures import Measures
from edge.semantics.decide import decide_fill
from edge.semantics.decisions import FillFor, Freshen, Relay, RetryUnconditional, ServeStaleInstead, Store
from edge.semantics.forwarding import response_from_origin
from edge.semantics.message import ResponseHead
from edge.semantics.reasons import Because
from edge.semantics.stored import StoredResponse
from edge.values import replace
from edge.wire.framing import Length, UntilClose

NOTHING_SENT = frozenset(
    ("connection_refused", "connection_timeout", "destination_ip_unroutable", "destination_unavailable")
)
"""Faults after which the next route may have the request. A worker whose socket is not there is one."""
TIER_GONE = frozenset(("connection_terminated", "http_response_timeout", "connection_read_timeout"))
"""One of ours that hangs or ends is as good as gone."""
_OF_ONE_CLIENT = frozenset((Because.AUTHORIZATION, Because.REQUEST_NO_STORE, Because.UNASKED_NOT_MODIFIED))
"""Reasons not to store that lie in who asked: the others can still share, so the key is not remembered for them."""


@dataclass(frozen=True, slots=True)
class FillRoom:
    """What all fills of a worker share. window: bytes of one body held in memory; new_body_id: unique names."""

    table: FillTable[Fill]
    store: FillStore
    clock: Clock
    window: int
    new_body_id: Callable[[], bytes]
    on_store_fault: Callable[[StoreFault], None]
    measures: Measures = field(default_factory=Measures)
    positions: Positions = field(default_factory=Unfenced)


class Fill:
    """See the module. `found` is done when the head is known or all is lost; it never holds an exception."""

    __slots__ = (
        "_fence",
        "_inflow",
        "_is_stand_in",
        "_owner_refused",
        "_watch",
        "behind",
        "found",
        "has_age",
        "has_leader",
        "lease",
        "order",
        "private_taken",
        "room",
    )

    def __init__(self, order: FillOrder, room: FillRoom, lease: Lease[Fill] | None) -> None:
        self.order = order
        self.lease = lease
        self.room = room
        self.found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self.has_leader = True
        self.behind: bytes | None = None
        self.has_age = False
        self._is_stand_in = False
        self._owner_refused: Because | None = None
        self.private_taken = False
        self._watch = lease
        self._inflow: Inflow | None = None
        self._fence: int | None = None
        """What the answer is clean up to; None = the next tier did not say in a way that we understand."""

    async def run(self) -> None:
        """Fetch, decide, store. Never raises; the lease is settled and `found` is set whatever happens."""
        if await self.begin():
            await self.finish()

    async def begin(self) -> bool:
        """As far as `found`. True: the body is still coming in, and `finish` is to be run. Else as `run`."""
        outcome = Outcome.ABANDONED
        self.room.measures.fills_active.value += 1
        if self.lease is None:
            self._watch_alone()
        try:
            outcome = await self._fetch(self.order.validating)
        except EdgeError as error:
            outcome = Outcome.FAILED
            self._tell(Failed(error.with_traceback(None)))  # its frames would hold us, and we it
        except ConnectionError:
            # From the source of the request's body: its client broke off, and that is no failure of ours.
            outcome = Outcome.FAILED
            self._tell(Failed(ClientFault("the request's body broke off")))
        finally:
            if self._inflow is None:
                self._end(outcome)
        return self._inflow is not None

    async def finish(self) -> None:
        """The body, to its end."""
        assert self._inflow is not None, "nothing is coming in"
        outcome, inflow = Outcome.ABANDONED, self._inflow
        self._inflow = None
        try:
            outcome = await inflow.run()
        finally:
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self.room.measures.fills_active.value -= 1
        self.room.measures.fills.of(outcome.value).value += 1
        if self._watch is not None:
            self.room.table.settle(self._watch, outcome)
        if self.lease is not None:
            # Who follows has it; a ring of the two would wait for the cycle collector.
            self.lease.fill = None
        if not self.found.done():
            self._tell(Failed(UpstreamFault("the fill was abandoned", proxy_status="proxy_internal_error")))

    def _watch_alone(self) -> None:
        """Nobody can follow, but what it stores can be invalidated like any other's, from here on."""
        if self._watch is not None:
            self.room.table.settle(self._watch, Outcome.ABANDONED)
        self._watch = self.room.table.lead_alone(
            self.order.key, fence=self.room.positions.stamp(self.order.need)
        )

    def leave(self) -> None:
        """The leader's client went away; an answer that was for it alone is dropped."""
        self.has_leader = False
        if self.found.done():
            found = self.found.result()
            if isinstance(found, Private) and not self.private_taken:
                found.fetched.body.abort()

    def _tell(self, found: Found) -> None:
        if not self.found.done():
            if self.lease is not None:
                self.room.table.head_known(self.lease)
            self.found.set_result(found)

    async def _ask(self, validating: tuple[StoredResponse, ...]) -> tuple[Fetched, Route]:
        """Send it by the first route that takes it."""
        order = self.order
        for route in order.routes[:-1]:
            try:
                return await self._send(route, validating), route
            except UpstreamFault as fault:
                # One of ours that ended while we waited answered nothing; what is safe may be asked again elsewhere.
                is_gone = route.is_tier and order.body is None and fault.proxy_status in TIER_GONE
                if fault.proxy_status not in NOTHING_SENT and not (
                    is_gone and order.request.method in (b"GET", b"HEAD")
                ):
                    raise
        route = order.routes[-1]
        return await self._send(route, validating), route

    async def _send(self, route: Route, validating: tuple[StoredResponse, ...]) -> Fetched:
        request, order, positions = route.build(validating), self.order, self.room.positions
        if not order.may_repeat or order.is_background:
            request = replace(request, may_repeat=order.may_repeat, is_background=order.is_background)
        # Never later than this: an order that comes from here on may or may not be in what the origin answers.
        self._fence = positions.stamp(order.need)
        if self._watch is not None:
            self.room.table.stamp(self._watch, self._fence)
        token = positions.token(self._fence) if route.is_tier else None
        if token is not None:
            request = replace(request, fields=request.fields.with_added((NEED, token)))
        if route.is_tier and order.is_background:
            request = replace(request, fields=request.fields.with_added((BACKGROUND, b"1")))
        if route.seal is not None:
            request = route.seal(request)
        return await route.upstream.fetch(request, order.body, order.on_interim)

    async def _fetch(self, validating: tuple[StoredResponse, ...]) -> Outcome:
        fetched, route = await self._ask(validating)
        try:
            return await self._judge(fetched, route, validating)
        except BaseException:
            fetched.body.abort()
            raise

    async def _judge(self, fetched: Fetched, route: Route, validating: tuple[StoredResponse, ...]) -> Outcome:
        """What becomes of the answer."""
        order = self.order
        head = await self._heard(fetched, route)
        if order.relay is not None:
            return self._relay(order.relay, head, fetched)
        verdict = decide_fill(
            order.request,
            head,
            validating=validating,
            variants_held=order.variants_held,
            request_time=fetched.timings.sent,
            response_time=fetched.timings.answered,
            rules=order.rules,
            key=order.key,
            body_id=self.room.new_body_id(),
            fallback=order.fallback,
            content_length=_content_length(head),
            fence=self._fence or 0,
        )
        if not self._is_clean(verdict):
            return await self._ask_behind(fetched, validating)
        match verdict:
            case Store() if self._owner_refused is not None:
                return self._relay(self._owner_refused, head, fetched)
            case Store(stored, because):
                return self._store(stored, self._because(because), head, fetched)
            case Freshen(pairs, selected, because):
                fetched.body.abort()
                if not self.is_tainted:
                    for old, new in pairs:
                        self.room.store.freshen(old, new)
                because = self._because(because)
                self._tell(FromStore(selected, because, head.status, self.behind, self.has_age))
                return Outcome.COMPLETE
            case ServeStaleInstead(stored, because):
                fetched.body.abort()
                self._tell(FromStore(stored, because, head.status))
                return Outcome.COMPLETE
            case RetryUnconditional():
                fetched.body.abort()
                if not validating:
                    raise UpstreamFault("304 to an unconditional request")
                return await self._fetch(())
            case Relay(because, forget):
                for gone in forget:
                    self.room.store.forget_one(gone)
                return self._relay(because, head, fetched)
            case _ as never:
                assert_never(never)

    async def _heard(self, fetched: Fetched, route: Route) -> ResponseHead:
        """The head as it is decided upon, once whoever is to be told of it was told."""
        order = self.order
        head, self.behind = member_apart(fetched.head) if route.is_worker else (fetched.head, None)
        if route.is_tier:
            self._owner_refused, self._is_stand_in, token, head = said_by_tier(head)
            self._fence = self.room.positions.position(token)
        self.has_age = b"age" in head.fields
        head = response_from_origin(head, order.rules, fetched.timings.answered, tier=route.is_tier)
        if order.on_head is not None:
            was_tainted = self.is_tainted
            await order.on_head(head, route.is_worker)
            if self.lease is None and not was_tainted:
                # What an unsafe request's success invalidates is what was there before its answer (RFC 9111 s4.4).
                self._watch_alone()
        return head

    def _because(self, because: Because) -> Because:
        """The reason; or, of what the next tier served in the place of an error, that one."""
        return Because.STALE_IF_ERROR if self._is_stand_in else because

    def _is_clean(self, verdict: FillFor) -> bool:
        """False: the tier behind us sent, or vouched for, what may be older than a purge that we know of."""
        need = self.order.need
        if self._fence is not None and self._fence >= need:
            return True
        match verdict:
            case Store(stored) | Freshen(_, stored) if self._owner_refused is None:
                if self._fence is None:
                    return False
                return self.room.positions.vouches(stored, need, self.order.rules)
            case _:
                return True

    async def _ask_behind(self, fetched: Fetched, validating: tuple[StoredResponse, ...]) -> Outcome:
        """Past the tier that cannot vouch for what it has, and nobody else."""
        fetched.body.abort()
        self.room.measures.unvouched.value += 1
        routes = tuple(route for route in self.order.routes if not route.is_tier)
        if not routes:
            raise UpstreamFault(
                "the next tier is behind the purge log", proxy_status="destination_unavailable"
            )
        self.order, self.behind = replace(self.order, routes=routes), None
        return await self._fetch(validating)

    @property
    def is_tainted(self) -> bool:
        """True when an invalidation came since the request went out."""
        return self._watch is not None and self._watch.tainted

    @property
    def is_wanted(self) -> bool:
        """True while somebody waits for the head."""
        return self.has_leader or (self.lease is not None and self.lease.followers > 0)

    def _out_of_reach(self) -> None:
        """The body's beginning is gone: the next one who asks leads a fill of his own."""
        if self.lease is not None:
            self.room.table.close(self.lease)

    def _relay(self, because: Because, head: ResponseHead, fetched: Fetched) -> Outcome:
        """An answer that serves its leader only; the others are released at once."""
        if self.lease is not None and because not in _OF_ONE_CLIENT:
            until = self.room.clock.mono() + self.order.rules.store.remember_uncacheable
            self.room.table.remember_uncacheable(self.order.key, until)
        if self.lease is not None:
            self.room.table.settle(self.lease, Outcome.UNCACHEABLE)
        if not self.has_leader:
            fetched.body.abort()
        # Followers are told in any case: it is no failure, they ask for themselves.
        self._tell(Private(head, fetched, because, self.behind))
        return Outcome.UNCACHEABLE

    def _is_anothers_large(self, length: int | None) -> bool:
        """A body too large for memory whose key another worker owns: it comes from there as often as it is asked for."""
        if self.behind is None or self.room.store.can_spool(self.order.key):
            return False
        return length is not None and length > self.room.window

    def _store(
        self, stored: StoredResponse, because: Because, head: ResponseHead, fetched: Fetched
    ) -> Outcome:
        rules = self.order.rules
        if isinstance(fetched.framing, UntilClose) and not rules.origin.store_close_delimited:
            return self._relay(Because.CLOSE_DELIMITED, head, fetched)
        length = fetched.framing.size if isinstance(fetched.framing, Length) else None
        if self._is_anothers_large(length):
            return self._relay(Because.FORWARDED_TO_OWNER, head, fetched)
        self.room.table.forget_uncacheable(self.order.key)
        kept = not self.is_tainted
        because = because if kept else Because.INVALIDATED_MEANWHILE
        body = FillBody(self.room.window)
        small = fetched.body.small
        if small is not None:
            stored = replace(stored, body_length=len(small))
            if kept:
                self.room.store.put(stored, small)
            if small:
                body.add(small)
            body.end(fetched.body.trailers)
            self._tell(Streaming(stored, head, body, len(small), because, kept, self.behind, self.has_age))
            return Outcome.COMPLETE
        stored = replace(stored, body_length=length or 0)
        self._tell(Streaming(stored, head, body, length, because, kept, self.behind, self.has_age))
        self._inflow = Inflow(
            stored,
            body,
            length,
            fetched,
            store=self.room.store,
            max_object=rules.store.max_object,
            is_tainted=lambda: self.is_tainted,
            is_wanted=lambda: self.is_wanted,
            out_of_reach=self._out_of_reach,
            on_store_fault=self.room.on_store_fault,
        )
        return Outcome.ABANDONED  # as long as nobody runs `finish`


def _content_length(head: ResponseHead) -> int | None:
    """Checked by the wire; None when the head has none."""
    declared = head.fields.get(b"content-length")
    return None if declared is None else int(declared)
