"""A worker's own reader of the purge log, and what it is told of the log when it starts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.bus.address import BusAddress
from edge.clock import SystemClock
from edge.measures import Measures
from edge.semantics.purge_table import PurgeTable
from edge.semantics.selectors import Site
from edge.server.worker_log import PURGES, LogAccess, WorkerLog
from edge.tasks import TaskOwner
from tests.kit.buses import log_of_its_own
from tests.kit.followers import INSTANCE, Node, node, seen

pytestmark = pytest.mark.slow


@asynccontextmanager
async def reading(access: LogAccess, data_dir: Path) -> AsyncIterator[WorkerLog]:
    log = WorkerLog(
        access,
        PurgeTable(lambda uri: ()),
        node="n1",
        index=0,
        data_dir=data_dir,
        clock=SystemClock(),
        measures=Measures(),
    )
    async with TaskOwner("worker") as tasks:
        await log.start(tasks)
        try:
            yield log
        finally:
            await log.aclose()


@asynccontextmanager
async def a_node(tmp_path: Path) -> AsyncIterator[tuple[Node, LogAccess]]:
    """The supervisor's side, and what it tells its workers."""
    async with (
        log_of_its_own(tmp_path / "nats") as (server, _),
        node(server.address(), tmp_path / "data" / PURGES) as supervisor,
    ):
        yield supervisor, LogAccess(server.address(), INSTANCE)


@pytest.mark.parametrize("least", [("", 0), ("0123456789abcdef", 7)])
def test_what_it_is_told_survives_the_way_to_another_process(least: tuple[str, int]):
    access = LogAccess(BusAddress(("nats://a:1",), token="t"), "i", least)
    assert LogAccess.from_json(json.loads(json.dumps(access.as_json()))) == access


async def test_it_reads_and_is_current_by_the_beats_of_its_node(tmp_path: Path):
    async with a_node(tmp_path) as (supervisor, access), reading(access, tmp_path / "data") as log:
        assert log.described()["state"] == "catching-up"
        await seen(lambda: log.is_caught_up, log.described)
        said = log.described()
        assert (said["state"], said["behind"]) == ("current", 0)
        assert said["history"] == supervisor.follower.history


async def test_what_it_orders_is_in_force_here_and_elsewhere(tmp_path: Path):
    async with a_node(tmp_path) as (supervisor, access), reading(access, tmp_path / "data") as log:
        await seen(lambda: log.is_caught_up, log.described)
        assert await log.order([Site("shop")], "o1", by="origin")
        assert log.follower.table.latest == log.follower.table.orders[-1].position
        await supervisor.has("o1")


async def test_without_servers_it_starts_and_orders_nothing(tmp_path: Path):
    access = LogAccess(BusAddress(("nats://127.0.0.1:1",)), INSTANCE)
    async with reading(access, tmp_path) as log:
        assert not await log.order([Site("shop")], "o1", by="origin")
        assert log.described() == {
            "state": "catching-up",
            "history": "",
            "applied": 0,
            "behind": 0,
            "proof_age": None,
        }


async def test_who_starts_waits_until_it_has_caught_up(tmp_path: Path):
    async with a_node(tmp_path) as (_, access), reading(access, tmp_path / "data") as log:
        assert not log.is_caught_up
        await log.wait_caught_up()
        assert log.is_caught_up


async def test_a_log_that_is_not_there_is_not_waited_for_much_longer(tmp_path: Path):
    access = LogAccess(BusAddress(("nats://127.0.0.1:9",)), INSTANCE)
    async with reading(access, tmp_path / "data") as log:
        await log.wait_caught_up()
        assert not log.is_caught_up
