"""Which of several origins are in service. PURE.

Owns: `Health` (one origin), `in_service` (of a site's origins, which). Rules:

* Failures in a row, or too large a share of them, eject an origin for a while; it comes back by itself. When it is ejected
  again soon after, it stays away twice as long.
* Checks that fail in a row take it out until as many as it needs succeed; those end an ejection too, for they are proof.
* No more than a share of a site's origins is passed over, first those that went first: when all seem to fail, the cause is
  elsewhere, and sending everything to the one that failed last finishes it.
* Who returns gets its share slowly: its caches are cold, and everybody waits for it.

A clock goes in as `now`; what is long past is reckoned when somebody asks, so no timer is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Final

from edge.semantics.rules import CheckRules, EjectionRules
from origin_shield.window import Window

WINDOW: Final = 10.0
"""Seconds over which the share of failures is reckoned."""
ENOUGH: Final = 20
"""Requests; the share of fewer proves nothing."""
LEAST: Final = 0.1
"""The share that one gets at once when it returns: with none it would never be seen to work."""
_DOUBLINGS: Final = 20


class Health:
    """What is known of one origin by those who judge by the same rules."""

    __slots__ = (
        "_checks",
        "_ejected_until",
        "_failures",
        "_is_down",
        "_level",
        "_out_since",
        "_returned",
        "_window",
        "check",
        "ejection",
    )

    def __init__(self, ejection: EjectionRules, check: CheckRules) -> None:
        self.ejection = ejection
        self.check = check
        self._window = Window(WINDOW)
        self._failures = 0
        """In a row."""
        self._checks = 0
        """Checks in a row that contradict `_is_down`; where they agree but it is ejected, that succeeded."""
        self._is_down = False
        """By checks."""
        self._ejected_until: float | None = None
        self._out_since: float | None = None
        self._returned: float | None = None
        self._level = 0
        """How often it was ejected again soon."""

    def worked(self, now: float) -> None:
        """A request was answered to its end."""
        self._failures = 0
        self._window.count(now, failed=False)

    def failed(self, now: float) -> bool:
        """One was not. True = it is ejected for it."""
        self._window.count(now, failed=True)
        self._failures += 1
        if self.is_out(now) or not self._is_too_much(now):
            return False
        self._eject(now)
        return True

    def checked(self, works: bool, now: float) -> bool:
        """A check's result. True = it is taken out for it."""
        was_out = self.is_out(now)
        counts = works if was_out else not works
        self._checks = self._checks + 1 if counts else 0
        if works and was_out and self._checks >= self.check.up_after:
            self._is_down = False
            self._come_back(now)
        elif not works and not self._is_down and not was_out and self._checks >= self.check.down_after:
            self._is_down = True
            self._checks = 0
            self._go(now)
            return True
        return False

    def is_out(self, now: float) -> bool:
        """Whether it should be passed over."""
        until = self._ejected_until
        if until is not None and now >= until:
            self._ejected_until = None
            if not self._is_down:
                self._come_back(until)
        return self._out_since is not None

    def out_since(self, now: float) -> float | None:
        """When it went out, None = it is in."""
        return self._out_since if self.is_out(now) else None

    def share(self, now: float) -> float:
        """Of what it would get otherwise: less than 1 for a while after it returned."""
        if self.is_out(now):
            return LEAST  # where it is asked nevertheless
        if self._returned is None:
            return 1.0
        passed = now - self._returned
        if passed >= self.ejection.slow_start:
            return 1.0
        return max(LEAST, passed / self.ejection.slow_start)

    def _is_too_much(self, now: float) -> bool:
        rules = self.ejection
        if rules.failures is not None and self._failures >= rules.failures:
            return True
        if rules.share is None or self._window.counts(now)[0] < ENOUGH:
            return False
        return self._window.share(now) >= rules.share

    def _eject(self, now: float) -> None:
        rules = self.ejection
        soon = self._returned is not None and now - self._returned < rules.time_max
        self._level = min(self._level + 1, _DOUBLINGS) if soon else 0
        self._ejected_until = now + min(rules.time * 2**self._level, rules.time_max)
        self._go(now)

    def _go(self, now: float) -> None:
        if self._out_since is None:
            self._out_since = now
        self._checks = 0

    def _come_back(self, now: float) -> None:
        self._ejected_until = self._out_since = None
        self._returned = now
        self._failures = self._checks = 0
        self._window.clear()


def in_service(origins: Sequence[Health], max_share: float, now: float) -> tuple[bool, ...]:
    """Whether each is in service; of those that are out, no more than `max_share` of all are passed over."""
    since = [health.out_since(now) for health in origins]
    out = sorted((gone, at) for at, gone in enumerate(since) if gone is not None)
    passed_over = {at for _, at in out[: floor(max_share * len(origins) + 1e-9)]}
    return tuple(at not in passed_over for at in range(len(origins)))
