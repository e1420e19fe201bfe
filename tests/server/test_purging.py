"""All that purging is in the supervisor's process: with a server of its own, with one that is away, with workers that come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.errors import EdgeError
from edge.measures import Measures
from edge.purge.desk_dry_run import question
from edge.semantics.message import UnixSeconds
from edge.semantics.purge_order import PurgeOrder
from edge.semantics.selectors import Everything
from edge.server.orders import Applied
from edge.server.purge_counter import Ground, Serving
from edge.server.purging import Purging, load, purging
from edge.server.run_dir import purge_socket_of
from edge.server.worker_admin import serve, worker_app
from edge.settings.node import Durability, NatsSettings, NodeSettings
from edge.tasks import running
from tests.kit.nats import TOKEN, NatsServer
from tests.kit.waiting import PATIENCE, until
from tests.kit.workers import settings_for
from tests.server.test_worker_admin import Telling

pytestmark = pytest.mark.slow
ORDER = PurgeOrder("p1", UnixSeconds(1_795_478_400.0), (Everything(),))


def settings(tmp_path: Path, **nats: Any) -> NodeSettings:
    said = settings_for(tmp_path, "http://127.0.0.1:1", disk=False)
    return replace(said, name="a", region="eu", nats=NatsSettings(**nats))


def to(server: NatsServer) -> dict[str, Any]:
    return {"url": (server.url,), "token": TOKEN, "replicas": 1, "durability": Durability.TRUSTED}


def ground(tmp_path: Path, node: NodeSettings, serving: Serving) -> Ground:
    node.data_dir.mkdir(parents=True, exist_ok=True)
    run_dir = tmp_path / "run"
    run_dir.mkdir(exist_ok=True)
    return Ground(
        settings=lambda: node,
        serving=lambda: serving,
        socket_of=lambda index: run_dir / f"{index}.sock",
        run_dir=run_dir,
        clock=SystemClock(),
        measures=Measures(),
        version="0.1.0",
    )


@asynccontextmanager
async def begun(
    tmp_path: Path, node: NodeSettings, serving: Serving = Serving((), ready=True, addresses=("h:1",))
) -> AsyncIterator[Purging]:
    async with purging(ground(tmp_path, node, serving)) as purges:
        yield purges


async def caught_up(purges: Purging) -> None:
    async def is_so() -> bool:
        return bool(purges.described()["caught_up"])

    await until(is_so)


async def heard(purges: Purging) -> None:
    async def is_so() -> bool:
        return purges.fleet.surveyed

    await until(is_so)


async def test_with_a_server_of_its_own_it_takes_purges_and_says_what_it_has_applied(tmp_path: Path):
    async with begun(tmp_path, settings(tmp_path)) as purges:
        await caught_up(purges)
        await heard(purges)
        appended = await purges.counter.log.append(ORDER)
        history = purges.follower.history
        receipt = await purges.fleet.wait(appended.seq, history, None, PATIENCE)
        assert receipt.is_complete
        said = purges.described()
        assert said["applied"] >= appended.seq
        assert (said["connected"], said["complaint"], said["nodes"]["live"]) == (True, None, 1)
        (node,) = purges.fleet.described()
        assert (node["node"], node["region"], node["ready"], node["addresses"]) == ("a", "eu", True, ["h:1"])
        assert purges.counter.desk.recent.get("p1") is not None
        assert purge_socket_of(tmp_path / "run").exists()
        assert purges.access.address.is_own
    assert not [name for name in running() if name.startswith(("purging", "bus"))]


async def test_a_worker_that_has_not_caught_up_holds_what_is_said(tmp_path: Path):
    async with begun(tmp_path, settings(tmp_path)) as purges:
        await caught_up(purges)
        await heard(purges)
        purges.worker_starts(0)
        assert not purges.described()["caught_up"]
        appended = await purges.counter.log.append(ORDER)
        history = purges.follower.history
        assert await purges.follower.wait_applied(purges.follower.position_of(appended.seq), PATIENCE)
        assert not (await purges.fleet.wait(appended.seq, history, None, 0.05)).is_complete
        purges.worker_applied(0, Applied(history, appended.seq, caught_up=True, proven_at=1.0))
        assert (await purges.fleet.wait(appended.seq, history, None, PATIENCE)).is_complete
        purges.worker_ended(0)
        assert purges.described()["caught_up"]


async def test_servers_that_are_away_are_tried_until_they_are_there(tmp_path: Path):
    server = NatsServer(tmp_path / "nats")
    await server.start()
    node = settings(tmp_path, **to(server))
    await server.kill()
    try:
        async with begun(tmp_path, node) as purges:
            said = purges.described()
            assert (said["connected"], said["caught_up"]) == (False, False)
            assert "no connection" in said["complaint"]
            with pytest.raises(EdgeError):
                await purges.counter.log.append(ORDER)
            await server.start()
            await caught_up(purges)

            async def takes() -> bool:
                return purges.counter.log.is_open

            await until(takes)
            assert (await purges.counter.log.append(ORDER)).seq > 0
            assert purges.described()["complaint"] is None
    finally:
        await server.kill()


async def test_a_log_that_is_removed_is_made_again(tmp_path: Path):
    async with (
        NatsServer(tmp_path / "nats") as server,
        begun(tmp_path, settings(tmp_path, **to(server))) as purges,
    ):
        await caught_up(purges)
        history, stream = purges.follower.history, purges.bus.address.stream
        await purges.bus.api(f"STREAM.DELETE.{stream}", within=PATIENCE)

        async def is_another() -> bool:
            return purges.follower.history not in {"", history}

        await until(is_another)
        assert (await purges.counter.log.append(ORDER)).seq > 0


async def test_a_log_that_cannot_be_made_again_is_told(tmp_path: Path):
    async with (
        NatsServer(tmp_path / "nats") as server,
        begun(tmp_path, settings(tmp_path, **to(server))) as purges,
    ):
        await caught_up(purges)
        address = purges.bus.address
        await purges.bus.api(f"STREAM.DELETE.{address.stream}", within=PATIENCE)
        other = {"name": "OTHER", "subjects": [address.log_subjects], "storage": "memory"}
        await purges.bus.api("STREAM.CREATE.OTHER", other, within=PATIENCE)

        async def is_told() -> bool:
            return "nats.prefix" in (purges.described()["complaint"] or "")

        await until(is_told)


async def test_who_ends_says_so(tmp_path: Path):
    async with (
        NatsServer(tmp_path / "nats") as server,
        begun(tmp_path / "a", settings(tmp_path / "a", **to(server))) as stays,
    ):
        other = replace(settings(tmp_path / "b", **to(server)), name="b")
        async with begun(tmp_path / "b", other):
            await known(stays, ["a", "b"])
        await known(stays, ["a"])


async def known(purges: Purging, names: list[str]) -> None:
    async def is_so() -> bool:
        return [member.presence.node for member in purges.fleet.nodes()] == names

    await until(is_so)


async def test_a_question_is_answered_by_all_workers(tmp_path: Path):
    serving = Serving((0, 1), ready=True, addresses=())
    async with begun(tmp_path, settings(tmp_path), serving) as purges:
        await heard(purges)
        worker = Telling()
        app = worker_app(worker, worker.measures.registry.snapshot, worker.explain, worker.count)
        runner = await serve(app, tmp_path / "run" / "0.sock")
        try:
            (answer,) = (await purges.fleet.ask(question(ORDER), PATIENCE)).values()
            assert answer["hot_objects"] == 1
            assert not answer["complete"], "the other worker does not answer"
            assert (await purges.fleet.ask({"what": "?"}, PATIENCE))["a"]["error"]
        finally:
            await runner.cleanup()


async def test_how_many_requests_it_answers_is_said(tmp_path: Path):
    serving = Serving((0, 1), ready=True, addresses=())
    worker = Telling()
    app = worker_app(worker, worker.measures.registry.snapshot, worker.explain, worker.count)
    (tmp_path / "run").mkdir()
    runner = await serve(app, tmp_path / "run" / "0.sock")
    try:
        async with begun(tmp_path, settings(tmp_path), serving) as purges:

            async def says_it() -> bool:
                worker.measures.requests.of("shop", "hit", "fresh", "2xx").value += 10
                return any((member.presence.rate or 0) > 0 for member in purges.fleet.nodes())

            await until(says_it)
    finally:
        await runner.cleanup()


async def test_a_log_that_cannot_be_trusted_ends_the_start(tmp_path: Path):
    async with NatsServer(tmp_path / "nats", sync_always=False) as server:
        unsafe = {**to(server), "durability": Durability.CHECKED, "monitor": (server.monitor,)}
        with pytest.raises(EdgeError, match="sync"):
            async with begun(tmp_path, settings(tmp_path, **unsafe)):
                pass
    assert not [name for name in running() if name.startswith(("purging", "bus"))]


def test_the_load_is_a_share():
    assert 0.0 <= load() <= 1.0
