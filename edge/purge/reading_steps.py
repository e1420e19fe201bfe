"""What a reader of the purge log is told, what it makes of that, and what it wants to be asked. PURE.

Owns: `Entry` and `LogState`, the results (`Result`) and the questions (`Ask`) of edge.purge.reading; and how histories are
named.
"""

from __future__ import annotations

import hashlib
from enum import Enum

from edge.semantics.purge_order import BadMessage, NewHistory, PurgeOrder, Tick, decode
from edge.values import value


class Began(Enum):
    """Why all that is older became unknown."""

    NEW = "new"
    RECREATED = "recreated"
    REWOUND = "rewound"
    EXPIRED = "expired"
    HOLE = "hole"


@value(frozen=True, slots=True)
class Entry:
    """A message of the log. stamp: the server's time for it, as written, which no other message at this number has."""

    seq: int
    stamp: str
    data: bytes


@value(frozen=True, slots=True)
class LogState:
    """What the log says of itself. created: as written. first: last + 1 where it is empty. leader: any text.

    last_stamp: the time stamp of its last message, "" = not known.
    """

    created: str
    first: int
    last: int
    leader: str
    last_stamp: str = ""


# --- results ---------------------------------------------------------------------------------------------------------


@value(frozen=True, slots=True)
class ReadOrder:
    """The next message: an order."""

    seq: int
    order: PurgeOrder


@value(frozen=True, slots=True)
class ReadOther:
    """The next message: it orders nothing. tick: if it was one. fault: why it could not be read, "" = it could."""

    seq: int
    tick: Tick | None = None
    fault: str = ""


@value(frozen=True, slots=True)
class Begin:
    """Go on after `seq`, and know nothing of what is older."""

    history: str
    seq: int
    because: Began


Result = ReadOrder | ReadOther | Begin

# --- what to ask -----------------------------------------------------------------------------------------------------


@value(frozen=True, slots=True)
class AskState:
    """Of the log. is_again: after a short pause."""

    is_again: bool = False


@value(frozen=True, slots=True)
class AskBatch:
    """Messages from `start` on, of any replica. The first is the anchor, where that is known: it is looked at again."""

    start: int


@value(frozen=True, slots=True)
class AskLeader:
    """The first message at or after `start`, of the leader."""

    start: int


@value(frozen=True, slots=True)
class AskAnchor:
    """The message at `seq`, of the leader."""

    seq: int


@value(frozen=True, slots=True)
class AskHistory:
    """The last NewHistory in the log, of the leader."""


@value(frozen=True, slots=True)
class SayHistory:
    """Append a NewHistory. message_id: the same for all who found the same."""

    history: str
    message_id: str


@value(frozen=True, slots=True)
class Rest:
    """Nothing, until something is heard or it is time to look."""


Ask = AskState | AskBatch | AskLeader | AskAnchor | AskHistory | SayHistory | Rest


def natural_history(created: str) -> str:
    """The history that a stream has from its creation on: 16 hex digits."""
    return hashlib.blake2b(created.encode(), digest_size=8).hexdigest()


def history_in(data: bytes) -> str | None:
    """The history that a message begins; None = it begins none."""
    try:
        message = decode(data)
    except BadMessage:
        return None
    return message.history if isinstance(message, NewHistory) else None
