"""o02: all workers are replaced one after the other, and clients notice nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from edge.server.run_dir import admin_socket_of, folder_of
from tests.kit.answer import Answer
from tests.kit.bodies import body_of
from tests.kit.client import RawClient
from tests.kit.origin import Canned, Gate, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.purging import Pages, answer_of, purge, purgeable
from tests.kit.traffic import Traffic
from tests.kit.waiting import until
from tests.kit.world import CHECKOUT, World
from tests.scenarios.conftest import site_file

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

FRESH = {"Cache-Control": "max-age=600"}
SIZE = 400_000
ROLLED = 60.0
"""Seconds for a whole roll of three workers on a busy machine."""
COUNTED = ("perigee_requests_total", "perigee_connections_total", "perigee_response_bytes_total")


class Rolls:
    """`perigee roll`, and what it said."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self) -> tuple[int, list[dict[str, Any]]]:
        line = [
            sys.executable,
            "-m",
            "tools.perigee",
            "roll",
            "--json",
            "--data-dir",
            str(self._world.data_dir),
        ]
        process = await asyncio.create_subprocess_exec(
            *line, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), ROLLED)
        assert process.returncode is not None
        said = [
            json.loads(line) if line.startswith("{") else {"event": line}
            for line in out.decode().splitlines()
        ]
        return process.returncode, said


async def roll_is(world: World, event: str, worker: int | None = None) -> bool:
    roll = (await world.readiness())["roll"] or {}
    return roll.get("event") == event and worker in (None, roll.get("worker"))


class Slow:
    """Bodies of which half comes at once, and the rest when the gate is released."""

    def __init__(self, origin: ScriptedOrigin, paths: list[str]) -> None:
        self.gate = Gate("slow bodies")
        for path in paths:
            origin.on(path, self._send)
        self.bodies = {path: body_of(path, 0, SIZE) for path in paths}

    async def _send(self, request: OriginRequest, connection: OriginConnection) -> None:
        body = self.bodies[request.path]
        await connection.send_head(200, {**FRESH, "Content-Length": str(SIZE)})
        await connection.send_raw(body[: SIZE // 2])
        await self.gate.passed()
        await connection.send_raw(body[SIZE // 2 :])

    async def begin(self, world: World, stack: AsyncExitStack) -> list[tuple[str, RawClient]]:
        clients = []
        for path in self.bodies:
            client = await stack.enter_async_context(await world.client())
            await client.send_request("GET", path)
            await client.read_head()
            await client.read_body_until(SIZE // 4)
            clients.append((path, client))
        return clients


class Watch:
    """Looks at a node without a pause: whether it was ever unready, and whether a number ever fell."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wrong: list[str] = []
        self._seen: dict[tuple[str, ...], float] = {}
        self._is_over = False

    async def run(self) -> None:
        while not self._is_over:
            ready = await self._world.admin("/readyz")
            if ready.status != 200:
                self.wrong.append(ready.body.decode())
            for name, samples in (await self._world.metrics()).items():
                if not name.endswith(("_total", "_count", "_sum", "_bucket")):
                    continue
                for labels, value in samples:
                    key = (name, *map(str, sorted(labels.items())))
                    if value < self._seen.get(key, 0.0):
                        self.wrong.append(f"{key} fell from {self._seen[key]} to {value}")
                    self._seen[key] = value

    def end(self) -> None:
        self._is_over = True


async def test_a_full_roll_under_load_is_noticed_by_nobody(tmp_path: Path) -> None:
    def target_of(number: int) -> tuple[str, str]:
        if number % 10 == 9:
            return "POST", f"/o02/form/{number % 7}"
        return (
            "GET",
            f"/o02/{number % 300 if number % 3 else number}",
        )  # hits, and misses that meet at their owners

    async with ScriptedOrigin() as origin, AsyncExitStack() as stack:
        origin.default = Canned(200, FRESH, b"here")
        slow = Slow(origin, [f"/o02/slow/{number}" for number in range(9)])
        config = site_file(origin.url, node='[log]\naccess = "off"\n[memory]\ncapacity = "64MiB"\n')
        world = await stack.enter_async_context(World(tmp_path, origin=None, config=config, workers=3))
        before = world.worker_pids
        assert await world.metric("perigee_stored_limit_bytes", {"tier": "memory"}) == 3 * 64 << 20
        world.config_file.write_text(config.replace("64MiB", "96MiB"))
        watch = Watch(world)
        watching = asyncio.create_task(watch.run())
        async with Traffic(world, fresh=3, kept=3, target_of=target_of) as traffic:
            downloads = await slow.begin(world, stack)
            await traffic.answered(100)
            rolling = asyncio.create_task(Rolls(world).run())
            await until(lambda: roll_is(world, "leaving"))
            await traffic.answered(100)
            slow.gate.release()
            got = await asyncio.gather(*(client.read_rest() for _, client in downloads))
            code, said = await rolling
            await traffic.answered(100)
        watch.end()
        await watching
        assert traffic.faults == []
        assert traffic.ends >= 3, "every worker told its kept clients to go"
        assert [answer.complete for answer in got] == [True] * len(downloads)
        assert [answer.body for answer in got] == [slow.bodies[path] for path, _ in downloads]
        assert (code, [one["event"] for one in said]) == (
            0,
            ["begun", *["leaving", "serving"] * 3, "done"],
        )
        assert all(one["steered"] for one in said if one["event"] == "leaving")
        after = world.worker_pids
        assert len(after) == 3
        assert not set(before) & set(after)
        assert watch.wrong == []
        assert await world.metric("perigee_stored_limit_bytes", {"tier": "memory"}) == 3 * 96 << 20
        assert await world.metric("perigee_worker_restarts_total") == 0
        assert await world.metric("perigee_rolls_total", {"outcome": "done"}) == 1
        assert await world.metric("perigee_requests_total") >= traffic.count
        assert "worker ended" not in world.log()
        assert "connections were cut" not in world.log()


async def test_a_worker_that_leaves_is_sent_nobody_new(tmp_path: Path) -> None:
    async with ScriptedOrigin() as origin, AsyncExitStack() as stack:
        origin.default = Canned(200, FRESH, b"here")
        slow = Slow(origin, [f"/o02/held/{number}" for number in range(12)])
        world = await stack.enter_async_context(World(tmp_path, origin=origin.url, workers=3))
        downloads = await slow.begin(world, stack)  # so that the first to leave has something to finish
        world.send_signal(signal.SIGUSR2)
        await until(lambda: roll_is(world, "leaving", 0))
        for _ in range(60):
            answer = await world.get("/o02/x")
            assert (answer.status, answer.header("Connection")) == (200, None), "it came to one that leaves"
        slow.gate.release()
        got = await asyncio.gather(*(client.read_rest() for _, client in downloads))
        assert all(answer.complete for answer in got)
        await until(lambda: roll_is(world, "done"), within=ROLLED)


async def test_one_worker_alone_is_replaced_while_connections_wait(tmp_path: Path) -> None:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"here")
        async with World(tmp_path, origin=origin.url, workers=1) as world, Traffic(world) as traffic:
            before = world.worker_pids
            await traffic.answered(20)
            code, said = await Rolls(world).run()
            await traffic.answered(20)
            assert (code, [one.get("steered") for one in said if one["event"] == "leaving"]) == (0, [False])
            assert not set(before) & set(world.worker_pids)
        assert traffic.faults == []


async def test_a_second_word_to_roll_is_told_of_the_first(tmp_path: Path) -> None:
    async with ScriptedOrigin() as origin, AsyncExitStack() as stack:
        slow = Slow(origin, [f"/o02/second/{number}" for number in range(8)])
        world = await stack.enter_async_context(World(tmp_path, origin=origin.url, workers=2))
        downloads = await slow.begin(world, stack)
        first = asyncio.create_task(Rolls(world).run())
        await until(lambda: roll_is(world, "leaving", 0))
        world.send_signal(signal.SIGUSR2)
        second = asyncio.create_task(Rolls(world).run())
        slow.gate.release()
        assert all([(await client.read_rest()).complete for _, client in downloads])
        (_, one), (_, other) = await first, await second
        assert [said["event"] for said in one] == [said["event"] for said in other]
        assert [said.get("pid") for said in one] == [said.get("pid") for said in other]
        assert other[0].get("joined")
        assert await world.metric("perigee_rolls_total") == 1


async def test_a_stop_while_it_rolls_is_a_stop(tmp_path: Path) -> None:
    async with ScriptedOrigin() as origin, AsyncExitStack() as stack:
        slow = Slow(origin, [f"/o02/stop/{number}" for number in range(8)])
        world = await stack.enter_async_context(World(tmp_path, origin=origin.url, workers=2))
        downloads = await slow.begin(world, stack)
        rolling = asyncio.create_task(Rolls(world).run())
        await until(lambda: roll_is(world, "leaving", 0))
        stopping = asyncio.create_task(world.sigterm(within=30))
        code, said = await rolling
        slow.gate.release()
        assert all([(await client.read_rest()).complete for _, client in downloads])
        assert await stopping == 0
        assert (code, said[-1]) == (1, {"event": "failed", "why": "the node is stopping"})
        assert "Traceback" not in world.log()


async def test_bad_settings_are_refused_before_anything_ends(tmp_path: Path) -> None:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"here")
        config = site_file(origin.url)
        async with World(tmp_path, origin=None, config=config, workers=2) as world:
            before = world.worker_pids
            world.config_file.write_text(config.replace("origins", "orignis"))
            code, said = await Rolls(world).run()
            assert (code, said[-1]["event"]) == (1, "failed")
            assert "perigee.toml:2: site[0]: the site has no origins" in said[-1]["why"]
            assert "nothing was replaced" in said[-1]["why"]
            assert world.worker_pids == before
            assert (await world.get("/a")).status == 200
            assert await world.metric("perigee_rolls_total", {"outcome": "refused"}) == 1


async def test_a_successor_that_cannot_start_ends_the_roll_and_the_others_serve_on(tmp_path: Path) -> None:
    """What the rehearsal cannot know: a folder stands where the new worker's socket should be."""
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"here")
        config = site_file(origin.url, node='[log]\naccess = "off"\n[memory]\ncapacity = "64MiB"\n')
        async with World(tmp_path, origin=None, config=config, workers=2) as world:
            before = world.worker_pids
            in_the_way = admin_socket_of(folder_of(world.data_dir), 0)
            in_the_way.unlink()
            in_the_way.mkdir()
            world.config_file.write_text(config.replace("64MiB", "96MiB"))
            async with Traffic(world) as traffic:
                await traffic.answered(20)
                code, said = await Rolls(world).run()
                await traffic.answered(200)
                in_the_way.rmdir()
                await until(lambda: both_serve(world), within=ROLLED)
                await traffic.answered(20)
            assert traffic.faults == []
            assert (code, said[-1]["event"]) == (1, "failed")
            assert said[-1]["why"].startswith(
                "the successor of worker 0 does not serve: worker 0 cannot start"
            )
            after = world.worker_pids
            assert before[1] in after
            assert before[0] not in after
            assert await world.metric("perigee_rolls_total", {"outcome": "failed"}) == 1
            limit = await world.metric("perigee_stored_limit_bytes", {"tier": "memory"})
            assert limit == 2 * 64 << 20, "as before"


async def both_serve(world: World) -> bool:
    return [worker["ready"] for worker in (await world.readiness())["workers"]] == [True, True]


async def test_a_worker_that_dies_while_it_leaves_is_a_crash_and_the_roll_goes_on(tmp_path: Path) -> None:
    async with ScriptedOrigin() as origin, AsyncExitStack() as stack:
        slow = Slow(origin, [f"/o02/dies/{number}" for number in range(8)])
        world = await stack.enter_async_context(World(tmp_path, origin=origin.url, workers=2))
        before = world.worker_pids
        await slow.begin(world, stack)
        rolling = asyncio.create_task(Rolls(world).run())
        await until(lambda: roll_is(world, "leaving", 0))
        told = (await world.readiness())["workers"]
        os.kill(told[0]["pid"], signal.SIGKILL)
        slow.gate.release()
        code, said = await rolling
        assert (code, said[-1]["event"]) == (0, "done")
        assert not set(before) & set(world.worker_pids)
        assert await world.metric("perigee_worker_restarts_total") == 1


async def test_no_purge_is_lost_or_forgotten_over_a_roll(tmp_path: Path) -> None:
    """Each that was acknowledged holds for whoever answers next, also for one that has just begun."""
    async with ScriptedOrigin() as origin:
        pages = Pages(origin)
        async with purgeable(tmp_path, origin.url, workers=3) as world:
            before = world.worker_pids
            rolling = asyncio.create_task(Rolls(world).run())
            rounds, older, unfinished = 0, [], []
            while not rolling.done() or rounds < 5:
                rounds += 1
                pages.version += 1
                said: Answer = await purge(world, {"urls": ["http://shop.example/a"]})
                assert said.status in (200, 202), said.body
                if not answer_of(said)["receipt"]["done"]:
                    unfinished.append(answer_of(said))
                for _ in range(6):
                    answer = await world.get("/a", {"Host": "shop.example"})
                    if (answer.status, int(answer.body or -1)) != (200, pages.version):
                        older.append((answer.status, answer.body, pages.version))
            code, events = await rolling
            assert (code, events[-1]["event"]) == (0, "done"), events
            assert (older, unfinished) == ([], [])
            assert not set(before) & set(world.worker_pids)
            assert rounds >= 5
