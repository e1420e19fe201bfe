"""One cache made of the two decisions and nothing else: no bodies, no sockets, no store but a list.

What it says of an exchange is what the public suite looks at: did the answer come from the cache, was it validated, did
the origin see an unconditional request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.semantics.decide import decide_fill, decide_head_update, decide_reuse, stale_usable
from edge.semantics.decisions import (
    Forward,
    Freshen,
    Refuse,
    Relay,
    RetryUnconditional,
    Serve,
    ServeStale,
    ServeStaleInstead,
    Store,
)
from edge.semantics.message import Fields, Line, RequestHead, ResponseHead, UnixSeconds
from edge.semantics.reasons import Because
from edge.semantics.rules import SiteRules
from edge.semantics.stored import StoredResponse
from edge.semantics.validation import conditional_fields
from tests.kit.stored_responses import NOW

Origin = Callable[[Fields], ResponseHead | None]
"""Given the conditional fields of the request: the answer, None = it drops the connection."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """word: cached, validated, forwarded, failed or refused. head: what the client got, None for an error of ours."""

    word: str
    because: Because
    head: ResponseHead | None


@dataclass(slots=True)
class SmallCache:
    """now: moves only when the test moves it."""

    rules: SiteRules = field(default_factory=SiteRules)
    now: float = NOW
    held: list[StoredResponse] = field(default_factory=list)
    last: object = None
    """The last decision taken."""

    def ask(self, request: RequestHead, origin: Origin) -> Outcome:
        reuse = self.last = decide_reuse(request, self.held, self.rules, UnixSeconds(self.now))
        if isinstance(reuse, Serve | ServeStale):
            return Outcome("cached", reuse.because, reuse.stored.head)
        if isinstance(reuse, Refuse):
            return Outcome("refused", reuse.because, None)
        return self._forward(request, origin, reuse, reuse.validating)

    def _forward(
        self, request: RequestHead, origin: Origin, forward: Forward, validating: tuple[StoredResponse, ...]
    ) -> Outcome:
        now = UnixSeconds(self.now)
        response = origin(Fields(conditional_fields(validating)))
        if response is None:
            if forward.fallback is not None and stale_usable(forward.fallback, now):
                return Outcome("cached", Because.STALE_IF_ERROR, forward.fallback.head)
            return Outcome("failed", Because.GATEWAY, None)
        if request.method == b"HEAD":
            for old, new in decide_head_update(request, response, self.held, self.rules, now):
                self._replace(old, new)
        fill = self.last = decide_fill(
            request,
            response,
            validating=validating,
            variants_held=len(self.held),
            request_time=now,
            response_time=now,
            rules=self.rules,
            key=b"k" * 32,
            body_id=b"body",
            fallback=forward.fallback,
        )
        match fill:
            case Store(stored, because):
                self.held = [one for one in self.held if one.nominated != stored.nominated] + [stored]
                return Outcome("forwarded", because, response)
            case Freshen(pairs, selected, because):
                for old, new in pairs:
                    self._replace(old, new)
                return Outcome("validated", because, selected.head)
            case ServeStaleInstead(stored, because):
                return Outcome("cached", because, stored.head)
            case RetryUnconditional():
                return self._forward(request, origin, forward, ())
            case Relay(because, forget):
                for gone in forget:
                    self._replace(gone, None)
                return Outcome("forwarded", because, response)

    def _replace(self, old: StoredResponse, new: StoredResponse | None) -> None:
        self.held = [new if one is old else one for one in self.held if one is not old or new is not None]  # type: ignore[misc]


def always(status: int, *lines: Line) -> Origin:
    """An origin that gives this answer, whatever it is asked."""
    return lambda _: ResponseHead(status, b"", Fields(lines))


def validating(status: int, *lines: Line) -> Origin:
    """An origin that answers 304 with these fields to the matching ETag or Last-Modified, else the full response."""
    fields = Fields(lines)

    def answer(conditions: Fields) -> ResponseHead:
        tags = conditions.get(b"if-none-match")
        since = conditions.get(b"if-modified-since")
        same_tag = tags is not None and tags == fields.get(b"etag")
        same_date = since is not None and since == fields.get(b"last-modified")
        return ResponseHead(304 if same_tag or same_date else status, b"", fields)

    return answer


def drops(_: Fields) -> None:
    """An origin that closes the connection without an answer."""
