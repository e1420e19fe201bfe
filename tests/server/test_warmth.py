"""A node says whether it is warm, and waits for it only where it is told to, and not for ever."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from edge.server.warmth import LOOK_SECONDS, Warmth, objects_of
from edge.settings.node import NodeSettings, ReadyWhen
from tests.kit.clock import ManualClock

WAITING = NodeSettings(ready_when=ReadyWhen.WARM, warm_objects=100, warm_patience=60.0)


@pytest.mark.parametrize(
    ("said", "objects"),
    [
        ([], 0),
        ([{"memory": 7, "disk": None}], 7),
        ([{"memory": 7, "disk": None}, {"memory": 5, "disk": None}], 7),
        ([{"memory": 7, "disk": 30}, {"memory": 5, "disk": 40}], 70),
        ([{"memory": 90, "disk": 3}, {"memory": 5, "disk": 4}], 90),
    ],
)
def test_what_is_stored_twice_counts_once(said: Collection[Mapping[str, Any]], objects: int):
    assert objects_of(said) == objects


def waits(warmth: Warmth) -> bool:
    return warmth.is_waited_for


def stored(objects: int) -> list[Mapping[str, Any]]:
    return [{"memory": 0, "disk": objects}]


def test_by_default_a_node_that_serves_is_warm():
    warmth = Warmth(NodeSettings, ManualClock())
    assert not waits(warmth)
    assert warmth.look(stored(0))
    assert warmth.described()["warm"] is True


def test_one_that_waits_is_warm_when_it_has_enough_and_stays_so():
    warmth = Warmth(lambda: WAITING, ManualClock())
    assert not warmth.look(stored(99))
    assert waits(warmth)
    assert warmth.look(stored(100))
    assert not waits(warmth)
    assert warmth.look(stored(0)), "a purge does not take it out of service"
    assert (warmth.described()["objects"], warmth.described()["wanted"]) == (0, 100)


def test_its_patience_ends():
    clock = ManualClock()
    warmth = Warmth(lambda: WAITING, clock)
    clock.advance(59.0)
    assert not warmth.look(stored(1))
    clock.advance(1.0)
    assert warmth.look(stored(1))
    assert "waited" in str(warmth.described()["why"])


def test_new_settings_count_at_once():
    settings = WAITING
    warmth = Warmth(lambda: settings, ManualClock())
    assert waits(warmth)
    settings = replace(WAITING, ready_when=ReadyWhen.STARTED)
    assert not waits(warmth)
    assert warmth.described()["warm"] is False


async def test_it_looks_until_it_is_warm_and_says_so_once():
    warmth = Warmth(lambda: WAITING, ManualClock())
    answers: list[Collection[Mapping[str, Any]] | None] = [None, stored(1), stored(200)]
    slept: list[float] = []
    told: list[bool] = []

    async def ask() -> Collection[Mapping[str, Any]] | None:
        return answers.pop(0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await warmth.watch(ask, lambda: told.append(warmth.is_waited_for), sleep=sleep)
    assert (slept, told, answers) == ([LOOK_SECONDS] * 2, [False], [])
