"""What vantage points say of POPs, to each other. PURE.

Owns: `Report` and its form on the bus (<prefix>.opinion.<vantage>: one JSON object, versioned, strict), and `Opinions`, what
was heard. Rules: whoever may publish on the bus may say anything, so nothing longer or larger than the bounds here is read,
and a vantage point speaks for itself only: its subject is made of its name. Two that have one name would be one voice that
contradicts itself; the instance in a report gives them away. What was heard last stays until it is too old to count
(health.opinion_life, edge.geo.health).

Times are seconds of one monotonic clock; those of drains are unix seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from edge.geo.drains import Drain, heard_of, said_of
from edge.geo.health import Opinion
from edge.geo.network_view import Health

VERSION: Final = 1
MAX_BYTES: Final = 256 * 1024
MAX_POPS: Final = 1_000
"""As many as a network file can have (edge.settings.elements)."""
MAX_VANTAGES: Final = 256
"""Each of them asks every node; as many DNS servers are more than anybody has."""
CONTESTED_SECONDS: Final = 10.0
"""After this without the other one, a name is one's own again."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_INSTANCE = re.compile(r"[0-9a-f]{16}")


class BadReport(ValueError):
    """Not a report of ours, or of a version that we do not know."""


class Heard(Enum):
    """What became of a report; the word in `perigee_opinions_total`."""

    TAKEN = "taken"
    CONTESTED = "contested"
    """Two vantage points have one name."""
    FULL = "full"
    """More vantage points than can be known."""
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Report:
    """What one vantage point sees. health: by POP, of those it knows something of. drains: the latest that it knows."""

    vantage: str
    instance: str
    health: Mapping[str, Health] = field(default_factory=lambda: MappingProxyType({}))
    drains: Mapping[str, Drain] = field(default_factory=lambda: MappingProxyType({}))


def encode(report: Report) -> bytes:
    """One JSON object."""
    said = {
        "v": VERSION,
        "vantage": report.vantage,
        "instance": report.instance,
        "health": {pop: health.value for pop, health in report.health.items()},
        "drains": said_of(report.drains),
    }
    return json.dumps(said, separators=(",", ":")).encode()


def decode(data: bytes) -> Report:
    """What `encode` wrote; what a later version adds is left out. BadReport for anything else."""
    if len(data) > MAX_BYTES:
        raise BadReport(f"{len(data)} bytes")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadReport(f"no JSON: {error}") from None
    if not isinstance(said, dict) or said.get("v") != VERSION:
        raise BadReport("not a report of this version")
    try:
        health = said["health"]
        if not isinstance(health, dict) or len(health) > MAX_POPS:
            raise BadReport("no table of POPs, or a long one")
        return Report(
            _text(said["vantage"], _NAME),
            _text(said["instance"], _INSTANCE),
            {_text(pop, _NAME): Health(each) for pop, each in health.items()},
            heard_of(said["drains"], MAX_POPS),
        )
    except KeyError as missing:
        raise BadReport(f"no {missing}") from None
    except ValueError as error:
        raise BadReport(str(error)) from None


def _text(said: object, form: re.Pattern[str]) -> str:
    if not isinstance(said, str) or form.fullmatch(said) is None:
        raise BadReport(f"{str(said)[:80]!a} is not of the form {form.pattern}")
    return said


@dataclass(slots=True)
class _Voice:
    report: Report
    at: float
    former: str = ""
    """The instance before this one."""
    contested_at: float | None = None


class Opinions:
    """What was heard of all vantage points, this one too."""

    def __init__(self) -> None:
        self._voices: dict[str, _Voice] = {}

    def hear(self, report: Report, now: float) -> Heard:
        """Take what a vantage point says."""
        voice = self._voices.get(report.vantage)
        if voice is None:
            if len(self._voices) >= MAX_VANTAGES:
                return Heard.FULL
            self._voices[report.vantage] = _Voice(report, now)
            return Heard.TAKEN
        if report.instance != voice.report.instance:
            if report.instance == voice.former:  # it came back after another took its place
                voice.contested_at = now
            voice.former = voice.report.instance
        voice.report, voice.at = report, now
        contested = voice.contested_at is not None and now - voice.contested_at <= CONTESTED_SECONDS
        return Heard.CONTESTED if contested else Heard.TAKEN

    def forget(self, now: float, life: float) -> None:
        """Those that said nothing for so long; to be called now and then."""
        for name in [name for name, voice in self._voices.items() if now - voice.at > life]:
            del self._voices[name]

    def by_pop(self) -> Mapping[str, tuple[Opinion, ...]]:
        """One of each vantage point, of each POP that it spoke of."""
        found: dict[str, list[Opinion]] = {}
        for name, voice in self._voices.items():
            for pop, health in voice.report.health.items():
                found.setdefault(pop, []).append(Opinion(name, health, voice.at))
        return MappingProxyType({pop: tuple(opinions) for pop, opinions in found.items()})
