"""What the servers of the log are asked, and answers that are nonsense."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from edge.bus.connection import Bus, Said
from edge.bus.faults import ApiFault, NobodyThere
from edge.clock import SystemClock
from edge.measures import Measures
from edge.purge import questions
from edge.purge.reading_steps import Entry, LogState
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import NewHistory, decode
from tests.kit.buses import bus_to, log_of_its_own
from tests.kit.nats import NatsServer
from tests.kit.waiting import PATIENCE

HEADERS = {"Nats-Stream": "PERIGEE", "Nats-Sequence": "7", "Nats-Time-Stamp": "t"}


async def test_a_log_is_asked_all_that_a_reader_wants_to_know(tmp_path: Path):
    async with log_of_its_own(tmp_path) as (_, bus):
        empty = await questions.state(bus)
        assert (empty.first, empty.last, empty.last_stamp) == (1, 0, "")
        assert await questions.batch(bus, 1) == []
        assert await questions.at(bus, 0) is None
        assert await questions.at_or_after(bus, 1) is None
        assert await questions.last_history(bus) is None

        heard: list[Entry | None] = []
        await bus.subscribe(
            bus.address.live_subjects, lambda said: heard.append(questions.entry_of(said, "PERIGEE"))
        )
        for name in ("a", "b", "c"):
            await bus.request(bus.address.order_subject, name.encode(), within=PATIENCE)
        await questions.say_history(bus, "0" * 16, "history-0", by="n1", at=UnixSeconds(5.0))
        await questions.say_history(bus, "0" * 16, "history-0", by="n1", at=UnixSeconds(5.0))
        assert await bus.check(PATIENCE)

        entries = await questions.batch(bus, 1)
        assert [entry.seq for entry in entries] == [1, 2, 3, 4]
        assert heard == entries, "live messages are those of the log, to the last digit"
        assert await questions.batch(bus, 3) == entries[2:]
        assert await questions.at(bus, 2) == entries[1]
        assert await questions.at(bus, 9) is None
        assert await questions.at_or_after(bus, 3) == entries[2]
        last = await questions.last_history(bus)
        assert last == entries[3]
        assert decode(last.data) == NewHistory("0" * 16, "n1", UnixSeconds(5.0))
        state = await questions.state(bus)
        assert (state.created, state.first, state.last) == (empty.created, 1, 4)
        assert state.last_stamp == entries[3].stamp


async def test_without_a_stream_all_of_them_are_faults(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        for asked in (questions.state(bus), questions.at(bus, 1), questions.last_history(bus)):
            with pytest.raises(ApiFault):
                await asked
        with pytest.raises(NobodyThere):
            await questions.batch(bus, 1)
        with pytest.raises(NobodyThere):
            await questions.say_history(bus, "0" * 16, "history-0", by="n1", at=UnixSeconds(5.0))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**HEADERS, "Nats-Stream": "OTHER"},
        {**HEADERS, "Nats-Sequence": "0"},
        {**HEADERS, "Nats-Sequence": "-1"},
        {**HEADERS, "Nats-Sequence": "x"},
        {"Nats-Stream": "PERIGEE", "Nats-Sequence": "7"},
    ],
)
def test_what_the_log_did_not_say_is_no_message_of_it(headers: dict[str, str]):
    assert questions.entry_of(Said("perigee.live.order", b"x", headers), "PERIGEE") is None


def test_what_the_log_said_is_one():
    assert questions.entry_of(Said("s", b"x", HEADERS), "PERIGEE") == Entry(7, "t", b"x")


class Scripted(Bus):
    """Answers what it was told to."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(NatsServer(Path()).address(), name="n", clock=SystemClock(), measures=Measures())
        self.answer = answer

    async def api(self, name: str, body: object = None, *, within: float) -> dict[str, Any]:
        return self.answer


def stated(**changes: Any) -> dict[str, Any]:
    state = {"first_seq": 3, "last_seq": 9, "messages": 7, "last_ts": "t9"}
    return {"created": "c", "cluster": {"leader": "a", "leader_since": "s"}, "state": {**state, **changes}}


@pytest.mark.parametrize(
    "answer,state",
    [
        (stated(), LogState("c", 3, 9, "a s", "t9")),
        (stated(messages=0, first_seq=10), LogState("c", 10, 9, "a s")),
        (stated(messages=0, first_seq=0, last_seq=0), LogState("c", 1, 0, "a s")),
        ({**stated(), "cluster": None}, LogState("c", 3, 9, "None None", "t9")),
    ],
)
async def test_what_the_log_says_of_itself(answer: dict[str, Any], state: LogState):
    assert await questions.state(Scripted(answer)) == state


@pytest.mark.parametrize(
    "answer", [{}, {"state": 7}, {**stated(), "cluster": "a"}, stated(last_seq="x"), stated(last_seq=None)]
)
async def test_a_state_that_is_nonsense_is_a_fault(answer: dict[str, Any]):
    with pytest.raises(ApiFault):
        await questions.state(Scripted(answer))


@pytest.mark.parametrize(
    "message", [None, 7, {}, {"seq": 1}, {"seq": "x", "time": "t"}, {"seq": 1, "time": "t", "data": "%"}]
)
async def test_a_message_that_is_nonsense_is_a_fault(message: object):
    with pytest.raises(ApiFault):
        await questions.at(Scripted({"message": message}), 1)


async def test_a_message_without_data_is_one():
    data = base64.b64encode(json.dumps({}).encode()).decode()
    assert await questions.at(Scripted({"message": {"seq": 1, "time": "t"}}), 1) == Entry(1, "t", b"")
    assert await questions.at(Scripted({"message": {"seq": 1, "time": "t", "data": data}}), 1) == Entry(
        1, "t", b"{}"
    )
