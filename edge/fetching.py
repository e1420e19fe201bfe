"""From a decision to forward to a reply: leading a fill, following one, or passing a request on for one client alone.

Owns: `Fetching` and `Asked`. Rules: a fill is detached from whoever asked: it goes on when he leaves; a follower looks
at what the fill found and decides by itself (the same `decide_reuse`) whether it may use that; what is for one
client alone never reaches another; after a failure a follower tries once more, then it gets the error or what
stale-if-error leaves it with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never

from edge.clock import Clock
from edge.errors import EdgeError, UpstreamFault
from edge.exchange import Exchange, Reply, Verdict
from edge.fence import Fence, Trusted
from edge.fill.fill import Fill, FillRoom
from edge.fill.order import Failed, FillOrder, Found, FromStore, OnHead, Private, Streaming
from edge.fill.table import Alone, Follow, Lead, Lease
from edge.fill.upstream import HeldBack
from edge.replying import Replying
from edge.semantics import key as keys
from edge.semantics.answer import SPECIAL
from edge.semantics.decide import decide_reuse, stale_usable
from edge.semantics.decisions import Forward, Serve, ServeStale
from edge.semantics.freshening import STALE_IF_ERROR_STATUSES
from edge.semantics.message import RequestHead, UnixSeconds
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.rules import SiteRules
from edge.semantics.stored import Selectors, StoredResponse
from edge.store.store import Store
from edge.streams import BoundedBody
from edge.tasks import TaskOwner
from edge.tiers import Tiers
from edge.values import replace, value

GET, HEAD, POST = b"GET", b"HEAD", b"POST"
MAX_ROUNDS = 4
"""How often one request may join fills that then do not serve it, before it goes alone."""


@value(frozen=True, slots=True)
class Asked:
    """One request with all that is known of it before the store is asked.

    head: cleaned (what is not in the key is not visible behind us) and canonical. need: up to this position of the
    purge log the content must be clean: what this node had applied when the request came, or what a tier asked for.
    """

    exchange: Exchange
    head: RequestHead
    rules: SiteRules
    key: bytes
    need: int = 0


class Fetching:
    """See the module."""

    def __init__(
        self,
        *,
        store: Store,
        room: FillRoom,
        tiers: Tiers,
        replying: Replying,
        fence: Fence,
        clock: Clock,
        tasks: TaskOwner,
    ) -> None:
        self._fence = fence
        self._store = store
        self._room = room
        self._tiers = tiers
        self._replying = replying
        self._clock = clock
        self._tasks = tasks

    # -- for all who wait --

    async def forward(
        self, asked: Asked, forward: Forward, candidates: Sequence[StoredResponse], attempt: int
    ) -> Reply | None:
        """Fetch, or wait for the fetch under way. None: it does not serve this request, look at the store again."""
        collapse = forward.collapse and asked.rules.collapse and attempt < MAX_ROUNDS
        match self._join(asked, candidates) if collapse else Alone(remembered=False):
            case Lead(lease):
                fill = self._start(asked, forward, len(candidates), lease, may_repeat=attempt == 0)
                return await self._lead(asked, forward, fill)
            case Follow(lease):
                return await self._follow(asked, forward, lease, attempt)
            case Alone(remembered):
                if remembered:
                    forward = replace(forward, because=Because.UNCACHEABLE_REMEMBERED)
                    if not SPECIAL.isdisjoint(asked.head.fields.names()):
                        return await self.passed_on(asked, forward, by_owner=True)
                return await self._lead(asked, forward, self._start(asked, forward, len(candidates), None))
            case _ as never:
                assert_never(never)

    def refresh(self, asked: Asked, stored: StoredResponse) -> None:
        """Revalidate in the background, by a GET whatever was asked; one fill per key and variant."""
        lease = self._room.table.lead_if_idle(
            asked.key,
            _variant(asked, (stored,)),
            fence=self._fence.stamp(asked.need),
            vouches=self._vouches(asked),
            now=self._clock.mono(),
            patience=_patience(asked.rules),
        )
        if lease is not None:
            quiet = replace(
                asked,
                exchange=Exchange(
                    asked.exchange.request,
                    asked.exchange.peer,
                    asked.exchange.tier,
                    is_worker=asked.exchange.is_worker,
                ),
                head=replace(asked.head, method=GET),
            )
            validating = (stored,) if stored.validators.usable else ()
            fallback = stored if stale_usable(stored, self._now()) else None
            forward = Forward(Forwarded.STALE, Because.STALE_WHILE_REVALIDATE, validating, fallback=fallback)
            fill = self._start(quiet, forward, 0, lease, is_background=True)
            fill.leave()
            self._tasks.spawn(fill.run(), name="fill")

    def _join(self, asked: Asked, candidates: Sequence[StoredResponse]) -> Lead[Fill] | Follow[Fill] | Alone:
        """By key, and by variant where the Vary of what is stored tells it."""
        return self._room.table.join(
            asked.key,
            _variant(asked, candidates),
            fence=self._fence.stamp(asked.need),
            vouches=self._vouches(asked),
            now=self._clock.mono(),
            patience=_patience(asked.rules),
        )

    def _vouches(self, asked: Asked) -> Callable[[int], bool]:
        """Whether a fill of that fence may turn out to serve this request; what it brings is looked at when it is there."""

        def vouches(fence: int) -> bool:
            head = asked.head
            named = Selectors(asked.rules.name, head.authority, head.target.partition(b"?")[0])
            return self._fence.table.vouches_unseen(asked.key, named, fence, asked.need)

        return vouches

    def _start(
        self,
        asked: Asked,
        forward: Forward,
        held: int,
        lease: Lease[Fill] | None,
        *,
        may_repeat: bool = True,
        is_background: bool = False,
    ) -> Fill:
        """A fill, to be run, detached from whoever asked for it. lease: None = nobody can follow it."""
        order = FillOrder(
            request=asked.head,
            key=asked.key,
            rules=asked.rules,
            routes=self._tiers.routes(asked.exchange, asked.head, asked.rules, asked.key),
            validating=forward.validating,
            fallback=forward.fallback,
            variants_held=held if forward.fwd is Forwarded.VARY_MISS else 0,
            on_interim=asked.exchange.on_interim,
            need=asked.need,
            may_repeat=may_repeat,
            is_background=is_background or self._tiers.is_background(asked.exchange),
        )
        if lease is None:
            lease = self._room.table.lead_alone(asked.key, fence=self._fence.stamp(asked.need))
        fill = lease.fill = Fill(order, self._room, lease)
        return fill

    async def _run(self, exchange: Exchange, fill: Fill) -> Found:
        """Run it to what it finds, whatever becomes of the client; a body that is still coming in comes in behind us."""
        presence = exchange.presence
        if presence is None:
            self._tasks.spawn(fill.run(), name="fill")
            return await asyncio.shield(fill.found)
        presence.stay(fill.leave)
        try:
            is_coming = await fill.begin()
        finally:
            presence.stayed()
        if is_coming:
            self._tasks.spawn(fill.finish(), name="fill")
        if presence.is_gone:
            raise asyncio.CancelledError
        return fill.found.result()

    async def _lead(self, asked: Asked, forward: Forward, fill: Fill) -> Reply | None:
        try:
            found = await self._run(asked.exchange, fill)
            if isinstance(found, Private):
                fill.private_taken = True
        finally:
            fill.leave()
        if isinstance(found, Private) and found.head.status == 200 and _is_too_much(asked.head, found):
            # The whole was fetched to be stored and may not be: ask again for what the client wants of it.
            found.fetched.body.abort()
            return await self.passed_on(asked, replace(forward, because=found.because), by_owner=True)
        return await self._reply(asked, forward, found, collapsed=False)

    async def _follow(self, asked: Asked, forward: Forward, lease: Lease[Fill], attempt: int) -> Reply | None:
        """Wait for another's fill; None when it does not serve this request."""
        fill = lease.fill
        assert fill is not None, f"a lease without its fill: {lease!r}"
        waiting = self._room.measures.fills_followed
        waiting.value += 1
        try:
            async with asyncio.timeout(_patience(asked.rules)):
                found = await asyncio.shield(fill.found)
        except TimeoutError:
            return None
        finally:
            waiting.value -= 1
            self._room.table.leave(lease)
        match found:
            case Private():
                return await self._lead(asked, forward, self._start(asked, forward, 0, None))
            case Failed(error) if forward.fallback is None and attempt == 0 and _is_worth_more(error, fill):
                return None
            case Streaming(stored=stored) | FromStore(stored=stored):
                trusted = self._looked_at(stored, asked)
                if not trusted.candidates or trusted.doubts:
                    return None  # a purge came after this was asked for and before this request
                if found.because is not Because.STALE_IF_ERROR:
                    again = decide_reuse(asked.head, trusted.candidates, asked.rules, self._now())
                    if _is_vary_miss(again):
                        # By now the Vary is known, so those who want the same variant meet.
                        miss = Forward(Forwarded.VARY_MISS, Because.NO_VARIANT, fallback=forward.fallback)
                        return await self.forward(asked, miss, (stored,), attempt + 1)
                    if not isinstance(again, Serve | ServeStale):
                        # It must be validated for each request, so it cannot be shared.
                        return await self._lead(asked, forward, self._start(asked, forward, 0, None))
                elif not keys.matches(stored.nominated, asked.head, asked.rules.vary):
                    return None
                if isinstance(found, Streaming) and not found.body.reaches(0):
                    # Its beginning is nowhere any more (there is no disk), and it will not come again.
                    return await self._lead(asked, forward, self._start(asked, forward, 0, None))
            case _:
                pass
        self._room.measures.collapsed.value += 1
        return await self._reply(asked, forward, found, collapsed=True)

    def _looked_at(self, stored: StoredResponse, asked: Asked) -> Trusted:
        """What another's fill brought, as if it came from the store. That the log is silent is no matter: it is new."""
        return self._fence.trusted(((stored, stored.fence),), asked.need, asked.rules, is_new=True)

    # -- for one client alone --

    async def passed_on(
        self,
        asked: Asked,
        forward: Forward,
        on_head: OnHead | None = None,
        *,
        by_owner: bool = False,
        no_further: bool = False,
    ) -> Reply:
        """To the origin and back, body, conditionals and range as the client sent them.

        by_owner: through the worker that owns the key, who may have it. no_further: and not to the origin. Only the
        answer to a POST may be stored (RFC 9110 s9.3.3). It ends with the client: an upload that breaks off is never
        finished for it.
        """
        exchange = asked.exchange
        body = None
        if exchange.body is not None and asked.head.method not in (GET, HEAD):
            body = BoundedBody(exchange.body, asked.rules.max_request_body)
        routes = self._tiers.straight(exchange, asked.head, asked.rules, asked.key, by_owner=by_owner)
        may_store = asked.head.method == POST and exchange.request.upgrade is None
        order = FillOrder(
            request=asked.head,
            key=asked.key,
            rules=asked.rules,
            routes=routes[:1] if no_further else routes,
            on_interim=exchange.on_interim,
            on_head=on_head,
            body=body,
            relay=None if may_store else forward.because,
            need=asked.need,
        )
        found = await self._taken(Fill(order, self._room, None))
        fallback = forward.fallback
        if (
            isinstance(found, Private)
            and fallback is not None
            and found.head.status in STALE_IF_ERROR_STATUSES
            and stale_usable(fallback, self._now())
        ):
            found.fetched.body.abort()
            found = FromStore(fallback, Because.STALE_IF_ERROR, found.head.status)
        reply = await self._reply(asked, forward, found, collapsed=False)
        if reply is None:
            raise UpstreamFault(
                "the stored response is gone", proxy_status="proxy_internal_error", status=502
            )
        return reply

    async def _taken(self, fill: Fill) -> Found:
        """What a fill that lives no longer than its client found."""
        task = self._tasks.spawn(fill.run(), name="pass")
        try:
            found = await asyncio.shield(fill.found)
            if isinstance(found, Private):
                fill.private_taken = True
            return found
        finally:
            if not fill.found.done():
                task.cancel()
            fill.leave()

    # -- the reply --

    async def _reply(self, asked: Asked, forward: Forward, found: Found, *, collapsed: bool) -> Reply | None:
        """What was found, as a reply; None when it points to a stored body that is gone."""
        head, rules, tier = asked.head, asked.rules, asked.exchange.tier
        match found:
            case Streaming():
                reply = self._replying.filled(
                    head, rules, forward, found, self._now(), collapsed=collapsed, tier=tier
                )
                return self._fence.marked(reply, found.stored, asked.need, rules) if tier else reply
            case Private():
                return self._replying.relayed(head, rules, forward.fwd, found, tier=tier)
            case FromStore():
                return await self._from_store(asked, forward, found, collapsed=collapsed)
            case Failed(error):
                fallback = forward.fallback
                if fallback is not None and stale_usable(fallback, self._now()):
                    stale = FromStore(fallback, Because.STALE_IF_ERROR, 0)
                    served = await self._from_store(asked, forward, stale, collapsed=collapsed)
                    if served is not None:
                        return served
                because = error.because if isinstance(error, HeldBack) else Because.GATEWAY
                verdict = Verdict(rules.name, forward.fwd.value, because, detail=error.detail)
                return self._replying.error(error, verdict, forward.fwd)
            case _ as never:
                assert_never(never)

    async def _from_store(
        self, asked: Asked, forward: Forward, found: FromStore, *, collapsed: bool
    ) -> Reply | None:
        source = await self._store.open_body(found.stored)
        if source is None:
            return None
        tier = asked.exchange.tier
        reply = self._replying.revalidated(
            asked.head, asked.rules, forward, found, source, self._now(), collapsed=collapsed, tier=tier
        )
        return self._fence.marked(reply, found.stored, asked.need, asked.rules) if tier else reply

    def _now(self) -> UnixSeconds:
        return UnixSeconds(self._clock.now())


def _variant(asked: Asked, candidates: Sequence[StoredResponse]) -> bytes:
    """The variant this request asks for by the Vary of what is stored; b"" when that is not known."""
    vary = candidates[0].head.fields.all(b"vary") if candidates else ()
    nominated = keys.nominate(vary, asked.head, asked.rules.vary, asked.rules.key)
    return keys.variant_digest(nominated) if nominated else b""


def _patience(rules: SiteRules) -> float:
    """Seconds a follower waits for a head before another takes over."""
    timeouts = rules.origin.timeouts
    return rules.protection.queue_deadline + timeouts.connect + timeouts.first_byte


def _is_worth_more(error: EdgeError, fill: Fill) -> bool:
    """Whether a follower should ask anew. Where the next tier is spared it should not, but it comes before a refresh."""
    return not isinstance(error, HeldBack) or fill.order.is_background


def _is_too_much(head: RequestHead, found: Private) -> bool:
    """True when the client asked for less than the whole and a second request is worth it.

    Who sent If-None-Match gets the 200 as it is: true, and the origin's second answer costs it more than ours. But what
    the owner keeps is large, and the second answer costs the owner next to nothing.
    """
    if found.because is Because.FORWARDED_TO_OWNER:
        return not SPECIAL.isdisjoint(head.fields.names())
    return b"range" in head.fields


def _is_vary_miss(reuse: object) -> bool:
    return isinstance(reuse, Forward) and reuse.fwd in (Forwarded.VARY_MISS, Forwarded.URI_MISS)
