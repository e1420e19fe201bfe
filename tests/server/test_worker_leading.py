"""What a worker knows of its network changes as a whole: state, databases, settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.geo.network_view import Health, NetworkView, static_view
from edge.geo.router import Better
from edge.geo.view_message import said_of
from edge.measures import Measures
from edge.server.worker_leading import WorkerLeading
from edge.settings.network import Network
from edge.settings.node import NodeSettings
from edge.tasks import TaskOwner
from tests.kit.routers import NETWORK
from tests.kit.waiting import until
from tools.mmdb import mmdb_bytes

CLIENT = "198.51.100.7"


def settings(folder: Path, country: str = "US") -> NodeSettings:
    file = folder / f"{country}.mmdb"
    file.write_bytes(mmdb_bytes({"198.51.100.0/24": {"country_code": country}}))
    network = replace(NETWORK, geo=replace(NETWORK.geo, databases=(file,)))
    return NodeSettings(name="fra-1", network=network, data_dir=folder / "data")


def down(network: Network, pop: str) -> dict[str, object]:
    view = static_view(network)
    pops = tuple(replace(each, health=Health.DOWN) if each.pop.name == pop else each for each in view.pops)
    return said_of(NetworkView(pops), ())


def better(leading: WorkerLeading) -> Better | None:
    return leading.leading.router.better("default", CLIENT)


async def test_it_knows_what_it_was_started_with_and_what_it_is_told_later(tmp_path: Path):
    said = settings(tmp_path)
    async with TaskOwner("test") as tasks:
        leading = WorkerLeading(said, down(NETWORK, "iad"), Measures(), SystemClock())
        await leading.start(tasks)
        assert better(leading) is None
        leading.show(said_of(static_view(NETWORK), ()))
        assert better(leading) == Better("iad")


async def test_other_databases_are_there_a_moment_later(tmp_path: Path):
    async with TaskOwner("test") as tasks:
        leading = WorkerLeading(settings(tmp_path), None, Measures(), SystemClock())
        await leading.start(tasks)
        assert better(leading) == Better("iad")
        leading.apply(settings(tmp_path, "DE"))

        async def stays() -> bool:
            return better(leading) is None

        await until(stays, every=0.01)


async def test_a_database_that_is_not_there_keeps_nobody_from_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    said = settings(tmp_path)
    (tmp_path / "US.mmdb").unlink()
    async with TaskOwner("test") as tasks:
        leading = WorkerLeading(said, None, Measures(), SystemClock())
        await leading.start(tasks)
        assert better(leading) is None
    assert "US.mmdb" in caplog.text
