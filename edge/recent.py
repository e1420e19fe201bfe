"""`Recent`: a table that keeps what was used last, within a bound, at the price of a dictionary. PURE.

Owns: `Recent`. Two dictionaries: what is put goes into the young one; when that is full it becomes the old one, and what
was old is forgotten. What is found in the old one moves to the young one, so that whatever is asked for at least once in
`half` new entries stays. `young` may be read directly where a call costs too much; a miss there is then to be asked of `get`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most 2 * `half` entries, `half` of them at least the most recent ones."""

    __slots__ = ("_half", "_old", "young")

    def __init__(self, half: int) -> None:
        assert half > 0, half
        self._half = half
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
        if len(self.young) >= self._half and key not in self.young:
            self._old, self.young = self.young, {}
        self.young[key] = value

    def clear(self) -> None:
        """Forget all."""
        self.young, self._old = {}, {}

    def __len__(self) -> int:
        return len(self.young.keys() | self._old.keys())
