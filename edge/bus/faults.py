"""What goes wrong with the bus. PURE."""

from __future__ import annotations

from edge.errors import EdgeError


class BusFault(EdgeError):
    """The bus, or the log on it, cannot be used now; for a client it is a 503."""

    usual = "destination_unavailable"


class BusLost(BusFault):
    """There is no connection, or it went away before the answer came: nobody knows whether it was heard."""


class BusSilent(BusFault):
    """No answer in time: nobody knows whether it was heard."""


class NobodyThere(BusFault):
    """Connected, but nobody listens on that subject: no stream, or its servers have no leader."""


class ApiFault(BusFault):
    """JetStream said no. code: as HTTP's; err_code: NATS's own number, 0 = none."""

    def __init__(self, detail: str, *, code: int, err_code: int) -> None:
        super().__init__(detail)
        self.code = code
        self.err_code = err_code
