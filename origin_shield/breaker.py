"""When an origin that fails is left alone, and how it is found out that it works again. PURE.

Owns: `Breaker`, a state machine; the time comes in as `now`. Rules:

* CLOSED: everybody may pass. When enough requests of the window failed, it opens.
* OPEN: nobody may pass for a while; twice as long each time that it opens again without having been closed.
* HALF_OPEN: a few at a time may try. As many successes in a row close it, one failure opens it.
* What was sent before a change of state says nothing about what came after: its end is not counted.
* Who got a permit gives it back exactly once, also where nothing was learned (its client left), or the few places would be
  lost for good.

A success is a whole answer. But a long body must keep nobody waiting, so while the breaker is closed the head counts, and is
taken back when the body breaks off; a probe's counts once its body has come for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from edge.semantics.rules import BreakerRules
from origin_shield.window import Window


class State(Enum):
    """See the module."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


@dataclass(slots=True, eq=False)
class Permit:
    """Leave to send one request. turn: the breaker's when it was given. is_counted: as a success already."""

    turn: int
    heard_at: float | None = None
    """When the head of a good answer was there."""
    is_counted: bool = False
    is_out: bool = True


LONG_BODY: Final = 1.0
"""Seconds; a body that still comes after them is a long one, and what has come of it is success enough."""
_DOUBLINGS: Final = 20
"""More would be longer than any `rest_max`."""


class Breaker:
    """The breaker of one origin."""

    __slots__ = ("_opened", "_probes", "_state", "_successes", "_turn", "_until", "_window", "rules")

    def __init__(self, rules: BreakerRules) -> None:
        self.rules = rules
        self._window = Window(rules.window)
        self._state = State.CLOSED
        self._until = 0.0
        self._opened = 0
        """How often in a row."""
        self._turn = 0
        self._probes: set[Permit] = set()
        self._successes = 0

    def state(self, now: float) -> State:
        """As of now."""
        if self._state is State.OPEN and now >= self._until:
            self._change(State.HALF_OPEN)
        for permit in tuple(self._probes):
            if permit.heard_at is not None and now - permit.heard_at >= LONG_BODY:
                self._succeeded(permit)
        return self._state

    def allows(self, now: float) -> bool:
        """Whether `enter` would give a permit."""
        match self.state(now):
            case State.CLOSED:
                return True
            case State.HALF_OPEN:
                return len(self._probes) < self.rules.probes
            case State.OPEN:
                return False

    def enter(self, now: float) -> Permit | None:
        """A permit for one request, None = leave the origin alone."""
        if not self.allows(now):
            return None
        permit = Permit(self._turn)
        if self._state is State.HALF_OPEN:
            self._probes.add(permit)
        return permit

    def heard(self, permit: Permit, now: float) -> None:
        """The head of a good answer is there; its body comes."""
        permit.heard_at = now
        if self.state(now) is State.CLOSED and permit.turn == self._turn:
            permit.is_counted = True
            self._window.count(now, failed=False)

    def leave(self, permit: Permit, worked: bool | None, now: float) -> bool:
        """A permit comes back. worked: None = nothing was learned. True = this opened the breaker."""
        assert permit.is_out, "a permit comes back once"
        permit.is_out = False
        state = self.state(now)
        if permit.turn != self._turn:
            return False
        if state is State.CLOSED:
            return self._counted(permit, worked, now)
        if worked is False:
            return self._open(now)
        if worked:
            self._succeeded(permit)
        self._probes.discard(permit)
        return False

    def _counted(self, permit: Permit, worked: bool | None, now: float) -> bool:
        if permit.is_counted:
            if worked is False:
                self._window.turn(now)
        elif worked is not None:
            self._window.count(now, failed=not worked)
        return worked is False and self._judge(now)

    def _succeeded(self, probe: Permit) -> None:
        if probe not in self._probes:
            return  # it counted when its body turned out to be a long one
        self._probes.discard(probe)
        self._successes += 1
        if self._successes >= self.rules.probes:
            self._window.clear()
            self._opened = 0
            self._change(State.CLOSED)

    def rest(self, now: float) -> float:
        """Seconds until it may be worth while to ask again."""
        return max(0.0, self._until - now) if self.state(now) is State.OPEN else 0.0

    def _judge(self, now: float) -> bool:
        share = self.rules.share
        if share is None or self._window.counts(now)[0] < self.rules.requests:
            return False
        return self._window.share(now) >= share and self._open(now)

    def _open(self, now: float) -> bool:
        self._until = now + min(self.rules.rest * 2 ** min(self._opened, _DOUBLINGS), self.rules.rest_max)
        self._opened += 1
        self._change(State.OPEN)
        return True

    def _change(self, state: State) -> None:
        self._state = state
        self._turn += 1
        self._successes = 0
        self._probes.clear()
