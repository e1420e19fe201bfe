"""What is counted of the nodes that are asked instead of origins.

Owns: the names, units, help texts and labels of its metrics. Rules: those of edge.measures.
"""

from __future__ import annotations

from edge.metrics import Registry


class ShieldMeasures:
    """registry: of the node; each of these is declared in it once. shield: the name of a node, or its address."""

    def __init__(self, registry: Registry) -> None:
        self.requests = registry.counter(
            "perigee_shield_requests_total",
            unit="requests",
            help="Requests that were sent to a shield or sibling; outcome: answered, failed (the next one was asked, where "
            "that was possible), given-up (nobody wanted it any more).",
            labels=("shield", "outcome"),
        )
        self.in_flight = registry.gauge(
            "perigee_shield_in_flight",
            unit="requests",
            help="Requests under way to a shield: until the last byte of the answer.",
            labels=("shield",),
        )
        self.out = registry.gauge(
            "perigee_shield_out",
            unit="workers",
            help="Workers that pass over a shield, since it failed or does not say that it is there.",
            labels=("shield",),
        )
        self.ejections = registry.counter(
            "perigee_shield_ejections_total",
            unit="times",
            help="How often a shield was taken out, in each worker; by: failures or checks.",
            labels=("shield", "by"),
        )
        self.checks = registry.counter(
            "perigee_shield_checks_total",
            unit="checks",
            help="How often a silent shield was asked whether it is there; outcome: up, or down.",
            labels=("shield", "outcome"),
        )
