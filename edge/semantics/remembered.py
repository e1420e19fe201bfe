"""What was made of an object, known by the object: for what is the same for many requests in a row. PURE.

Owns: `Remembered`. The parser gives equal field sections as one object (edge.wire.request), so what such a section becomes
on its way is made once and looked up by `is`: no hash of all its lines, no comparison. Rules: an object that something is
remembered of is held, so that no other can come to have its identity; it must never change; the oldest goes beyond the bound.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from edge.semantics.message import Fields

V = TypeVar("V")

REMEMBERED = 512
"""Sections that the parser remembers, and things made of such."""
REMEMBERED_BYTES = 4 * 1024
"""A section, or names and values of fields, of which something is remembered; larger ones are made up to fill the memory."""


class Remembered(Generic[V]):
    """At most `most` values, each by some fields and whatever else it was made of (hashable, compared by value).

    It is no `Recent`, which is sure to have only half of what it may hold: of 400 in turns it would find 44 %.
    """

    __slots__ = ("_held", "_most")

    def __init__(self, most: int = REMEMBERED) -> None:
        self._held: OrderedDict[tuple[int, object], tuple[Fields, V]] = OrderedDict()
        self._most = most

    def get(self, fields: Fields, more: object = None) -> V | None:
        """What was made of these very fields and that; None when it is not known."""
        held = self._held.get((id(fields), more))
        return None if held is None else held[1]

    def keep(self, fields: Fields, made: V, more: object = None) -> None:
        """`made` is what `get` gives from now on."""
        if sum([len(name) + len(value) for name, value in fields.lines]) > REMEMBERED_BYTES:
            return
        self._held[id(fields), more] = fields, made
        if len(self._held) > self._most:
            self._held.popitem(last=False)

    def __len__(self) -> int:
        return len(self._held)
