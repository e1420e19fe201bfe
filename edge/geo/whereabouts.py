"""A place as placement knows it. PURE.

Owns: `Whereabouts`, and in how many parts the clients of one place are shared out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge.geo.places import Point

SLOTS = 256
"""Parts that clients of one place are shared out in: a POP with 3 % of the weight gets 8 of them."""


class PlaceSource(Enum):
    """How a place is known; the word in explanations."""

    OVERRIDE = "override"
    COORDINATES = "coordinates"
    COUNTRY = "country"
    """The database knows the country, the table of countries its point."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A place as placement knows it. point: None = nobody knows. pop: the one that an override names."""

    country: str | None = None
    point: Point | None = None
    pop: str | None = None
    source: PlaceSource = PlaceSource.UNKNOWN


NOWHERE = Whereabouts()
