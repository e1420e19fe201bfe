"""How long to wait before the next try. PURE.

Owns: `Pauses`: each wait is twice as long as the last, up to a bound, and up to half as long again by chance, so that many
who lost the same server do not come back to it at once. Rules: what lived for a while is forgiven.
"""

from __future__ import annotations

FORGIVEN_SECONDS = 30.0


class Pauses:
    """shortest, longest: seconds, before chance."""

    def __init__(self, shortest: float, longest: float) -> None:
        assert 0.0 < shortest <= longest, f"{shortest} to {longest}"
        self._shortest = self._next = shortest
        self._longest = longest

    def next(self, chance: float, *, lived: float = 0.0) -> float:
        """Seconds to wait. chance: 0 to 1. lived: seconds for which the last try was good."""
        assert 0.0 <= chance <= 1.0, f"{chance} is no chance"
        if lived >= FORGIVEN_SECONDS:
            self._next = self._shortest
        pause, self._next = self._next, min(self._next * 2.0, self._longest)
        return pause * (1.0 + chance / 2.0)
