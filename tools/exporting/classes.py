"""The whole address space, cut into ranges whose clients get the same POPs for every site.

Owns: `Choice`, `classes_of`. Rules: what is asked is `edge.geo.placement.place`, for every place and slot that there is, so an
export cannot differ from our own answers but where it says so: a block of IPv6 that is known as one place is shared out in no
more than `PIECES` pieces. In IPv6 only what is given out (2000::/3) is looked at, without the spaces that hold IPv4 addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range

from edge.geo.atlas import Atlas
from edge.geo.network_view import NetworkView
from edge.geo.placement import PlacementReason, Subject, place
from edge.geo.whereabouts import NOWHERE, SLOTS
from edge.settings.network import RoutedSite

PIECES = 256
MOST_POPS = 3
"""POPs of one choice: who is not the first or the second is never asked."""

_GIVEN_OUT = IPv6Network("2000::/3")
_HOLD_IPV4 = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What clients get for one site. pops: best first, () where they are sent to the alternate."""

    pops: tuple[str, ...]
    alternate: bool = False


Class = tuple[Choice, ...]
"""A choice for each site, in their order."""


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses of one family, both ends included, and what their clients get."""

    first: IPv4Address | IPv6Address
    last: IPv4Address | IPv6Address
    choices: Class

    def networks(self) -> Iterator[IPv4Network | IPv6Network]:
        """The fewest networks that are the range."""
        if isinstance(self.first, IPv4Address):
            assert isinstance(self.last, IPv4Address)
            yield from summarize_address_range(self.first, self.last)
        else:
            assert isinstance(self.last, IPv6Address)
            yield from summarize_address_range(self.first, self.last)


class Choosing:
    """Choices of a network, each reckoned once."""

    def __init__(self, atlas: Atlas, view: NetworkView, sites: Sequence[RoutedSite]) -> None:
        self._atlas = atlas
        self._view = view
        self._sites = sites
        self._by_bucket: dict[int, Class] = {}
        self._by_place: dict[int, Class] = {}

    def default(self) -> Class:
        """For clients whose place nobody knows."""
        return self._made(Subject(NOWHERE))[0]

    def of(self, bucket: int) -> Class:
        """For the clients of a bucket."""
        known = self._by_place.get(bucket // SLOTS) or self._by_bucket.get(bucket)
        if known is not None:
            return known
        made, shared_out = self._made(Subject(self._atlas.whereabouts(bucket), bucket % SLOTS))
        if shared_out:
            self._by_bucket[bucket] = made
        else:
            self._by_place[bucket // SLOTS] = made
        return made

    def is_shared_out(self, bucket: int) -> bool:
        """Whether the slot of a client counts at that place."""
        self.of(bucket)
        return bucket // SLOTS not in self._by_place

    def _made(self, subject: Subject) -> tuple[Class, bool]:
        placed = [place(subject, site, self._view) for site in self._sites]
        choices = tuple(Choice(each.pops[:MOST_POPS], each.alternate is not None) for each in placed)
        return choices, any(PlacementReason.SPREAD in each.reasons for each in placed)


def classes_of(choosing: Choosing, atlas: Atlas) -> Iterator[Range]:
    """Ranges in order, first of IPv4, then of IPv6; neighbours differ."""
    yield from _merged(_ipv4(choosing, atlas), IPv4Address)
    yield from _merged(_ipv6(choosing, atlas), IPv6Address)


def _merged(
    cut: Iterator[tuple[int, int, Class]], family: type[IPv4Address | IPv6Address]
) -> Iterator[Range]:
    first, last, held = -1, -1, None
    for start, end, choices in cut:
        if held == choices and start == last + 1:
            last = end
            continue
        if held is not None:
            yield Range(family(first), family(last), held)
        first, last, held = start, end, choices
    if held is not None:
        yield Range(family(first), family(last), held)


def _ipv4(choosing: Choosing, atlas: Atlas) -> Iterator[tuple[int, int, Class]]:
    at = 0
    while at < 2**32:
        bucket, prefix = atlas.block_of(at.to_bytes(4))
        end = at | 2 ** (32 - prefix) - 1
        if prefix < 16 and choosing.is_shared_out(bucket):
            for start in range(at, end + 1, 2**16):
                yield start, start + 2**16 - 1, choosing.of(atlas.bucket_of(start.to_bytes(4))[0])
        else:
            yield at, end, choosing.of(bucket)
        at = end + 1


def _ipv6(choosing: Choosing, atlas: Atlas) -> Iterator[tuple[int, int, Class]]:
    at, stop = int(_GIVEN_OUT.network_address), int(_GIVEN_OUT.broadcast_address)
    over = {int(network.network_address): int(network.broadcast_address) for network in _HOLD_IPV4}
    while at <= stop:
        if at in over:
            at = over[at] + 1
            continue
        bucket, prefix = atlas.block_of(at.to_bytes(16))
        end = min([at | 2 ** (128 - prefix) - 1, *(edge - 1 for edge in over if edge > at)])
        if prefix < 32 and choosing.is_shared_out(bucket):
            piece = 2 ** max(128 - prefix - 8, 96)
            for start in range(at, end + 1, piece):
                last = min(start + piece - 1, end)
                yield start, last, choosing.of(atlas.bucket_of(start.to_bytes(16))[0])
        else:
            yield at, end, choosing.of(bucket)
        at = end + 1
