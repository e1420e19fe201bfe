"""A worker leaves: its clients are told, its neighbours do without it, and nobody is cut who had time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.server.retiring import KEPT_SECONDS, longest
from tests.kit.client import RawClient
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.waiting import until
from tests.kit.workers import HOST, OneWorker, settings_for, workers

FRESH = {"Cache-Control": "max-age=60"}
HEADERS = {"Host": HOST}
Pair = tuple[OneWorker, OneWorker]


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"body")
        yield origin


@pytest.fixture
async def pair(origin: ScriptedOrigin, tmp_path: Path) -> AsyncIterator[Pair]:
    async with workers(settings_for(tmp_path, origin.url)) as (one, other):
        yield one, other


async def is_told(one: OneWorker) -> bool:
    return one.worker.readiness()[1]["draining"] is True


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 0.0), (2.0, 5.0), (30.0, 60.0 + KEPT_SECONDS)])
def test_it_takes_no_longer_than_it_says(seconds: float, most: float):
    assert longest(seconds) == most


async def test_a_kept_connection_is_ended_by_its_next_answer(pair: Pair):
    leaving, _ = pair
    async with (
        await RawClient.connect("127.0.0.1", leaving.port) as kept,
        await RawClient.connect("127.0.0.1", leaving.port) as new,
    ):
        assert (await kept.get("/a", HEADERS)).header("Connection") is None
        going = asyncio.create_task(leaving.worker.retire(20.0))
        await until(lambda: is_told(leaving))
        answer = await kept.get("/a", HEADERS)
        assert (answer.status, answer.body, answer.header("Connection")) == (200, b"body", b"close")
        answer = await new.get("/a", HEADERS)  # it had connected, and asked nothing yet
        assert (answer.status, answer.header("Connection")) == (200, b"close")
        assert await going == 0


async def test_who_comes_while_it_waits_for_its_clients_is_served(pair: Pair):
    leaving, _ = pair
    async with await RawClient.connect("127.0.0.1", leaving.port) as idle:
        await idle.get("/a", HEADERS)
        going = asyncio.create_task(leaving.worker.retire(20.0))
        await until(lambda: is_told(leaving))
        answer = await leaving.get("/a")
        assert (answer.status, answer.header("Connection")) == (200, b"close")
        assert not going.done(), "the idle one may still ask"
        await idle.close()
        assert await going == 0


async def test_an_idle_connection_is_closed_when_it_had_its_time(pair: Pair):
    leaving, _ = pair
    async with await RawClient.connect("127.0.0.1", leaving.port) as idle:
        await idle.get("/a", HEADERS)
        assert await leaving.worker.retire(0.2) == 0
        assert (await idle.wait_ended())[1] == b""


async def test_its_neighbour_gets_what_it_was_getting_and_then_goes_to_the_origin(
    origin: ScriptedOrigin, pair: Pair
):
    leaving, other = pair
    target = leaving.owned("/held")
    gate = origin.hold("/held")
    under_way = asyncio.create_task(other.get(target))
    await gate.wait_waiting(1)
    going = asyncio.create_task(leaving.worker.retire(20.0))

    async def is_away() -> bool:
        return not leaving.worker._tier_socket_of(0).exists()

    await until(is_away)
    assert (await other.get(leaving.owned("/b"))).body == b"body"
    assert not going.done()
    gate.release()
    assert (await under_way).status == 200
    assert await going == 0
    assert len(origin.seen("/held")) == 1


async def test_what_does_not_end_in_time_is_cut_and_counted(origin: ScriptedOrigin, pair: Pair):
    leaving, other = pair
    gate = origin.hold("/held")
    own = asyncio.create_task(leaving.get("/held"))
    others = asyncio.create_task(other.get(leaving.owned("/held")))
    await gate.wait_waiting(2)
    assert await leaving.worker.retire(0.1) == 2
    gate.release()
    assert (await own).status == 0
    assert (await others).status == 200, "nothing was answered yet, so the origin was asked"
