"""What is wrong with what the operator wrote. PURE.

Owns: `Problem` (one line of output), `SettingsFault` (all of them at once), and `Refused`, by which a kind of value
says no. Rules: a problem names the file, the line and the setting, says what is wrong, and then what is allowed or what
to write instead; it never quotes a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.errors import ConfigFault

Step = str | int
Path = tuple[Step, ...]
"""Where something stands in a TOML document: table keys, and indices into arrays."""

MAX_SHOWN = 60
"""Characters of a value that are quoted back."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. line: 1-based; None where no line of a file is meant (the command line, a directory)."""

    file: str
    line: int | None
    setting: str
    """Dotted, as in `ttl.max` or `site[0].hostnames[1]`; empty where the file as a whole is meant."""
    wrong: str
    instead: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        what = f"{self.setting}: {self.wrong}" if self.setting else self.wrong
        return f"{where}: {what}; {self.instead}" if self.instead else f"{where}: {what}"


class SettingsFault(ConfigFault):
    """Settings that cannot be used. problems: every one found, at least one, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        assert self.problems, "a fault without a problem"
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a value is refused. at: steps below the setting, () for the setting itself."""

    wrong: str
    instead: str
    at: Path = ()


class Refused(Exception):
    """Raised by a kind that cannot read a value; carries every reason."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        assert self.faults, "refused without a reason"
        super().__init__(self.faults)


def refused(wrong: str, instead: str) -> Refused:
    """A refusal for one reason, of the value itself."""
    return Refused((Fault(wrong, instead),))


def dotted(path: Path) -> str:
    """A path as people write it: `a."b.c"[0].d`."""
    said = ""
    for step in path:
        if isinstance(step, int):
            said += f"[{step}]"
        else:
            said += ("." if said else "") + (step if is_bare(step) else quoted(step))
    return said


def is_bare(key: str) -> bool:
    """Whether a TOML key needs no quotes."""
    return bool(key) and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)


def quoted(text: str) -> str:
    """A string as TOML writes it, on one line, without control characters."""
    said = '"'
    for char in text:
        if char in '"\\':
            said += "\\" + char
        elif char.isprintable():
            said += char
        else:
            said += f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    return said + '"'


def shown(value: object) -> str:
    """A value from a TOML document as it is quoted back: on one line and not long."""
    match value:
        case str():
            said = quoted(value[:MAX_SHOWN]) + ("..." if len(value) > MAX_SHOWN else "")
        case bool():
            said = "true" if value else "false"
        case int() if abs(value) >= 10**MAX_SHOWN:  # str() refuses numbers of thousands of digits
            said = "a number that long"
        case int() | float():
            said = str(value)
        case list():
            said = "an array"
        case dict():
            said = "a table"
        case _:
            said = f"the date or time {value}"
    return said
