"""What is counted where the state of the network is found out, and where clients are led by it.

Owns: the names, units, help texts and labels. Rules: those of edge.measures. Labels are sites and POPs of the settings.
"""

from __future__ import annotations

from edge.metrics import Merge, Registry


class WatchMeasures:
    """What a process counts that finds out which POPs are up."""

    def __init__(self, registry: Registry) -> None:
        self.checks = registry.counter(
            "perigee_checks_total",
            unit="checks",
            help="Active checks of edges; outcome: up, refused (it says no), failed (no answer), late (none in time).",
            labels=("outcome",),
        )
        self.opinions = registry.counter(
            "perigee_opinions_total",
            unit="messages",
            help="What vantage points said of POPs, this one too; outcome: taken, contested (two have one name), full (more "
            "than can be known), bad.",
            labels=("outcome",),
        )
        self.pop_up = registry.gauge(
            "perigee_pop_up",
            unit="pops",
            help="1 = the POP is up, or nobody knows; 0 = it is down.",
            labels=("pop",),
            merge=Merge.MAX,
        )
        self.pop_doubted = registry.gauge(
            "perigee_pop_doubted",
            unit="pops",
            help="1 = the POP seems down, and counts as up: so many seem down (health.max_out) that the checks are doubted.",
            labels=("pop",),
            merge=Merge.MAX,
        )
        self.pop_share = registry.gauge(
            "perigee_pop_share",
            unit="share",
            help="Of its clients that a POP gets now: less than 1 while it is drained, starts slowly, is not ready, or passes "
            "clients on.",
            labels=("pop",),
            merge=Merge.MAX,
        )


class LeadMeasures:
    """What an edge counts that leads clients to others."""

    def __init__(self, registry: Registry) -> None:
        self.redirects = registry.counter(
            "perigee_redirects_total",
            unit="requests",
            help="Requests that were answered with where to go; to: the POP, or alternate.",
            labels=("site", "to"),
        )
        self.far_requests = registry.counter(
            "perigee_far_requests_total",
            unit="requests",
            help="Requests that were served here although another POP is the one for that client.",
            labels=("site",),
        )
