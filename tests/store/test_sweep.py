"""What was purged leaves memory and disk, what is clean stays, and nobody waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.semantics.selectors import Everything, Host, Prefix, Selector, Site, Variant
from edge.store.store import Store
from tests.kit.disk import body_files, primary
from tests.kit.stored_responses import HERE
from tests.kit.stores import (
    GZIP,
    LARGE_BODY,
    SMALL_BODY,
    StoreRoom,
    forgotten_by_memory,
    ids,
    store_room,
    writing_held_up,
    writing_of,
)
from tests.kit.sweeps import SITE, Orders, held, put, sweep_of, swept, tag, tagged, uri, written

RED = tag(b"red")


@pytest.fixture
def room(tmp_path: Path) -> StoreRoom:
    return store_room(tmp_path)


async def left(store: Store, *names: int) -> list[bytes]:
    """The bodies that a look-up would find, in memory or on disk."""
    return sorted([body for name in names for body in ids(await store.load(primary(name)))])


def reclaimed(room: StoreRoom, tier: str) -> tuple[int, int]:
    return (
        int(room.measures.reclaimed.of(tier).value),
        int(room.measures.reclaimed_bytes.of(tier).value),
    )


# -- what goes and what stays --


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(RED, id="tag"),
        pytest.param(Prefix(HERE.host, b"/1"), id="prefix"),
        pytest.param(uri(1), id="url"),
        pytest.param(Variant(uri(1), ()), id="variant"),
    ],
)
async def test_what_an_order_names_leaves_memory_and_disk_and_nothing_else(room: StoreRoom, item: Selector):
    async with room.store() as store:
        put(store, 1, b"red")
        kept = put(store, 2, b"blue")
        await written(store)
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(item))
        await swept(sweep, orders)
        assert held(store) == {kept.body_id}
        assert store.contents.keys_on_disk() == [primary(2)]
    assert not room.faults


@pytest.mark.parametrize("item", [Everything(), Site(SITE), Host(HERE.host)])
async def test_an_order_for_much_empties_memory_and_disk_to_the_last_byte(
    room: StoreRoom, tmp_path: Path, item: Selector
):
    async with room.store() as store:
        for name in range(10):
            put(store, name, length=LARGE_BODY if name % 3 == 0 else SMALL_BODY)
        await written(store)
        assert store.disk is not None
        occupied = (store.memory.used_bytes, store.disk.used_bytes)
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(item))
        await swept(sweep, orders)
        assert (store.memory.used_bytes, store.disk.used_bytes) == (0, 0)
        assert (reclaimed(room, "memory"), reclaimed(room, "disk")) == ((10, occupied[0]), (10, occupied[1]))
        assert body_files(tmp_path) == []


async def test_what_was_stored_after_the_order_stays_and_its_older_variant_goes(room: StoreRoom):
    async with room.store() as store:
        orders = Orders()
        old, old_body = tagged(1, b"red", nominated=GZIP)
        store.put(old, old_body)
        order = orders.give(RED, uri(1))
        new = put(store, 1, b"red", fence=orders.table.applied)
        await written(store)
        sweep = sweep_of(store, orders, room)
        sweep.applied(order)
        await swept(sweep, orders)
        assert await left(store, 1) == [new.body_id]
        await forgotten_by_memory(store)
        assert await left(store, 1) == [new.body_id]


async def test_what_soft_orders_name_stays(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, b"red")
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED, soft=True))
        assert sweep.is_idle
        sweep.look_everywhere()
        await swept(sweep, orders)
        assert store.in_memory(primary(1))


async def test_what_memory_has_and_is_clean_is_told_so_and_what_is_soft_is_not(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, b"red")
        put(store, 2, b"blue")
        orders = Orders()
        orders.give(RED, soft=True)
        sweep = sweep_of(store, orders, room)
        sweep.look_everywhere()
        await swept(sweep, orders)
        (red,), (blue,) = store.in_memory(primary(1)), store.in_memory(primary(2))
        assert (red.clean, blue.clean) == (0, orders.table.applied)


async def test_only_on_disk_and_only_in_memory_make_no_difference(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, b"red")
        await forgotten_by_memory(store)
        store.memory.put(primary(2), (), tagged(2, b"red")[0], b"", 500)
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        await swept(sweep, orders)
        assert (held(store), store.contents.keys_on_disk()) == (set(), [])


async def test_a_row_of_another_version_goes_too(room: StoreRoom):
    async with room.store() as store:
        assert store.disk is not None
        disk = store.disk
        await writing_of(store).run(
            lambda: disk.put_small(primary(1), bytes(16), b"of another time", b"body")
        )
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.look_everywhere()
        await swept(sweep, orders)
        assert len(disk) == 0


async def test_a_store_without_a_disk_is_swept(room: StoreRoom):
    async with room.store(opened=False) as store:
        put(store, 1, b"red")
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        sweep.applied(orders.give(uri(1)))
        await writing_of(store).start()
        await swept(sweep, orders)
        assert held(store) == set()


# -- with others at work --


async def test_what_waits_to_be_written_is_not_written(room: StoreRoom):
    async with room.store() as store:
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        with writing_held_up(writing_of(store)):
            put(store, 1, b"red")
            sweep.applied(orders.give(RED))
            for _ in range(5):
                await sweep.turn()
            assert await left(store, 1) == []
        await swept(sweep, orders)
        await written(store)
        assert store.contents.keys_on_disk() == []


async def test_what_waits_to_be_written_and_has_left_memory_is_swept_once_it_is_written(room: StoreRoom):
    async with room.store() as store:
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        with writing_held_up(writing_of(store)):
            put(store, 1, b"red")
            store.memory.remove_key(primary(1))
            sweep.applied(orders.give(RED))
            for _ in range(5):
                await sweep.turn()
                orders.clock.advance(1.0)
            assert not sweep.is_idle
        await written(store)
        assert store.contents.keys_on_disk() == [primary(1)]
        await swept(sweep, orders)
        assert store.contents.keys_on_disk() == []


async def test_a_copy_that_came_into_memory_meanwhile_goes_with_its_row(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, b"red")
        await forgotten_by_memory(store)
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        for _ in range(2):
            await sweep.turn()  # memory has been looked at
        assert len(await store.load(primary(1))) == 1
        await swept(sweep, orders)
        assert held(store) == set()


async def test_being_looked_at_is_no_use(room: StoreRoom):
    async with room.store() as store:
        put(store, 1, b"blue")
        await written(store)
        assert store.disk is not None
        orders = Orders()
        sweep = sweep_of(store, orders, room)
        sweep.applied(orders.give(RED))
        await swept(sweep, orders)
        assert not store.in_memory(primary(1))[0].visited
        assert (store.disk.counters.hits, room.reads("found")) == (0, 0)
