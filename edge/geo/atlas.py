"""Where an address is.

Owns: `Atlas`: look-ups in databases and overrides, and the buckets that clients fall into. Rules: an atlas never changes, but
for its register of places, which only grows; new databases make a new atlas (edge.geo.keeper), and buckets mean something
within one atlas only. A look-up waits for nothing, raises nothing and allocates little: it is on the path of every DNS query.

A *bucket* is all that placement knows of where a client is: a place (country, coordinates or a POP that an override names)
and a *slot*, one of `SLOTS` equal parts of all clients, by which they are shared out among POPs that are equally good
(edge.geo.shares). So whatever is decided for a client holds for its bucket. The slot is a hash of the client's network, and
every address of the network that an answer is good for (`prefix_len`) has the same one; where a database knows a large block
as one place, the block is still cut into pieces of `SLOT_PREFIX` bits, so that it can be shared out at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Protocol

from edge.geo.countries import COUNTRIES
from edge.geo.overrides import NO_OVERRIDES, Overrides
from edge.geo.places import Point
from edge.geo.records import read_record
from edge.geo.whereabouts import NOWHERE, SLOTS, PlaceSource, Whereabouts
from edge.values import value

SLOT_PREFIX_V4 = 16
SLOT_PREFIX_V6 = 32

DAMAGE = (RuntimeError, ValueError, TypeError, MemoryError, OSError, SystemError)
"""What a reader raises where a database is damaged: InvalidDatabaseError is a RuntimeError, text that is no UTF-8 a ValueError,
a size that cannot be a MemoryError. maxminddb 3.2 makes strings of nothing, which raise a ValueError or SystemError when they
are looked at, there or here."""

_MAPPED = bytes(10) + b"\xff\xff"
_UNKNOWN_PLACE = 0
_GOLDEN = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: a multiplication by it spreads neighbours evenly over the upper bits (Knuth 6.4)."""
_MASK64 = (1 << 64) - 1


@value(frozen=True, slots=True)
class Located:
    """Where an address is. prefix_len: leading bits that decided it; every address that shares them is in this bucket."""

    country: str | None
    latitude: float | None
    longitude: float | None
    prefix_len: int
    source: PlaceSource
    pop: str | None
    bucket: int


class Lookup(Protocol):
    """A database as far as an atlas needs it: maxminddb's C reader."""

    def get_with_prefix_len(self, ip_address: str, /) -> tuple[object, int]:
        """The record of an address, None where there is none, and the bits that it was found by."""


@dataclass(frozen=True, slots=True)
class Source:
    """A database that is looked into. ip_version: 4 = it knows IPv4 only."""

    reader: Lookup
    ip_version: int


PlaceKey = tuple[str | None, float | None, float | None, str | None]
"""What tells places apart: country, latitude, longitude, POP."""


class Register:
    """Places by number. Beyond `limit` places, those within one degree are one."""

    __slots__ = ("_known", "_limit", "_places", "rounded")

    def __init__(self, limit: int) -> None:
        self._known: dict[PlaceKey, int] = {(None, None, None, None): _UNKNOWN_PLACE}
        self._places: list[Whereabouts] = [NOWHERE]
        self._limit = limit
        self.rounded = 0
        """Look-ups whose place was rounded because there are too many."""

    def number(self, key: PlaceKey, source: PlaceSource) -> int:
        """The number of a place. source: of the first look-up of it."""
        known = self._known.get(key)
        if known is not None:
            return known
        country, latitude, longitude, pop = key
        if len(self._places) >= self._limit and latitude is not None and longitude is not None:
            self.rounded += 1
            latitude, longitude = float(round(latitude)), float(round(longitude))
            key = (country, latitude, longitude, pop)
            known = self._known.get(key)
            if known is not None:
                return known
        point = None if latitude is None or longitude is None else Point(latitude, longitude)
        self._known[key] = number = len(self._places)
        self._places.append(Whereabouts(country, point, pop, source))
        return number

    def __getitem__(self, number: int) -> Whereabouts:
        return self._places[number]

    def __len__(self) -> int:
        return len(self._places)


class Atlas:
    """See the module. sources: the first that knows an address counts."""

    __slots__ = ("_overrides", "_sources_v4", "_sources_v6", "failures", "register", "unknown")

    def __init__(
        self,
        sources: Sequence[Source] = (),
        overrides: Overrides = NO_OVERRIDES,
        *,
        max_places: int = 300_000,
    ) -> None:
        self._sources_v4 = tuple(source.reader for source in sources)
        self._sources_v6 = tuple(source.reader for source in sources if source.ip_version == 6)
        self._overrides = overrides
        self.register = Register(max_places)
        self.unknown = 0
        """Look-ups of addresses whose place nobody knows."""
        self.failures = 0
        """Look-ups that a database answered with an error: it is damaged in a part that nobody looked at before."""

    def locate(self, address: str | bytes) -> Located:
        """Where an address is. address: as text or packed. ValueError for a text that is none."""
        packed = address if isinstance(address, bytes) else ip_address(address).packed
        bucket, prefix = self.bucket_of(packed)
        where = self.whereabouts(bucket)
        point = where.point
        return Located(
            where.country,
            None if point is None else point.latitude,
            None if point is None else point.longitude,
            prefix,
            where.source,
            where.pop,
            bucket,
        )

    def bucket_of(self, packed: bytes) -> tuple[int, int]:
        """(bucket, prefix_len) of a packed address."""
        if len(packed) == 4:
            return self._v4(packed)
        assert len(packed) == 16, packed
        if packed.startswith(_MAPPED):
            bucket, prefix = self._v4(packed[12:])
            return bucket, prefix + 96
        number = int.from_bytes(packed)
        place, prefix = self._place(number, 128, inet_ntop(AF_INET6, packed), self._sources_v6)
        prefix = max(prefix, SLOT_PREFIX_V6)
        return place * SLOTS + _slot(number >> (128 - prefix), prefix), prefix

    def block_of(self, packed: bytes) -> tuple[int, int]:
        """(bucket of its first address, prefix_len) of the whole block that is one place, however large."""
        v4 = len(packed) == 4
        family, readers = (AF_INET, self._sources_v4) if v4 else (AF_INET6, self._sources_v6)
        width, number = 8 * len(packed), int.from_bytes(packed)
        place, prefix = self._place(number, width, inet_ntop(family, packed), readers)
        cut = max(prefix, SLOT_PREFIX_V4 if v4 else SLOT_PREFIX_V6)
        return place * SLOTS + _slot(number >> (width - cut), cut), prefix

    def _v4(self, packed: bytes) -> tuple[int, int]:
        number = int.from_bytes(packed)
        place, prefix = self._place(number, 32, inet_ntop(AF_INET, packed), self._sources_v4)
        prefix = max(prefix, SLOT_PREFIX_V4)
        return place * SLOTS + _slot(number >> (32 - prefix), prefix), prefix

    def whereabouts(self, bucket: int) -> Whereabouts:
        """The place of a bucket that this atlas has given."""
        return self.register[bucket // SLOTS]

    def _place(self, number: int, width: int, text: str, readers: tuple[Lookup, ...]) -> tuple[int, int]:
        override, prefix = self._overrides.find(number, width) if self._overrides.any else (None, 0)
        country: str | None = None
        point: Point | None = None
        if override is None or override.country is None:
            for reader in readers:
                try:
                    record, length = reader.get_with_prefix_len(text)
                    prefix = max(prefix, length)
                    country, point = read_record(record)
                except DAMAGE:
                    self.failures += 1
                    continue
                if country is not None or point is not None:
                    break
        pop = None
        if override is not None:
            pop, country = override.pop, override.country or country
        if country is None and point is None and pop is None:
            self.unknown += 1
            return _UNKNOWN_PLACE, prefix
        return self._numbered(country, point, pop, override is not None), prefix

    def _numbered(self, country: str | None, point: Point | None, pop: str | None, overridden: bool) -> int:
        source = PlaceSource.COORDINATES
        if point is None:
            point = COUNTRIES.get(country) if country is not None else None
            source = PlaceSource.UNKNOWN if point is None else PlaceSource.COUNTRY
        if overridden:
            source = PlaceSource.OVERRIDE
        if point is None:
            return self.register.number((country, None, None, pop), source)
        return self.register.number((country, point.latitude, point.longitude, pop), source)


def _slot(network: int, prefix: int) -> int:
    """Of a network, by its leading bits."""
    return ((network + prefix) * _GOLDEN & _MASK64) >> 56
