"""Who gets a place, who waits, who is refused: tables. The model of all that may happen is tests/models/test_budget.py."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from origin_shield.budget import RESERVED, Budget, Moves, Priority, Refusal, Stage, Ticket

DUE = 100.0


@dataclass
class Bench:
    """A budget under a script: "A" a client of site a asks, "a" its refresh; "+A" one place of site a comes back."""

    budget: Budget
    tickets: dict[str, Ticket] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def plays(self, script: str, now: float = 0.0) -> list[str]:
        """What was told of: "A1" got a place, "A1!" was refused since the queue is full, "A1?" since it waited too long."""
        self.told.clear()
        for word in script.split():
            if word.startswith("+"):
                self.note(self.budget.give_back(self._held(word[1:]), now))
            else:
                self._ask(word, now)
        return list(self.told)

    def held(self) -> dict[str, int]:
        """Places by site."""
        return dict(Counter(ticket.site for ticket in self.tickets.values() if ticket.stage is Stage.HELD))

    def _ask(self, word: str, now: float) -> None:
        self._numbers[word] = self._numbers.get(word, 0) + 1
        priority = Priority.CLIENT if word.isupper() else Priority.BACKGROUND
        ticket, moves = self.budget.ask(word.lower(), priority, now + DUE, now)
        self.tickets[f"{word}{self._numbers[word]}"] = ticket
        self.note(moves)

    def _held(self, word: str) -> Ticket:
        return next(
            ticket
            for name, ticket in self.tickets.items()
            if name.startswith(word) and ticket.stage is Stage.HELD
        )

    def name(self, ticket: Ticket) -> str:
        return next(name for name, known in self.tickets.items() if known is ticket)

    def note(self, moves: Moves) -> None:
        self.told += [self.name(ticket) for ticket in moves.granted]
        mark = {Refusal.QUEUE_FULL: "!", Refusal.OVERDUE: "?"}
        self.told += [self.name(ticket) + mark[refusal] for ticket, refusal in moves.refused]


def bench(cap: int, queue: int = 100, **weights: int) -> Bench:
    return Bench(Budget(cap, queue, weights or {"a": 1}))


@pytest.mark.parametrize(
    "cap,queue,script,told",
    [
        (2, 9, "A A A", "A1 A2"),
        (2, 9, "A A A +A", "A1 A2 A3"),
        (2, 9, "A A A A +A +A", "A1 A2 A3 A4"),
        (1, 9, "A a A +A", "A1 A2"),  # a client before a refresh that came before it
        (1, 9, "A a A +A +A", "A1 A2 a1"),
        (1, 1, "A A A", "A1 A3!"),
        (1, 1, "A a A", "A1 a1!"),  # a refresh is given up for a client
        (1, 1, "A A a", "A1 a1!"),
        (1, 0, "A A", "A1 A2!"),
    ],
)
def test_one_site_alone(cap: int, queue: int, script: str, told: str):
    assert bench(cap, queue).plays(script) == told.split()


def test_a_site_below_its_share_is_served_before_a_storm():
    on = bench(8, a=1, b=1)
    assert on.plays("A " * 50) == [f"A{n}" for n in range(1, 8)], "one place of eight is not lent"
    assert on.plays("B") == ["B1"]
    assert on.plays("B B") == []
    assert on.plays("+A +A") == ["B2", "B3"], "until it has its share, and then by turns"
    assert on.plays("B B B +A +A +A +A") == ["B4", "A8", "A9", "A10"]


def test_what_one_does_not_use_the_other_may():
    on = bench(10, a=1, b=4)
    on.plays("A " * 30)
    assert on.budget.held == 9
    assert on.plays("+A") == ["A10"]


def test_weights_count():
    on = bench(10, a=1, b=4)
    on.plays("A " * 30 + "B " * 30)
    on.plays("+A " * 7)
    assert on.held() == {"a": 2, "b": 8}
    on.plays("+A +B " * 10)
    assert on.held() == {"a": 2, "b": 8}


def test_a_slow_site_does_not_come_to_hold_everything():
    """Its answers never end; the other's end at once. By turns it would hold all places in the end."""
    on = bench(8, a=1, b=1)
    on.plays("A B " * 20)
    on.plays("+B B " * 50)
    assert on.held() == {"a": 4, "b": 4}


def test_even_a_refresh_of_a_site_below_its_share_comes_before_a_borrower():
    on = bench(4, a=1, b=1)
    on.plays("A A A A A b b")
    assert on.plays("+A") == ["b1"]


def test_among_borrowers_clients_come_first():
    on = bench(4, a=1, b=1, c=2)
    on.plays("A B A B a B")
    assert on.plays("+A") == ["B3"], "although its site holds more"


def test_borrowers_leave_a_reserve_where_several_use_the_origin():
    for cap in (4, 8, 16, 64):
        alone, shared = bench(cap, a=1), bench(cap, a=1, b=1)
        for on in (alone, shared):
            on.plays("A " * 100)
        assert (alone.budget.held, shared.budget.held) == (cap, cap - cap // RESERVED)
        assert not shared.budget.has_room("a")
        assert shared.budget.has_room("b") == (cap >= RESERVED)


def test_a_full_queue_refuses_the_one_who_has_most_of_it():
    on = bench(1, 4, a=1, b=1)
    assert on.plays("A A A A A") == ["A1"]
    assert on.plays("B") == ["A5!"]
    assert on.plays("B") == ["A4!"]
    assert on.plays("A") == ["A6!"]
    assert on.plays("a B") == ["a1!", "B3!"]


def test_by_weight():
    on = bench(1, 4, a=3, b=1)
    on.plays("A A A A")
    assert on.plays("B B A") == ["B2!", "A5!"]


def test_who_waited_long_enough_never_gets_a_place():
    on = bench(1)
    on.plays("A A")
    on.plays("A", now=50.0)
    assert on.plays("+A", now=DUE) == ["A3", "A2?"]
    assert on.budget.waiting == 0


def test_who_leaves_makes_room():
    on = bench(1, 1)
    on.plays("A A")
    assert on.budget.give_back(on.tickets["A2"], 0.0) == Moves()
    assert on.budget.waiting == 0
    assert on.plays("A +A") == ["A3"]


def test_a_place_comes_back_once():
    on = bench(1)
    on.plays("A A A")
    first = on.tickets["A1"]
    on.note(on.budget.give_back(first, 0.0))
    assert on.budget.give_back(first, 0.0) == Moves()
    assert on.budget.held == 1


def test_a_lower_cap_takes_nothing_away_and_a_higher_one_gives_at_once():
    on = bench(4)
    on.plays("A " * 8)
    assert on.budget.resize(2, 100, 0.0) == Moves()
    assert (on.budget.held, on.plays("+A +A"), on.plays("+A")) == (4, [], ["A5"])
    on.told.clear()
    on.note(on.budget.resize(3, 1, 0.0))
    assert on.told == ["A6", "A8!"]


def test_a_site_that_nobody_named_is_served_too():
    on = bench(2, a=1)
    assert on.plays("C A C +C") == ["C1", "A1", "C2"]
