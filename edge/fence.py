"""The fence, as the node uses it: what of the store may be trusted, and what travels between tiers. DESIGN section 4.

Owns: `Fence`: one worker's purge table, and what its reader of the log knows. Rules (docs/why/007-the-fence.md):
1. a request to the next tier carries `need`: the position that this node has applied, or what it was asked with itself;
2. what comes back is stamped with the position at which the request was *sent*, or that the next tier says;
3. a node serves from its store only what it vouches for;
4. who waits for a fill looks at what it brings as if it came from the store.
A node that has not heard the log for longer than a site allows trusts nothing of what that site has stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge.clock import Clock
from edge.exchange import Reply
from edge.fill.order import FENCE
from edge.semantics.decide import decide_reuse
from edge.semantics.decisions import Doubt, Forward, Reuse
from edge.semantics.message import RequestHead, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable, Standing
from edge.semantics.reasons import Because
from edge.semantics.rules import OnLogLoss, PurgeRules, SiteRules, VaryRules
from edge.semantics.stored import StoredResponse
from edge.settings.sites import SiteTable
from edge.values import replace

REACH_SECONDS = 0.25
"""How long a request from a tier that is ahead of us waits for us to catch up; a gap is filled in 0.3 to 40 ms."""

_NO_VARY = VaryRules()
_UNKNOWN = Doubt(Because.PURGE_UNKNOWN, may_stand_in=False)
"""It may be what a purge named that has been retired since: not even an error is answered with it."""
_LOST = {
    OnLogLoss.REVALIDATE: Doubt(Because.PURGE_LOG_LOST),
    OnLogLoss.SERVE: Doubt(Because.PURGE_LOG_LOST, is_served=True),
    OnLogLoss.REFUSE: Doubt(Because.PURGE_LOG_LOST, may_stand_in=False),
}


class LogReader(Protocol):
    """What reads the log into the table."""

    proven_at: float
    """Monotonic seconds: all that was ordered before then has been read. -inf = nothing is known yet."""
    suspended: bool
    """The log is not the one that was read before: nobody knows what it lost."""

    def token(self, position: int) -> bytes:
        """A position as other nodes understand it."""

    def position(self, token: bytes) -> int | None:
        """A position of another node; None when it belongs to another history than ours."""

    async def reach(self, position: int, seconds: float) -> bool:
        """Try to read the log up to there."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is stored for a key, as far as it may be used. candidates: without what is purged; soft-purged ones are stale.

    purged: something was left out. softened, doubts: by body_id.
    """

    candidates: tuple[StoredResponse, ...]
    purged: bool = False
    softened: frozenset[bytes] = frozenset()
    doubts: dict[bytes, Doubt] = field(default_factory=dict)

    def doubt_of(self, stored: StoredResponse) -> Doubt | None:
        """What stands against it."""
        return self.doubts.get(stored.body_id)


_NOTHING = Trusted(())


class Fence:
    """See the module. reader: None = there is no log, and nothing is ever doubted for want of it."""

    def __init__(self, table: PurgeTable, clock: Clock, reader: LogReader | None = None) -> None:
        self.table = table
        self.reader = reader
        self._clock = clock

    # -- positions --

    @property
    def applied(self) -> int:
        """All orders up to there are in force here."""
        return self.table.applied

    def stamp(self, need: int) -> int:
        """What a request that is sent now brings at least."""
        return max(self.table.applied, need)

    def token(self, position: int) -> bytes | None:
        """For the next tier or the one that asked; None = there is no log."""
        return None if self.reader is None else self.reader.token(position)

    def position(self, token: bytes | None) -> int | None:
        """What another tier said; None when it means nothing here."""
        if self.reader is None:
            return self.table.applied
        return None if token is None else self.reader.position(token)

    def marked(self, reply: Reply, stored: StoredResponse, need: int, rules: SiteRules) -> Reply:
        """The reply to a tier, with the position up to which what it carries is clean."""
        verdict = self.table.standing(stored, stored.fence, need, rules.vary)
        is_vouched = verdict.standing is Standing.VOUCHED
        token = self.token(max(self.table.applied, stored.fence) if is_vouched else stored.fence)
        if token is not None:
            reply.fields = reply.fields.with_set(FENCE, token)
        return reply

    async def reach(self, need: int) -> None:
        """Give ourselves a moment to come up to what the asker has applied."""
        if self.reader is not None and need > self.table.applied:
            await self.reader.reach(need, REACH_SECONDS)

    def take(self, order: PurgeOrder) -> None:
        """A purge that stands in no log, where there is none."""
        assert self.reader is None, "orders come from the log"
        self.table.apply(order, self.table.applied + 1)

    # -- trust --

    def lost(self, rules: PurgeRules) -> Doubt | None:
        """What stands against everything that a site has stored, since the log is silent; None while it is not."""
        reader = self.reader
        if reader is None or (
            self._clock.mono() - reader.proven_at <= rules.log_loss_after and not reader.suspended
        ):
            return None
        return _LOST[rules.on_log_loss]

    def vouches(self, stored: StoredResponse, need: int, rules: SiteRules) -> bool:
        """Whether a tier may have sent this for `need`: clean, or named by soft orders only."""
        standing = self.table.standing(stored, stored.fence, need, rules.vary).standing
        return standing in {Standing.VOUCHED, Standing.SOFT}

    def trusted(
        self,
        found: Sequence[tuple[StoredResponse, int]],
        need: int,
        rules: SiteRules,
        *,
        is_new: bool = False,
    ) -> Trusted:
        """found: what is stored, each with the position up to which it was found clean.

        is_new: it comes from the origin just now, so that a silent log is nothing against it.
        """
        if not found:
            return _NOTHING
        table, lost, now = self.table, None if is_new else self.lost(rules.purge), self._clock.now()
        candidates: list[StoredResponse] = []
        purged, softened, doubts = False, set[bytes](), dict[bytes, Doubt]()
        for stored, clean in found:
            verdict = table.standing(stored, max(clean, stored.fence), need, rules.vary)
            if verdict.standing is Standing.HARD:
                purged = True
                continue
            if verdict.standing is Standing.SOFT:
                softened.add(stored.body_id)
                # Of the clock of the node that took the order, which may be ahead of ours.
                candidates.append(soften(stored, min(verdict.since, now)))
            else:
                candidates.append(stored)
            # Tags and sites are purged by the site's name: under another one nobody can vouch for it.
            is_known = verdict.standing is not Standing.UNKNOWN and stored.selectors.site == rules.name
            doubt = lost if is_known else _UNKNOWN
            if doubt is not None:
                doubts[stored.body_id] = doubt
        return Trusted(tuple(candidates), purged, frozenset(softened), doubts)

    def judged(self, stored: StoredResponse, clean: int, sites: SiteTable) -> int | None:
        """Up to where it is clean as of now; None = it is gone for good (edge.store.sweep)."""
        rules = sites.named(stored.selectors.site)
        verdict = self.table.standing(stored, clean, 0, _NO_VARY if rules is None else rules.vary)
        if verdict.standing is Standing.HARD:
            return None
        return max(clean, self.table.applied) if verdict.standing is Standing.VOUCHED else clean

    def decide(
        self,
        head: RequestHead,
        found: Sequence[tuple[StoredResponse, int]],
        rules: SiteRules,
        need: int,
        now: UnixSeconds,
    ) -> tuple[Trusted, Reuse]:
        """`decide_reuse` on what may be trusted of `found` (as in `trusted`), and that."""
        trusted = self.trusted(found, need, rules)
        doubt_of = trusted.doubt_of if trusted.doubts else None
        return trusted, _explained(decide_reuse(head, trusted.candidates, rules, now, doubt_of), trusted)


def soften(stored: StoredResponse, since: float) -> StoredResponse:
    """`stored`, as if it had become stale at `since` (unix seconds) or when it did, whichever came first."""
    freshness = stored.freshness
    until = max(0.0, since - freshness.response_time + freshness.initial_age)
    if until >= freshness.lifetime:
        return stored
    return replace(stored, freshness=replace(freshness, lifetime=until))


def _explained(reuse: Reuse, trusted: Trusted) -> Reuse:
    """The same decision, with the purge named that led to it."""
    if not isinstance(reuse, Forward):
        return reuse
    if reuse.because is Because.NOTHING_STORED and trusted.purged:
        return replace(reuse, because=Because.PURGED)
    selected = reuse.validating[0] if reuse.validating else reuse.fallback
    if reuse.because is Because.EXPIRED and selected is not None and selected.body_id in trusted.softened:
        return replace(reuse, because=Because.SOFT_PURGED)
    return reuse
