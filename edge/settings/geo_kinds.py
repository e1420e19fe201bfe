"""Kinds for positions, countries, addresses of POPs, and where a range of addresses is. PURE.

Rules: as in edge.settings.kinds. Degrees are decimal, north and east positive (WGS 84); countries are ISO 3166-1 alpha-2
in upper case, as the databases have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from edge.settings.address_kinds import Listen
from edge.settings.composed import ListOf
from edge.settings.kinds import Kind, Name, between
from edge.settings.network import PlaceOverride
from edge.settings.node import ListenAddress
from edge.settings.problems import Fault, Refused, quoted, refused, shown

_COUNTRY = re.compile(r"[A-Z]{2}")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_SLIPS = {"UK": "GB", "EL": "GR"}
"""What the European Union calls them; ISO 3166 and every database do not."""

MAX_POP_ADDRESSES = 64
"""Of both families; four times the largest `answers`."""


@dataclass(frozen=True, slots=True)
class Number(Kind[float]):
    """A number with or without a fraction. min, max: inclusive."""

    min: float
    max: float

    def read(self, value: object) -> float:
        """The number."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refused(f"{shown(value)} is no number", f"allowed: {self.allowed()}, without quotes")
        if not self.min <= value <= self.max:  # also what is not a number
            raise refused(f"{shown(value)} is outside of what is allowed", f"allowed: {self.allowed()}")
        return float(value)

    def allowed(self) -> str:
        """The range."""
        return between(f"{self.min:g}", f"{self.max:g}")

    def write(self, value: object) -> str:
        """As Python does; TOML reads it."""
        assert isinstance(value, float | int), value
        return repr(float(value))


@dataclass(frozen=True, slots=True)
class Country(Kind[str]):
    """A country's two letters."""

    def read(self, value: object) -> str:
        """Upper case, which must be written too."""
        text = value if isinstance(value, str) else ""
        if text.upper() in _SLIPS:
            raise refused(f"{shown(value)} is no country code", f"write {quoted(_SLIPS[text.upper()])}")
        if _COUNTRY.fullmatch(text) is None:
            upper = text.upper()
            hint = f"write {quoted(upper)}; " if _COUNTRY.fullmatch(upper) and len(text) == 2 else ""
            raise refused(f"{shown(value)} is no country code", f"{hint}allowed: {self.allowed()}")
        return text

    def allowed(self) -> str:
        """Its form."""
        return 'two capital letters as in ISO 3166, such as "DE"'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Endpoint(Kind[ListenAddress]):
    """host:port of a node, to be reached."""

    def read(self, value: object) -> ListenAddress:
        """With a port that is not 0."""
        try:
            address = Listen().read(value)
        except Refused:
            address = ListenAddress("", 0)
        if address.port == 0 or address.host in {"0.0.0.0", "::"}:  # noqa: S104  # refused, not bound
            raise refused(f"{shown(value)} cannot be reached", f"allowed: {self.allowed()}")
        return address

    def allowed(self) -> str:
        """Its form."""
        return 'host:port, as in "10.0.1.1:80", "[2001:db8::1]:80" or "fra-1.internal:80"'

    def write(self, value: object) -> str:
        """In quotes."""
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class _Address(Kind["IPv4Address | IPv6Address"]):
    def read(self, value: object) -> IPv4Address | IPv6Address:
        try:
            address = ip_address(value) if isinstance(value, str) and "%" not in value else None
        except ValueError:
            address = None
        if address is None or address.is_multicast or address.is_unspecified:
            raise refused(f"{shown(value)} is no address of a POP", f"allowed: {self.allowed()}")
        return address

    def allowed(self) -> str:
        return 'an IP address, as in "192.0.2.10" or "2001:db8::10"'

    def write(self, value: object) -> str:
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class PopAddresses(Kind[tuple[tuple[IPv4Address, ...], tuple[IPv6Address, ...]]]):
    """Addresses of both families in one array."""

    addresses = ListOf(_Address(), MAX_POP_ADDRESSES, one=True)

    def read(self, value: object) -> tuple[tuple[IPv4Address, ...], tuple[IPv6Address, ...]]:
        """(IPv4, IPv6), each in the order in which it is written."""
        known = self.addresses.read(value)
        return (
            tuple(address for address in known if isinstance(address, IPv4Address)),
            tuple(address for address in known if isinstance(address, IPv6Address)),
        )

    def allowed(self) -> str:
        """Addresses."""
        return self.addresses.allowed()

    def write(self, value: object) -> str:
        """In brackets."""
        assert isinstance(value, tuple), value
        return self.addresses.write((*value[0], *value[1]))


@dataclass(frozen=True, slots=True)
class PlaceOf(Kind[PlaceOverride]):
    """Where a range of addresses is: a POP, or a country."""

    def read(self, value: object) -> PlaceOverride:
        """One of both."""
        what, colon, name = value.partition(":") if isinstance(value, str) else ("", "", "")
        try:
            if what == "pop" and colon:
                return PlaceOverride(pop=Name(64).read(name))
            if what == "country" and colon:
                return PlaceOverride(country=Country().read(name))
        except Refused as refusal:
            raise Refused(Fault(f.wrong, f.instead) for f in refusal.faults) from None
        raise refused(f"{shown(value)} is no place", f"allowed: {self.allowed()}")

    def allowed(self) -> str:
        """Its form."""
        return '"pop:NAME" or "country:DE"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, PlaceOverride), value
        return quoted(f"country:{value.country}" if value.pop is None else f"pop:{value.pop}")


@dataclass(frozen=True, slots=True)
class CheckPath(Kind[bytes]):
    """The target of a check."""

    def read(self, value: object) -> bytes:
        """As it is sent."""
        if not isinstance(value, str) or len(value) > 1_000 or _PATH.fullmatch(value) is None:
            raise refused(f"{shown(value)} is no path", f"allowed: {self.allowed()}")
        return value.encode("ascii")

    def allowed(self) -> str:
        """Its form."""
        return 'a path with or without a query, as in "/readyz"'

    def write(self, value: object) -> str:
        """In quotes."""
        assert isinstance(value, bytes), value
        return quoted(value.decode("ascii"))
