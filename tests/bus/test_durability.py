"""The stream as purges need it, and servers that fsync always."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edge.bus.address import BusAddress
from edge.bus.durability import configuration_of, keepers_of, make_durable, problems_of, problems_of_server
from edge.bus.faults import BusFault
from edge.clock import SystemClock
from edge.errors import ConfigFault
from edge.settings.node import Durability, NatsSettings
from tests.kit.buses import TRUSTED, bus_to
from tests.kit.nats import NatsCluster, NatsServer
from tests.kit.waiting import PATIENCE
from tools.ports import free_ports

ADDRESS = BusAddress(urls=("nats://a:1",))
FOUND = configuration_of(ADDRESS)
CLOCK = SystemClock()


def checked(*monitor: str) -> NatsSettings:
    return NatsSettings(durability=Durability.CHECKED, monitor=monitor)


def test_the_stream_that_we_make_is_as_it_has_to_be():
    assert list(problems_of(FOUND, ADDRESS)) == []


@pytest.mark.parametrize(
    "change,says",
    [
        ({"subjects": ["other.>"]}, "nats.stream: subjects"),
        ({"retention": "workqueue"}, "nats.stream: retention"),
        ({"storage": "memory"}, "nats.stream: storage"),
        ({"discard": "new"}, "nats.stream: discard"),
        ({"republish": None}, "nats.stream: republish"),
        ({"republish": {"src": "perigee.log.>", "dest": "x.>"}}, "nats.stream: republish"),
        ({"max_msgs": 100}, "nats.stream: max_msgs"),
        ({"max_msgs_per_subject": 1}, "nats.stream: max_msgs_per_subject"),
        ({"num_replicas": 0}, "nats.replicas"),
        ({"allow_direct": False}, "--allow-direct"),
        ({"deny_delete": False}, "deny_delete"),
        ({"deny_purge": False}, "deny_purge"),
        ({"max_msg_size": 1000}, "--max-msg-size=524288"),
        ({"duplicate_window": 10**9}, "--dupe-window=120s"),
    ],
)
def test_what_differs_is_refused_with_what_to_do(change: dict[str, Any], says: str):
    problems = list(problems_of({**FOUND, **change}, ADDRESS))
    assert len(problems) == 1
    assert says in problems[0]


@pytest.mark.parametrize(
    "change",
    [{"max_age": 1}, {"max_bytes": -1}, {"num_replicas": 5}, {"max_msg_size": -1}, {"metadata": {"a": "b"}}],
)
def test_what_purges_do_not_depend_on_may_differ(change: dict[str, Any]):
    assert list(problems_of({**FOUND, **change}, ADDRESS)) == []


@pytest.mark.parametrize(
    "varz,says",
    [
        ({"server_name": "n1", "jetstream": {"config": {"sync_always": True}}}, None),
        ({"server_name": "n1", "jetstream": {"config": {"sync_interval": 120}}}, 'sync_interval: "always"'),
        ({"server_name": "n1", "jetstream": {"config": {"sync_always": 1}}}, 'sync_interval: "always"'),
        ({"server_name": "n1"}, "no JetStream"),
    ],
)
def test_a_server_that_fsyncs_now_and_then_is_refused(varz: dict[str, Any], says: str | None):
    problems = list(problems_of_server("http://a:1", varz))
    assert len(problems) == (says is not None)
    assert all(says is not None and says in problem for problem in problems)


def test_the_keepers_of_a_stream_are_its_leader_and_its_replicas():
    assert keepers_of({"cluster": {"leader": "a", "replicas": [{"name": "b"}, {"name": "c"}]}}) == {
        "a",
        "b",
        "c",
    }
    assert keepers_of({}) == frozenset()


async def test_nodes_that_come_at_once_make_one_stream(tmp_path: Path):
    async with (
        NatsServer(tmp_path) as server,
        bus_to(server.address()) as one,
        bus_to(server.address()) as two,
    ):
        await asyncio.gather(
            *[make_durable(bus, checked(server.monitor), CLOCK) for bus in (one, two, one, two)]
        )
        assert (await one.api("STREAM.LIST", within=PATIENCE))["total"] == 1


async def test_a_stream_of_others_is_refused(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        await bus.api("STREAM.CREATE.PERIGEE", {"name": "PERIGEE", "subjects": ["x"]}, within=PATIENCE)
        with pytest.raises(ConfigFault, match=r"(?s)subjects.*republish.*deny_delete"):
            await make_durable(bus, TRUSTED, CLOCK)


async def test_subjects_that_another_stream_has_are_refused(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        await bus.api("STREAM.CREATE.X", {"name": "X", "subjects": ["perigee.>"]}, within=PATIENCE)
        with pytest.raises(ConfigFault, match=r"nats\.prefix"):
            await make_durable(bus, TRUSTED, CLOCK)


async def test_more_replicas_than_servers_are_refused(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address(replicas=3)) as bus:
        with pytest.raises(ConfigFault, match=r"nats\.replicas.*nats\.replicas = 1"):
            await make_durable(bus, TRUSTED, CLOCK)


async def test_a_server_that_does_not_fsync_is_refused_unless_it_is_trusted(tmp_path: Path):
    async with NatsServer(tmp_path, sync_always=False) as server, bus_to(server.address()) as bus:
        with pytest.raises(ConfigFault, match=r"nats\.durability: the server n1 .*sync_interval"):
            await make_durable(bus, checked(server.monitor), CLOCK)
        await make_durable(bus, TRUSTED, CLOCK)


async def test_who_checks_has_to_say_whom(tmp_path: Path):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        with pytest.raises(ConfigFault, match=r"nats\.monitor: .*nats\.durability"):
            await make_durable(bus, checked(), CLOCK)


@pytest.mark.parametrize("what", ["nobody", "somebody else"])
async def test_a_monitor_that_does_not_answer_is_a_fault_of_the_moment(tmp_path: Path, what: str):
    async with NatsServer(tmp_path) as server, bus_to(server.address()) as bus:
        monitor = f"http://127.0.0.1:{free_ports(1)[0]}" if what == "nobody" else server.monitor + "/none"
        with pytest.raises(BusFault, match=r"nats\.monitor"):
            await make_durable(bus, checked(monitor), CLOCK)


async def test_our_own_stream_follows_our_settings(tmp_path: Path):
    async with NatsServer(tmp_path) as server:
        for max_age in (3600.0, 7200.0):
            async with bus_to(server.address(max_age=max_age, is_own=True)) as bus:
                await make_durable(bus, checked(), CLOCK)
                info = await bus.api("STREAM.INFO.PERIGEE", within=PATIENCE)
                assert info["config"]["max_age"] == max_age * 1e9


async def test_retention_of_others_is_told_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with NatsServer(tmp_path) as server:
        for max_age in (3600.0, 7200.0):
            async with bus_to(server.address(max_age=max_age)) as bus:
                await make_durable(bus, TRUSTED, CLOCK)
                info = await bus.api("STREAM.INFO.PERIGEE", within=PATIENCE)
                assert info["config"]["max_age"] == 3600.0 * 1e9
    assert [record.setting for record in caplog.records if hasattr(record, "setting")] == ["nats.max_age"]


@pytest.mark.slow
async def test_all_who_keep_it_must_be_seen(tmp_path: Path):
    async with NatsCluster(tmp_path) as cluster, bus_to(cluster.address()) as bus:
        await make_durable(bus, checked(*cluster.monitors), CLOCK)
        with pytest.raises(ConfigFault, match=r"kept by n3 too"):
            await make_durable(bus, checked(*cluster.monitors[:2]), CLOCK)
        await cluster.servers[2].kill()
        with pytest.raises(BusFault, match=r"nats\.monitor"):
            await make_durable(bus, checked(*cluster.monitors), CLOCK)
