"""How far a purge has come, as the API tells it.

Owns: the JSON of receipts. Rules: a node counts as done only where it said so itself; nodes that are away are named and
never counted as done; while we cannot know who is there (`surveyed` is false) nothing is done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edge.fleet.registry import Missing, Receipt

MAX_NAMED = 1_000
"""Nodes of one kind that are written out; all are counted."""


def receipt_said(receipt: Receipt, ordered_at: float) -> dict[str, Any]:
    """ordered_at: by the clock of the receipt's own times, monotonic seconds."""
    after = sorted(max(node.at - ordered_at, 0.0) for node in receipt.applied if node.at is not None)
    return {
        "done": receipt.is_complete,
        "surveyed": receipt.surveyed,
        "region": receipt.region,
        "regions": [
            {
                "region": one.region,
                "applied": one.applied,
                "pending": one.pending,
                "away": one.away,
            }
            for one in receipt.regions()
        ],
        "applied": [
            {
                "node": node.node,
                "region": node.region,
                "after": None if node.at is None else round(max(node.at - ordered_at, 0.0), 4),
            }
            for node in receipt.applied[:MAX_NAMED]
        ],
        "pending": [_missing(node) for node in receipt.pending[:MAX_NAMED]],
        "away": [_missing(node) for node in receipt.away[:MAX_NAMED]],
        "seconds": {"p50": _quantile(after, 0.5), "p99": _quantile(after, 0.99)} if after else None,
    }


def _missing(node: Missing) -> dict[str, Any]:
    return {
        "node": node.node,
        "region": node.region,
        "applied": node.applied,
        "silent": round(node.silent, 3),
        "contested": node.contested,
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The least value that at least that share of all do not exceed (nearest rank)."""
    return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)], 4)
