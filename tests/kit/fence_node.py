"""A node of the fence's model: the product's purge table and fill table, and the four rules around them, each of which
can be left out. DESIGN section 4; docs/why/007-the-fence.md.

Owns: `Rules` and `Node`. A request is a generator that gives way wherever the product would wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.fill.table import FillTable, Follow, Lead, Lease, Outcome
from edge.semantics.decide import select
from edge.semantics.key import matches, nominate, primary_key, variant_digest
from edge.semantics.message import Fields, RequestHead
from edge.semantics.purge_table import Applied, PurgeTable, Standing, Verdict
from edge.semantics.stored import Selectors, StoredResponse
from edge.values import replace, value
from tests.kit.fence_world import Claim, Process, Steps, Wanted, World
from tests.kit.purges import PLAIN, VARY, keys_of

MAX_ROUNDS = 3
PATIENCE = 1e9


@dataclass(frozen=True, slots=True)
class Rules:
    """What a node does; all of it is the product, each one left out is a mutant."""

    need_travels: bool = True
    """1. A request to the next tier carries what its answer must be clean up to."""
    stamped_when_sent: bool = True
    """2. Not when the answer comes."""
    serves_what_it_vouches_for: bool = True
    """3. Else what an order names is deleted when the order is applied, and that is all."""
    joins_what_it_vouches_for: bool = True
    """4. A follower joins no fill that can't serve it."""
    followers_look: bool = True
    """4. And looks at what the fill brings."""
    looks_at_answers: bool = False
    """Whether the answer of the next tier is vouched for here, too, and else the origin is asked: in the product, but
    the four rules must do without."""
    soft_is_not_lifted: bool = True
    """Only what is clean is known to be clean up to `applied`."""
    unknown_stands_in: bool = False
    """What nobody vouches for is served where the next tier fails."""
    ready_when_caught_up: bool = True
    table: type[PurgeTable] = PurgeTable


@value(frozen=True, slots=True)
class Ask:
    """head: as it came. etag: the asker has that. need: of a tier; None = of a client."""

    wanted: Wanted
    head: RequestHead
    need: int
    etag: bytes | None = None


@value(frozen=True, slots=True)
class Answer:
    """fence: what the answer is clean up to. is_stale: it is not given out as fresh."""

    stored: StoredResponse
    fence: int
    is_stale: bool = False
    not_modified: bool = False


@dataclass(eq=False, slots=True)
class Fill:
    lease: Lease[Fill]
    is_done: bool = False
    answer: Answer | None = None

    def done(self) -> bool:
        return self.is_done


@dataclass(frozen=True, slots=True)
class Snapshot:
    applied: int
    floor: int
    orders: tuple[Applied, ...]


Store = dict[bytes, list[StoredResponse]]


@dataclass(eq=False)
class Node:
    """One worker. store: may be shared with another. clean: up to where its own looks at the store have got."""

    name: str
    world: World
    rules: Rules
    parent: Node | None
    store: Store
    max_items: int
    eagerness: float
    """How often it reads the log."""
    ready_at: int = 0
    """It takes requests once it has read up to there."""
    promised: list[Claim] = field(default_factory=list)
    """All that it ever acknowledged."""

    def __post_init__(self) -> None:
        self.saved = Snapshot(0, 0, ())
        self._start()

    def _start(self) -> None:
        self.table = self.rules.table(keys_of, self.max_items)
        self.fills = FillTable[Fill]()
        self.clean: dict[StoredResponse, int] = {}
        self.processes: list[Process] = []

    # -- the log --

    def read_one(self) -> bool:
        """The next message of the log; False at its end."""
        entry = self.world.log.after(self.table.applied)
        if entry is None:
            return False
        if entry.begins:
            self.table.begin(entry.position)
            self.world.seen["begin"] += 1
            return True
        if entry.position != self.table.applied + 1:
            self.world.seen["gap"] += 1
            self.table.begin(entry.position - 1)
        if entry.order is None:
            self.table.advance(entry.position)
            return True
        self.table.apply(entry.order, entry.position)
        assert entry.claim is not None
        self.promised.append(entry.claim)
        if not self.rules.serves_what_it_vouches_for and not entry.order.soft:
            for held in self.store.values():
                held[:] = [each for each in held if not entry.claim.names(self.world.truth[each.body_id])]
        return True

    def save(self) -> None:
        self.saved = Snapshot(self.table.applied, self.table.floor, tuple(self.table.orders))

    def restart(self) -> None:
        """Whatever was under way here is gone; what is on the disk is not."""
        for process in self.processes:
            process.is_done, process.result = True, None
        self._start()
        if self.saved.applied:
            self.table.restore(self.saved.applied, self.saved.floor, self.saved.orders)
        if self.rules.ready_when_caught_up:
            self.ready_at = self.world.log.end

    @property
    def is_ready(self) -> bool:
        return self.table.applied >= self.ready_at

    # -- a request --

    def spawn(self, steps: Steps) -> Process:
        process = Process(steps)
        self.processes.append(process)
        return process

    def client(self, wanted: Wanted) -> Steps:
        promised = list(self.promised)
        fields = Fields(((b"Accept-Encoding", wanted.encoding),))
        head = RequestHead(b"GET", wanted.authority, wanted.resource.path, fields)
        answer = yield from self.handle(Ask(wanted, head, self.table.applied))
        if answer is not None:
            content = self.world.truth[answer.stored.body_id]
            self.world.compare(content, promised, as_fresh=not answer.is_stale, who=self.name)

    def handle(self, ask: Ask) -> Steps:
        """An Answer, None = it failed."""
        key = primary_key(ask.head.authority, ask.head.target, PLAIN)
        while self.table.applied < ask.need and self.world.likely(0.3) and self.read_one():
            yield None
        for round_ in range(MAX_ROUNDS + 1):
            stored, verdict = self._look(key, ask)
            validating = fallback = None
            if stored is not None:
                is_fresh = self.world.likely(0.7)
                if verdict.standing is Standing.VOUCHED and is_fresh:
                    self.world.seen["hit"] += 1
                    return self._served(stored, ask, is_stale=False)
                if verdict.standing is Standing.SOFT and self.world.likely(0.5):
                    self.world.seen["soft hit"] += 1
                    self._refresh(key, ask, stored)
                    return self._served(stored, ask, is_stale=True)
                validating = stored
                if verdict.standing is not Standing.UNKNOWN or self.rules.unknown_stands_in:
                    fallback = stored
            alone = round_ == MAX_ROUNDS
            answer = yield from self._forward(key, ask, validating, fallback, alone=alone)
            if answer is not None:
                return self._to(ask, answer)
            yield None
        return None

    def _standing(self, stored: StoredResponse, need: int) -> Verdict:
        clean = max(stored.fence, self.clean.get(stored, 0))
        verdict = self.table.standing(stored, clean, need, VARY)
        self.world.seen[verdict.standing.value] += 1
        if verdict.standing is Standing.VOUCHED or (
            verdict.standing is Standing.SOFT and not self.rules.soft_is_not_lifted
        ):
            self.clean[stored] = max(clean, self.table.applied)
        return verdict

    def _look(self, key: bytes, ask: Ask) -> tuple[StoredResponse | None, Verdict]:
        """The stored response that would answer, and what is known of it. What is gone is no candidate."""
        held = self.store.get(key, [])
        if not self.rules.serves_what_it_vouches_for:
            return select(ask.head, held, VARY), Verdict(Standing.VOUCHED)
        known = {each: self._standing(each, ask.need) for each in held}
        left = [each for each in held if known[each].standing is not Standing.HARD]
        found = select(ask.head, left, VARY)
        return found, known[found] if found is not None else Verdict(Standing.VOUCHED)

    def _served(self, stored: StoredResponse, ask: Ask, *, is_stale: bool) -> Answer:
        fence = max(stored.fence, self.clean.get(stored, 0))
        return self._to(ask, Answer(stored, fence, is_stale))

    @staticmethod
    def _to(ask: Ask, answer: Answer) -> Answer:
        return replace(answer, not_modified=ask.etag == answer.stored.validators.etag)

    # -- fills --

    def _forward(
        self,
        key: bytes,
        ask: Ask,
        validating: StoredResponse | None,
        fallback: StoredResponse | None,
        *,
        alone: bool,
    ) -> Steps:
        """An Answer, None = look again."""
        if not alone:
            joined = self.fills.join(
                key,
                self._variant(ask, key),
                fence=self._stamp(ask.need),
                vouches=self._vouches(key, ask),
                now=0.0,
                patience=PATIENCE,
            )
            if isinstance(joined, Follow):
                return (yield from self._follow(joined.lease, ask))
            assert isinstance(joined, Lead)
            lease = joined.lease
        else:
            lease = self.fills.lead_alone(key, fence=self._stamp(ask.need))
        fill = lease.fill = Fill(lease)
        self.spawn(self._fetch(fill, ask, validating, fallback))
        yield fill.done
        return self._as_seen_here(fill.answer, ask)

    def _follow(self, lease: Lease[Fill], ask: Ask) -> Steps:
        self.world.seen["followed"] += 1
        fill = lease.fill
        assert fill is not None
        yield fill.done
        self.fills.leave(lease)
        answer = fill.answer
        if answer is None or not matches(answer.stored.nominated, ask.head, VARY):
            return None
        if not self.rules.followers_look:
            return answer
        standing = self.table.standing(answer.stored, answer.fence, ask.need, VARY).standing
        if standing in {Standing.HARD, Standing.UNKNOWN}:
            self.world.seen["followed in vain"] += 1
            return None
        return self._as_seen_here(answer, ask)

    def _as_seen_here(self, answer: Answer | None, ask: Ask) -> Answer | None:
        """What the next tier gave out as stale may be known as stale here."""
        if answer is None:
            return None
        verdict = self.table.standing(answer.stored, answer.fence, ask.need, VARY)
        return replace(answer, is_stale=answer.is_stale or verdict.standing is Standing.SOFT)

    def _refresh(self, key: bytes, ask: Ask, stored: StoredResponse) -> None:
        lease = self.fills.lead_if_idle(
            key,
            self._variant(ask, key),
            fence=self._stamp(ask.need),
            vouches=self._vouches(key, ask),
            now=0.0,
            patience=PATIENCE,
        )
        if lease is not None:
            lease.fill = Fill(lease)
            self.spawn(self._fetch(lease.fill, ask, stored, stored))

    def _stamp(self, need: int) -> int:
        return max(self.table.applied, need)

    def _vouches(self, key: bytes, ask: Ask) -> Callable[[int], bool]:
        if not self.rules.joins_what_it_vouches_for:
            return lambda _fence: True
        named = Selectors(ask.wanted.resource.site, ask.head.authority, ask.head.target)
        return lambda fence: self.table.vouches_unseen(key, named, fence, ask.need)

    def _variant(self, ask: Ask, key: bytes) -> bytes:
        held = self.store.get(key)
        vary = held[0].head.fields.all(b"vary") if held else ()
        nominated = nominate(vary, ask.head, VARY)
        return variant_digest(nominated) if nominated else b""

    def _fetch(
        self, fill: Fill, ask: Ask, validating: StoredResponse | None, fallback: StoredResponse | None
    ) -> Steps:
        """One fill, from waiting for a connection to its outcome."""
        yield None
        answer = yield from self._asked_of_the_next_tier(fill, ask, validating)
        if answer is not None and self.rules.looks_at_answers and answer.fence < ask.need:
            verdict = self.table.standing(answer.stored, answer.fence, ask.need, VARY)
            if verdict.standing in {Standing.HARD, Standing.UNKNOWN}:
                self.world.seen["past the next tier"] += 1
                answer = yield from self._asked_of_the_origin(fill, ask, None)
        if answer is None and fallback is not None:
            self.world.seen["stale if error"] += 1
            answer = Answer(fallback, fallback.fence, is_stale=True)
        elif answer is not None:
            answer = self._kept(answer, fill, validating)
        fill.answer, fill.is_done = answer, True
        self.fills.settle(fill.lease, Outcome.FAILED if answer is None else Outcome.COMPLETE)

    def _asked_of_the_next_tier(self, fill: Fill, ask: Ask, validating: StoredResponse | None) -> Steps:
        parent = self.parent
        if parent is None or not parent.is_ready or self.world.likely(0.05):
            return (yield from self._asked_of_the_origin(fill, ask, validating))
        fence = self._stamp(ask.need)
        self.fills.stamp(fill.lease, fence)
        yield None
        etag = validating.validators.etag if validating is not None else None
        need = fence if self.rules.need_travels else 0
        asked = parent.spawn(parent.handle(Ask(ask.wanted, ask.head, need, etag)))
        yield asked.done
        yield None
        return asked.result

    def _asked_of_the_origin(self, fill: Fill, ask: Ask, validating: StoredResponse | None) -> Steps:
        fence = self._stamp(ask.need)
        self.fills.stamp(fill.lease, fence)
        yield None
        if not self.world.origin.is_up:
            return None
        content = self.world.origin.content(ask.wanted)
        etag = validating.validators.etag if validating is not None else None
        yield None
        if not self.rules.stamped_when_sent:
            fence = self._stamp(ask.need)
        self.world.seen["from the origin"] += 1
        stored = self.world.stored(ask.head, content)
        return Answer(stored, fence, not_modified=stored.validators.etag == etag)

    def _kept(self, answer: Answer, fill: Fill, validating: StoredResponse | None) -> Answer:
        """Stored with the fence that came with it; a 304 freshens what it validated, if that is still there."""
        held = self.store.setdefault(fill.lease.key, [])
        if answer.not_modified and validating is not None:
            self.world.seen["304"] += 1
            fresh = replace(validating, fence=answer.fence)
            if validating in held:
                held[held.index(validating)] = fresh
            return replace(answer, stored=fresh, not_modified=False)
        stored = replace(answer.stored, fence=answer.fence)
        held[:] = [each for each in held if each.nominated != stored.nominated]
        held.append(stored)
        return replace(answer, stored=stored, not_modified=False)
