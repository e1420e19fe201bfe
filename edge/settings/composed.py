"""Kinds made of other kinds: a word or a value, arrays, sets, tables. PURE.

Rules: all elements are read, whatever is wrong with the first, and a fault says which element it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from edge.settings.kinds import Kind
from edge.settings.problems import Fault, Path, Refused, quoted, refused, shown

T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Or(Kind[T_co]):
    """A word with a meaning of its own, or else another kind's value."""

    word: str
    meaning: T_co
    kind: Kind[T_co]

    def read(self, value: object) -> T_co:
        """The word's meaning or the kind's value."""
        if value == self.word:
            return self.meaning
        try:
            return self.kind.read(value)
        except Refused as refusal:
            raise Refused(
                Fault(f.wrong, f"{f.instead}, or {quoted(self.word)}" if not f.at else f.instead, f.at)
                for f in refusal.faults
            ) from None

    def allowed(self) -> str:
        """Both."""
        return f"{self.kind.allowed()}, or {quoted(self.word)}"

    def write(self, value: object) -> str:
        """The word where it is meant."""
        return quoted(self.word) if value == self.meaning else self.kind.write(value)


@dataclass(frozen=True, slots=True)
class ListOf(Kind[tuple[T_co, ...]]):
    """An array, each element once. one: a single value may be written without the brackets."""

    item: Kind[T_co]
    max_items: int = 100
    min_items: int = 0
    one: bool = False

    def read(self, value: object) -> tuple[T_co, ...]:
        """The elements in their order."""
        if isinstance(value, str) and self.one:
            return (self.item.read(value),)
        if not isinstance(value, list):
            fix = f"write [{quoted(value)}]" if isinstance(value, str) else f"allowed: {self.allowed()}"
            raise refused(f"{shown(value)} is no array", fix)
        if not self.min_items <= len(value) <= self.max_items:
            raise refused(f"it has {len(value)} elements", f"allowed: {self.allowed()}")
        return tuple(read for _, read in self._elements(value))

    def _elements(self, value: list[object]) -> list[tuple[object, T_co]]:
        found: list[tuple[object, T_co]] = []
        faults: list[Fault] = []
        for index, element in enumerate(value):
            try:
                read = self.item.read(element)
            except Refused as refusal:
                faults += [Fault(f.wrong, f.instead, (index, *f.at)) for f in refusal.faults]
                continue
            if any(read == earlier for _, earlier in found):
                faults.append(Fault(f"{shown(element)} stands here twice", "leave one of them out", (index,)))
            found.append((element, read))
        if faults:
            raise Refused(faults)
        return found

    def allowed(self) -> str:
        """How many of what."""
        bare = "one, or " if self.one else ""
        return f"{bare}an array of {self.min_items} to {self.max_items}: {self.item.allowed()}"

    def write(self, value: object) -> str:
        """In brackets."""
        assert isinstance(value, tuple | frozenset), value
        return f"[{', '.join(self.item.write(element) for element in value)}]"


@dataclass(frozen=True, slots=True)
class SetOf(Kind[frozenset[T_co]]):
    """An array whose order does not matter."""

    items: ListOf[T_co]

    def read(self, value: object) -> frozenset[T_co]:
        """The elements."""
        return frozenset(self.items.read(value))

    def allowed(self) -> str:
        """How many of what."""
        return self.items.allowed()

    def write(self, value: object) -> str:
        """In brackets, sorted by how they are written."""
        assert isinstance(value, frozenset), value
        return f"[{', '.join(sorted(self.items.item.write(element) for element in value))}]"


@dataclass(frozen=True, slots=True)
class MapOf(Kind[Mapping[K, V]]):
    """A table whose keys are not known beforehand."""

    key: Kind[K]
    value: Kind[V]
    max_items: int = 100

    def read(self, value: object) -> Mapping[K, V]:
        """Immutable."""
        if not isinstance(value, dict):
            raise refused(f"{shown(value)} is no table", f"allowed: {self.allowed()}")
        if len(value) > self.max_items:
            raise refused(f"it has {len(value)} entries", f"allowed: {self.allowed()}")
        found: dict[K, V] = {}
        faults: list[Fault] = []
        for name, inner in value.items():
            at: Path = (name,)
            try:
                key = self.key.read(name)
                if key in found:
                    faults.append(
                        Fault("it stands here twice, spelled differently", "leave one of them out", at)
                    )
                found[key] = self.value.read(inner)
            except Refused as refusal:
                faults += [Fault(f.wrong, f.instead, at + f.at) for f in refusal.faults]
        if faults:
            raise Refused(faults)
        return MappingProxyType(found)

    def allowed(self) -> str:
        """What to what."""
        return f"a table of up to {self.max_items} entries; name: {self.key.allowed()}; value: {self.value.allowed()}"

    def write(self, value: object) -> str:
        """Inline."""
        assert isinstance(value, Mapping), value
        pairs = (f"{self.key.write(key)} = {self.value.write(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
