"""Which nodes there are, and how far each has come. PURE (`now`: monotonic seconds). DESIGN section 4.

Owns: `Registry`, and the receipts that are made of it. Rules:
* A node is live while it was heard within LIVE_SECONDS, then it is away: known and silent. After FORGET_SECONDS it is
  forgotten; one that says it is leaving, at once. A restart (another instance) takes the place of what was known.
* A node has applied an order iff it was heard to say so: in the same history, up to that order or further. Nothing is
  concluded from silence, from another history, or from what a former instance of the node said.
* Two nodes that use one name would speak for each other. An instance that is heard again after another took its place
  gives them away: such a name is contested, and never counts as having applied anything.
* A receipt is of those that are live. Who has listened for less than a period cannot know who is live (`surveyed`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from edge.fleet.presence import Presence

LIVE_SECONDS = 3.5
"""Three messages may be lost, or the loop at either end may stand still for that long."""
FORGET_SECONDS = 3600.0
CONTESTED_SECONDS = 10.0
"""How long a name stays contested after both were heard: each is heard once a second."""
MAX_NODES = 10_000
MAX_FORMER = 8
"""Instances of one node that are remembered; as many nodes with one name are told from restarts."""
MAX_STEPS = 32
"""Moves of one node that are remembered, so that a receipt can say when an order arrived there; a move a second at least."""


class Heard(Enum):
    """What became of a message."""

    NEW = "new"
    """A node that was not known, or a new instance of one."""
    KNOWN = "known"
    LEFT = "left"
    CONTESTED = "contested"
    """Another instance with the same name is alive too."""
    FULL = "full"
    """More nodes than can be known, all of them live."""


@dataclass(slots=True)
class Member:
    """A node as it was last heard. steps: (applied, when it first said so), oldest first, of the history it is in."""

    presence: Presence
    heard_at: float
    former: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_FORMER))
    """The instances before this one, oldest first."""
    contested_at: float | None = None
    steps: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=MAX_STEPS))

    def is_live(self, now: float) -> bool:
        """Whether it was heard just now."""
        return now - self.heard_at <= LIVE_SECONDS

    def is_contested(self, now: float) -> bool:
        """Whether two nodes have its name."""
        return self.contested_at is not None and now - self.contested_at <= CONTESTED_SECONDS

    def has_applied(self, seq: int, history: str, now: float) -> bool:
        """Whether it is known to have an order in force."""
        return self.presence.has_applied(seq, history) and not self.is_contested(now)

    def applied_at(self, seq: int) -> float | None:
        """When it was first heard to have applied an order; None when that is longer ago than is remembered."""
        before = False
        for applied, at in self.steps:
            if applied >= seq:
                return at if before else None  # of the first, only that it came no later is known
            before = True
        return None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A node that has applied it. at: monotonic seconds at which we heard so, None = longer ago than is remembered."""

    node: str
    region: str
    at: float | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A node that has not been heard to have applied it.

    applied: how far it is; history: in which history. silent: seconds since it was last heard.
    """

    node: str
    region: str
    applied: int
    history: str
    silent: float
    contested: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Nodes of one region, by how they stand to one order."""

    region: str
    applied: int = 0
    pending: int = 0
    away: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """How one order stands. region: of which region alone, None = everywhere. Each by name.

    applied: live or away, they said so. pending: live and did not. away: silent and did not, before they fell silent.
    surveyed: we have listened for long enough to know who is there.
    """

    seq: int
    history: str
    region: str | None
    applied: tuple[Acknowledged, ...]
    pending: tuple[Missing, ...]
    away: tuple[Missing, ...]
    surveyed: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether every node that is live has applied it. Those away were not asked: they catch up before they serve."""
        return self.surveyed and bool(self.applied) and not self.pending

    def regions(self) -> tuple[Progress, ...]:
        """The same, counted by region, by name."""
        applied, pending, away = (
            Counter(node.region for node in nodes) for nodes in (self.applied, self.pending, self.away)
        )
        regions = sorted(applied.keys() | pending.keys() | away.keys())
        return tuple(Progress(region, applied[region], pending[region], away[region]) for region in regions)


class Registry:
    """See the module."""

    def __init__(self, *, max_nodes: int = MAX_NODES) -> None:
        self._max_nodes = max_nodes
        self._members: dict[str, Member] = {}
        """In the order in which they were last heard."""

    def __len__(self) -> int:
        return len(self._members)

    def hear(self, presence: Presence, now: float) -> Heard:
        """Take what a node says of itself."""
        name = presence.node
        known = self._members.get(name)
        if presence.leaving:
            if known is not None and known.presence.instance == presence.instance:
                del self._members[name]
            return Heard.LEFT
        if known is None:
            if len(self._members) >= self._max_nodes and not self._make_room(now):
                return Heard.FULL
            self._members[name] = _step(Member(presence, now), now)
            return Heard.NEW
        del self._members[name]
        self._members[name] = known
        if presence.instance != known.presence.instance:
            return self._succeed(known, presence, now)
        moved = presence.applied != known.presence.applied
        if presence.history != known.presence.history or presence.applied < known.presence.applied:
            known.steps.clear()
        known.presence, known.heard_at = presence, now
        if moved or not known.steps:
            _step(known, now)
        return Heard.CONTESTED if known.is_contested(now) else Heard.KNOWN

    def _succeed(self, member: Member, presence: Presence, now: float) -> Heard:
        returned = presence.instance in member.former
        member.former.append(member.presence.instance)
        member.presence, member.heard_at = presence, now
        member.steps.clear()
        _step(member, now)
        if returned:
            member.contested_at = now
            return Heard.CONTESTED
        return Heard.NEW

    def _make_room(self, now: float) -> bool:
        """Forget the one that was silent longest, if any is."""
        name, member = next(iter(self._members.items()))
        if member.is_live(now):
            return False
        del self._members[name]
        return True

    def forget(self, now: float) -> tuple[str, ...]:
        """Those that were silent for too long; to be called now and then."""
        gone = []
        for name, member in self._members.items():
            if now - member.heard_at <= FORGET_SECONDS:
                break
            gone.append(name)
        for name in gone:
            del self._members[name]
        return tuple(gone)

    def member(self, node: str) -> Member | None:
        """One node."""
        return self._members.get(node)

    def members(self) -> Iterator[Member]:
        """All that are known, by name."""
        return iter(sorted(self._members.values(), key=lambda member: member.presence.node))

    def live(self, now: float) -> int:
        """How many are."""
        count = 0
        for member in reversed(self._members.values()):
            if not member.is_live(now):
                break
            count += 1
        return count

    def receipt(
        self, seq: int, history: str, region: str | None, now: float, *, surveyed: bool = True
    ) -> Receipt:
        """How an order stands. surveyed: whether the caller has listened for long enough."""
        applied: list[Acknowledged] = []
        pending: list[Missing] = []
        away: list[Missing] = []
        for member in self.members():
            said = member.presence
            if region is not None and said.region != region:
                continue
            if member.has_applied(seq, history, now):
                applied.append(Acknowledged(said.node, said.region, member.applied_at(seq)))
                continue
            contested = member.is_contested(now)
            silent = max(0.0, now - member.heard_at)
            missing = Missing(said.node, said.region, said.applied, said.history, silent, contested)
            (pending if member.is_live(now) else away).append(missing)
        return Receipt(seq, history, region, tuple(applied), tuple(pending), tuple(away), surveyed)


def _step(member: Member, now: float) -> Member:
    member.steps.append((member.presence.applied, now))
    return member
