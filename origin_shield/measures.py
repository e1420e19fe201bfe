"""What is counted of origins and their protection.

Owns: the names, units, help texts and labels of its metrics. Rules: those of edge.measures. What is sent, and how it ends, is
counted by edge.fill.tally.
"""

from __future__ import annotations

from edge.metrics import DURATION_BOUNDS, Merge, Registry


class OriginMeasures:
    """registry: of the node; each of these is declared in it once."""

    def __init__(self, registry: Registry) -> None:
        self._places(registry)
        self._failing(registry)

    def _places(self, registry: Registry) -> None:
        self.in_flight = registry.gauge(
            "perigee_origin_in_flight",
            unit="requests",
            help="Requests under way to an origin: from the head of the request to the last byte of the answer.",
            labels=("origin",),
        )
        self.limit = registry.gauge(
            "perigee_origin_limit",
            unit="requests",
            help="How many of them there may be now: protection.max_in_flight, or less where that is adaptive.",
            labels=("origin",),
        )
        self.queue = registry.gauge(
            "perigee_origin_queue",
            unit="requests",
            help="Requests that wait for their turn at an origin.",
            labels=("origin",),
        )
        self.wait_seconds = registry.histogram(
            "perigee_origin_wait_seconds",
            unit="seconds",
            help="How long requests waited for their turn, of those that had to and got it.",
            labels=("site",),
            bounds=DURATION_BOUNDS,
        )
        self.held_back = registry.counter(
            "perigee_origin_held_back_total",
            unit="requests",
            help="Requests that were not sent to spare an origin; because: origin-queue-full, origin-queue-overdue or "
            "origin-rests.",
            labels=("site", "because"),
        )
        self.retries_denied = registry.counter(
            "perigee_origin_retries_denied_total",
            unit="requests",
            help="Requests that might have been sent again, and were not, since the site's budget of retries was spent.",
            labels=("site",),
        )

    def _failing(self, registry: Registry) -> None:
        self.breaker = registry.gauge(
            "perigee_origin_breaker",
            unit="state",
            help="The breaker of an origin: 0 closed, 1 half-open, 2 open; of several the most.",
            labels=("origin",),
            merge=Merge.MAX,
        )
        self.breaker_opens = registry.counter(
            "perigee_origin_breaker_opens_total",
            unit="times",
            help="How often an origin's breaker opened, in each worker.",
            labels=("origin",),
        )
        self.out = registry.gauge(
            "perigee_origin_out",
            unit="workers",
            help="Workers that pass over an origin, since it failed or its checks do.",
            labels=("origin",),
        )
        self.ejections = registry.counter(
            "perigee_origin_ejections_total",
            unit="times",
            help="How often an origin was taken out, in each worker; by: failures or checks.",
            labels=("origin", "by"),
        )
        self.checks = registry.counter(
            "perigee_origin_checks_total",
            unit="checks",
            help="Active checks; outcome: up, down, or skipped (no connection was to be had).",
            labels=("origin", "outcome"),
        )
