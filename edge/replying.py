"""From what the node decided to what the client gets.

Owns: `Replying`: the answer's head and body spans (edge.semantics.answer), our member of Cache-Status, Via, the
site's edits, and the verdict for log and metrics. One method for each way in which a request can be answered. What
is the same for every hit of a stored response is rendered once and kept beside it (`Held.ready`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus

from edge.errors import ClientFault, EdgeError
from edge.exchange import BodyStream, Reply, Verdict
from edge.fill.order import NOT_TO_BE_STORED, STALE, FromStore, Private, Streaming
from edge.fill.upstream import HeldBack
from edge.filled import FillSource, at_once, is_plain, member_behind
from edge.ready import Ready, ReadyHead
from edge.semantics.answer import build_answer, not_modified
from edge.semantics.decisions import Answer, Forward, Serve, ServeStale
from edge.semantics.forwarding import response_to_client, via_line
from edge.semantics.message import EMPTY, Fields, Line, RequestHead, UnixSeconds
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.rules import SiteRules
from edge.semantics.status import (
    append_cache_status,
    cache_status_member,
    hit_member,
    proxy_status,
    stored_member,
)
from edge.semantics.stored import StoredResponse
from edge.semantics.tls_rules import hsts_line
from edge.semantics.validation import CONDITIONALS, Precondition, evaluate_preconditions
from edge.store.bodies import MemoryBody, StoredBody
from edge.store.memory import Held
from edge.streams import JoinedStream
from edge.values import replace
from edge.wire import render

_CONDITIONALS = frozenset((b"if-none-match", b"if-modified-since"))
_PARTS = (CONDITIONALS - _CONDITIONALS) | {b"range"}
_LENGTH = frozenset((b"content-length",))
_TEXT: Line = (b"Content-Type", b"text/plain; charset=utf-8")
NO_STORE: Line = (b"Cache-Control", b"no-store")
_ALLOW = b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
GET = b"GET"


def error_reply(node: bytes, fault: EdgeError, verdict: Verdict, member: bytes, *extra: Line) -> Reply:
    """A short text, `Proxy-Status` with the type of the fault, `Cache-Status` with our `member`, and `extra` lines.

    The detail is shown only where the fault is the client's: he never learns an origin's address.
    """
    shown = fault.detail if isinstance(fault, ClientFault) else None
    phrase = _PHRASES.get(fault.status, "Error")
    text = f"{fault.status} {phrase}\n" if shown is None else f"{fault.status} {phrase}: {shown}\n"
    body = text.encode()
    status = proxy_status(node, fault.proxy_status.encode(), None if shown is None else shown.encode())
    lines = (_TEXT, NO_STORE, (b"Cache-Status", member), (b"Proxy-Status", status), *extra)
    return Reply(fault.status, phrase.encode(), Fields(lines), body, len(body), verdict)


def redirect_reply(status: int, location: bytes, verdict: Verdict, *lines: Line) -> Reply:
    """Where the client is to go, also as a short text, and `lines` on who may keep that."""
    phrase = HTTPStatus(status).phrase.encode()
    body = b"%d %b: %b\n" % (status, phrase, location)
    fields = Fields(((b"Location", location), _TEXT, *lines))
    return Reply(status, phrase, fields, body, len(body), verdict)


Source = StoredBody | FillSource


VIEW_BYTES = 64 * 1024
"""A range of this size in memory goes out without being copied; a smaller one is copied more quickly."""


class Replying:
    """Replies of one node. name: as in Cache-Status and Via. `max_ranges` may be replaced at any time.

    charge: told how many bytes more are kept beside a stored response in memory.
    """

    def __init__(
        self,
        name: bytes,
        max_ranges: int,
        charge: Callable[[Held[StoredResponse], int], object] = lambda _held, _more: None,
    ) -> None:
        self._name = name
        self.max_ranges = max_ranges
        self._charge = charge

    # -- from the store --

    def hit(self, head: RequestHead, rules: SiteRules, serve: Serve, held: Held[StoredResponse]) -> Reply:
        """A fresh response in memory, or the 304 that it gives. The heads are ready but for their Age and ttl."""
        stored, body, names = serve.stored, held.body, head.fields.names()
        if serve.because is not Because.FRESH or not _PARTS.isdisjoint(names):
            return self.stored(head, rules, serve, MemoryBody(body), tier=False)
        ready: Ready | None = held.ready
        if ready is None or ready.rules is not rules:
            former = 0 if ready is None else ready.size
            verdict = Verdict(rules.name, "hit", Because.FRESH)
            made = self._ready_head(stored, head, rules, len(body), verdict)
            ready = held.ready = Ready(rules, stored, made)
            self._charge(held, ready.size - former)
        lifetime, verdict = stored.freshness.lifetime, ready.head.verdict
        if (
            not _CONDITIONALS.isdisjoint(names)
            and evaluate_preconditions(head, stored) is Precondition.NOT_MODIFIED
        ):
            if ready.unchanged is None:
                bare = replace(stored, head=not_modified(stored.head))
                ready.unchanged = self._ready_head(bare, head, rules, 0, verdict)
                ready.size += ready.unchanged.size
                self._charge(held, ready.unchanged.size)
            unchanged = ready.unchanged.at(serve.age, lifetime, self._name)
            return Reply(304, b"", EMPTY, None, None, verdict, ready=unchanged)
        whole = ready.head.at(serve.age, lifetime, self._name)
        sent = body if head.method == GET else None
        return Reply(stored.head.status, b"", EMPTY, sent, len(body), verdict, ready=whole)

    def _ready_head(
        self, stored: StoredResponse, request: RequestHead, rules: SiteRules, length: int, verdict: Verdict
    ) -> ReadyHead:
        # The same for all who ask for it: the scheme is in the key.
        head = stored.head
        fields = response_to_client(head.fields, rules, via=via_line(self._name, head.minor))
        sts = hsts_line(rules.tls, request.authority)
        fields = fields if sts is None else fields.with_set(*sts)
        said = ((b"Content-Length", b"%d" % length),) if head.status not in (204, 304) else ()
        start = render.response_start(head.status, head.reason, fields.lines, _LENGTH, *said)
        return ReadyHead(start, head.status, verdict)

    def stored(
        self,
        head: RequestHead,
        rules: SiteRules,
        reuse: Serve | ServeStale,
        source: StoredBody,
        *,
        tier: bool,
    ) -> Reply:
        """From memory or disk, fresh or stale."""
        word = "hit" if reuse.because is Because.FRESH else "stale"
        return self._stored(head, rules, reuse, source, self._hit_member(reuse), word, tier=tier)

    def _hit_member(self, reuse: Serve | ServeStale) -> bytes:
        return hit_member(self._name, reuse.stored.freshness.lifetime - int(reuse.age), reuse.because)

    def _stored(
        self,
        head: RequestHead,
        rules: SiteRules,
        reuse: Serve | ServeStale,
        source: Source,
        member: bytes,
        word: str,
        *,
        tier: bool,
    ) -> Reply:
        answer = build_answer(head, reuse.stored, reuse.age, _boundary(head), self.max_ranges, for_tier=tier)
        return self._reply(answer, source, member, rules, Verdict(rules.name, word, reuse.because), tier=tier)

    # -- from a fill --

    def filled(
        self,
        head: RequestHead,
        rules: SiteRules,
        forward: Forward,
        found: Streaming,
        now: UnixSeconds,
        *,
        collapsed: bool,
        tier: bool,
    ) -> Reply:
        """A storable answer, while its body may still be coming in."""
        stored = found.stored
        # Trailers come behind a chunked body only; the length may then not be said.
        length = None if found.body.trailers.lines and head.method == GET else found.length
        source = FillSource(found.body, length)
        age = stored.freshness.age(now)
        member = self._filled_member(forward, found, age, collapsed=collapsed)
        because = found.because if found.because is Because.STALE_IF_ERROR else forward.because
        verdict = Verdict(rules.name, forward.fwd.value, because, stored=found.kept, collapsed=collapsed)
        says_age = found.has_age or collapsed
        # Who caused the fill gets the head as it came, with what the store may not keep.
        came = stored.head if collapsed else found.head
        if not tier and found.kept and is_plain(head, rules, came) and (body := source.at_hand) is not None:
            hsts = hsts_line(rules.tls, head.authority)
            said = age if says_age else None
            return at_once(self._name, came, body, member, verdict, age=said, hsts=hsts)
        if length is None:
            # No range and no length of a body whose end is not known.
            head = _without_range(head)
        if not collapsed:
            came = replace(came, fields=came.fields.without((b"age",)))
        stored = replace(stored, head=came, body_length=length or 0)
        answer = build_answer(head, stored, age, _boundary(head), self.max_ranges, for_tier=tier)
        if answer.spans and list(answer.spans) != sorted(answer.spans) and source.at_hand is None:
            # Ranges in another order than the bytes come in: the fill would wait for the later reader of the earlier
            # bytes, and that one for the fill. RFC 9110 s14.2 allows to ignore them.
            answer = build_answer(_without_range(head), stored, age, b"", self.max_ranges, for_tier=tier)
        if not says_age:
            answer = _without_age(answer)
        return self._reply(answer, source, member, rules, verdict, tier=tier)

    def _filled_member(self, forward: Forward, found: Streaming, age: float, *, collapsed: bool) -> bytes:
        behind = member_behind(found.behind, collapsed=collapsed)
        if behind:
            return behind
        ttl, status = found.stored.freshness.lifetime - int(age), found.stored.head.status
        if found.kept:
            return stored_member(self._name, forward.fwd, status, ttl, forward.because, collapsed=collapsed)
        return cache_status_member(
            self._name, fwd=forward.fwd, fwd_status=status, ttl=ttl, collapsed=collapsed, detail=found.because
        )

    def revalidated(
        self,
        head: RequestHead,
        rules: SiteRules,
        forward: Forward,
        found: FromStore,
        source: StoredBody,
        now: UnixSeconds,
        *,
        collapsed: bool,
        tier: bool,
    ) -> Reply:
        """A stored response that the next tier vouched for (304), or that stands in for an error."""
        freshness = found.stored.freshness
        age = freshness.age(now)
        is_stale = found.because is Because.STALE_IF_ERROR
        member = member_behind(found.behind, collapsed=collapsed) or cache_status_member(
            self._name,
            fwd=forward.fwd,
            fwd_status=found.status or None,
            ttl=freshness.lifetime - int(age),
            stored=not is_stale,
            collapsed=collapsed,
            detail=found.because if is_stale else forward.because,
        )
        answer = build_answer(head, found.stored, age, _boundary(head), self.max_ranges, for_tier=tier)
        if not (found.has_age or collapsed or is_stale):
            answer = _without_age(answer)
        word = "stale" if is_stale else forward.fwd.value
        because = found.because if is_stale else forward.because
        verdict = Verdict(rules.name, word, because, stored=not is_stale, collapsed=collapsed)
        return self._reply(answer, source, member, rules, verdict, tier=tier)

    def relayed(
        self, head: RequestHead, rules: SiteRules, fwd: Forwarded, found: Private, *, tier: bool
    ) -> Reply:
        """An answer for this client alone, as it came."""
        response, fetched = found.head, found.fetched
        member = found.behind or cache_status_member(
            self._name, fwd=fwd, fwd_status=response.status, detail=found.because
        )
        declared = response.fields.get(b"content-length")
        length = int(declared) if declared is not None else None
        # Trailers come behind a chunked body only.
        small = None if fetched.body.trailers.lines else fetched.body.small
        body: bytes | BodyStream | None = fetched.body if small is None else small
        if small is not None and length is None and head.method != b"HEAD":
            length = len(small)
        if head.method == b"HEAD" or response.status in (204, 304):
            body = None
        fields = self._outgoing(response.fields, rules, member, response.minor, tier=tier)
        if tier:
            # What is not to be stored here is not to be stored by the worker that asked: its head does not show why.
            fields = Fields(((NOT_TO_BE_STORED, found.because.value.encode()), *fields.lines))
        verdict = Verdict(rules.name, fwd.value, found.because)
        reply = Reply(response.status, response.reason, fields, body, length, verdict)
        if fetched.tunnel is not None:
            reply.tunnel, reply.body, reply.length = fetched.tunnel, None, None
        return reply

    # -- our own --

    def ended_here(self, rules: SiteRules) -> Reply:
        """OPTIONS with Max-Forwards: 0 asks the edge itself (RFC 9110 s7.6.2, s9.3.7)."""
        member = cache_status_member(self._name, detail=Because.METHOD_NOT_CACHED)
        fields = Fields(((b"Allow", _ALLOW), (b"Cache-Status", member)))
        return Reply(204, b"", fields, None, None, Verdict(rules.name, "-", Because.METHOD_NOT_CACHED))

    def error(self, fault: EdgeError, verdict: Verdict, fwd: Forwarded | None = None) -> Reply:
        """An error of ours.

        A client learns the type of the fault; its detail only where the fault is the client's.
        """
        member = cache_status_member(self._name, fwd=fwd, detail=verdict.because or b"error")
        later = ((b"Retry-After", b"%d" % fault.retry_after),) if isinstance(fault, HeldBack) else ()
        return error_reply(self._name, fault, verdict, member, *later)

    # -- what all have in common --

    def _outgoing(self, fields: Fields, rules: SiteRules, member: bytes, minor: int, *, tier: bool) -> Fields:
        via = None if tier else via_line(self._name, minor)
        return append_cache_status(response_to_client(fields, rules, via=via, tier=tier), member)

    def _reply(
        self, answer: Answer, source: Source, member: bytes, rules: SiteRules, verdict: Verdict, *, tier: bool
    ) -> Reply:
        head = answer.head
        fields = self._outgoing(head.fields, rules, member, head.minor, tier=tier)
        if tier and verdict.because is Because.STALE_IF_ERROR:
            fields = fields.with_added((STALE, b"1"))
        length: int | None = answer.length
        body: bytes | memoryview | BodyStream | None
        if answer.spans is None:
            body = source.at_hand
            length = source.length if body is None else len(body)
            if body is None:
                body = source.stream(0, source.length)  # type: ignore[arg-type]  # only a fill has no length
        elif not answer.spans:
            body = b"" if head.status in (412, 416) else None
            if head.status == 304 or (source.length is None and not isinstance(body, bytes)):
                length = None
        else:
            body = _spans(answer, source)
        return Reply(head.status, head.reason, fields, body, length, verdict)


def _without_range(head: RequestHead) -> RequestHead:
    return replace(head, fields=head.fields.without((b"range", b"if-range")))


def _without_age(answer: Answer) -> Answer:
    """Age would say that the origin did not make or validate this for this request (RFC 9111 s5.1)."""
    return replace(answer, head=replace(answer.head, fields=answer.head.fields.without((b"age",))))


def _spans(answer: Answer, source: Source) -> bytes | memoryview | BodyStream:
    """The spans of a 206, with what stands between them."""
    spans, whole = answer.spans, source.at_hand
    assert spans, answer
    preambles = answer.preambles or (b"",) * len(spans)
    if whole is not None:
        view = memoryview(whole)
        (start, stop), *others = spans
        if not (others or answer.preambles):
            return view[start:stop] if stop - start >= VIEW_BYTES else whole[start:stop]
        parts: list[bytes | memoryview] = []
        for preamble, (start, stop) in zip(preambles, spans, strict=True):
            parts += (preamble, view[start:stop])
        return b"".join((*parts, answer.closing))
    streams = [source.stream(start, stop) for start, stop in spans]
    if len(streams) == 1 and not answer.preambles:
        return streams[0]
    return JoinedStream(preambles, streams, answer.closing)


def _boundary(head: RequestHead) -> bytes:
    """For several ranges; b"" where none is asked for, since chance costs a system call."""
    return b"perigee-%b" % secrets.token_hex(12).encode() if b"range" in head.fields.names() else b""


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
