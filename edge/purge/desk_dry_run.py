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
    """What a purge would take away. responses, bytes: stored, in all tiers. hot: of these, what was asked for again since
    it was stored and will be asked for again: about as many requests the origin would get.
    """

    responses: int = 0
    bytes: int = 0
    hot: int = 0

    def as_json(self) -> dict[str, int]:
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
    counts = [said.get(name) for name in ("responses", "bytes", "hot")]
    if not all(type(count) is int and 0 <= count < _MOST for count in counts):
        return None
    responses, size, hot = counts
    return Would(responses, size, hot)  # type: ignore[arg-type]  # integers by then


def together(parts: Iterable[Would]) -> Would:
    """The sum: over the processes of a node, or over nodes."""
    responses = size = hot = 0
    for part in parts:
        responses, size, hot = responses + part.responses, size + part.bytes, hot + part.hot
    return Would(responses, size, hot)
