"""The settings of a network: regions, POPs, nodes, routes, and how places and health are found out.

Owns: every setting of a network file but those of the DNS server (edge.settings.dns_schema). Rules: edge.settings.schema;
the defaults stand in edge.settings.network. An array of tables has a schema of its own, for one element.
"""

from __future__ import annotations

from edge.semantics.rules import DAY, GIB, HOUR, MIB, MINUTE
from edge.settings.address_kinds import FileName, HostNames, NetworkRange
from edge.settings.bus_schema import BUS, BUS_TABLES
from edge.settings.composed import ListOf, MapOf, Or, SetOf
from edge.settings.dns_kinds import DnsName
from edge.settings.dns_schema import DNS_ORDERS, DNS_SETTINGS, DNS_TABLES
from edge.settings.geo_kinds import CheckPath, Country, Endpoint, Number, PlaceOf, PopAddresses
from edge.settings.kinds import Choice, Count, Duration, Flag, Name, Share, Size
from edge.settings.network import (
    CheckedAddress,
    Network,
    NetworkNode,
    OwnShields,
    Pop,
    PopState,
    Region,
    Role,
    RoutedSite,
    UnknownCountry,
)
from edge.settings.schema import Order, Schema, Setting

NAME = Name(64)
_COUNTRIES = SetOf(ListOf(Country(), 250))
_SHIELDS = Or("regional", OwnShields.REGIONAL, Or("none", OwnShields.NONE, NAME))

MAX_OVERRIDES = 10_000
"""A network file is 1 MiB at most; that many ranges are half of it."""

REGION: Schema[Region] = Schema(
    Region(),
    (
        Setting("name", NAME, "name", "In settings, logs and metrics."),
        Setting(
            "shields",
            _SHIELDS,
            "shields",
            'Whose shields the misses of this region\'s edges meet at. "regional": its own, or none if it has none; a name: '
            'those of another region, which must use its own; "none": every edge asks the origin.',
        ),
    ),
    tables={"": "A region: POPs near each other, which share shields."},
    required={"name": '"eu"'},
)

POP: Schema[Pop] = Schema(
    Pop(),
    (
        Setting("name", NAME, "name", "In settings, logs and metrics."),
        Setting("region", NAME, "region", "The region it is in."),
        Setting("latitude", Number(-90, 90), "latitude", "Degrees; negative in the south."),
        Setting("longitude", Number(-180, 180), "longitude", "Degrees; negative in the west."),
        Setting(
            "addresses",
            PopAddresses(),
            "ipv4 ipv6",
            "What DNS gives out, in this order: of a load balancer, or of the edges themselves.",
        ),
        Setting(
            "weight",
            Count(0, 10_000),
            "weight",
            "Its share of those clients for whom several POPs are near enough. 0: none, as long as another is left.",
        ),
        Setting(
            "bias",
            Number(-20_000, 20_000),
            "bias",
            "Kilometres that are added to every distance to it: where the network is worse than the map, or dearer. Negative "
            "ones draw clients to it. Half the earth is 20,000 km.",
        ),
        Setting(
            "capacity",
            Or("auto", None, Count(1, 100_000_000)),
            "capacity",
            'Requests a second that are a load of 1. "auto": the load is what its nodes say of themselves.',
        ),
        Setting(
            "state",
            Choice(tuple(PopState)),
            "state",
            '"drain": no new clients, as long as another POP can have them; health.drain_ramp says how fast.',
        ),
        Setting(
            "countries",
            _COUNTRIES,
            "countries",
            "Only clients of these countries come here. Empty: of all.",
        ),
        Setting(
            "siblings",
            Flag(),
            "siblings",
            "Whether its edges share the keys among themselves: each asks the one that has a key before it asks a shield, so "
            "that the POP fetches an object once. Every edge of it needs a tier address.",
        ),
    ),
    tables={"": "A POP: one place, and the addresses that lead to it."},
    required={"name": '"fra"', "region": '"eu"', "latitude": "50.11", "longitude": "8.68"},
)

NETWORK_NODE: Schema[NetworkNode] = Schema(
    NetworkNode(),
    (
        Setting("name", NAME, "name", "Its node.name: in Cache-Status, Via, logs and metrics."),
        Setting("pop", NAME, "pop", "The POP it is in."),
        Setting("role", Choice(tuple(Role)), "role", "Whether clients come to it or the misses of edges."),
        Setting(
            "http",
            Endpoint(),
            "http",
            "Where it serves, as the other nodes reach it; not what clients are told, which is the POP's.",
        ),
        Setting(
            "admin",
            Or("off", None, Endpoint()),
            "admin",
            "Its admin API, for health checks. It has no password: only a private address belongs here.",
        ),
        Setting(
            "weight",
            Count(0, 10_000),
            "weight",
            "Its share of what its POP gets or, of a shield, of its region's keys. 0: none.",
        ),
        Setting(
            "tier",
            Or("auto", None, Endpoint()),
            "tier",
            'Where it serves the nodes that ask it: its tier.listen, as they reach it. "auto": at http, for a shield; no '
            "node asks an edge then.",
        ),
    ),
    tables={"": "A node of the network."},
    required={"name": '"fra-1"', "pop": '"fra"', "http": '"10.0.1.1:80"'},
)

ROUTE: Schema[RoutedSite] = Schema(
    RoutedSite(),
    (
        Setting("site", NAME, "name", "The site's name, as in its site file."),
        Setting(
            "hosts",
            HostNames(),
            "hosts",
            "Names that are answered with addresses of POPs. Those outside of our zones are routed by HTTP only.",
        ),
        Setting(
            "ttl",
            Duration(1, DAY),
            "ttl",
            "How long resolvers keep an answer: the longest that a client is led to a POP that is down. Under 20 s many of "
            "them ask for every page.",
        ),
        Setting(
            "answers",
            Count(1, 16),
            "answers",
            "Addresses in an answer, at most. Browsers try the next one by themselves; more than four only make it longer.",
        ),
        Setting("pops", SetOf(ListOf(NAME, 1_000)), "pops", "The POPs that serve it. Empty: all."),
        Setting("allow", _COUNTRIES, "allow", "Countries whose clients are served. Empty: all."),
        Setting("deny", _COUNTRIES, "deny", "Countries whose clients are not; it wins over allow."),
        Setting(
            "unknown_country",
            Choice(tuple(UnknownCountry)),
            "unknown_country",
            "What clients are whose country nobody knows, where allow or deny is written.",
        ),
        Setting(
            "alternate",
            Or("none", None, DnsName()),
            "alternate",
            'The host that clients who are not served are sent to. "none": DNS leads them to a POP like all others, and '
            "only what is counted tells them apart.",
        ),
        Setting(
            "spread",
            Flag(),
            "spread",
            "Whether clients are spread over all POPs that are near enough, or the nearest takes them all.",
        ),
        Setting(
            "spread_factor",
            Number(1, 10),
            "spread_factor",
            "A POP is near enough if it is at most this many times as far as the nearest one, plus spread_extra.",
        ),
        Setting(
            "spread_extra",
            Number(0, 20_000),
            "spread_extra",
            "Kilometres. An address is often known by its country only, so what is less than this says little.",
        ),
        Setting(
            "ecs",
            Flag(),
            "ecs",
            "Whether the client's network in a query (EDNS Client Subnet) counts, or only the resolver's address.",
        ),
        Setting(
            "shields",
            _SHIELDS,
            "shields",
            'The region whose shields all misses of the site go to, best the one nearest to its origin. "regional": as each '
            'region says; "none": edges ask the origin.',
        ),
        Setting(
            "second_tier",
            Or("none", None, NAME),
            "second_tier",
            "The region whose shields are asked before the origin is, by all other shields: one request in the world.",
        ),
    ),
    tables={"": "How the clients of a site are led to POPs, and its misses to the origin."},
    required={"site": '"shop"', "hosts": '["www.example.org"]'},
)

_HEALTH = (
    Setting(
        "health.interval",
        Duration(0.1, HOUR),
        "health.interval",
        "How often each node is asked by each DNS node. With down_after it says how fast a dead POP is noticed.",
    ),
    Setting(
        "health.timeout", Duration(0.05, MINUTE), "health.timeout", "For a check, from connect to status."
    ),
    Setting(
        "health.path",
        CheckPath(),
        "health.path",
        "What is asked for. At an admin address 200 is up and everything else is down; at an http address, where no site may "
        "have this path, every answer below 500 is up.",
    ),
    Setting(
        "health.address",
        Choice(tuple(CheckedAddress)),
        "health.address",
        "Which address of a node is asked; http for a node that has no admin address.",
    ),
    Setting(
        "health.down_after",
        Count(1, 100),
        "health.down_after",
        "Checks in a row that must fail. One lost packet is no failure.",
    ),
    Setting("health.up_after", Count(1, 100), "health.up_after", "Checks in a row that must succeed again."),
    Setting(
        "health.quorum",
        Share(0.99),
        "health.quorum",
        "More than this share of the vantage points that know something must call a POP down.",
    ),
    Setting(
        "health.opinion_life",
        Duration(1, HOUR),
        "health.opinion_life",
        "What was seen longer ago says nothing. Where nobody knows anything, what was known last stays.",
    ),
    Setting(
        "health.presence_life",
        Duration(1, HOUR),
        "health.presence_life",
        "A node that has said nothing for this long is silent. Nodes speak once a second. A POP whose nodes are silent "
        "while others speak has one vantage point against it.",
    ),
    Setting(
        "health.max_out",
        Share(1),
        "health.max_out",
        "If checks take out more than this share of the POPs, it is the checks that are doubted, and all count as up.",
    ),
    Setting(
        "health.max_lag",
        Duration(0, DAY),
        "health.max_lag",
        "A node that is further behind the purge log gets no new clients.",
    ),
    Setting(
        "health.slow_start",
        Duration(0, DAY),
        "health.slow_start",
        "How long a POP that returns takes to get its full share: its caches are cold.",
    ),
    Setting(
        "health.drain_ramp",
        Duration(0, DAY),
        "health.drain_ramp",
        "How long a POP that is drained takes to get no new clients, so that its neighbours can fill their caches.",
    ),
)

_LOAD = (
    Setting(
        "load.start",
        Share(1),
        "load.start",
        "Above this load a POP passes clients on to the next: as many as bring it down again, before it is full.",
    ),
    Setting(
        "load.stop",
        Share(1),
        "load.stop",
        "Below this they come back. In between nothing changes, so that clients do not swing to and fro.",
    ),
    Setting(
        "load.ramp",
        Duration(1, HOUR),
        "load.ramp",
        "How long it takes at least from passing on nothing to passing on all. Once to twice the TTL of answers: what is "
        "decided is seen in the load only as answers run out, and what is faster than that overshoots.",
    ),
)

_GEO = (
    Setting(
        "geo.databases",
        ListOf(FileName(), 16, one=True),
        "geo.databases",
        "MaxMind DB files (GeoLite2, GeoIP2, DB-IP, ...), with countries or cities. The first that knows an address counts. "
        "Empty: nobody's place is known, and default_pops is the order for all.",
    ),
    Setting(
        "geo.reload",
        Or("off", None, Duration(1, DAY)),
        "geo.reload",
        "How often it is looked whether a database changed. A damaged one is not taken; the old one stays.",
    ),
    Setting(
        "geo.max_database",
        Size(MIB, 64 * GIB),
        "geo.max_database",
        "The largest database that is taken. A copy of each is kept in the data folder.",
    ),
    Setting(
        "geo.max_places",
        Count(1_000, 10_000_000),
        "geo.max_places",
        "Different places that are told apart, some 200 bytes each; beyond it, places of one degree are one.",
    ),
    Setting(
        "geo.overrides",
        MapOf(NetworkRange(), PlaceOf(), MAX_OVERRIDES),
        "geo.overrides",
        "Where the addresses of a range are, whatever a database says; the narrowest range counts.",
    ),
    Setting(
        "geo.default_pops",
        ListOf(NAME, 1_000),
        "geo.default_pops",
        "The order of POPs for clients whose place is unknown. Those not named follow in the order of the file.",
    ),
)

NETWORK: Schema[Network] = Schema(
    Network(),
    (*_HEALTH, *_LOAD, *_GEO, *BUS, *DNS_SETTINGS),
    tables={
        "health": "How it is found out which POPs are up.",
        "load": "When a POP passes clients on. Loads are shares of its capacity.",
        "geo": "How addresses become places.",
        **BUS_TABLES,
        **DNS_TABLES,
    },
    orders=(
        Order("health.timeout", "health.interval"),
        Order("health.interval", "health.opinion_life"),
        Order("load.stop", "load.start"),
        *DNS_ORDERS,
    ),
)
