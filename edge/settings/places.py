"""On which line of a TOML text a key stands. PURE.

Owns: `locate`. The standard parser says what a document means and not where it says so; this scanner finds where, for
a document that the parser has accepted: keys of tables, dotted and quoted keys, inline tables, arrays, arrays of
tables.

Rules: it never decides what is valid. On a text that is not TOML it returns what it understood; it always ends, raises
nothing, and does not recurse (nesting comes from outside). TOML 1.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

from edge.settings.problems import Path, Step

MAX_DEPTH = 16
"""Steps of a path that are kept; what is deeper is found with what is around it. Time is linear in the text so."""

_TRIVIA = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_REST_OF_LINE = re.compile(r"[^\n]*\n?")


def locate(source: str) -> Mapping[Path, int]:
    """The line (1-based) of every key and array element of a valid TOML text, by its path.

    A table is where its header or its first key stands, whichever comes first. An element of an array of tables has its
    index in the path: ("site", 0, "ttl", "max").
    """
    return _Scanner(source).run()


def line_of(places: Mapping[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest thing around it that stands somewhere; 1 for the whole document."""
    for end in range(len(path), 0, -1):
        line = places.get(path[:end])
        if line is not None:
            return line
    return 1


class _Scanner:
    """One pass over one text. at: offset of the next character."""

    __slots__ = ("_arrays", "_at", "_newlines", "_places", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._newlines = [found.start() for found in re.finditer("\n", source)]
        self._places: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        """Arrays of tables, with the index of the last element seen."""

    def run(self) -> Mapping[Path, int]:
        table: Path = ()
        while True:
            self._skip(_TRIVIA)
            start = self._at
            if start >= len(self._source):
                return self._places
            if self._source.startswith("[[", start):
                self._at += 2
                table = self._element(self._keys(), start)
            elif self._source[start] == "[":
                self._at += 1
                table = self._resolved(self._keys())
                self._note(table, start)
            else:
                self._pair(table, start)
            self._skip(_REST_OF_LINE)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._source, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _took(self, char: str) -> bool:
        if not self._source.startswith(char, self._at):
            return False
        self._at += 1
        return True

    def _note(self, path: Path, offset: int) -> None:
        line = bisect_right(self._newlines, offset - 1) + 1
        for end in range(1, min(len(path), MAX_DEPTH) + 1):
            self._places.setdefault(path[:end], line)

    def _keys(self) -> tuple[str, ...]:
        """A key, dotted or not: bare and quoted parts."""
        keys: list[str] = []
        while True:
            self._skip(_BLANK)
            text = self._skip(_BARE_KEY)
            if not text:
                text = self._skip(_STRING)
                if not text:
                    return tuple(keys)
                text = _unquoted(text)
            keys.append(text)
            self._skip(_BLANK)
            if not self._took("."):
                return tuple(keys)

    def _resolved(self, keys: tuple[str, ...]) -> Path:
        """The path of a table header: within an array of tables, its last element is meant."""
        path: Path = ()
        for key in keys[:MAX_DEPTH]:
            path = (*path, key)
            index = self._arrays.get(path)
            if index is not None:
                path = (*path, index)
        return path

    def _element(self, keys: tuple[str, ...], start: int) -> Path:
        array: Path = (*self._resolved(keys[:-1]), *keys[-1:])
        index = self._arrays.get(array, -1) + 1
        self._arrays[array] = index
        path: Path = (*array, index)
        self._note(path, start)
        return path

    def _pair(self, table: Path, start: int) -> None:
        keys = self._keys()
        if not keys:
            return
        path: Path = (*table, *keys)[:MAX_DEPTH]
        self._note(path, start)
        self._skip(_BLANK)
        if self._took("="):
            self._value(path)

    def _value(self, path: Path) -> None:
        """One value with all that is in it. around: the arrays (with the index reached) and inline tables it is in."""
        around: list[tuple[Path, int | None]] = []
        while True:
            start = self._at
            self._skip(_BLANK)
            if self._took("["):
                around.append((path, -1))
            elif self._took("{"):
                around.append((path, None))
            elif not self._skip(_STRING):
                self._skip(_SCALAR)
            following = self._following(around)
            if following is None or self._at == start:  # the second: no progress, so this is no TOML
                return
            path = following

    def _following(self, around: list[tuple[Path, int | None]]) -> Path | None:
        """The path of the next value within `around`, None when all of it is closed (or is not TOML)."""
        while around:
            self._skip(_TRIVIA)
            outer, index = around[-1]
            self._took(",")
            self._skip(_TRIVIA)
            if self._at >= len(self._source):
                return None
            if self._took("}" if index is None else "]"):
                around.pop()
                continue
            start = self._at
            steps: tuple[Step, ...]
            if index is None:
                steps = self._keys()
                self._skip(_BLANK)
                if not steps or not self._took("="):
                    return None
            else:
                around[-1] = (outer, index + 1)
                steps = (index + 1,)
            path: Path = (*outer, *steps)[:MAX_DEPTH]
            self._note(path, start)
            return path
        return None


def _unquoted(text: str) -> str:
    if text[0] == "'":
        return text.strip("'")
    try:
        return str(tomllib.loads(f"k = {text}")["k"])
    except tomllib.TOMLDecodeError:  # not TOML, so nobody asks for this key
        return text
