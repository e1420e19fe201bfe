"""One exchange from its request to its reply: every way in which a node can answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.semantics.message import Fields, Line, ResponseHead
from edge.semantics.rules import CookieRule, KeyRules, QueryRule, SiteRules, StoreRules
from edge.settings.sites import SiteTable
from edge.wire.framing import Length
from tests.kit.disk import body_files, flip
from tests.kit.node_bench import Got, NodeBench, exchange, got, node_bench
from tests.kit.scripted_upstream import Coming, Said, fresh
from tests.kit.stores import writing_of
from tests.kit.upstreams import Pieces

HIT = b"edge-1;hit;ttl=60;detail=fresh"
TAG = (b"ETag", b'"1"')


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    async with node_bench(tmp_path) as bench:
        yield bench


async def only_on_disk(bench: NodeBench, target: bytes = b"/a") -> None:
    await writing_of(bench.store).settled()
    bench.store.memory.remove_key(bench.key(target))


# --- what is refused before anything is looked at ---


async def test_a_host_of_no_site_is_misdirected(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(hostnames=(b"b.example",))) as bench:
        assert (await bench.get()).status == 421
        assert bench.origin.requests == []


async def test_a_request_that_was_here_before_is_a_loop(bench: NodeBench):
    await bench.stored()
    answer = await bench.get(b"/a", (b"CDN-Loop", b"other, edge-1; v=1"))
    assert answer.status == 508
    assert answer.line(b"proxy-status") == b"edge-1;error=proxy_loop_detected"
    assert (await bench.get(b"/a", (b"CDN-Loop", b"other"))).cache == HIT


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(max_request_body=4)) as bench:
        source = Pieces([b"12345"])
        answer = await bench.ask(b"PUT", b"/a", (b"Content-Length", b"5"), body=source)
        assert (answer.status, source.taken) == (413, 0)
        assert (
            await bench.ask(b"PUT", b"/a", (b"Content-Length", b"4"), body=Pieces([b"1234"]))
        ).status == 200


async def test_one_of_unknown_length_is_refused_once_it_is_too_large(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(max_request_body=4)) as bench:
        answer = await bench.ask(
            b"PUT", b"/a", (b"Transfer-Encoding", b"chunked"), body=Pieces([b"123", b"45"])
        )
        assert answer.status == 413
        assert bench.origin.uploads == []


async def test_a_dot_segment_has_no_key(bench: NodeBench):
    answer = await bench.get(b"/a/../b")
    assert answer.status == 400
    assert bench.origin.requests == []


# --- at once, or not ---


NOT_AT_ONCE: list[tuple[bytes, tuple[Line, ...]]] = [
    (b"POST", ()),
    (b"OPTIONS", ()),
    (b"GET", ((b"CDN-Loop", b"other"),)),
    (b"GET", ((b"If-Match", b'"1"'),)),
    (b"GET", ((b"Cache-Control", b"no-cache"),)),
]


@pytest.mark.parametrize(("method", "lines"), NOT_AT_ONCE)
async def test_what_memory_alone_cannot_answer_is_not_answered_at_once(
    bench: NodeBench, method: bytes, lines: tuple[Line, ...]
):
    await bench.stored()
    assert bench.node.answer_now(exchange(method, b"/a", *lines)) is None


async def test_neither_is_what_is_stale_or_elsewhere(bench: NodeBench):
    await bench.stored()
    assert bench.node.answer_now(exchange(b"GET", b"/b")) is None
    assert bench.node.answer_now(exchange(b"GET", b"/a/../a")) is None
    bench.clock.advance(61)
    assert bench.node.answer_now(exchange(b"GET", b"/a")) is None
    bench.node.sites = SiteTable(())
    assert bench.node.answer_now(exchange(b"GET", b"/a")) is None


AT_ONCE: list[tuple[bytes, tuple[Line, ...]]] = [
    (b"GET", ()),
    (b"HEAD", ()),
    (b"GET", ((b"Range", b"bytes=1-2"),)),
    (b"GET", ((b"If-None-Match", b'"1"'),)),
    (b"HEAD", ((b"If-None-Match", b'"1"'),)),
    (b"GET", ((b"Range", b"bytes=9-"),)),
    (b"GET", ((b"Cache-Control", b"max-age=50"),)),
    (b"GET", ((b"Cache-Control", b"only-if-cached"),)),
]


@pytest.mark.parametrize(("method", "lines"), AT_ONCE)
async def test_the_answer_at_once_is_that_of_the_long_way(
    bench: NodeBench, method: bytes, lines: tuple[Line, ...]
):
    await bench.stored(b"/a", TAG)
    reply = bench.node.answer_now(exchange(method, b"/a", *lines))
    assert reply is not None
    at_once, slow = await got(reply), await got(await bench.node.handle(exchange(method, b"/a", *lines)))
    assert sorted(at_once.fields) == sorted(slow.fields)
    assert replace(at_once, fields=slow.fields) == slow


async def test_a_hit_is_all_that_eviction_learns(bench: NodeBench):
    await bench.stored()
    (held,) = bench.store.in_memory(bench.key())
    assert not held.visited
    await bench.get()
    assert held.visited


# --- from the store ---


@pytest.mark.parametrize("size", [10, 5_000, 600_000], ids=["in a row", "in a file", "too large for memory"])
async def test_what_is_only_on_disk_is_served_from_there(bench: NodeBench, size: int):
    await bench.stored(body=b"x" * size)
    await only_on_disk(bench)
    answer = await bench.get()
    assert (answer.cache, answer.length, answer.body) == (HIT, size, b"x" * size)
    assert bench.origin.requests == []


async def test_a_body_that_is_damaged_is_a_miss(bench: NodeBench, tmp_path: Path):
    await bench.stored(body=b"x" * 5_000)
    await only_on_disk(bench)
    (file,) = body_files(tmp_path / "cache")
    flip(file, 1_000)
    bench.origin.says(fresh(b"again"))
    assert (await bench.get()).body == b"again"


@pytest.mark.parametrize("where", ["memory", "disk"])
async def test_a_304_for_what_was_invalidated_meanwhile_is_asked_again(bench: NodeBench, where: str):
    await bench.stored(b"/a", TAG)
    if where == "disk":
        await only_on_disk(bench)
    bench.clock.advance(61)
    bench.origin.says(Said(304, (TAG,)), fresh(b"again", TAG))
    gate = bench.origin.hold()
    asking = asyncio.ensure_future(bench.get())
    await gate.wait_waiting(1)
    await bench.node.invalidate([bench.key()])
    gate.release()
    assert (await asking).body == b"again"
    assert [request.fields.get(b"if-none-match") for request in bench.origin.requests] == [b'"1"', None]


async def test_damage_that_shows_while_a_body_is_sent_cuts_it(bench: NodeBench, tmp_path: Path):
    await bench.stored(body=b"x" * 600_000)
    await only_on_disk(bench)
    (file,) = body_files(tmp_path / "cache")
    flip(file, 550_000)
    answer = await bench.get()
    assert answer.broke is not None
    assert len(answer.body) < 600_000
    bench.origin.says(fresh(b"again"))
    assert (await bench.get()).body == b"again"


async def test_only_if_cached_is_answered_from_the_store_or_not_at_all(bench: NodeBench):
    wish = (b"Cache-Control", b"only-if-cached")
    answer = await bench.get(b"/a", wish)
    assert (answer.status, answer.cache) == (504, b"edge-1;detail=only-if-cached")
    await bench.stored()
    await only_on_disk(bench)
    assert (await bench.get(b"/a", wish)).cache == HIT
    assert bench.origin.requests == []


# --- methods ---


UNSAFE = [b"POST", b"PUT", b"PATCH", b"DELETE", b"PURGE", b"X-ANYTHING"]


@pytest.mark.parametrize("method", UNSAFE)
async def test_an_unsafe_method_passes_and_makes_all_forget(bench: NodeBench, method: bytes):
    await bench.stored()
    await only_on_disk(bench)
    bench.origin.says(Said(200, (), b"done"), fresh(b"new"))
    answer = await bench.ask(method, b"/a")
    assert answer.body == b"done"
    assert (answer.cache or b"").startswith(b"edge-1;fwd=method;fwd-status=200;detail=")
    assert bench.told == [bench.key()]
    assert (await bench.get()).body == b"new"


@pytest.mark.parametrize("method", [b"OPTIONS", b"PROPFIND"])
async def test_a_safe_method_passes_and_changes_nothing(bench: NodeBench, method: bytes):
    await bench.stored()
    assert (await bench.ask(method, b"/a")).status == 200
    assert bench.told == []
    assert (await bench.get()).cache == HIT


@pytest.mark.parametrize("status", [399, 400, 404, 500, 503])
async def test_an_unsafe_method_that_did_not_succeed_changes_nothing(bench: NodeBench, status: int):
    await bench.stored()
    bench.origin.says(Said(status))
    await bench.ask(b"DELETE", b"/a")
    expected = 1 if status < 400 else 0
    assert len(bench.told) == expected
    assert len(bench.held()) == 1 - expected


async def test_what_the_answer_names_of_the_same_origin_is_forgotten_too(bench: NodeBench):
    for target in (b"/a", b"/b", b"/c", b"/d"):
        await bench.stored(target)
    named = ((b"Location", b"/b"), (b"Content-Location", b"http://a.example/c"))
    bench.origin.says(Said(303, named))
    await bench.ask(b"POST", b"/a")
    assert [len(bench.held(target)) for target in (b"/a", b"/b", b"/c", b"/d")] == [0, 0, 0, 1]
    assert sorted(bench.told) == sorted(bench.key(target) for target in (b"/a", b"/b", b"/c"))
    bench.origin.says(Said(201, ((b"Location", b"http://b.example/d"),)))
    await bench.ask(b"POST", b"/a")
    assert len(bench.held(b"/d")) == 1


async def test_the_client_hears_of_it_after_everybody_else(bench: NodeBench):
    """Whoever asks any worker once the answer is here sees the change."""
    heard = asyncio.Event()

    async def slowly(_: object) -> None:
        await heard.wait()

    bench.node._invalidate_elsewhere = slowly  # the worker gives it to the node; here the test does
    asking = asyncio.ensure_future(bench.ask(b"DELETE", b"/a"))
    await bench.origin.asked(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not asking.done()
    heard.set()
    assert (await asking).status == 200


async def test_a_request_body_passes_as_it_comes(bench: NodeBench):
    bench.origin.says(Said(201))
    answer = await bench.ask(b"PUT", b"/a", (b"Content-Length", b"5"), body=Pieces([b"12", b"345"]))
    assert answer.status == 201
    (request,) = bench.origin.requests
    assert request.framing == Length(5)
    assert bench.origin.uploads == [b"12345"]


# --- head ---


HEADS = [
    pytest.param(Said(200, ((b"Cache-Control", b"max-age=90"), TAG), length=4), 90.0, id="freshens"),
    pytest.param(Said(200, ((b"ETag", b'"2"'),), length=4), 0.0, id="another tag: stale"),
    pytest.param(Said(200, (TAG,), length=9), 0.0, id="another length: stale"),
    pytest.param(Said(200, ((b"Cache-Control", b"no-store"),)), None, id="no-store: dropped"),
    pytest.param(Said(404), 60.0, id="404: nothing"),
]


@pytest.mark.parametrize(("said", "lifetime"), HEADS)
async def test_the_answer_to_head_tells_of_what_is_stored(
    bench: NodeBench, said: Said, lifetime: float | None
):
    await bench.stored(b"/a", TAG)
    bench.origin.says(said)
    answer = await bench.ask(b"HEAD", b"/a", (b"Cache-Control", b"no-cache"))
    assert (answer.status, answer.body) == (said.status, b"")
    assert [stored.freshness.lifetime for stored in bench.held()] == ([] if lifetime is None else [lifetime])


async def test_head_of_what_is_not_stored_stores_nothing(bench: NodeBench):
    answer = await bench.ask(b"HEAD", b"/a")
    assert answer.cache == b"edge-1;fwd=uri-miss;fwd-status=200;detail=nothing-stored"
    assert [request.method for request in bench.origin.requests] == [b"HEAD"]
    assert bench.held() == []


# --- what goes to the origin whatever is stored ---


@pytest.mark.parametrize("name", [b"If-Match", b"If-Unmodified-Since"])
async def test_a_precondition_is_for_the_origin_to_judge(bench: NodeBench, name: bytes):
    await bench.stored(b"/a", TAG)
    bench.origin.says(Said(412))
    answer = await bench.get(b"/a", (name, b'"1"'))
    assert (answer.status, answer.cache) == (412, b"edge-1;fwd=request;fwd-status=412;detail=precondition")
    assert bench.origin.requests[0].fields.get(name.lower()) == b'"1"'
    assert len(bench.held()) == 1


async def test_a_site_may_have_cookies_bypass_the_store(tmp_path: Path):
    rules = SiteRules(store=StoreRules(cookie=CookieRule.BYPASS), key=KeyRules(cookies=(b"lang",)))
    async with node_bench(tmp_path, rules) as bench:
        await bench.stored(b"/a", (b"Vary", b"Accept"))
        answer = await bench.get(b"/a", (b"Cookie", b"id=1"))
        assert answer.cache == b"edge-1;fwd=bypass;fwd-status=200;detail=cookie"
        assert bench.origin.requests[0].fields.get(b"cookie") == b"id=1"
        await bench.get(b"/b", (b"Cookie", b"lang=de"))
        assert (await bench.get(b"/b", (b"Cookie", b"lang=de"))).cache == HIT


async def test_an_upgrade_is_passed_on_and_becomes_a_tunnel(bench: NodeBench):
    tunnel = _Tunnel()
    bench.origin.says(Said(101, tunnel=tunnel))  # type: ignore[arg-type]  # it has what a tunnel has
    asked = exchange(b"GET", b"/a", (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    reply = await bench.reply(asked)
    assert (reply.status, reply.body, reply.length) == (101, None, None)
    assert reply.tunnel is not None
    assert bench.origin.requests[0].upgrade == b"websocket"
    reply.discard()
    assert tunnel.closed


class _Tunnel:
    closed = False

    def close(self) -> None:
        self.closed = True


async def test_an_upgrade_that_is_refused_is_answered_as_it_was(bench: NodeBench):
    await bench.stored()
    bench.origin.says(Said(403, (), b"no"))
    answer = await bench.ask(b"GET", b"/a", (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    assert (answer.status, answer.body) == (403, b"no")
    assert answer.cache == b"edge-1;fwd=bypass;fwd-status=403;detail=upgrade"


# --- what the origin sees ---


async def test_what_is_not_in_the_key_is_not_visible_to_the_origin(tmp_path: Path):
    rules = SiteRules(key=KeyRules(query=QueryRule.ALLOW, query_names=frozenset((b"id",))))
    async with node_bench(tmp_path, rules) as bench:
        await bench.get(
            b"/a?utm=1&id=2",
            (b"X-Forwarded-Host", b"evil.example"),
            (b"X-Original-URL", b"/admin"),
            (b"Perigee-Authority", b"https evil.example 443"),
            (b"Perigee-Forget", bench.key().hex().encode()),
        )
        (request,) = bench.origin.requests
        assert request.target == b"/a?id=2"
        assert request.host == b"a.example"
        assert request.fields.all(b"x-forwarded-host") == (b"a.example",)
        assert not {b"x-original-url", b"perigee-authority", b"perigee-forget"} & set(request.fields.names())


async def test_interim_responses_are_for_who_caused_the_fill(bench: NodeBench):
    hint = ResponseHead(103, b"", Fields(((b"Link", b"</a.css>"),)))
    bench.origin.says(replace(fresh(), interim=(hint,)))
    gate = bench.origin.hold()
    leaders: list[ResponseHead] = []
    followers: list[ResponseHead] = []
    leading = asyncio.ensure_future(bench.reply(exchange(b"GET", b"/a", interim=leaders)))
    await gate.wait_waiting(1)
    following = asyncio.ensure_future(bench.reply(exchange(b"GET", b"/a", interim=followers)))
    gate.release()
    answers: list[Got] = [await got(reply) for reply in await asyncio.gather(leading, following)]
    assert [answer.status for answer in answers] == [200, 200]
    assert (leaders, followers) == ([hint], [])


async def test_an_exchange_keeps_the_rules_it_began_with(bench: NodeBench):
    coming = Coming()
    bench.origin.says(fresh(coming, length=4))
    reply = await bench.reply(exchange(b"GET", b"/a"))
    bench.node.apply(SiteTable(()), (), 1)
    coming.feed(b"body")
    assert (await got(reply)).body == b"body"
    assert (await bench.get()).status == 421
