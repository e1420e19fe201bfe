"""What a record of a database says of a place. PURE.

Owns: `read_record`, for every layout in use: nested (GeoLite2, GeoIP2, DB-IP: `country.iso_code`, `location.latitude`) and flat
(`country_code`, `latitude`; IPinfo's `country`, `loc`). Rules: a record is a value from outside and may be anything; what is
not understood is not known. Coordinates 0, 0 are how databases say that they have none: it is a place in the sea.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.geo.places import Point, point_of

MAX_COUNTRY = 2


def read_record(record: object) -> tuple[str | None, Point | None]:
    """(country, point); None for what is not known."""
    if not isinstance(record, Mapping):
        return None, None
    country = record.get("country")
    if isinstance(country, Mapping):
        said = country.get("iso_code")
        location = record.get("location")
        point = _point(location) if isinstance(location, Mapping) else None
    else:
        said = record.get("country_code", country)
        point = _point(record)
        if said is None:
            said, point = _registered(record), point or _located(record)
    if not isinstance(said, str) or len(said) != MAX_COUNTRY or not said.isascii() or not said.isalpha():
        said = None
    return (None if said is None else said.upper()), point


def _registered(record: Mapping[object, object]) -> object:
    """Where the block is registered, which GeoIP2 knows when it does not know where it is used."""
    registered = record.get("registered_country")
    return registered.get("iso_code") if isinstance(registered, Mapping) else None


def _located(record: Mapping[object, object]) -> Point | None:
    location = record.get("location")
    return _point(location) if isinstance(location, Mapping) else None


def _point(holder: Mapping[object, object]) -> Point | None:
    latitude, longitude = (
        holder.get("latitude", holder.get("lat")),
        holder.get("longitude", holder.get("lng")),
    )
    if latitude is None and isinstance(both := holder.get("loc"), str):
        latitude, _, longitude = both.partition(",")
    point = point_of(_number(latitude), _number(longitude))
    return None if point is None or (point.latitude == 0 and point.longitude == 0) else point


def _number(value: object) -> object:
    """Some flat databases have numbers as text."""
    if isinstance(value, str) and len(value) <= 32:
        try:
            return float(value)
        except ValueError:
            return None
    return value
