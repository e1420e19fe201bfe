"""The budget of places against a list of who asked: whatever comes, leaves, is late, or is given other bounds."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from origin_shield.budget import RESERVED, Budget, Moves, Priority, Refusal, Stage, Ticket

WEIGHTS = {"a": 1, "b": 2, "c": 5}
sites = st.sampled_from(sorted(WEIGHTS))
caps, queues = st.integers(1, 20), st.integers(0, 6)


class BudgetModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(4, 4, WEIGHTS)
        self.now = 0.0
        self.tickets: list[Ticket] = []
        self.ended: set[Ticket] = set()

    # -- what the model says --

    def of(self, stage: Stage, site: str | None = None) -> list[Ticket]:
        return [t for t in self.tickets if t.stage is stage and site in {None, t.site}]

    def share(self, site: str) -> float:
        return max(1.0, self.budget.cap * WEIGHTS[site] / sum(WEIGHTS.values()))

    def is_within(self, site: str) -> bool:
        return len(self.of(Stage.HELD, site)) + 1 <= self.share(site)

    def learned(self, moves: Moves, held_before: int) -> None:
        for ticket in moves.granted:
            assert ticket.stage is Stage.HELD and ticket.due > self.now
        assert not moves.granted or held_before + len(moves.granted) <= self.budget.cap
        for ticket, refusal in moves.refused:
            assert ticket.stage is Stage.OVER and ticket not in self.ended
            assert refusal is Refusal.QUEUE_FULL or ticket.due <= self.now
            self.ended.add(ticket)

    # -- what happens --

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(site=sites, priority=st.sampled_from(Priority), patience=st.floats(0.5, 9))
    def one_asks(self, site: str, priority: Priority, patience: float) -> None:
        had_room, held = self.budget.has_room(site), self.budget.held
        was_within, was_idle = self.is_within(site), not self.of(Stage.WAITING, site)
        ticket, moves = self.budget.ask(site, priority, self.now + patience, self.now)
        self.tickets.append(ticket)
        self.learned(moves, held)
        if was_within and was_idle and held < self.budget.cap:
            assert had_room and ticket.stage is Stage.HELD, "no storm keeps a site from its share"
        if had_room:
            assert ticket.stage is Stage.HELD
        elif was_idle:
            assert ticket.stage is not Stage.HELD

    @precondition(lambda self: self.of(Stage.HELD))
    @rule(data=st.data())
    def a_place_comes_back(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.of(Stage.HELD)))
        held = self.budget.held - 1
        entitled = {
            t.site
            for t in self.of(Stage.WAITING)
            if t.due > self.now
            and len(self.of(Stage.HELD, t.site)) - (t.site == ticket.site) + 1 <= self.share(t.site)
        }
        clients = {
            t.site for t in self.of(Stage.WAITING) if t.priority is Priority.CLIENT and t.due > self.now
        }
        moves = self.budget.give_back(ticket, self.now)
        self.ended.add(ticket)
        self.learned(moves, held)
        if entitled and held < self.budget.cap:
            assert moves.granted[0].site in entitled, "who has less than its share comes first"
        for granted in moves.granted[:1]:
            if granted.priority is Priority.BACKGROUND:
                assert granted.site not in clients, "a site's clients come before its refreshes"
                assert granted.site in entitled or not clients

    @precondition(lambda self: self.of(Stage.WAITING))
    @rule(data=st.data())
    def one_leaves(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.of(Stage.WAITING)))
        held = self.budget.held
        moves = self.budget.give_back(ticket, self.now)
        self.ended.add(ticket)
        self.learned(moves, held)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def an_end_is_told_again(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.ended, key=self.tickets.index)))
        assert self.budget.give_back(ticket, self.now) == Moves()

    @rule(cap=caps, queue=queues)
    def other_bounds_come(self, cap: int, queue: int) -> None:
        held = self.budget.held
        self.learned(self.budget.resize(cap, queue, self.now), held)

    # -- what always holds --

    @invariant()
    def the_counts_are_right(self) -> None:
        assert self.budget.held == len(self.of(Stage.HELD))
        assert self.budget.waiting == len(self.of(Stage.WAITING)) <= self.budget.queue

    @invariant()
    def no_place_is_idle_while_somebody_waits_who_may_have_it(self) -> None:
        free = self.budget.cap - self.budget.held
        for ticket in self.of(Stage.WAITING):
            if ticket.due > self.now:
                assert free <= (0 if self.is_within(ticket.site) else self.budget.cap // RESERVED)


TestBudget = BudgetModel.TestCase
TestBudget.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
