"""Purges as a caller and a client see them: one node with two workers, its own log server, an origin that changes first."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.answer import Answer
from tests.kit.nats import TOKEN, NatsServer
from tests.kit.origin import ScriptedOrigin
from tests.kit.purging import Pages, answer_of, purge, purgeable, versions
from tests.kit.waiting import until
from tests.kit.world import World

pytestmark = pytest.mark.slow

HOST = {"Host": "shop.example", "Accept-Language": "fr"}
URL = "http://shop.example"


@pytest_asyncio.fixture
async def pages() -> AsyncIterator[Pages]:
    async with ScriptedOrigin() as origin:
        yield Pages(origin, fields={"Surrogate-Key": "red blue", "Vary": "Accept-Language"})


def status_of(answer: Answer) -> bytes:
    return answer.header("Cache-Status") or b""


async def test_a_fill_that_was_under_way_does_not_outlive_the_purge(tmp_path: Path, pages: Pages):
    async with purgeable(tmp_path, pages.origin.url) as world:
        gate = pages.hold("/a")
        before = asyncio.ensure_future(world.get("/a", HOST))
        await gate.wait_waiting(1)
        pages.version = 2
        said = answer_of(await purge(world, {"urls": [f"{URL}/a"]}))
        assert said["receipt"]["done"]
        after = asyncio.ensure_future(world.get("/a", HOST))
        await gate.wait_waiting(2)  # it does not join a fill that was sent before the purge
        gate.release()
        assert (await before).body == b"1", "it was asked for before the purge"
        assert (await after).body == b"2"
        assert await versions(world, "/a") == {2}


async def test_each_kind_of_purge_reaches_both_workers(tmp_path: Path, pages: Pages):
    variant = {"url": f"{URL}/a", "headers": {"Accept-Language": "de"}}
    async with purgeable(tmp_path, pages.origin.url) as world:
        for said in (
            {"urls": [f"{URL}/a"]},
            {"variants": [{"url": f"{URL}/a", "headers": {"Accept-Language": "fr"}}]},
            {"tags": ["blue"]},
            {"prefixes": ["shop.example/a"]},
            {"hosts": ["shop.example"]},
            {"sites": ["shop"]},
            {"everything": True},
            {"urls": [f"{URL}/a"], "soft": True},
        ):
            await versions(world, "/a")
            known = pages.version
            pages.version += 1
            for other in ({"urls": [f"{URL}/b"]}, {"tags": ["green"]}, {"variants": [variant]}):
                assert (await purge(world, other)).status == 200
            assert await versions(world, "/a") == {known}, f"before {said}"
            assert (await purge(world, said)).status == 200
            assert await versions(world, "/a") == {pages.version}, f"after {said}"


async def test_what_was_purged_stays_so_and_what_was_not_is_kept_over_a_restart(tmp_path: Path, pages: Pages):
    async with purgeable(tmp_path, pages.origin.url) as world:
        await versions(world, "/a")
        await versions(world, "/b")
        pages.version = 2
        ordered = answer_of(await purge(world, {"urls": [f"{URL}/a"]}))
        await world.restart()
        asked = len(pages.origin.requests)
        assert await versions(world, "/b") == {1}
        assert len(pages.origin.requests) == asked, "what is vouched for is not asked for again"
        assert await versions(world, "/a") == {2}

        pages.version = 3
        assert (await purge(world, {"urls": [f"{URL}/a"]})).status == 200
        await world.kill9()
        await world.start()
        assert await versions(world, "/a") == {3}
        told = answer_of(await world.admin("/v1/purges"))["purges"]
        assert [one["items"] for one in told] == [[{"url": f"{URL}/a"}]] * 2
        assert told[1]["id"] == ordered["id"]


async def test_a_log_that_was_lost_means_that_nothing_is_known(tmp_path: Path, pages: Pages):
    async with purgeable(tmp_path, pages.origin.url, workers=1) as world:
        await versions(world, "/a", times=1)
        await world.sigterm()
        shutil.rmtree(world.data_dir / "nats" / "js")
        await world.start()
        asked = len(pages.origin.requests)
        answer = await world.get("/a", HOST)
        assert (answer.status, answer.body) == (200, b"1")
        (request,) = pages.origin.requests[asked:]
        assert request.header("If-None-Match") == b'"1"'
        assert b"detail=purge-unknown" in status_of(answer)
        assert b";hit" in status_of(await world.get("/a", HOST)), "once is enough"


async def test_while_the_log_is_silent_sites_do_what_they_say_and_purges_are_refused(
    tmp_path: Path, pages: Pages
):
    async with NatsServer(tmp_path / "nats") as server:
        node = f'[nats]\nurl = "{server.url}"\ntoken = "{TOKEN}"\nreplicas = 1\ndurability = "trusted"\n'
        site = '[site.purge]\nlog_loss_after = "5s"\non_log_loss = "{}"\n'
        ways = {way: site.format(way) for way in ("revalidate", "serve", "refuse")}
        async with purgeable(tmp_path, pages.origin.url, workers=1, node=node, sites=ways) as world:
            for way in ways:
                await versions(world, "/a", f"{way}.example", times=2)
            assert await proof_age(world) < 5.0
            await _while_silent(world, pages, server)


async def _while_silent(world: World, pages: Pages, server: NatsServer) -> None:
    async def get(way: str) -> Answer:
        return await world.get("/a", {"Host": f"{way}.example", "Accept-Language": "fr"})

    server.freeze()
    try:
        refused = asyncio.ensure_future(
            purge(world, {"sites": ["serve"]}, idempotency="deploy-7", within=30.0)
        )

        async def is_lost() -> bool:
            return b"detail=purge-log-lost" in status_of(await get("revalidate"))

        await until(is_lost)
        assert await proof_age(world) > 5.0
        assert b"fwd-status=304" in status_of(await get("revalidate"))
        assert b";hit" in status_of(await get("serve"))
        assert b"fwd-status=304" in status_of(await get("refuse"))
        await pages.origin.stop_listening()
        for connection in pages.origin.connections:
            await connection.close()
        assert (await get("refuse")).status == 502
        assert (await get("revalidate")).body == b"1", "stale-if-error allows it"
        assert b";hit" in status_of(await get("serve"))
        answer = await refused
        assert answer.status == 503
        assert answer.header("Retry-After") is not None
    finally:
        server.thaw()
        await pages.origin.listen()
    pages.version = 2

    async def is_back() -> bool:
        return b";hit" in status_of(await get("revalidate"))

    await until(is_back)
    again = await purge(world, {"sites": ["serve"]}, idempotency="deploy-7")
    assert (again.status, answer_of(again)["id"]) == (200, answer_of(answer)["id"])
    assert (await get("serve")).body == b"2"


async def proof_age(world: World) -> float:
    """Seconds since it is known that the log was read to its end, of whoever knows least."""
    return max(value for _, value in (await world.metrics())["perigee_purge_proof_age_seconds"])


async def test_ready_tells_how_far_the_log_was_read(tmp_path: Path, pages: Pages):
    async with purgeable(tmp_path, pages.origin.url, workers=1) as world:
        ordered = answer_of(await purge(world, {"everything": True}))
        purges = (await world.readiness())["purge_log"]
        assert purges["caught_up"] and purges["connected"] and not purges["suspended"]
        assert purges["applied"] >= ordered["seq"]
        assert purges["history"] == ordered["history"]
