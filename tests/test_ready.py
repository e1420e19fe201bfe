"""The ready head of a hit is the head that the long way makes, whatever is stored, asked for and edited."""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from edge.exchange import Reply
from edge.replying import Replying
from edge.semantics.decisions import Serve
from edge.semantics.message import Fields, Line, RequestHead, ResponseHead
from edge.semantics.reasons import Because
from edge.semantics.rules import HeaderEdit, HeaderRules, SiteRules
from edge.semantics.stored import StoredResponse
from edge.semantics.validation import parse_validators
from edge.store.bodies import MemoryBody
from edge.store.memory import Held
from edge.wire import render
from tests.kit.node_bench import HERE
from tests.kit.stored_responses import FRESH, NOW

DATE = (b"Date", b"Mon, 23 Nov 2026 23:59:30 GMT")
TAG = (b"ETag", b'"v1"')
IF_NONE_MATCH = (b"If-None-Match", b'"v1"')
MODIFIED = (b"Last-Modified", b"Mon, 23 Nov 2026 00:00:00 GMT")
INSIDE = ((b"Surrogate-Key", b"a b"), (b"Perigee-Anything", b"1"), (b"Cache-Tag", b"c"))

STORED_LINES = st.lists(
    st.sampled_from(
        (
            DATE,
            TAG,
            MODIFIED,
            *INSIDE,
            (b"cache-control", b"max-age=60"),
            (b"Content-Type", b"text/plain"),
            (b"Content-Digest", b"sha-256=:AA==:"),
            (b"Cache-Status", b"origin;hit"),
            (b"Via", b"1.1 origin"),
            (b"Set-Cookie", b"a=b"),
            (b"X-Empty", b""),
            (b"X-Twice", b"1"),
            (b"x-twice", b"2"),
            (b"Content-Length", b"999"),
        )
    ),
    max_size=8,
)
NAMES = st.sampled_from(
    (b"age", b"cache-status", b"via", b"date", b"x-twice", b"content-length", b"x-new", b"etag")
)
EDITED = st.lists(st.tuples(NAMES, st.just(b"edited")), max_size=2).map(tuple)
EDITS = st.builds(HeaderEdit, remove=st.frozensets(NAMES, max_size=2), set=EDITED, add=EDITED)
ASKED = st.lists(
    st.sampled_from(
        (
            (b"Range", b"bytes=0-1"),
            (b"Range", b"bytes=0-0,2-"),
            (b"Range", b"bytes=50-"),
            (b"If-None-Match", b'"v1"'),
            (b"If-Modified-Since", MODIFIED[1]),
            (b"If-Range", b'"v1"'),
            (b"Accept", b"*/*"),
            (b"Cache-Control", b"max-stale"),
        )
    ),
    max_size=3,
)


@given(
    stored_lines=STORED_LINES,
    edit=EDITS,
    asked=ASKED,
    method=st.sampled_from((b"GET", b"HEAD")),
    status=st.sampled_from((200, 203, 204, 301, 404, 410, 299)),
    reason=st.sampled_from((b"", b"Fine", b"OK")),
    minor=st.sampled_from((0, 1)),
    body=st.binary(max_size=6),
    since=st.floats(0, 200) | st.integers(0, 61),
    steps=st.lists(st.sampled_from((0.0, 1e-9, 0.25, 0.5, 1.0)) | st.floats(0, 3), max_size=4),
    lifetime=st.sampled_from((60.0, 60.5, 1e9)),
    because=st.sampled_from((Because.FRESH, Because.MAX_STALE)),
)
async def test_a_hit_is_the_same_whether_its_head_was_ready_or_not(
    stored_lines: list[Line],
    edit: HeaderEdit,
    asked: list[Line],
    method: bytes,
    status: int,
    reason: bytes,
    minor: int,
    body: bytes,
    since: float,
    steps: list[float],
    lifetime: float,
    because: Because,
):
    body = b"" if status == 204 else body
    head = ResponseHead(status, reason, Fields(stored_lines), minor)
    stored = StoredResponse(
        b"k" * 32, (), head, replace(FRESH, lifetime=lifetime), parse_validators(head, NOW), len(body), b"id"
    )
    rules = SiteRules(headers=HeaderRules(to_client=edit))
    request = RequestHead(method, HERE, b"/a", Fields(asked))
    replying = Replying(b"edge-1", 4)
    held = Held(stored.key, (), stored, body, 0)
    for age in accumulate([since, *steps]):  # the head is made at the first, ready from then on
        serve = Serve(stored, age, because)
        quick = replying.hit(request, rules, serve, held)
        slow = replying.stored(request, rules, serve, MemoryBody(body), tier=False)
        assert sent(quick) == sent(slow)
        assert quick.verdict == slow.verdict
        assert quick.length == slow.length


def sent(reply: Reply) -> tuple[bytes, Counter[bytes], bytes | None]:
    """Status line, field lines and body as edge.server.sending writes them, random boundaries apart."""
    assert reply.body is None or isinstance(reply.body, bytes)
    whole = reply.ready
    if whole is None:
        framing = None if reply.length is None or reply.status in (204, 304) else reply.length
        line = None if framing is None else (b"Content-Length", b"%d" % framing)
        whole = render.response_head(reply.status, reply.reason, reply.fields.lines, line).removesuffix(
            b"\r\n"
        )
    first, *lines = re.sub(rb"perigee-[0-9a-f]{24}", b"boundary", whole).removesuffix(b"\r\n").split(b"\r\n")
    body = reply.body
    return first, Counter(lines), body and re.sub(rb"perigee-[0-9a-f]{24}", b"boundary", body)


def test_a_new_policy_makes_the_head_anew():
    head = ResponseHead(200, b"", Fields((DATE,)))
    stored = StoredResponse(b"k" * 32, (), head, FRESH, parse_validators(head, NOW), 0, b"id")
    request = RequestHead(b"GET", HERE, b"/a", Fields())
    held = Held(stored.key, (), stored, b"", 0)
    replying = Replying(b"edge-1", 4)
    serve = Serve(stored, 1.0, Because.FRESH)
    rules = SiteRules()
    assert b"X-New" not in (replying.hit(request, rules, serve, held).ready or b"")
    rules = replace(rules, headers=HeaderRules(to_client=HeaderEdit(add=((b"X-New", b"1"),))))
    assert b"X-New: 1\r\n" in (replying.hit(request, rules, serve, held).ready or b"")


def occupied(make: Callable[[], object]) -> int:
    """Bytes that what `make` returns occupies."""
    make()
    tracemalloc.start()
    try:
        kept = make()
        return tracemalloc.get_traced_memory()[0] if kept is not None else 0
    finally:
        tracemalloc.stop()


def test_what_is_kept_ready_is_charged_as_what_it_occupies():
    head = ResponseHead(200, b"", Fields((DATE, TAG, MODIFIED, (b"Content-Type", b"text/plain"))))
    stored = StoredResponse(b"k" * 32, (), head, FRESH, parse_validators(head, NOW), 4, b"id")
    plain = RequestHead(b"GET", HERE, b"/a", Fields())
    asking = RequestHead(b"GET", HERE, b"/a", Fields((IF_NONE_MATCH,)))
    charged: list[int] = []
    replying = Replying(b"edge-1", 4, lambda _held, more: charged.append(more))
    rules = SiteRules()
    serve = Serve(stored, 1.0, Because.FRESH)

    def ready(count: int = 100) -> list[Held[StoredResponse]]:
        charged.clear()
        kept = [Held(stored.key, (), stored, b"body", 0) for _ in range(count)]
        for held in kept:
            for _ in range(3):  # charged once
                replying.hit(plain, rules, serve, held)
                replying.hit(asking, rules, serve, held)
        return kept

    bare = occupied(lambda: [Held(stored.key, (), stored, b"body", 0) for _ in range(100)])
    truth = occupied(ready) - bare
    assert 0.85 * truth <= sum(charged) <= 1.15 * truth, (truth, sum(charged))


def test_a_new_policy_is_charged_for_in_place_of_the_old_one():
    head = ResponseHead(200, b"", Fields((DATE,)))
    stored = StoredResponse(b"k" * 32, (), head, FRESH, parse_validators(head, NOW), 0, b"id")
    request = RequestHead(b"GET", HERE, b"/a", Fields())
    held = Held(stored.key, (), stored, b"", 0)
    charged: list[int] = []
    replying = Replying(b"edge-1", 4, lambda _held, more: charged.append(more))
    serve = Serve(stored, 1.0, Because.FRESH)
    replying.hit(request, SiteRules(), serve, held)
    replying.hit(request, SiteRules(), serve, held)
    assert charged == [charged[0], 0]
