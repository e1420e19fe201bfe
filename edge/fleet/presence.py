"""What a node says of itself. PURE. DESIGN section 4.

Owns: `Presence` and its form on the wire: one JSON object, versioned, strict. Rules: whoever may publish on the bus may say
anything, so nothing longer or larger than the bounds here is read; what cannot be read is `BadPresence`, which the listener
counts and forgets. A node speaks for itself only: the subject it speaks on is made of its name (`subject_token`).
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Final

VERSION: Final = 1
MAX_BYTES: Final = 8 * 1024
MAX_ADDRESSES: Final = 16
MAX_NAME: Final = 64
MAX_WORKERS: Final = 256
MAX_RATE: Final = 1e9
MAX_APPLIED: Final = 1 << 48
"""Sequence numbers of one history (edge.semantics.purge_table)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_INSTANCE = re.compile(r"[A-Za-z0-9\-]{1,64}")
_HISTORY = re.compile(r"(?:[0-9a-f]{16})?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+\-]{0,63}")


class BadPresence(ValueError):
    """Not a message of ours, or of a version that we do not know."""


@dataclass(frozen=True, slots=True)
class Presence:
    """One node, now. instance: new at each start. region, pop: as in network.toml; pop "" = none. role: edge or shield."""

    node: str
    instance: str
    region: str
    pop: str = ""
    role: str = "edge"
    version: str = "unknown"
    history: str = ""
    """Of the purge log, 16 hex digits; "" = it has not found the log yet."""
    applied: int = 0
    """Sequence number in that history up to which every process of it that serves has applied all orders."""
    ready: bool = False
    """Whether clients should be sent there."""
    proof_age: float | None = None
    """Seconds: all that was ordered before this long ago has been read. None = nothing is known yet."""
    workers: int = 0
    """Processes that serve."""
    load: float = 0.0
    """0 = idle, 1 = as much as it can take."""
    rate: float | None = None
    """Requests a second that it answers. None = it does not know, or is of a version that does not say."""
    addresses: tuple[str, ...] = ()
    """Where it serves, HOST:PORT."""
    leaving: bool = False
    """It ends now, and serves nobody any more: its last word."""

    def has_applied(self, seq: int, history: str) -> bool:
        """Whether it says that an order is in force there."""
        return self.history == history and self.applied >= seq


def encode(presence: Presence) -> bytes:
    """One JSON object."""
    return json.dumps({"v": VERSION, **asdict(presence)}, separators=(",", ":")).encode()


def decode(data: bytes) -> Presence:
    """What `encode` wrote; what a later version adds is left out. BadPresence for anything else."""
    if len(data) > MAX_BYTES:
        raise BadPresence(f"{len(data)} bytes")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadPresence(f"no JSON: {error}") from None
    if not isinstance(said, dict) or said.get("v") != VERSION:
        raise BadPresence("not a message of this version")
    try:
        return Presence(
            node=_text(said["node"], _NAME),
            instance=_text(said["instance"], _INSTANCE),
            region=_text(said["region"], _NAME),
            pop=_text(said["pop"], _NAME) if said["pop"] != "" else "",
            role=_text(said["role"], _WORD),
            version=_text(said["version"], _WORD),
            history=_text(said["history"], _HISTORY),
            applied=_count(said["applied"], MAX_APPLIED),
            ready=_claim(said["ready"]),
            proof_age=None if said["proof_age"] is None else _number(said["proof_age"], 1e9),
            workers=_count(said["workers"], MAX_WORKERS),
            load=_number(said["load"], 1.0),
            rate=None if said.get("rate") is None else _number(said["rate"], MAX_RATE),
            addresses=_addresses(said["addresses"]),
            leaving=_claim(said["leaving"]),
        )
    except KeyError as missing:
        raise BadPresence(f"no {missing}") from None


def _text(said: object, form: re.Pattern[str]) -> str:
    if not isinstance(said, str) or form.fullmatch(said) is None:
        raise BadPresence(f"{str(said)[:80]!a} is not of the form {form.pattern}")
    return said


def _count(said: object, most: int) -> int:
    if type(said) is not int or not 0 <= said <= most:
        raise BadPresence("no count in its bounds")
    return said


def _number(said: object, most: float) -> float:
    if not (type(said) is int or type(said) is float) or not 0 <= said <= most:  # NaN is in no bounds
        raise BadPresence("no number in its bounds")
    return float(said)


def _claim(said: object) -> bool:
    if not isinstance(said, bool):
        raise BadPresence("neither true nor false")
    return said


def _addresses(said: object) -> tuple[str, ...]:
    if not isinstance(said, list) or len(said) > MAX_ADDRESSES:
        raise BadPresence("no list of addresses, or a long one")
    for address in said:
        if not isinstance(address, str) or not 0 < len(address) <= 262 or not address.isprintable():
            raise BadPresence("no address")
    return tuple(said)
