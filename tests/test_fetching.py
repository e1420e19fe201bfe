"""Leading, following, going alone: what each of many clients gets, and what the next tier is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import UpstreamFault
from edge.exchange import AT_HAND, Reply
from edge.fetching import MAX_ROUNDS
from edge.fill.upstream import HeldBack
from edge.semantics.message import Line, ResponseHead
from edge.semantics.reasons import Because
from edge.semantics.rules import FreshnessRules, OriginRules, ProtectionRules, SiteRules, Timeouts
from tests.kit.node_bench import NodeBench, exchange, got, node_bench
from tests.kit.scripted_upstream import Coming, Said, fresh

REFUSED = UpstreamFault("10.0.0.1:80 refused", proxy_status="connection_refused")
HELD_BACK = HeldBack("it failed too often", Because.ORIGIN_RESTS, 7)
PRIVATE = Said(200, ((b"Cache-Control", b"private"),), b"mine")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    async with node_bench(tmp_path) as bench:
        yield bench


# --- leading and following ---


async def test_a_crowd_on_a_cold_key_is_one_request_and_all_but_the_leader_say_collapsed(bench: NodeBench):
    answers = await bench.crowd(5)
    assert bench.origin.targets == [b"/a"]
    assert {answer.body for answer in answers} == {b"body"}
    leading = [answer for answer in answers if answer.cache and b"collapsed" not in answer.cache]
    assert [answer.cache for answer in leading] == [
        b"edge-1;fwd=uri-miss;fwd-status=200;ttl=60;stored;detail=nothing-stored"
    ]
    assert sum(answer.verdict.collapsed for answer in answers) == 4
    assert bench.counted("perigee_collapsed_requests_total") == {"": 4.0}


async def test_a_site_may_switch_collapsing_off(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(collapse=False)) as bench:
        answers = await bench.crowd(3)
        assert len(bench.origin.requests) == 3
        assert not any(answer.verdict.collapsed for answer in answers)


async def test_a_follower_gets_the_body_while_it_comes_in(bench: NodeBench):
    coming = Coming()
    bench.origin.says(fresh(coming, length=6))
    leader = await bench.reply(exchange(b"GET", b"/a"))
    follower = await bench.reply(exchange(b"GET", b"/a"))
    assert len(bench.origin.requests) == 1
    coming.feed(b"abc")
    assert await first(leader) == await first(follower) == b"abc"
    coming.feed(b"def")
    assert [(await got(reply)).body for reply in (leader, follower)] == [b"def", b"def"]
    await bench.settled()
    assert (await bench.get()).cache == b"edge-1;hit;ttl=60;detail=fresh"


async def first(reply: Reply) -> bytes:
    assert reply.body is not None and not isinstance(reply.body, AT_HAND)
    return await reply.body.read()


async def test_a_body_that_breaks_off_is_told_to_all_and_not_stored(bench: NodeBench):
    coming = Coming()
    bench.origin.says(fresh(coming, length=6))
    replies = [await bench.reply(exchange(b"GET", b"/a")) for _ in range(2)]
    coming.feed(b"abc")
    coming.reader.fail(UpstreamFault("gone", proxy_status="http_response_incomplete"))
    for answer in [await got(reply) for reply in replies]:
        assert answer.body == b"abc"
        assert answer.broke is not None
    assert bench.held() == []


async def test_a_private_answer_is_the_leaders_and_the_followers_ask_for_themselves(bench: NodeBench):
    bench.origin.says(*(replace(PRIVATE, body=b"for %d" % number) for number in range(4)))
    answers = await bench.crowd(4)
    assert sorted(answer.body for answer in answers) == [b"for 0", b"for 1", b"for 2", b"for 3"]
    assert not any(answer.verdict.collapsed for answer in answers)


async def test_what_must_be_validated_each_time_is_not_shared(bench: NodeBench):
    bench.origin.says(fresh(b"new", (b"ETag", b'"1"'), seconds=0))
    answers = await bench.crowd(3)
    assert [answer.body for answer in answers] == [b"new"] * 3
    assert len(bench.origin.requests) == 3


async def test_those_who_want_another_variant_meet_once_the_vary_is_known(bench: NodeBench):
    """The first one's answer says Vary while its body is still coming, so nothing is stored that could tell it."""
    english, german = Coming(), Coming()
    vary = (b"Vary", b"Accept-Language")
    bench.origin.says(fresh(english, vary, length=5), fresh(german, vary, length=5))
    leader = await bench.reply(exchange(b"GET", b"/a", (b"Accept-Language", b"en")))
    others = [asyncio.ensure_future(bench.get(b"/a", (b"Accept-Language", b"de"))) for _ in range(5)]
    await bench.origin.asked(2)
    german.feed(b"hallo")
    english.feed(b"hello")
    assert {answer.body for answer in await asyncio.gather(*others)} == {b"hallo"}
    assert (await got(leader)).body == b"hello"
    assert len(bench.origin.requests) == 2


async def test_one_who_never_gets_what_he_wants_goes_alone_after_some_rounds(bench: NodeBench):
    """Each answer varies by another field, so that no lease ever serves the next one's variant."""
    names = [b"X-%d" % number for number in range(2 * MAX_ROUNDS)]
    bodies = [Coming() for _ in names]
    bench.origin.says(
        *(fresh(body, (b"Vary", name), length=1) for name, body in zip(names, bodies, strict=True))
    )
    replies = []
    for number in range(MAX_ROUNDS + 2):
        mine = tuple((name, b"%d" % number) for name in names)
        replies.append(await bench.reply(exchange(b"GET", b"/a", *mine)))
        assert len(bench.origin.requests) == number + 1
    for body in bodies:
        body.feed(b"!")
    assert [(await got(reply)).body for reply in replies] == [b"!"] * (MAX_ROUNDS + 2)


async def test_a_follower_does_not_wait_longer_for_a_head_than_the_site_allows(tmp_path: Path):
    rules = SiteRules(
        origin=OriginRules(timeouts=Timeouts(connect=0.01, first_byte=0.01)),
        protection=ProtectionRules(queue_deadline=0.01),
    )
    async with node_bench(tmp_path, rules) as bench:
        gate = bench.origin.hold()
        leader = asyncio.ensure_future(bench.get())
        await gate.wait_waiting(1)
        follower = asyncio.ensure_future(bench.get())
        bench.clock.advance(1)
        await gate.wait_waiting(2)
        gate.release()
        assert (await leader).body == (await follower).body == b"body"


# --- failures ---


async def test_a_follower_of_a_failed_fill_tries_once_more(bench: NodeBench):
    bench.origin.says(REFUSED, fresh(b"second"))
    gate = bench.origin.hold()
    leader = asyncio.ensure_future(bench.get())
    await gate.wait_waiting(1)
    follower = asyncio.ensure_future(bench.get())
    gate.release()
    assert (await leader).status == 502
    assert (await follower).body == b"second"


async def test_a_fault_is_told_by_its_type_and_nothing_else(bench: NodeBench):
    bench.origin.says(REFUSED)
    answer = await bench.get()
    assert answer.status == 502
    assert answer.body == b"502 Bad Gateway\n"
    assert answer.line(b"proxy-status") == b"edge-1;error=connection_refused"
    assert answer.cache == b"edge-1;fwd=uri-miss;detail=gateway"
    assert answer.line(b"cache-control") == b"no-store"
    assert answer.verdict.detail == "10.0.0.1:80 refused"


async def test_what_was_held_back_says_why_and_when_to_come_again_and_no_follower_insists(bench: NodeBench):
    bench.origin.says(HELD_BACK)
    gate = bench.origin.hold()
    leader = asyncio.ensure_future(bench.get())
    await gate.wait_waiting(1)
    follower = asyncio.ensure_future(bench.get())
    gate.release()
    for answer in (await leader, await follower):
        assert (answer.status, answer.line(b"retry-after")) == (503, b"7")
        assert answer.line(b"proxy-status") == b"edge-1;error=destination_unavailable"
        assert answer.cache is not None and answer.cache.endswith(b";detail=origin-rests")
    assert [request.is_background for request in bench.origin.requests] == [False]


@pytest.mark.parametrize(
    "said", [REFUSED, Said(503, (), b"down"), HELD_BACK], ids=["no answer", "503", "held back"]
)
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param((b"GET", ()), id="GET"),
        pytest.param((b"HEAD", ()), id="HEAD"),
        pytest.param((b"GET", ((b"Range", b"bytes=0-3"),)), id="Range"),
        pytest.param((b"GET", ((b"Cache-Control", b"no-cache"),)), id="reload"),
    ],
)
async def test_what_is_stale_stands_in_for_an_error(
    bench: NodeBench, said: Said, asked: tuple[bytes, tuple[Line, ...]]
):
    await bench.stored(seconds=10)
    bench.clock.advance(20)
    bench.origin.says(said)
    method, lines = asked
    answer = await bench.ask(method, b"/a", *lines)
    assert answer.status == (206 if lines and lines[0][0] == b"Range" else 200)
    assert answer.body == (b"" if method == b"HEAD" else b"body")
    assert answer.line(b"age") == b"20"
    assert answer.cache is not None and answer.cache.endswith(b";detail=stale-if-error")
    assert answer.verdict.cache == "stale"


@pytest.mark.parametrize("said", [REFUSED, Said(503, (), b"down")], ids=["no answer", "503"])
async def test_also_where_the_key_is_remembered_as_uncacheable_and_a_part_is_wanted(
    bench: NodeBench, said: Said
):
    await bench.stored(seconds=10)
    bench.clock.advance(20)
    bench.room.table.remember_uncacheable(bench.key(), bench.clock.mono() + 30)
    bench.origin.says(said)
    answer = await bench.get(b"/a", (b"Range", b"bytes=0-1"))
    assert (answer.status, answer.body) == (206, b"bo")


async def test_what_is_too_old_for_that_does_not(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(freshness=FreshnessRules(stale_if_error=5.0))) as bench:
        await bench.stored(seconds=10)
        bench.clock.advance(16)
        bench.origin.says(REFUSED)
        assert (await bench.get()).status == 502


async def test_followers_of_a_fill_that_fell_back_share_what_it_fell_back_on(bench: NodeBench):
    await bench.stored(seconds=10)
    bench.clock.advance(20)
    bench.origin.says(Said(503))
    answers = await bench.crowd(3)
    assert [answer.body for answer in answers] == [b"body"] * 3
    assert len(bench.origin.requests) == 1


# --- refreshing ---


SWR = (b"Cache-Control", b"max-age=10, stale-while-revalidate=60")


async def hold_stale(bench: NodeBench) -> None:
    bench.origin.says(Said(200, (SWR, (b"ETag", b'"1"')), b"body"))
    await bench.get()
    await bench.settled()
    bench.origin.requests.clear()
    bench.clock.advance(20)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_a_stale_response_is_served_and_refreshed_once_by_a_get(bench: NodeBench, method: bytes):
    await hold_stale(bench)
    bench.origin.says(Said(304, (SWR, (b"ETag", b'"1"'))))
    gate = bench.origin.hold()
    for _ in range(3):
        answer = await bench.ask(method, b"/a")
        assert answer.cache == b"edge-1;hit;ttl=-10;detail=stale-while-revalidate"
        assert answer.verdict.cache == "stale"
    await gate.wait_waiting(1)
    gate.release()
    await bench.settled()
    (request,) = bench.origin.requests
    assert (request.method, request.fields.get(b"if-none-match")) == (b"GET", b'"1"')
    assert request.is_background
    assert (await bench.get()).cache == b"edge-1;hit;ttl=10;detail=fresh"


@pytest.mark.parametrize("said", [Said(503), REFUSED], ids=["503", "no answer"])
async def test_a_refresh_that_fails_changes_nothing(bench: NodeBench, said: Said):
    await hold_stale(bench)
    bench.origin.says(said)
    await bench.get()
    await bench.settled()
    assert not bench.room.table.is_remembered(bench.key(), bench.clock.mono())
    assert (await bench.get()).body == b"body"


async def test_a_client_that_followed_a_refresh_which_was_held_back_asks_for_itself(tmp_path: Path):
    rules = SiteRules(freshness=FreshnessRules(stale_if_error=0.0))
    async with node_bench(tmp_path, rules) as bench:
        await hold_stale(bench)
        bench.origin.says(HELD_BACK, fresh(b"new"))
        gate = bench.origin.hold()
        await bench.get()
        await gate.wait_waiting(1)
        waiting = asyncio.ensure_future(bench.ask(b"GET", b"/a", (b"Cache-Control", b"no-cache")))
        await gate.wait_waiting(1)
        gate.release()
        assert (await waiting).body == b"new"
        assert [request.is_background for request in bench.origin.requests] == [True, False]


async def test_what_a_tier_asks_for_in_the_background_goes_on_in_the_background(bench: NodeBench):
    lines = ((b"Perigee-Authority", b"http a.example 80"), (b"Perigee-Background", b"1"))
    await bench.node.handle(exchange(b"GET", b"/a", *lines, peer="", tier=True))
    assert [request.is_background for request in bench.origin.requests] == [True]


async def test_a_refresh_goes_on_without_the_client_it_began_with(bench: NodeBench):
    await hold_stale(bench)
    interim: list[ResponseHead] = []
    hint = ResponseHead(103, b"", bench.held()[0].head.fields)
    bench.origin.says(replace(fresh(b"new"), interim=(hint,)))
    await got(await bench.reply(exchange(b"GET", b"/a", interim=interim)))
    await bench.settled()
    assert (await bench.get()).body == b"new"
    assert interim == []
