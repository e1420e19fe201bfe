"""What a soak says of itself, for people. PURE.

Owns: `told`. Rule: what was claimed stands last, with each example of what was not true.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tools.soaking.soak import Outcome


def told(outcome: Outcome) -> str:
    """The report."""
    counts, purges = outcome.checker.counts, outcome.purges
    faults: dict[str, int] = {}
    for each in outcome.happened:
        faults[each.fault.value] = faults.get(each.fault.value, 0) + 1
    lines = [
        f"seed {outcome.plan.seed}, {outcome.plan.seconds:.0f} s, lease {outcome.plan.lease} s",
        f"purges: {purges.asked} asked, {outcome.checker.taken} acknowledged, {purges.given_up} given up",
        f"  {purges.complete} with every live node's word, {purges.incomplete} without; {purges.repeated} at a second try",
        f"  of: {_listed(purges.kinds)}",
        f"  tries that were not acknowledged: {_listed(purges.refused)}",
        f"  from sending to a complete receipt: {_times(purges.seconds)}",
        f"reads: {counts.reads} answered, {counts.failed} not ({_listed(counts.statuses)})",
        f"  {outcome.asked_of_origin} requests reached the origin",
        f"faults: {_listed(faults)}",
        f"  nodes ready again after: {_times(outcome.ready_after)}",
        *(
            f"  next purge taken after '{name}': {_times(found)}"
            for name, found in sorted(outcome.gaps.items())
        ),
        f"damaged bodies: {counts.damaged}",
        *(f"  {each}" for each in outcome.checker.damaged),
        f"answers older than an acknowledged purge: {counts.stale}",
        *(f"  {each}" for each in outcome.checker.examples),
        f"acknowledged purges that the log lost: {len(outcome.lost)} of {outcome.logged} {' '.join(outcome.lost[:5])}".rstrip(),
        f"purges that the log has twice: {len(outcome.twice)}",
        "HOLDS" if outcome.holds else "DOES NOT HOLD",
    ]
    return "\n".join(lines)


def _listed(counted: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{count} {name}" for name, count in sorted(counted.items(), key=lambda one: -one[1]))
        or "none"
    )


def _times(seconds: Sequence[float]) -> str:
    if not seconds:
        return "never"
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered):.3f} s, p99 {p99:.3f} s, at most {ordered[-1]:.3f} s ({len(ordered)})"
