"""Where purges are ordered: who asks, whether he may, and into the log with it.

Owns: `PurgeDesk`. Rules:

- Who signs is known before anything that he wrote is read; what he may purge, once it is known what that is.
- A nonce makes one order, on all nodes together: without an Idempotency-Key the id of an order is made of the key's id and
  the nonce, so that the log itself takes it once; and the nonces of the log are looked at first. A node that has not read
  the log to its end cannot know them and says so (503).
- With an Idempotency-Key the id is made of the key's id and that: sent again, signed anew or to another node, it is the
  same order with the same answer; another purge under the same key is refused.
- 202 means: the log has it, durably. Where that is not known, the answer is 503, with the id that the order has or will
  have. The desk holds nothing that the log does not have.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from edge.clock import Clock
from edge.measures import Measures
from edge.purge.declined import RETRY_SECONDS, Declined, Reason, declined, refused
from edge.purge.desk_measures import DeskMeasures
from edge.purge.desk_recent import Kept, Ordered, Recent
from edge.purge.log import Appended, LogUnavailable, Past
from edge.purge.rate import ALL_SITES, Buckets, whole_seconds
from edge.purge.requests import Asking, PurgeRequest, wanted_of
from edge.purge.signing.faults import Refused, SignatureFault
from edge.purge.signing.keys import Algorithm, Key, KeyRing, Scope, ScopeKind, allows
from edge.purge.signing.message import Message
from edge.purge.signing.nonces import Nonces, UsedNonces
from edge.purge.signing.verify import Policy, verify
from edge.semantics.forwarding import is_trusted
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import MAX_BYTES, PurgeOrder, encode
from edge.settings.node import NodeSettings

LEASE_SECONDS = 15.0
"""How old the proof of being current may be; an election among the log's servers takes up to nine seconds."""

APPEND_SECONDS = 10.0
"""How long the log may take to acknowledge: longer than an election."""

RECALL_PAGE = 500
MAX_RECALLED = 50_000
"""Orders that are read back at the start, for their nonces: 150 a second for as long as a signature holds."""

NOBODYS_SCOPE = Scope(
    kinds=frozenset(
        {ScopeKind.URL, ScopeKind.VARIANT, ScopeKind.TAG, ScopeKind.PREFIX, ScopeKind.HOST, ScopeKind.SITE}
    )
)
"""What a peer of purge.allow may purge without a signature."""


LOGGED_APART_SECONDS = 1.0
"""Refused signatures are logged this often at most; all are counted."""

_log = logging.getLogger("perigee.purge")


class Log(Protocol):
    """edge.purge.log.PurgeLog."""

    async def append(self, order: PurgeOrder, *, within: float = APPEND_SECONDS) -> Appended:
        """Store it durably. LogUnavailable."""

    async def history(self, *, limit: int = 100, before: int | None = None) -> list[Past]:
        """The newest orders, newest first. LogUnavailable."""


class Reading(Protocol):
    """edge.purge.follower.Follower, as far as the desk asks it."""

    @property
    def history(self) -> str:
        """16 hex digits, "" = nothing is known yet."""

    def seq_of(self, position: int) -> int | None:
        """The sequence number in the present history; None for a position of another."""

    def is_current(self, now_mono: float, lease: float) -> bool:
        """Whether all that was ordered up to `lease` seconds ago is known to have been read."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. by: as it stands in the log. key: None = an allowed peer. nonce: "" = none. created: unix seconds."""

    by: str
    key: Key | None = None
    nonce: str = ""
    created: float = 0.0

    @property
    def own_site(self) -> str | None:
        """The only site that he may touch; None = he may touch several."""
        sites = None if self.key is None else self.key.scope.sites
        return next(iter(sites)) if sites is not None and len(sites) == 1 else None


class PurgeDesk:
    """One of a node. settings, keys: those in force. wall: unix seconds by the wall clock, which signers go by.

    new_id: a random id, for callers who have no nonce.
    """

    def __init__(
        self,
        log: Log,
        reading: Reading,
        *,
        keys: Callable[[], KeyRing],
        settings: Callable[[], NodeSettings],
        clock: Clock,
        wall: Callable[[], float],
        new_id: Callable[[], str],
        measures: Measures,
    ) -> None:
        self.recent = Recent()
        self.counted = DeskMeasures(measures.registry)
        self._log = log
        self._reading = reading
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._new_id = new_id
        self._measures = measures
        self._buckets = Buckets()
        self._policy = Policy(settings().purge.max_age, settings().purge.skew)
        self._nonces = Nonces(self._policy.max_age, self._policy.skew)
        self._recalled = False
        self._logged_at = float("-inf")

    # --- what the log says -----------------------------------------------------------------------------------------

    def took(self, order: PurgeOrder, position: int) -> None:
        """An order came into force: for `Follower.on_order`."""
        seq = self._reading.seq_of(position)
        self._remember(order, 0 if seq is None else seq)

    async def recall(self, *, most: int = MAX_RECALLED, page_size: int = RECALL_PAGE) -> None:
        """Read back what a signature that still holds may have ordered; until then nothing is taken. LogUnavailable.

        most: orders, about; what is older than these counts as seen.
        """
        if not self._reading.history:
            raise LogUnavailable("it is not known yet which history the log has")
        oldest = self._wall() - self._policy.max_age - self._policy.skew
        before: int | None = None
        found: list[Past] = []
        while len(found) < most:
            page = await self._log.history(limit=page_size, before=before)
            found += page
            if not page or page[-1].stored_at < oldest:
                break
            before = page[-1].seq
        else:
            known = self._nonces.snapshot().remembered
            horizon = found[-1].stored_at + self._policy.skew + self._policy.max_age
            self._nonces = Nonces(self._policy.max_age, self._policy.skew, was=UsedNonces(known, horizon))
        for past in reversed(found):
            if self.recent.get(past.order.id) is None:
                self._remember(past.order, past.seq)
        self._recalled = True

    def _remember(self, order: PurgeOrder, seq: int) -> None:
        if order.nonce:
            at = order.created or order.at
            self._nonces.remember(order.by, order.nonce, at=at, now=self._wall())
        if seq:
            self.recent.add(order, seq, self._reading.history)

    # --- who asks --------------------------------------------------------------------------------------------------

    def caller(self, message: Message) -> Caller | Declined:
        """Who signed it. Whether the nonce is new is asked when it orders something; reading twice harms nobody."""
        verified = verify(message, self._keys(), self._wall(), self._now_policy())
        if isinstance(verified, Refused):
            self._count(verified)
            return refused(verified)
        self._measures.signatures.of("verified").value += 1
        return Caller(verified.key.id, verified.key, verified.nonce, float(verified.created))

    def _count(self, refusal: Refused) -> None:
        """In the metric; and in the log what the caller is not told, but not as often as he likes."""
        self._measures.signatures.of(refusal.fault.value).value += 1
        now = self._clock.mono()
        if now - self._logged_at >= LOGGED_APART_SECONDS:
            self._logged_at = now
            said = {"reason": refusal.fault.value, "key": refusal.keyid, "detail": refusal.detail}
            _log.warning("a signed request is refused", extra=said)

    def caller_by_method(self, message: Message, peer: str) -> Caller | Declined:
        """Who sends PURGE: as signed, else a peer of purge.allow. peer: an IP address."""
        signed = b"signature-input" in message.fields or b"signature" in message.fields
        if not signed and is_trusted(peer, self._settings().purge.allow):
            return Caller(f"peer {peer}")
        return self.caller(message)

    def asking(self, caller: Caller | None) -> Asking:
        """What is known of who asks, for edge.purge.dialects.read."""
        settings = self._settings()
        own = None if caller is None else caller.own_site
        return Asking(settings.sites, own, settings.purge.max_items, settings.purge.max_wait)

    def _now_policy(self) -> Policy:
        """The policy of the settings in force. Where a signature holds longer than before, some nonces are gone already."""
        purge = self._settings().purge
        was = self._policy
        if (was.max_age, was.skew) != (purge.max_age, purge.skew):
            self._policy = Policy(purge.max_age, purge.skew)
            self._nonces = renewed(self._nonces, was, self._policy, self._wall())
        return self._policy

    # --- the order -------------------------------------------------------------------------------------------------

    async def order(self, request: PurgeRequest, caller: Caller) -> Ordered | Declined:
        """Take a purge; one that has its id already is taken once. A dry run is no order: see `permits`."""
        assert not request.dry_run, "a dry run orders nothing"
        order_id = self._id(request, caller)
        said = self.permits(request, caller)
        if said is not None:
            return said
        known = self.recent.get(order_id) if request.idempotency_key is not None else None
        if known is not None:
            return self._again(request, known)
        said = self._fresh(caller, order_id) or self._in_rate(request, order_id)
        if said is not None:
            return said
        order = PurgeOrder(
            order_id,
            UnixSeconds(self._clock.now()),
            request.items,
            request.soft,
            caller.by,
            caller.nonce,
            caller.created,
            request.note,
        )
        said = oversized(order)
        if said is not None:
            return said
        began = self._clock.mono()
        try:
            appended = await self._log.append(order)
            self.counted.order_seconds.observe(self._clock.mono() - began)
            return await self._appended(request, order, appended)
        except LogUnavailable as fault:
            retry = fault.retry_after
            detail = "the log did not acknowledge the purge; it may have it or not"
            return declined(Reason.LOG_UNAVAILABLE, detail, retry_after=retry, id=order_id)

    def permits(self, request: PurgeRequest, caller: Caller) -> Declined | None:
        """Whether the caller may purge this; None = he may. All that is asked of a dry run."""
        sites = self._settings().sites
        key = _NOBODY if caller.key is None else caller.key
        lacking = allows(key, (wanted_of(item, sites) for item in request.items))
        if lacking is None:
            return None
        self._count(lacking)
        return refused(lacking)

    def _fresh(self, caller: Caller, order_id: str) -> Declined | None:
        """Whether its nonce is new, as far as this node can know."""
        if caller.nonce and self._nonces.seen(caller.by, caller.nonce, created=caller.created):
            return self._replayed(caller, order_id)
        if not self._recalled or not self._reading.is_current(self._clock.mono(), LEASE_SECONDS):
            detail = "this node has not read the purge log to its end"
            return declined(Reason.NOT_CURRENT, detail, retry_after=RETRY_SECONDS, id=order_id)
        return None

    def _replayed(self, caller: Caller, order_id: str, seq: int = 0) -> Declined:
        told = Refused(SignatureFault.REPLAYED, "this signature has ordered a purge before", caller.by)
        self._count(told)
        known = self.recent.get(order_id)
        return refused(told, id=order_id, seq=seq if known is None else known.seq)

    def _in_rate(self, request: PurgeRequest, order_id: str) -> Declined | None:
        settings = self._settings()
        sites = [wanted_of(item, settings.sites)[0] for item in request.items]
        costs = Counter(ALL_SITES if site is None else site for site in sites)
        wait = self._buckets.take(costs, settings.purge.rate, self._clock.mono())
        if wait == 0.0:
            return None
        detail = f"{settings.purge.rate} things a second may be purged of one site, through one node"
        return declined(Reason.TOO_FAST, detail, retry_after=whole_seconds(wait), id=order_id)

    async def _appended(
        self, request: PurgeRequest, order: PurgeOrder, appended: Appended
    ) -> Ordered | Declined:
        history = self._reading.history
        if appended.duplicate:
            was = await self._at(appended.seq, order.id)
            # `at` tells, to the microsecond, whether it is this very order, sent twice before the log acknowledged it
            if was.order != order:
                if request.idempotency_key is None:
                    return self._replayed(Caller(order.by), order.id, appended.seq)
                return self._again(request, Kept(was.order, was.seq, history, 0))
        if order.nonce:
            self._nonces.remember(order.by, order.nonce, at=order.created, now=self._wall())
        sites = self._settings().sites
        for item in order.items:
            self.counted.items.of(wanted_of(item, sites)[1].value).value += 1
        return Ordered(order.id, appended.seq, history, order.at, len(order.items))

    async def _at(self, seq: int, order_id: str) -> Past:
        for past in await self._log.history(limit=1, before=seq + 1):
            if past.order.id == order_id:
                return past
        raise LogUnavailable(f"it has the order {order_id} at {seq} and does not show it")

    def _again(self, request: PurgeRequest, known: Kept) -> Ordered | Declined:
        """The answer to a request whose Idempotency-Key was used."""
        was = known.order
        if (was.items, was.soft, was.note) != (request.items, request.soft, request.note):
            detail = "this Idempotency-Key has ordered another purge"
            where = "Idempotency-Key"
            return declined(Reason.IDEMPOTENCY_CONFLICT, detail, where, id=was.id, seq=known.seq)
        return Ordered(was.id, known.seq, known.history, was.at, len(was.items), repeated=True)

    def _id(self, request: PurgeRequest, caller: Caller) -> str:
        if request.idempotency_key is not None:
            return derived_id("i", caller.by, request.idempotency_key)
        return derived_id("n", caller.by, caller.nonce) if caller.nonce else self._new_id()

    # --- looking back ----------------------------------------------------------------------------------------------

    async def find(self, order_id: str, *, pages: int = 20) -> Kept | None:
        """The order of that id, wherever it was ordered; None = not among the last. LogUnavailable."""
        known = self.recent.get(order_id)
        before: int | None = None
        while known is None and pages > 0:
            page = await self._log.history(limit=RECALL_PAGE, before=before)
            for past in page:
                if past.order.id == order_id:
                    return Kept(past.order, past.seq, self._reading.history, 0)
            if not page:
                break
            before, pages = page[-1].seq, pages - 1
        return known


_NOBODY = Key("an allowed peer", Algorithm.ED25519, b"", NOBODYS_SCOPE)


def oversized(order: PurgeOrder) -> Declined | None:
    """Why the log does not take it; None = it fits, as one thing always does."""
    if len(order.items) > 1 and len(encode(order)) > MAX_BYTES:
        return declined(Reason.ORDER_TOO_LARGE, f"as an order it has more than {MAX_BYTES} bytes")
    return None


def derived_id(kind: str, by: str, said: str) -> str:
    """The id of an order that is the same wherever and however often it is asked for. kind: one letter."""
    named = b"%d:%b:%b" % (len(by.encode()), by.encode(), said.encode())
    return kind + blake2b(named, digest_size=16).hexdigest()


def renewed(nonces: Nonces, was: Policy, now_policy: Policy, now: float) -> Nonces:
    """The same nonces under a policy with another window. now: unix seconds.

    What the old policy let go may be young enough for the new one: everything created before that counts as seen.
    """
    window = was.max_age + was.skew
    longer = now_policy.max_age + now_policy.skew - window
    held = nonces.snapshot()
    remembered = tuple(one._replace(until=one.until + longer) for one in held.remembered)
    forgotten = now - window if held.horizon is None else max(held.horizon - was.max_age, now - window)
    horizon = forgotten + now_policy.max_age
    return Nonces(now_policy.max_age, now_policy.skew, was=UsedNonces(remembered, horizon))
