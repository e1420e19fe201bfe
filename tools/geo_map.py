"""A map of the world as SVG, with spots on it. PURE.

Owns: `world_map`. An equirectangular picture: a degree is `SCALE` units, so that a place is where its coordinates are. Instead
of coastlines, whose data would have to be kept and named, the points of countries (edge.geo.countries) and a grid show where
what is. Colours tell POPs apart also for those who see few of them (Okabe, Ito).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import sqrt

from edge.geo.countries import COUNTRIES
from edge.geo.places import Point

SCALE = 3.0
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7a00", "#444444")
"""By POP; they begin anew after the last."""
LEAST, MOST = 1.2, 16.0
"""Radii of spots."""
LEGEND = 26


@dataclass(frozen=True, slots=True)
class Spot:
    """Requests from one place. colour: number of the POP."""

    point: Point
    requests: int
    colour: int


def world_map(spots: Sequence[Spot], pops: Sequence[tuple[str, Point, int]]) -> str:
    """The picture. spots: large ones first, so that small ones lie above them. pops: (name, where, requests)."""
    width, height = 360 * SCALE, 150 * SCALE
    most = max((spot.requests for spot in spots), default=1)
    total = sum(requests for _, _, requests in pops) or 1
    box = f'viewBox="0 0 {width:g} {height + LEGEND:g}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        '<rect width="100%" height="100%" fill="#fbfbf8"/>',
        *_grid(width, height),
        *(_dot(point, 1.0, "#c9c9c0") for point in COUNTRIES.values()),
        *(
            _dot(spot.point, max(MOST * sqrt(spot.requests / most), LEAST), _colour(spot.colour), "0.45")
            for spot in spots
        ),
    ]
    for number, (name, point, requests) in enumerate(pops):
        x, y = _at(point)
        square = f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{_colour(number)}" stroke="#fff"/>'
        label = (
            f'<text x="{x + 7:.1f}" y="{y + 4:.1f}" stroke="#fbfbf8" stroke-width="3" paint-order="stroke">'
        )
        parts += [square, f"{label}{escape(name)} {requests / total:.0%}</text>"]
    said = "Squares are POPs with their share of requests; spots are clients, their area is requests; grey: countries."
    parts += [f'<text x="6" y="{height + 17:g}" fill="#555">{said}</text>', "</svg>\n"]
    return "\n".join(parts)


def _grid(width: float, height: float) -> list[str]:
    across = [
        f'<path d="M0 {_at(Point(latitude, 0))[1]:g}H{width:g}" stroke="#e6e6de"/>'
        for latitude in range(-60, 90, 30)
    ]
    down = [
        f'<path d="M{_at(Point(0, longitude))[0]:g} 0V{height:g}" stroke="#e6e6de"/>'
        for longitude in range(-150, 180, 30)
    ]
    return across + down


def _at(point: Point) -> tuple[float, float]:
    """The picture ends at 85 degrees north and 65 south: nobody asks from beyond."""
    return (point.longitude + 180) * SCALE, (85 - min(max(point.latitude, -65), 85)) * SCALE


def _dot(point: Point, radius: float, colour: str, opacity: str = "1") -> str:
    x, y = _at(point)
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="{opacity}"/>'


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
