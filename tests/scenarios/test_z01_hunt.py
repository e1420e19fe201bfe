"""z01: a hunt for wrong bytes. Chance decides who asks for what, when, how, and who breaks off; nothing served may be wrong.

Memory and disk are so small that everything is evicted, promoted, spooled and refused all the time. Every body, part or
whole, must be what the version that its own fields name has there, and none may be older than an unsafe request that was
answered before it was asked for. A run is made from its seed: what fails can be run again.
"""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.kit.answer import Answer
from tests.kit.bodies import body_of
from tests.kit.origin import OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.world import World
from tests.scenarios.conftest import site_file

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

LENGTHS = (0, 1, 300, 5_000, 40_000, 150_000, 700_000, 1_500_000, 3_000_000)
NAMES = 36
CLIENTS = 12
SECONDS = 6.0
NODE = """
[memory]
capacity = "2MiB"
max_object = "256KiB"
[disk]
capacity = "8MiB"
"""
SITE = """
[site.timeouts]
between_bytes = "2s"
"""


@dataclass
class Hunt:
    """The state of one run. floor: per target, the lowest version that may be served to who asks now."""

    order: random.Random
    world: World
    floor: dict[str, int] = field(default_factory=dict)
    current: dict[str, int] = field(default_factory=dict)
    checked: int = 0
    whole: int = 0
    cut: int = 0
    hits: int = 0

    # -- the origin --

    async def answer(self, request: OriginRequest, connection: OriginConnection) -> None:
        """A version's number is its ETag; unsafe methods make a new one."""
        target = request.target.decode()
        if request.method not in (b"GET", b"HEAD"):
            self.current[target] = self.current.get(target, 0) + 1
            await connection.send_response(204, {"X-Version": str(self.current[target])})
            return
        version, chance = self.current.get(target, 0), self.order.random()
        head = {"Cache-Control": f"max-age={self.order.choice((0, 1, 1, 600))}", "ETag": f'"{version}"'}
        if self.order.random() < 0.3:
            head["Cache-Control"] += ", stale-while-revalidate=1"
        if chance < 0.03:
            connection.reset()
        elif chance < 0.06:
            await connection.send_response(503, {}, b"")
        elif request.header("If-None-Match") == f'"{version}"'.encode():
            await connection.send_response(304, head)
        else:
            body = body_of(target, version, length_of(target))
            await self.send(connection, head, body, cut=chance < 0.15)

    async def send(
        self, connection: OriginConnection, head: dict[str, str], body: bytes, *, cut: bool
    ) -> None:
        chunked = self.order.random() < 0.4
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
        await connection.send_head(200, {**head, **framing})
        send = connection.send_chunk if chunked else connection.send_raw
        stop = self.order.randrange(len(body) + 1) if cut else len(body)
        for start in range(0, stop, 100_000):
            await send(body[start : min(start + 100_000, stop)])
            await asyncio.sleep(0)
        if cut and (chunked or stop < len(body)):
            connection.reset()
        elif chunked:
            await connection.send_last_chunk()

    # -- the clients --

    async def client(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            target = f"/z01/{self.order.randrange(NAMES)}"
            chance = self.order.random()
            if chance < 0.06:
                await self.change(target)
            elif chance < 0.16:
                await self.leave(target)
            else:
                await self.read(target)

    async def change(self, target: str) -> None:
        answer = await self.world.request(self.order.choice(("POST", "PUT", "DELETE")), target, body=b"x")
        if answer.status == 204:
            made = int(answer.header("X-Version") or b"0")
            self.floor[target] = max(self.floor.get(target, 0), made)

    async def leave(self, target: str) -> None:
        """Ask, and break off somewhere."""
        async with await self.world.client() as client:
            await client.send_request("GET", target)
            if self.order.random() < 0.7:
                await client.read_head()
                await client.read_body_until(self.order.randrange(500_000))
            client.abort()

    async def read(self, target: str) -> None:
        length, headers = length_of(target), {}
        if length and self.order.random() < 0.4:
            first = self.order.randrange(length)
            last = self.order.randrange(first, length + 10)
            headers["Range"] = self.order.choice(
                (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last + 1}")
            )
        floor = self.floor.get(target, 0)
        self.check(target, floor, await self.world.get(target, headers, within=20))

    def check(self, target: str, floor: int, answer: Answer) -> None:
        self.checked += 1
        if answer.status in (502, 503, 504):
            return
        version = int((answer.header("ETag") or b'"-1"').strip(b'"'))
        body, about = body_of(target, version, length_of(target)), (target, version, answer.headers)
        assert version >= floor, f"older than {floor}: {about}"
        if answer.status == 206:
            span = (answer.header("Content-Range") or b"").split(b" ")[1].split(b"/")
            first, last = map(int, span[0].split(b"-"))
            assert int(span[1]) == len(body), about
            body = body[first : last + 1]
        else:
            assert answer.status == 200, about
        assert answer.body == body[: len(answer.body)], f"wrong bytes: {about}"
        assert len(answer.body) == len(body) or not answer.complete, f"a part for the whole: {about}"
        self.cut += not answer.complete
        self.whole += answer.complete
        self.hits += b";hit" in (answer.header("Cache-Status") or b"")


def length_of(target: str) -> int:
    return LENGTHS[int(target.rsplit("/", 1)[1]) % len(LENGTHS)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers,seed", [(1, 1), (2, 2)])
async def test_nothing_served_is_wrong(tmp_path: Path, workers: int, seed: int) -> None:
    async with ScriptedOrigin() as origin:
        config = site_file(origin.url, SITE, NODE)
        async with World(tmp_path, origin=None, config=config, workers=workers) as world:
            hunt = Hunt(random.Random(seed), world)
            origin.default = hunt.answer
            until = asyncio.get_running_loop().time() + SECONDS
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(hunt.client(until))
            held = await world.metric("perigee_stored_bytes", {"tier": "disk"})
            assert "Traceback" not in world.log()
    assert hunt.checked > 200
    assert hunt.hits > hunt.checked / 20
    assert hunt.whole > hunt.checked / 2
    assert hunt.cut
    assert held <= 8 << 20
