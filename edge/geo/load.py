"""How many clients a POP passes on because it has too much to do. PURE.

Owns: `load_of`, `Shedding`, `shed`. An answer lives for its TTL, so what is decided now is seen in the load a while later, and
who goes by the load alone swings between too much and nothing where there are many more clients than a POP can take
(docs/why/009). So the share is reckoned from what the load would be if nothing were passed on: the load that is measured,
divided by the share of clients that is still led here, as far as it can be felt by now. It grows only above `start`, shrinks
only below `stop`, and comes to rest in between. A load that nobody knows changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.settings.network import LoadSettings

MOST = 0.98
"""With none of its clients left, nothing would say what the load would be with all."""


@dataclass(frozen=True, slots=True)
class Shedding:
    """share: of its clients that a POP passes on, 0 to 1. felt: how much of that the load shows by now."""

    share: float = 0.0
    felt: float = 0.0


NOT_SHEDDING = Shedding()


def load_of(said: Iterable[tuple[float, float]]) -> float | None:
    """The load of a POP from those of its nodes. said: (weight, load). None = no node with a weight says anything."""
    pairs = [(weight, load) for weight, load in said if weight > 0]
    total = sum(weight for weight, _ in pairs)
    return sum(weight * load for weight, load in pairs) / total if total else None


def shed(before: Shedding, load: float | None, seconds: float, settings: LoadSettings) -> Shedding:
    """What a POP passes on, `seconds` after `before`. load: of its capacity now, None = unknown."""
    step = seconds / settings.ramp
    felt = before.felt + (before.share - before.felt) * min(step, 1.0)
    share = before.share
    if load is not None:
        whole = max(load, 0.0) / (1 - felt)
        aim = (settings.start + settings.stop) / 2
        wanted = min(1 - aim / whole, MOST) if whole > aim else 0.0
        if load > settings.start:
            share = max(share, min(wanted, share + step))
        elif load < settings.stop:
            share = min(share, max(wanted, share - step))
    return Shedding(share, felt)
