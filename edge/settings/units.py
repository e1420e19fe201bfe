"""Durations, sizes and shares as people write them. PURE.

Owns: both directions. Rules: a unit is always written, so that nobody has to know whether 300 means seconds or
milliseconds; K, M and G alone are refused because they mean 1000 to some and 1024 to others. What is
written reads back as the same number.
"""

from __future__ import annotations

import re
from fractions import Fraction

DURATION_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""In milliseconds, largest first."""

SIZE_UNITS = {
    "TiB": 1024**4,
    "TB": 1000**4,
    "GiB": 1024**3,
    "GB": 1000**3,
    "MiB": 1024**2,
    "MB": 1000**2,
    "KiB": 1024,
    "KB": 1000,
    "B": 1,
}
_SIZE_BY_LOWER = {name.lower(): factor for name, factor in SIZE_UNITS.items()}

MAX_TEXT = 40
"""Characters; longer texts are no number that we take."""

_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|[wdhms])")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]{1,3})")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")


def parse_duration(text: str) -> float | None:
    """Seconds of `90s`, `1h30m`, `1.5s`, `250ms`; None when it is no duration. Units descend, each at most once."""
    total, at, last = Fraction(0), 0, 10**12
    if len(text) > MAX_TEXT:
        return None
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        factor = DURATION_UNITS[part[2]]
        if factor >= last:
            return None
        total, at, last = total + Fraction(part[1]) * factor, part.end(), factor
    return float(total / 1000) if text else None


def render_duration(seconds: float) -> str:
    """A text that `parse_duration` reads as that many seconds, to the millisecond."""
    left = round(seconds * 1000)
    said = ""
    for unit, factor in DURATION_UNITS.items():
        count, left = (0, left) if unit == "w" else divmod(left, factor)  # 365d says more than 52w1d
        if count:
            said += f"{count}{unit}"
    return said or "0s"


def parse_size(text: str) -> int | None:
    """Bytes of `64KiB`, `1GB`, `1.5 GiB`; None when it is no size or no whole number of bytes. Case does not matter."""
    size = _SIZE.fullmatch(text)
    factor = _SIZE_BY_LOWER.get(size[2].lower()) if size is not None else None
    if size is None or factor is None:
        return None
    count = Fraction(size[1]) * factor
    return int(count) if count.denominator == 1 else None


def render_size(count: int) -> str:
    """The text with the largest unit that divides `count`; binary units first."""
    if count == 0:
        return "0B"
    whole = [(count // factor, name) for name, factor in SIZE_UNITS.items() if count % factor == 0]
    number, name = min(whole, key=lambda pair: (len(str(pair[0])), "i" not in pair[1]))
    return f"{number}{name}"


def parse_percent(text: str) -> float | None:
    """The share that `10%` is, 0.1; None when it is no percentage."""
    percent = _PERCENT.fullmatch(text)
    return float(Fraction(percent[1]) / 100) if percent is not None else None
