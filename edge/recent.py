"""`Recent`: a table that keeps what was used last, within a bound, at the price of a dictionary. PURE.

Owns: `Recent`. Two dictionaries: what is put goes into the young one; when that is full it becomes the old one, and what
was old is forgotten. What is found in the old one moves to the young one, so that whatever is asked for at least once in
`half` new entries stays. Where entries come from clients, who choose how long they are, the young one is full also by its
bytes. `young` may be read directly where a call costs too much; a miss there is then to be asked of `get`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most 2 * `half` entries, `half` of them at least the most recent ones.

    weigh: bytes of an entry with that key; None = all are small. half_bytes: at most twice this in all, one entry more at
    worst; fewer recent ones stay where they weigh more.
    """

    __slots__ = ("_half", "_half_bytes", "_old", "_weigh", "_weight", "young")

    def __init__(self, half: int, half_bytes: int = 0, weigh: Callable[[K], int] | None = None) -> None:
        assert half > 0, half
        assert (half_bytes > 0) is (weigh is not None), half_bytes
        self._half = half
        self._half_bytes = half_bytes
        self._weigh = weigh
        self._weight = 0
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What was put, None when nothing was, or too long ago."""
        found = self.young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep it, in place of what is there."""
        if key not in self.young:
            if len(self.young) >= self._half or (
                self._weigh is not None and self._weight >= self._half_bytes
            ):
                self._old, self.young, self._weight = self.young, {}, 0
            if self._weigh is not None:
                self._weight += self._weigh(key)
        self.young[key] = value

    def clear(self) -> None:
        """Forget all."""
        self.young, self._old, self._weight = {}, {}, 0

    def __len__(self) -> int:
        return len(self.young.keys() | self._old.keys())
