"""Accepting within bounds, and taking no more."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY
from edge.server.listener import FINEST_SWEEP_SECONDS, SWEEP_SECONDS, sweep_seconds
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.answer import Ending
from tests.kit.client import RawClient
from tests.kit.listening import listening

READY = {b"/a": Reply(200, b"", EMPTY, b"ready", 5)}


async def test_further_connections_wait_in_the_backlog_until_one_ends():
    async with listening({}, READY, max_connections=2) as edge:
        one, other = await edge.client(), await edge.client()
        assert (await one.get("/a")).status == 200
        assert (await other.get("/a")).status == 200
        third = await edge.client()
        await third.send_request("GET", "/a")
        await edge.until(
            lambda: edge.counted("perigee_bound_reached_total") == {"connections": 1}, "the bound"
        )
        assert edge.listener.open_connections == 2
        await one.close()
        assert (await third.read_answer()).body == b"ready"
        await other.close()
        await third.close()
        await edge.until(lambda: edge.listener.open_connections == 0, "all to be gone")
        assert edge.measures.connections.value == 3
        assert edge.measures.connections_open.value == 0


async def test_one_client_may_hold_only_so_many_connections_and_gets_its_place_back():
    limits = replace(DEFAULT_LIMITS, connections_per_client=2)
    async with listening({}, READY, limits=limits) as edge:
        one, other = await edge.client(), await edge.client()
        assert (await one.get("/a")).status == 200
        assert (await other.get("/a")).status == 200
        async with await edge.client() as third:
            assert (await third.wait_ended())[0] in {Ending.CLOSED, Ending.RESET}
        assert edge.counted("perigee_bound_reached_total") == {"connections_per_client": 1}
        await one.close()
        await edge.until(lambda: edge.listener.open_connections == 1, "one to be gone")
        async with await edge.client() as third:
            assert (await third.get("/a")).status == 200
        await other.close()
        await edge.until(lambda: not edge.listener._per_client, "nobody to be counted")


async def test_a_client_that_is_gone_before_it_is_accepted_costs_nothing():
    async with listening({}, READY, max_connections=1) as edge:
        one = await edge.client()
        assert (await one.get("/a")).status == 200
        for _ in range(5):
            (await edge.client()).abort()
        await one.close()
        async with await edge.client() as last:
            assert (await last.get("/a")).status == 200
        await edge.until(lambda: not edge.listener._per_client, "nobody to be counted")


@contextmanager
def no_more_files() -> Iterator[None]:
    """Not one descriptor more than are open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        lowest = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_nobody_is_accepted_and_those_who_are_here_are_served():
    async with listening({}, READY) as edge, await edge.client() as here:
        assert (await here.get("/a")).status == 200
        late = [socket.create_connection(("127.0.0.1", edge.port)) for _ in range(3)]
        with no_more_files():
            await edge.until(
                lambda: edge.counted("perigee_bound_reached_total").get("open_files", 0) > 0, "the bound"
            )
            assert (await here.get("/a")).status == 200
            assert edge.listener.open_connections == 1
        for sock in late:
            reader, writer = await asyncio.open_connection(sock=sock)
            async with RawClient(reader, writer, b"a.test") as client:
                assert (await client.get("/a")).status == 200


async def test_once_it_stops_it_accepts_nobody():
    async with listening({}, READY) as edge:
        assert await edge.listener.drain(0) == 0
        with pytest.raises(ConnectionError):
            await edge.client()
        assert await edge.listener.drain(0) == 0


async def test_who_had_connected_before_the_stop_is_still_served():
    async with listening({}, READY, max_connections=50) as edge:
        clients = [await edge.client() for _ in range(20)]
        for client in clients:
            await client.send_request("GET", "/a")
        draining = asyncio.ensure_future(edge.listener.drain(10))
        for client in clients:
            assert (await client.read_answer()).body == b"ready"
            await client.close()
        assert await draining == 0


async def test_everybody_in_the_backlog_is_taken_at_the_stop():
    """More than are taken at a time; here no loop turns between the connections and the stop."""
    async with listening({}, READY) as edge:
        late = [socket.create_connection(("127.0.0.1", edge.port)) for _ in range(100)]
        drained = asyncio.create_task(edge.listener.drain(5.0))
        for client in late:
            client.setblocking(False)
            client.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        loop = asyncio.get_running_loop()
        answers = await asyncio.gather(*(loop.sock_recv(client, 65536) for client in late))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        for client in late:
            client.close()
        assert await drained == 0


async def test_clients_are_turned_away_by_answers_and_not_before():
    async with listening({}, READY) as edge, await edge.client() as kept:
        assert (await kept.get("/a")).header("Connection") is None
        going = asyncio.create_task(edge.listener.turn_away(5.0))
        await edge.until(lambda: edge.listener.draining, "it to be said")
        async with await edge.client() as late:
            assert (await late.get("/a")).header("Connection") == b"close"
        assert not going.done()
        assert (await kept.get("/a")).header("Connection") == b"close"
        await kept.close()
        await going
        await edge.listener.turn_away(5.0)  # nobody is left to wait for


async def test_exchanges_are_recorded_with_what_was_sent():
    async def answer(exchange: Exchange) -> Reply:
        return Reply(404, b"", EMPTY, b"no", 2)

    async with listening({b"/b": answer}, READY) as edge, await edge.client() as client:
        await client.get("/a")
        await client.get("/b")
        await client.request("HEAD", "/b")
        await edge.until(lambda: len(edge.recorded) == 3, "three records")
        assert [(one.status, one.sent, one.whole) for one in edge.recorded] == [
            (200, 5, True),
            (404, 2, True),
            (404, 0, True),
        ]


@pytest.mark.parametrize(
    "limits,seconds",
    [
        ({}, SWEEP_SECONDS),
        ({"head_deadline": 0.8}, 0.1),
        ({"idle": 0.0}, FINEST_SWEEP_SECONDS),
        ({"reader_stall": 1.6}, 0.2),
        ({"body_grace": 3600.0}, SWEEP_SECONDS),
    ],
)
def test_the_sweep_follows_the_shortest_limit(limits: dict[str, float], seconds: float):
    assert sweep_seconds(replace(DEFAULT_LIMITS, **limits)) == pytest.approx(seconds)  # type: ignore[arg-type]
