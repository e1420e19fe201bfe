"""The protected way to origins, over real sockets: who is asked, how often, and how many at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from edge.errors import UpstreamFault
from edge.fill.upstream import HeldBack, UpstreamRequest
from edge.semantics.message import EMPTY
from edge.semantics.reasons import Because
from edge.semantics.rules import EjectionRules, ProtectionRules, RetryRules, Timeouts
from edge.values import replace as replace_value
from edge.wire.framing import CHUNKED
from tests.fill.test_pool import CLEAN, close, closing_when_used_again, one_byte, reset, stall
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.protected import asked, protected, read, request, several, waiting
from tests.kit.upstreams import Pieces

HASTY = Timeouts(connect=5.0, first_byte=0.05, between_bytes=5.0, total=20.0)


# --- as the pool alone does ---


@pytest.mark.parametrize(
    "method,rule,retries,sent,token",
    [
        ("GET", close, 0, 1, "connection_terminated"),
        ("GET", close, 1, 2, "connection_terminated"),
        ("GET", reset, 3, 4, "connection_terminated"),
        ("HEAD", close, 1, 2, "connection_terminated"),
        ("POST", close, 3, 1, "connection_terminated"),
        ("DELETE", reset, 3, 1, "connection_terminated"),
        ("GET", one_byte, 3, 1, "http_response_incomplete"),
        ("GET", stall, 3, 1, "connection_read_timeout"),
    ],
)
async def test_only_a_safe_request_that_got_no_byte_is_sent_again(method, rule, retries, sent, token):
    async with ScriptedOrigin({"/a": rule}) as origin, protected() as on:
        upstream = on.upstream(origin.port, retries=retries, timeouts=HASTY)
        with pytest.raises(UpstreamFault) as raised:
            await asked(upstream, method=method)
        assert (len(origin.requests), raised.value.proxy_status) == (sent, token)
        assert on.counted("perigee_upstream_retries_total") == (
            {} if sent == 1 else {origin_name(origin): sent - 1}
        )
        assert on.state().in_flight == 0


def origin_name(origin: ScriptedOrigin) -> str:
    return f"127.0.0.1:{origin.port}"


async def test_one_that_was_repeated_already_is_not_repeated_again():
    async with ScriptedOrigin({"/a": close}) as origin, protected() as on:
        with pytest.raises(UpstreamFault):
            await on.upstream(origin.port, retries=3).fetch(replace_value(request(), may_repeat=False))
        assert len(origin.requests) == 1


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_kept_connection_that_died_costs_nothing_and_says_nothing(retries: int):
    async with ScriptedOrigin({"/a": closing_when_used_again()}) as origin, protected() as on:
        upstream = on.upstream(
            origin.port, retries=retries, protection=ProtectionRules(ejection=EjectionRules(failures=1))
        )
        for _ in range(3):
            assert await asked(upstream) == (200, b"clean")
        assert not on.state().is_out


async def test_a_site_without_origin_is_told_so():
    async with protected() as on:
        with pytest.raises(UpstreamFault) as raised:
            await asked(on.upstream())
        assert raised.value.proxy_status == "destination_not_found"


async def test_what_the_source_of_a_body_raises_is_no_failure_of_the_origin():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=ProtectionRules(ejection=EjectionRules(failures=1)))
        body = Pieces([b"x", ConnectionError("the client left")])
        with pytest.raises(ConnectionError):
            await upstream.fetch(UpstreamRequest(b"POST", b"/a", b"o.test", EMPTY, CHUNKED), body)
        await on.until_free()
        assert not on.state().is_out


# --- places ---


async def test_never_more_at_once_than_the_cap_by_the_origins_own_count():
    async def in_pieces(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {"Transfer-Encoding": "chunked"})
        for _ in range(3):
            await connection.send_chunk(b"x" * 1000)
            await asyncio.sleep(0)
        await connection.send_last_chunk()

    async with ScriptedOrigin({"/a": in_pieces, "/b": Canned(body=b"b")}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=ProtectionRules(max_in_flight=4))
        answers = await asyncio.gather(*several(40, upstream), *several(40, upstream, "/b"))
        assert {status for status, _ in answers} == {200}
        assert origin.in_flight_max == 4
        assert (on.state().in_flight, on.state().queue) == (0, 0)


async def test_a_place_is_held_until_the_last_byte():
    async with ScriptedOrigin({"/a": Canned(body=b"a")}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=ProtectionRules(max_in_flight=1))

        async def slowly(request: OriginRequest, connection: OriginConnection) -> None:
            await connection.send_head(200, {"Content-Length": "2"})
            await connection.send_raw(b"1")
            await rest.passed()
            await connection.send_raw(b"2")

        origin.on("/slow", slowly)
        rest = origin.hold("/never asked")
        first = await upstream.fetch(request("/slow"))
        (second,) = several(1, upstream)
        await waiting(on, 1)
        assert len(origin.requests) == 1
        rest.release()
        assert (await read(first), await second) == (b"12", (200, b"a"))


async def test_who_gives_an_answer_up_makes_room():
    async with ScriptedOrigin({"/a": stall, "/b": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=ProtectionRules(max_in_flight=1))
        (given_up,) = several(1, upstream)
        await origin.wait_requests(1)
        (next_one,) = several(1, upstream, "/b")
        await waiting(on, 1)
        given_up.cancel()
        assert await next_one == (200, b"clean")


async def test_a_tunnel_holds_no_place():
    async def switch(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, {"Upgrade": "websocket", "Connection": "Upgrade"})
        await connection.stall()

    async with ScriptedOrigin({"/ws": switch, "/a": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(origin.port, protection=ProtectionRules(max_in_flight=1))
        upgrading = UpstreamRequest(b"GET", b"/ws", b"o.test", EMPTY, upgrade=b"websocket")
        tunnel = (await upstream.fetch(upgrading)).tunnel
        assert tunnel is not None
        assert on.state().in_flight == 0
        assert await asked(upstream) == (200, b"clean")
        tunnel.abort()


@pytest.mark.parametrize("queue,because", [(0, "origin-queue-full"), (5, "origin-queue-overdue")])
async def test_who_cannot_wait_is_held_back_and_counted(queue: int, because: str):
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        gate = origin.hold("/a")
        rules = ProtectionRules(max_in_flight=1, queue=queue, queue_deadline=0.02)
        upstream = on.upstream(origin.port, protection=rules)
        (first,) = several(1, upstream)
        await gate.wait_waiting(1)
        with pytest.raises(HeldBack) as raised:
            await asked(upstream)
        assert raised.value.because.value == because
        assert on.counted("perigee_origin_held_back_total") == {because: 1}
        gate.release()
        assert await first == (200, b"clean")
        assert len(origin.requests) == 1


async def test_a_refresh_is_given_up_for_a_client():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, protection=ProtectionRules(max_in_flight=1, queue=1))
        first = several(1, upstream)
        await gate.wait_waiting(1)
        refresh = asyncio.ensure_future(upstream.fetch(request(is_background=True)))
        await waiting(on, 1)
        second = several(1, upstream)
        with pytest.raises(HeldBack):
            await refresh
        gate.release()
        await asyncio.gather(*first, *second)
        assert len(origin.requests) == 2


async def test_workers_divide_what_is_said_per_node():
    async with protected(workers=4) as on:
        on.upstream(1, protection=ProtectionRules(max_in_flight=10, retry=RetryRules(minimum=2)))
        assert on.state().limit == 2


async def test_sites_share_the_places_of_an_origin_and_a_site_that_goes_leaves_its_part():
    async with ScriptedOrigin() as origin, protected() as on:
        sites = [
            on.site(origin.port, name=name, protection=ProtectionRules(max_in_flight=cap))
            for name, cap in (("a", 100), ("b", 10))
        ]
        on.protection.apply(sites)
        assert [state.limit for state in on.protection.states()] == [10, 10]
        on.protection.apply(sites[:1])
        assert [(state.site, state.limit) for state in on.protection.states()] == [("a", 100)]


async def test_an_exchange_that_began_before_a_reload_still_goes_where_it_was_to():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, ScriptedOrigin() as other, protected() as on:
        before, after = on.site(origin.port), on.site(other.port)
        for in_force in ([before], [after], []):
            on.protection.apply(in_force)
            answers = await asyncio.gather(*several(5, on.protection.upstream(before)))
            assert answers == [(200, b"clean")] * 5


# --- the budget of retries ---


async def test_retries_are_a_share_of_all_requests():
    async with ScriptedOrigin({"/a": close}) as origin, protected() as on:
        rules = ProtectionRules(retry=RetryRules(share=0.2, minimum=0))
        rules = replace(rules, breaker=replace(rules.breaker, share=None))
        upstream = on.upstream(origin.port, retries=3, protection=rules)
        for _ in range(50):
            with pytest.raises(UpstreamFault):
                await asked(upstream)
        assert len(origin.requests) == 60
        assert on.counted("perigee_origin_retries_denied_total") == {"a": 50}


async def test_a_reload_does_not_refill_it():
    async with ScriptedOrigin({"/a": close}) as origin, protected() as on:
        for _ in range(3):
            upstream = on.upstream(
                origin.port, retries=1, protection=ProtectionRules(retry=RetryRules(0.0, 2))
            )
            with pytest.raises(UpstreamFault):
                await asked(upstream)
        assert len(origin.requests) == 3 + 2


# --- the breaker ---


async def test_an_open_breaker_holds_requests_back_until_its_rest_is_over():
    async with ScriptedOrigin({"/a": Canned(500)}) as origin, protected() as on:
        rules = ProtectionRules()
        rules = replace(rules, breaker=replace(rules.breaker, requests=4, rest=5.0, probes=1))
        upstream = on.upstream(origin.port, protection=rules)
        for _ in range(4):
            assert (await asked(upstream))[0] == 500
        on.on.clock.advance(2.0)
        with pytest.raises(HeldBack) as raised:
            await asked(upstream)
        assert (raised.value.because, raised.value.retry_after) == (Because.ORIGIN_RESTS, 3)
        assert on.counted("perigee_origin_breaker") == {origin_name(origin): 2}
        assert len(origin.requests) == 4
        origin.on("/a", CLEAN)
        on.on.clock.advance(3.0)
        assert await asked(upstream) == (200, b"clean")
        assert on.counted("perigee_origin_breaker") == {}


async def test_those_that_wait_when_it_opens_are_not_sent():
    async with ScriptedOrigin({"/a": Canned(500)}) as origin, protected() as on:
        gate = origin.hold("/a")
        rules = ProtectionRules(max_in_flight=2)
        rules = replace(rules, breaker=replace(rules.breaker, requests=2))
        upstream = on.upstream(origin.port, protection=rules)
        asking = several(10, upstream)
        await gate.wait_waiting(2)
        await waiting(on, 8)
        gate.release()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        held_back = [answer for answer in answers if isinstance(answer, HeldBack)]
        assert len(origin.requests) <= 3
        assert len(held_back) == 10 - len(origin.requests)
        assert on.counted("perigee_origin_held_back_total") == {"origin-rests": len(held_back)}


async def test_a_kept_connection_that_died_was_the_retry_where_one_is_allowed():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, protected() as on:
        upstream = on.upstream(origin.port, retries=1)
        await asked(upstream)
        origin.on("/a", close)
        with pytest.raises(UpstreamFault):
            await asked(upstream)
        assert len(origin.requests) == 1 + 2
