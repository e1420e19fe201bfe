"""An answer as the raw client read it, and the strict reading of status lines and field lines (RFC 9112 s4, s5)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from tests.kit.origin_connection import Header

_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")


class MalformedAnswer(AssertionError):
    """The peer sent something RFC 9112 does not allow."""


class Ending(Enum):
    """What has been seen of the connection's end."""

    OPEN = "open"
    CLOSED = "closed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Interim:
    """A 1xx answer that came before the final one."""

    status: int
    headers: list[Header]


@dataclass(slots=True)
class Answer:
    """One answer. `status` is 0 when the connection ended before a whole head had come.

    `complete` says that the body ended as its framing promised; `ending` how the connection ended, if that was
    seen while reading; `leftover` holds the bytes of a head that was cut.
    """

    status: int = 0
    reason: bytes = b""
    version: bytes = b""
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""
    interim: list[Interim] = field(default_factory=list)
    trailers: list[Header] = field(default_factory=list)
    complete: bool = False
    ending: Ending = Ending.OPEN
    leftover: bytes = b""

    def header(self, name: str) -> bytes | None:
        """All lines of the field joined by ", "; None when there is none."""
        lines = self.header_lines(name)
        return b", ".join(lines) if lines else None

    def header_lines(self, name: str) -> list[bytes]:
        """The values of each line of the field, in order."""
        wanted = name.lower().encode()
        return [value for key, value in self.headers if key.lower() == wanted]

    @property
    def age(self) -> int | None:
        """The Age in seconds; None when there is none. Raises ValueError when it is not a plain integer."""
        value = self.header("Age")
        return None if value is None else int(value)


def parse_status_line(line: bytes) -> tuple[bytes, int, bytes]:
    """Version, status and reason; raises MalformedAnswer."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise MalformedAnswer(f"status line {line!r}")
    return match[1], int(match[2]), match[3]


def parse_fields(lines: Iterable[bytes]) -> list[Header]:
    """Field lines as pairs; raises MalformedAnswer on folds, blanks before the colon, control characters."""
    fields: list[Header] = []
    for line in lines:
        match = _FIELD_LINE.fullmatch(line)
        if match is None:
            raise MalformedAnswer(f"field line {line!r}")
        fields.append((match[1], match[2].rstrip(b" \t")))
    return fields
