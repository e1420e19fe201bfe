"""Vantage points before real sockets and a real bus: what they see, agree on, hear, and keep when the bus is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.fleet.presence import Presence
from edge.fleet.presence import encode as presence_of
from edge.geo.network_view import Health
from edge.geo.opinions import Report, encode
from tests.kit.buses import bus_to, counted
from tests.kit.checked import CheckedNodes
from tests.kit.nats import NatsServer
from tests.kit.waiting import until
from tests.kit.watchers import Watcher, network, watching


async def test_without_a_bus_a_vantage_point_goes_by_its_own_checks(tmp_path: Path):
    async with CheckedNodes("fra-1", "iad-1") as nodes, watching(network(nodes), tmp_path) as one:
        await one.sees("fra", lambda pop: pop["health"] == "up")
        assert one.told[0]["pops"]["fra"][0] == "unknown"
        await nodes["fra-1"].stop()
        await one.sees("fra", lambda pop: pop["health"] == "down")
        assert one.told[-1]["pops"]["fra"][0] == "down"
        assert one.told[-1]["nodes_out"] == ["fra-1"]
        assert counted(one.measures, "perigee_pop_up") == {("iad",): 1}
        await nodes["fra-1"].start()
        await one.sees("fra", lambda pop: pop["health"] == "up")
        assert one.watching.described()["bus"] == "none"


async def test_checks_that_take_everybody_out_are_doubted_and_that_is_loud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with CheckedNodes("fra-1", "iad-1") as nodes, watching(network(nodes), tmp_path) as one:
        await one.sees("fra", lambda pop: pop["health"] == "up")
        for node in nodes.values():
            await node.stop()

        async def doubts() -> bool:
            return counted(one.measures, "perigee_pop_doubted") == {("fra",): 1, ("iad",): 1}

        await until(doubts, every=0.01)
        assert (one.pop("fra")["health"], one.pop("iad")["health"]) == ("unknown", "unknown")
        assert caplog.text.count("the checks are doubted") == 1
        await nodes["fra-1"].start()
        await one.sees("iad", lambda pop: pop["health"] == "down")
        assert counted(one.measures, "perigee_pop_doubted") == {}


async def test_what_makes_no_difference_is_not_told_again(tmp_path: Path):
    async with CheckedNodes("fra-1", "iad-1") as nodes, watching(network(nodes), tmp_path) as one:
        await one.sees("fra", lambda pop: pop["health"] == "up")
        asked = len(nodes["fra-1"].asked)
        told = len(one.told)

        async def asked_again() -> bool:
            return len(nodes["fra-1"].asked) >= asked + 5

        await until(asked_again, every=0.01)
        assert len(one.told) == told


async def test_one_of_two_vantage_points_takes_nothing_out_and_both_do(tmp_path: Path):
    async with NatsServer(tmp_path / "nats") as server, CheckedNodes("fra-1", "iad-1") as nodes:
        said = network(nodes, server)
        elsewhere = replace(said, nodes=tuple(replace(node, admin=nodes["iad-1"].at) for node in said.nodes))
        async with (
            watching(said, tmp_path / "a", "dns-1") as one,
            watching(elsewhere, tmp_path / "b", "dns-2") as other,
        ):
            await one.sees("fra", lambda pop: len(pop["opinions"]) == 2)
            await nodes["fra-1"].stop()
            await other.sees("fra", lambda pop: pop["opinions"]["dns-1"]["health"] == "down")
            assert (one.pop("fra")["health"], other.pop("fra")["health"]) == ("up", "up")
            other.watching.apply(said)
            await one.sees("fra", lambda pop: pop["health"] == "down")
            await other.sees("fra", lambda pop: pop["health"] == "down")
            await server.kill()
            await nodes["fra-1"].start()
            await one.sees("fra", lambda pop: pop["health"] == "up")


async def test_a_drain_reaches_all_and_outlives_restarts_wherever_it_was_ordered(tmp_path: Path):
    async with NatsServer(tmp_path / "nats") as server, CheckedNodes("fra-1", "iad-1") as nodes:
        said = network(nodes, server)
        async with watching(said, tmp_path / "a", "dns-1") as one:
            async with watching(said, tmp_path / "b", "dns-2") as other:
                await other.is_on_the_bus()
                await one.watching.drain("fra", True)
                await other.sees("fra", lambda pop: pop["drained"] == 1.0)
                assert other.pop("fra")["drain"]["by"] == "dns-1"
            async with watching(said, tmp_path / "c", "dns-3") as newcomer:
                await newcomer.sees("fra", lambda pop: pop["drained"] == 1.0)
        async with watching(replace(said, nats=network(nodes).nats), tmp_path / "b", "dns-2") as alone:
            assert alone.pop("fra")["drained"] == 1.0
            assert alone.told[0]["pops"]["fra"][1] == 1.0
            await alone.watching.drain("fra", False)
            await alone.sees("fra", lambda pop: pop["drained"] == 0.0)


async def has_listened(listener: Watcher) -> None:
    """For as long as it takes to hear everybody."""
    await listener.is_on_the_bus()
    clock, watching_ = SystemClock(), listener.watching

    async def so() -> bool:
        return clock.mono() - watching_._since >= watching_.network.health.presence_life

    await until(so, every=0.01)


async def test_a_listener_asks_nobody_and_hears_vantage_points_and_nodes(tmp_path: Path):
    async with (
        NatsServer(tmp_path / "nats") as server,
        CheckedNodes("fra-1", "iad-1") as nodes,
        watching(network(nodes, server, presence_life=0.1), tmp_path, None) as listener,
        bus_to(server.address()) as bus,
    ):
        await has_listened(listener)
        report = Report("dns-1", "0" * 16, {"fra": Health.DOWN, "iad": Health.UP})
        await bus.publish("perigee.opinion.dns-1", encode(report))
        await listener.sees("fra", lambda pop: pop["health"] == "down")
        presence = Presence("iad-1", "i", "all", ready=True, proof_age=0.1, load=0.5)
        await bus.publish("perigee.presence.iad-1", presence_of(presence))
        await listener.sees("iad", lambda pop: pop["load"] == 0.5 and pop["ready"] == 1.0)
        await bus.publish("perigee.presence.iad-1", presence_of(replace(presence, ready=False)))
        await listener.sees("iad", lambda pop: pop["ready"] == 0.0)
        assert nodes["fra-1"].asked == []


async def test_who_speaks_for_another_or_for_nobody_is_not_heard(tmp_path: Path):
    async with (
        NatsServer(tmp_path / "nats") as server,
        CheckedNodes("fra-1") as nodes,
        watching(network(nodes, server), tmp_path, None) as listener,
        bus_to(server.address()) as bus,
    ):
        await listener.is_on_the_bus()
        down = Report("dns-1", "0" * 16, {"fra": Health.DOWN})
        await bus.publish("perigee.opinion.dns-2", encode(down))
        await bus.publish("perigee.opinion.dns-2", b"{}")
        stranger = Presence("lhr-1", "i", "all", ready=True)
        await bus.publish("perigee.presence.lhr-1", presence_of(stranger))
        await bus.publish("perigee.presence.fra-1", presence_of(stranger))
        await bus.publish("perigee.opinion.dns-1", encode(replace(down, health={"fra": Health.UP})))
        await listener.sees("fra", lambda pop: pop["health"] == "up")
        assert counted(listener.measures, "perigee_opinions_total") == {("bad",): 2, ("taken",): 1}
        assert listener.watching._said == {}


async def test_two_with_one_name_are_told_of(tmp_path: Path, caplog):
    async with NatsServer(tmp_path / "nats") as server, CheckedNodes("fra-1") as nodes:
        said = network(nodes, server)
        async with watching(said, tmp_path / "a") as one, watching(said, tmp_path / "b"):

            async def complains() -> bool:
                return "two DNS servers have one name" in caplog.text

            await until(complains, every=0.01)
            assert one.pop("fra")["health"] == "up"
