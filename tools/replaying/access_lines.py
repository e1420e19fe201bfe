"""Access logs in the common and the combined form, read strictly.

Owns: `Line`, `Recorded`, `parse`, `read`. Rules: a line says who asked, when, for what, and what came of it, or it is bad and
counted by what is wrong with it; nothing is guessed, no line is longer than `MAX_LINE_BYTES`, no log longer than its limit.
What stands behind the size (Referer, User-Agent, and whatever a server adds) is not read. Lines are replayed in the order of
their times: servers write one when its response ends, so a log is a little out of order. A file that ends in .gz is unpacked.
The form is that of Apache's mod_log_config.
"""

from __future__ import annotations

import gzip
import re
import zlib
from calendar import timegm
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, cast

from edge.errors import ConfigFault

MAX_LINE_BYTES = 64 * 1024
"""Of one line; Apache cuts a request line at 8 KiB, and Referer and User-Agent at about as much."""
MAX_LINES = 2_000_000
"""Of one log: some 600 MB of memory."""
MAX_BODY_BYTES = 1 << 40

_LINE = re.compile(
    rb"([!-~]{1,255}) [!-~]{1,255} [ !-Z\\-~]{1,255} "
    rb"\[([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})\] "
    rb'"((?:[^"\\]|\\.)*+)" ([1-5][0-9]{2}) ([0-9]{1,13}|-)(?= |\r?\n?\Z)'
)
_REQUEST = re.compile(rb"([A-Z][A-Z-]{0,31}) (/[!$-;=?-\[\]-~]*) HTTP/[0-9](?:\.[0-9])?")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class Wrong(Enum):
    """What is wrong with a line."""

    LONG = "too long"
    FORM = "not in the common form"
    TIME = "no such time"
    REQUEST = "no request that can be sent again"


@dataclass(frozen=True, slots=True)
class Line:
    """One request. client: as the log names it. at: unix seconds. target: origin-form. size: body bytes sent."""

    client: str
    at: int
    method: str
    target: str
    status: int
    size: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A log. lines: by time. bad: how many could not be read, by what was wrong. is_cut: there was more than the limit."""

    lines: tuple[Line, ...]
    bad: dict[Wrong, int]
    is_cut: bool

    @property
    def seconds(self) -> int:
        """From the first request to the last."""
        return self.lines[-1].at - self.lines[0].at if self.lines else 0


def parse(line: bytes) -> Line | Wrong:
    """One line, with or without its end; or what is wrong with it."""
    if len(line) > MAX_LINE_BYTES:
        return Wrong.LONG
    found = _LINE.match(line)
    if found is None:
        return Wrong.FORM
    client, day, month, year, hour, minute, second, sign, east, south, request, status, size = found.groups()
    at = _time((day, month, year), (hour, minute, second), (sign, east, south))
    if at is None:
        return Wrong.TIME
    asked = _REQUEST.fullmatch(request)
    body = 0 if size == b"-" else int(size)
    if asked is None or body > MAX_BODY_BYTES:
        return Wrong.REQUEST
    return Line(client.decode("ascii"), at, asked[1].decode(), asked[2].decode("ascii"), int(status), body)


def _time(
    date: tuple[bytes, bytes, bytes], clock: tuple[bytes, bytes, bytes], zone: tuple[bytes, bytes, bytes]
) -> int | None:
    day, year = int(date[0]), int(date[2])
    hour, minute, second = (int(each) for each in clock)
    east = int(zone[1]) * 60 + int(zone[2])
    if date[1] not in _MONTHS or not 1 <= day <= 31 or year < 1970 or hour > 23 or minute > 59 or second > 60:
        return None
    if int(zone[2]) > 59 or east > 18 * 60:
        return None
    at = timegm((year, _MONTHS.index(date[1]) + 1, day, hour, minute, second))
    return at - (-east if zone[0] == b"-" else east) * 60


def gathered(lines: Iterable[bytes], limit: int = MAX_LINES) -> Recorded:
    """What `limit` lines say, the bad ones among them."""
    good: list[Line] = []
    bad: Counter[Wrong] = Counter()
    is_cut = False
    for number, line in enumerate(lines):
        if number >= limit:
            is_cut = True
            break
        said = parse(line)
        if isinstance(said, Wrong):
            bad[said] += 1
        else:
            good.append(said)
    good.sort(key=lambda line: line.at)
    return Recorded(tuple(good), dict(bad), is_cut)


def read(file: Path, limit: int = MAX_LINES) -> Recorded:
    """The log in a file. ConfigFault where it cannot be read, or no line of it can."""
    try:
        with _opened(file) as opened:
            recorded = gathered(_lines(opened), limit)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigFault(f"{file}: {error}") from None
    if not recorded.lines:
        said = ", ".join(f"{count} {wrong.value}" for wrong, count in recorded.bad.items()) or "it is empty"
        raise ConfigFault(f"{file}: no line of an access log in the common or combined form: {said}")
    return recorded


def _opened(file: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


def _lines(opened: IO[bytes]) -> Iterator[bytes]:
    """Each line; of one that is too long its beginning, which is still too long."""
    while line := opened.readline(MAX_LINE_BYTES + 1):
        whole = line.endswith(b"\n")
        yield line
        while not whole and (rest := opened.readline(MAX_LINE_BYTES + 1)):
            whole = rest.endswith(b"\n")
