"""What a purge would do, asked of each node. PURE.

Owns: the question, the answer, and their sum. Rules: what is asked is the order as it would stand in the log, so that nodes
count by the same selectors that they would apply; what another node answers is checked before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from edge.semantics.purge_order import BadMessage, PurgeOrder, decode, encode

_MEMBER = "would_purge"
_MOST = 1 << 60


@dataclass(frozen=True, slots=True)
class Would:
    """What a purge would take away. objects, bytes: stored. hot_objects: of these, what was served since it was stored: so
    many requests the origin may expect soon. complete: False = there was no time to look at all, there may be more.
    """

    objects: int = 0
    bytes: int = 0
    hot_objects: int = 0
    complete: bool = True

    def as_json(self) -> dict[str, int | bool]:
        """For the asker."""
        return asdict(self)


def question(order: PurgeOrder) -> dict[str, object]:
    """What nodes are asked (edge.fleet.asking)."""
    return {_MEMBER: encode(order).decode("ascii")}


def asked(said: Mapping[str, object]) -> PurgeOrder | None:
    """The order that is asked about; None when it is another question, or no order."""
    written = said.get(_MEMBER)
    if not isinstance(written, str):
        return None
    try:
        order = decode(written.encode())
    except (BadMessage, UnicodeEncodeError):
        return None
    return order if isinstance(order, PurgeOrder) else None


def answered(said: Mapping[str, object]) -> Would | None:
    """What a node answered, None = nothing that can be believed."""
    match said:
        case {
            "objects": int(objects),
            "bytes": int(size),
            "hot_objects": int(hot),
            "complete": bool(complete),
        }:
            counts = (objects, size, hot)
            if all(type(count) is int and 0 <= count < _MOST for count in counts):
                return Would(*counts, complete)
    return None


def together(parts: Iterable[Would]) -> Would:
    """The sum: over the processes of a node, or over nodes."""
    total = Would()
    for part in parts:
        total = Would(
            total.objects + part.objects,
            total.bytes + part.bytes,
            total.hot_objects + part.hot_objects,
            total.complete and part.complete,
        )
    return total
