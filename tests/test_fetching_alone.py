"""Requests that nobody else is served with: uncacheable keys, invalidations meanwhile, what is passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.errors import ClientFault, UpstreamFault
from edge.semantics.message import Line
from edge.semantics.rules import SiteRules, StoreRules
from tests.kit.node_bench import WINDOW, NodeBench, exchange, got, node_bench
from tests.kit.scripted_upstream import Coming, Said, fresh
from tests.kit.upstreams import Pieces

REFUSED = UpstreamFault("10.0.0.1:80 refused", proxy_status="connection_refused")
PRIVATE = Said(200, ((b"Cache-Control", b"private"),), b"mine")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    async with node_bench(tmp_path) as bench:
        yield bench


# --- uncacheable keys ---


async def test_an_uncacheable_key_is_remembered_and_its_requests_do_not_queue(bench: NodeBench):
    bench.origin.says(PRIVATE)
    await bench.get()
    gate = bench.origin.hold()
    asking = [asyncio.ensure_future(bench.get()) for _ in range(3)]
    await gate.wait_waiting(3)
    gate.release()
    for answer in await asyncio.gather(*asking):
        assert answer.cache == b"edge-1;fwd=uri-miss;fwd-status=200;detail=private"


async def test_a_storable_answer_ends_that(bench: NodeBench):
    bench.origin.says(PRIVATE, fresh())
    await bench.get()
    await bench.get()
    await bench.settled()
    assert (await bench.get()).cache == b"edge-1;hit;ttl=60;detail=fresh"
    assert not bench.room.table.is_remembered(bench.key(), bench.clock.mono())


async def test_time_ends_it_too(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(store=StoreRules(remember_uncacheable=5.0))) as bench:
        bench.origin.says(PRIVATE)
        await bench.get()
        bench.clock.advance(5)
        bench.origin.says(fresh())
        assert len(await bench.crowd(3)) == 3
        assert len(bench.origin.requests) == 2


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(((b"Cache-Control", b"no-store"),), id="no-store"),
        pytest.param(((b"Authorization", b"Basic QQ=="),), id="Authorization"),
    ],
)
async def test_one_clients_own_wish_is_not_remembered_for_the_others(
    bench: NodeBench, lines: tuple[Line, ...]
):
    await bench.get(b"/a", *lines)
    assert bench.held() == []
    bench.origin.requests.clear()
    await bench.crowd(3)
    assert len(bench.origin.requests) == 1


PART = Said(206, ((b"Content-Range", b"bytes 0-1/4"),), b"mi")
UNCHANGED = Said(304, ((b"ETag", b'"1"'),))


async def test_who_wants_a_part_of_what_turns_out_uncacheable_gets_it_from_the_origin(bench: NodeBench):
    bench.origin.says(PRIVATE, PART)
    answer = await bench.get(b"/a", (b"Range", b"bytes=0-1"))
    assert (answer.status, answer.body) == (206, b"mi")
    assert [request.fields.get(b"range") for request in bench.origin.requests] == [None, b"bytes=0-1"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param((b"Range", b"bytes=0-1"), PART, id="Range"),
        pytest.param((b"If-None-Match", b'"1"'), UNCHANGED, id="If-None-Match"),
    ],
)
async def test_what_is_known_as_uncacheable_is_asked_for_as_the_client_did(
    bench: NodeBench, line: tuple[bytes, bytes], said: Said
):
    bench.origin.says(PRIVATE, said)
    await bench.get()
    answer = await bench.get(b"/a", line)
    assert answer.status == said.status
    assert answer.cache == (b"edge-1;fwd=uri-miss;fwd-status=%d;detail=uncacheable-remembered" % said.status)
    assert bench.origin.requests[1].fields.get(line[0].lower()) == line[1]


# --- invalidations while something is under way ---


@pytest.mark.parametrize(
    "lines", [(), ((b"Cache-Control", b"no-cache"),)], ids=["a fill for all", "a fill for one alone"]
)
async def test_an_answer_that_was_asked_for_before_an_invalidation_is_not_stored(
    bench: NodeBench, lines: tuple[Line, ...]
):
    gate = bench.origin.hold()
    asking = asyncio.ensure_future(bench.get(b"/a", *lines))
    await gate.wait_waiting(1)
    await bench.node.invalidate([bench.key()])
    gate.release()
    answer = await asking
    assert answer.body == b"body"
    assert answer.cache is not None and b"invalidated-meanwhile" in answer.cache
    assert b";stored" not in answer.cache
    assert bench.held() == []


async def test_who_asks_after_an_invalidation_does_not_follow_who_asked_before_it(bench: NodeBench):
    bench.origin.says(fresh(b"old"), fresh(b"new"))
    gate = bench.origin.hold()
    before = asyncio.ensure_future(bench.get())
    await gate.wait_waiting(1)
    await bench.node.invalidate([bench.key()])
    after = asyncio.ensure_future(bench.get())
    await gate.wait_waiting(2)
    gate.release()
    assert [answer.body for answer in await asyncio.gather(before, after)] == [b"old", b"new"]
    await bench.settled()
    assert (await bench.get()).body == b"new"


# --- passing on ---


async def test_a_client_that_leaves_ends_what_was_passed_on_for_it_alone(bench: NodeBench):
    gate = bench.origin.hold()
    asking = asyncio.ensure_future(bench.ask(b"POST", b"/a", (b"Content-Length", b"2"), body=Pieces([b"hi"])))
    await gate.wait_waiting(1)
    asking.cancel()
    await bench.settled()
    assert bench.origin.cancelled == 1


async def test_an_answer_that_came_as_its_client_left_is_dropped(bench: NodeBench):
    coming = Coming()
    bench.origin.says(Said(200, (), coming))
    gate = bench.origin.hold()
    asking = asyncio.ensure_future(bench.get(b"/a", (b"If-Match", b'"1"')))
    await gate.wait_waiting(1)
    # Both in one turn of the loop: the fill has its answer, and its client is cancelled before it looks.
    gate.release()
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await bench.settled()
    assert coming.is_dropped or bench.origin.cancelled == 1


async def test_an_upload_that_breaks_off_is_the_clients_fault(bench: NodeBench):
    source = Pieces([b"h", ClientFault("the request body broke off")])
    answer = await bench.ask(b"PUT", b"/a", (b"Content-Length", b"2"), body=source)
    assert answer.status == 400


async def test_a_post_whose_answer_says_so_answers_later_gets(bench: NodeBench):
    bench.origin.says(fresh(b"made", (b"Content-Location", b"/a")))
    posted = await bench.ask(b"POST", b"/a", (b"Content-Length", b"2"), body=Pieces([b"hi"]))
    assert posted.body == b"made"
    assert bench.origin.uploads == [b"hi"]
    await bench.settled()
    assert (await bench.get()).body == b"made"
    assert len(bench.origin.requests) == 1


async def test_a_large_body_that_cannot_be_held_still_reaches_everybody(tmp_path: Path):
    async with node_bench(tmp_path, disk=False) as bench:
        coming = Coming()
        bench.origin.says(fresh(coming, length=3 * WINDOW))
        replies = [await bench.reply(exchange(b"GET", b"/a")) for _ in range(2)]
        asking = [asyncio.ensure_future(got(reply)) for reply in replies]
        for _ in range(3):
            coming.feed(b"x" * WINDOW)
            await asyncio.sleep(0)
        assert [len((await one).body) for one in asking] == [3 * WINDOW, 3 * WINDOW]
        assert bench.held() == []
