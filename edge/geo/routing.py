"""Atlas, network and sites at one moment: what DNS answers and redirects are made from.

Owns: `Routing`, which is `edge.geo.dns.view.Geography`. Rules: frozen in effect - what changes is replaced as a whole by a new
`Routing` - and a bucket means something within one of them only. It waits for nothing and raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.geo.atlas import Atlas
from edge.geo.dns.names import name_of
from edge.geo.dns.view import Located, Placed
from edge.geo.network_view import NetworkView
from edge.geo.placement import Placement, PlacementReason, Subject, place
from edge.geo.whereabouts import SLOTS
from edge.settings.network import RoutedSite

_NOWHERE = Placed("", (), (), geography_mattered=False, reasons=(PlacementReason.NO_POP.value,))


class Routing:
    """See the module. routes: every routed site."""

    __slots__ = ("_routes", "atlas", "network")

    def __init__(self, atlas: Atlas, network: NetworkView, routes: Iterable[RoutedSite]) -> None:
        self.atlas = atlas
        self.network = network
        self._routes = {route.name: route for route in routes}

    def locate(self, address: bytes) -> Located:
        """Of a packed address."""
        return Located(*self.atlas.bucket_of(address))

    def placement(self, site: str, bucket: int) -> Placement | None:
        """The choice for a routed site, None where it is not routed. bucket: that this atlas has given."""
        route = self._routes.get(site)
        if route is None:
            return None
        return place(Subject(self.atlas.whereabouts(bucket), bucket % SLOTS), route, self.network)

    def place(self, site: str, bucket: int) -> Placed:
        """The same, as DNS answers need it."""
        made = self.placement(site, bucket)
        if made is None:
            return _NOWHERE
        return Placed(
            made.pop or "",
            tuple(address.packed for address in made.ipv4),
            tuple(address.packed for address in made.ipv6),
            made.geography_mattered,
            tuple(reason.value for reason in made.reasons),
            None if made.alternate is None else name_of(made.alternate.decode("ascii")),
        )
