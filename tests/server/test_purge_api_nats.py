"""Two nodes with everything that is real: a nats-server, the log, its readers, the fleet, the API on sockets."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from edge.bus.connection import Bus
from edge.bus.durability import make_durable
from edge.clock import SystemClock
from edge.fleet.fleet import Fleet
from edge.fleet.presence import Presence
from edge.measures import Measures
from edge.purge.desk import PurgeDesk
from edge.purge.follower import Follower
from edge.purge.log import PurgeLog
from edge.purge.signing.message import Message
from edge.purge.signing.sign import request_to, sign
from edge.purge.ticks import Ticks
from edge.semantics.message import Fields, Line
from edge.semantics.purge_table import PurgeTable
from edge.server import sockets
from edge.server.purge_api import PurgeApi
from edge.settings.node import Durability, ListenAddress, NatsSettings, NodeSettings
from edge.settings.sites import purged_keys
from edge.tasks import TaskOwner
from tests.kit.desks import ALL, SITES, ring, urls
from tests.kit.nats import NatsServer
from tests.kit.waiting import until

pytestmark = pytest.mark.slow
CLOCK = SystemClock()


@dataclass
class WholeNode:
    """A node. url: of its API."""

    url: str
    desk: PurgeDesk
    follower: Follower
    fleet: Fleet
    session: ClientSession

    async def post(self, said: object, path: str = "/v1/purges", *lines: Line) -> tuple[int, dict[str, Any]]:
        return await self.send(self.signed(said, path, *lines))

    def signed(self, said: object, path: str = "/v1/purges", *lines: Line) -> Message:
        fields = Fields(((b"Content-Type", b"application/json"), *lines))
        message = request_to(self.url + path, fields=fields, body=json.dumps(said).encode())
        more = sign(message, ALL, now=CLOCK.now(), nonce=secrets.token_hex(12))
        return replace(message, fields=fields.with_added(*more))

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        message = request_to(self.url + path, method="GET")
        lines = sign(message, ALL, now=CLOCK.now(), nonce=secrets.token_hex(12))
        return await self.send(replace(message, fields=Fields(lines)))

    async def send(self, message: Message) -> tuple[int, dict[str, Any]]:
        headers = [(name.decode(), value.decode()) for name, value in message.fields]
        # the name that was signed, wherever it is sent: two nodes behind one name
        headers.append(("Host", message.authority.render().decode()))
        async with self.session.request(
            message.method.decode(),
            URL(self.url + message.target.decode(), encoded=True),
            data=message.body or None,
            headers=headers,
        ) as answer:
            return answer.status, await answer.json(content_type=None)


async def counted(question: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    return {"objects": 2, "bytes": 200, "hot_objects": 1, "complete": True}


async def begin(name: str, server: NatsServer, folder: Path, stack: AsyncExitStack) -> WholeNode:
    settings = NodeSettings(name=name, region="eu", sites=SITES)
    measures = Measures()
    bus = Bus(server.address(), name=name, clock=CLOCK, measures=measures)
    stack.push_async_callback(bus.aclose)
    await bus.connect()
    await make_durable(bus, NatsSettings(url=(server.url,), durability=Durability.TRUSTED), CLOCK)
    tasks = await stack.enter_async_context(TaskOwner(name))
    table = PurgeTable(lambda uri: purged_keys(uri, SITES))
    where = folder / name
    follower = Follower(bus, table, folder=where, node=name, instance="one", clock=CLOCK, measures=measures)

    def say() -> Presence:
        applied = follower.seq_of(follower.applied) or 0
        return Presence(name, "one", "eu", history=follower.history, applied=applied, ready=True, workers=1)

    fleet = Fleet(bus, say, answer=counted, clock=CLOCK, measures=measures)
    log = PurgeLog(bus, CLOCK, measures)
    desk = PurgeDesk(
        log,
        follower,
        keys=lambda: ring(ALL),
        settings=lambda: settings,
        clock=CLOCK,
        wall=CLOCK.now,
        new_id=lambda: secrets.token_hex(16),
        measures=measures,
    )
    follower.on_order(desk.took)
    follower.on_order(lambda order, position: fleet.moved())
    await follower.start(tasks)
    await Ticks(bus, follower, node=name, instance="one", clock=CLOCK).start(tasks)
    await fleet.start(tasks)
    api = PurgeApi(desk, log, fleet, settings=lambda: settings, clock=CLOCK)
    (held,) = await sockets.bind(ListenAddress("127.0.0.1", 0), 1)
    url = f"http://{sockets.listening_at(held[0])}"
    await api.start(held)
    stack.push_async_callback(api.aclose)
    return WholeNode(url, desk, follower, fleet, await stack.enter_async_context(ClientSession()))


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[WholeNode, WholeNode]]:
    async with NatsServer(tmp_path / "nats") as server, AsyncExitStack() as stack:
        a, b = [await begin(name, server, tmp_path, stack) for name in ("fra-1", "sgp-1")]

        async def both_know() -> bool:
            return all(node.follower.caught_up.is_set() and node.fleet.surveyed for node in (a, b))

        await until(both_know)
        for node in (a, b):
            await node.desk.recall()
        yield a, b


async def test_a_purge_is_ordered_once_applied_everywhere_and_told_by_any_node(
    pair: tuple[WholeNode, WholeNode],
):
    a, b = pair
    request = a.signed(urls(1), "/v1/purges?wait=global&timeout=5s")
    status, ordered = await a.send(request)
    receipt = ordered["receipt"]
    assert (status, receipt["done"]) == (200, True), receipt
    assert [one["node"] for one in receipt["applied"]] == ["fra-1", "sgp-1"]

    for node in (b, a):  # the same bytes, on both
        status, refused = await node.send(request)
        assert (status, refused["reason"], refused["id"], refused["seq"]) == (
            409,
            "replayed",
            ordered["id"],
            ordered["seq"],
        )

    status, told = await b.get(ordered["status_url"])
    assert (status, told["by"], told["seq"], told["receipt"]["done"]) == (200, "all", ordered["seq"], True)

    status, would = await b.post(urls(1), "/v1/purges?dry_run=1")
    assert (status, would["total"]["objects"], [one["node"] for one in would["nodes"]]) == (
        200,
        4,
        ["fra-1", "sgp-1"],
    )

    key = (b"Idempotency-Key", b"deploy-77")
    status, first = await a.post(urls(1, 7), "/v1/purges", key)
    again_status, again = await b.post(urls(1, 7), "/v1/purges", key)
    assert (status, again_status, again["repeated"]) == (202, 202, True)
    assert (again["id"], again["seq"]) == (first["id"], first["seq"])
    assert (await b.post(urls(1, 8), "/v1/purges", key))[1]["reason"] == "idempotency-conflict"

    status, page = await b.get("/v1/purges?limit=5")
    assert [one["id"] for one in page["purges"]] == [first["id"], ordered["id"]]


async def test_a_node_that_starts_later_knows_what_was_signed_before(
    tmp_path: Path,
):
    async with NatsServer(tmp_path / "nats") as server:
        async with AsyncExitStack() as stack:
            first = await begin("fra-1", server, tmp_path, stack)
            await until(lambda: is_set(first))
            await first.desk.recall()
            request = first.signed(urls(1))
            assert (await first.send(request))[0] == 202
        async with AsyncExitStack() as stack:
            again = await begin("fra-1", server, tmp_path, stack)
            assert (await again.send(request))[1]["reason"] == "not-current"
            await until(lambda: is_set(again))
            await again.desk.recall()
            assert (await again.send(request))[1]["reason"] == "replayed"


async def is_set(node: WholeNode) -> bool:
    return node.follower.caught_up.is_set()
