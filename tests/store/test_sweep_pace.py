"""How much the sweep does at a time, when it rests, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge.store.contents import ROWS
from edge.store.disk_limits import DiskLimits
from edge.store.sweep import (
    FAULT_PAUSE_SECONDS,
    MAX_NAMED,
    NAMED,
    PAUSE_SECONDS,
    REST_SECONDS,
    REST_TURNS,
    TURN_SECONDS,
)
from edge.tasks import TaskOwner
from tests.kit.clock import ManualClock
from tests.kit.disk import primary
from tests.kit.stores import (
    StoreRoom,
    forgotten_by_memory,
    locked_by_another,
    store_room,
)
from tests.kit.sweeps import Orders, Rests, held, put, sweep_of, swept, tag, uri, written
from tests.kit.waiting import Bell

RED = tag(b"red")


@pytest.fixture
def room(tmp_path: Path) -> StoreRoom:
    return store_room(tmp_path)


async def test_urls_cost_their_keys_and_no_pass(room: StoreRoom):
    async with room.store() as store:
        for name in range(20):
            put(store, name)
        await written(store)
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(uri(1), uri(2), uri(99)))
        assert await swept(sweep, orders) == 1
        assert orders.judged == 4  # two in memory, two on disk
        assert room.measures.sweep_seconds.counts == [0] * 8


async def test_a_turn_in_memory_ends_when_its_time_is_over(room: StoreRoom):
    async with room.store() as store:
        for name in range(10):
            put(store, name)
        await written(store)
        orders = Orders(cost=TURN_SECONDS / 4)
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        await sweep.turn()
        seen = []
        while orders.judged < 10:
            before = orders.judged
            await sweep.turn()
            seen.append(orders.judged - before)
        assert seen == [4, 4, 2]


async def test_a_turn_on_disk_is_a_batch_of_rows(room: StoreRoom):
    count = 2 * ROWS + 1
    async with room.store() as store:
        for name in range(count):
            put(store, name, length=10)
        await written(store)
        for name in range(count):
            store.memory.remove_key(primary(name))
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        seen = []
        while not sweep.is_idle:
            before = orders.judged
            await sweep.turn()
            seen.append(orders.judged - before)
        assert [each for each in seen if each] == [ROWS, ROWS, 1]


async def test_urls_are_looked_at_some_at_a_time_and_beyond_the_bound_by_a_pass(room: StoreRoom):
    async with room.store() as store:
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        for start in range(0, NAMED + 1, 500):
            sweep.applied(orders.give(*map(uri, range(start, min(start + 500, NAMED + 1)))))
        assert await swept(sweep, orders) == 2
        put(store, 1)
        for start in range(0, MAX_NAMED + 1000, 1000):
            sweep.applied(orders.give(*map(uri, range(start, start + 1000))))
        await swept(sweep, orders, turns=40)
        assert held(store) == set()
        assert sum(room.measures.sweep_seconds.counts) == 1


async def test_orders_that_come_during_a_pass_are_one_more_pass_after_a_pause(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, b"red")
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(tag(b"blue")))
        await sweep.turn()
        await sweep.turn()  # memory has been looked at
        for _ in range(50):
            sweep.applied(orders.give(RED))
        before = orders.clock.mono()
        await swept(sweep, orders)
        assert held(store) == set()
        assert orders.clock.mono() - before >= PAUSE_SECONDS
        assert sum(room.measures.sweep_seconds.counts) == 2


async def test_a_pause_is_as_long_as_the_pass_and_urls_do_not_wait_for_it(room: StoreRoom):
    async with room.store() as store:
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        await sweep.turn()
        orders.clock.advance(100.0)
        await sweep.turn()
        await sweep.turn()
        put(store, 1, b"red")
        sweep.applied(orders.give(RED))
        orders.clock.advance(99.0)
        for _ in range(3):
            await sweep.turn()
        assert len(held(store)) == 1
        put(store, 2)
        sweep.applied(orders.give(uri(2)))
        await sweep.turn()
        assert len(held(store)) == 1
        orders.clock.advance(2.0)
        await swept(sweep, orders)
        assert held(store) == set()


# -- the task --


async def test_it_rests_after_each_turn_and_sleeps_when_nothing_is_left(room: StoreRoom):
    clock = ManualClock()
    orders, rests, bell = Orders(clock, cost=0.0002), Rests(clock), Bell()
    async with room.store() as store, TaskOwner("test") as tasks:
        for name in range(5):
            put(store, name, b"red")
        await written(store)

        async def resting(seconds: float) -> None:
            await rests(seconds)
            bell.ring()

        sweep = sweep_of(store, orders, room)
        sweep._sleep = resting
        tasks.spawn(sweep.run(), name="sweep")
        await asyncio.sleep(0)
        assert rests.taken == []
        sweep.applied(orders.give(RED))
        await bell.until(lambda: sweep.is_idle, "the end of the sweep", seen=lambda: rests.taken)
        assert held(store) == set()
        # Begin, memory, disk, end; each of the five is judged once in memory and once on disk.
        assert rests.taken == pytest.approx(
            [REST_SECONDS, REST_SECONDS, max(REST_SECONDS, REST_TURNS * 0.001), REST_SECONDS]
        )
        before = len(rests.taken)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(rests.taken) == before


async def test_a_slow_disk_is_left_alone_for_longer(room: StoreRoom):
    clock = ManualClock()
    orders, rests = Orders(clock, cost=1.0), Rests(clock)
    async with room.store() as store, TaskOwner("test") as tasks:
        put(store, 1)
        await forgotten_by_memory(store)
        sweep = sweep_of(store, orders, room, rests)
        sweep.applied(orders.give(RED))
        running = tasks.spawn(sweep.run(), name="sweep")
        while not sweep.is_idle:
            assert not running.done()
            await asyncio.sleep(0)
        assert max(rests.taken) == pytest.approx(REST_TURNS * 1.0)


async def test_a_disk_that_fails_is_reported_and_tried_again_later(tmp_path: Path):
    room = store_room(tmp_path, limits=replace(DiskLimits(), busy_seconds=0.05))
    async with room.store() as store:
        put(store, 1, b"red")
        await forgotten_by_memory(store)
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        with locked_by_another(tmp_path):
            for _ in range(3):
                await sweep.turn()
        assert len(room.faults) == 1
        orders.clock.advance(FAULT_PAUSE_SECONDS - 1)
        await sweep.turn()
        assert store.contents.keys_on_disk() == [primary(1)]
        orders.clock.advance(2.0)
        await swept(sweep, orders)
        assert store.contents.keys_on_disk() == []
