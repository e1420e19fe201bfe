"""How many connections, who gets one, and how long it is kept."""

import asyncio

import pytest

from edge.errors import UpstreamFault
from edge.fill.destination import PoolSettings
from edge.semantics.rules import Timeouts
from edge.wire.framing import CHUNKED
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.upstreams import Pieces, at, bench, fetch, whole

CLEAN = Canned(body=b"clean")


def rule() -> dict[str, Canned]:
    return {"/a": CLEAN, "/b": CLEAN}


async def test_never_more_connections_than_the_site_allows_and_who_waits_is_served():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, max_connections=3)
        under_way = [asyncio.ensure_future(fetch(upstream, "/a")) for _ in range(12)]
        await gate.wait_waiting(3)
        assert on.destination(origin.port).open == 3
        gate.release()
        bodies = [await whole(fetched) for fetched in await asyncio.gather(*under_way)]
        assert bodies == [b"clean"] * 12
        assert (origin.in_flight_max, len(origin.connections)) == (3, 3)


async def test_who_waits_is_served_in_order():
    async with ScriptedOrigin() as origin, bench() as on:
        origin.default = CLEAN
        gate = origin.hold("/0")
        upstream = on.upstream(origin.port, max_connections=1)
        under_way = [asyncio.ensure_future(fetch(upstream, f"/{n}")) for n in range(6)]
        await gate.wait_waiting(1)
        gate.release()
        await asyncio.gather(*under_way)
        assert [request.path for request in origin.requests] == [f"/{n}" for n in range(6)]


async def test_who_waits_too_long_is_a_503():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, max_connections=1, timeouts=Timeouts(connect=0.05))
        holder = asyncio.ensure_future(fetch(upstream, "/a"))
        await gate.wait_waiting(1)
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream, "/b")
        assert (raised.value.status, raised.value.proxy_status) == (503, "connection_limit_reached")
        gate.release()
        assert await whole(await holder) == b"clean"
        assert on.counted("perigee_upstream_requests_total") == {"2xx": 1, "connection_limit_reached": 1}


@pytest.mark.parametrize("waiting,refused", [(2, 0), (1, 1)])
async def test_the_queue_is_bounded(waiting: int, refused: int):
    async with ScriptedOrigin(rule()) as origin, bench(settings=PoolSettings(waiting=waiting)) as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, max_connections=1)
        under_way = [asyncio.ensure_future(fetch(upstream, "/a")) for _ in range(3)]
        await gate.wait_waiting(1)
        gate.release()
        ends = await asyncio.gather(*under_way, return_exceptions=True)
        faults = [end for end in ends if isinstance(end, UpstreamFault)]
        assert [fault.proxy_status for fault in faults] == ["connection_limit_reached"] * refused


async def test_who_stops_waiting_loses_nobody_a_place():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, max_connections=1)
        holder = asyncio.ensure_future(fetch(upstream, "/a"))
        await gate.wait_waiting(1)
        leaver = asyncio.ensure_future(fetch(upstream, "/b"))
        stayer = asyncio.ensure_future(fetch(upstream, "/b"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leaver.cancel()
        gate.release()
        await holder
        assert await whole(await stayer) == b"clean"
        assert len(origin.requests) == 2


@pytest.mark.parametrize("closes", [False, True])
async def test_who_stops_waiting_just_when_it_was_granted_gives_it_back(closes: bool):
    answer = Canned(body=b"clean", headers={"Connection": "close"} if closes else {})
    async with ScriptedOrigin({"/a": answer}) as origin, bench() as on:
        rules = on.rules(origin.port, max_connections=1)
        destination = on.pool.destination(rules.origins[0], rules)
        held = await destination.acquire(rules, fresh=False)
        leaver = asyncio.ensure_future(destination.acquire(rules, fresh=False))
        stayer = asyncio.ensure_future(destination.acquire(rules, fresh=False))
        await asyncio.sleep(0)
        if closes:
            held.close()
        else:
            destination.freed(held)
        leaver.cancel()  # granted in this very turn
        got = await stayer
        assert (got is held) is not closes
        assert destination.open == 1
        with pytest.raises(asyncio.CancelledError):
            await leaver


async def test_a_connection_that_breaks_on_its_way_to_a_waiter_is_replaced():
    async with ScriptedOrigin({"/a": CLEAN}) as origin, bench() as on:
        rules = on.rules(origin.port, max_connections=1)
        destination = on.pool.destination(rules.origins[0], rules)
        held = await destination.acquire(rules, fresh=False)
        waiter = asyncio.ensure_future(destination.acquire(rules, fresh=False))
        await asyncio.sleep(0)
        destination.freed(held)
        held.close()  # in the turn in which it was handed over
        got = await waiter
        assert (got is not held, got.is_quiet(), destination.open) == (True, True, 1)


async def test_an_unsafe_request_that_waits_gets_a_connection_of_its_own():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port, max_connections=1)
        holder = asyncio.ensure_future(fetch(upstream, "/a"))
        await gate.wait_waiting(1)
        poster = asyncio.ensure_future(fetch(upstream, "/b", "POST"))
        await asyncio.sleep(0)
        gate.release()
        await holder
        assert (await poster).reused is False
        assert [request.connection_id for request in origin.requests] == [0, 1]


async def test_an_unsafe_request_takes_an_idle_connections_place_when_all_are_taken():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        upstream = on.upstream(origin.port, max_connections=1)
        await whole(await fetch(upstream, "/a"))
        assert (await fetch(upstream, "/b", "POST")).reused is False
        assert on.destination(origin.port).open == 1


async def test_the_connection_used_last_is_used_next():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        gate = origin.hold("/a")
        upstream = on.upstream(origin.port)
        two = [asyncio.ensure_future(fetch(upstream, "/a")) for _ in range(2)]
        await gate.wait_waiting(2)
        gate.release()
        await asyncio.gather(*two)
        assert on.destination(origin.port).idle == 2
        last = (await fetch(upstream, "/b"), origin.requests[-1].connection_id)[1]
        for _ in range(3):
            await fetch(upstream, "/b")
        assert {request.connection_id for request in origin.requests[2:]} == {last}


@pytest.mark.parametrize("seconds,reused", [(29.9, True), (30.0, False)])
async def test_an_idle_connection_is_kept_for_so_long(seconds: float, reused: bool):
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        upstream = on.upstream(origin.port, keep_alive=30.0)
        await fetch(upstream, "/a")
        on.clock.advance(seconds)
        assert (await fetch(upstream, "/a")).reused is reused


async def test_expired_connections_are_closed_without_a_request():
    async with ScriptedOrigin(rule()) as origin, bench(settings=PoolSettings(sweep=0.01)) as on:
        await fetch(on.upstream(origin.port, keep_alive=30.0), "/a")
        on.clock.advance(10.0)
        await fetch(on.upstream(origin.port, keep_alive=30.0), "/a", "POST")
        assert on.destination(origin.port).idle == 2
        on.clock.advance(20.0)
        await origin.wait_connections(1)
        on.clock.advance(10.0)
        await origin.wait_connections(0)
        assert on.destination(origin.port).open == 0


async def test_a_name_that_moved_takes_its_connections_along():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        on.names.table["shop.test"] = ["127.0.0.1"]
        upstream = on.upstream(at(origin.port, b"shop.test"), allow_private_names=True, keep_alive=1000.0)
        await fetch(upstream, "/a")
        on.names.table["shop.test"] = ["127.0.0.2"]
        assert (await fetch(upstream, "/a")).reused is True
        on.clock.advance(61.0)
        assert (await fetch(upstream, "/a")).reused is True  # good enough while it is asked anew
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream, "/a")
        assert raised.value.proxy_status == "connection_refused"
        await origin.wait_connections(0)


async def test_a_name_that_cannot_be_looked_up_again_keeps_its_connections():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        on.names.table["shop.test"] = ["127.0.0.1"]
        upstream = on.upstream(at(origin.port, b"shop.test"), allow_private_names=True, keep_alive=1000.0)
        await fetch(upstream, "/a")
        del on.names.table["shop.test"]
        for _ in range(3):
            on.clock.advance(61.0)
            assert (await fetch(upstream, "/a")).reused is True
        assert len(on.names.asked) == 4


async def test_the_next_address_is_tried_when_one_does_not_answer_and_then_left_for_last():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        on.names.table["shop.test"] = ["127.0.0.2", "127.0.0.1", "127.0.0.3"]
        upstream = on.upstream(at(origin.port, b"shop.test"), allow_private_names=True)
        for _ in range(3):
            assert await whole(await fetch(upstream, "/a", "POST")) == b"clean"
        assert on.counted("perigee_upstream_connections_total") == {"opened": 3}


async def test_a_private_address_behind_a_name_is_never_connected_to():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        on.names.table["rebound.test"] = ["127.0.0.1", "::ffff:127.0.0.1"]
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(at(origin.port, b"rebound.test")), "/a")
        assert (raised.value.status, raised.value.proxy_status) == (502, "destination_ip_prohibited")
        assert origin.connections == []
        assert on.counted("perigee_name_lookups_total") == {"prohibited": 1}


async def test_a_name_that_is_not_there_is_a_502():
    async with bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(at(80, b"nowhere.test")))
        assert raised.value.proxy_status == "dns_error"


async def test_closing_the_pool_ends_what_is_under_way_and_who_waits():
    async def stall(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.stall()

    async with ScriptedOrigin({"/stall": stall, "/a": CLEAN}) as origin, bench() as on:
        await fetch(on.upstream(origin.port), "/a")
        upstream = on.upstream(origin.port, max_connections=1, retries=0)
        holder = asyncio.ensure_future(fetch(upstream, "/stall"))
        waiter = asyncio.ensure_future(fetch(upstream, "/a"))
        await origin.wait_requests(2)
        await on.pool.aclose()
        for under_way in (holder, waiter):
            with pytest.raises(UpstreamFault):
                await under_way
        await origin.wait_connections(0)


async def test_what_was_opened_reused_and_received_is_counted():
    async with ScriptedOrigin(rule()) as origin, bench() as on:
        upstream = on.upstream(origin.port)
        for _ in range(3):
            await fetch(upstream, "/a")
        assert on.counted("perigee_upstream_connections_total") == {"opened": 1, "reused": 2}
        assert sum(on.counted("perigee_upstream_body_bytes_total").values()) == 15


async def test_unix_sockets_are_addresses_too(tmp_path):
    origin = ScriptedOrigin(rule())
    path = str(tmp_path / "origin.sock")
    server = await asyncio.start_unix_server(origin._accepted, path)
    async with server, bench() as on:
        upstream = on.upstream(at(0, b"unix:" + path.encode()))
        first, second = await fetch(upstream, "/a"), await fetch(upstream, "/b")
        assert (await whole(first), first.address, second.reused) == (b"clean", f"unix:{path}", True)
        await on.pool.aclose()
        await origin.wait_connections(0)
    async with bench() as on:
        with pytest.raises(UpstreamFault):
            await fetch(on.upstream(at(0, b"unix:" + path.encode() + b".gone")), "/a")
    await origin.close()


async def test_a_body_source_is_not_touched_when_there_is_no_connection():
    async with bench() as on:
        body = Pieces([b"x"])
        with pytest.raises(UpstreamFault):
            await fetch(on.upstream(at(1)), "/a", "POST", body, framing=CHUNKED)
        assert body.taken == 0
