"""What only the disk has, answered at once: by the same decisions as what memory has, and by the same trust."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.exchange import Reply
from edge.semantics.message import Line, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.rules import CookieRule, SiteRules, StoreRules
from edge.semantics.selectors import Everything, Uri
from tests.kit.node_bench import HERE, NodeBench, exchange, got, node_bench
from tests.kit.stores import writing_of

TAG = (b"ETag", b'"1"')


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[NodeBench]:
    async with node_bench(tmp_path) as bench:
        yield bench


async def on_disk(bench: NodeBench, *lines: Line, seconds: int = 60) -> None:
    """/a is on the disk and nowhere else."""
    await bench.stored(b"/a", *lines, seconds=seconds)
    await forget_memory(bench)


async def forget_memory(bench: NodeBench) -> None:
    await writing_of(bench.store).settled()
    bench.store.memory.remove_key(bench.key(b"/a"))


def at_once(bench: NodeBench, *lines: Line, method: bytes = b"GET") -> Reply | None:
    return bench.node.answer_now(exchange(method, b"/a", *lines))


def reads(bench: NodeBench) -> float:
    return bench.counted("perigee_store_reads_total").get("found", 0)


async def test_it_is_the_answer_that_memory_would_give(bench: NodeBench):
    await bench.stored(b"/a", TAG)
    from_memory = await bench.get(b"/a")
    await forget_memory(bench)
    reply = at_once(bench)
    assert reply is not None
    from_disk = await got(reply)
    assert (from_disk.status, from_disk.fields.lines, from_disk.body) == (
        from_memory.status,
        from_memory.fields.lines,
        from_memory.body,
    )
    assert reads(bench) == 1
    assert at_once(bench) is not None
    assert reads(bench) == 1


async def test_head_conditionals_and_ranges(bench: NodeBench):
    for method, lines, status, body in (
        (b"HEAD", (), 200, b""),
        (b"GET", ((b"If-None-Match", b'"1"'),), 304, b""),
        (b"GET", ((b"Range", b"bytes=1-2"),), 206, b"od"),
    ):
        await on_disk(bench, TAG)
        reply = at_once(bench, *lines, method=method)
        assert reply is not None
        answer = await got(reply)
        assert (answer.status, answer.body) == (status, body)


async def test_what_is_stale_goes_the_long_way(bench: NodeBench):
    await on_disk(bench, TAG, seconds=10)
    bench.clock.advance(11)
    assert at_once(bench) is None
    await bench.get(b"/a")
    assert len(bench.origin.requests) == 1


@pytest.mark.parametrize("item", [Everything(), Uri(HERE, b"/a")])
@pytest.mark.parametrize("soft", [True, False])
async def test_what_was_purged_is_not_used(bench: NodeBench, item: Everything | Uri, soft: bool):
    await on_disk(bench)
    bench.fence.take(PurgeOrder("one", UnixSeconds(bench.clock.now()), (item,), soft=soft))
    assert at_once(bench) is None
    await bench.get(b"/a")
    assert len(bench.origin.requests) == 1


async def test_a_purge_of_something_else_leaves_it(bench: NodeBench):
    await on_disk(bench)
    bench.fence.take(PurgeOrder("one", UnixSeconds(bench.clock.now()), (Uri(HERE, b"/b"),)))
    assert at_once(bench) is not None


async def test_the_disk_is_not_read_for_who_goes_to_the_origin_anyway(tmp_path: Path):
    async with node_bench(tmp_path, SiteRules(store=StoreRules(cookie=CookieRule.BYPASS))) as bench:
        await on_disk(bench)
        assert at_once(bench, (b"Cookie", b"a=1")) is None
        assert reads(bench) == 0
        assert at_once(bench) is not None
