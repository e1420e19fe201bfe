"""The message as the cache sees it: fields, request head, response head. PURE.

Owns: the immutable values every other room passes around. Rules: names and values stay the bytes that came off the
wire (a name keeps its spelling, comparison is by lower case); nothing here parses bytes (edge.wire does) and nothing
here knows what a field means (the other semantics files do). RFC 9110 section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView
from typing import TYPE_CHECKING, NewType

from edge.values import value

UnixSeconds = NewType("UnixSeconds", float)
"""Seconds since 1970-01-01T00:00:00Z, fractions allowed."""

Line = tuple[bytes, bytes]
"""(name as spelled, value without surrounding white space)."""


class Fields:
    """An immutable list of field lines with a look-up by lower-case name (RFC 9110 s5.3).

    `lines` keeps order, spelling and repetition, as they are sent on. Look-ups take the lower-case name.
    """

    # By lower-case name: the first line, and - for the few names that stand on several lines - the values of all.
    __slots__ = ("_first", "_repeated", "lines")

    lines: tuple[Line, ...]
    _first: dict[bytes, Line]
    _repeated: dict[bytes, tuple[bytes, ...]]

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.lines = tuple(lines)
        self._first = first = {line[0].lower(): line for line in self.lines}
        self._repeated = _NONE_REPEATED
        if len(first) < len(self.lines):
            self._repeated = _repeated(self.lines)
            for line in reversed(self.lines):
                first[line[0].lower()] = line

    @classmethod
    def unrepeated(cls, first: dict[bytes, Line]) -> Fields:
        """From lines by lower-case name, each name once, in their order; the dictionary is the result's from now on."""
        made = cls.__new__(cls)
        made.lines = tuple(first.values())
        made._first = first  # noqa: SLF001  # its own
        made._repeated = _NONE_REPEATED  # noqa: SLF001
        return made

    @classmethod
    def unindexed(cls, lines: Iterable[Line]) -> Fields:
        """The same as `Fields(lines)` in half the memory: the table is made anew for each look-up, 1 to 2 us."""
        made = cls.__new__(cls)
        made.lines = tuple(lines)
        return made

    if not TYPE_CHECKING:  # for the type checker there is no such attribute, and no other one

        def __getattr__(self, name):
            """Only asked for what is not there: the tables of one that is `unindexed`."""
            if name in {"_first", "_repeated"}:
                return object.__getattribute__(Fields(self.lines), name)
            raise AttributeError(name)

    def get(self, name: bytes) -> bytes | None:
        """The first line's value, None when there is no such line. For fields that are single by definition."""
        line = self._first.get(name)
        return None if line is None else line[1]

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """Every line's value in order, () when there is none."""
        line = self._first.get(name)
        if line is None:
            return ()
        return self._repeated.get(name) or (line[1],)

    def combined(self, name: bytes) -> bytes | None:
        """All lines joined by ", " (RFC 9110 s5.3), None when there is none. Never for Set-Cookie."""
        line = self._first.get(name)
        if line is None:
            return None
        values = self._repeated.get(name)
        return line[1] if values is None else b", ".join(values)

    def count(self, name: bytes) -> int:
        """How many lines carry that name."""
        return len(self.all(name))

    def names(self) -> KeysView[bytes]:
        """Lower-case names, each once."""
        return self._first.keys()

    def without(self, names: Iterable[bytes]) -> Fields:
        """A copy without every line whose lower-case name is in `names`; self when none is."""
        gone = set(names)
        if gone.isdisjoint(self._first):
            return self
        if not self._repeated:
            return Fields.unrepeated({name: line for name, line in self._first.items() if name not in gone})
        return Fields(line for line in self.lines if line[0].lower() not in gone)

    def with_set(self, name: bytes, value: bytes) -> Fields:
        """A copy in which `name` (as spelled) occurs exactly once, with that value, at the end."""
        return Fields((*self.without((name.lower(),)).lines, (name, value)))

    def with_added(self, *lines: Line) -> Fields:
        """A copy with these lines at the end, those that are there stay."""
        first = self._first
        names = [line[0].lower() for line in lines]
        if len(set(names)) < len(names) or not first.keys().isdisjoint(names):
            return Fields((*self.lines, *lines))
        made = Fields.unrepeated(first | dict(zip(names, lines, strict=True)))
        if self._repeated:
            made.lines = (*self.lines, *lines)
            made._repeated = self._repeated  # noqa: SLF001  # its own
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._first

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


def _repeated(lines: Iterable[Line]) -> dict[bytes, tuple[bytes, ...]]:
    """The values of the names that stand on more than one line."""
    values: dict[bytes, list[bytes]] = {}
    for name, one in lines:
        values.setdefault(name.lower(), []).append(one)
    return {name: tuple(held) for name, held in values.items() if len(held) > 1}


_NONE_REPEATED: dict[bytes, tuple[bytes, ...]] = {}
EMPTY = Fields()


@value(frozen=True, slots=True)
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


@value(frozen=True, slots=True)
class RequestHead:
    """A request without its body. target: raw origin-form bytes (path and query as sent), or b"*" for OPTIONS."""

    method: bytes
    authority: Authority
    target: bytes
    fields: Fields
    minor: int = 1
    """HTTP/1.minor as the client sent it: 0 or 1."""


@value(frozen=True, slots=True)
class ResponseHead:
    """A response without its body. status: 100-999. reason: may be empty."""

    status: int
    reason: bytes
    fields: Fields
    minor: int = 1
