"""The fence in a node: what is stored is used as far as it is vouched for, what is fetched is stamped, tiers agree."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.errors import UpstreamFault
from edge.semantics.message import Authority, Line, UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.purge_table import PurgeTable
from edge.semantics.reasons import Because
from edge.semantics.rules import FreshnessRules, KeyRules, OnLogLoss, PurgeRules, QueryRule, SiteRules
from edge.semantics.selectors import (
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
)
from edge.settings.sites import SiteTable, purged_keys
from tests.kit.clock import ManualClock
from tests.kit.fenced import fenced
from tests.kit.node_bench import HERE, NodeBench, node_bench
from tests.kit.scripted_upstream import Said, fresh

DOWN = UpstreamFault("10.0.0.1:80 refused", proxy_status="connection_refused")
TAGGED: tuple[Line, ...] = (
    (b"Surrogate-Key", b"news front"),
    (b"Cache-Groups", b'"shop"'),
    (b"Vary", b"X-Flavour"),
    (b"ETag", b'"1"'),
)
URI = Uri(HERE, b"/news/a")


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ((URI,), True),
        ((Uri(Authority(b"https", b"a.example", 443), b"/news/a"),), True),
        ((Uri(Authority(b"http", b"a.example", 8080), b"/news/a"),), False),
        ((Uri(HERE, b"/news/a?x"),), False),
        ((Variant(URI, ((b"x-flavour", b"sweet"),)),), True),
        ((Variant(URI, ((b"x-flavour", b"sour"),)),), False),
        ((Tag("default", b"news"),), True),
        ((Tag("default", b"shop"),), True),  # a cache group is a tag, too
        ((Tag("default", b"new"),), False),
        ((Tag("other", b"news"),), False),
        ((Group(HERE, b"shop"),), True),
        ((Group(HERE, b"news"),), False),
        ((Prefix(b"a.example", b"/news"),), True),
        ((Prefix(b"a.example", b"/news/"),), True),
        ((Prefix(b"a.example", b"/new"),), False),
        ((Prefix(b"b.example", b"/news"),), False),
        ((Host(b"a.example"),), True),
        ((Host(b"example"),), False),
        ((Site("default"),), True),
        ((Site("other"),), False),
        ((Everything(),), True),
        ((Tag("default", b"none"), Host(b"none"), URI), True),
    ],
)
@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_what_a_purge_names_is_fetched_again_and_nothing_else(
    tmp_path: Path, items: tuple[Selector, ...], names: bool, is_in_memory: bool
):
    async with fenced(tmp_path) as (bench, log):
        bench.origin.says(fresh(b"old", *TAGGED))
        await bench.get(b"/news/a", (b"X-Flavour", b"sweet"))
        await bench.settled()
        if not is_in_memory:
            bench.store.memory.remove_key(bench.key(b"/news/a"))
        log.order(*items)
        bench.origin.says(fresh(b"new", *TAGGED))
        answer = await bench.get(b"/news/a", (b"X-Flavour", b"sweet"))
        assert answer.body == (b"new" if names else b"old"), answer.cache
        if names:
            assert answer.cache is not None and answer.cache.endswith(b";stored;detail=purged"), answer.cache
            assert b"if-none-match" not in bench.origin.requests[-1].fields  # gone, not stale
        # and what was fetched then is clean
        asked = len(bench.origin.requests)
        assert (await bench.get(b"/news/a", (b"X-Flavour", b"sweet"))).body == answer.body
        assert len(bench.origin.requests) == asked


async def test_a_hit_that_was_vouched_for_is_not_looked_at_again_until_the_next_order(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a")
        log.order(Tag("default", b"none"))
        (held,) = bench.store.in_memory(bench.key(b"/a"))
        assert held.clean < log.table.latest
        await bench.get(b"/a")
        assert held.clean == log.table.applied


# --- soft ---


async def test_a_soft_purge_makes_it_stale_and_a_304_makes_it_clean_again(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", (b"ETag", b'"1"'), body=b"old")
        log.order(Uri(HERE, b"/a"), soft=True)
        bench.origin.says(Said(304, ((b"ETag", b'"1"'), (b"Cache-Control", b"max-age=60"))))
        answer = await bench.get(b"/a")
        assert answer.body == b"old"
        assert answer.cache == b"edge-1;fwd=stale;fwd-status=304;ttl=60;stored;detail=soft-purged"
        assert bench.origin.requests[-1].fields.get(b"if-none-match") == b'"1"'
        assert (await bench.get(b"/a")).cache == b"edge-1;hit;ttl=60;detail=fresh"


async def test_a_soft_purged_response_is_served_while_it_is_revalidated_as_long_as_the_site_allows(
    tmp_path: Path,
):
    rules = SiteRules(freshness=FreshnessRules(stale_while_revalidate=10.0))
    async with fenced(tmp_path, rules) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        log.order(Uri(HERE, b"/a"), soft=True)
        bench.clock.advance(5.0)
        bench.origin.says(fresh(b"new"))
        answer = await bench.get(b"/a")
        assert answer.body == b"old" and answer.verdict.cache == "stale"
        await bench.settled()
        assert (await bench.get(b"/a")).body == b"new"


async def test_that_window_begins_with_the_purge(tmp_path: Path):
    rules = SiteRules(freshness=FreshnessRules(stale_while_revalidate=10.0))
    async with fenced(tmp_path, rules) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        log.order(Uri(HERE, b"/a"), soft=True)
        bench.clock.advance(11.0)
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"


async def test_a_soft_purge_counts_at_once_also_when_the_clock_of_who_took_it_is_ahead(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        order = PurgeOrder("one", UnixSeconds(bench.clock.now() + 30.0), (Uri(HERE, b"/a"),), soft=True)
        log.table.apply(order, log.table.applied + 1)
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"


async def test_a_soft_purged_response_stands_in_for_an_error_and_a_hard_purged_one_never(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        await bench.stored(b"/b", body=b"old")
        log.order(Uri(HERE, b"/a"), soft=True)
        log.order(Uri(HERE, b"/b"))
        bench.origin.says(DOWN)
        assert (await bench.get(b"/a")).body == b"old"
        assert (await bench.get(b"/b")).status == 502


# --- fills ---


async def test_who_comes_after_a_purge_does_not_get_what_was_asked_for_before_it(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        gate = bench.origin.hold()
        bench.origin.says(fresh(b"old"), fresh(b"new"))
        before = asyncio.ensure_future(bench.get(b"/a"))
        await gate.wait_waiting(1)
        log.order(Uri(HERE, b"/a"))
        after = asyncio.ensure_future(bench.get(b"/a"))
        await gate.wait_waiting(2)
        gate.release()
        assert [(await before).body, (await after).body] == [b"old", b"new"]
        assert (await bench.get(b"/a")).body == b"new"


async def test_who_waits_for_a_fill_of_unknown_tags_looks_at_them_when_they_come(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        gate = bench.origin.hold()
        bench.origin.says(fresh(b"old", (b"Cache-Tag", b"t")), fresh(b"new", (b"Cache-Tag", b"t")))
        before = asyncio.ensure_future(bench.get(b"/a"))
        await gate.wait_waiting(1)
        log.order(Tag("default", b"t"))
        after = asyncio.ensure_future(bench.get(b"/a"))
        await bench_waits(bench, 1)
        assert len(bench.origin.requests) == 1  # a purge of some tag does not end collapsing
        gate.release()
        assert [(await before).body, (await after).body] == [b"old", b"new"]


async def test_a_purge_of_something_else_ends_no_collapsing(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        gate = bench.origin.hold()
        before = asyncio.ensure_future(bench.get(b"/a"))
        await gate.wait_waiting(1)
        log.order(Uri(HERE, b"/b"), Prefix(b"a.example", b"/b"), Tag("default", b"none"), Host(b"b.example"))
        after = asyncio.ensure_future(bench.get(b"/a"))
        await bench_waits(bench, 1)
        gate.release()
        assert [(await before).body, (await after).body] == [b"body", b"body"]
        assert len(bench.origin.requests) == 1


async def bench_waits(bench: NodeBench, count: int) -> None:
    """Until so many requests follow another's fill: whoever was started gets there without waiting for anything else."""
    for _ in range(100):
        await asyncio.sleep(0)
    assert bench.counted("perigee_fills_followed") == {"": float(count)}


async def test_what_was_asked_for_before_a_purge_is_stored_as_old(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        gate = bench.origin.hold()
        bench.origin.says(fresh(b"old"), fresh(b"new"))
        before = asyncio.ensure_future(bench.get(b"/a"))
        await gate.wait_waiting(1)
        log.order(Uri(HERE, b"/a"))
        gate.release()
        assert (await before).body == b"old"
        assert (await bench.get(b"/a")).body == b"new"


async def test_a_304_to_a_question_asked_before_a_purge_does_not_make_it_clean(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", (b"ETag", b'"1"'), body=b"old")
        bench.clock.advance(61.0)
        gate = bench.origin.hold()
        bench.origin.says(Said(304, ((b"ETag", b'"1"'), (b"Cache-Control", b"max-age=60"))), fresh(b"new"))
        before = asyncio.ensure_future(bench.get(b"/a"))
        await gate.wait_waiting(1)
        log.order(Uri(HERE, b"/a"))
        gate.release()
        assert (await before).body == b"old"
        assert (await bench.get(b"/a")).body == b"new"


# --- a silent log ---


@pytest.mark.parametrize("policy", list(OnLogLoss))
@pytest.mark.parametrize("is_origin_there", [True, False])
async def test_when_the_log_is_silent_the_site_says_what_counts(
    tmp_path: Path, policy: OnLogLoss, is_origin_there: bool
):
    rules = SiteRules(purge=PurgeRules(policy, 15.0))
    async with fenced(tmp_path, rules) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        bench.clock.advance(14.9)
        assert (await bench.get(b"/a")).cache == b"edge-1;hit;ttl=46;detail=fresh"
        bench.clock.advance(0.2)
        bench.origin.says(fresh(b"new") if is_origin_there else DOWN)
        answer = await bench.get(b"/a")
        if policy is OnLogLoss.SERVE:
            assert (answer.body, answer.cache) == (b"old", b"edge-1;hit;ttl=45;detail=purge-log-lost")
        elif is_origin_there:
            assert answer.body == b"new"
            assert answer.cache == b"edge-1;fwd=stale;fwd-status=200;ttl=60;stored;detail=purge-log-lost"
        elif policy is OnLogLoss.REVALIDATE:
            assert answer.body == b"old"
        else:
            assert answer.status == 502
        # and it counts again as soon as the log is heard
        log.proven_at = bench.clock.mono()
        if is_origin_there or policy is not OnLogLoss.REFUSE:
            assert b";hit;" in ((await bench.get(b"/a")).cache or b"")


async def test_a_log_that_is_not_the_one_that_was_read_is_a_silent_one(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", body=b"old")
        log.suspended = True
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"


async def test_what_lies_below_the_floor_is_validated(tmp_path: Path):
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", (b"ETag", b'"1"'), body=b"old")
        log.table.begin(100)
        bench.origin.says(Said(304, ((b"ETag", b'"1"'), (b"Cache-Control", b"max-age=60"))))
        answer = await bench.get(b"/a")
        assert (answer.body, answer.verdict.because.value if answer.verdict.because else "") == (
            b"old",
            "purge-unknown",
        )
        assert b";hit;" in ((await bench.get(b"/a")).cache or b"")


async def test_what_lies_below_the_floor_stands_in_for_nothing(tmp_path: Path):
    """A purge that named it may have been retired since."""
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", (b"ETag", b'"1"'), body=b"old")
        log.order(Uri(HERE, b"/a"))
        log.table.retire(bench.clock.now() + 1.0)
        bench.origin.says(DOWN)
        assert (await bench.get(b"/a")).status == 502


async def test_what_was_stored_for_a_site_of_another_name_is_validated(tmp_path: Path):
    """Tags and sites are purged by the site's name, so under another name nobody can vouch for it."""
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a", (b"ETag", b'"1"'), body=b"old")
        bench.node.apply(SiteTable((SiteRules(name="renamed"),)), (), 16)
        bench.origin.says(Said(304, ((b"ETag", b'"1"'), (b"Cache-Control", b"max-age=60"))))
        answer = await bench.get(b"/a")
        assert (answer.body, answer.verdict.because) == (b"old", Because.PURGE_UNKNOWN)
        assert b";hit;" in ((await bench.get(b"/a")).cache or b"")
        log.order(Site("renamed"))
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"


async def test_a_purge_under_other_rules_for_keys_holds_when_the_old_rules_come_back(tmp_path: Path):
    """While they were others, the URL had another key, and what is stored under the old one was found clean."""
    async with fenced(tmp_path) as (bench, log):
        await bench.stored(b"/a?x", body=b"old")
        (held,) = bench.store.in_memory(bench.key(b"/a?x"))
        log.table.keys_of = lambda uri: purged_keys(uri, bench.node.sites)
        bench.node.apply(SiteTable((SiteRules(key=KeyRules(query=QueryRule.NONE)),)), (), 16)
        log.order(Uri(HERE, b"/a?x"))
        held.clean = bench.fence.judged(held.value, held.clean, bench.node.sites) or 0  # as the sweep does
        bench.node.apply(SiteTable((bench.rules,)), (), 16)
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a?x")).body == b"new"


def test_a_table_without_a_log_never_doubts():
    from edge.fence import Fence

    fence = Fence(PurgeTable(lambda _uri: ()), ManualClock())
    assert fence.lost(PurgeRules()) is None
    assert fence.token(5) is None and fence.position(None) == 0


async def test_a_host_that_was_another_sites_for_a_while_has_all_it_stored_validated(tmp_path: Path):
    """Purges by tag and site that came meanwhile went by the other name."""
    shop = SiteRules(name="shop", hostnames=(b"a.example",))
    canary = SiteRules(name="canary", hostnames=(b"a.example",))
    async with fenced(tmp_path, shop) as (bench, log):
        await bench.stored(b"/a", (b"Cache-Tag", b"t"), body=b"old")
        bench.node.apply(SiteTable((canary,)), (), 16)
        log.order(Tag("canary", b"t"))
        bench.node.apply(SiteTable((shop,)), (), 16)
        bench.origin.says(fresh(b"new"))
        assert (await bench.get(b"/a")).body == b"new"
        assert b";hit;" in ((await bench.get(b"/a")).cache or b"")


# --- groups that an origin invalidates (RFC 9875) ---


@pytest.mark.parametrize(
    ("method", "status", "said", "groups"),
    [
        (b"POST", 200, b'"shop", "cart"', [b"shop", b"cart"]),
        (b"DELETE", 303, b'"shop"', [b"shop"]),
        (b"POST", 500, b'"shop"', []),
        (b"POST", 404, b'"shop"', []),
        (b"GET", 200, b'"shop"', []),  # s3: on an answer to a safe method it is ignored
        (b"POST", 200, b"shop", []),  # tokens are no strings
        (b"POST", 200, b'"shop", ', []),
    ],
)
async def test_an_unsafe_request_invalidates_the_groups_that_its_answer_names(
    tmp_path: Path, method: bytes, status: int, said: bytes, groups: list[bytes]
):
    async with node_bench(tmp_path) as bench:
        bench.origin.says(Said(status, ((b"Cache-Group-Invalidation", said),)))
        await bench.ask(method, b"/cart")
        assert bench.groups == [Group(HERE, group) for group in groups]
