"""Small grammars that many fields share: dates, seconds, lists, tokens, quoted strings. PURE.

Owns: turning bytes into values and back where RFC 9110 s5.6 or RFC 9111 s1.2 gives the grammar. Rules: nothing here
raises; what is not well formed is None, and the caller knows what absence means for its field. Every function is
linear in its input, whatever the input.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

DELTA_SECONDS_MAX = 2**31
"""Larger values count as this one (RFC 9111 s1.2.2)."""

_WHITE = b" \t"

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 s5.6.2."""

_QUOTED = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEMBER = re.compile(rb'[^",]*+(?:"(?:[^"\\]++|\\.)*+"[^",]*+)*+', re.DOTALL)

_WEEKDAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTH_NUMBER = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}

# RFC 9110 s5.6.7. The dates are case-sensitive there, but a cache SHOULD match them without case (RFC 9111 s4.2). The
# weekday is not compared with the date: nobody computes with it.
_DAY = rb"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY = rb"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_MONTH = rb"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_TIME = rb"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"
_IMF = re.compile(rb"%b, ([0-9]{2}) %b ([0-9]{4}) %b gmt" % (_DAY, _MONTH, _TIME), re.IGNORECASE)
_ASCTIME = re.compile(rb"%b %b ([0-9]{2}| [0-9]) %b ([0-9]{4})" % (_DAY, _MONTH, _TIME), re.IGNORECASE)
_RFC850 = re.compile(rb"%b, ([0-9]{2})-%b-([0-9]{2}) %b gmt" % (_LONG_DAY, _MONTH, _TIME), re.IGNORECASE)

_IMF_LENGTH = 29
_ASCTIME_LENGTH = 24
_RFC850_LENGTHS = range(30, 34)

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400


def parse_http_date(value: bytes, now: float) -> float | None:
    """Unix seconds of an HTTP-date in any of its three forms; None when it is none of them (RFC 9110 s5.6.7).

    now: only for the two-digit year of the RFC 850 form: more than 50 years ahead of it means the century before.
    A zone other than GMT makes the date invalid (RFC 9111 s4.2). A leap second is the second before it.
    """
    if len(value) == _IMF_LENGTH:
        return _imf_fixdate(value)
    if len(value) == _ASCTIME_LENGTH:
        return _asctime_date(value)
    if len(value) in _RFC850_LENGTHS:
        return _rfc850_date(value, now)
    return None


@lru_cache(maxsize=1024)
def _imf_fixdate(value: bytes) -> float | None:
    found = _IMF.fullmatch(value)
    if found is None:
        return None
    day, month, year, hour, minute, second = found.groups()
    return _unix_seconds(int(year), month, day, hour, minute, second)


def _asctime_date(value: bytes) -> float | None:
    found = _ASCTIME.fullmatch(value)
    if found is None:
        return None
    month, day, hour, minute, second, year = found.groups()
    return _unix_seconds(int(year), month, day, hour, minute, second)


def _rfc850_date(value: bytes, now: float) -> float | None:
    found = _RFC850.fullmatch(value)
    if found is None:
        return None
    day, month, short_year, hour, minute, second = found.groups()
    this_year = datetime.fromtimestamp(now, UTC).year
    year = this_year - this_year % 100 + int(short_year)
    if year > this_year + 50:
        year -= 100
    elif year <= this_year - 50:
        year += 100
    return _unix_seconds(year, month, day, hour, minute, second)


def _unix_seconds(
    year: int, month: bytes, day: bytes, hour: bytes, minute: bytes, second: bytes
) -> float | None:
    try:
        days = date(year, _MONTH_NUMBER[month.lower()], int(day)).toordinal() - _EPOCH_DAY
    except ValueError:  # 30 Feb, year 0
        return None
    return float(days * _DAY_SECONDS + int(hour) * 3600 + int(minute) * 60 + min(int(second), 59))


def format_http_date(seconds: float) -> bytes:
    """An IMF-fixdate, fractions cut off (RFC 9110 s5.6.7). seconds: unix, years 1 to 9999."""
    return _format_second(int(seconds // 1))


@lru_cache(maxsize=256)
def _format_second(second: int) -> bytes:
    at = datetime.fromtimestamp(second, UTC)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        _WEEKDAYS[at.weekday()],
        at.day,
        _MONTHS[at.month - 1],
        at.year,
        at.hour,
        at.minute,
        at.second,
    )


def parse_delta_seconds(value: bytes) -> int | None:
    """A whole number of seconds, at most DELTA_SECONDS_MAX; None when it is not digits only (RFC 9111 s1.2.2)."""
    if not value.isdigit():
        return None
    # int() of very long digit strings is quadratic and refused; ten digits after the zeros are beyond the bound anyway
    digits = value.lstrip(b"0")
    if len(digits) > 10:
        return DELTA_SECONDS_MAX
    return min(int(digits or b"0"), DELTA_SECONDS_MAX)


def parse_age(lines: Sequence[bytes]) -> int | None:
    """Age in seconds from its field lines: the first member counts, None when it is absent or not a number.

    RFC 9111 s5.1: of several members, which the sender may not send, the first is used; an invalid one is ignored.
    """
    if not lines:
        return None
    return parse_delta_seconds(lines[0].split(b",", 1)[0].strip(_WHITE))


def is_token(value: bytes) -> bool:
    """True for a token, such as a field name or a method (RFC 9110 s5.6.2)."""
    return TOKEN.fullmatch(value) is not None


def unquote(value: bytes) -> bytes | None:
    """The content of a quoted-string that is the whole of `value`; None when it is not one (RFC 9110 s5.6.4)."""
    found = _QUOTED.fullmatch(value)
    if found is None:
        return None
    content: bytes = found.group(1)
    return _ESCAPED.sub(rb"\1", content) if b"\\" in content else content


def list_members(value: bytes) -> list[bytes]:
    """The members of a comma-separated list, white space cut off, empty ones left out (RFC 9110 s5.6.1).

    A comma inside a quoted-string separates nothing. A quote that is never closed is an ordinary character, so that
    what follows it is still seen (`a="b, no-store` has two members).
    """
    if b'"' not in value:
        return [member for part in value.split(b",") if (member := part.strip(_WHITE))]
    members = []
    at = 0
    while at <= len(value):
        found = _MEMBER.match(value, at)
        assert found is not None, "the expression matches the empty string"
        stop = found.end()
        if stop < len(value) and value[stop] == 0x22:
            # Unclosed. Seen from any later quote it is unclosed too, so there are no more quoted strings.
            comma = value.find(b",", stop)
            stop = len(value) if comma < 0 else comma
            members += [value[at:stop], *value[stop + 1 :].split(b",")]
            break
        members.append(value[at:stop])
        at = stop + 1
    return [member for part in members if (member := part.strip(_WHITE))]


def list_of_lines(lines: Sequence[bytes]) -> list[bytes]:
    """The members of all field lines in order; a quote never reaches over the end of its line."""
    members = []
    for line in lines:
        members += list_members(line)
    return members
