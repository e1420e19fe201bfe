"""Finished exchanges, as the access log is told of them."""

from __future__ import annotations

from edge.exchange import Reply, Verdict
from edge.semantics.message import EMPTY
from edge.semantics.reasons import Because
from edge.wire.request import ParsedRequest
from tests.kit.request_heads import read

HIT = Verdict("shop", "hit", Because.FRESH)


def requested(
    *lines: bytes, target: bytes = b"/a?b=c", host: bytes = b"a.example", minor: int = 1
) -> ParsedRequest:
    head = b"GET %b HTTP/1.%d\r\nHost: %b\r\n" % (target, minor, host)
    return read(head + b"".join(line + b"\r\n" for line in lines) + b"\r\n")


def replied(status: int = 200, verdict: Verdict = HIT) -> Reply:
    return Reply(status, b"", EMPTY, b"", 0, verdict)
