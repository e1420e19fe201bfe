"""How much a site may purge in how little time. PURE.

Owns: `Buckets`, one token bucket a site. Rules: a bucket holds ten seconds' worth and starts full; a purge takes one token
for each thing it names; of several sites, all give or none does. A batch that is larger than a whole bucket is let through
when the bucket is full and leaves it in debt, so that there is no batch that could never pass; over time the rate holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

BURST_SECONDS = 10.0
"""[Akamai's Fast Purge lets ten times the sustained rate come at once.]"""

ALL_SITES = ""
"""The bucket of what belongs to no one site."""


class Buckets:
    """Of one node. Only configured sites and ALL_SITES have one: names come from the site table, never from requests."""

    __slots__ = ("_full_at",)

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}
        """By site, the moment at which its bucket is full again: all there is to know, whatever the rate becomes."""

    def take(self, costs: Mapping[str, int], rate: float, now: float) -> float:
        """0.0 when all was taken; else nothing was, and so many seconds later it would be.

        costs: tokens by site, each at least 1. rate: tokens a second. now: monotonic seconds.
        """
        wait = max((self._wait(site, cost, rate, now) for site, cost in costs.items()), default=0.0)
        if wait > 0.0:
            return wait
        for site, cost in costs.items():
            self._full_at[site] = max(self._full_at.get(site, now), now) + cost / rate
        return 0.0

    def _wait(self, site: str, cost: int, rate: float, now: float) -> float:
        missing = max(self._full_at.get(site, now) - now, 0.0) * rate  # tokens that are out
        held = BURST_SECONDS * rate
        lacking = min(float(cost), held) - (held - missing)
        return lacking / rate if lacking > 1e-6 else 0.0


def whole_seconds(wait: float) -> int:
    """For Retry-After: rounded up, at least 1."""
    return max(math.ceil(wait), 1)
