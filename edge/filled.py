"""The answer of a fill for those who asked for it: its body while it comes in, and what is sent at once.

Owns: `FillSource`; `is_plain` and `at_once`: most of what is stored came whole with its head and is wanted as it is, and
goes out in one pass, without the values that a range or an edit would need. Rule: it is to the byte what `Replying.filled`
makes of the same (tests/test_filled.py).
"""

from __future__ import annotations

from edge.exchange import Reply, Verdict
from edge.fill.body import FillBody, FillReader
from edge.semantics.answer import SPECIAL
from edge.semantics.forwarding import has_ours, via_line
from edge.semantics.message import EMPTY, Line, RequestHead, ResponseHead
from edge.semantics.rules import SiteRules
from edge.wire import render

GET = b"GET"
_WRITTEN_BY_US = frozenset((b"age", b"content-length"))
_WITH_HSTS = _WRITTEN_BY_US | {b"strict-transport-security"}


class FillSource:
    """The body of a fill as a source of spans. length: None = not known yet."""

    __slots__ = ("_body", "length")

    def __init__(self, body: FillBody, length: int | None) -> None:
        self._body = body
        self.length = length

    @property
    def at_hand(self) -> bytes | None:
        """The whole body, when it is here and its length may be said."""
        if self.length is None:
            return None
        return self._body.join() if self._body.ended and self._body.is_whole_in_memory else None

    def stream(self, start: int, stop: int | None) -> FillReader:
        """Bytes [start, stop) as they come."""
        return self._body.reader(start, stop)


def is_plain(head: RequestHead, rules: SiteRules, came: ResponseHead) -> bool:
    """Whether an answer with the head `came` is sent whole and as it came: nothing of it has to be looked at or changed."""
    edit = rules.headers.to_client
    return not (
        edit.remove
        or edit.set
        or edit.add
        or head.method != GET
        or came.status in (204, 304)
        or not SPECIAL.isdisjoint(head.fields.names())
        or has_ours(came.fields)
    )


def at_once(
    node: bytes,
    head: ResponseHead,
    body: bytes,
    member: bytes,
    verdict: Verdict,
    *,
    age: float | None,
    hsts: Line | None,
) -> Reply:
    """The reply that sends `body` as it is behind `head`.

    node: our name. age: None = it is not said. hsts: Strict-Transport-Security, None = none.
    """
    length, ours = (b"Content-Length", b"%d" % len(body)), _WRITTEN_BY_US
    lines: tuple[Line, ...] = (via_line(node, head.minor), (b"Cache-Status", member), length)
    if hsts is not None:
        lines, ours = (*lines[:-1], hsts, length), _WITH_HSTS
    if age is not None:
        lines = ((b"Age", b"%d" % int(age)), *lines)
    start = render.response_start(head.status, head.reason, head.fields.lines, ours, *lines)
    return Reply(head.status, b"", EMPTY, body, len(body), verdict, ready=start)


def member_behind(behind: bytes | None, *, collapsed: bool) -> bytes | None:
    """The owner's member, and that this request did not go there by itself."""
    if behind is None or not collapsed or b";fwd=" not in behind or b";collapsed" in behind:
        return behind
    return behind + b";collapsed"
