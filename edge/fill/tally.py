"""What one destination counts.

Owns: `Tally`, the cells of the upstream metrics for one origin, looked up once.
"""

from __future__ import annotations

from edge.measures import Measures
from edge.metrics import Counter


class Tally:
    """See the module. origin: "host:port" or "unix:/path", as in the settings."""

    __slots__ = (
        "_by_outcome",
        "_measures",
        "_origin",
        "body_bytes",
        "destroyed",
        "failed",
        "opened",
        "retries",
        "reused",
        "seconds",
    )

    def __init__(self, measures: Measures, origin: str) -> None:
        connections = measures.upstream_connections
        self.opened, self.reused = connections.of(origin, "opened"), connections.of(origin, "reused")
        self.failed, self.destroyed = connections.of(origin, "failed"), connections.of(origin, "destroyed")
        self.retries = measures.upstream_retries.of(origin)
        self.body_bytes = measures.upstream_body_bytes.of(origin)
        self.seconds = measures.upstream_seconds.of(origin)
        self._measures = measures
        self._origin = origin
        self._by_outcome: dict[int | str, Counter] = {}

    def outcome(self, outcome: int | str) -> Counter:
        """The cell for a status class (its first digit) or an error type."""
        cell = self._by_outcome.get(outcome)
        if cell is None:
            word = f"{outcome}xx" if isinstance(outcome, int) else outcome
            cell = self._by_outcome[outcome] = self._measures.upstream_requests.of(self._origin, word)
        return cell
