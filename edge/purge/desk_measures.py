"""What is counted of those who ask for purges.

Owns: the names, units, help texts and labels of its metrics. Rules: those of edge.measures.
"""

from __future__ import annotations

from edge.metrics import DURATION_BOUNDS, Registry


class DeskMeasures:
    """registry: of the node; each of these is declared in it once."""

    def __init__(self, registry: Registry) -> None:
        self.requests = registry.counter(
            "perigee_purge_requests_total",
            unit="requests",
            help="Requests to the purge API, and PURGE; shape: in which they came, or read; outcome: ordered, repeated (an "
            "Idempotency-Key that was used), dry-run, told, or the reason why it was declined.",
            labels=("shape", "outcome"),
        )
        self.items = registry.counter(
            "perigee_purged_items_total",
            unit="items",
            help="Things that were purged through this node; kind: url, variant, tag, prefix, host, site, everything.",
            labels=("kind",),
        )
        self.order_seconds = registry.histogram(
            "perigee_purge_order_seconds",
            unit="seconds",
            help="From a whole purge request to the log's acknowledgement.",
            bounds=DURATION_BOUNDS,
        ).of()
        self.waiting = registry.gauge(
            "perigee_purge_waiting", unit="requests", help="Requests that wait for nodes to apply a purge."
        ).of()
