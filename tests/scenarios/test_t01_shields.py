"""t01: two regions with two edges each, and their shields, as real processes: what the origin sees, and what a loss costs."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial

import pytest
import pytest_asyncio

from tests.kit.answer import Answer
from tests.kit.client import RawClient
from tests.kit.network import REGIONAL, WORLD, Network
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.waiting import Bell, until
from tests.kit.world import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

FRESH = {"Cache-Control": "max-age=600"}
CAP = 3
SITE = f"""
[site.protection]
max_in_flight = {CAP}
queue_deadline = "8s"
[site.protection.breaker]
requests = 5
share = 0.5
rest = "300ms"
window = "2s"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"body")
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(origin: ScriptedOrigin, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    shape = {"eu": (2, 2), "us": (2, 1)}
    async with Network(tmp_path_factory.mktemp("network"), origin.url, shape, site=SITE) as network:
        yield network


def shields_of(answer: Answer) -> list[str]:
    """The shields that an answer came by, the one next to the origin first."""
    names = [name.split()[-1].decode() for name in answer.header_lines("Via")]
    return [name for name in names if "shield" in name]


async def get(world: World, path: str, host: str = REGIONAL) -> Answer:
    return await world.get(path, {"Host": host})


# --- what the origin sees ---


@pytest.mark.parametrize(("host", "requests"), [(REGIONAL, 2), (WORLD, 1)], ids=["regions", "world"])
async def test_a_crowd_everywhere_is_one_request_a_region_or_one_in_the_world(
    origin: ScriptedOrigin, network: Network, host: str, requests: int
):
    path = f"/crowd-{host}"
    gate = origin.hold(path)
    async with AsyncExitStack() as stack:
        clients: list[RawClient] = []
        for edge in network.all_edges:
            for _ in range(125):
                client = await stack.enter_async_context(await edge.client())
                await client.send_request("GET", path, {"Host": host})
                clients.append(client)
        await gate.wait_waiting(requests)
        for edge in network.all_edges:
            await edge.wait_metric("perigee_fills_followed", 124)
        gate.release()
        answers = await asyncio.gather(*(client.read_answer() for client in clients))
    assert Counter((answer.status, answer.body) for answer in answers) == {(200, b"body"): 500}
    assert len(origin.seen(path)) == requests
    lengths = {len(shields_of(answer)) for answer in answers}
    assert lengths == ({1} if host == REGIONAL else {1, 2})


async def test_the_origin_never_has_more_than_the_shields_may_send(origin: ScriptedOrigin, network: Network):
    """A shield has one worker here, and two shields are next to this origin."""
    paths = [f"/storm?{number}" for number in range(60)]
    gate = origin.hold("/storm")
    asking = [asyncio.ensure_future(get(edge, path, WORLD)) for path in paths for edge in network.all_edges]

    async def all_wait() -> bool:
        queues = [await shield.metric("perigee_origin_queue") for shield in network.shields["eu"]]
        return sum(queues) == len(paths) - 2 * CAP

    await until(all_wait)
    assert gate.waiting == 2 * CAP
    gate.release()
    assert {answer.status for answer in await asyncio.gather(*asking)} == {200}
    assert origin.in_flight_max == 2 * CAP
    assert len(origin.seen("/storm")) == len(paths)


# --- what a loss costs ---


async def test_a_shield_that_dies_in_mid_body_leaves_nothing_half(origin: ScriptedOrigin, network: Network):
    whole = bytes(range(256)) * 8192
    rest = asyncio.Event()

    async def slow(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(200, {**FRESH, "Content-Length": str(len(whole))})
        await connection.send_raw(whole[: len(whole) // 2])
        await rest.wait()
        await connection.send_raw(whole[len(whole) // 2 :])

    origin.on("/large", slow)
    edge = network.edges["eu"][0]
    async with await edge.client() as client:
        await client.send_request("GET", "/large", {"Host": REGIONAL})
        (name,) = shields_of(await client.read_head())
        await client.read_body_until(65536)
        await network.named(name).kill9()
        assert not (await client.read_rest()).complete
    rest.set()
    for each in network.edges["eu"]:
        answer = await get(each, "/large")
        assert (answer.complete, answer.body == whole) == (True, True)
        assert name not in shields_of(answer)
    await network.start_again(name)


async def test_a_shield_that_dies_under_load_is_no_clients_error_and_moves_its_keys_only(
    origin: ScriptedOrigin, network: Network
):
    edges, failed = network.edges["eu"], list[Answer]()
    before = {f"/load?{n}": shields_of(await get(edges[0], f"/load?{n}"))[0] for n in range(40)}
    assert set(before.values()) == {"eu-shield1", "eu-shield2"}
    stop, bell, served = asyncio.Event(), Bell(), 0

    async def load(edge: World, number: int) -> None:
        nonlocal served
        turn = 0
        while not stop.is_set():
            turn += 1
            answer = await get(edge, f"/under-load?{number}-{turn}")
            if answer.status != 200 or answer.body != b"body":
                failed.append(answer)
            served += 1
            bell.ring()

    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(load(edges[number % 2], number))
        await origin.wait_requests(1, "/under-load")
        await network.named("eu-shield1").kill9()
        await bell.until(lambda: served > 200, "200 answers", seen=lambda: served)
        stop.set()
    assert failed == []
    after = {path: shields_of(await get(edges[1], path.replace("load", "load2"))) for path in before}
    assert {name for names in after.values() for name in names} == {"eu-shield2"}
    moved = [path for path, name in before.items() if name == "eu-shield1"]
    asked = len(origin.seen("/load"))
    for path in before:
        await get(edges[1], path)  # it has none of them yet
    assert len(origin.seen("/load")) == asked + len(moved)
    await network.start_again("eu-shield1")


async def test_an_origin_that_is_away_is_covered_and_left_alone_and_found_again(
    origin: ScriptedOrigin, network: Network
):
    said = {"Cache-Control": "max-age=0, stale-if-error=600"}
    origin.on("/away", Canned(200, said, b"old"))
    for edge in network.all_edges:
        assert (await get(edge, "/away")).body == b"old"
    await origin.stop_listening()
    for connection in origin.connections:
        await connection.close()
    for _ in range(10):
        for edge in network.all_edges:
            answer = await get(edge, "/away")
            assert (answer.status, answer.body) == (200, b"old")
    opened = [await each.metric("perigee_origin_breaker_opens_total") for each in network.all_shields]
    assert any(opened)
    for edge in network.all_edges:
        assert (await get(edge, "/never-seen")).status in {502, 503}
    origin.on("/away", Canned(200, said, b"new"))
    await origin.listen()

    await until(partial(is_found_again, network, itertools.count()))
    for edge in network.all_edges:
        assert (await get(edge, "/away")).body == b"new"


async def is_found_again(network: Network, turns: Iterator[int]) -> bool:
    """Whether all breakers are closed; they want to see that it works."""
    for edge in network.all_edges:
        for _ in range(4):
            await get(edge, f"/try?{next(turns)}")
    return not any([await shield.metric("perigee_origin_breaker") for shield in network.all_shields])


# --- purges ---


async def test_what_was_purged_everywhere_is_nowhere(origin: ScriptedOrigin, network: Network):
    edges, version = network.all_edges, 0

    async def current(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(200, FRESH, b"%d" % version)

    stale, reads, stop = list[bytes](), 0, asyncio.Event()

    async def read(edge: World, host: str) -> None:
        """What is older than the last purge that was acknowledged before it was asked for."""
        nonlocal reads
        while not stop.is_set():
            known = purged
            body = (await get(edge, "/page", host)).body
            reads += 1
            if int(body) < known:
                stale.append(body)

    origin.on("/page", current)
    purged = 0
    async with asyncio.TaskGroup() as tasks:
        for edge in edges:
            for host in (REGIONAL, WORLD):
                tasks.create_task(read(edge, host))
        for turn in range(12):
            version += 1
            said = await network.purge(
                f"http://{REGIONAL}/page", f"http://{WORLD}/page", at=edges[turn % len(edges)]
            )
            assert said["receipt"]["done"], said
            purged = version
        stop.set()
    assert stale == []
    assert reads > 100


async def test_a_shield_that_lags_does_not_bring_back_what_was_purged(
    origin: ScriptedOrigin, network: Network
):
    """The refill race: the edges have applied the purge, their shields have not, and hold the old page."""
    version = 0

    async def current(_request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(200, FRESH, b"%d" % version)

    origin.on("/race", current)
    for edge in network.all_edges:
        for host in (REGIONAL, WORLD):
            await get(edge, "/race", host)
            network.valve.shut()
            try:
                version += 1
                await network.purged_here(f"http://{host}/race", at=edge)
                answers = await asyncio.gather(*(get(edge, "/race", host) for _ in range(3)))
            finally:
                network.valve.open()
            assert {answer.body for answer in answers} == {b"%d" % version}
            assert all(shields_of(answer) for answer in answers)
