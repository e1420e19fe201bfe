"""What a network is: regions, POPs, nodes, and how clients are led to them.

Owns: `Network` and its parts, frozen and complete; `node_of`, `shields_of`. Durations are seconds, distances kilometres,
positions degrees. The defaults here are the defaults: edge.settings.network_schema reads them from here. What a network
must hold together (every name known, no loop, no orphan) is edge.settings.topology's to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import MappingProxyType

from edge.semantics.rules import MINUTE
from edge.settings.dns import DnsSettings
from edge.settings.node import ListenAddress, NatsSettings
from edge.settings.node import Network as AddressRange

_NOWHERE = ListenAddress("", 0)
_NO_DNS = DnsSettings()
_NO_BUS = NatsSettings()


class PopState(Enum):
    """What the operator says of a POP."""

    ACTIVE = "active"
    DRAIN = "drain"
    """It gets no new clients as long as another POP can have them."""


class Role(Enum):
    """What a node does."""

    EDGE = "edge"
    """Clients come to it."""
    SHIELD = "shield"
    """Misses of edges meet at it."""


class OwnShields(Enum):
    """Where misses go that no region's name is written for."""

    REGIONAL = "regional"
    """A region's own shields, or those of the region that it names."""
    NONE = "none"
    """To the origin directly."""


class UnknownCountry(Enum):
    """What a site does with clients whose country nobody knows."""

    ALLOW = "allow"
    DENY = "deny"


class CheckedAddress(Enum):
    """Which of a node's addresses active checks ask."""

    HTTP = "http"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Region:
    """POPs that are near each other."""

    name: str = ""
    shields: str | OwnShields = OwnShields.REGIONAL
    """The region whose shields the misses of this one's edges go to. REGIONAL = this one's, where it has any."""


@dataclass(frozen=True, slots=True)
class Pop:
    """A point of presence: one place on the earth with its addresses."""

    name: str = ""
    region: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    weight: int = 100
    """Its share of clients for whom several POPs are near enough. 0 = none, as long as another has some."""
    bias: float = 0.0
    """Kilometres that are added to every distance to it; negative ones draw clients to it."""
    capacity: int | None = None
    """Requests a second that are its load 1.0. None = its nodes say what their load is."""
    ipv4: tuple[IPv4Address, ...] = ()
    ipv6: tuple[IPv6Address, ...] = ()
    """What DNS gives out, in this order."""
    state: PopState = PopState.ACTIVE
    countries: frozenset[str] = frozenset()
    """Only clients of these come here; empty = of all."""
    siblings: bool = False
    """Whether its edges share the keys among themselves: each asks the one that has a key before it asks a shield."""


@dataclass(frozen=True, slots=True)
class NetworkNode:
    """A node of the network. http, admin: where it is reached from within the network."""

    name: str = ""
    pop: str = ""
    role: Role = Role.EDGE
    http: ListenAddress = _NOWHERE
    admin: ListenAddress | None = None
    """None = it is not asked from outside of its POP."""
    weight: int = 100
    """Its share of what its POP (or, of a shield, its region) gets."""
    tier: ListenAddress | None = None
    """Where it serves the nodes that ask it, its tier.listen. None = at `http`, for a shield; an edge serves none then."""

    @property
    def for_nodes(self) -> ListenAddress | None:
        """Where nodes ask it; None = it is not asked."""
        return self.http if self.tier is None and self.role is Role.SHIELD else self.tier


@dataclass(frozen=True, slots=True)
class RoutedSite:
    """How the clients of one site are led to POPs."""

    name: str = ""
    hosts: tuple[bytes, ...] = ()
    """Names that are answered with addresses of POPs, lower case; `*.name` stands for every name below."""
    ttl: float = 30.0
    answers: int = 2
    """Addresses of one family in an answer, at most."""
    pops: frozenset[str] = frozenset()
    """The POPs that serve it; empty = all."""
    allow: frozenset[str] = frozenset()
    """Countries whose clients are served; empty = all."""
    deny: frozenset[str] = frozenset()
    unknown_country: UnknownCountry = UnknownCountry.ALLOW
    alternate: bytes | None = None
    """The host that clients of other countries are sent to. None = they are served like all."""
    spread: bool = True
    """Whether all POPs that are near enough take a share; False = the nearest takes all."""
    spread_factor: float = 1.5
    """Near enough is up to this many times as far as the nearest, plus `spread_extra`. Where an address is known by its
    country only, the nearest POP of a large country is the wrong one for a quarter of it; 1.5 and 300 km made the load even
    without sending anybody across an ocean."""
    spread_extra: float = 300.0
    ecs: bool = True
    """Whether the client's network in a query (RFC 7871) counts, or only the resolver's address."""
    shields: str | OwnShields = OwnShields.REGIONAL
    """The region whose shields the misses of all regions go to."""
    second_tier: str | None = None
    """The region whose shields are between the first ones and the origin."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How it is found out which POPs are up."""

    interval: float = 2.0
    timeout: float = 1.0
    path: bytes = b"/readyz"
    address: CheckedAddress = CheckedAddress.ADMIN
    down_after: int = 3
    """Checks in a row that fail before this vantage point calls a node down."""
    up_after: int = 2
    quorum: float = 0.5
    """More than this share of the vantage points that have an opinion must call a POP down."""
    opinion_life: float = 15.0
    """What a vantage point saw longer ago says nothing any more."""
    presence_life: float = 3.0
    """A node that has said nothing for this long is silent. Nodes speak once a second."""
    max_out: float = 0.8
    """No more than this share of all POPs is taken out by checks; beyond it the checks are what is doubted."""
    max_lag: float = 15.0
    """Seconds that a node may be behind the purge log before it gets no new clients."""
    slow_start: float = MINUTE
    """How long a POP that returns takes to get its full share."""
    drain_ramp: float = MINUTE
    """How long a drained POP takes to get none."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """When a POP passes clients on to the next. Loads are shares of its capacity."""

    start: float = 0.8
    """Above this, clients are passed on: as many as bring the load down to between this and `stop`."""
    stop: float = 0.7
    """Below this, they come back. In between nothing changes."""
    ramp: float = MINUTE
    """How long it takes at least from passing on nothing to passing on all, and back."""


@dataclass(frozen=True, slots=True)
class PlaceOverride:
    """Where the addresses of a range are, whatever a database says. One of both is None."""

    pop: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class GeoSettings:
    """How addresses become places."""

    databases: tuple[Path, ...] = ()
    """MaxMind DB files; the first that knows an address counts. () = nobody's place is known."""
    reload: float | None = 30.0
    """How often it is looked whether a database changed. None = never."""
    max_database: int = 1024 * 1024 * 1024
    """Bytes of the largest database that is taken."""
    max_places: int = 300_000
    """Different places that are told apart; beyond it, places of one degree are one."""
    overrides: Mapping[AddressRange, PlaceOverride] = field(default_factory=lambda: MappingProxyType({}))
    default_pops: tuple[str, ...] = ()
    """The order of POPs for clients whose place is unknown; those not named follow in the order of the file."""


@dataclass(frozen=True, slots=True)
class Network:
    """A whole network file."""

    regions: tuple[Region, ...] = ()
    pops: tuple[Pop, ...] = ()
    nodes: tuple[NetworkNode, ...] = ()
    routes: tuple[RoutedSite, ...] = ()
    health: HealthSettings = HealthSettings()
    load: LoadSettings = LoadSettings()
    geo: GeoSettings = GeoSettings()
    nats: NatsSettings = _NO_BUS
    """Where nodes say how they are. No url = nowhere: each DNS server goes by its own checks."""
    dns: DnsSettings = _NO_DNS
    file: Path | None = None
    """None = it was not read from one."""

    def pop(self, name: str) -> Pop | None:
        """The POP of that name, None when there is none."""
        return next((pop for pop in self.pops if pop.name == name), None)

    def region(self, name: str) -> Region | None:
        """The region of that name, None when there is none."""
        return next((region for region in self.regions if region.name == name), None)

    def route(self, name: str) -> RoutedSite | None:
        """How the site of that name is routed, None when it is not."""
        return next((route for route in self.routes if route.name == name), None)

    def region_of(self, node: NetworkNode) -> str:
        """The name of the region a node is in."""
        pop = self.pop(node.pop)
        assert pop is not None, f"{node.name} is in no POP"
        return pop.region

    def edges(self, pop: str) -> tuple[NetworkNode, ...]:
        """The edges of a POP, in the order of the file."""
        return tuple(node for node in self.nodes if node.role is Role.EDGE and node.pop == pop)

    def shields(self, region: str) -> tuple[NetworkNode, ...]:
        """The shields in a region, in the order of the file."""
        return tuple(
            node for node in self.nodes if node.role is Role.SHIELD and self.region_of(node) == region
        )


def node_of(network: Network, name: str) -> NetworkNode | None:
    """The node of that name, None when the network has none."""
    return next((node for node in network.nodes if node.name == name), None)


def shielding_region(network: Network, region: str) -> str | None:
    """The region whose shields serve the edges of `region` where a site says nothing; None = the origin is asked."""
    said = network.region(region)
    assert said is not None, f"there is no region {region}"
    if said.shields is OwnShields.NONE:
        return None
    if isinstance(said.shields, str):
        return said.shields
    return region if network.shields(region) else None


def tiers_of(network: Network, region: str, route: RoutedSite | None) -> tuple[str, ...]:
    """The regions whose shields a miss of an edge in `region` goes through on its way to the origin: none, one or two.

    route: of the site, None = the network does not name the site.
    """
    first = shielding_region(network, region)
    if route is None:
        return () if first is None else (first,)
    if route.shields is OwnShields.NONE:
        first = None
    elif isinstance(route.shields, str):
        first = route.shields
    return tuple(dict.fromkeys(tier for tier in (first, route.second_tier) if tier is not None))
