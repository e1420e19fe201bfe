"""How many further tries there may be in all. PURE.

Owns: `RetryBudget`. Rules: in any ten seconds there are no more retries than a share of the requests, or a small number where
there are few requests. A count per request multiplies the load of an origin just when all of its answers fail: three tries are
three times the load. A share of a fifth is a fifth more, however bad it gets. (Finagle and Envoy count in this way; both allow
20 %.)
"""

from __future__ import annotations

from typing import Final

from edge.semantics.rules import RetryRules
from origin_shield.window import Window

WINDOW: Final = 10.0
"""Seconds."""


class RetryBudget:
    """The budget of one site in one worker. rules: may be replaced at any time."""

    __slots__ = ("_window", "rules")

    def __init__(self, rules: RetryRules) -> None:
        self.rules = rules
        self._window = Window(WINDOW)

    def request(self, now: float) -> None:
        """A request is sent for the first time."""
        self._window.count(now, failed=False)

    def take(self, now: float) -> bool:
        """Whether it may be sent once more; if so, that is counted."""
        requests, retries = self._window.counts(now)
        if retries + 1 > max(self.rules.minimum, self.rules.share * requests):
            return False
        self._window.turn(now)
        return True

    def spend(self, now: float) -> None:
        """One that was free of charge leaves less for the others."""
        self._window.turn(now)
