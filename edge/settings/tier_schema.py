"""The settings of a node among the nodes of its network. PURE.

Rules: edge.settings.schema. The defaults stand in edge.settings.node.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.semantics.rules import HOUR, MINUTE
from edge.settings.address_kinds import Listen
from edge.settings.composed import ListOf, Or
from edge.settings.kinds import Duration, Flag, Kind
from edge.settings.problems import quoted, refused
from edge.settings.schema import Setting

MIN_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class SharedSecret(Kind[bytes]):
    """A secret that all nodes of a network know."""

    def read(self, value: object) -> bytes:
        """Its bytes."""
        if (
            not isinstance(value, str)
            or not value.isprintable()
            or not MIN_SECRET_BYTES <= len(value.encode()) <= 512
        ):
            raise refused("it is no secret of ours", f"allowed: {self.allowed()}")
        return value.encode()

    def allowed(self) -> str:
        """Its form."""
        return f'{MIN_SECRET_BYTES} to 512 characters, as `openssl rand -hex 32` makes them; best as {{ env = "NAME" }}'

    def write(self, value: object) -> str:
        """Never."""
        assert isinstance(value, bytes), type(value)
        return quoted("...")


TIER = (
    Setting(
        "tier.listen",
        Or("off", None, Listen()),
        "tier.listen",
        "Where this node serves other nodes, as their shield. Keep it off public addresses; who has no passport gets 403.",
        restart=True,
    ),
    Setting(
        "tier.secrets",
        ListOf(SharedSecret(), 4, one=True),
        "tier.secrets",
        "What passports between nodes are sealed with: the first seals, each of them is good. To change it, add the new one "
        "behind the old on all nodes, then put it first, then take the old one out.",
        secret=True,
    ),
    Setting(
        "tier.shields",
        ListOf(Listen(), 64, one=True),
        "tier.shields",
        "The nodes that this one asks instead of origins, each for its share of the keys; the tier.listen of each. It counts "
        "instead of what the network file says. Empty: that one's, or else origins are asked.",
        restart=True,
    ),
    Setting(
        "tier.straight",
        Flag(),
        "tier.straight",
        "Whether origins are asked from here when no shield answers. False where only shields may reach them.",
    ),
    Setting(
        "tier.connect",
        Duration(0.05, 30),
        "tier.connect",
        "How long connecting to another node may take. It is short, for the next one answers as well.",
    ),
    Setting(
        "tier.check",
        Or("off", None, Duration(0.05, MINUTE)),
        "tier.check",
        "A node that this one asks and that has answered nothing for so long is asked whether it is there, and may take as "
        "long to say so. Two checks that fail take it out, and what waits for it is asked elsewhere: a node that hangs keeps "
        "its connections. Without checks it is as slow as timeouts.first_byte.",
    ),
    Setting(
        "tier.rest",
        Duration(0.05, HOUR),
        "tier.rest",
        "How long a node that failed twice in a row is passed over; twice as long each time that it happens again soon.",
    ),
    Setting(
        "tier.slow_return",
        Duration(0, HOUR),
        "tier.slow_return",
        "How long a node that returns takes to get all of its keys again: its caches may be cold.",
    ),
)

TIER_TABLES = {"tier": "What this node is to the other nodes of its network."}
