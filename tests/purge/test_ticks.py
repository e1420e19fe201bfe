"""Beats and ticks: when they are due, what they say, and who writes them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from edge.bus.connection import Bus, Said
from edge.clock import SystemClock
from edge.measures import Measures
from edge.purge.follower import Follower
from edge.purge.reading_steps import natural_history
from edge.purge.ticks import HEARD_SECONDS, MAX_BEAT_BYTES, MOST_TICK_SECONDS, TICK_SECONDS, Ticks, beat_of
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import MAX_HEARD, NewHistory, Tick, decode, encode
from edge.semantics.purge_table import PurgeTable
from tests.kit.buses import log_of_its_own
from tests.kit.clock import ManualClock
from tests.kit.followers import node, seen
from tests.kit.nats import NatsServer
from tests.kit.waiting import PATIENCE


def made(tmp_path: Path, clock: ManualClock) -> tuple[Ticks, Follower]:
    bus = Bus(NatsServer(Path()).address(), name="n1", clock=SystemClock(), measures=Measures())
    table = PurgeTable(lambda uri: ())
    follower = Follower(
        bus, table, folder=tmp_path, node="n1", instance="i1", clock=clock, measures=Measures()
    )
    return Ticks(bus, follower, node="n1", instance="i1", clock=clock), follower


def hear(ticks: Ticks, name: str, beat: int = 5) -> None:
    ticks._hear(Said("perigee.beat", json.dumps({"node": name, "instance": "i", "beat": beat}).encode(), {}))


def test_the_first_is_due_at_once(tmp_path: Path):
    ticks, _ = made(tmp_path, ManualClock())
    assert ticks.due_at(0.3) == float("-inf")


def test_one_is_due_when_nobody_has_written_one_for_a_second_and_a_bit(tmp_path: Path):
    ticks, follower = made(tmp_path, ManualClock())
    follower.tick_read_at = follower.proven_at = 100.0
    assert ticks.due_at(0.3) == 101.3


def test_one_whose_proof_grows_old_writes_whatever_others_do(tmp_path: Path):
    ticks, follower = made(tmp_path, ManualClock())
    follower.tick_read_at, follower.proven_at = 100.0, 92.0
    assert ticks.due_at(0.3) == 97.0
    ticks._ticked_at = 99.5
    assert ticks.due_at(0.3) == 99.5 + TICK_SECONDS, "but not faster than one a second"


def test_many_nodes_tick_more_slowly(tmp_path: Path):
    ticks, follower = made(tmp_path, ManualClock())
    follower.tick_read_at = follower.proven_at = 100.0
    for number in range(50):
        hear(ticks, f"n{number}")
    assert ticks.due_at(0.0) == 102.0
    for number in range(1_000):
        hear(ticks, f"n{number}")
    assert ticks.due_at(0.0) == 100.0 + MOST_TICK_SECONDS


def test_a_tick_says_the_newest_beat_of_all_who_were_heard_and_our_own_of_this_moment(tmp_path: Path):
    clock = ManualClock(mono=50.25)
    ticks, _ = made(tmp_path, clock)
    hear(ticks, "n2", 7)
    clock.advance(HEARD_SECONDS - 1)
    hear(ticks, "n3", 8)
    hear(ticks, "n3", 9)
    hear(ticks, "n1", 1)
    clock.advance(1.5)
    tick = ticks.tick()
    assert tick.heard == {"n1": ("i1", int(clock.mono() * 1000)), "n3": ("i", 9)}
    assert tick.by == "n1"
    assert decode(encode(tick)) == tick


def test_those_who_are_heard_are_bounded(tmp_path: Path):
    ticks, _ = made(tmp_path, ManualClock())
    for number in range(MAX_HEARD + 5):
        hear(ticks, f"m{number}")
    assert len(ticks.tick().heard) == MAX_HEARD
    assert isinstance(decode(ticks.encoded()), Tick)


def test_of_more_nodes_than_fit_into_a_message_each_speaks_for_itself(tmp_path: Path):
    ticks, _ = made(tmp_path, ManualClock())
    for number in range(3_000):
        hear(ticks, f"{'n' * 240}{number}")
    tick = decode(ticks.encoded())
    assert isinstance(tick, Tick)
    assert set(tick.heard) == {"n1"}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"[1]",
        b"7",
        b'{"node":"n","instance":"i"}',
        b'{"node":"","instance":"i","beat":1}',
        b'{"node":7,"instance":"i","beat":1}',
        b'{"node":"n","instance":"i","beat":1.5}',
        b'{"node":"n","instance":"i","beat":true}',
        b'{"node":"n","instance":"i","beat":-1}',
        b'{"node":"n","instance":"i","beat":%d}' % (1 << 60),
        json.dumps({"node": "n" * 257, "instance": "i", "beat": 1}).encode(),
        json.dumps({"node": "n", "instance": "i" * 65, "beat": 1}).encode(),
        b'{"node":"n","instance":"i","beat":1}' + b" " * MAX_BEAT_BYTES,
        b"[" * 1_000,
    ],
)
def test_what_is_no_beat_is_not_heard(said: bytes):
    assert beat_of(said) is None


def test_what_is_one_is_heard():
    assert beat_of(b'{"node":"n","instance":"i","beat":7,"more":1}') == ("n", "i", 7)


async def test_two_nodes_are_proven_by_each_other_s_ticks(tmp_path: Path):
    async with (
        log_of_its_own(tmp_path) as (server, bus),
        node(server.address(), tmp_path / "a") as one,
        node(server.address(), tmp_path / "b", name="n2") as two,
    ):
        ticks: list[Tick] = []

        def heard(said: Said) -> None:
            message = decode(said.data)
            if isinstance(message, Tick):
                ticks.append(message)

        await bus.subscribe(bus.address.live_subjects, heard)
        await asyncio.gather(one.caught_up(), two.caught_up())
        await seen(lambda: any(len(tick.heard) == 2 for tick in ticks), lambda: ticks)
        assert len(ticks) < 5, "one a second, whoever writes it"


async def test_a_history_that_a_message_began_is_said_again_each_hour(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (server, bus), node(server.address(), tmp_path / "a") as one:
        await one.caught_up()
        clock = ManualClock(mono=SystemClock().mono())
        ticks = Ticks(one.bus, one.follower, node="n1", instance="i1", clock=clock)

        async def histories() -> int:
            found: dict[str, Any] = await bus.api(
                "STREAM.INFO.PERIGEE", {"subjects_filter": bus.address.history_subject}, within=PATIENCE
            )
            return int((found["state"].get("subjects") or {}).get(bus.address.history_subject, 0))

        clock.advance(3_600.0)
        one.follower.proven_at = clock.mono()
        await ticks._say_history()
        assert await histories() == 0, "this one is the stream's own"
        data = encode(NewHistory(natural_history("other"), "n1", UnixSeconds(0.0)))
        await bus.request(bus.address.history_subject, data, within=PATIENCE)
        await seen(lambda: not one.follower.history_is_natural, lambda: one.follower.history)
        for _ in range(2):
            clock.advance(3_600.0)
            one.follower.proven_at = clock.mono()
            await ticks._say_history()
            await ticks._say_history()
        assert await histories() == 3
        clock.advance(3_600.0)
        await ticks._say_history()
        assert await histories() == 3, "only who is current may say it"
