"""Atlas, network and sites at one moment: what DNS answers and redirects are made from.

Owns: `Routing`, which is `edge.geo.dns.view.Geography`. Rules: frozen in effect - what changes is replaced as a whole by a new
`Routing` - and a bucket means something within one of them only. It waits for nothing and raises nothing.

A database of cities knows a hundred thousand places, a network has a dozen POPs: most places are alike. So the buckets given
here are not the atlas's: places whose clients are told the same, for every site, are one *class*, and a bucket is a class and,
only where it matters, a slot. There are some dozens of classes, so answers can be kept ready for all buckets. Which class a
place is in is found out when its first client comes (a few placements), and is one look-up from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edge.geo.atlas import Atlas
from edge.geo.dns.names import name_of
from edge.geo.dns.view import Located, Placed
from edge.geo.network_view import NetworkView
from edge.geo.placement import Placement, PlacementReason, Subject, place
from edge.geo.shares import turned_away
from edge.geo.whereabouts import SLOTS, Whereabouts
from edge.settings.network import OwnShields, RoutedSite

_NOWHERE = Placed("", (), (), geography_mattered=False, reasons=(PlacementReason.NO_POP.value,))


@dataclass(frozen=True, slots=True)
class _Class:
    """Places that are alike. where: one of them. slot: of a client of it. by_slot: whether other slots are told otherwise."""

    where: Whereabouts
    slot: int
    by_slot: bool


class Routing:
    """See the module. routes: every routed site."""

    __slots__ = (
        "_classes",
        "_known",
        "_lefts",
        "_numbers",
        "_policies",
        "_routes",
        "_slots",
        "atlas",
        "network",
    )

    def __init__(self, atlas: Atlas, network: NetworkView, routes: Iterable[RoutedSite]) -> None:
        self.atlas = atlas
        self.network = network
        self._routes = {route.name: route for route in routes}
        self._policies = tuple(dict.fromkeys(_policy(route) for route in self._routes.values()))
        self._lefts, self._slots = _left_by_slot(network)
        self._classes: list[_Class] = []
        self._numbers: dict[object, int] = {}
        """Class by what its clients are told."""
        self._known: dict[int, int] = {}
        """Class by place and what is left."""

    @property
    def classes(self) -> int:
        """How many different places have been seen."""
        return len(self._classes)

    def locate(self, address: bytes) -> Located:
        """Of a packed address."""
        found, prefix = self.atlas.bucket_of(address)
        where, slot = divmod(found, SLOTS)
        key = where * len(self._slots) + self._lefts[slot]
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._class_of(where, self._lefts[slot])
        alike = self._classes[number]
        return Located(number * SLOTS + (slot if alike.by_slot else alike.slot), prefix)

    def placement(self, site: str, bucket: int) -> Placement | None:
        """The choice for a routed site, None where it is not routed. bucket: that `locate` has given.

        Of `pops`, only the first are sure: what comes after those that are near enough can be another place's order.
        """
        route = self._routes.get(site)
        if route is None:
            return None
        number, slot = divmod(bucket, SLOTS)
        return place(Subject(self._classes[number].where, slot), route, self.network)

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

    def _class_of(self, where: int, left: int) -> int:
        place_of, slot = self.atlas.register[where], self._slots[left]
        placed = [place(Subject(place_of, slot), policy, self.network) for policy in self._policies]
        told = (
            left,
            *((made.reasons, made.near, made.alternate, made.geography_mattered) for made in placed),
        )
        number = self._numbers.get(told)
        if number is None:
            number = self._numbers[told] = len(self._classes)
            self._classes.append(_Class(place_of, slot, any(map(self._by_slot, placed))))
        return number

    def _by_slot(self, made: Placement) -> bool:
        """Whether the slot decides among POPs, or which address comes first."""
        first = next((view.pop for view in self.network.pops if view.pop.name == made.pop), None)
        several = first is not None and max(len(first.ipv4), len(first.ipv6)) > 1
        return len(made.near) > 1 or (several and made.geography_mattered)


def _policy(route: RoutedSite) -> RoutedSite:
    """What of a site placement depends on."""
    return replace(route, name="", hosts=(), ttl=0.0, ecs=True, shields=OwnShields.REGIONAL, second_tier=None)


def _left_by_slot(network: NetworkView) -> tuple[Sequence[int], Sequence[int]]:
    """For each slot the number of what is left to it by the shares of POPs; for each number a slot."""
    numbers: dict[object, int] = {}
    lefts: list[int] = []
    slots: list[int] = []
    for slot in range(SLOTS):
        turned = tuple(
            turned_away(slot, view.pop.name, share)
            for view in network.pops
            for share in (view.drained, 1 - view.ready, view.shed)
            if 0 < share < 1
        )
        if turned not in numbers:
            numbers[turned] = len(slots)
            slots.append(slot)
        lefts.append(numbers[turned])
    return tuple(lefts), tuple(slots)
