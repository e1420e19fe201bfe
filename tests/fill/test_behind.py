"""What a tier says beside its answer, and the answer without it."""

from __future__ import annotations

import pytest

from edge.fill.behind import member_apart, said_by_tier
from edge.fill.order import FENCE, NOT_TO_BE_STORED, STALE
from edge.semantics.message import Fields, Line, ResponseHead
from edge.semantics.reasons import Because

TYPE: Line = (b"Content-Type", b"text/plain")
FOREIGN: Line = (b"Cache-Status", b"other;hit")


def head(*lines: Line) -> ResponseHead:
    return ResponseHead(200, b"OK", Fields(lines))


def test_a_workers_member_is_its_last():
    ours = (b"cache-status", b"edge-1;fwd=miss")
    assert member_apart(head(FOREIGN, ours, TYPE)) == (head(FOREIGN, TYPE), ours[1])
    assert member_apart(head(TYPE)) == (head(TYPE), None)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), (None, False, None)),
        (((NOT_TO_BE_STORED, b"private"),), (Because.PRIVATE, False, None)),
        (((NOT_TO_BE_STORED, b"of a newer version"),), (Because.GATEWAY, False, None)),
        (((STALE, b"1"), (FENCE, b"abc-7")), (None, True, b"abc-7")),
    ],
)
def test_what_it_says_goes_no_further(
    lines: tuple[Line, ...], said: tuple[Because | None, bool, bytes | None]
):
    assert said_by_tier(head(TYPE, *lines, FOREIGN)) == (*said, head(TYPE, FOREIGN))
