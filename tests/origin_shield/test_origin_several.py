"""Several origins of one site: which is asked, which is passed over, and who comes next."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from edge.errors import UpstreamFault
from edge.fill.upstream import HeldBack
from edge.semantics.rules import Balance, EjectionRules, ProtectionRules, Timeouts
from tests.fill.test_pool import CLEAN, close, one_byte, stall
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.protected import asked, protected, several, waiting
from tests.kit.upstreams import at

HASTY = Timeouts(connect=5.0, first_byte=0.05, between_bytes=5.0, total=20.0)


async def test_the_next_origin_is_asked_where_nothing_was_sent_whatever_the_request():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(1, origin.port, retries=0)
        for method in ("GET", "POST"):
            assert await asked(upstream, method=method) == (200, b"clean")


@pytest.mark.parametrize(
    "method,rule,second", [("GET", close, 1), ("GET", stall, 1), ("POST", close, 0), ("GET", one_byte, 0)]
)
async def test_it_is_asked_again_only_where_that_is_allowed(method, rule, second):
    async with ScriptedOrigin({"/a": rule}) as bad, ScriptedOrigin({"/a": CLEAN}) as good, protected() as on:
        upstream = on.upstream(bad.port, good.port, retries=1, timeouts=HASTY)
        if second:
            assert await asked(upstream, method=method) == (200, b"clean")
        else:
            with pytest.raises(UpstreamFault):
                await asked(upstream, method=method)
        assert (len(bad.requests), len(good.requests)) == (1, second)


async def test_when_all_fail_it_is_the_last_failure_that_is_told():
    async with protected() as on:
        with pytest.raises(UpstreamFault) as raised:
            await asked(on.upstream(1, 2))
        assert raised.value.proxy_status == "connection_refused"
        assert "2" in raised.value.detail


async def test_round_robin_over_two():
    async with ScriptedOrigin({"/a": CLEAN}) as one, ScriptedOrigin({"/a": CLEAN}) as two, protected() as on:
        weights = {at(one.port): 3}
        rules = ProtectionRules(balance=Balance.ROUND_ROBIN, weights=weights)
        upstream = on.upstream(one.port, two.port, protection=rules)
        for _ in range(20):
            await asked(upstream)
        assert (len(one.requests), len(two.requests)) == (15, 5)


@pytest.mark.parametrize("balance,counts", [(Balance.ROUND_ROBIN, (2, 2)), (Balance.ORDER, (2, 0))])
async def test_one_with_a_place_free_goes_before_one_without_unless_order_is_wanted(balance, counts):
    async with ScriptedOrigin({"/a": CLEAN}) as one, ScriptedOrigin({"/a": CLEAN}) as two, protected() as on:
        gates = one.hold("/a"), two.hold("/a")
        rules = ProtectionRules(balance=balance, max_in_flight=2, weights={at(one.port): 9})
        upstream = on.upstream(one.port, two.port, protection=rules)
        asking = several(4, upstream)
        await one.wait_requests(counts[0])
        await two.wait_requests(counts[1])
        await waiting(on, 4 - sum(counts))
        for gate in gates:
            gate.release()
        await asyncio.gather(*asking)


async def test_a_backup_is_not_asked_because_others_are_busy_but_when_they_are_out():
    async with (
        ScriptedOrigin({"/a": CLEAN}) as one,
        ScriptedOrigin({"/a": CLEAN}) as spare,
        protected() as on,
    ):
        gate = one.hold("/a")
        rules = ProtectionRules(
            balance=Balance.LEAST,
            max_in_flight=1,
            backups=(at(spare.port),),
            ejection=EjectionRules(failures=2, slow_start=0.0),
        )
        upstream = on.upstream(one.port, protection=rules, retries=0)
        asking = several(2, upstream)
        await waiting(on, 1)
        gate.release()
        await asyncio.gather(*asking)
        assert len(spare.requests) == 0
        one.on("/a", close)
        for _ in range(2):
            with pytest.raises(UpstreamFault):
                await asked(upstream)
        assert [state.is_out for state in on.protection.states()] == [True, False]
        assert await asked(upstream) == (200, b"clean")
        assert on.counted("perigee_origin_ejections_total") == {"failures": 1}
        one.on("/a", Canned(body=b"back"))
        on.on.clock.advance(10.0)
        assert await asked(upstream) == (200, b"back")


async def test_one_that_returns_gets_its_share_slowly():
    async with ScriptedOrigin({"/a": close}) as one, ScriptedOrigin({"/a": CLEAN}) as two, protected() as on:
        rules = ProtectionRules(ejection=EjectionRules(failures=1, slow_start=40.0))
        upstream = on.upstream(one.port, two.port, protection=rules)
        await asked(upstream)
        one.on("/a", CLEAN)
        on.on.clock.advance(10.0 + 10.0)
        before = len(one.requests)
        for _ in range(20):
            await asked(upstream)
        assert len(one.requests) - before == 5, "a quarter of 40 s has passed"


async def test_where_all_are_out_the_last_is_asked_nevertheless_and_the_first_when_it_cannot_be_reached():
    async with ScriptedOrigin({"/a": close}) as one, ScriptedOrigin({"/a": close}) as two, protected() as on:
        rules = ProtectionRules(ejection=EjectionRules(failures=1))
        upstream = on.upstream(one.port, two.port, protection=rules, retries=1)
        with pytest.raises(UpstreamFault):
            await asked(upstream)
        assert [state.is_out for state in on.protection.states()] == [True, True]
        for origin in (one, two):
            origin.on("/a", CLEAN)
        assert await asked(upstream) == (200, b"clean")
        assert len(two.requests) == 2
        await two.stop_listening()
        for connection in two.connections:
            await connection.close()
        assert await asked(upstream, method="POST") == (200, b"clean")


async def test_one_open_breaker_of_two_sends_all_to_the_other():
    async with (
        ScriptedOrigin({"/a": Canned(503)}) as one,
        ScriptedOrigin({"/a": CLEAN}) as two,
        protected() as on,
    ):
        rules = ProtectionRules(ejection=EjectionRules(failures=None))
        rules = replace(rules, breaker=replace(rules.breaker, requests=3))
        upstream = on.upstream(one.port, two.port, protection=rules)
        for _ in range(3):
            assert (await asked(upstream))[0] == 503
        assert await asked(upstream) == (200, b"clean")


async def test_a_full_queue_sends_nobody_to_an_origin_that_is_out():
    async with ScriptedOrigin({"/a": close}) as out, ScriptedOrigin({"/a": CLEAN}) as busy, protected() as on:
        rules = ProtectionRules(max_in_flight=1, queue=0, ejection=EjectionRules(failures=1))
        upstream = on.upstream(out.port, busy.port, protection=rules)
        await asked(upstream)
        gate = busy.hold("/a")
        first = several(1, upstream)
        await gate.wait_waiting(1)
        with pytest.raises(HeldBack):
            await asked(upstream)
        gate.release()
        await asyncio.gather(*first)
        assert len(out.requests) == 1


async def test_where_the_next_is_too_busy_it_is_the_first_failure_that_is_told():
    async with ScriptedOrigin({"/a": close}) as bad, ScriptedOrigin({"/a": CLEAN}) as busy, protected() as on:
        rules = ProtectionRules(max_in_flight=1, queue=0)
        gate = busy.hold("/a")
        to_busy = on.site(busy.port, name="b", protection=rules)
        to_both = on.site(bad.port, busy.port, protection=rules, retries=1)
        on.protection.apply([to_both, to_busy])
        first = several(1, on.protection.upstream(to_busy))
        await gate.wait_waiting(1)
        with pytest.raises(UpstreamFault) as raised:
            await asked(on.protection.upstream(to_both))
        assert raised.value.proxy_status == "connection_terminated"
        gate.release()
        await asyncio.gather(*first)
