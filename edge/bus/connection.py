"""One connection to the bus (skeleton)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge.bus.address import BusAddress
from edge.clock import Clock
from edge.measures import Measures
from edge.values import value


@value(frozen=True, slots=True)
class Said:
    """A message. headers: {} = none."""

    subject: str
    data: bytes
    headers: Mapping[str, str]


class Bus:
    """See the module. name: of the process, for the server's lists."""

    def __init__(self, address: BusAddress, *, name: str, clock: Clock, measures: Measures) -> None:
        self.address = address
        self.is_connected = False
        self.server = ""
        """Where it is connected to, or was last."""

    async def connect(self, *, within: float = 5.0) -> None:
        """Start, and wait for the first connection. BusLost when there is none in time; it goes on trying."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """End; what waits for an answer gets BusLost."""
        raise NotImplementedError

    async def publish(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send to whoever listens. BusLost without a connection; no word of whether it arrived."""
        raise NotImplementedError

    async def subscribe(self, subject: str, heard: Callable[[Said], None]) -> None:
        """Call `heard` for each message, also over connections made anew, until the end of the bus."""
        raise NotImplementedError

    async def request(
        self, subject: str, data: bytes, *, within: float, headers: Mapping[str, str] | None = None
    ) -> Said:
        """The first answer. BusLost, BusSilent, NobodyThere."""
        raise NotImplementedError

    async def api(self, name: str, body: Mapping[str, Any] | None = None, *, within: float) -> dict[str, Any]:
        """Ask JetStream; name: as "STREAM.INFO.X". ApiFault when it says no, and what `request` raises."""
        raise NotImplementedError

    def on_reconnect(self, call: Callable[[], None]) -> None:
        """Call at each connection made, the first too."""
        raise NotImplementedError
