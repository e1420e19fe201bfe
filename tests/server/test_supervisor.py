"""The processes of a node, as real ones: they start, die, drain, reload and end as they should."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.waiting import PATIENCE
from tests.kit.world import World

pytestmark = pytest.mark.slow

STORED = Canned(200, {"Cache-Control": "max-age=60"}, b"hello")
SITE = """
[log]
access = "{log}"
format = "{{target}}"
[[site]]
name = "a"
hostnames = ["127.0.0.1"]
origins = ["{origin}"]
"""


async def eventually(claim: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a fact about other processes, which ring no bell."""
    async with asyncio.timeout(PATIENCE):
        while not await claim():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def workers(world: World) -> list[dict[str, int]]:
    told: list[dict[str, int]] = json.loads((await world.admin("/workers")).body)["workers"]
    return told


async def pids(world: World) -> list[int]:
    return [worker["pid"] for worker in await workers(world)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
async def origin():
    async with ScriptedOrigin({"/a": STORED, "/b": STORED}) as origin:
        yield origin


async def test_two_workers_are_shown_as_one_node(tmp_path: Path, origin: ScriptedOrigin):
    async with World(tmp_path, origin=origin.url, workers=2) as world:
        for _ in range(6):
            assert (await world.get("/a")).body == b"hello"
        assert len(origin.requests) == 1
        assert await world.metric("perigee_requests_total") == 6
        assert await world.metric("perigee_workers") == 2
        assert len(set(await pids(world))) == 2
        assert world.pid not in await pids(world)
        told = await world.readiness()
        assert told["ready"]
        assert (await world.admin("/livez")).status == 200
        assert (await world.admin("/healthz")).status == 200
        assert "perigee" in json.loads((await world.admin("/version")).body)
        assert (await world.admin("/nothing")).status == 404
        assert (await world.admin("/metrics", "POST")).status == 405
        line = next(line for line in world.log().splitlines() if line.startswith("perigee: serving"))
        assert f"http://127.0.0.1:{world.port} with 2 workers" in line
        assert f"http://127.0.0.1:{world.admin_port}" in line
        assert str(world.data_dir) in line


async def test_a_worker_that_is_killed_is_replaced_and_nobody_is_refused(
    tmp_path: Path, origin: ScriptedOrigin
):
    async with World(tmp_path, origin=origin.url, workers=2) as world:
        for _ in range(4):
            await world.get("/a")
        before = await world.metric("perigee_requests_total")
        victim = (await pids(world))[0]
        os.kill(victim, signal.SIGKILL)
        answers = await asyncio.gather(*(world.get("/a") for _ in range(20)))
        assert {answer.status for answer in answers} == {200}
        await world.wait_metric("perigee_worker_restarts_total", 1)
        assert await world.metric("perigee_requests_total") >= before
        await eventually(lambda: _is_ready(world))
        assert victim not in await pids(world)
        assert [worker["restarts"] for worker in await workers(world)] == [1, 0]


async def _is_ready(world: World) -> bool:
    return bool((await world.readiness())["ready"])


async def test_a_worker_that_is_gone_makes_the_node_unready(tmp_path: Path, origin: ScriptedOrigin):
    async with World(tmp_path, origin=origin.url) as world:
        (pid,) = await pids(world)
        os.kill(pid, signal.SIGSTOP)
        answer = await world.admin("/readyz")
        assert answer.status == 503
        assert "does not answer" in answer.body.decode()
        assert (await world.admin("/livez")).status == 200
        os.kill(pid, signal.SIGCONT)
        await eventually(lambda: _is_ready(world))


async def test_the_word_to_stop_lets_what_is_under_way_end_and_nothing_new_begin(
    tmp_path: Path, origin: ScriptedOrigin
):
    gate = origin.hold("/a")
    async with World(tmp_path, origin=origin.url, workers=2) as world:
        idle = await world.client()
        assert (await idle.get("/b")).status == 200
        under_way = asyncio.ensure_future(world.get("/a"))
        await gate.wait_waiting(1)
        workers_before = await pids(world)
        world.send_signal(signal.SIGTERM)
        assert await idle.wait_ended()
        answer = await world.admin("/readyz")
        assert (answer.status, json.loads(answer.body)["draining"]) == (503, True)
        with pytest.raises(ConnectionError):
            await world.get("/b")
        gate.release()
        assert (await under_way).body == b"hello"
        assert await world.sigterm() == 0
        assert not any(map(is_alive, workers_before))
        await idle.close()


async def test_the_second_word_to_stop_means_at_once(tmp_path: Path, origin: ScriptedOrigin):
    gate = origin.hold("/a")
    async with World(tmp_path, origin=origin.url) as world:
        client = await world.client()
        await client.send_request("GET", "/a")
        await gate.wait_waiting(1)
        world.send_signal(signal.SIGINT)
        await eventually(lambda: _is_draining(world))
        assert await world.sigterm() == 0
        await client.wait_ended()
        await client.close()


async def _is_draining(world: World) -> bool:
    return bool((await world.readiness())["draining"])


async def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path, origin: ScriptedOrigin):
    async with World(tmp_path, origin=origin.url, workers=2) as world:
        left = await pids(world)
        os.kill(world.pid, signal.SIGKILL)

        async def are_gone() -> bool:
            return not any(map(is_alive, left))

        await eventually(are_gone)
        await world.kill9()
        await world.start()
        assert (await world.get("/a")).status == 200


async def test_ctrl_c_reaches_the_whole_group_and_still_drains(tmp_path: Path, origin: ScriptedOrigin):
    gate = origin.hold("/a")
    async with World(tmp_path, origin=origin.url) as world:
        under_way = asyncio.ensure_future(world.get("/a"))
        await gate.wait_waiting(1)
        os.killpg(world.pid, signal.SIGINT)
        await eventually(lambda: _is_draining(world))
        gate.release()
        assert (await under_way).body == b"hello"
        assert world._process is not None
        assert await asyncio.wait_for(world._process.wait(), PATIENCE) == 0
        world._process = None


async def failed_start(world: World) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *world.command(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 3 * PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_port_or_a_folder_that_is_taken_is_said_in_one_line(tmp_path: Path, origin: ScriptedOrigin):
    async with World(tmp_path / "one", origin=origin.url) as world:
        other = World(tmp_path / "two", origin=origin.url)
        other.port = world.port
        code, said = await failed_start(other)
        assert code == 1
        assert said == (
            f"perigee: cannot listen on 127.0.0.1:{world.port}: the address is in use; "
            "end what listens there, or write another port\n"
        )
        other.port, other.data_dir = other.admin_port, world.data_dir
        code, said = await failed_start(other)
        assert code == 1
        assert said.startswith(
            f"perigee: {world.data_dir} is in use by another perigee (process {world.pid})"
        )
        assert said.count("\n") == 1


async def test_a_worker_that_cannot_start_ends_the_start_with_its_reason(
    tmp_path: Path, origin: ScriptedOrigin
):
    world = World(tmp_path, origin=origin.url)
    world.data_dir.mkdir()
    (world.data_dir / "cache").write_text("in the way")
    (tmp_path / "log").mkdir()
    world.config_file.write_text(SITE.format(log=tmp_path / "log", origin=origin.url))  # a folder is no file
    world._origin = None
    code, said = await failed_start(world)
    assert code in {1, 2}
    assert "Traceback" not in said
    assert str(tmp_path / "log") in said


def site_of(tmp_path: Path, origin: ScriptedOrigin) -> str:
    return SITE.format(log=tmp_path / "access.log", origin=origin.url)


async def test_new_settings_are_taken_without_a_dropped_connection(tmp_path: Path, origin: ScriptedOrigin):
    old = site_of(tmp_path, origin)
    async with (
        World(tmp_path, origin=None, config=old, workers=2) as world,
        await world.client() as client,
    ):
        assert (await client.get("/a")).header("X-New") is None
        world.config_file.write_text(old + '[site.headers.to_client]\nset = { "X-New" = "yes" }')
        world.send_signal(signal.SIGHUP)

        async def is_new() -> bool:
            return (await client.get("/a")).header("X-New") == b"yes"

        await eventually(is_new)
        assert await world.metric("perigee_reloads_total", {"outcome": "taken"}) == 1


async def test_bad_settings_leave_the_old_ones_in_force_and_say_so(tmp_path: Path, origin: ScriptedOrigin):
    good = site_of(tmp_path, origin)
    async with World(tmp_path, origin=None, config=good) as world:
        world.config_file.write_text(good.replace("origins", "orignis"))
        world.send_signal(signal.SIGHUP)
        await world.wait_metric("perigee_reloads_total", 1, {"outcome": "refused"})
        assert (await world.get("/a")).status == 200
        told = await world.readiness()
        assert told["ready"]
        assert "older settings are in force" in str(told["settings"])
        assert "did you mean origins" in world.log()
        world.config_file.write_text(good)  # no signal: the change is noticed
        await world.wait_metric("perigee_reloads_total", 1, {"outcome": "taken"})
        assert "older settings" not in str((await world.readiness())["settings"])


async def test_a_worker_that_is_replaced_while_the_files_are_bad_has_the_settings_in_force(
    tmp_path: Path, origin: ScriptedOrigin
):
    good = site_of(tmp_path, origin)
    async with World(tmp_path, origin=None, config=good) as world:
        world.config_file.write_text("half wri")
        os.kill((await pids(world))[0], signal.SIGKILL)
        await world.wait_metric("perigee_worker_restarts_total", 1)
        await eventually(lambda: _is_ready(world))
        assert (await world.get("/a")).status == 200


async def test_it_can_be_asked_what_is_stored_and_why(tmp_path: Path, origin: ScriptedOrigin):
    async with World(tmp_path, origin=origin.url) as world:
        url = f"/explain?url={world.url}/a"
        (said,) = json.loads((await world.admin(url)).body)["workers"]
        assert (said["decision"], said["because"], said["stored"]) == ("uri-miss", "nothing-stored", [])
        await world.get("/a")
        (said,) = json.loads((await world.admin(url)).body)["workers"]
        assert (said["decision"], said["because"], said["stored"][0]["lifetime"]) == ("hit", "fresh", 60.0)
        (said,) = json.loads((await world.admin(url + "&header=Cache-Control:no-cache")).body)["workers"]
        assert (said["decision"], said["because"]) == ("request", "request-no-cache")
        assert len(origin.requests) == 1
        assert (await world.admin("/explain?url=gopher://a")).status == 400


async def test_a_renamed_log_is_made_anew_on_usr1(tmp_path: Path, origin: ScriptedOrigin):
    log = tmp_path / "access.log"
    async with World(tmp_path, origin=None, config=site_of(tmp_path, origin)) as world:
        await world.get("/a")

        async def has(file: Path, line: str) -> bool:
            return file.exists() and line in file.read_text().splitlines()

        await eventually(lambda: has(log, "/a"))
        log.rename(tmp_path / "access.log.1")
        world.send_signal(signal.SIGUSR1)

        async def is_there() -> bool:
            return log.exists()

        await eventually(is_there)
        await world.get("/b")
        await eventually(lambda: has(log, "/b"))
