"""What answers are made from at one moment. PURE.

Owns: `View`, frozen and swapped whole, so that no answer is half of one state and half of another; and what is asked of
geography: `Geography`. Rules: what a routed name is answered depends on (site, bucket) alone while a view lives: a bucket is
all that placement knows of where a client is. So an answer made for one client of a bucket is good for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.geo.dns.edns import IPV4
from edge.geo.dns.names import Name, ancestors
from edge.geo.dns.zone import Zone
from edge.settings.dns import EcsSettings

_ECS = EcsSettings()


@dataclass(frozen=True, slots=True)
class Located:
    """Where an address is. bucket: places that placement treats alike. prefix: every address that shares these many bits
    with it is in the same bucket.
    """

    bucket: int
    prefix: int


@dataclass(frozen=True, slots=True)
class Placed:
    """What placement chose. v4, v6: packed addresses in order. pop: "" = none. reasons: words for the log.

    alias: the name that clients who are not served are sent to instead; None = there is none, or they are served.
    """

    pop: str
    v4: tuple[bytes, ...]
    v6: tuple[bytes, ...]
    geography_mattered: bool
    reasons: tuple[str, ...] = ()
    alias: Name | None = None


class Geography(Protocol):
    """Atlas and placement, as far as answers need them. Neither waits, and neither raises."""

    def locate(self, address: bytes) -> Located:
        """Of a packed address."""

    def place(self, site: str, bucket: int) -> Placed:
        """The choice for a routed site."""


@dataclass(frozen=True, slots=True)
class View:
    """zones: by origin. ecs: whether and how finely client subnets are looked at."""

    zones: Mapping[Name, Zone]
    geography: Geography
    ecs: EcsSettings = _ECS

    def finest(self, family: int) -> int:
        """The most prefix bits of a client that are looked at, and the longest scope."""
        return self.ecs.max_v4 if family == IPV4 else self.ecs.max_v6

    def zone_of(self, qname: Name) -> Zone | None:
        """The zone nearest to a name, None = it is in none of ours."""
        zones = self.zones
        for each in ancestors(qname):
            zone = zones.get(each)
            if zone is not None:
                return zone
        return None
