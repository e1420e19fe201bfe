"""Whatever the lane answers, the long way answers with the same bytes; what the long way refuses, the lane never answers.

Two nodes with the same sites, the same origin and the same clock hear the same bytes in the same pieces; one of them has a lane.
After each step both have written the same, hold their connection alike, and at the end their logs and counters are the same.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.metrics import flat
from edge.semantics.message import Authority, Line, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.rules import CookieRule, KeyRules, QueryRule, SiteRules, StoreRules
from edge.semantics.selectors import Selector, Uri
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, HttpsRedirect, TlsRules
from edge.settings.sites import SiteTable
from edge.wire.limits import DEFAULT_LIMITS, Limits
from tests.kit.lane_world import PEER, OneSide, one_side
from tests.kit.scripted_upstream import Said

TIGHT = Limits(
    request_head=600, request_line=80, request_fields=9, requests_per_connection=12, write_buffer=4096
)
ASKED = ClientPolicy(ClientAuth.OPTIONAL, "ca.pem")
REQUIRED = ClientPolicy(ClientAuth.REQUIRED, "ca.pem")
DATE = (b"Date", b"Tue, 24 Nov 2026 00:00:00 GMT")

SITES = st.sampled_from(
    (
        (SiteRules(),),
        (SiteRules(name="a", hostnames=(b"a.example",)), SiteRules(name="b", hostnames=(b"*.example",))),
        (SiteRules(key=KeyRules(query=QueryRule.SORTED, cookies=(b"a",))),),
        (SiteRules(key=KeyRules(headers=(b"accept", b"referer"))),),
        (SiteRules(store=StoreRules(cookie=CookieRule.BYPASS)),),
        (SiteRules(store=StoreRules(cookie=CookieRule.STRIP)),),
        (SiteRules(tls=TlsRules(redirect=HttpsRedirect.PERMANENT, hsts=60.0)),),
        (SiteRules(tls=TlsRules(client=ASKED, client_auth=ClientAuth.OPTIONAL, tell=True)),),
        (SiteRules(tls=TlsRules(client=REQUIRED, client_auth=ClientAuth.REQUIRED)),),
    )
)
LINES = st.sampled_from(
    (
        b"Cookie: a=1",
        b"Cookie: a=2; b=3",
        b"cookie: a=1",
        b"Cookie:a=1",
        b"Cookie: a=\x01",
        b"Referer: http://a.example/",
        b"Referer: /b",
        b"User-Agent: one",
        b'User-Agent: two "quoted"',
        b"Accept-Encoding: gzip",
        b"Accept-Encoding: br, gzip;q=0.5",
        b"Accept-Language: de, en;q=0.5",
        b"Accept-Language: en",
        b"Accept: */*",
        b'If-None-Match: "v1"',
        b'If-None-Match: W/"v1"',
        b'If-None-Match: "x", "v1"',
        b'If-None-Match: "v,1"',
        b"If-None-Match: v,1",
        b"If-None-Match: *",
        b"If-Modified-Since: Tue, 24 Nov 2026 00:00:00 GMT",
        b"If-Modified-Since: Mon, 23 Nov 2026 00:00:00 GMT",
        b'If-Match: "v1"',
        b"Range: bytes=0-1",
        b"Cache-Control: no-cache",
        b"Cache-Control: max-age=1",
        b"Cache-Control: max-stale",
        b"Cache-Control: only-if-cached",
        b"Pragma: no-cache",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-For: 198.51.100.7",
        b"X-Original-URL: /other",
        b"CDN-Loop: other",
        b"CDN-Loop: edge-1",
        b"Authorization: Basic x",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Connection: cookie",
        b"Connection: x-forwarded-proto",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"TE: trailers",
        b"Content-Length: 0",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        b"Host: a.example",
        b"Accept : */*",
        b" folded",
        b"no colon",
        b"X: " + b"y" * 500,
    )
)
HOSTS = st.sampled_from(
    (b"Host: a.example",) * 4
    + (b"Host: b.example", b"Host: A.EXAMPLE:80", b"Host: c.test", b"Host: a..b", b"")
)
FIRST = st.sampled_from(
    (b"GET /a HTTP/1.1",) * 6
    + (b"GET /b?x=1&a=2 HTTP/1.1", b"GET /b?a=2&x=1 HTTP/1.1", b"GET /.well-known/acme-challenge/t HTTP/1.1")
    + (b"HEAD /a HTTP/1.1", b"HEAD /a HTTP/1.1")
    + (
        b"GET http://a.example/a HTTP/1.1",
        b"GET /a HTTP/1.0",
        b"GET /a HTTP/1.2",
        b"GET /a HTTP/2.0",
        b"GET /a/../a HTTP/1.1",
        b"GET  /a HTTP/1.1",
        b"GET /a\t HTTP/1.1",
        b"get /a HTTP/1.1",
        b"POST /a HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"PURGE /a HTTP/1.1",
        b"GET /" + b"x" * 80 + b" HTTP/1.1",
        b"\r\nGET /a HTTP/1.1",
        b"",
    )
)


def head_of(first: bytes, host: bytes, lines: Sequence[bytes]) -> bytes:
    shown = [first, *([host] if host else []), *lines]
    return b"".join(line + b"\r\n" for line in shown) + b"\r\n"


HEADS = st.builds(head_of, FIRST, HOSTS, st.lists(LINES, max_size=4))
MUTATED = st.builds(
    lambda head, at, put: head[: at % len(head)] + put + head[at % len(head) + 1 :],
    HEADS,
    st.integers(0, 400),
    st.sampled_from((b"", b"\n", b"\r", b"\0", b" ", b":", b"\x80", b"\r\n", b"\r\n\r\n", b"A")),
)
SAID = st.builds(
    lambda status, lines, body, age: Said(
        status, (DATE, (b"Cache-Control", b"max-age=%d" % age), *lines), body
    ),
    st.sampled_from((200, 200, 200, 404, 204, 301)),
    st.lists(
        st.sampled_from(
            (
                (b"ETag", b'"v1"'),
                (b"ETag", b'W/"v1"'),
                (b"ETag", b'"v,1"'),
                (b"ETag", b"v,1"),
                (b"ETag", b"*"),
                (b"Vary", b"Accept-Encoding"),
                (b"Vary", b"Accept-Language, User-Agent"),
                (b"Vary", b"Cookie"),
                (b"Vary", b"Referer"),
                (b"Vary", b"If-None-Match"),
                (b"Content-Language", b"de"),
                (b"Last-Modified", b"Mon, 23 Nov 2026 00:00:00 GMT"),
                (b"Age", b"3"),
                (b"Cache-Tag", b"t"),
                (b"Cache-Control", b"no-cache"),
                (b"Cache-Control", b"stale-while-revalidate=9"),
            )
        ),
        max_size=3,
        unique_by=lambda line: line[0],
    ),
    st.sampled_from((b"", b"body", b"x" * 3000, b"x" * 6000)),
    st.integers(1, 30),
)


@dataclass(frozen=True)
class Ask:
    """Heads on one connection, cut at `cuts`, again and again: what is to be known is to be seen three times."""

    heads: tuple[bytes, ...]
    cuts: tuple[int, ...]
    times: int

    def pieces(self) -> list[bytes]:
        data = b"".join(self.heads)
        at = sorted({cut % (len(data) + 1) for cut in self.cuts} | {0, len(data)})
        return [data[a:b] for a, b in itertools.pairwise(at) if b > a]


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Order:
    selectors: tuple[Selector, ...]
    soft: bool


ASKS = st.builds(
    Ask,
    st.lists(st.one_of(HEADS, HEADS, HEADS, MUTATED), min_size=1, max_size=2).map(tuple),
    st.lists(st.integers(0, 500), max_size=2).map(tuple),
    st.integers(1, 4),
)
STEPS = st.lists(
    st.one_of(
        ASKS,
        ASKS,
        ASKS,
        SAID,
        st.builds(Wait, st.sampled_from((0.3, 1.0, 5.0, 31.0))),
        st.builds(
            Order,
            st.sampled_from(((Uri(Authority(b"http", b"a.example", 80), b"/a"),),)),
            st.booleans(),
        ),
        SITES,
        st.just(TIGHT),
    ),
    max_size=14,
)


FORMS = st.sampled_from(("combined", "json", "{client} {request} {referer} {user_agent} {cache} {bytes}"))


async def apply(side: OneSide, step: object, turn: int) -> list[bytes]:
    """Do it on one side; what the client gets, answer by answer."""
    match step:
        case Ask(times=times):
            return [await side.hears(*step.pieces()) for _ in range(times)]
        case Said():
            side.bench.origin.says(step)
        case Wait(seconds):
            side.bench.clock.advance(seconds)
            side.listener.tick = side.bench.clock.mono()
        case Order(selectors, soft):
            now = UnixSeconds(side.bench.clock.now())
            side.bench.fence.take(PurgeOrder(f"{turn:032x}", now, selectors, soft=soft, by="test"))
        case Limits():
            side.listener.limits = step
            side.bench.node.lane.bound(step)
        case tuple():
            trusted = (ip_network(PEER),) if turn % 2 else ()
            side.bench.node.apply(SiteTable(step), trusted, 16)
    return []


def state(side: OneSide) -> tuple[object, ...]:
    connection, bucket = side.connection, side.bucket
    return (
        bucket.closed,
        connection._waits,
        connection.deadline,
        connection._requests,
        connection._buffer,
        connection._blank,
        [(held.key, held.visited) for held in side.bench.store.memory],
        connection.sending.written,
    )


def counters(side: OneSide) -> list[object]:
    snapshot = side.bench.measures.registry.snapshot()
    names = ("perigee_requests_total", "perigee_response_body_bytes_total", "perigee_requests_refused_total")
    counts = [cell["counts"] for cell in snapshot["perigee_request_duration_seconds"]["cells"]]
    return [*(dict(flat(snapshot, name)) for name in names), sorted(counts)]


async def both(
    steps: Sequence[object],
    sites: Sequence[SiteRules],
    form: str = "combined",
    *,
    scheme: bytes = b"http",
    is_proxy: bool = False,
) -> int:
    """Run the steps; how many answers came by the lane. is_proxy: the client is one that we believe."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        trusted = (ip_network(PEER),) if is_proxy else ()
        async with (
            one_side(root / "a", sites, trusted=trusted, form=form, scheme=scheme) as with_lane,
            one_side(root / "b", sites, trusted=trusted, form=form, scheme=scheme, lane=False) as without,
        ):
            for turn, step in enumerate(steps):
                got = [await apply(side, step, turn) for side in (with_lane, without)]
                assert got[0] == got[1], (turn, step)
                assert state(with_lane) == state(without), (turn, step)
                if with_lane.bucket.closed:
                    with_lane.connect()
                    without.connect()
            assert counters(with_lane) == counters(without)
            assert without.lane_answers == 0
            answers = with_lane.lane_answers
        logs = [side.log_file.read_bytes() for side in (with_lane, without)]
        assert logs[0] == logs[1]
        return answers


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    with asyncio.Runner() as runner:
        return runner.run(work())


@settings(max_examples=300, deadline=None)
@given(
    sites=SITES,
    steps=STEPS,
    form=FORMS,
    scheme=st.sampled_from((b"http", b"http", b"https")),
    is_proxy=st.booleans(),
)
def test_the_lane_answers_as_the_long_way_does(
    sites: tuple[SiteRules, ...], steps: list[object], form: str, scheme: bytes, is_proxy: bool
):
    run(lambda: both(steps, sites, form, scheme=scheme, is_proxy=is_proxy))


BROWSER: tuple[Line, ...] = ((b"Accept", b"*/*"), (b"Accept-Encoding", b"gzip"), (b"User-Agent", b"x"))


def asked(*more: bytes, first: bytes = b"GET /a HTTP/1.1") -> Ask:
    lines = [b"%b: %b" % line for line in BROWSER]
    return Ask((head_of(first, b"Host: a.example", [*lines, *more]),), (), 4)


FRESH = Said(
    200, (DATE, (b"Cache-Control", b"max-age=30"), (b"ETag", b'"v1"'), (b"Vary", b"Accept-Encoding")), b"body"
)


def test_the_model_is_not_about_nothing():
    steps = [
        FRESH,
        asked(),
        asked(b"Cookie: a=1"),
        asked(b"Cookie: a=2"),
        asked(b"Referer: /x"),
        asked(b'If-None-Match: "v1"'),
        asked(b'If-None-Match: "v2"'),
        asked(first=b"HEAD /a HTTP/1.1"),
        asked(first=b"GET /b?x HTTP/1.1"),
        Wait(5.0),
        asked(),
        Order((Uri(Authority(b"http", b"b.example", 80), b"/a"),), soft=False),
        asked(),
        Order((Uri(Authority(b"http", b"a.example", 80), b"/a"),), soft=False),
        asked(),
    ]
    assert DEFAULT_LIMITS.request_head > 600
    assert run(lambda: both(steps, (SiteRules(),))) >= 34
