"""One shield as a worker sees it: what takes it out, how it returns, how long it may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from edge.errors import UpstreamFault
from edge.fill.upstream import Fetched, UpstreamRequest
from edge.semantics.message import EMPTY, Fields
from edge.semantics.rules import OriginRules, ProtectionRules, SiteRules, Timeouts
from edge.settings.node import ListenAddress, TierSettings
from edge.wire.framing import Length
from origin_shield.shield_measures import ShieldMeasures
from origin_shield.shields import MARGIN, REST_MAX, Shield, longer
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import Bench, Pieces, bench, whole

TIER = TierSettings(secrets=(b"s" * 32,), rest=3.0, slow_return=10.0)
RULES = SiteRules()
GET = UpstreamRequest(b"GET", b"/a", b"a.example", EMPTY)


@asynccontextmanager
async def shield(port: int, tier: TierSettings = TIER) -> AsyncIterator[tuple[Shield, Bench]]:
    async with bench() as made:
        measures = ShieldMeasures(made.measures.registry)
        yield (
            Shield("s", ListenAddress("127.0.0.1", port), tier, made.pool, made.clock, measures),
            made,
        )


async def fetched(made: Shield, request: UpstreamRequest = GET) -> Fetched:
    return await made.towards(RULES, 1).fetch(request)


async def test_two_failures_in_a_row_take_it_out_and_time_brings_it_back():
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, {}, b"x")
        async with shield(origin.port) as (made, on):
            await origin.stop_listening()
            seen = []
            for _ in range(2):
                with pytest.raises(UpstreamFault):
                    await fetched(made)
                seen.append(made.is_out)
            assert seen == [False, True]
            assert on.counted("perigee_shield_requests_total") == {"failed": 2.0}
            assert on.counted("perigee_shield_ejections_total") == {"failures": 1.0}
            for seconds in (2.9, 0.2):
                on.clock.advance(seconds)
                seen.append(made.is_out)
            assert seen[2:] == [True, False]
            await origin.listen()
            assert await whole(await fetched(made)) == b"x"


async def test_a_success_in_between_makes_two_failures_none():
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, {}, b"x")
        async with shield(origin.port) as (made, _):
            for _ in range(3):
                await origin.stop_listening()
                for connection in origin.connections:
                    await connection.close()
                with pytest.raises(UpstreamFault):
                    await fetched(made)
                await origin.listen()
                await whole(await fetched(made))
            assert not made.is_out


async def test_what_returns_gets_its_keys_bit_by_bit_and_the_same_ones_first():
    keys = [bytes(28) + (number * 2**22).to_bytes(4, "big") for number in range(1024)]
    async with ScriptedOrigin() as origin:
        await origin.stop_listening()
        async with shield(origin.port) as (made, on):
            assert all(made.is_back_for(key) for key in keys)
            for _ in range(2):
                with pytest.raises(UpstreamFault):
                    await fetched(made)
            on.clock.advance(3.0)
            assert not made.is_out
            before: set[bytes] = set()
            for passed in range(1, 10):
                on.clock.advance(1.0)
                back = {key for key in keys if made.is_back_for(key)}
                assert before <= back
                assert abs(len(back) / len(keys) - max(0.1, passed / 10)) < 0.01
                before = back
            on.clock.advance(1.0)
            assert all(made.is_back_for(key) for key in keys)


async def test_load_is_what_is_under_way_to_the_last_byte():
    async with ScriptedOrigin() as origin:
        gate, rest = origin.hold("/a"), asyncio.Event()

        async def half(_request: OriginRequest, connection: OriginConnection) -> None:
            await connection.send_head(200, {"Content-Length": "10"})
            await connection.send_raw(b"12345")
            await rest.wait()
            await connection.close()

        origin.on("/a", half)
        async with shield(origin.port) as (made, on):
            asking = asyncio.ensure_future(fetched(made))
            await gate.wait_waiting(1)
            assert made.load == 1
            gate.release()
            answer = await asking
            assert made.load == 1
            rest.set()
            with pytest.raises(UpstreamFault):
                await whole(answer)
            # a body that breaks off may be the origin's
            assert (made.load, made.is_out) == (0, False)
            assert on.counted("perigee_shield_requests_total") == {"answered": 1.0}


async def test_who_gives_up_says_nothing_of_it():
    async with ScriptedOrigin() as origin:
        gate = origin.hold("/a")
        async with shield(origin.port) as (made, on):
            asking = asyncio.ensure_future(fetched(made))
            await gate.wait_waiting(1)
            asking.cancel()
            await asyncio.wait((asking,))
            assert made.load == 0
            assert on.counted("perigee_shield_requests_total") == {"given-up": 1.0}
            gate.release()


@pytest.mark.parametrize(
    ("status", "headers", "passes"),
    [(403, {}, False), (403, {"Via": "1.1 s"}, True), (200, {}, True)],
)
async def test_its_own_403_is_a_refusal_of_us(status: int, headers: dict[str, str], passes: bool):
    async with ScriptedOrigin() as origin:
        origin.default = Canned(status, headers, b"x")
        async with shield(origin.port) as (made, _):
            if passes:
                assert (await fetched(made)).head.status == status
                return
            with pytest.raises(UpstreamFault) as fault:
                await fetched(made)
            assert fault.value.proxy_status == "destination_unavailable"
            posted = replace(GET, method=b"POST", framing=Length(1))
            with pytest.raises(UpstreamFault) as fault:
                await made.towards(RULES, 1).fetch(posted, Pieces((b"x",)))
            # its body is gone, so nobody else may have it
            assert (fault.value.proxy_status, fault.value.status) == ("http_request_denied", 502)


async def test_what_may_not_be_sent_twice_waits_for_one_that_hangs_and_the_rest_does_not():
    tier = replace(TIER, check=0.02)
    async with ScriptedOrigin() as origin:
        gate = origin.hold("/a")
        origin.hold("/")
        async with shield(origin.port, tier) as (made, _):
            way = made.towards(RULES, 1)
            put = asyncio.ensure_future(
                way.fetch(replace(GET, method=b"PUT", framing=Length(1)), Pieces((b"x",)))
            )
            got = asyncio.ensure_future(way.fetch(GET))
            await gate.wait_waiting(2)
            watch = asyncio.ensure_future(made.watch(b"edge", b"s" * 32))
            with pytest.raises(UpstreamFault) as fault:
                await got
            assert fault.value.proxy_status == "http_response_timeout"
            assert made.is_out
            assert not put.done()
            gate.release()
            assert (await put).head.status == 404
            watch.cancel()
            await asyncio.wait((watch,))


async def test_a_check_shows_a_passport_and_what_it_asks():
    async with ScriptedOrigin() as origin:
        origin.default = Canned(204)
        async with shield(origin.port, replace(TIER, check=0.02)) as (made, _):
            watch = asyncio.ensure_future(made.watch(b"edge", b"s" * 32))
            await origin.wait_requests(1)
            watch.cancel()
            await asyncio.wait((watch,))
            fields = Fields(tuple(origin.requests[0].headers))
            assert fields.get(b"perigee-is-there") == b"1"
            assert (fields.get(b"perigee-passport") or b"").startswith(b"edge ")
            assert not made.is_out


@pytest.mark.parametrize("tiers", [1, 2])
def test_it_may_take_what_the_origin_may_and_the_tiers_between(tiers: int):
    said = Timeouts(connect=2.0, first_byte=10.0, between_bytes=5.0, total=100.0)
    rules = SiteRules(origin=OriginRules(timeouts=said), protection=ProtectionRules(queue_deadline=3.0))
    more = tiers * (TIER.connect + MARGIN)
    assert longer(rules, TIER, tiers) == Timeouts(TIER.connect, 15.0 + more, 5.0 + more, 100.0 + more)


async def test_settings_of_the_tier_are_taken_while_it_runs():
    async with ScriptedOrigin() as origin:
        await origin.stop_listening()
        async with shield(origin.port) as (made, on):
            made.apply(replace(TIER, rest=2 * REST_MAX))
            for _ in range(2):
                with pytest.raises(UpstreamFault):
                    await fetched(made)
            on.clock.advance(REST_MAX + 1)
            assert made.is_out
