"""Which certificate a client gets that names a server. PURE. RFC 6066 s3, RFC 9525 s6.3.

Owns: `NameTable`. Rules: the exact name wins, then the wildcard, whose star is one label and no more; a name stands once. What
clients without a name, or with one that nobody has, get is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class NameTable(Generic[T]):
    """Names, lower case, `*.example.org` allowed, to what is theirs; immutable."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[bytes, T] = {}
        self._wild: dict[bytes, T] = {}
        for name, owner in entries:
            said = name.encode("ascii")
            table, key = (self._wild, said[1:]) if said.startswith(b"*.") else (self._exact, said)
            assert key not in table, f"{name} stands twice"
            table[key] = owner

    def find(self, name: bytes) -> T | None:
        """Of a name in lower case, as a client sends it; None = it is nobody's."""
        found = self._exact.get(name)
        if found is not None:
            return found
        dot = name.find(b".")
        return self._wild.get(name[dot:]) if dot > 0 else None


def doubles(names: Mapping[str, Iterable[str]]) -> list[tuple[str, str, str]]:
    """(name, who has it first, who has it too). names: of each owner, in order."""
    first: dict[str, str] = {}
    return [
        (name, first[name], owner)
        for owner, said in names.items()
        for name in dict.fromkeys(said)
        if first.setdefault(name, owner) != owner
    ]
