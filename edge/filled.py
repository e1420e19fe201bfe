"""The answer of a fill for those who asked for it: its body while it comes in, and what is sent at once.

Owns: `FillSource`; `at_once` and `plain_body`: most of what is stored came whole with its head and is wanted as it is, and
goes out in one pass, without the values that a range or an edit would need. Rule: it is to the byte what `Replying.filled`
makes of the same (tests/test_filled.py).
"""

from __future__ import annotations

from edge.exchange import Reply, Verdict
from edge.fill.body import FillBody, FillReader
from edge.fill.order import Streaming
from edge.semantics.decisions import Forward
from edge.semantics.forwarding import has_ours, via_line
from edge.semantics.message import EMPTY, Line, RequestHead, UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import SiteRules
from edge.semantics.status import stored_member
from edge.semantics.validation import CONDITIONALS
from edge.wire import render

_SPECIAL = CONDITIONALS | {b"range"}
GET = b"GET"
_WRITTEN_BY_US = frozenset((b"age", b"content-length"))


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


def plain_body(head: RequestHead, rules: SiteRules, found: Streaming) -> bytes | None:
    """The body of an answer that is sent whole and as it came; None where anything has to be looked at or changed."""
    edit, body = rules.headers.to_client, found.body
    if (
        edit.remove
        or edit.set
        or edit.add
        or not body.ended
        or not body.is_whole_in_memory
        or body.trailers.lines
        or found.length is None
        or head.method != GET
        or found.head.status in (204, 304)
        or not _SPECIAL.isdisjoint(head.fields.names())
        or has_ours(found.head.fields)
    ):
        return None
    return body.join()


def at_once(
    node: bytes,
    rules: SiteRules,
    forward: Forward,
    found: Streaming,
    body: bytes,
    now: UnixSeconds,
    *,
    collapsed: bool,
) -> Reply:
    """The reply that sends `body`, which `plain_body` gave. node: our name."""
    stored = found.stored
    # Who caused the fill gets the head as it came, with what the store may not keep.
    head, age = stored.head if collapsed else found.head, stored.freshness.age(now)
    is_stand_in = found.because is Because.STALE_IF_ERROR
    member = member_behind(found.behind, collapsed=collapsed) or stored_member(
        node,
        forward.fwd,
        head.status,
        stored.freshness.lifetime - int(age),
        forward.because,
        collapsed=collapsed,
    )
    lines: tuple[Line, ...] = (
        via_line(node, head.minor),
        (b"Cache-Status", member),
        (b"Content-Length", b"%d" % len(body)),
    )
    if found.has_age or collapsed:
        lines = ((b"Age", b"%d" % int(age)), *lines)
    start = render.response_start(head.status, head.reason, head.fields.lines, _WRITTEN_BY_US, *lines)
    because = found.because if is_stand_in else forward.because
    verdict = Verdict(rules.name, forward.fwd.value, because, stored=True, collapsed=collapsed)
    return Reply(head.status, b"", EMPTY, body, len(body), verdict, ready=start)


def member_behind(behind: bytes | None, *, collapsed: bool) -> bytes | None:
    """The owner's member, and that this request did not go there by itself."""
    if behind is None or not collapsed or b";fwd=" not in behind or b";collapsed" in behind:
        return behind
    return behind + b";collapsed"
