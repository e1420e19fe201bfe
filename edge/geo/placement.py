"""Which POP is best for a client. PURE.

Owns: `place`, a chain of small filters and then an order, and `PlacementReason`. Rules: a filter that would leave no POP is
skipped, and that is noted: a bad answer is better than none. Equal arguments, equal placement. What is left over is ordered:
the POP that an override names, else by distance with the bias of each; among those that are near enough a stable hash decides
by weight (edge.geo.shares). A POP whose health is unknown is up.

`geography_mattered` says whether another client could have got another answer, which is what the scope of a DNS answer is
made from (RFC 7871 s7.2.1): it is false only where one POP is left by what does not hang on the client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import TypeVar

from edge.geo.network_view import Health, NetworkView, PopView
from edge.geo.places import Point, distance
from edge.geo.shares import turned_away, weighted_order
from edge.geo.whereabouts import Whereabouts
from edge.settings.network import RoutedSite, UnknownCountry

A = TypeVar("A")


class PlacementReason(Enum):
    """Why a POP; a sentence each in `SENTENCE`. The word stands in the routing log, in metrics and in explanations."""

    # why the first is the first
    OVERRIDE = "override"
    NEAREST = "nearest"
    SPREAD = "spread"
    DEFAULT_ORDER = "default-order"
    ONLY = "only"
    ALTERNATE = "alternate"
    NO_POP = "no-pop"
    # why it is not the one that it would be otherwise
    NO_ADDRESS = "no-address"
    OTHER_SITES = "other-sites"
    DOWN = "down"
    NO_WEIGHT = "no-weight"
    OTHER_COUNTRIES = "other-countries"
    DRAINING = "draining"
    COLD = "cold"
    FULL = "full"
    # what was skipped, because it would have left none
    NONE_FOR_SITE = "none-for-site"
    ALL_DOWN = "all-down"
    NONE_FOR_COUNTRY = "none-for-country"
    ALL_DRAINING = "all-draining"
    ALL_COLD = "all-cold"
    ALL_FULL = "all-full"
    DENIED = "denied"


SENTENCE: Mapping[PlacementReason, str] = MappingProxyType(
    {
        PlacementReason.OVERRIDE: "An override names this POP for the client's addresses.",
        PlacementReason.NEAREST: "It is the nearest, with the bias of each.",
        PlacementReason.SPREAD: "Several POPs are near enough; a hash of the client's network chose by weight.",
        PlacementReason.DEFAULT_ORDER: "Nobody knows where the client is; it is the first in the default order.",
        PlacementReason.ONLY: "No other POP was left.",
        PlacementReason.ALTERNATE: "The client's country is not served; it is sent to the site's alternate.",
        PlacementReason.NO_POP: "The network has no POP that clients can come to.",
        PlacementReason.NO_ADDRESS: "A better POP has no addresses.",
        PlacementReason.OTHER_SITES: "A better POP does not serve this site.",
        PlacementReason.DOWN: "A better POP is down.",
        PlacementReason.NO_WEIGHT: "A better POP has the weight 0.",
        PlacementReason.OTHER_COUNTRIES: "A better POP serves clients of other countries only.",
        PlacementReason.DRAINING: "A better POP is drained, and this client is among those who go first.",
        PlacementReason.COLD: "A better POP is not ready for all its clients yet.",
        PlacementReason.FULL: "A better POP passes this client on, because it has too much to do.",
        PlacementReason.NONE_FOR_SITE: "No POP of the site can be reached, so all others counted.",
        PlacementReason.ALL_DOWN: "Every POP is down, so health did not count.",
        PlacementReason.NONE_FOR_COUNTRY: "No POP is for the client's country, so countries of POPs did not count.",
        PlacementReason.ALL_DRAINING: "Every POP is drained, so that did not count.",
        PlacementReason.ALL_COLD: "Every POP is cold, so that did not count.",
        PlacementReason.ALL_FULL: "Every POP has too much to do, so that did not count.",
        PlacementReason.DENIED: "The client's country is not served, but the site has no alternate.",
    }
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A client, as far as placement knows. slot: its part of all clients of that place, 0 to SLOTS - 1."""

    where: Whereabouts
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one filter did. out: the POPs it left out, or would have, had it not been `skipped`."""

    reason: PlacementReason
    out: tuple[str, ...]
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """The choice. pop: None = there is none, or the client is sent to `alternate`. pops: all that are left, best first.

    ipv4, ipv6: of the first POP, no more than the site's `answers`. reasons: why the first is the first, then what else
    counted.
    """

    pop: str | None
    pops: tuple[str, ...]
    ipv4: tuple[IPv4Address, ...]
    ipv6: tuple[IPv6Address, ...]
    reasons: tuple[PlacementReason, ...]
    geography_mattered: bool
    alternate: bytes | None = None
    near: frozenset[str] = frozenset()
    """Among whom the client's slot decided; the rest of the placement but `pops` does not hang on more of where it is."""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A POP and its distance in kilometres, bias included; None = nobody knows where the client is."""

    view: PopView
    kilometres: float | None


def place(subject: Subject, site: RoutedSite, network: NetworkView) -> Placement:
    """The placement of a client for a site."""
    if not is_served(subject, site) and site.alternate is not None:
        return Placement(None, (), (), (), (PlacementReason.ALTERNATE,), True, site.alternate)
    chain = _Chain(network.pops)
    chain.keep(PlacementReason.NO_ADDRESS, None, lambda view: bool(view.pop.ipv4 or view.pop.ipv6))
    sorted_out = site.alternate is not None and bool(site.allow or site.deny)
    if not chain.left:
        return Placement(None, (), (), (), (PlacementReason.NO_POP,), sorted_out, steps=tuple(chain.steps))
    everything = rank(subject, chain.left, network)
    ideal = everything[0].view.pop.name
    by_all = _for_everybody(chain, site)
    _for_this_client(chain, subject)
    left = {view.pop.name for view in chain.left}
    ranked = [each for each in everything if each.view.pop.name in left]
    why, order, near = _ordered(subject, site, ranked)
    first = order[0]
    take_turns = max(len(first.pop.ipv4), len(first.pop.ipv6)) > site.answers
    mattered = by_all > 1 or sorted_out or take_turns
    turn = subject.slot if mattered else 0
    notes = [step.reason for step in chain.steps if step.skipped or ideal in step.out]
    if not is_served(subject, site):
        notes.append(PlacementReason.DENIED)
    return Placement(
        first.pop.name,
        tuple(view.pop.name for view in order),
        _rotated(first.pop.ipv4, turn, site.answers),
        _rotated(first.pop.ipv6, turn, site.answers),
        tuple(dict.fromkeys((why, *notes))),
        mattered,
        near=frozenset(near),
        steps=tuple(chain.steps),
    )


def is_served(subject: Subject, site: RoutedSite) -> bool:
    """Whether the site serves clients of the subject's country."""
    if not site.allow and not site.deny:
        return True
    country = subject.where.country
    if country is None:
        return site.unknown_country is UnknownCountry.ALLOW
    return country not in site.deny and (not site.allow or country in site.allow)


def rank(subject: Subject, views: Sequence[PopView], network: NetworkView) -> list[Ranked]:
    """POPs, the one that an override names first, then by distance; the default order where nobody knows the place."""
    named, point = subject.where.pop, subject.where.point
    if point is None:
        given = {name: index for index, name in enumerate(network.default_pops)}
        ranked = [Ranked(view, None) for view in views]
        ranked.sort(key=lambda each: given.get(each.view.pop.name, len(given)))
    else:
        ranked = [Ranked(view, _kilometres(point, view)) for view in views]
        ranked.sort(key=lambda each: each.kilometres or 0.0)
    if named is not None:
        ranked.sort(key=lambda each: each.view.pop.name != named)
    return ranked


def _kilometres(point: Point, view: PopView) -> float:
    return distance(point, Point(view.pop.latitude, view.pop.longitude)) + view.pop.bias


class _Chain:
    """The POPs that are left, and what each filter did."""

    __slots__ = ("left", "steps")

    def __init__(self, views: tuple[PopView, ...]) -> None:
        self.left = views
        self.steps: list[Step] = []

    def keep(
        self, reason: PlacementReason, skipped: PlacementReason | None, kept: Callable[[PopView], bool]
    ) -> None:
        """Leave out what is not to be kept. skipped: what is noted instead if that is all; None = then none is left."""
        left = tuple(view for view in self.left if kept(view))
        if len(left) == len(self.left):
            return
        out = tuple(view.pop.name for view in self.left if view not in left)
        if not left and skipped is not None:
            self.steps.append(Step(skipped, out, skipped=True))
        else:
            self.left = left
            self.steps.append(Step(reason, out))


def _for_everybody(chain: _Chain, site: RoutedSite) -> int:
    """What does not hang on the client; how many POPs are left by it."""
    if site.pops:
        chain.keep(
            PlacementReason.OTHER_SITES,
            PlacementReason.NONE_FOR_SITE,
            lambda view: view.pop.name in site.pops,
        )
    chain.keep(PlacementReason.DOWN, PlacementReason.ALL_DOWN, lambda view: view.health is not Health.DOWN)
    chain.keep(PlacementReason.DRAINING, PlacementReason.ALL_DRAINING, lambda view: view.drained < 1)
    chain.keep(PlacementReason.COLD, PlacementReason.ALL_COLD, lambda view: view.ready > 0)
    if any(view.pop.weight for view in chain.left):
        chain.keep(PlacementReason.NO_WEIGHT, None, lambda view: view.pop.weight > 0)
    return len(chain.left)


def _for_this_client(chain: _Chain, subject: Subject) -> None:
    country = subject.where.country
    chain.keep(
        PlacementReason.OTHER_COUNTRIES,
        PlacementReason.NONE_FOR_COUNTRY,
        lambda view: not view.pop.countries or country in view.pop.countries,
    )
    shares: tuple[tuple[PlacementReason, PlacementReason, Callable[[PopView], float]], ...] = (
        (PlacementReason.DRAINING, PlacementReason.ALL_DRAINING, lambda view: view.drained),
        (PlacementReason.COLD, PlacementReason.ALL_COLD, lambda view: 1 - view.ready),
        (PlacementReason.FULL, PlacementReason.ALL_FULL, lambda view: view.shed),
    )
    for reason, skipped, share in shares:
        chain.keep(reason, skipped, partial(_takes, subject.slot, share))


def _takes(slot: int, share: Callable[[PopView], float], view: PopView) -> bool:
    return not turned_away(slot, view.pop.name, share(view))


def _ordered(
    subject: Subject, site: RoutedSite, ranked: list[Ranked]
) -> tuple[PlacementReason, list[PopView], tuple[str, ...]]:
    """Why the first is the first, all in order, and the names of those among whom the slot decided."""
    views = [each.view for each in ranked]
    nearest, alone = ranked[0], (ranked[0].view.pop.name,)
    if len(ranked) == 1:
        return PlacementReason.ONLY, views, alone
    if nearest.view.pop.name == subject.where.pop:
        return PlacementReason.OVERRIDE, views, alone
    if nearest.kilometres is None:
        return PlacementReason.DEFAULT_ORDER, views, alone
    if not site.spread:
        return PlacementReason.NEAREST, views, alone
    limit = max(nearest.kilometres, 0.0) * site.spread_factor + site.spread_extra
    near = {
        each.view.pop.name: each.view
        for each in ranked
        if each.kilometres is not None and each.kilometres <= limit
    }
    if len(near) == 1:
        return PlacementReason.NEAREST, views, alone
    weights = tuple((name, float(view.pop.weight)) for name, view in sorted(near.items()))
    chosen = weighted_order(subject.slot, weights)
    rest = [view for view in views if view.pop.name not in near]
    return PlacementReason.SPREAD, [*(near[name] for name in chosen), *rest], chosen


def _rotated(addresses: tuple[A, ...], turn: int, limit: int) -> tuple[A, ...]:
    if not addresses:
        return ()
    at = turn % len(addresses)
    return (*addresses[at:], *addresses[:at])[:limit]
