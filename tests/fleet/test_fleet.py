"""Nodes that hear each other over a real nats-server: who is there, who has applied what, and who waits for that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.fleet.fleet import SURVEY_SECONDS
from edge.fleet.presence import Presence, encode
from edge.fleet.registry import LIVE_SECONDS
from tests.kit.fleets import HISTORY, OneNode, Party
from tests.kit.nats import NatsServer
from tests.kit.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
SOON = 0.01
"""Seconds to wait for what must not come."""


@pytest.fixture
async def party(tmp_path: Path):
    async with NatsServer(tmp_path / "nats") as server, Party(server) as party:
        yield party


async def test_each_hears_each(party: Party):
    a, b = await party.join("a"), await party.join("b.1", region="us", applied=3)
    await a.sees(a=0, **{"b.1": 3})
    await b.sees(a=0)
    first, second = a.fleet.described()
    assert (first["node"], second["node"], second["region"]) == ("a", "b.1", "us")
    assert (first["behind"], second["behind"]) == (3, 0)
    assert first["live"]
    assert first["ready"]
    assert a.measures.fleet_nodes.of("live").read() == 2
    assert a.measures.fleet_nodes.of("away").read() == 0


async def test_what_a_node_applies_is_heard_at_once_and_wakes_who_waits(party: Party):
    a, b = await party.join("a"), await party.join("b")
    await a.sees(b=0)
    party.clock.advance(SURVEY_SECONDS)
    a.fleet.moved()
    waiting = asyncio.ensure_future(a.fleet.wait(5, HISTORY, None, PATIENCE))
    a.applies(5)
    await a.sees(a=5)
    assert not waiting.done()
    b.applies(6)
    receipt = await waiting
    assert receipt.is_complete
    assert [each.node for each in receipt.applied] == ["a", "b"]
    assert receipt.applied[1].at == party.clock.mono()
    assert a.fleet.unix(party.clock.mono()) == party.clock.now()


async def test_who_runs_out_of_patience_is_told_who_is_missing(party: Party):
    a, b = await party.join("a", applied=5), await party.join("b", region="us")
    await a.sees(a=5, b=0)
    party.clock.advance(SURVEY_SECONDS)
    await until_heard(a)
    receipt = await a.fleet.wait(5, HISTORY, None, SOON)
    assert [each.node for each in receipt.pending] == ["b"]
    assert not receipt.is_complete
    assert (await a.fleet.wait(5, HISTORY, "eu", SOON)).is_complete
    b.applies(5, history="f" * 16)
    await a.sees(b=5)
    assert not (await a.fleet.wait(5, HISTORY, "us", SOON)).is_complete


async def until_heard(node: OneNode) -> None:
    """Until it heard itself under the present time."""
    node.fleet.moved()

    async def surveyed() -> bool:
        return node.fleet.surveyed

    await until(surveyed, every=0.005)


async def test_a_node_that_falls_silent_is_away_and_nobody_waits_for_it(party: Party):
    a, b = await party.join("a"), await party.join("b")
    changed: list[str] = []
    a.fleet.on_change(changed.append)
    await a.sees(b=0)
    waiting = asyncio.ensure_future(a.fleet.wait(5, HISTORY, None, PATIENCE))
    a.applies(5)
    await a.sees(a=5)
    await b.fall_silent()
    party.clock.advance(LIVE_SECONDS + 0.1)
    assert not a.fleet.surveyed, "nothing is concluded before we hear ourselves"
    assert not a.fleet.receipt(5, HISTORY).is_complete
    a.fleet.moved()
    receipt = await waiting
    assert receipt.is_complete
    assert [each.node for each in receipt.away] == ["b"]
    assert "b" in changed
    assert a.measures.fleet_nodes.of("away").read() == 1


async def test_a_node_that_leaves_is_neither_awaited_nor_away(party: Party):
    a, b = await party.join("a", applied=5), await party.join("b")
    await a.sees(a=5, b=0)
    party.clock.advance(SURVEY_SECONDS)
    waiting = asyncio.ensure_future(a.fleet.wait(5, HISTORY, None, PATIENCE))
    await b.tasks.aclose()
    await b.fleet.leave()
    await until_heard(a)
    receipt = await waiting
    assert (receipt.pending, receipt.away) == ((), ())


async def test_who_has_just_begun_to_listen_completes_nothing(party: Party):
    a = await party.join("a", applied=5)
    await a.sees(a=5)
    assert not (await a.fleet.wait(5, HISTORY, None, SOON)).is_complete
    party.clock.advance(SURVEY_SECONDS)
    await until_heard(a)
    assert (await a.fleet.wait(5, HISTORY, None, 0.0)).is_complete


async def test_a_server_that_is_gone_leaves_nothing_surveyed_until_it_was_heard_again(
    tmp_path: Path,
):
    async with NatsServer(tmp_path / "nats") as server, Party(server) as party:
        a = await party.join("a", applied=5)
        await a.sees(a=5)
        party.clock.advance(SURVEY_SECONDS)
        await until_heard(a)
        await server.kill()

        async def lost() -> bool:
            return not a.bus.is_connected

        await until(lost)
        assert not a.fleet.surveyed
        await server.start()

        async def again() -> bool:
            return a.bus.is_connected

        await until(again)
        await a.sees(a=5)
        assert not a.fleet.surveyed
        party.clock.advance(SURVEY_SECONDS)
        await until_heard(a)


async def test_a_message_that_is_none_or_speaks_for_another_is_counted_and_changes_nothing(party: Party):
    a = await party.join("a")
    bus, _ = await party.bus("x")
    await a.sees(a=0)
    await bus.publish("perigee.presence.x", b"{")
    await bus.publish("perigee.presence.x", encode(Presence("a", "two", "eu", applied=99)))
    await bus.publish("perigee.presence.x.a", encode(Presence("x.a", "two", "eu", applied=99)))

    async def counted() -> bool:
        return a.counted("bad") == 3

    await until(counted)
    assert [(each.presence.node, each.presence.instance) for each in a.fleet.nodes()] == [("a", "one")]


async def test_two_nodes_with_one_name_are_told_of_and_complete_nothing(
    party: Party, caplog: pytest.LogCaptureFixture
):
    a = await party.join("a", applied=5)
    await party.join("a", instance="two", applied=5)

    async def contested() -> bool:
        a.fleet.moved()
        return a.counted("contested") >= 3

    await until(contested)
    assert a.fleet.described()[0]["contested"]
    assert [missing.contested for missing in a.fleet.receipt(5, HISTORY).pending] == [True]
    told = [record for record in caplog.records if record.message.startswith("two nodes have one name")]
    assert 1 <= len(told) <= 2, "once by each of them"
