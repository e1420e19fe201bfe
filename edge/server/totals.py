"""The numbers of all workers as one, that never go back. PURE.

Owns: `Totals`. Rules: a counter of a node is the sum over all workers that there ever were: of one that ended, what it
last said is kept, since a sum that falls looks to Prometheus like a restart, and its whole height would be counted again.
A worker that does not answer is shown as it last was. Gauges are of those who answer. An answer of a worker that ended while
the others were waited for is late: what is known of it stands in the sums already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from edge.metrics import FamilySnapshot, Kind, Snapshot, merge


class Totals:
    """What is known of the workers' counters, over all their lives."""

    def __init__(self) -> None:
        self._last: dict[int, Snapshot] = {}
        self._gone: Snapshot = {}
        self._ends: Counter[int] = Counter()
        self._final: set[int] = set()

    def lives(self) -> Mapping[int, int]:
        """Which life each worker is in, for `together`: to be asked before they are."""
        return self._ends.copy()

    def last_words(self, index: int, said: Snapshot) -> None:
        """What a worker says that counts no more."""
        self._last[index] = said
        self._final.add(index)

    def ended(self, index: int) -> None:
        """A worker is gone; what it last said stays in the sums."""
        self._ends[index] += 1
        self._final.discard(index)
        last = self._last.pop(index, None)
        if last is not None:
            self._gone = merge((self._gone, _lasting(last)))

    def together(
        self, answers: Mapping[int, Snapshot], own: Snapshot, lives: Mapping[int, int] | None = None
    ) -> Snapshot:
        """The sums. answers: by worker. own: the supervisor's. lives: when they were asked; None = just now."""
        if lives is not None:
            answers = {
                index: self._last[index] if index in self._final else said
                for index, said in answers.items()
                if lives.get(index, 0) == self._ends[index]
            }
        silent = [_lasting(last) for index, last in self._last.items() if index not in answers]
        self._last.update(answers)
        return merge((*answers.values(), *silent, self._gone, own))


def _lasting(snapshot: Snapshot) -> Snapshot:
    """Without gauges, which say what is, not what was."""
    return {name: family for name, family in snapshot.items() if not _is_gauge(family)}


def _is_gauge(family: FamilySnapshot) -> bool:
    return family["kind"] == Kind.GAUGE.value
