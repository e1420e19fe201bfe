"""Positions in the purge log, as nodes tell them to each other: `history:seq`. PURE.

Owns: `token_of`, `read_token`. What they are within a node: edge.semantics.purge_table.
"""

from __future__ import annotations

import re
from typing import Final

from edge.semantics.purge_table import HISTORY_BITS

MOST_SEQ: Final = (1 << HISTORY_BITS) - 1
NO_HISTORY: Final = "0" * 16
_TOKEN = re.compile(rb"([0-9a-f]{16}):(0|[1-9][0-9]{0,14})")


def token_of(history: str, seq: int) -> bytes:
    """history: 16 hex digits, "" = none is known, which is the history of no other node."""
    return b"%b:%d" % ((history or NO_HISTORY).encode(), seq)


def read_token(token: bytes) -> tuple[str, int] | None:
    """(history, seq); None = nonsense, or no history."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    history, seq = found.group(1).decode(), int(found.group(2))
    return (history, seq) if history != NO_HISTORY and seq <= MOST_SEQ else None
