"""The node: where semantics, store, fill and purge meet. It knows no web framework and no socket.

Owns: the order of things for one exchange - site, key, look-up, decision, and what the decision asks for. It
decides nothing itself: `decide_reuse` and `decide_fill` do. A memory hit is answered in `answer_now`, without an
await; `handle` answers everything. docs/walks.md follows a hit and a miss through here. What is stored is used only as
far as the fence vouches for it (edge.fence).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import assert_never

from edge.clock import Clock
from edge.errors import ClientFault, EdgeError, UpstreamFault
from edge.exchange import Exchange, Reply, Verdict
from edge.fence import Fence, Trusted
from edge.fetching import MAX_ROUNDS, Asked, Fetching
from edge.fill.fill import FillRoom
from edge.fill.order import FENCE
from edge.guarding import Guarding, says_hsts, with_hsts
from edge.lane import Lane
from edge.leading import Leading
from edge.replying import Replying
from edge.semantics import key as keys
from edge.semantics.decide import decide_head_update, decide_reuse
from edge.semantics.decisions import Forward, Refuse, Reuse, Serve, ServeStale
from edge.semantics.forwarding import Network, cleaned_request, ends_here, loops
from edge.semantics.invalidation import SAFE_METHODS, invalidated_targets
from edge.semantics.message import RequestHead, ResponseHead, UnixSeconds
from edge.semantics.purge_table import Standing
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.rules import CookieRule, SiteRules
from edge.semantics.selectors import Group, invalidated_groups
from edge.semantics.stored import StoredResponse
from edge.semantics.tls_rules import NO_TLS
from edge.semantics.validation import only_for_origin
from edge.settings.sites import Homes, SiteTable
from edge.store.memory import Held
from edge.store.store import Store
from edge.tasks import TaskOwner
from edge.tiers import Tiers
from edge.values import replace
from edge.wire.framing import NO_BODY, Length

log = logging.getLogger("perigee.node")

GET, HEAD, PURGE = b"GET", b"HEAD", b"PURGE"
FORGET_PATIENCE = 1.0
"""Seconds that the answer to an unsafe request waits for a slow disk."""
_UPGRADE = Forward(Forwarded.BYPASS, Because.UPGRADE, collapse=False)
_METHOD = Forward(Forwarded.METHOD, Because.METHOD_NOT_CACHED, collapse=False)
_PRECONDITION = Forward(Forwarded.REQUEST, Because.PRECONDITION, collapse=False)
_UNKNOWN = Forward(Forwarded.BYPASS, Because.PURGE_UNKNOWN, collapse=False)
_COOKIE = Forward(Forwarded.BYPASS, Because.COOKIE, collapse=False)


_ONLY_IF_CACHED = Forward(Forwarded.REQUEST, Because.ONLY_IF_CACHED, collapse=False)
SMALL_POST_BYTES = 64 * 1024
"""A POST up to this goes by the key's owner, which may have to keep its answer (RFC 9110 s9.3.3); a larger one is
an upload and goes straight to the origin, without a hop."""


def _is_small_post(asked: Asked) -> bool:
    framing = asked.exchange.request.framing
    size = framing.size if isinstance(framing, Length) else 0 if framing == NO_BODY else None
    return asked.head.method == b"POST" and size is not None and size <= SMALL_POST_BYTES


class Node:
    """One worker's node. `sites` may be replaced whole at any time; exchanges under way keep what they began with."""

    def __init__(
        self,
        *,
        name: bytes,
        sites: SiteTable,
        store: Store,
        room: FillRoom,
        tiers: Tiers,
        fence: Fence,
        clock: Clock,
        tasks: TaskOwner,
        max_ranges: int,
        invalidate_elsewhere: Callable[[Sequence[bytes]], Awaitable[None]],
        invalidate_groups: Callable[[Sequence[Group]], Awaitable[None]],
        purge: Callable[[RequestHead, Exchange, str], Awaitable[Reply]] | None = None,
        leading: Leading | None = None,
    ) -> None:
        """purge: answers the method PURGE; None = it is like any other unsafe method here.

        leading: for sites that want to know where their clients are; None = this node is in no network.
        """
        self.name = name
        self.sites = sites
        self._store = store
        self._room = room
        self._tiers = tiers
        self._fence = fence
        self._clock = clock
        self._invalidate_elsewhere = invalidate_elsewhere
        self._invalidate_groups = invalidate_groups
        self._purge = purge
        self._homes = Homes(sites)
        self._leading = leading
        self._guarding = Guarding(name)
        self._says_hsts = says_hsts(sites)
        self._replying = Replying(name, max_ranges, store.memory.resize)
        self.lane = Lane(name, store.memory, fence, clock, vouches=self._vouches, leading=leading)
        self.lane.apply(sites, tiers.trusted)
        self._fetching = Fetching(
            store=store,
            room=room,
            tiers=tiers,
            replying=self._replying,
            fence=fence,
            clock=clock,
            tasks=tasks,
        )

    def apply(self, sites: SiteTable, trusted: Sequence[Network], max_ranges: int) -> None:
        """New settings, for exchanges that begin from now on."""
        is_another = sites != self.sites
        self.sites = sites
        if is_another:
            self._fence.table.rekey()
            if self._homes.moved(sites):
                # What is stored was out of reach of purges by tag and site that came while its host was elsewhere.
                self._fence.table.begin(self._fence.table.applied)
            for held in self._store.memory:
                # A purge may name it by the keys that URLs have now: what was found clean before is not, for all we know.
                held.clean = held.value.fence
        self._says_hsts = says_hsts(sites)
        self._tiers.trusted = tuple(trusted)
        self.lane.apply(sites, trusted)
        self._replying.max_ranges = max_ranges

    # -- the two ways in --

    def answer_now(self, exchange: Exchange) -> Reply | None:
        """The reply to a GET or HEAD that a fresh stored response at hand answers; None for everything else."""
        head = exchange.request.head
        if head.method not in (GET, HEAD) or b"cdn-loop" in head.fields.names():
            return None
        head = self._tiers.restored(exchange)
        rules = self.sites.find(head.authority.host)
        if rules is None:
            return None
        if rules.tls is not NO_TLS or exchange.tls is not None:
            try:
                admitted = self._guarding.admitted(exchange, head, rules)
            except ClientFault:
                return None  # `handle` says it
            if isinstance(admitted, Reply):
                return admitted
            head = admitted
        leading = self._leading if self._leading is not None and self._leading.concerns(rules) else None
        if leading is not None:
            led = leading.lead(exchange, head, rules, self.sites)
            if isinstance(led, Reply):
                return with_hsts(led, head.authority, rules)
            head = led
        head = cleaned_request(head, rules)
        if rules.store.cookie is CookieRule.BYPASS and b"cookie" in head.fields:
            return None
        group = self._store.at_hand(keys.canonical_key(head.authority, head.target, rules.key))
        if not group:
            return None
        reuse = decide_reuse(head, [held.value for held in group], rules, self._now())
        if type(reuse) is not Serve or only_for_origin(head):
            return None
        for held in group:
            if held.value is reuse.stored:
                if not self._vouches(held, rules):
                    return None
                held.visited = True
                if leading is not None:
                    leading.served(exchange, rules)
                reply = self._replying.hit(head, rules, reuse, held)
                return reply if rules.tls is NO_TLS else with_hsts(reply, head.authority, rules)
        return None

    def _vouches(self, held: Held[StoredResponse], rules: SiteRules) -> bool:
        """Whether what is in memory may be used as it is: one comparison, unless a purge came since it was last used."""
        fence, stored = self._fence, held.value
        if fence.lost(rules.purge) is not None or stored.selectors.site != rules.name:
            return False
        table = fence.table
        if held.clean < table.latest:
            if table.standing(stored, held.clean, 0, rules.vary).standing is not Standing.VOUCHED:
                return False
            held.clean = table.applied
        return True

    async def handle(self, exchange: Exchange) -> Reply:
        """The reply to any request; our own errors are replies, too."""
        reply = await self._handle(exchange)
        if self._says_hsts and not exchange.tier and reply.ready is None and reply.tunnel is None:
            authority = self._tiers.restored(exchange).authority
            rules = self.sites.find(authority.host)
            if rules is not None:
                with_hsts(reply, authority, rules)
        return reply

    async def _handle(self, exchange: Exchange) -> Reply:
        verdict = Verdict("-", "-")
        try:
            asked = self._ask(exchange)
            if isinstance(asked, Reply):
                return asked
            verdict = Verdict(asked.rules.name, "-", Because.GATEWAY)
            said = self._tiers.need(exchange)
            if said is None:
                return await self._answer(asked)
            return await self._answer_tier(asked, said)
        except EdgeError as error:
            return self._replying.error(error, verdict)

    def _ask(self, exchange: Exchange) -> Asked | Reply:
        """Site, loop check, bounds, key; or where the client has to go. Raises ClientFault, UpstreamFault."""
        head = self._tiers.restored(exchange)
        rules = self.sites.find(head.authority.host)
        if rules is None:
            raise ClientFault("no site has this host name", status=421, proxy_status="destination_not_found")
        if not (exchange.tier and exchange.is_worker) and loops(head.fields, self._tiers.cdn_id):
            raise UpstreamFault("this edge is in CDN-Loop", proxy_status="proxy_loop_detected", status=508)
        if (rules.tls is not NO_TLS or exchange.tls is not None) and not exchange.tier:
            admitted = self._guarding.admitted(exchange, head, rules)
            if isinstance(admitted, Reply):
                return admitted
            head = admitted
        if self._leading is not None and self._leading.concerns(rules):
            led = self._leading.lead(exchange, head, rules, self.sites)
            if isinstance(led, Reply):
                return led
            self._leading.served(exchange, rules)
            head = led
        head = cleaned_request(head, rules)
        framing = exchange.request.framing
        if isinstance(framing, Length) and framing.size > rules.max_request_body:
            raise ClientFault("request body too large", status=413)
        key = keys.primary_key(head.authority, head.target, rules.key)
        return Asked(exchange, head, rules, key, self._fence.applied)

    async def _answer_tier(self, asked: Asked, said: bytes) -> Reply:
        """For a node or worker of ours, which may have applied more of the purge log than we have."""
        need = self._fence.position(said)
        if need is not None:
            await self._fence.reach(need)
            return await self._answer(replace(asked, need=max(need, asked.need)))
        # Of a history of the log that we know nothing of: nothing that we have is of use, nor is what we fetch to us.
        reply = await self._fetching.passed_on(asked, _UNKNOWN)
        reply.fields = reply.fields.with_set(FENCE, said)
        return reply

    async def _answer(self, asked: Asked) -> Reply:
        head, rules, passed_on = asked.head, asked.rules, self._fetching.passed_on
        if ends_here(head):
            return self._replying.ended_here(rules)
        if asked.exchange.request.upgrade is not None:
            return await passed_on(asked, _UPGRADE)
        if head.method == PURGE and self._purge is not None:
            return await self._purge(self._tiers.restored(asked.exchange), asked.exchange, rules.name)
        if head.method not in (GET, HEAD):
            on_head = None if head.method in SAFE_METHODS else partial(self._after_unsafe, asked)
            return await passed_on(asked, _METHOD, on_head, by_owner=_is_small_post(asked))
        if only_for_origin(head):
            return await passed_on(asked, _PRECONDITION)
        if rules.store.cookie is CookieRule.BYPASS and keys.has_unkeyed_cookie(head.fields, rules.key):
            return await passed_on(asked, _COOKIE)
        for attempt in range(MAX_ROUNDS + 1):
            reply = await self._round(asked, attempt)
            if reply is not None:
                return reply
        raise UpstreamFault("no fill served this request", proxy_status="proxy_internal_error", status=502)

    # -- GET and HEAD --

    async def _round(self, asked: Asked, attempt: int) -> Reply | None:
        """Look up, decide, do. None: something changed meanwhile, look again."""
        trusted, reuse = self._decide(asked, None)
        if isinstance(reuse, Forward | Refuse) and self._store.is_on_disk(asked.key):
            trusted, reuse = self._decide(asked, await self._store.load(asked.key))
        candidates = trusted.candidates
        match reuse:
            case Serve():
                return await self._serve(asked, reuse)
            case ServeStale(stored=stored):
                reply = await self._serve(asked, reuse)
                if reply is not None:
                    self._fetching.refresh(asked, stored)
                return reply
            case Refuse(status, because):
                if self._tiers.is_anothers(asked.exchange, asked.key):
                    # Only the worker that owns the key can say what this node has; if it is not there, nothing.
                    reply = await self._fetching.passed_on(
                        asked, _ONLY_IF_CACHED, by_owner=True, no_further=True
                    )
                    if reply.verdict.because is not Because.GATEWAY:
                        return reply
                fault = ClientFault("nothing usable is stored", status=status)
                return self._replying.error(fault, Verdict(asked.rules.name, "-", because))
            case Forward():
                if asked.head.method == HEAD:
                    return await self._forward_head(asked, reuse, candidates)
                return await self._fetching.forward(asked, reuse, candidates, attempt)
            case _ as never:
                assert_never(never)

    def _decide(self, asked: Asked, found: Sequence[StoredResponse] | None) -> tuple[Trusted, Reuse]:
        """found: all that is stored, None = look into memory only."""
        held = self._store.in_memory(asked.key)
        clean = {each.value.body_id: each.clean for each in held}
        stored = [each.value for each in held] if found is None else found
        known = [(each, clean.get(each.body_id, each.fence)) for each in stored]
        return self._fence.decide(asked.head, known, asked.rules, asked.need, self._now())

    async def _serve(self, asked: Asked, reuse: Serve | ServeStale) -> Reply | None:
        """From the store; None when its body turned out to be damaged or gone (it is forgotten)."""
        source = await self._store.open_body(reuse.stored)
        if source is None:
            return None
        tier = asked.exchange.tier
        reply = self._replying.stored(asked.head, asked.rules, reuse, source, tier=tier)
        return self._fence.marked(reply, reuse.stored, asked.need, asked.rules) if tier else reply

    async def _forward_head(
        self, asked: Asked, forward: Forward, candidates: Sequence[StoredResponse]
    ) -> Reply:
        """HEAD goes on as it is; its answer may freshen what is stored, or show it to be wrong (RFC 9111 s4.3.5)."""

        async def update(response: ResponseHead, _from_worker: bool) -> None:
            length = response.fields.get(b"content-length")
            for old, new in decide_head_update(
                asked.head,
                response,
                candidates,
                asked.rules,
                self._now(),
                content_length=None if length is None else int(length),
            ):
                if new is None:
                    self._store.forget_one(old)
                else:
                    self._store.freshen(old, new)

        return await self._fetching.passed_on(asked, forward, update, by_owner=True)

    # -- invalidation --

    async def _after_unsafe(self, asked: Asked, response: ResponseHead, from_worker: bool) -> None:
        """RFC 9111 s4.4: what an unsafe method's success makes doubtful is forgotten before the client hears of it..."""
        if from_worker:
            return  # it has told all of us
        await self.invalidate(
            [
                keys.primary_key(authority, target, asked.rules.key)
                for authority, target in invalidated_targets(asked.head, response)
            ]
        )
        if 200 <= response.status < 400:
            groups = invalidated_groups(response.fields)
            if groups:  # RFC 9875 s3: of the same origin only
                await self._invalidate_groups([Group(asked.head.authority, group) for group in groups])

    async def invalidate(self, uris: Sequence[bytes], *, everywhere: bool = True) -> None:
        """Forget these keys: in the store, in what is under way, and in the other workers of this node.

        It is in force at once. What is awaited is that the others have heard of it, and that it outlives a crash.
        """
        for key in uris:
            self._room.table.taint(key)
            self._store.forget(key)
        if everywhere and uris:
            await self._invalidate_elsewhere(uris)
        try:
            async with asyncio.timeout(FORGET_PATIENCE):
                for key in uris:
                    await self._store.forgotten(key)
        except TimeoutError:
            log.warning(
                "the disk is slow: an answer does not wait any longer for what it made invalid to leave it"
            )

    def _now(self) -> UnixSeconds:
        return UnixSeconds(self._clock.now())
