"""Every bound on what comes off a socket, in one frozen value. PURE.

Owns: `Limits`. Rules: each has a setting of the same name under [limits], a counter by name and a test at the limit
and one past it. Precedents in brackets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    request_line: int = 8 * KIB
    """Longest request line; beyond it 414 [nginx large_client_header_buffers 8k]."""
    request_head: int = 32 * KIB
    """Whole request head; beyond it 431 [nginx 4 x 8k]."""
    request_fields: int = 100
    """Field lines in a request; beyond it 431 [Apache LimitRequestFields 100]."""
    response_head: int = 64 * KIB
    """Whole response head from an origin; beyond it 502 [Varnish http_resp_size 32k]."""
    response_fields: int = 256
    """Field lines in a response; beyond it 502."""
    interim_responses: int = 16
    """1xx responses before the final one; beyond it 502."""
    chunk_line: int = 256
    """One chunk-size line with its extensions."""
    chunk_overhead: int = 16 * KIB
    """Bytes of chunk extensions and surplus size digits over a whole body."""
    trailer_bytes: int = 8 * KIB
    trailer_fields: int = 32
    head_deadline: float = 10.0
    """From the first byte of a request head (or from accept) to its last; then 408 and close."""
    handshake_deadline: float = 10.0
    """From accept to the end of a TLS handshake; then the connection is closed [nginx ssl_handshake_timeout of mail and
    stream, 60 s; HAProxy tune.ssl, within timeout client]."""
    client_hello: int = 16 * KIB
    """The first message of a TLS handshake; with keys that are safe from quantum computers it has some 2 KiB."""
    idle: float = 60.0
    """A kept-alive client connection without a request is closed after this."""
    body_min_rate: int = 500
    """Bytes a second a request body must come at, averaged, after `body_grace`."""
    body_grace: float = 10.0
    reader_stall: float = 30.0
    """A client that takes no byte of its response for this long is cut."""
    reader_min_rate: int = 500
    """Bytes a second a client must take its response at, averaged, after `reader_stall`."""
    tunnel_idle: float = 3600.0
    """An upgraded connection (WebSocket) on which no byte moves either way for this long is closed [nginx 60s, HAProxy's
    tunnel timeout commonly 1h]."""
    write_buffer: int = 256 * KIB
    """Bytes of a response that may wait in the socket's buffer of one client."""
    pipelined: int = 32 * KIB
    """Bytes of further requests that are read while one is answered; then reading stops."""
    connections: int = 20_000
    """Client connections a worker holds; further ones wait in the backlog."""
    connections_per_client: int = 1_000
    """Client connections a worker holds for one address; further ones are closed."""
    requests_per_connection: int = 100_000
    reserved_files: int = 64
    """File descriptors kept for upstream connections and the store."""
    ranges: int = 8
    """Ranges in one request; beyond it the Range field is ignored (RFC 9110 s14.2)."""


DEFAULT_LIMITS = Limits()

ADDED_FIELDS = 64
"""That nodes and workers add on the way: Via, CDN-Loop and Cache-Status each, up to MAX_HOPS of them, and some of ours."""
ADDED_BYTES = 16 * KIB
"""Of these, but for the addresses on the way, which are as long as the field that a trusted proxy said them in."""

BURSTS = 20
"""Times reader_stall. A node whose client is slow takes nothing until its own buffers, the kernel's among them, have room
again; with 2.6 MB of these on both sides, a client at 60 KB/s was cut by the shield, and by the edge alone it was not."""


def among_ours(limits: Limits) -> Limits:
    """What nodes and workers may say to each other: all that is let in from outside, and what they add to it themselves.

    With the same bounds, what the first of them took would be refused by the second, as if it were at fault. And who reads
    too slowly is cut by the node or worker that he came to: what is behind it sees bursts, and only ends what hangs.
    """
    return replace(
        limits,
        request_head=2 * limits.request_head + ADDED_BYTES,
        request_fields=limits.request_fields + ADDED_FIELDS,
        response_head=limits.response_head + ADDED_BYTES,
        response_fields=limits.response_fields + ADDED_FIELDS,
        reader_stall=BURSTS * limits.reader_stall,
        reader_min_rate=0,
    )
