"""What a tier of ours says beside its answer: fields between nodes and workers, which no client and no store sees. PURE.

Owns: `member_apart` and `said_by_tier`. Rule: what they take out of a head is nowhere else read.
"""

from __future__ import annotations

from edge.fill.order import FENCE, NOT_TO_BE_STORED, STALE
from edge.semantics.message import Fields, ResponseHead
from edge.semantics.reasons import Because
from edge.values import replace

_FENCE, _STALE, _REFUSED = FENCE.lower(), STALE.lower(), NOT_TO_BE_STORED.lower()
_REASONS = {because.value.encode(): because for because in Because}


def member_apart(head: ResponseHead) -> tuple[ResponseHead, bytes | None]:
    """A worker's head without its Cache-Status member, and that member (always the last line)."""
    lines = head.fields.lines
    for at in range(len(lines) - 1, -1, -1):
        if lines[at][0].lower() == b"cache-status":
            fields = Fields(lines[:at] + lines[at + 1 :])
            return replace(head, fields=fields), lines[at][1]
    return head, None


def said_by_tier(head: ResponseHead) -> tuple[Because | None, bool, bytes | None, ResponseHead]:
    """(why it did not keep this answer, None when it did; whether it is stale and stands in for an error; the token of its
    fence, None = it said none; the head without all that).
    """
    fields = head.fields
    refused = fields.get(_REFUSED)
    return (
        None if refused is None else _REASONS.get(refused, Because.GATEWAY),
        _STALE in fields,
        fields.get(_FENCE),
        replace(head, fields=fields.without((_FENCE, _STALE, _REFUSED))),
    )
