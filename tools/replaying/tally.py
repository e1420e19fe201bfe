"""What came of a replay, added up.

Owns: `Answered`, `Tally`, `as_json`, `as_text`. Rules: a request counts once, when its whole body came or when it failed; the
hit ratio of a tier is that of the requests that reached it, and it says nothing of those that it cannot tell about
(no Cache-Status); percentiles are of all that were answered.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tools.benching import pacing
from tools.purge_progress import aligned
from tools.replaying.tiers import Deed, Did

PERCENTILES = (50, 90, 99)
SAVED = (Did.HIT, Did.STALE, Did.COLLAPSED)
"""What a tier answers without asking the one behind it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One response, whole. first_byte, seconds: from sending the request to the head, and to the end."""

    status: int
    size: int
    first_byte: float
    seconds: float
    deeds: tuple[Deed, ...]


@dataclass(slots=True)
class Tally:
    """All of a replay. edges: how many requests each was sent, in their order."""

    edges: list[int]
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    tiers: dict[str, Counter[Did]] = field(default_factory=dict)
    nbytes: int = 0
    skipped: int = 0
    """Requests of methods that are not sent again."""
    late: float = 0.0
    """The most that a request was sent after its time, in seconds."""
    seconds: float = 0.0
    first_bytes: array[float] = field(default_factory=lambda: array("d"))
    durations: array[float] = field(default_factory=lambda: array("d"))

    def answered(self, said: Answered) -> None:
        """One more."""
        self.statuses[said.status] += 1
        self.nbytes += said.size
        self.first_bytes.append(said.first_byte)
        self.durations.append(said.seconds)
        for deed in said.deeds:
            self.tiers.setdefault(deed.tier, Counter())[deed.did] += 1

    def failed(self, why: str) -> None:
        """One that was not answered, or not to its end."""
        self.failures[why] += 1

    @property
    def requests(self) -> int:
        """All that were sent."""
        return sum(self.edges)

    def asked(self, tiers: tuple[str, ...]) -> int:
        """Requests that reached some of these tiers."""
        return sum(sum(self.tiers[name].values()) for name in tiers if name in self.tiers)

    def hit_ratio(self, tiers: tuple[str, ...]) -> float | None:
        """Of these tiers as one; None = none of them was asked."""
        asked = self.asked(tiers)
        saved = sum(self.tiers[name][did] for name in tiers if name in self.tiers for did in SAVED)
        return saved / asked if asked else None


def percentile(values: array[float], percent: int) -> float | None:
    """The nearest rank; None = there are none."""
    return pacing.percentile(sorted(values), percent / 100) if values else None


def as_json(tally: Tally) -> dict[str, Any]:
    """Plain values; seconds, bytes, shares."""
    return {
        "requests": tally.requests,
        "edges": tally.edges,
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "failures": dict(tally.failures),
        "skipped": tally.skipped,
        "bytes": tally.nbytes,
        "seconds": round(tally.seconds, 3),
        "late": round(tally.late, 3),
        "tiers": {
            name: {
                **{did.value: count[did] for did in Did if count[did]},
                "asked": sum(count.values()),
                "hit_ratio": tally.hit_ratio((name,)),
            }
            for name, count in sorted(tally.tiers.items())
        },
        "first_byte": {f"p{each}": percentile(tally.first_bytes, each) for each in PERCENTILES},
        "duration": {f"p{each}": percentile(tally.durations, each) for each in PERCENTILES},
    }


def as_text(tally: Tally) -> list[str]:
    """Lines for people."""
    rate = tally.requests / tally.seconds if tally.seconds else 0.0
    lines = [f"{tally.requests} requests in {tally.seconds:.1f} s ({rate:.0f}/s), {tally.nbytes} body bytes"]
    if tally.skipped:
        lines.append(f"{tally.skipped} requests of other methods than GET and HEAD were left out")
    if tally.late > 1:
        lines.append(f"the latest was sent {tally.late:.1f} s after its time")
    lines += [f"{count} failed: {why}" for why, count in tally.failures.most_common()]
    lines.append(
        "statuses: " + ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items()))
    )
    for what, values in (("first byte", tally.first_bytes), ("whole response", tally.durations)):
        ranks = ((each, percentile(values, each)) for each in PERCENTILES)
        lines.append(
            f"{what}: "
            + ", ".join(f"p{each} {1000 * rank:.1f} ms" for each, rank in ranks if rank is not None)
        )
    if tally.tiers:
        head = ("TIER", "ASKED", "HIT RATIO", *(did.value.upper() for did in Did))
        lines += aligned([head, *(_tier(name, tally) for name in sorted(tally.tiers))])
    return lines


def _tier(name: str, tally: Tally) -> tuple[str, ...]:
    count, ratio = tally.tiers[name], tally.hit_ratio((name,))
    assert ratio is not None, name
    return (name, str(sum(count.values())), f"{ratio:.1%}", *(str(count[did]) for did in Did))
