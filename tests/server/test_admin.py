"""The admin address speaks for all workers, and never waits for one that does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from edge.measures import Measures
from edge.server import sockets
from edge.server.admin import Admin, State
from edge.server.keeper import Seen
from edge.server.totals import Totals
from edge.server.worker_admin import serve, worker_app
from edge.settings.node import ListenAddress
from tests.server.test_worker_admin import Telling


class Node:
    """Two workers and an admin address in front of them."""

    def __init__(self, tmp_path: Path, session: ClientSession, url: str) -> None:
        self.session, self.url = session, url
        self.address: Admin
        self.workers = [Telling(), Telling()]
        self.seen = [Seen(index, 100 + index, 1.0, 0, served=True) for index in range(2)]
        self.draining = False
        self.complaint: str | None = None
        self.purges: dict[str, object] | None = None
        self.is_cold = False
        self.replaced: int | None = None
        self.own = Measures()
        self.paths = [tmp_path / f"{index}.sock" for index in range(2)]

    def state(self) -> State:
        return State(
            self.seen,
            self.draining,
            self.complaint,
            1_795_514_656.0,
            self.purges,
            {"warm": not self.is_cold},
            self.is_cold,
            roll=None if self.replaced is None else {"event": "leaving", "worker": self.replaced},
            replaced=self.replaced,
        )

    async def get(self, target: str) -> tuple[int, str]:
        async with self.session.get(self.url + target) as answer:
            return answer.status, await answer.text()

    async def json(self, target: str) -> dict[str, object]:
        async with self.session.get(self.url + target) as answer:
            said: dict[str, object] = await answer.json()
            return said


async def echoed(request: web.Request) -> web.Response:
    return web.Response(body=await request.content.read())


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    (group,) = await sockets.bind(ListenAddress("127.0.0.1", 0), 1)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession())
        node = Node(tmp_path, session, f"http://{sockets.listening_at(group[0])}")
        for worker, path in zip(node.workers, node.paths, strict=True):
            app = worker_app(worker, worker.measures.registry.snapshot, worker.explain, worker.count)
            stack.push_async_callback((await serve(app, path)).cleanup)
        admin = Admin(
            node.state,
            lambda index: node.paths[index],
            node.own.registry.snapshot,
            Totals(),
            [web.post("/v1/{tail:.*}", echoed)],
        )
        node.address = admin
        await admin.start(group)
        stack.push_async_callback(admin.aclose)
        yield node


async def test_the_numbers_of_all_workers_are_one_page(node: Node):
    for number, worker in enumerate(node.workers, 3):
        worker.measures.connections.value = number
    node.own.worker_restarts.value = 5
    status, page = await node.get("/metrics")
    assert status == 200
    assert "perigee_connections_total 7.0" in page
    assert "perigee_worker_restarts_total 5.0" in page
    assert "perigee_workers 2.0" in page


async def test_ready_is_when_every_worker_is(node: Node):
    assert (await node.get("/readyz"))[0] == 200
    assert (await node.get("/healthz"))[0] == 200
    node.workers[1].ready = False
    assert (await node.get("/readyz"))[0] == 503
    assert (await node.get("/livez"))[0] == 200


def is_gone(node: Node) -> None:
    node.seen[1] = Seen(1, None, 0.0, 3, served=False)


def is_starting(node: Node) -> None:
    node.seen[1] = Seen(1, 101, 0.1, 3, served=False)


def is_deaf(node: Node) -> None:
    node.paths[1] = node.paths[1].with_suffix(".none")


@pytest.mark.parametrize(
    ("happened", "why"),
    [(is_gone, "between two lives"), (is_starting, "starting"), (is_deaf, "does not answer")],
)
async def test_unready_says_why(node: Node, happened: Callable[[Node], None], why: str):
    happened(node)
    status, said = await node.get("/readyz")
    assert status == 503
    assert why in said
    assert "perigee_workers 1.0" in (await node.get("/metrics"))[1]


@pytest.mark.parametrize("happened", [is_gone, is_starting, is_deaf])
async def test_one_that_is_being_replaced_is_not_waited_for(node: Node, happened: Callable[[Node], None]):
    happened(node)
    node.replaced = 1
    status, said = await node.get("/readyz")
    assert (status, '"roll": {"event": "leaving", "worker": 1}' in said) == (200, True)
    node.replaced = 0
    assert (await node.get("/readyz"))[0] == 503


async def test_one_that_begins_to_be_replaced_while_it_is_asked_is_not_waited_for(node: Node):
    def readiness() -> tuple[bool, dict[str, object]]:
        node.replaced = 1
        return False, {"draining": True}

    node.workers[1].readiness = readiness  # type: ignore[method-assign]
    assert (await node.get("/readyz"))[0] == 200


async def test_last_words_stay_in_the_sums(node: Node):
    for number, worker in enumerate(node.workers, 3):
        worker.measures.connections.value = number
    await node.address.farewell(1)
    is_gone(node)
    assert "perigee_connections_total 7.0" in (await node.get("/metrics"))[1]


async def test_draining_is_unready_and_bad_files_alone_are_not(node: Node):
    node.complaint = "edge.toml:3: wrong"
    status, said = await node.get("/readyz")
    assert status == 200
    assert "edge.toml:3: wrong" in said
    node.draining = True
    assert (await node.get("/readyz"))[0] == 503


async def test_a_node_that_has_not_read_the_purge_log_is_not_ready(node: Node):
    node.purges = {"caught_up": False, "applied": 0}
    status, said = await node.get("/readyz")
    assert (status, json.loads(said)["purge_log"]) == (503, {"caught_up": False, "applied": 0})
    node.purges = {"caught_up": True}
    assert (await node.get("/readyz"))[0] == 200


async def test_a_node_that_is_not_to_be_asked_cold_is_not_ready(node: Node):
    assert (await node.json("/readyz"))["warmth"] == {"warm": True}
    node.is_cold = True
    status, said = await node.get("/readyz")
    assert (status, json.loads(said)["warmth"]) == (503, {"warm": False})


async def test_what_is_stored_is_known_when_every_worker_says_it(node: Node):
    assert await node.address.stored() is None
    for worker in node.workers:
        worker.detail = {"stored": {"memory": 1, "disk": 2}}
    assert await node.address.stored() == [{"memory": 1, "disk": 2}] * 2
    is_starting(node)
    assert await node.address.stored() is None


async def test_what_the_supervisor_counts_as_workers_do_is_in_the_sum(node: Node):
    for measures in (*(worker.measures for worker in node.workers), node.own):
        measures.purge_orders_applied.value = 2
        measures.connections.value = 2
    node.own.fleet_nodes.of("live").value = 5
    _, page = await node.get("/metrics")
    assert "perigee_purge_orders_applied_total 6.0" in page
    assert 'perigee_fleet_nodes{state="live"} 5.0' in page
    assert "perigee_connections_total 4.0" in page, "the supervisor has no clients"


async def test_what_is_served_beside_gets_its_bytes_as_they_were_sent(node: Node):
    coded = {"Content-Encoding": "gzip"}
    async with node.session.post(node.url + "/v1/purges", data=b"not gzip", headers=coded) as answer:
        assert await answer.read() == b"not gzip"


async def test_no_worker_is_not_ready(node: Node):
    node.seen.clear()
    assert (await node.get("/readyz"))[0] == 503
    assert (await node.get("/explain?url=http://a.example/"))[0] == 503


async def test_each_worker_explains(node: Node):
    said = await node.json("/explain?url=http://a.example/%2541&header=A:%20b")
    assert said == {
        "workers": [
            {"index": 0, "target": "/%41", "lines": 1},
            {"index": 1, "target": "/%41", "lines": 1},
        ]
    }
    status, text = await node.get("/explain?url=http://b.example/")
    assert (status, "no site" in text) == (400, True)


async def test_what_workers_do_not_tell_is_missing_from_the_hot_set(node: Node):
    assert await node.json("/hot") == {"urls": [], "unnamed": 0, "complete": False}
    assert (await node.get("/hot?limit=0"))[0] == 400


async def test_it_only_tells(node: Node):
    for target in ("/metrics", "/readyz", "/workers", "/explain"):
        async with node.session.post(node.url + target, data=b"x") as answer:
            assert answer.status == 405
    assert (await node.get("/"))[0] == 404


@pytest.mark.slow
async def test_a_worker_that_hangs_costs_a_bounded_time(node: Node, tmp_path: Path):
    async def hang(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = web.Application()
    app.add_routes([web.get("/{any}", hang)])
    node.paths[1] = tmp_path / "hangs.sock"
    runner = await serve(app, node.paths[1])
    async with asyncio.timeout(5):
        status, said = await node.get("/readyz")
    assert (status, "does not answer" in said) == (503, True)
    await runner.cleanup()
