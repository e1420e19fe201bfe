"""Everything that a DNS server counts, declared once each.

Owns: the names, units, help texts and labels of its metrics. Rules: those of edge.measures; docs/reference/metrics.md has
them, too.
"""

from __future__ import annotations

from edge.geo.atlas_measures import AtlasMeasures
from edge.metrics import Registry


class DnsMeasures:
    """The metrics of one DNS process. `registry` has them all, for snapshots."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = Registry() if registry is None else registry
        self._answers(self.registry)
        self._clients(self.registry)
        self._process(self.registry)
        self.atlas = AtlasMeasures(self.registry)

    def _answers(self, registry: Registry) -> None:
        self.queries = registry.counter(
            "perigee_dns_queries_total",
            unit="queries",
            help="Messages that came in; transport: udp or tcp.",
            labels=("transport",),
        )
        self.answers = registry.counter(
            "perigee_dns_answers_total",
            unit="answers",
            help="Answers made; pop: that was chosen, empty where none was; reason: why the answer is what it is.",
            labels=("pop", "reason"),
        )
        self.strict = registry.counter(
            "perigee_dns_strict_answers_total",
            unit="answers",
            help="Answers that were made anew since none was ready: odd queries, and the first ones of their kind.",
        ).of()
        self.truncated = registry.counter(
            "perigee_dns_truncated_total",
            unit="answers",
            help="Answers that were too long for UDP; their clients come back by TCP.",
        ).of()
        self.dropped = registry.counter(
            "perigee_dns_dropped_total",
            unit="queries",
            help="Messages that are not answered; why: short, response, rate (over the limit), unsent (the socket "
            "was full), failed (our own fault; the log has it).",
            labels=("why",),
        )
        self.limited = registry.counter(
            "perigee_dns_limited_total",
            unit="answers",
            help="Answers over the rate of their network; how: dropped, or slip (a short one went out).",
            labels=("how",),
        )
        self.cookies = registry.counter(
            "perigee_dns_cookies_total",
            unit="queries",
            help="Queries with a cookie; kind: valid (one that we gave), or new (the client has none of ours).",
            labels=("kind",),
        )
        self.kept = registry.gauge(
            "perigee_dns_kept_answers", unit="answers", help="Answers that are kept ready."
        ).of()

    def _clients(self, registry: Registry) -> None:
        self.connections_open = registry.gauge(
            "perigee_dns_connections_open", unit="connections", help="TCP connections open now."
        ).of()
        self.connections = registry.counter(
            "perigee_dns_connections_total",
            unit="connections",
            help="TCP connections; end: client, idle, slow (a query took too long), queries (it had its share), "
            "backlog (it does not read its answers), refused (too many of this client or in all), drain, failed.",
            labels=("end",),
        )
        self.bound_reached = registry.counter(
            "perigee_dns_bound_reached_total",
            unit="events",
            help="How often something from outside met its bound, by the name of the setting.",
            labels=("bound",),
        )

    def _process(self, registry: Registry) -> None:
        self.views = registry.counter(
            "perigee_dns_views_total",
            unit="views",
            help="How often all answers were made anew: health, load, a database or the settings changed.",
        ).of()
        self.log_lines_dropped = registry.counter(
            "perigee_dns_log_lines_dropped_total",
            unit="lines",
            help="Lines not written since the writer fell behind; log: routing or application.",
            labels=("log",),
        )
