"""One fill: exactly one outcome, what it found is told once, and nothing is stored that must not be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import ClientFault, UpstreamFault
from edge.fill.order import Failed, FromStore, Private, Streaming
from edge.fill.table import Lease, Outcome
from edge.semantics.message import Line, ResponseHead
from edge.semantics.reasons import Because
from edge.semantics.rules import OriginRules, SiteRules
from edge.wire.framing import UNTIL_CLOSE
from tests.kit.fills import (
    ETAG,
    KEY,
    PRIVATE,
    REFUSED,
    RESET,
    WINDOW,
    Bench,
    benched,
    rest_of,
)
from tests.kit.scripted_upstream import Coming, Said, ScriptedUpstream, fresh
from tests.kit.stored_responses import asking
from tests.kit.stores import response, writing_of


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with benched() as bench:
        yield bench


# -- what is found --


async def test_a_storable_answer_is_stored_and_read_by_whoever_asks(bench: Bench):
    fill, lease = await bench.led(fresh(b"body"))
    found = fill.found.result()
    assert isinstance(found, Streaming)
    assert (found.kept, found.length, found.because) == (True, 4, Because.STORED)
    assert await rest_of(found.body.reader()) == b"body"
    assert lease.outcome is Outcome.COMPLETE
    assert bench.held() == [found.stored]
    assert bench.table.under_way == 0


async def test_an_empty_body_is_stored_too(bench: Bench):
    fill, _ = await bench.led(fresh(b""))
    found = fill.found.result()
    assert isinstance(found, Streaming)
    assert await rest_of(found.body.reader()) == b""
    assert [stored.body_length for stored in bench.held()] == [0]


async def test_an_answer_for_one_client_is_told_as_such_and_the_key_is_remembered(bench: Bench):
    fill, lease = await bench.led(PRIVATE)
    assert isinstance(fill.found.result(), Private)
    assert lease.outcome is Outcome.UNCACHEABLE
    assert bench.held() == []
    assert bench.table.is_remembered(KEY, bench.clock.mono())
    bench.clock.advance(bench.rules.store.remember_uncacheable)
    assert not bench.table.is_remembered(KEY, bench.clock.mono())


async def test_a_storable_answer_makes_the_key_collapse_again(bench: Bench):
    bench.table.remember_uncacheable(KEY, bench.clock.mono() + 60)
    bench.upstream.says(fresh())
    bench.start(bench.table.lead_alone(KEY, fence=0))
    await bench.ended()
    assert not bench.table.is_remembered(KEY, bench.clock.mono())


@pytest.mark.parametrize("request_line", [(b"Authorization", b"x"), (b"Cache-Control", b"no-store")])
async def test_what_is_not_stored_because_of_who_asked_says_nothing_of_the_key(
    request_line: Line, bench: Bench
):
    fill, _ = await bench.led(fresh(), request=asking(request_line))
    assert isinstance(fill.found.result(), Private)
    assert not bench.table.is_remembered(KEY, bench.clock.mono())


async def test_a_fault_is_found_and_the_lease_is_free_again(bench: Bench):
    fill, lease = await bench.led(RESET)
    found = fill.found.result()
    assert isinstance(found, Failed)
    assert found.error is RESET
    assert lease.outcome is Outcome.FAILED
    assert isinstance(bench.lease(), Lease)


async def test_a_304_freshens_what_is_stored(bench: Bench):
    old = bench.storing(b"body", ETAG)
    fill, lease = await bench.led(Said(304, ((b"Cache-Control", b"max-age=99"), ETAG)), validating=(old,))
    found = fill.found.result()
    assert isinstance(found, FromStore)
    assert found.stored.freshness.lifetime == 99.0
    assert bench.held() == [found.stored]
    assert lease.outcome is Outcome.COMPLETE
    assert bench.upstream.requests[0].fields.get(b"if-none-match") == b'"v1"'


async def test_a_304_that_names_nothing_we_have_is_asked_for_again_in_full(bench: Bench):
    old = bench.storing(b"body", (b"Last-Modified", b"Tue, 24 Nov 2026 06:00:00 GMT"))
    other = (b"Last-Modified", b"Tue, 24 Nov 2026 05:00:00 GMT")
    fill, _ = await bench.led(Said(304, (other,)), fresh(b"new"), validating=(old,))
    found = fill.found.result()
    assert isinstance(found, Streaming)
    assert await rest_of(found.body.reader()) == b"new"
    assert [b"if-modified-since" in request.fields for request in bench.upstream.requests] == [True, False]


async def test_a_304_to_what_was_asked_in_full_is_a_fault(bench: Bench):
    fill, lease = await bench.led(Said(304))
    assert isinstance(fill.found.result(), Failed)
    assert lease.outcome is Outcome.FAILED
    assert len(bench.upstream.requests) == 1


async def test_an_error_beside_a_usable_stale_one_is_that_stale_one(bench: Bench):
    old, _ = response(1)
    old = replace(old, freshness=replace(old.freshness, stale_if_error=1e9))
    fill, lease = await bench.led(Said(503), fallback=old)
    found = fill.found.result()
    assert isinstance(found, FromStore)
    assert (found.stored, found.because, found.status) == (old, Because.STALE_IF_ERROR, 503)
    assert lease.outcome is Outcome.COMPLETE


async def test_what_a_full_answer_replaces_without_being_storable_is_forgotten(bench: Bench):
    old = bench.storing(b"body", ETAG)
    fill, _ = await bench.led(PRIVATE, validating=(old,))
    assert isinstance(fill.found.result(), Private)
    assert bench.held() == []


async def test_a_body_ended_by_the_connection_is_not_stored_unless_the_site_says_so():
    for store_it in (False, True):
        async with benched(rules=SiteRules(origin=OriginRules(store_close_delimited=store_it))) as bench:
            fill, _ = await bench.led(fresh(b"body", framing=UNTIL_CLOSE))
            assert isinstance(fill.found.result(), Streaming if store_it else Private)
            assert len(bench.held()) == store_it


# -- invalidation --


async def test_what_was_invalidated_while_it_was_fetched_is_served_and_not_stored(bench: Bench):
    gate = bench.upstream.hold()
    bench.upstream.says(fresh())
    fill = bench.start(bench.lease())
    await bench.upstream.asked(1)
    bench.table.taint(KEY)
    gate.release()
    found = await fill.found
    assert isinstance(found, Streaming)
    assert (found.kept, found.because) == (False, Because.INVALIDATED_MEANWHILE)
    assert await rest_of(found.body.reader()) == b"body"
    assert bench.held() == []


@pytest.mark.parametrize("size", [6, 30 * WINDOW])
async def test_what_was_invalidated_while_its_body_came_is_not_stored(size: int, tmp_path: Path):
    async with benched(tmp_path) as bench:
        coming = Coming()
        bench.upstream.says(fresh(coming, length=size))
        found = await bench.start(bench.lease()).found
        assert isinstance(found, Streaming)
        coming.feed(bytes(size - 1))
        reader = found.body.reader()
        await reader.read()
        bench.table.taint(KEY)
        bench.store.forget(KEY)
        coming.feed(b"x")
        coming.reader.end()
        await rest_of(reader)
        await bench.ended()
        await writing_of(bench.store).settled()
        assert reader.offset == size
        assert await bench.store.load(KEY) == []


async def test_a_304_to_what_was_invalidated_meanwhile_freshens_nothing(bench: Bench):
    old = bench.storing(b"body", ETAG)
    gate = bench.upstream.hold()
    bench.upstream.says(Said(304, (ETAG,)))
    bench.start(bench.lease(), validating=(old,))
    await bench.upstream.asked(1)
    bench.table.taint(KEY)
    bench.store.forget(KEY)
    gate.release()
    await bench.ended()
    assert bench.held() == []


async def test_a_fill_without_a_lease_of_its_own_is_invalidated_like_any_other(bench: Bench):
    """A POST whose answer may be stored, say."""
    gate = bench.upstream.hold()
    bench.upstream.says(fresh())
    bench.start(None)
    await bench.upstream.asked(1)
    bench.table.taint(KEY)
    gate.release()
    await bench.ended()
    assert bench.held() == []
    assert not bench.table._running


# -- passing on --


async def test_what_is_passed_on_is_told_its_head_first_and_decided_by_nobody(bench: Bench):
    heads: list[ResponseHead] = []

    async def on_head(head: ResponseHead, by_worker: bool) -> None:
        heads.append(head)
        assert not fill.found.done()

    bench.upstream.says(fresh())
    fill = bench.start(None, relay=Because.METHOD_NOT_CACHED, on_head=on_head)
    found = await fill.found
    assert isinstance(found, Private)
    assert found.because is Because.METHOD_NOT_CACHED
    assert [head.status for head in heads] == [200]
    assert bench.held() == []


async def test_a_route_that_could_send_nothing_is_followed_by_the_next_one(bench: Bench):
    down = ScriptedUpstream(bench.clock, REFUSED)
    bench.upstream.says(fresh())
    fill = bench.start(bench.lease(), routes=(bench.route(down, is_worker=True), bench.route()))
    assert isinstance(await fill.found, Streaming)
    assert len(down.requests) == len(bench.upstream.requests) == 1


async def test_a_route_that_may_have_been_heard_is_the_last(bench: Bench):
    down = ScriptedUpstream(bench.clock, RESET)
    fill = bench.start(bench.lease(), routes=(bench.route(down), bench.route()))
    assert isinstance(await fill.found, Failed)
    assert bench.upstream.requests == []


async def test_a_worker_that_ends_while_it_is_waited_for_is_passed_by(bench: Bench):
    ended = ScriptedUpstream(bench.clock, RESET)
    bench.upstream.says(fresh(b"body"))
    fill = bench.start(bench.lease(), routes=(bench.route(ended, is_worker=True), bench.route()))
    assert isinstance(await fill.found, Streaming)
    assert len(ended.requests) == len(bench.upstream.requests) == 1


@pytest.mark.parametrize("is_background", [True, False])
async def test_a_tier_of_ours_is_told_that_no_client_waits_and_an_origin_is_not(
    bench: Bench, is_background: bool
):
    down = ScriptedUpstream(bench.clock, REFUSED)
    routes = (bench.route(down, is_worker=True), bench.route())
    await bench.start(bench.lease(), routes=routes, is_background=is_background).found
    said = [
        request.fields.get(b"perigee-background") for request in (*down.requests, *bench.upstream.requests)
    ]
    assert said == [b"1" if is_background else None, None]


async def test_a_workers_member_of_cache_status_is_taken_off_and_kept_apart(bench: Bench):
    bench.upstream.says(fresh(b"body", (b"Cache-Status", b"origin;hit"), (b"Cache-Status", b"edge;hit")))
    found = await bench.start(bench.lease(), routes=(bench.route(is_worker=True),)).found
    assert isinstance(found, Streaming)
    assert found.behind == b"edge;hit"
    assert found.stored.head.fields.all(b"cache-status") == (b"origin;hit",)


async def test_a_large_body_of_anothers_key_is_left_to_that_one(bench: Bench):
    coming = Coming()
    bench.upstream.says(fresh(coming, (b"Cache-Status", b"edge;hit"), length=2 * WINDOW))
    found = await bench.start(bench.lease(), routes=(bench.route(is_worker=True),)).found
    assert isinstance(found, Private)
    assert found.because is Because.FORWARDED_TO_OWNER


# -- those who leave, and those who die --


async def test_a_fill_goes_on_without_its_leader(bench: Bench):
    gate = bench.upstream.hold()
    bench.upstream.says(fresh())
    fill = bench.start(bench.lease())
    await bench.upstream.asked(1)
    fill.leave()
    gate.release()
    assert isinstance(await fill.found, Streaming)
    await bench.ended()
    assert len(bench.held()) == 1


@pytest.mark.parametrize("when", ["before", "after", "taken"])
async def test_a_private_answer_ends_with_its_client(when: str, bench: Bench):
    coming = Coming()
    bench.upstream.says(replace(PRIVATE, body=coming, length=4))
    fill = bench.start(bench.lease())
    if when == "before":
        fill.leave()
    assert isinstance(await fill.found, Private)
    if when == "taken":
        fill.private_taken = True
    fill.leave()
    assert coming.is_dropped is (when != "taken")


async def test_a_fill_that_dies_before_its_head_leaves_nobody_waiting(bench: Bench):
    bench.upstream.hold()
    bench.upstream.says(fresh())
    lease = bench.lease()
    fill = bench.start(lease)
    await bench.upstream.asked(1)
    bench.tasks[0].cancel()
    assert isinstance(await fill.found, Failed)
    assert lease.outcome is Outcome.ABANDONED
    assert bench.upstream.cancelled == 1
    assert bench.table.under_way == 0


async def test_when_the_one_who_is_told_the_head_fails_the_answer_is_given_up(bench: Bench):
    coming = Coming()

    async def on_head(head: ResponseHead, by_worker: bool) -> None:
        raise UpstreamFault("cannot tell the others")

    bench.upstream.says(fresh(coming, length=6))
    fill = bench.start(None, on_head=on_head)
    assert isinstance(await fill.found, Failed)
    assert coming.is_dropped


async def test_a_client_that_breaks_off_its_upload_is_no_error_of_ours(bench: Bench):
    class Upload:
        async def read(self) -> bytes:
            raise ConnectionResetError("the client")

    bench.upstream.says(fresh())
    fill = bench.start(None, relay=Because.METHOD_NOT_CACHED, body=Upload())
    found = await fill.found
    assert isinstance(found, Failed)
    assert isinstance(found.error, ClientFault)
    await bench.ended()
    assert bench.tasks[0].exception() is None
