"""A rate is made of totals that grow, of workers that come, go and are silent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from edge.clock import SystemClock
from edge.server.request_rate import RequestRate
from edge.tasks import TaskOwner

STEPS: list[tuple[str, list[tuple[dict[int, int], float]], float | None]] = [
    ("nothing to compare with", [({0: 1000}, 10.0)], None),
    ("one worker", [({0: 1000}, 10.0), ({0: 1200}, 12.0)], 100.0),
    ("two workers", [({0: 0, 1: 50}, 10.0), ({0: 100, 1: 150}, 12.0)], 100.0),
    ("one is silent, and says it later", [({0: 0, 1: 0}, 0), ({0: 200}, 2), ({0: 400, 1: 400}, 4)], 180.0),
    ("a new process begins at 0", [({0: 1000}, 0), ({0: 100}, 2)], 50.0),
    ("a change is felt by and by", [({0: 0}, 0), ({0: 200}, 2), ({0: 200}, 4)], 60.0),
    ("no time has passed", [({0: 0}, 1), ({0: 10}, 1)], None),
]


@pytest.mark.parametrize(("steps", "rate"), [each[1:] for each in STEPS], ids=[each[0] for each in STEPS])
def test_the_rate_is_of_all_workers(steps: list[tuple[dict[int, int], float]], rate: float | None):
    said = RequestRate()
    for totals, at in steps:
        said.take(totals, at)
    assert said.now == (None if rate is None else pytest.approx(rate))


async def test_workers_are_asked_from_the_start_on():
    asked = asyncio.Event()

    async def served() -> Mapping[int, int]:
        asked.set()
        return {0: 7}

    async with TaskOwner("rates") as tasks:
        tasks.spawn(RequestRate().keep(served, SystemClock()), name="rate")
        await asyncio.wait_for(asked.wait(), 5)
