"""A budget that one can wait at.

Owns: `Gate` and `Place`. Rules: a place is given back exactly once, whoever is cancelled and whenever: one that was granted in
the same moment in which its waiter gave up goes to the next. Who may pass, and in which order, is origin_shield.budget's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil

from edge.fill.upstream import HeldBack
from edge.semantics.reasons import Because
from origin_shield.budget import Budget, Moves, Priority, Refusal, Stage, Ticket

_BECAUSE = {
    Refusal.QUEUE_FULL: Because.ORIGIN_QUEUE_FULL,
    Refusal.OVERDUE: Because.ORIGIN_QUEUE_OVERDUE,
}


class Place:
    """The right to one request at the origin, until `leave`."""

    __slots__ = ("_gate", "_ticket")

    def __init__(self, gate: Gate, ticket: Ticket) -> None:
        self._gate = gate
        self._ticket = ticket

    def leave(self) -> None:
        """The request is over. Harmless when it has been said before."""
        self._gate.gives_back(self._ticket)


class Gate:
    """The gate of one origin. name: of the origin. mono: seconds."""

    def __init__(self, name: str, budget: Budget, mono: Callable[[], float]) -> None:
        self.budget = budget
        self._name = name
        self._mono = mono
        self._waiters: dict[Ticket, asyncio.Future[Refusal | None]] = {}

    def has_room(self, site: str) -> bool:
        """Whether a client's request would pass at once."""
        return self.budget.has_room(site)

    async def enter(self, site: str, priority: Priority, patience: float) -> Place:
        """A place, after `patience` seconds at most. Raises HeldBack; then nothing is held."""
        now = self._mono()
        ticket, moves = self.budget.ask(site, priority, now + patience, now)
        if ticket.stage is Stage.WAITING:
            self._waiters[ticket] = asyncio.get_running_loop().create_future()
        self._carry_out(moves)
        if ticket.stage is Stage.WAITING:
            await self._wait(ticket, patience)
        elif ticket.stage is Stage.OVER:
            raise self._refused(dict(moves.refused)[ticket], patience)
        return Place(self, ticket)

    def resize(self, cap: int, queue: int) -> None:
        """Other bounds, from now on."""
        self._carry_out(self.budget.resize(cap, queue, self._mono()))

    def gives_back(self, ticket: Ticket) -> None:
        """The end of a ticket, wherever it is."""
        self._carry_out(self.budget.give_back(ticket, self._mono()))

    async def _wait(self, ticket: Ticket, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                refusal = await self._waiters[ticket]
        except TimeoutError:
            self.gives_back(ticket)
            raise self._refused(Refusal.OVERDUE, patience) from None
        except BaseException:
            self.gives_back(ticket)
            raise
        finally:
            del self._waiters[ticket]
        if refusal is not None:
            raise self._refused(refusal, patience)

    def _carry_out(self, moves: Moves) -> None:
        if not self._waiters:
            return
        granted: list[tuple[Ticket, Refusal | None]] = [(ticket, None) for ticket in moves.granted]
        for ticket, refusal in (*granted, *moves.refused):
            waiter = self._waiters.get(ticket)
            if waiter is not None and not waiter.done():
                waiter.set_result(refusal)

    def _refused(self, refusal: Refusal, patience: float) -> HeldBack:
        return HeldBack(f"{self._name}: {refusal.value}", _BECAUSE[refusal], max(1, ceil(patience)))
