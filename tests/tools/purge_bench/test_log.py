"""A log to measure with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.purge_bench.log import (
    CLOCK,
    append_all,
    append_at,
    flushes_a_second,
    in_memory,
    last_of,
    log,
    orders,
    publish_at,
)

pytestmark = pytest.mark.slow


async def test_orders_stand_in_the_log_as_many_as_were_wanted_and_in_order(tmp_path: Path) -> None:
    began = CLOCK.mono()
    async with log(tmp_path, 1) as one:
        await append_all(20, orders("all"), one.log, at_once=4)
        await append_at(200.0, 10, orders("at"), one.log)
        assert await publish_at(100.0, 0.1, orders("plain"), one) >= 5
        await one.bus.check()
        found = list(reversed(await one.log.history()))
        names = [past.order.id.partition("-")[0] for past in found]
        assert names[:20] == ["all"] * 20 and names[20:30] == ["at"] * 10 and set(names[30:]) == {"plain"}
        assert all(began < float(past.order.note) < CLOCK.mono() for past in found)
        assert await last_of(one) >= len(found)


def test_how_often_a_disk_flushes_is_measured_and_nothing_is_left(tmp_path: Path) -> None:
    assert flushes_a_second(tmp_path, 3) > 0.0
    assert list(tmp_path.iterdir()) == []
    with in_memory(tmp_path) as folder:
        assert folder.is_dir()
