"""Questions to all nodes, over a real nats-server: who answers, who does not, and what is not taken."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edge.bus.faults import BusFault
from edge.fleet.asking import MAX_ANSWERING, MAX_QUESTION_BYTES
from tests.kit.fleets import OneNode, Party
from tests.kit.nats import NatsServer
from tests.kit.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
SOON = 0.1
"""Seconds to wait for an answer that must not come."""


@pytest.fixture
async def party(tmp_path: Path):
    async with NatsServer(tmp_path / "nats") as server, Party(server) as party:
        yield party


async def counted(node: OneNode, outcome: str, count: int = 1) -> None:
    async def enough() -> bool:
        return node.measures.fleet_questions.of(outcome).value >= count

    await until(enough, every=0.005)


async def test_every_live_node_is_asked_and_says_its_own(party: Party):
    a, b = await party.join("a"), await party.join("b.2")
    await a.sees(a=0, **{"b.2": 0})
    answers = await a.fleet.ask({"what": 7}, PATIENCE)
    assert answers == {"a": {"node": "a", "seen": 7}, "b.2": {"node": "b.2", "seen": 7}}
    assert b.asked == [{"what": 7}]


async def test_who_does_not_answer_in_time_is_left_out_and_its_answer_comes_too_late(party: Party):
    a, b = await party.join("a"), await party.join("b")
    b.hold = asyncio.Event()
    await a.sees(a=0, b=0)
    assert await a.fleet.ask({"what": 7}, SOON) == {"a": {"node": "a", "seen": 7}}
    await counted(b, "failed")


async def test_nobody_to_ask_is_no_answer(party: Party):
    a = await party.join("a")
    await a.sees(a=0)
    party.clock.advance(60.0)
    assert await a.fleet.ask({"what": 7}, PATIENCE) == {}
    assert a.asked == []


async def test_a_question_that_is_too_large_is_not_asked(party: Party):
    a = await party.join("a")
    with pytest.raises(BusFault) as fault:
        await a.fleet.ask({"what": "x" * MAX_QUESTION_BYTES}, PATIENCE)
    assert fault.value.status == 413


async def test_without_a_connection_nothing_can_be_asked(party: Party):
    a = await party.join("a")
    await a.sees(a=0)
    await a.bus.aclose()
    with pytest.raises(BusFault):
        await a.fleet.ask({"what": 7}, PATIENCE)


async def test_only_so_many_are_answered_at_a_time(party: Party):
    a, b = await party.join("a"), await party.join("b")
    a.hold, b.hold = asyncio.Event(), asyncio.Event()
    await a.sees(a=0, b=0)
    asking = [asyncio.ensure_future(a.fleet.ask({"what": 7}, PATIENCE)) for _ in range(MAX_ANSWERING + 1)]
    await counted(b, "dropped")
    assert len(b.asked) == MAX_ANSWERING
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    b.hold.set()
    await counted(b, "answered", MAX_ANSWERING)
    await counted(a, "late")
    b.hold = None
    a.hold.set()
    await counted(a, "answered", MAX_ANSWERING)
    assert set(await a.fleet.ask({"what": 8}, PATIENCE)) == {"a", "b"}


WHOLE = {"v": 1, "id": "0" * 16, "by": "x", "within": 1, "question": {}}
WRONG: list[dict[str, object]] = [
    {"v": 2},
    {"id": "A" * 16},
    {"id": 5},
    {"by": "*"},
    {"by": ">"},
    {"by": "a b"},
    {"by": "a" * 65},
    {"by": None},
    {"within": 0},
    {"within": "1"},
    {"within": True},
    {"question": []},
]
NO_QUESTIONS = [
    b"",
    b"[]",
    b"\xff",
    b"[" * 5_000,
    b" " * (MAX_QUESTION_BYTES + 1),
    *(json.dumps({**WHOLE, **wrong}).encode() for wrong in WRONG),
]


async def test_what_is_no_question_is_counted_and_not_answered(party: Party):
    a = await party.join("a")
    bus, _ = await party.bus("x")
    for data in NO_QUESTIONS:
        await bus.publish("perigee.ask.a", data)
    await counted(a, "bad", len(NO_QUESTIONS))
    assert a.asked == []


async def test_what_is_no_answer_is_counted_and_answers_nothing(party: Party):
    a, b = await party.join("a"), await party.join("b")
    bus, _ = await party.bus("x")
    await a.sees(a=0, b=0)
    b.hold = asyncio.Event()
    numbers: list[str] = []
    await bus.subscribe("perigee.ask.b", lambda said: numbers.append(json.loads(said.data)["id"]))
    asking = asyncio.ensure_future(a.fleet.ask({"what": 7}, PATIENCE))

    async def overheard() -> bool:
        return bool(numbers)

    await until(overheard, every=0.005)
    good = {"v": 1, "id": numbers[0], "by": "b", "answer": {}}
    for wrong in ({"v": 2}, {"by": "c"}, {"by": ["b"]}, {"answer": [1]}):
        await bus.publish("perigee.answer.a", json.dumps({**good, **wrong}).encode())
    await counted(a, "bad", 4)
    await bus.publish("perigee.answer.a", json.dumps({**good, "id": "f" * 16}).encode())
    await counted(a, "late")
    assert not asking.done()
    b.hold.set()
    assert (await asking)["b"] == {"node": "b", "seen": 7}
