"""Field sections of requests recognised by their lines, without reading them again. PURE.

Owns: `Familiar`. It is no second parser: it knows only what the one parser (edge.wire.request) took, and says that a section
says the same. Three ways to know one:

* the very bytes were there before;
* all its lines were there before, in this order, in one section that the parser took. A section that it took has no line of
  bad form, and what lines say together (one Host, no length and chunks at once, what Connection takes away) is the same when
  they are the same lines;
* it is one of these but for its Cookie line, of the plainest form: nearly every client has one of its own.

A few fields have another value with every request or page, and say nothing about where a message ends: LOOSE. They count as
the same line whatever their value, which is handed out beside what is known of the section. A section that has one of them
twice, or in any other form than the plainest, `Name: value` without odd white space, is never known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from edge.recent import Recent
from edge.semantics.remembered import REMEMBERED_BYTES

T = TypeVar("T")

LOOSE = frozenset((b"cookie", b"referer", b"if-none-match", b"if-modified-since"))
"""Lower-case names of fields whose value is not part of what is recognised."""
_TRIMMED = rb"[!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?"
_VALUE = re.compile(_TRIMMED)
_LOOSE_LINE = re.compile(rb"(%b): (%b)" % (b"|".join(sorted(LOOSE)), _TRIMMED), re.IGNORECASE)
EXACT, LINES, KINDS = 2048, 4096, 1024
"""Half of what is kept at most: whole sections, lines, and kinds of sections (those with the same lines)."""
EXACT_BYTES, LINES_BYTES, KINDS_BYTES = 2 << 20, 1 << 20, 4 << 20
"""And half of their bytes, since clients choose how long they are; browsers' do not reach it."""
_OBJECT_BYTES = 200
"""What a line costs beside its bytes in what was made of its section."""


class Known(NamedTuple, Generic[T]):
    """what: made of the first section of this kind. The rest is of this section: values of loose lines, None = no such line."""

    what: T
    referer: bytes | None
    if_none_match: bytes | None


class Familiar(Generic[T]):
    """Sections that were read before. T: what was made of them."""

    __slots__ = ("_cut", "_kinds", "_lines", "exact")

    def __init__(self) -> None:
        self.exact: Recent[bytes, Known[T]] = Recent(EXACT, EXACT_BYTES, len)
        self._cut: Recent[bytes, Known[T]] = Recent(EXACT, EXACT_BYTES, len)
        """By the section without its one Cookie line."""
        self._lines: Recent[bytes, bytes] = Recent(LINES, LINES_BYTES, len)
        self._kinds: Recent[tuple[bytes, ...], T] = Recent(KINDS, KINDS_BYTES, _weight)

    def __len__(self) -> int:
        """How many sections are kept as they came."""
        return len(self.exact)

    def find(self, section: bytes) -> Known[T] | None:
        """section: from behind the request line, its empty line included. None: it has to be read."""
        found = self.exact.get(section)
        if found is not None or len(section) > REMEMBERED_BYTES:
            return found
        cut = _without_cookie(section)
        if cut is not None:
            found = self._cut.get(cut)
        if found is None:
            found = self._by_lines(section)
            if found is None:
                return None
            if cut is not None:
                self._cut.put(cut, found)
        self.exact.put(section, found)
        return found

    def _by_lines(self, section: bytes) -> Known[T] | None:
        lines = section.split(b"\r\n")
        kind = list(map(self._lines.young.get, lines))
        loose: dict[bytes, bytes] = {}
        if None in kind:
            for at, line in enumerate(kind):
                if line is not None:
                    continue
                matched = _LOOSE_LINE.fullmatch(lines[at])
                if matched is None:
                    known = self._lines.get(lines[at])
                    if known is None:
                        return None
                    kind[at] = known
                    continue
                name = matched[1].lower()
                loose[name] = matched[2]
                kind[at] = name
        what = self._kinds.get(tuple(kind))  # type: ignore[arg-type]  # no None is left in it
        if what is None:
            return None
        return Known(what, loose.get(b"referer"), loose.get(b"if-none-match"))

    def learn(self, section: bytes, make: Callable[[frozenset[bytes]], T | None]) -> None:
        """The parser took `section`. make: of its kind; it is told the names of loose lines in it, and may decline (None).

        Called when all lines were there before: what has a line of its own each time is not worth the work. Nor is what is
        known already: the long way answers its like as well, a response that only the disk has, say.
        """
        if len(section) > REMEMBERED_BYTES or self.exact.get(section) is not None:
            return
        kind: list[bytes] = []
        loose: set[bytes] = set()
        is_new = False
        for line in section.split(b"\r\n"):
            name = line.partition(b":")[0].lower()
            if name in LOOSE:
                if name in loose or _LOOSE_LINE.fullmatch(line) is None:
                    return
                kind.append(name)
                loose.add(name)
                continue
            known = self._lines.get(line)
            if known is None:
                is_new = True
                self._lines.put(line, line)
            kind.append(line if known is None else known)
        if is_new:
            return
        what = make(frozenset(loose))
        if what is not None:
            self._kinds.put(tuple(kind), what)

    def clear(self) -> None:
        """Forget all: what was made of sections does not hold any more."""
        self.exact.clear()
        self._cut.clear()
        self._kinds.clear()


def _weight(kind: tuple[bytes, ...]) -> int:
    return sum(map(len, kind)) + _OBJECT_BYTES * len(kind)


def _without_cookie(section: bytes) -> bytes | None:
    """The section without its Cookie line, None when it has not just one of the plainest form, spelled as browsers do."""
    start = section.find(b"Cookie: ")
    if start < 0:
        return None
    end = section.find(b"\r\n", start)
    behind = section[end + 2 :]
    is_line = start == 0 or section[start - 2 : start] == b"\r\n"
    # With nothing behind it, the line is not in the section: it came behind its end, or the end is not there.
    if not is_line or not behind or _VALUE.fullmatch(section, start + 8, end) is None:
        return None
    return section[:start] + behind
