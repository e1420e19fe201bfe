"""Where an edge sends a client that came to it over HTTP. PURE.

Owns: `Router`: everything that is known at one moment, replaced as a whole. Rules:
- it decides by `place`, as DNS does, with the client's own address; so it corrects what DNS could see only coarsely;
- whoever is near enough stays: among POPs that are equally good nobody is sent from one to the other, and nobody is sent
  anywhere because his place is unknown;
- what comes under the host of a redirect is never sent on: there are no circles, and no chains;
- a path that belongs to one node of a POP is sent to that node, chosen by rendezvous hashing among the edges that work, so that
  a node that goes takes only its own paths with it;
- without a better place, and for addresses that are none, it stays.

It answers from what it decided for the same bucket before: an address costs one look-up in the atlas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

from edge.geo.atlas import Atlas
from edge.geo.health import edges_of
from edge.geo.placement import PlacementReason, Subject, place
from edge.geo.view_message import NetworkState
from edge.geo.whereabouts import SLOTS
from edge.semantics.redirect_rules import RedirectRules, filled, mark
from edge.semantics.rendezvous import liking
from edge.settings.network import Network, NetworkNode

ALTERNATE = "alternate"
"""Where clients go whose country the site does not serve; the word in metrics."""
MAX_REMEMBERED = 200_000
"""Decisions, a bucket and site each, some 150 bytes; then it begins anew."""

STAY = None


@dataclass(frozen=True, slots=True)
class Led:
    """Where a client should go. to: the POP, or ALTERNATE. node: None = the POP as a whole. host: without port."""

    to: str
    host: bytes
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Better:
    """What is better for a client than to stay. pop: None = it is not served, and sent to `alternate`."""

    pop: str | None
    alternate: bytes = b""


class Router:
    """See the module. node: this one."""

    __slots__ = ("_atlas", "_better", "_edges", "_lengths", "_marks", "_network", "_node", "_state")

    def __init__(self, network: Network, node: NetworkNode, atlas: Atlas, state: NetworkState) -> None:
        self._network = network
        self._node = node
        self._atlas = atlas
        self._state = state
        self._better: dict[tuple[str, int], Better | None] = {}
        self._marks: dict[RedirectRules, tuple[frozenset[bytes], tuple[int, ...]]] = {}
        self._edges = {
            pop.name: [
                (edge.name, float(edge.weight))
                for edge in edges_of(network, pop.name)
                if edge.name not in state.nodes_out and edge.weight
            ]
            for pop in network.pops
        }

    def country(self, address: str) -> str | None:
        """Of a client, None when nobody knows."""
        packed = packed_of(address)
        return None if packed is None else self._atlas.whereabouts(self._atlas.bucket_of(packed)[0]).country

    def without_mark(self, host: bytes, rules: RedirectRules) -> bytes | None:
        """The host that a client had asked for before it was sent here; None when nobody sent it.

        Where templates take nothing off again, it is the host itself.
        """
        marks = self._marks.get(rules)
        if marks is None:
            marks = self._marks[rules] = self._made_marks(rules)
        starts, lengths = marks
        for length in lengths:
            if host[:length] in starts:
                return host if host[:length] == host else host[length:]
        return None

    def _made_marks(self, rules: RedirectRules) -> tuple[frozenset[bytes], tuple[int, ...]]:
        """What hosts of redirects begin with, or whole hosts where that is all they are."""
        named = [(rules.pop_host, pop.name) for pop in self._network.pops]
        named += [(rules.node_host, node.name) for node in self._network.nodes]
        starts = frozenset(mark(template, name) or filled(template, name, b"") for template, name in named)
        return starts, tuple(sorted({len(start) for start in starts}, reverse=True))

    def better(self, site: str, address: str) -> Better | None:
        """What is better for that client than this POP; STAY where nothing is."""
        packed = packed_of(address)
        if packed is None:
            return STAY
        key = (site, self._atlas.bucket_of(packed)[0])
        try:
            return self._better[key]
        except KeyError:
            if len(self._better) >= MAX_REMEMBERED:
                self._better.clear()
            made = self._better[key] = self._decided(*key)
            return made

    def _decided(self, site: str, bucket: int) -> Better | None:
        route = self._network.route(site)
        if route is None:
            return STAY
        placed = place(Subject(self._atlas.whereabouts(bucket), bucket % SLOTS), route, self._state.view)
        if placed.alternate is not None:
            return Better(None, placed.alternate)
        own = self._node.pop
        is_guess = placed.reasons[0] is PlacementReason.DEFAULT_ORDER and own in placed.pops
        if placed.pop is None or own in placed.near or is_guess:
            return STAY
        return Better(placed.pop)

    def lead(self, site: str, rules: RedirectRules, address: str, host: bytes, path: bytes) -> Led | None:
        """Where a client that asked for `host` and `path` is sent; STAY = it is served here."""
        better = self.better(site, address)
        if better is not None and better.pop is None:
            return STAY if better.alternate == host else Led(ALTERNATE, better.alternate)
        pop = self._node.pop if better is None else better.pop
        assert pop is not None, better
        if rules.by_path and path.startswith(rules.by_path):
            node = self._owner(pop, path)
            if node == self._node.name:
                return STAY
            if node is not None:
                return Led(pop, filled(rules.node_host, node, host), node)
        return STAY if better is None else Led(pop, filled(rules.pop_host, pop, host))

    def _owner(self, pop: str, path: bytes) -> str | None:
        """The edge of a POP that a path belongs to; None when the network names none that works."""
        edges = self._edges[pop]
        if not edges:
            return None
        return max(edges, key=lambda edge: _liking(path, *edge))[0]


def _liking(path: bytes, node: str, weight: float) -> float:
    """How much a node likes a path (edge.semantics.rendezvous); inputs are length-prefixed."""
    name = node.encode("ascii")
    digest = blake2b(b"%d:%b%b" % (len(path), path, name), digest_size=8).digest()
    return liking(int.from_bytes(digest), weight)


@lru_cache(maxsize=16_384)
def packed_of(address: str) -> bytes | None:
    """An address as bytes, one of IPv4 in IPv6 clothes as IPv4; None for what is none."""
    try:
        said = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = said.ipv4_mapped if isinstance(said, IPv6Address) else None
    return (mapped or said).packed
