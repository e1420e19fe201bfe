"""Kinds of values: how a TOML value becomes ours, what is allowed, and how ours is written back. PURE.

Owns: `Kind` and the plain kinds that know nothing of HTTP. Rules: a kind reads a value or raises `Refused` with every
reason; a reason says what is wrong and what to write instead; `allowed` is the sentence of the reference page; `write`
of a value is TOML that reads back as that value.

Why no validation library: with one, the type, the bounds and the default could stand in a model, but the unit, the
reason of the bound, what a reload can change and the words of an error would stand elsewhere, errors would have to be
translated one by one (they carry no lines, and name types, not what to write), and the reference page would be put
together from both. Here a setting is one declaration that all of it is made from, in a few hundred readable lines.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Generic, TypeVar

from edge.settings.problems import quoted, refused, shown
from edge.settings.units import (
    parse_duration,
    parse_percent,
    parse_size,
    render_duration,
    render_size,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Enum, covariant=True)


class Kind(ABC, Generic[T_co]):
    """One kind of value."""

    __slots__ = ()

    @abstractmethod
    def read(self, value: object) -> T_co:
        """Our value. Raises Refused."""

    @abstractmethod
    def allowed(self) -> str:
        """What may be written, to follow "allowed: " or "write "."""

    @abstractmethod
    def write(self, value: object) -> str:
        """TOML for a value that `read` returns."""


def nearest(word: str, known: list[str]) -> str:
    """`did you mean "..."?` with a space after it, or nothing."""
    close = get_close_matches(word.lower()[:100], known, n=1, cutoff=0.6)
    return f"did you mean {quoted(close[0])}? " if close else ""


def between(low: str, high: str) -> str:
    """A range in words."""
    return f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class Flag(Kind[bool]):
    """true or false."""

    def read(self, value: object) -> bool:
        """The boolean itself; words for it are refused, since people disagree about them."""
        if isinstance(value, bool):
            return value
        raise refused(f"{shown(value)} is neither true nor false", f"write {self.allowed()}, without quotes")

    def allowed(self) -> str:
        """Both."""
        return "true or false"

    def write(self, value: object) -> str:
        """As TOML does."""
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Duration(Kind[float]):
    """Seconds, written with units. min, max: inclusive."""

    min: float
    max: float

    def read(self, value: object) -> float:
        """Seconds."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise refused(f"{shown(value)} has no unit", f'write "{shown(value)}s" if seconds are meant')
        seconds = parse_duration(value) if isinstance(value, str) else None
        if seconds is None:
            raise refused(
                f"{shown(value)} is no duration", 'write a number with a unit, as in "30s" or "1h30m"'
            )
        if not self.min <= seconds <= self.max:
            how = "less" if seconds < self.min else "more"
            raise refused(f"{shown(value)} is {how} than is allowed", f"allowed: {self.allowed()}")
        return seconds

    def allowed(self) -> str:
        """The range."""
        return between(render_duration(self.min), render_duration(self.max))

    def write(self, value: object) -> str:
        """With units."""
        assert isinstance(value, float | int), value
        return quoted(render_duration(value))


@dataclass(frozen=True, slots=True)
class Size(Kind[int]):
    """Bytes, written with a unit. min, max: inclusive. per: "/s" for a rate."""

    min: int
    max: int
    per: str = ""

    def read(self, value: object) -> int:
        """Bytes (a second)."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise refused(
                f"{shown(value)} has no unit", f'write "{shown(value)}B{self.per}" if bytes are meant'
            )
        count = self._parsed(value) if isinstance(value, str) else None
        if count is None:
            example = f'"500B{self.per}" or "64KiB{self.per}"'
            what = "rate" if self.per else "size"
            raise refused(
                f"{shown(value)} is no {what}",
                f"write a number with B, KB, KiB, MB, MiB, ..., as in {example}",
            )
        if not self.min <= count <= self.max:
            how = "less" if count < self.min else "more"
            raise refused(f"{shown(value)} is {how} than is allowed", f"allowed: {self.allowed()}")
        return count

    def _parsed(self, text: str) -> int | None:
        return parse_size(text.removesuffix(self.per)) if text.endswith(self.per) else None

    def allowed(self) -> str:
        """The range."""
        return between(render_size(self.min) + self.per, render_size(self.max) + self.per)

    def write(self, value: object) -> str:
        """With a unit."""
        assert isinstance(value, int), value
        return quoted(render_size(value) + self.per)


@dataclass(frozen=True, slots=True)
class Count(Kind[int]):
    """A whole number. min, max: inclusive."""

    min: int
    max: int

    def read(self, value: object) -> int:
        """The number."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise refused(f"{shown(value)} is no whole number", f"allowed: {self.allowed()}, without quotes")
        if not self.min <= value <= self.max:
            how = "less" if value < self.min else "more"
            raise refused(f"{shown(value)} is {how} than is allowed", f"allowed: {self.allowed()}")
        return value

    def allowed(self) -> str:
        """The range."""
        return between(str(self.min), str(self.max))

    def write(self, value: object) -> str:
        """Digits."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Share(Kind[float]):
    """A part of one: `0.1` or `"10%"`. max: inclusive."""

    max: float

    def read(self, value: object) -> float:
        """0 to `max`."""
        share: float | None = None
        if isinstance(value, int | float) and not isinstance(value, bool):
            share = value
        elif isinstance(value, str):
            share = parse_percent(value)
        if share is None:
            raise refused(f"{shown(value)} is no share", f'allowed: {self.allowed()}, as in 0.1 or "10%"')
        if not 0 <= share <= self.max:  # also what is not a number
            raise refused(f"{shown(value)} is outside of what is allowed", f"allowed: {self.allowed()}")
        return float(share)

    def allowed(self) -> str:
        """The range."""
        return between("0", f"{self.max:g}")

    def write(self, value: object) -> str:
        """As a fraction."""
        assert isinstance(value, float | int), value
        return repr(float(value))


@dataclass(frozen=True, slots=True)
class Choice(Kind[E_co]):
    """One word of an enum whose values are strings. words: the enum's members that may be written."""

    words: tuple[E_co, ...]

    def read(self, value: object) -> E_co:
        """The member."""
        for member in self.words:
            if member.value == value:
                return member
        hint = nearest(value, [str(member.value) for member in self.words]) if isinstance(value, str) else ""
        raise refused(f"{shown(value)} is not known here", f"{hint}allowed: {self.allowed()}")

    def allowed(self) -> str:
        """The words."""
        return ", ".join(quoted(str(member.value)) for member in self.words)

    def write(self, value: object) -> str:
        """The word."""
        assert isinstance(value, Enum), value
        return quoted(str(value.value))


@dataclass(frozen=True, slots=True)
class Text(Kind[str]):
    """Some text on one line. what: its name in messages, with an article."""

    what: str
    max_chars: int = 255

    def read(self, value: object) -> str:
        """The text as it is."""
        if not isinstance(value, str):
            raise refused(f"{shown(value)} is no text", f"write {self.what} in quotes")
        if not value or len(value) > self.max_chars:
            how = "empty" if not value else f"{len(value)} characters long"
            raise refused(f"it is {how}", f"allowed: {self.allowed()}")
        if not value.isprintable():
            raise refused("it has control characters in it", f"allowed: {self.allowed()}")
        return value

    def allowed(self) -> str:
        """Its form."""
        return f"{self.what}, 1 to {self.max_chars} characters"

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Name(Kind[str]):
    """A name of ours that stands in fields, logs and metrics."""

    max_chars: int

    def read(self, value: object) -> str:
        """The name as it is."""
        if isinstance(value, str) and len(value) <= self.max_chars and _NAME.fullmatch(value):
            return value
        raise refused(f"{shown(value)} is no name", f"allowed: {self.allowed()}")

    def allowed(self) -> str:
        """Its form."""
        return f"1 to {self.max_chars} letters, digits, dots, underscores and hyphens, the first a letter or digit"

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))
