"""Ranges of addresses whose place the operator has written. PURE.

Owns: `Overrides`: the narrowest range that an address is in, and how many of its bits decide that. Rules: an address outside
of every range has a scope too: a block that an override is a part of is not one place (RFC 7871 s7.2.1 asks that a more
specific answer is not hidden by a wider one). Ranges nest or are apart, so they cut the address space into segments, and a
look-up is a bisection among these, whatever their number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network

from edge.settings.network import PlaceOverride
from edge.settings.node import Network as AddressRange


class _Segments:
    """One family. width: bits of an address."""

    __slots__ = ("_places", "_starts", "_width")

    def __init__(self, width: int, ranges: Iterable[tuple[int, int, PlaceOverride]]) -> None:
        self._width = width
        self._starts: list[int] = []
        self._places: list[PlaceOverride | None] = []
        around: list[tuple[int, PlaceOverride | None]] = [((1 << width) - 1, None)]
        self._cut(0, None)
        for start, end, place in ranges:
            self._close(around, before=start)
            self._cut(start, place)
            around.append((end, place))
        self._close(around, before=1 << width)

    def _close(self, around: list[tuple[int, PlaceOverride | None]], *, before: int) -> None:
        while len(around) > 1 and around[-1][0] < before:
            end, _ = around.pop()
            if end + 1 < 1 << self._width:
                self._cut(end + 1, around[-1][1])

    def _cut(self, start: int, place: PlaceOverride | None) -> None:
        if self._starts and self._starts[-1] == start:
            self._starts.pop()
            self._places.pop()
        if not self._places or self._places[-1] != place:
            self._starts.append(start)
            self._places.append(place)

    def find(self, address: int) -> tuple[PlaceOverride | None, int]:
        at = bisect_right(self._starts, address) - 1
        scope = 0
        if at > 0:
            scope = self._differs(address, self._starts[at] - 1)
        if at + 1 < len(self._starts):
            scope = max(scope, self._differs(address, self._starts[at + 1]))
        return self._places[at], scope

    def _differs(self, address: int, other: int) -> int:
        """How many leading bits are needed to tell them apart."""
        return self._width - (address ^ other).bit_length() + 1


class Overrides:
    """All ranges of both families."""

    __slots__ = ("_v4", "_v6", "any")

    def __init__(self, written: Mapping[AddressRange, PlaceOverride]) -> None:
        self._v4 = _Segments(32, _sorted(written, IPv4Network))
        self._v6 = _Segments(128, _sorted(written, IPv6Network))
        self.any = bool(written)
        """Whether there is one at all."""

    def find(self, address: int, width: int) -> tuple[PlaceOverride | None, int]:
        """(place, scope). width: 32 or 128. place: None = no range has it. scope: every address that shares this many
        leading bits has the same answer.
        """
        return (self._v4 if width == 32 else self._v6).find(address)


def _sorted(
    written: Mapping[AddressRange, PlaceOverride], family: type[IPv4Network | IPv6Network]
) -> list[tuple[int, int, PlaceOverride]]:
    ranges = [
        (int(network.network_address), int(network.broadcast_address), place)
        for network, place in written.items()
        if isinstance(network, family)
    ]
    return sorted(ranges, key=lambda each: (each[0], -each[1]))


NO_OVERRIDES = Overrides({})
