"""A connection's way through the lane is within the bounds of the long way, and is counted and written down like it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.metrics import flat
from edge.semantics.rules import SiteRules
from edge.server.connection import Waits
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.lane_world import OneSide, one_side
from tests.kit.scripted_upstream import fresh

ASK = b"GET /a HTTP/1.1\r\nHost: a.example\r\nUser-Agent: me\r\nCookie: a=1\r\n\r\n"


async def known(side: OneSide, body: bytes = b"body") -> bytes:
    """The lane knows ASK; what it answers."""
    side.bench.origin.says(fresh(body))
    for _ in range(3):
        await side.hears(ASK)
    answer = await side.hears(ASK)
    assert side.lane_answers == 1
    return answer


async def test_what_it_answers_is_a_hit_that_is_counted_and_written_down(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        answer = await known(side)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\nbody")
        assert (
            flat(side.bench.measures.registry.snapshot(), "perigee_requests_total")[
                "default", "hit", "fresh", "2xx"
            ]
            == 3
        )
        assert side.connection._waits is Waits.IDLE
    lines = side.log_file.read_bytes().splitlines()
    assert len(lines) == 4
    assert len(set(lines)) == 1
    assert lines[0].endswith(b'"GET /a HTTP/1.1" 200 4 "-" "me"')


def waits(side: OneSide) -> tuple[Waits, bool]:
    """For what, and whether that has a deadline."""
    return side.connection._waits, side.connection.deadline is not None


@pytest.mark.parametrize("cut", [1, 20, len(ASK) - 1])
async def test_a_head_that_comes_in_pieces_goes_the_long_way(tmp_path: Path, cut: int):
    async with one_side(tmp_path, [SiteRules()]) as side:
        answer = await known(side)
        assert await side.hears(ASK[:cut], ASK[cut:]) == answer
        assert side.lane_answers == 1
        assert await side.hears(ASK) == answer
        assert side.lane_answers == 2


async def test_several_heads_at_once_are_answered_in_their_order_by_the_long_way(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        answer = await known(side)
        other = ASK.replace(b"/a", b"/b")
        assert (await side.hears(ASK + other + ASK)).count(b"HTTP/1.1 200") == 3
        assert side.lane_answers == 1
        assert await side.hears(ASK) == answer


async def test_a_body_behind_a_head_is_not_answered_by_it(tmp_path: Path):
    """CVE-2025-4366 is what happens where a hit leaves a body unread."""
    async with one_side(tmp_path, [SiteRules()]) as side:
        await known(side)
        smuggled = ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(ASK)) + ASK
        for _ in range(3):
            assert (await side.hears(smuggled)).count(b"HTTP/1.1 200") == 1
        assert side.lane_answers == 1


async def test_the_last_request_of_a_connection_is_told_so(tmp_path: Path):
    limits = replace(DEFAULT_LIMITS, requests_per_connection=5)
    async with one_side(tmp_path, [SiteRules()], limits=limits) as side:
        await known(side)
        assert b"Connection: close\r\n" in await side.hears(ASK)
        assert (side.lane_answers, side.bucket.closed) == (1, "half")


async def test_while_the_worker_drains_a_connection_is_told_to_end(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        await known(side)
        side.listener.draining = True
        assert b"Connection: close\r\n" in await side.hears(ASK)
        assert side.lane_answers == 1


async def test_a_body_beyond_the_write_buffer_goes_the_long_way(tmp_path: Path):
    limits = replace(DEFAULT_LIMITS, write_buffer=100)
    async with one_side(tmp_path, [SiteRules()], limits=limits) as side:
        side.bench.origin.says(fresh(b"x" * 101))
        for _ in range(5):
            assert (await side.hears(ASK)).endswith(b"x" * 101)
        assert side.lane_answers == 0


async def test_who_does_not_read_is_not_written_to_and_asks_no_further(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        answer = await known(side)
        side.bucket.limit = 0
        assert await side.hears(ASK, ASK, ASK) == answer
        assert waits(side) == (Waits.NOTHING, False)
        before = len(side.bucket.sent)
        side.bucket.drained()
        assert bytes(side.bucket.sent[before:]) == answer * 2
        assert waits(side) == (Waits.IDLE, True)


async def test_another_nodes_listener_has_no_lane(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()], lane=False) as side:
        side.bench.origin.says(fresh(b"body"))
        for _ in range(5):
            await side.hears(ASK)
        assert side.lane_answers == 0


async def test_what_was_learned_before_new_settings_has_to_be_learned_again(tmp_path: Path):
    async with one_side(tmp_path, [SiteRules()]) as side:
        await known(side)
        side.bench.node.apply(side.bench.node.sites, (), 16)
        for _ in range(3):
            await side.hears(ASK)
        assert side.lane_answers == 3, "one before, one to learn again from, two by it"
