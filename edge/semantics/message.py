"""The message as the cache sees it: fields, request head, response head. PURE.

Owns: the immutable values every other room passes around. Rules: names and values stay the bytes that came off the
wire (a name keeps its spelling, comparison is by lower case); nothing here parses bytes (edge.wire does) and nothing
here knows what a field means (the other semantics files do). RFC 9110 section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NewType

UnixSeconds = NewType("UnixSeconds", float)
"""Seconds since 1970-01-01T00:00:00Z, fractions allowed."""

Line = tuple[bytes, bytes]
"""(name as spelled, value without surrounding white space)."""


class Fields:
    """An immutable list of field lines with a look-up by lower-case name (RFC 9110 s5.3).

    `lines` keeps order, spelling and repetition, as they are sent on. Look-ups take the lower-case name.
    """

    __slots__ = ("_index", "lines")

    lines: tuple[Line, ...]
    _index: dict[bytes, list[bytes]]

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.lines = tuple(lines)
        index: dict[bytes, list[bytes]] = {}
        for name, value in self.lines:
            key = name.lower()
            held = index.get(key)
            if held is None:
                index[key] = [value]
            else:
                held.append(value)
        self._index = index

    @classmethod
    def indexed(cls, lines: tuple[Line, ...], index: dict[bytes, list[bytes]]) -> Fields:
        """From parts that a parser built in one pass; both must say the same and are owned by the result."""
        made = cls.__new__(cls)
        made.lines = lines
        made._index = index  # noqa: SLF001  # its own
        return made

    def get(self, name: bytes) -> bytes | None:
        """The first line's value, None when there is no such line. For fields that are single by definition."""
        held = self._index.get(name)
        return held[0] if held is not None else None

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """Every line's value in order, () when there is none."""
        held = self._index.get(name)
        return tuple(held) if held is not None else ()

    def combined(self, name: bytes) -> bytes | None:
        """All lines joined by ", " (RFC 9110 s5.3), None when there is none. Never for Set-Cookie."""
        held = self._index.get(name)
        if held is None:
            return None
        return held[0] if len(held) == 1 else b", ".join(held)

    def count(self, name: bytes) -> int:
        """How many lines carry that name."""
        held = self._index.get(name)
        return len(held) if held is not None else 0

    def names(self) -> Iterable[bytes]:
        """Lower-case names, each once."""
        return self._index.keys()

    def without(self, names: Iterable[bytes]) -> Fields:
        """A copy without every line whose lower-case name is in `names`; self when none is."""
        gone = set(names)
        if gone.isdisjoint(self._index):
            return self
        return Fields(line for line in self.lines if line[0].lower() not in gone)

    def with_set(self, name: bytes, value: bytes) -> Fields:
        """A copy in which `name` (as spelled) occurs exactly once, with that value, at the end."""
        return Fields((*self.without((name.lower(),)).lines, (name, value)))

    def with_added(self, *lines: Line) -> Fields:
        """A copy with these lines at the end, those that are there stay."""
        index = self._index.copy()  # the lists in it are shared, so they are replaced, never appended to
        for name, value in lines:
            key = name.lower()
            index[key] = [*index.get(key, ()), value]
        return Fields.indexed((*self.lines, *lines), index)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self.lines == other.lines

    def __hash__(self) -> int:
        return hash(self.lines)

    def __repr__(self) -> str:
        return f"Fields({list(self.lines)!r})"


EMPTY = Fields()


@dataclass(frozen=True, slots=True)
class Authority:
    """Scheme, host and port of a request's target URI (RFC 9110 s4.2, s7.2).

    scheme: b"http" or b"https". host: lower case, no port, IPv6 in brackets, no trailing dot. port: 1-65535, the
    scheme's default filled in.
    """

    scheme: bytes
    host: bytes
    port: int

    @property
    def is_default_port(self) -> bool:
        """True where the port need not be written."""
        return self.port == (443 if self.scheme == b"https" else 80)

    def render(self) -> bytes:
        """host[:port], as in a Host field."""
        return self.host if self.is_default_port else b"%b:%d" % (self.host, self.port)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body. target: raw origin-form bytes (path and query as sent), or b"*" for OPTIONS."""

    method: bytes
    authority: Authority
    target: bytes
    fields: Fields
    minor: int = 1
    """HTTP/1.minor as the client sent it: 0 or 1."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response without its body. status: 100-999. reason: may be empty."""

    status: int
    reason: bytes
    fields: Fields
    minor: int = 1
