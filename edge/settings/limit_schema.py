"""The settings of edge.wire.limits.Limits, one for each field. PURE.

Rules: edge.settings.schema. Upper bounds are what a worker can be trusted with; lower ones are what common clients need.
"""

from __future__ import annotations

from edge.semantics.rules import DAY, HOUR, KIB, MIB
from edge.settings.kinds import Count, Duration, Kind, Size
from edge.settings.schema import Order, Setting


def _limit(name: str, kind: Kind[object], why: str) -> Setting:
    return Setting(f"limits.{name}", kind, f"limits.{name}", why)


LIMITS = (
    _limit("request_line", Size(KIB, MIB), "The longest request line; then 414. nginx takes 8 KiB."),
    _limit("request_head", Size(KIB, MIB), "A whole request head; then 431. nginx takes 32 KiB."),
    _limit("request_fields", Count(10, 10_000), "Field lines in a request; then 431. Apache takes 100."),
    _limit(
        "response_head",
        Size(KIB, 4 * MIB),
        "A whole response head of an origin; then 502. Varnish takes 32 KiB.",
    ),
    _limit("response_fields", Count(10, 10_000), "Field lines in a response of an origin; then 502."),
    _limit("interim_responses", Count(0, 1_000), "1xx responses before the final one; then 502."),
    _limit("chunk_line", Size(16, 64 * KIB), "One chunk-size line with its extensions."),
    _limit("chunk_overhead", Size(KIB, 16 * MIB), "Chunk extensions and surplus digits over a whole body."),
    _limit("trailer_bytes", Size(0, MIB), "A whole trailer section."),
    _limit("trailer_fields", Count(0, 1_000), "Field lines in a trailer section."),
    _limit(
        "head_deadline",
        Duration(0.1, HOUR),
        "For a request head, from its first byte (or from the connection's start) to its last; then 408. This is what "
        "ends clients that send one byte at a time.",
    ),
    _limit(
        "handshake_deadline",
        Duration(0.1, HOUR),
        "For a TLS handshake, from the connection's start; then it is closed.",
    ),
    _limit(
        "client_hello",
        Size(KIB, 64 * KIB),
        "The first message of a TLS handshake; then the connection is closed.",
    ),
    _limit("idle", Duration(0, DAY), "A kept connection without a request is closed after this."),
    _limit(
        "body_min_rate",
        Size(0, 100 * MIB, per="/s"),
        "What a request body must come at on average, after limits.body_grace; then 408.",
    ),
    _limit("body_grace", Duration(0, HOUR), "How long a request body may be slower than that."),
    _limit(
        "reader_stall",
        Duration(0.1, HOUR),
        "A client that takes no byte of its response for this long is cut off.",
    ),
    _limit(
        "reader_min_rate",
        Size(0, 100 * MIB, per="/s"),
        "What a client must take its response at on average, after limits.reader_stall; then it is cut off.",
    ),
    _limit(
        "tunnel_idle",
        Duration(0.1, 7 * DAY),
        "An upgraded connection (WebSocket) on which no byte moves either way for this long is closed.",
    ),
    _limit(
        "write_buffer",
        Size(KIB, 64 * MIB),
        "Bytes of a response that wait in the socket's buffer of one client.",
    ),
    _limit(
        "pipelined", Size(KIB, 16 * MIB), "Bytes of further requests that are read while one is answered."
    ),
    _limit(
        "connections",
        Count(1, 1_000_000),
        "Client connections of a worker; further ones wait in the backlog.",
    ),
    _limit(
        "connections_per_client",
        Count(1, 1_000_000),
        "Client connections of a worker from one address; further ones are closed.",
    ),
    _limit(
        "requests_per_connection", Count(1, 100_000_000), "Then the connection is closed, and load can move."
    ),
    _limit("reserved_files", Count(0, 100_000), "File descriptors kept for the origins and the store."),
    _limit("ranges", Count(1, 1_000), "Ranges in one request; beyond it Range is ignored (RFC 9110 s14.2)."),
)

LIMIT_ORDERS = (
    Order("limits.request_line", "limits.request_head"),
    Order("limits.chunk_line", "limits.chunk_overhead"),
    Order("limits.connections_per_client", "limits.connections"),
)
