"""A request head read as a connection reads it: whole, or as its bytes come in."""

from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.request import ParsedRequest, find_head_end, parse_request_head


class NeverEnds(Exception):
    """The bytes are the beginning of a head, no more."""


def read(head: bytes, limits: Limits = DEFAULT_LIMITS) -> ParsedRequest:
    """As a connection does: find the end, then parse."""
    end = find_head_end(head, 0, limits)
    if end < 0:
        raise NeverEnds
    return parse_request_head(head[:end], limits)


def read_bytewise(head: bytes, limits: Limits = DEFAULT_LIMITS) -> ParsedRequest:
    for size in range(1, len(head) + 1):
        end = find_head_end(head[:size], 0, limits, size - 1)
        assert end == find_head_end(head[:size], 0, limits)
        if end > 0:
            return parse_request_head(head[:end], limits)
    raise NeverEnds
