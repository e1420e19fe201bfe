"""Orders into the log, and back out of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.bus.connection import Said
from edge.bus.faults import ApiFault
from edge.clock import SystemClock
from edge.measures import Measures
from edge.purge.log import Appended, LogUnavailable, PurgeLog, acknowledged, unix_of
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder, Tick, encode
from edge.semantics.selectors import Everything
from tests.kit.buses import bus_to, counted, log_of_its_own
from tests.kit.waiting import PATIENCE


def order(name: str) -> PurgeOrder:
    return PurgeOrder(name, UnixSeconds(1.0), (Everything(),))


async def test_an_order_is_stored_once_whatever_is_sent(tmp_path: Path):
    measures = Measures()
    async with log_of_its_own(tmp_path) as (_, bus):
        log = PurgeLog(bus, SystemClock(), measures)
        assert await log.append(order("a")) == Appended(1, duplicate=False)
        assert await log.append(order("b")) == Appended(2, duplicate=False)
        assert await log.append(order("a")) == Appended(1, duplicate=True)
    assert counted(measures, "perigee_purge_appends_total") == {("stored",): 2, ("duplicate",): 1}


async def test_without_a_server_it_is_unavailable_and_never_acknowledged(tmp_path: Path):
    measures = Measures()
    async with log_of_its_own(tmp_path) as (server, bus):
        log = PurgeLog(bus, SystemClock(), measures)
        await server.kill()
        with pytest.raises(LogUnavailable, match="same id") as raised:
            await log.append(order("a"), within=0.1)
        assert (raised.value.status, raised.value.retry_after) == (503, 5)
    assert counted(measures, "perigee_purge_appends_total") == {("failed",): 1}


async def test_without_a_stream_it_is_unavailable(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (_, bus):
        await bus.api("STREAM.DELETE.PERIGEE", within=PATIENCE)
        log = PurgeLog(bus, SystemClock(), Measures())
        with pytest.raises(LogUnavailable):
            await log.append(order("a"), within=0.05)
        with pytest.raises(LogUnavailable):
            await log.history()


async def test_an_order_waits_for_a_server_that_comes_back(tmp_path: Path):
    measures = Measures()
    async with log_of_its_own(tmp_path) as (server, bus):
        log = PurgeLog(bus, SystemClock(), measures)
        await server.kill()
        appending = asyncio.ensure_future(log.append(order("a"), within=PATIENCE))
        await server.start()
        assert await appending == Appended(1, duplicate=False)
        assert measures.purge_append_retries.value >= 1


async def test_an_acknowledgement_that_was_lost_is_a_duplicate_the_next_time(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, bus), bus_to(server.address()) as other:
        await PurgeLog(other, SystemClock(), Measures()).append(order("a"))
        assert (await PurgeLog(bus, SystemClock(), Measures()).append(order("a"))).duplicate


async def test_one_looks_back_over_ticks_newest_first(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (_, bus):
        log = PurgeLog(bus, SystemClock(), Measures())
        assert await log.history() == []
        for name in ("a", "b", "c", "d"):
            await log.append(order(name))
            await bus.request(
                bus.address.tick_subject, encode(Tick(UnixSeconds(0), "n", {})), within=PATIENCE
            )
        await bus.request(bus.address.order_subject, b"nonsense", within=PATIENCE)
        past = await log.history(limit=3)
        assert [(each.seq, each.order.id) for each in past] == [(7, "d"), (5, "c"), (3, "b")]
        assert all(abs(each.stored_at - SystemClock().now()) < 60 for each in past)
        assert [each.order.id for each in await log.history(before=5)] == ["b", "a"]
        assert await log.history(before=1) == []


async def test_one_looks_back_further_than_one_batch(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (_, bus):
        log = PurgeLog(bus, SystemClock(), Measures())
        await log.append(order("old"))
        tick = encode(Tick(UnixSeconds(0), "n", {}))
        for _ in range(600):
            await bus.publish(bus.address.tick_subject, tick)
        await log.append(order("new"))
        assert [each.order.id for each in await log.history()] == ["new", "old"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"seq":"x"}',
        b'{"stream":"S"}',
        b'{"error":{"code":503,"err_code":10077,"description":"no"}}',
    ],
)
def test_what_is_no_acknowledgement_is_none(data: bytes):
    with pytest.raises(ApiFault):
        acknowledged(Said("s", data, {}))


def test_an_acknowledgement_is_one():
    assert acknowledged(Said("s", b'{"stream":"S","seq":7}', {})) == Appended(7, duplicate=False)
    assert acknowledged(Said("s", b'{"stream":"S","seq":7,"duplicate": true}', {})) == Appended(
        7, duplicate=True
    )


@pytest.mark.parametrize(
    "stamp,seconds",
    [
        ("2026-11-24T00:00:00Z", 1_795_478_400.0),
        ("2026-11-24T00:00:00.25Z", 1_795_478_400.25),
        ("1970-01-01T00:00:01Z", 1.0),
    ],
)
def test_time_stamps_of_nats(stamp: str, seconds: float):
    assert unix_of(stamp) == seconds
