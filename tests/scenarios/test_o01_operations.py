"""o01: stopping, reloading, crashing and running short of descriptors, with clients on the line."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.kit.bodies import body_of
from tests.kit.client import RawClient
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.waiting import until
from tests.kit.world import World
from tests.scenarios.conftest import site_file

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

FRESH = {"Cache-Control": "max-age=600"}
SIZE = 3_000_000


class Download:
    """A download of which half has come; the rest when the gate is released."""

    def __init__(self, origin: ScriptedOrigin, path: str) -> None:
        self.path = path
        self.body = body_of(path, 0, SIZE)
        self.rest = Gate()
        origin.on(path, self._send)

    async def _send(self, request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": str(SIZE)})
        await connection.send_raw(self.body[: SIZE // 2])
        await self.rest.passed()
        await connection.send_raw(self.body[SIZE // 2 :])

    @asynccontextmanager
    async def begun(self, world: World) -> AsyncIterator[RawClient]:
        async with await world.client() as client:
            await client.send_request("GET", self.path)
            await client.read_head()
            await client.read_body_until(SIZE // 4)
            yield client


async def refuses(world: World) -> bool:
    """True when nobody accepts connections any more."""
    try:
        await (await world.client()).close()
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_finishes_a_download_and_takes_nobody_new(
    origin: ScriptedOrigin, tmp_path: Path, workers: int
) -> None:
    download = Download(origin, f"/o01/drain-{workers}")
    world = World(tmp_path, origin=origin.url, workers=workers)
    async with world, await world.client() as idle, download.begun(world) as client:
        await idle.get("/o01/nothing")
        stopping = asyncio.get_running_loop().create_task(world.sigterm(within=20))
        await until(lambda: refuses(world))
        assert (await idle.wait_ended())[1] == b""
        assert not stopping.done()
        download.rest.release()
        got = await client.read_rest()
        assert got.complete
        assert got.body == download.body
        assert await stopping == 0
        await world.start()
        assert (await world.get(download.path)).body == download.body
    assert len(origin.seen(download.path)) == 1


async def test_a_second_signal_does_not_wait_for_the_download(origin: ScriptedOrigin, tmp_path: Path) -> None:
    download = Download(origin, "/o01/at-once")
    world = World(tmp_path, origin=origin.url)
    async with world, download.begun(world) as client:
        world.send_signal(signal.SIGTERM)
        await until(lambda: refuses(world))
        await world.sigterm()
        assert not (await client.read_rest()).complete
        await world.start()
        download.rest.release()
        assert (await world.get(download.path)).body == download.body


async def test_sighup_takes_a_good_file_and_refuses_a_bad_one_while_a_download_runs(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    download = Download(origin, "/o01/reload")
    origin.on("/o01/seen", Canned(200, {"Cache-Control": "no-store"}, b"x"))
    sites = tmp_path / "sites"
    sites.mkdir()

    def write(value: str) -> None:
        site = f'hostnames = ["*"]\norigins = ["{origin.url}"]\n[headers.to_client.set]\nX-Site = {value}\n'
        (sites / "one.toml").write_text(site, encoding="utf-8")

    async def reloaded(outcome: str) -> None:
        before = await world.metric("perigee_reloads_total", {"outcome": outcome})
        world.send_signal(signal.SIGHUP)
        await world.wait_metric("perigee_reloads_total", before + 1, {"outcome": outcome})

    async def is_new() -> bool:
        return (await world.get("/o01/seen")).header("X-Site") == b"new"

    write('"old"')
    world = World(tmp_path, origin=None, config='sites = "sites/*.toml"\n', workers=2)
    async with world, await world.client() as kept, download.begun(world) as client:
        assert (await kept.get("/o01/seen")).header("X-Site") == b"old"
        write('"new"')
        await reloaded("taken")
        await until(is_new)
        write("[this is no TOML")
        await reloaded("refused")
        assert (await kept.get("/o01/seen")).header("X-Site") in (b"new", b"old")
        for _ in range(5):
            assert (await world.get("/o01/seen")).header("X-Site") == b"new"
        assert "one.toml" in world.log()
        download.rest.release()
        assert (await client.read_rest()).body == download.body


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_worker_that_is_killed_comes_back_and_the_requests_go_on(
    origin: ScriptedOrigin, tmp_path: Path, workers: int
) -> None:
    path = f"/o01/killed-{workers}"
    origin.on(path, Canned(200, FRESH, b"here"))
    async with World(tmp_path, origin=origin.url, workers=workers) as world:

        async def all_serve() -> bool:
            return len(world.worker_pids) == workers and (await world.admin("/readyz")).status == 200

        await world.get(path)
        first = world.worker_pids
        os.kill(first[-1], signal.SIGKILL)
        await world.wait_metric("perigee_worker_restarts_total", 1)
        await until(all_serve)
        assert set(world.worker_pids) != set(first)
        for _ in range(20):
            assert (await world.get(path)).body == b"here"
    assert len(origin.seen(path)) <= 2


async def test_when_the_owner_of_a_key_is_dead_the_other_worker_goes_to_the_origin(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    """The moment of a worker's death: half of the keys are its, and nobody has noticed yet."""
    targets = [f"/o01/orphan/{number}" for number in range(16)]
    for target in targets:
        origin.on(target, Canned(200, FRESH, b"here"))
    async with World(tmp_path, origin=origin.url, workers=2) as world, AsyncExitStack() as open_clients:
        clients = [await open_clients.enter_async_context(await world.client()) for _ in targets]
        for client in clients:
            await client.get("/o01/which")
        os.kill(world.worker_pids[0], signal.SIGKILL)
        got = []
        for client, target in zip(clients, targets, strict=True):
            with suppress(ConnectionError):  # its connection was with the dead one
                got.append(await client.get(target))
        got = [answer for answer in got if answer.status]
        assert {(answer.status, answer.body) for answer in got} == {(200, b"here")}


async def test_running_out_of_descriptors_holds_back_clients_and_heals(
    origin: ScriptedOrigin, tmp_path: Path
) -> None:
    """Those who are in are served, the origin is reached, the others wait in the backlog and are served later."""
    origin.on("/o01/files", Canned(200, FRESH, b"here"))
    origin.on("/o01/cold", Canned(200, FRESH, b"cold"))
    config = site_file(origin.url, node="[limits]\nreserved_files = 32\n")
    async with World(tmp_path, origin=None, config=config) as world, AsyncExitStack() as open_clients:
        (worker,) = world.worker_pids
        await world.get("/o01/files")
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (128, limits[1]))
        clients = [await open_clients.enter_async_context(await world.client()) for _ in range(200)]
        assert (await clients[0].get("/o01/files")).body == b"here"
        assert (await clients[1].get("/o01/cold")).body == b"cold"
        for client in clients[:150]:
            client.abort()
        for client in clients[150:]:
            assert (await client.get("/o01/files")).body == b"here"
            await client.close()
        assert (await world.get("/o01/files")).body == b"here"
        assert "Traceback" not in world.log()
