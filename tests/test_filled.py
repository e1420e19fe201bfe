"""What goes out at once is to the byte what the long way makes of the same fill."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.exchange import Reply
from edge.fill.body import FillBody
from edge.fill.order import Streaming
from edge.filled import FillSource, at_once, is_plain, member_behind
from edge.guarding import with_hsts
from edge.replying import Replying
from edge.semantics.decisions import Forward
from edge.semantics.message import Fields, Line, RequestHead, ResponseHead
from edge.semantics.reasons import Because, Forwarded
from edge.semantics.rules import HeaderEdit, HeaderRules, SiteRules
from edge.semantics.status import stored_member
from edge.semantics.stored import StoredResponse
from edge.semantics.tls_rules import NO_TLS, TlsRules, hsts_line
from edge.semantics.validation import parse_validators
from edge.values import replace
from edge.wire import render
from tests.kit.stored_responses import HERE, NOW, asking, holding

PLAIN = SiteRules()
HSTS = TlsRules(hsts=60.0)
BY_HAND = SiteRules(headers=HeaderRules(to_client=HeaderEdit(remove=frozenset((b"x-is-never-there",)))))
"""An edit that changes nothing, and takes the long way."""
MISS = Forward(Forwarded.URI_MISS, Because.NOTHING_STORED)
FRESH = holding(status=200).freshness
LINES: tuple[Line, ...] = (
    *((b"Date", b"Tue, 24 Nov 2026 00:00:00 GMT"), (b"Content-Type", b"text/plain"), (b"Age", b"7")),
    *((b"Content-Length", b"4"), (b"content-length", b"4"), (b"Via", b"1.1 other"), (b"ETag", b'"v1"')),
    (b"strict-transport-security", b"max-age=1"),
    *((b"Cache-Status", b"other;hit"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"Vary", b"X")),
)


def found_of(head: ResponseHead, body: bytes = b"body", **changes: Any) -> Streaming:
    kept = ResponseHead(head.status, head.reason, head.fields.without((b"age", b"set-cookie")), head.minor)
    stored = StoredResponse(b"k" * 32, (), kept, FRESH, parse_validators(kept, NOW), len(body), b"id")
    came = FillBody(1 << 20)
    came.add(body)
    came.end()
    return replace(Streaming(stored, head, came, len(body), Because.STORED, kept=True), **changes)


def sent(reply: Reply) -> bytes:
    if reply.ready is not None:
        return reply.ready + b"\r\n"
    length = (b"Content-Length", b"%d" % (reply.length or 0))
    return render.response_head(reply.status, reply.reason, reply.fields.lines, length)


@given(
    lines=st.lists(st.sampled_from(LINES), max_size=8),
    status=st.sampled_from((200, 203, 301, 404, 500, 799)),
    reason=st.sampled_from((b"", b"OK", b"As You Like It")),
    minor=st.sampled_from((0, 1)),
    body=st.sampled_from((b"", b"body")),
    has_age=st.booleans(),
    collapsed=st.booleans(),
    behind=st.sampled_from((None, b"edge-1;hit;ttl=5", b"edge-1;fwd=uri-miss;stored")),
    because=st.sampled_from((Because.STORED, Because.STALE_IF_ERROR)),
    later=st.floats(0.0, 90.0),
    tls=st.sampled_from((NO_TLS, HSTS)),
)
def test_it_is_what_the_long_way_makes(
    lines: list[Line],
    status: int,
    reason: bytes,
    minor: int,
    body: bytes,
    has_age: bool,
    collapsed: bool,
    behind: bytes | None,
    because: Because,
    later: float,
    tls: TlsRules,
):
    found = found_of(
        ResponseHead(status, reason, Fields(lines), minor),
        body,
        has_age=has_age,
        behind=behind,
        because=because,
    )
    replying, now = Replying(b"edge-1", 4), type(NOW)(NOW + later)
    plain, by_hand = SiteRules(tls=tls), SiteRules(tls=tls, headers=BY_HAND.headers)
    quick = replying.filled(asking(), plain, MISS, found, now, collapsed=collapsed, tier=False)
    slow = replying.filled(asking(), by_hand, MISS, found, now, collapsed=collapsed, tier=False)
    slow = with_hsts(slow, HERE, by_hand)
    assert quick.ready is not None
    assert slow.ready is None
    assert sent(quick) == sent(slow)
    assert (quick.status, quick.body, quick.length, quick.verdict) == (
        *(slow.status, slow.body, slow.length, slow.verdict),
    )
    came, age = found.stored.head if collapsed else found.head, FRESH.age(now)
    member = member_behind(behind, collapsed=collapsed) or stored_member(
        b"edge-1", MISS.fwd, status, FRESH.lifetime - int(age), MISS.because, collapsed=collapsed
    )
    said = age if has_age or collapsed else None
    alike = at_once(b"edge-1", came, body, member, slow.verdict, age=said, hsts=hsts_line(tls, HERE))
    assert sent(alike) == sent(quick)


HEAD = ResponseHead(200, b"", Fields(LINES[:2]))


def streaming_in() -> Streaming:
    return replace(found_of(HEAD), body=FillBody(1 << 20))


def with_trailers() -> Streaming:
    body = FillBody(1 << 20)
    body.add(b"body")
    body.end(Fields(((b"X-Sum", b"1"),)))
    return replace(found_of(HEAD), body=body)


@pytest.mark.parametrize(
    ("request_head", "rules", "found"),
    [
        (asking(method=b"HEAD"), PLAIN, found_of(HEAD)),
        (asking((b"Range", b"bytes=0-1")), PLAIN, found_of(HEAD)),
        (asking((b"If-None-Match", b'"v1"')), PLAIN, found_of(HEAD)),
        (asking(), BY_HAND, found_of(HEAD)),
        (asking(), PLAIN, found_of(ResponseHead(204, b"", Fields()), b"")),
        (asking(), PLAIN, found_of(ResponseHead(200, b"", Fields(((b"Surrogate-Key", b"a"),))))),
        (asking(), PLAIN, found_of(ResponseHead(200, b"", Fields(((b"Perigee-Fence", b"a"),))))),
        (asking(), PLAIN, replace(found_of(HEAD), length=None)),
        (asking(), PLAIN, streaming_in()),
        (asking(), PLAIN, with_trailers()),
        (asking(), PLAIN, replace(found_of(HEAD), kept=False)),
    ],
)
def test_what_has_to_be_looked_at_goes_the_long_way(
    request_head: RequestHead, rules: SiteRules, found: Streaming
):
    def filled(head: RequestHead, rules: SiteRules, found: Streaming) -> Reply:
        return Replying(b"edge-1", 4).filled(head, rules, MISS, found, NOW, collapsed=False, tier=False)

    assert filled(request_head, rules, found).ready is None
    quick = filled(asking(), PLAIN, found_of(HEAD))
    assert quick.ready is not None
    assert quick.body == b"body"
    assert is_plain(asking(), PLAIN, HEAD)
    assert request_head.authority == HERE


def test_a_body_is_at_hand_once_it_is_whole_and_its_length_is_known():
    whole = found_of(HEAD).body
    assert FillSource(whole, 4).at_hand == b"body"
    assert FillSource(whole, None).at_hand is None
    assert FillSource(FillBody(1), 4).at_hand is None


@pytest.mark.parametrize(
    ("behind", "collapsed", "said"),
    [
        (None, True, None),
        (b"e;fwd=uri-miss", False, b"e;fwd=uri-miss"),
        (b"e;fwd=uri-miss", True, b"e;fwd=uri-miss;collapsed"),
        (b"e;hit", True, b"e;hit"),
    ],
)
def test_a_follower_says_that_it_did_not_go_by_itself(
    behind: bytes | None, collapsed: bool, said: bytes | None
):
    assert member_behind(behind, collapsed=collapsed) == said
