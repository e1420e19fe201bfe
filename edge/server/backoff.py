"""How long a worker that died waits for its next start. PURE.

Owns: `Backoff`. Rules: the first restart is at once, since most crashes are of one request; a worker that keeps dying is
started less and less often, so that it does not eat the machine, but never given up; one that lived for a while is
forgiven.
"""

from __future__ import annotations

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 30.0
FORGIVEN_SECONDS = 60.0


class Backoff:
    """Of one worker."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def pause(self, lived: float) -> float:
        """Seconds to wait after a life of `lived` seconds."""
        if lived >= FORGIVEN_SECONDS:
            self._next = FIRST_SECONDS
        pause, self._next = self._next, min(self._next * 4.0, LONGEST_SECONDS)
        return pause
