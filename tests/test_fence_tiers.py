"""The fence between tiers: what is needed goes up, what it is clean up to comes down, what is behind is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import UpstreamFault
from edge.semantics.message import Line
from edge.semantics.selectors import (
    Tag,
    Uri,
)
from tests.kit.fenced import fenced
from tests.kit.log_reader import HISTORY
from tests.kit.node_bench import HERE, Got, NodeBench, exchange, got
from tests.kit.scripted_upstream import fresh

DOWN = UpstreamFault("10.0.0.1:80 refused", proxy_status="connection_refused")

# --- between tiers ---


def asked_by_tier(target: bytes, *lines: Line) -> object:
    return exchange(
        b"GET",
        target,
        (b"Perigee-Authority", b"http a.example 80"),
        (b"Perigee-Hops", b"192.0.2.1"),
        *lines,
        tier=True,
    )


async def tier_gets(bench: NodeBench, target: bytes, need: bytes) -> Got:
    return await got(await bench.node.handle(asked_by_tier(target, (b"Perigee-Need", need))))  # type: ignore[arg-type]


async def test_a_request_to_another_worker_says_what_it_needs_and_the_answer_is_stored_with_its_fence(
    tmp_path: Path,
):
    async with fenced(tmp_path, workers=2, index=1) as (bench, log):
        log.order(Tag("default", b"none"))
        owner = bench.others[0]
        owner.says(fresh(b"body", (b"Perigee-Fence", b"%b:7" % HISTORY), (b"Cache-Status", b"edge-1;hit")))
        assert (await bench.get(b"/a")).body == b"body"
        assert owner.requests[-1].fields.get(b"perigee-need") == b"%b:1" % HISTORY
        (stored,) = bench.held(b"/a")
        assert stored.fence == 7
        assert b"perigee-fence" not in stored.head.fields


@pytest.mark.parametrize("said", [None, b"00000000000000bb:9", b"%b:0" % HISTORY])
async def test_an_answer_that_may_be_older_than_a_purge_is_fetched_from_behind(
    tmp_path: Path, said: bytes | None
):
    async with fenced(tmp_path, workers=2, index=1) as (bench, log):
        log.order(Uri(HERE, b"/a"))
        fence = () if said is None else ((b"Perigee-Fence", said),)
        bench.others[0].says(fresh(b"old", *fence, (b"Cache-Status", b"edge-1;hit")))
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"
        assert bench.counted("perigee_fills_unvouched_total") == {"": 1.0}


async def test_an_older_fence_will_do_where_no_purge_names_the_content(tmp_path: Path):
    async with fenced(tmp_path, workers=2, index=1) as (bench, log):
        log.order(Uri(HERE, b"/b"))
        bench.others[0].says(
            fresh(b"old", (b"Perigee-Fence", b"%b:0" % HISTORY), (b"Cache-Status", b"edge-1;hit"))
        )
        assert (await bench.get(b"/a")).body == b"old"


async def test_a_tier_answers_with_the_position_up_to_which_it_vouches(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        log.order(Uri(HERE, b"/b"))
        answer = await tier_gets(bench, b"/a", b"%b:1" % HISTORY)
        assert (answer.body, answer.line(b"perigee-fence")) == (b"old", b"%b:1" % HISTORY)


async def test_a_tier_that_is_behind_reads_on_before_it_answers(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        log.waiting = [None, log.order_of(Uri(HERE, b"/a"))]
        bench.origin.says(fresh(b"new"))
        answer = await tier_gets(bench, b"/a", b"%b:2" % HISTORY)
        assert log.reached == [2]
        assert (answer.body, answer.line(b"perigee-fence")) == (b"new", b"%b:2" % HISTORY)


async def test_a_tier_that_stays_behind_validates_and_what_it_gets_is_as_clean_as_was_asked(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        await bench.stored(b"/a", body=b"old")
        bench.origin.says(fresh(b"new"))
        answer = await tier_gets(bench, b"/a", b"%b:2" % HISTORY)
        assert (answer.body, answer.line(b"perigee-fence")) == (b"new", b"%b:2" % HISTORY)
        (stored,) = bench.held(b"/a")
        assert stored.fence == 2
        # the order comes, and what was fetched with it in mind is not fetched again
        assert (await tier_gets(bench, b"/a", b"%b:2" % HISTORY)).body == b"new"
        assert len(bench.origin.requests) == 1


async def test_a_tier_of_another_history_gets_what_the_origin_says_and_nothing_is_kept(tmp_path: Path):
    async with fenced(tmp_path) as (bench, _):
        await bench.stored(b"/a", body=b"old")
        bench.origin.says(fresh(b"new"))
        answer = await tier_gets(bench, b"/a", b"00000000000000bb:5")
        assert (answer.body, answer.line(b"perigee-fence")) == (b"new", b"00000000000000bb:5")
        assert bench.held(b"/a")[0].body_length == 3 and (await bench.get(b"/a")).body == b"old"
