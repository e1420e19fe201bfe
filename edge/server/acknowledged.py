"""How far a node has applied the purge log, all its processes together. PURE. DESIGN section 4.

Owns: `Acknowledged`. Rule: what is said to others holds for every request that any process of the node gets from then on.
So it is the least of all that read the log: the supervisor (what it has read is what a starting worker begins with), and
every worker from the moment before its process is started until it is known to have ended. A worker that has not caught
up yet holds it where it is; one that is gone serves nobody and holds nothing. It never goes back in one history of the
log: whoever joins later has caught up with all that was said before.
"""

from __future__ import annotations

from edge.server.orders import Applied

_NOT_YET = Applied(history="", seq=0, caught_up=False, proven_at=None)


class Acknowledged:
    """See the module. history, seq: what holds now; "" and 0 = nothing yet."""

    def __init__(self) -> None:
        self.history = ""
        self.seq = 0
        self._own = _NOT_YET
        self._workers: dict[int, Applied] = {}

    def read(self, own: Applied) -> bool:
        """How far the supervisor is. Whether what holds moved; so do the others."""
        self._own = own
        return self._settle()

    def started(self, index: int) -> bool:
        """A worker's process is about to be started."""
        self._workers[index] = _NOT_YET
        return self._settle()

    def reported(self, index: int, applied: Applied) -> bool:
        """How far a worker is. What comes of one that has ended is too late, and means nothing."""
        if index not in self._workers:
            return False
        self._workers[index] = applied
        return self._settle()

    def ended(self, index: int) -> bool:
        """A worker's process is gone."""
        self._workers.pop(index, None)
        return self._settle()

    def all_caught_up(self, but: int | None = None) -> bool:
        """Whether every process has read all that there was. but: a worker that is being replaced, so that no client is
        sent to it; None = none is.
        """
        return self._own.caught_up and all(
            said.caught_up for index, said in self._workers.items() if index != but
        )

    def has_caught_up(self, index: int) -> bool:
        """Whether that worker lives and has read all that there was."""
        said = self._workers.get(index)
        return said is not None and said.caught_up

    @property
    def proven_at(self) -> float | None:
        """Monotonic seconds: all of them have read what was ordered before then. None = not known of all."""
        moments = [said.proven_at for said in (self._own, *self._workers.values())]
        known = [at for at in moments if at is not None]
        return min(known) if len(known) == len(moments) else None

    def _settle(self) -> bool:
        history = self._own.history
        if any(
            said.history != history or not said.caught_up for said in (self._own, *self._workers.values())
        ):
            return False
        seq = min(said.seq for said in (self._own, *self._workers.values()))
        if history == self.history and seq <= self.seq:
            return False
        moved = (history, seq) != (self.history, self.seq)
        self.history, self.seq = history, seq
        return moved
