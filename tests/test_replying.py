"""What clients get, line for line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.exchange import AT_HAND, Exchange, Verdict
from edge.replying import VIEW_BYTES
from edge.semantics.message import Line
from edge.semantics.reasons import Because
from edge.semantics.rules import HeaderEdit, HeaderRules, SiteRules
from tests.kit.node_bench import WINDOW, NodeBench, exchange, got, node_bench
from tests.kit.scripted_upstream import Coming, Said, fresh
from tests.kit.stores import writing_of

DATE = (b"Date", b"Mon, 23 Nov 2026 23:59:30 GMT")
TAG = (b"ETag", b'"v1"')
MODIFIED = (b"Last-Modified", b"Mon, 23 Nov 2026 00:00:00 GMT")
BODY = b"0123456789"
INSIDE = (
    (b"Surrogate-Key", b"a b"),
    (b"Perigee-Anything", b"1"),
    (b"Surrogate-Control", b'content="ESI/1.0"'),
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    """/a is stored, 30 s old when it came."""
    async with node_bench(tmp_path) as bench:
        await bench.stored(b"/a", DATE, TAG, MODIFIED, (b"Content-Type", b"text/plain"), *INSIDE, body=BODY)
        yield bench


# --- hits ---


async def test_a_hit_has_what_was_stored_and_our_own_three_lines(bench: NodeBench):
    answer = await bench.get()
    assert (answer.status, answer.length, answer.body) == (200, 10, BODY)
    assert sorted(answer.fields) == sorted(
        (
            (b"Cache-Control", b"max-age=60"),
            DATE,
            TAG,
            MODIFIED,
            (b"Content-Type", b"text/plain"),
            (b"Via", b"1.1 edge-1"),
            (b"Age", b"30"),
            (b"Cache-Status", b"edge-1;hit;ttl=30;detail=fresh"),
        )
    )
    assert answer.verdict == Verdict("default", "hit", Because.FRESH)


async def test_age_and_ttl_go_with_the_time(bench: NodeBench):
    bench.clock.advance(9.9)
    answer = await bench.get()
    assert answer.line(b"age") == b"39"
    assert answer.cache == b"edge-1;hit;ttl=21;detail=fresh"
    assert answer.line(b"date") == DATE[1]


@pytest.mark.parametrize("tier", [False, True], ids=["client", "worker"])
async def test_only_our_own_tiers_see_what_is_for_them(bench: NodeBench, tier: bool):
    reply = bench.node.handle(of_tier()) if tier else bench.reply(exchange(b"GET", b"/a"))
    answer = await got(await reply)
    names = set(answer.fields.names())
    inside = {name.lower() for name, _ in INSIDE}
    assert names & inside == (inside if tier else set())
    assert (b"via" in names) is not tier
    assert answer.fields.lines[-1][0] == b"Cache-Status", "a worker takes the last line for ours"


def of_tier() -> Exchange:
    said = ((b"Perigee-Authority", b"http a.example 80"), (b"Perigee-Hops", b"192.0.2.9"))
    return exchange(b"GET", b"/a", *said, peer="", tier=True)


async def test_head_gets_what_get_would_but_the_body(bench: NodeBench):
    answer = await bench.ask(b"HEAD", b"/a")
    assert (answer.status, answer.length, answer.body) == (200, 10, b"")
    assert answer.fields == (await bench.get()).fields


SPECIAL = [
    pytest.param((b"If-None-Match", b'"v1"'), 304, b"", None, id="304 by tag"),
    pytest.param((b"If-Modified-Since", MODIFIED[1]), 304, b"", None, id="304 by date"),
    pytest.param((b"If-None-Match", b'"v2"'), 200, BODY, 10, id="200, another tag"),
    pytest.param((b"Range", b"bytes=2-4"), 206, b"234", 3, id="206"),
    pytest.param((b"Range", b"bytes=-2"), 206, b"89", 2, id="206, suffix"),
    pytest.param((b"Range", b"bytes=20-"), 416, b"", 0, id="416"),
    pytest.param((b"Range", b"lines=1-2"), 200, BODY, 10, id="200, another unit"),
]


@pytest.mark.parametrize(("line", "status", "body", "length"), SPECIAL)
@pytest.mark.parametrize("where", ["memory", "disk"])
async def test_conditionals_and_ranges(
    bench: NodeBench, line: Line, status: int, body: bytes, length: int | None, where: str
):
    if where == "disk":
        await writing_of(bench.store).settled()
        bench.store.memory.remove_key(bench.key())
    answer = await bench.get(b"/a", line)
    assert (answer.status, answer.body, answer.length) == (status, body, length)
    assert answer.cache == b"edge-1;hit;ttl=30;detail=fresh"


async def test_a_304_has_no_length_and_nothing_of_the_content(bench: NodeBench):
    answer = await bench.get(b"/a", (b"If-None-Match", b'"v1"'))
    assert answer.length is None
    assert set(answer.fields.names()) == {
        *(b"cache-control", b"date", b"etag", b"last-modified", b"via", b"age", b"cache-status")
    }


async def test_a_416_says_how_long_it_is_and_may_not_be_stored_by_others(bench: NodeBench):
    answer = await bench.get(b"/a", (b"Range", b"bytes=20-"))
    assert answer.line(b"content-range") == b"bytes */10"
    assert answer.line(b"cache-control") == b"no-store"


@pytest.mark.parametrize("size,is_view", [(VIEW_BYTES - 1, False), (VIEW_BYTES, True)])
async def test_a_large_range_in_memory_is_a_view_of_its_body(bench: NodeBench, size: int, is_view: bool):
    body = bytes(range(256)) * 1024
    bench.origin.says(fresh(body))
    await bench.get(b"/large")
    await bench.settled()
    reply = await bench.reply(exchange(b"GET", b"/large", (b"Range", b"bytes=1-%d" % size)))
    assert isinstance(reply.body, memoryview) == is_view
    assert (reply.status, reply.length, bytes(reply.body)) == (206, size, body[1 : size + 1])  # type: ignore[arg-type]


async def test_several_ranges_are_one_multipart_body(bench: NodeBench):
    answer = await bench.get(b"/a", (b"Range", b"bytes=0-1, 8-"))
    boundary = (answer.line(b"content-type") or b"").partition(b"boundary=")[2]
    part = b"--%b\r\nContent-Type: text/plain\r\nContent-Range: bytes %b/10\r\n\r\n%b\r\n"
    assert answer.status == 206
    assert answer.body == part % (boundary, b"0-1", b"01") + part % (boundary, b"8-9", b"89") + (
        b"--%b--\r\n" % boundary
    )
    assert answer.length == len(answer.body)


async def test_more_ranges_than_the_bound_are_no_ranges(tmp_path: Path):
    async with node_bench(tmp_path, max_ranges=2) as bench:
        await bench.stored(body=BODY)
        assert (await bench.get(b"/a", (b"Range", b"bytes=0-1,3-4"))).status == 206
        assert (await bench.get(b"/a", (b"Range", b"bytes=0-1,3-4,6-7"))).status == 200


@pytest.mark.parametrize(
    "line",
    [
        pytest.param((b"Range", b"bytes=299990-300009"), id="one range over two blocks"),
        pytest.param((b"Range", b"bytes=0-4,-5"), id="two ranges"),
        pytest.param((b"Accept", b"*/*"), id="the whole"),
    ],
)
async def test_a_body_on_disk_is_streamed(tmp_path: Path, line: Line):
    whole = bytes(range(256)) * 2000
    async with node_bench(tmp_path, memory=1024 * 1024) as bench:
        await bench.stored(body=whole)
        await writing_of(bench.store).settled()
        bench.store.memory.remove_key(bench.key())
        reply = await bench.reply(exchange(b"GET", b"/a", line))
        assert not isinstance(reply.body, bytes)
        answer = await got(reply)
        assert len(answer.body) == answer.length
        if line[0] == b"Accept":
            assert answer.body == whole
        elif b"," in line[1]:
            assert whole[:5] in answer.body and whole[-5:] in answer.body
        else:
            assert answer.body == whole[299990:300010]


# --- what is coming in ---


async def test_an_answer_straight_from_the_origin_has_no_age(bench: NodeBench):
    answer = await bench.get(b"/new")
    assert answer.line(b"age") is None
    assert answer.cache == b"edge-1;fwd=uri-miss;fwd-status=200;ttl=60;stored;detail=nothing-stored"
    assert answer.line(b"via") == b"1.1 edge-1"


async def test_one_that_had_an_age_has_what_it_came_to(bench: NodeBench):
    bench.origin.says(fresh(b"x", (b"Age", b"7")))
    assert (await bench.get(b"/new")).line(b"age") == b"7"


async def test_a_range_of_what_is_still_coming_in_is_sent_as_it_comes(bench: NodeBench):
    coming = Coming()
    bench.origin.says(fresh(coming, length=10))
    reply = await bench.reply(exchange(b"GET", b"/new", (b"Range", b"bytes=2-4")))
    assert (reply.status, reply.length) == (206, 3)
    assert reply.fields.get(b"content-range") == b"bytes 2-4/10"
    reading = asyncio.ensure_future(got(reply))
    coming.feed(b"01234")
    assert (await reading).body == b"234", "the rest was not waited for"
    coming.feed(b"56789")
    await bench.settled()
    assert (await bench.get(b"/new")).body == b"0123456789"


async def test_ranges_in_another_order_than_the_bytes_come_in_are_no_ranges(tmp_path: Path):
    """Without a disk the first of them would wait for bytes that nobody reads up to."""
    async with node_bench(tmp_path, disk=False) as bench:
        coming = Coming()
        bench.origin.says(fresh(coming, length=3 * WINDOW))
        late, early = b"%d-%d" % (2 * WINDOW, 2 * WINDOW + 4), b"0-4"
        reply = await bench.reply(exchange(b"GET", b"/new", (b"Range", b"bytes=%b,%b" % (late, early))))
        assert reply.status == 200
        reading = asyncio.ensure_future(got(reply))
        for _ in range(3):
            coming.feed(b"x" * WINDOW)
        coming.reader.end()
        assert len((await reading).body) == 3 * WINDOW


async def test_ranges_in_that_order_are_sent_as_they_come(tmp_path: Path):
    async with node_bench(tmp_path, disk=False) as bench:
        coming = Coming()
        bench.origin.says(fresh(coming, length=3 * WINDOW))
        lines = (b"Range", b"bytes=0-4,%d-%d" % (2 * WINDOW, 2 * WINDOW + 4))
        reply = await bench.reply(exchange(b"GET", b"/new", lines))
        assert reply.status == 206
        reading = asyncio.ensure_future(got(reply))
        for letter in (b"a", b"b", b"c"):
            coming.feed(letter * WINDOW)
        answer = await reading
        assert b"aaaaa\r\n" in answer.body and b"ccccc\r\n" in answer.body
        assert len(answer.body) == reply.length


async def test_of_what_has_no_length_yet_there_is_no_range(bench: NodeBench):
    coming = Coming()
    bench.origin.says(fresh(coming, TAG))
    reply = await bench.reply(exchange(b"GET", b"/new", (b"Range", b"bytes=2-4"), (b"If-Range", b'"v1"')))
    assert (reply.status, reply.length) == (200, None)
    coming.feed(b"abc")
    coming.reader.end()
    assert (await got(reply)).body == b"abc"


async def test_a_304_needs_no_length(bench: NodeBench):
    coming = Coming()
    bench.origin.says(fresh(coming, TAG))
    answer = await bench.get(b"/new", (b"If-None-Match", b'"v1"'))
    assert (answer.status, answer.body, answer.length) == (304, b"", None)


async def test_trailers_come_behind_the_body(bench: NodeBench):
    bench.origin.says(fresh(b"abc", tail=((b"X-Sum", b"9"),), length=None))
    reply = await bench.reply(exchange(b"GET", b"/new"))
    assert reply.length is None
    assert reply.body is not None and not isinstance(reply.body, AT_HAND)
    stream = reply.body
    assert (await got(reply)).body == b"abc"
    assert stream.trailers.lines == ((b"X-Sum", b"9"),)


# --- revalidated, relayed ---


async def test_what_was_vouched_for_says_with_which_status(bench: NodeBench):
    bench.clock.advance(60)
    bench.origin.says(Said(304, ((b"Cache-Control", b"max-age=50"), TAG)))
    answer = await bench.get()
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.cache == b"edge-1;fwd=stale;fwd-status=304;ttl=50;stored;detail=expired"
    assert answer.line(b"age") is None
    assert answer.verdict == Verdict("default", "stale", Because.EXPIRED, stored=True)


RELAYED = [
    pytest.param(b"GET", Said(200, ((b"Cache-Control", b"no-store"),), b"abc"), b"abc", 3, id="small"),
    pytest.param(
        b"GET", Said(200, ((b"Cache-Control", b"no-store"),), b"abc", None), b"abc", 3, id="chunked"
    ),
    pytest.param(b"HEAD", Said(200, (), b"abc"), b"", 3, id="HEAD"),
    pytest.param(b"HEAD", Said(200, (), b"", None), b"", None, id="HEAD of unknown length"),
    pytest.param(b"GET", Said(204, ((b"Cache-Control", b"no-store"),)), b"", None, id="204"),
    pytest.param(b"DELETE", Said(204), b"", None, id="DELETE"),
]


@pytest.mark.parametrize(("method", "said", "body", "length"), RELAYED)
async def test_what_is_passed_on(
    bench: NodeBench, method: bytes, said: Said, body: bytes, length: int | None
):
    bench.origin.says(said)
    answer = await bench.ask(method, b"/new")
    assert (answer.status, answer.body) == (said.status, body)
    assert answer.length == length or said.status == 204
    assert answer.line(b"age") is None
    fwd = {b"GET": b"uri-miss", b"HEAD": b"uri-miss", b"DELETE": b"method"}[method]
    assert answer.cache is not None
    assert answer.cache.startswith(b"edge-1;fwd=%b;fwd-status=%d;detail=" % (fwd, said.status))


async def test_a_foreign_cache_status_stands_before_ours(bench: NodeBench):
    bench.origin.says(fresh(b"x", (b"Cache-Status", b"origin;hit"), (b"Via", b"1.0 origin")))
    for _ in range(2):
        answer = await bench.get(b"/new")
        first, second = answer.fields.all(b"cache-status")
        assert (first, second[:7]) == (b"origin;hit", b"edge-1;")
        assert answer.fields.all(b"via") == (b"1.0 origin", b"1.1 edge-1")


# --- our own errors ---


async def test_a_clients_fault_is_explained_to_it(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(hostnames=(b"b.example",))) as bench:
        answer = await bench.get()
        assert answer.status == 421
        assert answer.body == b"421 Misdirected Request: no site has this host name\n"
        assert answer.line(b"proxy-status") == (
            b'edge-1;error=destination_not_found;details="no site has this host name"'
        )
        assert answer.cache == b"edge-1;detail=error"
        assert answer.line(b"content-type") == b"text/plain; charset=utf-8"
        assert answer.length == len(answer.body)


async def test_a_site_edits_what_clients_see_but_not_the_age(tmp_path: Path):
    edit = HeaderEdit(remove=frozenset((b"age", b"etag")), set=((b"X-Served-By", b"us"),))
    async with node_bench(tmp_path, SiteRules(headers=HeaderRules(to_client=edit))) as bench:
        await bench.stored(b"/a", TAG)
        answer = await bench.get()
        assert (answer.line(b"age"), answer.line(b"etag"), answer.line(b"x-served-by")) == (b"0", None, b"us")
