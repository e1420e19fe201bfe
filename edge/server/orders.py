"""What supervisor and worker tell each other. PURE.

Owns: the orders (down), the reports (up), and their form on the line between them: one JSON object a line. Rules: what
cannot be read is our own mistake; the end of the line says that the other process is gone, which no message has to. Both
ends are one program, but after an upgrade a worker may be newer than its supervisor and its neighbours: `PROTOCOL` says
what they have in common, and a worker with another one does not start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

PROTOCOL = 1
"""Of orders and reports, of the files in the run folder, and of what workers ask each other. It moves with any of them."""

MAX_LINE_BYTES = 1 << 22
"""A command line and a few numbers; a fault of settings with its problems; a part of the certificates."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first order. index: 0 to count - 1. run_dir: for sockets between processes. listen: inherited descriptors.

    command_line: `CommandLine.as_json`. log: `LogAccess.as_json`; None = there is no purge log. state: as in `Show`, None =
    nobody looks after it.
    """

    index: int
    count: int
    run_dir: str
    listen: tuple[int, ...]
    command_line: Mapping[str, object]
    log: Mapping[str, object] | None = None
    tier_sockets: int = 0
    """How many of `listen`, at its end, are for other nodes."""
    state: Mapping[str, object] | None = None
    tls_sockets: int = 0
    """How many of `listen`, before those, speak TLS."""
    protocol: int = PROTOCOL
    is_rehearsal: bool = False
    """Make the settings, say `Ready` and end: whether a worker would start that was not tried on clients."""


@dataclass(frozen=True, slots=True)
class Certify:
    """A part of the certificates; they count once the last part is there. pairs: name, file, chain, key. authorities: of
    clients, as (file, PEM). more: a further part comes. at_once: from then on, else from the `Reload` that follows.
    """

    pairs: Sequence[Sequence[str]] = field(repr=False)
    authorities: Sequence[Sequence[str]]
    more: bool
    at_once: bool


@dataclass(frozen=True, slots=True)
class Seal:
    """Secrets of session tickets, in hexadecimal digits; former: "" = there is none."""

    current: str = field(repr=False)
    former: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the settings anew."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open the log files anew: they were renamed."""


@dataclass(frozen=True, slots=True)
class Show:
    """What is known of the network now. state: as `edge.geo.view_message.said_of` says it."""

    state: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Drain:
    """Accept no more clients, finish what is under way within `seconds`, say `Drained`, and wait for `End`.

    Until then it still serves the other workers: what they have under way may come through this one.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Retire:
    """As `Drain`, but the others go on: end the connections of clients one by one, then stop serving the other workers.

    seconds: for what clients have under way, and as much again for what the other workers have.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """End now, whatever is under way."""


@dataclass(frozen=True, slots=True)
class Ready:
    """It serves."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot start. detail: for the operator."""

    detail: str


@dataclass(frozen=True, slots=True)
class Drained:
    """No client is left. cut: connections that were not finished in time."""

    cut: int


@dataclass(frozen=True, slots=True)
class Applied:
    """How far it has read the purge log. history: 16 hex digits, "" = not found yet. seq: in that history.

    caught_up: since it started it has read all that there was. proven_at: monotonic seconds, all that was ordered before then
    has been read; None = nothing is known.
    """

    history: str
    seq: int
    caught_up: bool
    proven_at: float | None


Order = Start | Certify | Seal | Reload | Reopen | Show | Drain | Retire | End
Report = Ready | Failed | Drained | Applied

_KINDS: dict[str, type[Order | Report]] = {
    kind.__name__: kind
    for kind in (
        Start,
        Certify,
        Seal,
        Reload,
        Reopen,
        Show,
        Drain,
        Retire,
        End,
        Ready,
        Failed,
        Drained,
        Applied,
    )
}


def encode(message: Order | Report) -> bytes:
    """One line."""
    return json.dumps({"is": type(message).__name__, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Order | Report:
    """The message on one line. ValueError when it is none."""
    said = json.loads(line)
    kind = _KINDS.get(said.pop("is", "")) if isinstance(said, dict) else None
    if kind is None:
        raise ValueError(f"no message: {line[:200]!r}")
    if "listen" in said:
        said["listen"] = tuple(said["listen"])
    try:
        return kind(**said)
    except TypeError as error:
        raise ValueError(str(error)) from None
