"""d02: kill -9 while everything is being written, again and again: whatever is served afterwards is whole and its own."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.kit.bodies import body_of
from tests.kit.origin import OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

LENGTHS = (20, 900, 5_000, 40_000, 300_000, 1_500_000, 4_000_000)
NAMES = 60
ROUNDS = 3


def length_of(number: int) -> int:
    return LENGTHS[number % len(LENGTHS)]


class Versions:
    """An origin whose every answer is a new version; the answer's fields say which, and how long it is."""

    def __init__(self) -> None:
        self.version = 0

    async def __call__(self, request: OriginRequest, connection: OriginConnection) -> None:
        self.version += 1
        version, target = self.version, request.target.decode()
        body = body_of(target, version, length_of(int(target.rsplit("/", 1)[1])))
        head = {"Cache-Control": "max-age=600", "X-Version": str(version), "Content-Length": str(len(body))}
        await connection.send_head(200, head)
        # In pieces with a turn of the loop between them, so that the kill falls into many bodies.
        for start in range(0, len(body), 200_000):
            await connection.send_raw(body[start : start + 200_000])
            await asyncio.sleep(0)


async def check(world: World, target: str) -> tuple[int, bool]:
    """The version that was served and whether it was stored; asserts that it is whole and its own."""
    answer = await world.get(target, within=20)
    assert (answer.status, answer.complete) == (200, True), target
    version = int(answer.header("X-Version") or b"0")
    assert answer.body == body_of(target, version, length_of(int(target.rsplit("/", 1)[1]))), (
        target,
        version,
    )
    return version, b";hit" in (answer.header("Cache-Status") or b"")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_wrong_is_served_after_kill_9(
    origin: ScriptedOrigin, tmp_path: Path, workers: int
) -> None:
    order = random.Random(workers)
    targets = [f"/d02/{workers}/{number}" for number in range(NAMES)]
    versions = Versions()
    for target in targets:
        origin.on(target, versions)
    world = World(tmp_path, origin=origin.url, workers=workers)
    served: dict[str, int] = {}
    hits = 0
    async with world:
        for _ in range(ROUNDS):
            await torn(world, targets, order, killed_after=order.randrange(NAMES // 2, NAMES))
            await world.start()
            for target in order.sample(targets, NAMES):
                version, was_stored = await check(world, target)
                # What was gone once never comes back.
                assert version >= served.get(target, 0), target
                served[target], hits = version, hits + was_stored
    assert hits, "no round served anything from what had been written before the kill"


async def torn(world: World, targets: list[str], order: random.Random, *, killed_after: int) -> None:
    """Ask for everything at once, unsafe requests among it, and kill the edge when that many answers have come."""
    done, enough = 0, asyncio.Event()

    async def ask(target: str) -> None:
        nonlocal done
        try:
            if order.random() < 0.3:
                await world.request("DELETE", target)
            await world.get(target, within=20)
        except (OSError, AssertionError):
            return
        done += 1
        if done >= killed_after:
            enough.set()

    async with asyncio.TaskGroup() as group:
        for target in order.sample(targets, len(targets)):
            group.create_task(ask(target))
        async with asyncio.timeout(30):
            await enough.wait()
        await world.kill9()


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_an_unsafe_request_made_invalid_does_not_come_back_with_kill_9(
    origin: ScriptedOrigin, tmp_path: Path, workers: int
) -> None:
    """RFC 9111 s4.4, from the moment the client has its answer: also when the edge dies right then."""
    targets = [f"/d02/gone/{workers}/{number}" for number in range(len(LENGTHS))]
    versions = Versions()
    for target in targets:
        origin.on(target, versions)
    world = World(tmp_path, origin=origin.url, workers=workers)
    async with world:
        before = {target: (await check(world, target))[0] for target in targets}
        await world.wait_metric("perigee_stored_responses", len(targets), {"tier": "disk"})
        for _ in range(2):
            for target in targets:
                assert (await world.request("DELETE", target)).status == 200
            await world.kill9()
            await world.start()
            for target in targets:
                version, _ = await check(world, target)
                assert version > before[target], target
                before[target] = version
            await world.wait_metric("perigee_stored_responses", len(targets), {"tier": "disk"})
