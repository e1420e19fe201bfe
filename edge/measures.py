"""Everything that an edge counts, declared once each.

Owns: the names, units, help texts and labels of all metrics. Rules: a label's values come from a closed set (an enum's
words, configured sites and origins), never from a request; docs/reference/metrics.md is generated from here. A metric
without labels is a cell (`measures.reloads.value += 1`), one with labels a family (`measures.requests.of(...)`).
"""

from __future__ import annotations

from edge.metrics import DURATION_BOUNDS, Merge, Registry


class Measures:
    """The metrics of one node in one process. `registry` has them all, for snapshots."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = Registry() if registry is None else registry
        self._requests(self.registry)
        self._connections(self.registry)
        self._stores(self.registry)
        self._sweeps(self.registry)
        self._fills(self.registry)
        self._upstream(self.registry)
        self._signatures(self.registry)
        self._bus(self.registry)
        self._purges(self.registry)
        self._fleet(self.registry)
        self._process(self.registry)

    def _requests(self, registry: Registry) -> None:
        self.requests = registry.counter(
            "perigee_requests_total",
            unit="requests",
            help="Requests answered; cache: hit, stale, or RFC 9211's fwd token; because: reason; status: 2xx to 5xx.",
            labels=("site", "cache", "because", "status"),
        )
        self.response_bytes = registry.counter(
            "perigee_response_body_bytes_total",
            unit="bytes",
            help="Body bytes sent to clients.",
            labels=("site", "cache"),
        )
        self.request_seconds = registry.histogram(
            "perigee_request_duration_seconds",
            unit="seconds",
            help="From the end of a request's head to the last byte of its response.",
            labels=("cache",),
            bounds=DURATION_BOUNDS,
        )
        self.first_byte_seconds = registry.histogram(
            "perigee_first_byte_seconds",
            unit="seconds",
            help="From the end of a request's head to the first byte of its response, where it was not in memory.",
            labels=("cache",),
            bounds=DURATION_BOUNDS,
        )
        self.lane_answers = registry.counter(
            "perigee_lane_answers_total",
            unit="requests",
            help="Hits answered by the lane (all of its parts were seen before); perigee_requests_total has them, too.",
        ).of()
        self.aborted = registry.counter(
            "perigee_requests_aborted_total",
            unit="requests",
            help="Exchanges that did not end as they should; by: client, upstream, or us (a bound, or the drain).",
            labels=("by",),
        )

    def _connections(self, registry: Registry) -> None:
        self.connections_open = registry.gauge(
            "perigee_connections_open", unit="connections", help="Client connections open now."
        ).of()
        self.connections = registry.counter(
            "perigee_connections_total", unit="connections", help="Client connections accepted."
        ).of()
        self.requests_active = registry.gauge(
            "perigee_requests_active", unit="requests", help="Requests whose response is not yet complete."
        ).of()
        self.refused = registry.counter(
            "perigee_requests_refused_total",
            unit="requests",
            help="Requests refused as malformed, ambiguous or too large, by what was wrong with them.",
            labels=("fault",),
        )
        self.bound_reached = registry.counter(
            "perigee_bound_reached_total",
            unit="events",
            help="How often something from outside met its bound, by the name of the setting.",
            labels=("bound",),
        )

    def _stores(self, registry: Registry) -> None:
        self.stored_bytes = registry.gauge(
            "perigee_stored_bytes", unit="bytes", help="Bytes held, exactly as accounted.", labels=("tier",)
        )
        self.stored_limit_bytes = registry.gauge(
            "perigee_stored_limit_bytes", unit="bytes", help="The most that may be held.", labels=("tier",)
        )
        self.stored_responses = registry.gauge(
            "perigee_stored_responses", unit="responses", help="Stored responses held.", labels=("tier",)
        )
        self.store_reads = registry.counter(
            "perigee_store_reads_total",
            unit="reads",
            help="Look-ups in a store; outcome: found, absent, corrupt, failed.",
            labels=("tier", "outcome"),
        )
        self.store_rests = registry.counter(
            "perigee_store_rests_total",
            unit="rests",
            help="How often the event loop left all disk reads to threads for a while, since one took too long.",
        )
        self.store_writes = registry.counter(
            "perigee_store_writes_total",
            unit="writes",
            help="Responses offered to a store; outcome: stored, not-admitted, dropped (queue full), failed.",
            labels=("tier", "outcome"),
        )
        self.evictions = registry.counter(
            "perigee_evictions_total",
            unit="responses",
            help="Stored responses that left; because: space, replaced, invalidated, expired, corrupt.",
            labels=("tier", "because"),
        )

    def _sweeps(self, registry: Registry) -> None:
        self.reclaimed = registry.counter(
            "perigee_reclaimed_responses_total",
            unit="responses",
            help="Stored responses dropped by the sweep: purged, of no site any more, or not to be read.",
            labels=("tier",),
        )
        self.reclaimed_bytes = registry.counter(
            "perigee_reclaimed_bytes_total",
            unit="bytes",
            help="What they had occupied, exactly as accounted.",
            labels=("tier",),
        )
        self.sweep_seconds = registry.histogram(
            "perigee_sweep_seconds",
            unit="seconds",
            help="Whole passes of the sweep over memory and disk, with all the rests that they took.",
            bounds=(0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0),
        ).of()

    def _fills(self, registry: Registry) -> None:
        self.fills = registry.counter(
            "perigee_fills_total",
            unit="fills",
            help="Fills settled; outcome: complete, failed, uncacheable, abandoned, timed-out.",
            labels=("outcome",),
        )
        self.fills_active = registry.gauge("perigee_fills_active", unit="fills", help="Fills under way.").of()
        self.fills_followed = registry.gauge(
            "perigee_fills_followed",
            unit="requests",
            help="Requests that wait for the head of a fill of another request.",
        ).of()
        self.passports_refused = registry.counter(
            "perigee_passports_refused_total",
            unit="requests",
            help="Requests at tier.listen that no node of this network made, by what was wrong with their passport.",
            labels=("why",),
        )
        self.unvouched = registry.counter(
            "perigee_fills_unvouched_total",
            unit="fills",
            help="Answers of another tier that may be older than a purge; they were fetched from behind it.",
        ).of()
        self.collapsed = registry.counter(
            "perigee_collapsed_requests_total",
            unit="requests",
            help="Requests that a fill of another request answered instead of one of their own.",
        ).of()
        self.fill_buffer_bytes = registry.gauge(
            "perigee_fill_buffer_bytes", unit="bytes", help="Memory held by the buffers of fills under way."
        ).of()
        self.fill_spool_bytes = registry.gauge(
            "perigee_fill_spool_bytes", unit="bytes", help="Disk held by the spool files of fills under way."
        ).of()

    def _upstream(self, registry: Registry) -> None:
        self.upstream_requests = registry.counter(
            "perigee_upstream_requests_total",
            unit="requests",
            help="Requests sent to the next tier; outcome: the status class, or the RFC 9209 error type.",
            labels=("origin", "outcome"),
        )
        self.upstream_seconds = registry.histogram(
            "perigee_upstream_first_byte_seconds",
            unit="seconds",
            help="From sending a request to the end of the response's head.",
            labels=("origin",),
            bounds=DURATION_BOUNDS,
        )
        self.upstream_body_bytes = registry.counter(
            "perigee_upstream_body_bytes_total",
            unit="bytes",
            help="Body bytes received from the next tier.",
            labels=("origin",),
        )
        self.upstream_connections = registry.counter(
            "perigee_upstream_connections_total",
            unit="connections",
            help="event: opened, reused, failed, or destroyed (bytes while idle, leftovers, any doubt).",
            labels=("origin", "event"),
        )
        self.upstream_retries = registry.counter(
            "perigee_upstream_retries_total",
            unit="requests",
            help="Safe requests that were sent again, no byte of a response having come.",
            labels=("origin",),
        )
        self.lookups = registry.counter(
            "perigee_name_lookups_total",
            unit="lookups",
            help="Origin names resolved; outcome: answered, cached, failed, timed-out, prohibited.",
            labels=("outcome",),
        )

    def _signatures(self, registry: Registry) -> None:
        self.signatures = registry.counter(
            "perigee_signatures_total",
            unit="requests",
            help="Requests whose signature was looked at; verdict: verified, or what is wrong with it.",
            labels=("verdict",),
        )
        self.keys = registry.gauge(
            "perigee_keys",
            unit="keys",
            help="Keys of those who may purge, as they are in force; state: active or revoked.",
            labels=("state",),
            merge=Merge.MAX,
        )
        self.key_reloads = registry.counter(
            "perigee_key_reloads_total",
            unit="reloads",
            help="Keys read again; outcome: taken, or refused (the old ones stay in force).",
            labels=("outcome",),
        )

    def _bus(self, registry: Registry) -> None:
        self.bus_connected = registry.gauge(
            "perigee_bus_connected",
            unit="processes",
            help="Processes of this node that are connected to the servers of the purge log.",
        ).of()
        self.bus_reconnects = registry.counter(
            "perigee_bus_reconnects_total",
            unit="connections",
            help="Connections to the servers of the purge log that were made anew.",
        ).of()
        self.bus_errors = registry.counter(
            "perigee_bus_errors_total",
            unit="errors",
            help="What went wrong on a connection to the servers of the purge log; kind: connect, lost, refused (no "
            "permission), slow (messages were dropped), other.",
            labels=("kind",),
        )
        self.bus_server_restarts = registry.counter(
            "perigee_bus_server_restarts_total",
            unit="restarts",
            help="Ends of the node's own nats-server that nobody had asked for.",
        ).of()

    def _purges(self, registry: Registry) -> None:
        self.purge_applied_seq = registry.gauge(
            "perigee_purge_applied_seq",
            unit="messages",
            help="Sequence number, in its history, of the last message of the purge log read; of several workers the least.",
            merge=Merge.MIN,
        ).of()
        self.purge_lag_messages = registry.gauge(
            "perigee_purge_lag_messages",
            unit="messages",
            help="Messages that are in the purge log and were not read yet; of several workers the most.",
            merge=Merge.MAX,
        ).of()
        self.purge_proof_age = registry.gauge(
            "perigee_purge_proof_age_seconds",
            unit="seconds",
            help="All that was ordered longer ago than this was read: the proof of being current. A day where there is none.",
            merge=Merge.MAX,
        ).of()
        self.purge_suspended = registry.gauge(
            "perigee_purge_suspended",
            unit="processes",
            help="Processes that do not trust the purge log, since it lost something that had been read.",
        ).of()
        self._purge_log(registry)

    def _purge_log(self, registry: Registry) -> None:
        self.purge_orders_applied = registry.counter(
            "perigee_purge_orders_applied_total",
            unit="orders",
            help="Purge orders that came into force, in each process.",
        ).of()
        self.purge_gap_fills = registry.counter(
            "perigee_purge_gap_fills_total",
            unit="fills",
            help="Batches that were fetched from the purge log since they had not come by themselves.",
        ).of()
        self.purge_messages_bad = registry.counter(
            "perigee_purge_messages_bad_total",
            unit="messages",
            help="Messages of the purge log that could not be read, and were skipped.",
        ).of()
        self.purge_rewinds = registry.counter(
            "perigee_purge_rewinds_total",
            unit="rewinds",
            help="How often the purge log had lost something that had been read.",
        ).of()
        self.purge_begins = registry.counter(
            "perigee_purge_begins_total",
            unit="begins",
            help="How often everything older became unknown; because: new, recreated, rewound, expired (forgotten), hole.",
            labels=("because",),
        )
        self.purge_appends = registry.counter(
            "perigee_purge_appends_total",
            unit="orders",
            help="Orders offered to the purge log; outcome: stored, duplicate, failed.",
            labels=("outcome",),
        )
        self.purge_append_retries = registry.counter(
            "perigee_purge_append_retries_total",
            unit="orders",
            help="Orders that were sent to the purge log again, no acknowledgement having come.",
        ).of()

    def _fleet(self, registry: Registry) -> None:
        self.fleet_nodes = registry.gauge(
            "perigee_fleet_nodes",
            unit="nodes",
            help="Nodes of the network that this one knows; state: live, or away (known and silent).",
            labels=("state",),
        )
        self.presences = registry.counter(
            "perigee_presences_total",
            unit="messages",
            help="What nodes said of themselves, this one too; outcome: known, new, left, contested (two nodes have one name), "
            "full (more nodes than can be known), bad.",
            labels=("outcome",),
        )
        self.fleet_questions = registry.counter(
            "perigee_fleet_questions_total",
            unit="messages",
            help="Questions of other nodes and answers to ours; outcome: answered, failed, dropped (too many at a time), late "
            "(nobody waits for it any more), bad.",
            labels=("outcome",),
        )

    def _process(self, registry: Registry) -> None:
        self.reloads = registry.counter(
            "perigee_reloads_total",
            unit="reloads",
            help="Settings read again; outcome: taken, or refused (the old ones stay in force).",
            labels=("outcome",),
        )
        self.settings_loaded = registry.gauge(
            "perigee_settings_loaded_timestamp_seconds",
            unit="seconds",
            help="Unix time at which the settings in force were read.",
            merge=Merge.MIN,
        ).of()
        self.clock_steps = registry.counter(
            "perigee_clock_steps_total", unit="steps", help="How often the wall clock was stepped."
        ).of()
        self.clock_offset = registry.gauge(
            "perigee_clock_offset_seconds",
            unit="seconds",
            help="The wall clock minus the time that ages are reckoned in.",
            merge=Merge.MAX,
        ).of()
        self.loop_lag_seconds = registry.histogram(
            "perigee_loop_lag_seconds",
            unit="seconds",
            help="How late the event loop came back to a timer: what blocked it.",
            bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
        ).of()
        self.log_lines_dropped = registry.counter(
            "perigee_log_lines_dropped_total",
            unit="lines",
            help="Lines not written since the writer fell behind; log: access or application.",
            labels=("log",),
        )
        self.worker_restarts = registry.counter(
            "perigee_worker_restarts_total",
            unit="restarts",
            help="Worker processes that ended unasked and were replaced.",
        ).of()
        self.rolls = registry.counter(
            "perigee_rolls_total",
            unit="rolls",
            help="Replacements of all workers one by one; outcome: done, failed, refused (nothing was replaced), stopped.",
            labels=("outcome",),
        )
        self.workers = registry.gauge(
            "perigee_workers", unit="processes", help="Worker processes in this answer."
        ).of()
