"""Who may send to an origin, who waits, and who is refused. PURE (a state machine; the time comes in as `now`).

Owns: `Budget`, the places at one origin and the queue before them, shared by all sites that use it.

Rules:
* Never more than `cap` places are held. (When the cap is lowered, those held stay until they are given back.)
* Every site that uses the origin has a share of the places by its weight, one at least. While it holds less than that, it
  comes before all who hold more than theirs, and within it clients come before refreshes in the background.
* What is left may be borrowed by anybody, clients before refreshes, who holds least for its weight first. Where several sites
  use the origin, borrowers leave an eighth of the places free: a place that was lent comes back only when its request ends, and
  a site that was quiet should not wait for another's storm to have an answer.
* The queue is shared in the same way: when it is full, the one who is refused is the last of the site that has most of it for
  its weight, and of that site a refresh before a client.
* Who has waited for as long as it may is refused, and never gets a place.
* Each ticket ends once: given back, or refused.

Borrowing is by what sites hold, not by turns: a site whose answers take a hundred times as long would hold all places in the
end if turns were equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

RESERVED: Final = 8
"""One in so many places is not lent."""


class Priority(Enum):
    """Who waits for the answer."""

    CLIENT = "client"
    BACKGROUND = "background"
    """Nobody: what is stale was served already."""


class Refusal(Enum):
    """Why a ticket ended without a place."""

    QUEUE_FULL = "queue-full"
    OVERDUE = "overdue"


class Stage(Enum):
    """Where a ticket is."""

    WAITING = "waiting"
    HELD = "held"
    OVER = "over"


@dataclass(slots=True, eq=False)
class Ticket:
    """One request. due: when it has waited long enough."""

    site: str
    priority: Priority
    due: float
    stage: Stage = Stage.WAITING


@dataclass(slots=True)
class Moves:
    """What has become of tickets that waited (or of the one that just asked)."""

    granted: list[Ticket] = field(default_factory=list)
    refused: list[tuple[Ticket, Refusal]] = field(default_factory=list)


@dataclass(slots=True)
class _Line:
    """One site. last: the number of its last grant, so that equals take turns."""

    held: int = 0
    last: int = 0
    clients: dict[Ticket, None] = field(default_factory=dict)
    background: dict[Ticket, None] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        return len(self.clients) + len(self.background)

    def of(self, priority: Priority) -> dict[Ticket, None]:
        return self.clients if priority is Priority.CLIENT else self.background

    def head(self) -> Ticket:
        return next(iter(self.clients or self.background))

    def tail(self) -> Ticket:
        return next(reversed(self.background or self.clients))


class Budget:
    """See the module. cap: at least 1. queue: tickets that may wait, 0 = none. weights: of all sites that use it."""

    __slots__ = ("_grants", "_lines", "_total_weight", "_weights", "cap", "held", "queue", "waiting")

    def __init__(self, cap: int, queue: int, weights: Mapping[str, int]) -> None:
        assert cap >= 1 and queue >= 0, (cap, queue)
        self.cap = cap
        self.queue = queue
        self.held = 0
        self.waiting = 0
        self._grants = 0
        self._lines: dict[str, _Line] = {}
        self.share_out(weights)

    def share_out(self, weights: Mapping[str, int]) -> None:
        """These sites use the origin. One that asks without being named has a weight of 1."""
        self._weights = dict(weights)
        self._total_weight = max(1, sum(weights.values()))

    def resize(self, cap: int, queue: int, now: float) -> Moves:
        """Other bounds."""
        assert cap >= 1 and queue >= 0, (cap, queue)
        self.cap, self.queue = cap, queue
        moves = Moves()
        self._grant(moves, now)
        self._shorten(moves)
        return moves

    def has_room(self, site: str) -> bool:
        """Whether a client of this site would get a place at once."""
        line = self._lines.get(site)
        return not (line and line.waiting) and self._may_take(site, line.held if line else 0)

    def ask(self, site: str, priority: Priority, due: float, now: float) -> tuple[Ticket, Moves]:
        """A place, now or later. The ticket's stage says whether it has one already; the moves tell of it too."""
        ticket = Ticket(site, priority, due)
        line = self._lines.get(site)
        if line is None:
            line = self._lines[site] = _Line()
        if not self.waiting and due > now and self._may_take(site, line.held):
            # Nobody to be fair to: what the long way comes to.
            self._hold(ticket, line)
            return ticket, Moves(granted=[ticket])
        line.of(priority)[ticket] = None
        self.waiting += 1
        moves = Moves()
        self._grant(moves, now)
        self._shorten(moves)
        return ticket, moves

    def give_back(self, ticket: Ticket, now: float) -> Moves:
        """A place is free again, or one that waited for it has left. Nothing happens when the ticket is over."""
        moves = Moves()
        line = self._lines.get(ticket.site)
        if ticket.stage is Stage.OVER or line is None:
            return moves
        if ticket.stage is Stage.HELD:
            self.held -= 1
            line.held -= 1
            ticket.stage = Stage.OVER
            self._tidy(ticket.site, line)
        else:
            self._remove(ticket)
        self._grant(moves, now)
        return moves

    def _remove(self, ticket: Ticket) -> None:
        """It waits no more."""
        line = self._lines[ticket.site]
        del line.of(ticket.priority)[ticket]
        self.waiting -= 1
        ticket.stage = Stage.OVER
        self._tidy(ticket.site, line)

    def _tidy(self, site: str, line: _Line) -> None:
        if not line.held and not line.waiting:
            del self._lines[site]

    def _share(self, site: str) -> float:
        return max(1.0, self.cap * self._weights.get(site, 1) / self._total_weight)

    def _is_within(self, site: str, held: int) -> bool:
        """Whether one place more is its own, not a borrowed one."""
        return held + 1 <= self._share(site)

    def _may_take(self, site: str, held: int) -> bool:
        free = self.cap - self.held
        if self._is_within(site, held) or len(self._weights) < 2:
            return free > 0
        return free > self.cap // RESERVED

    def _grant(self, moves: Moves, now: float) -> None:
        """Give out what is free."""
        while self.waiting and self.held < self.cap:
            best: tuple[tuple[int, float, int], str] | None = None
            for site in tuple(self._lines):
                line = self._drop_overdue(site, moves, now)
                if line is None or not line.waiting or not self._may_take(site, line.held):
                    continue
                rank = self._rank(site, line)
                if best is None or rank < best[0]:
                    best = rank, site
            if best is None:
                return
            self._give(self._lines[best[1]], moves)

    def _rank(self, site: str, line: _Line) -> tuple[int, float, int]:
        if self._is_within(site, line.held):
            group = 0
        else:
            group = 1 if line.clients else 2
        return group, (line.held + 1) / self._weights.get(site, 1), line.last

    def _drop_overdue(self, site: str, moves: Moves, now: float) -> _Line | None:
        """Refuse those in front who waited long enough; None when the site is not there any more."""
        line = self._lines[site]
        while line.waiting and line.head().due <= now:
            ticket = line.head()
            self._remove(ticket)
            moves.refused.append((ticket, Refusal.OVERDUE))
        return self._lines.get(site)

    def _give(self, line: _Line, moves: Moves) -> None:
        ticket = line.head()
        del line.of(ticket.priority)[ticket]
        self.waiting -= 1
        self._hold(ticket, line)
        moves.granted.append(ticket)

    def _hold(self, ticket: Ticket, line: _Line) -> None:
        ticket.stage = Stage.HELD
        self._grants += 1
        line.last = self._grants
        line.held += 1
        self.held += 1

    def _shorten(self, moves: Moves) -> None:
        """Refuse those for whom the queue has no room."""
        while self.waiting > self.queue:
            most = max(
                (name for name, line in self._lines.items() if line.waiting),
                key=lambda name: (self._lines[name].waiting / self._weights.get(name, 1), name),
            )
            ticket = self._lines[most].tail()
            self._remove(ticket)
            moves.refused.append((ticket, Refusal.QUEUE_FULL))
