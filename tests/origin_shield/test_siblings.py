"""Edges of a POP that share their keys; and a shield that is more than one worker."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from edge.settings.node import ListenAddress, TierSettings
from origin_shield.outward import Shielded
from origin_shield.ring import Ring, RingNode
from tests.kit.edge import Edge
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.tiered import HASTY, SECRET, node_file
from tests.kit.workers import settings_for, workers
from tools.ports import free_ports

FRESH = {"Cache-Control": "max-age=60"}
HOST = {"Host": "a.example"}
PATHS = [f"/{number}" for number in range(16)]
NAMES = ("fra-1", "fra-2", "fra-s")


@pytest.fixture
async def origin() -> AsyncIterator[ScriptedOrigin]:
    async with ScriptedOrigin() as origin:
        origin.default = Canned(200, FRESH, b"body")
        yield origin


@pytest.fixture
async def pop(origin: ScriptedOrigin, tmp_path: Path) -> AsyncIterator[list[Edge]]:
    """Two edges that share their keys, and a shield."""
    network = (
        '[[region]]\nname = "eu"\n[[pop]]\nname = "fra"\nregion = "eu"\nlatitude = 50\nlongitude = 8\n'
        'addresses = ["192.0.2.1"]\nsiblings = true\n'
    )
    ports = dict(zip(NAMES, free_ports(3), strict=True))
    for name, port in ports.items():
        role = "shield" if name.endswith("s") else "edge"
        at = f"127.0.0.1:{port}"
        network += f'[[node]]\nname = "{name}"\npop = "fra"\nrole = "{role}"\nhttp = "{at}"\ntier = "{at}"\n'
    (tmp_path / "network.toml").write_text(network)
    node = f'[node]\nnetwork = "{tmp_path}/network.toml"\n'
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Edge(
                    tmp_path / name,
                    config=node + node_file(origin.url, listen=port, tier=HASTY),
                    name=name,
                    outward=Shielded,
                )
            )
            for name, port in reversed(ports.items())
        ]


def via(lines: list[bytes]) -> tuple[str, ...]:
    return tuple(line.split()[-1].decode() for line in lines)


async def test_a_pop_fetches_an_object_once_by_the_edge_that_has_its_key(
    origin: ScriptedOrigin, pop: list[Edge]
):
    _, two, one = pop
    ways = set()
    for path in PATHS:
        ways.add(via((await one.get(path, HOST)).header_lines("Via")))
        assert (await two.get(path, HOST)).body == b"body"
    assert ways == {("fra-s", "fra-1"), ("fra-s", "fra-2", "fra-1")}
    assert len(origin.requests) == len(PATHS)


async def test_a_sibling_that_is_gone_is_done_without(origin: ScriptedOrigin, pop: list[Edge]):
    _, two, one = pop
    await two.stop()
    for path in PATHS:
        answer = await one.get(path, HOST)
        assert (answer.status, via(answer.header_lines("Via"))) == (200, ("fra-s", "fra-1"))
    await two.start()


async def test_what_a_sibling_passes_on_is_private_and_what_it_changes_is_forgotten_by_both(
    origin: ScriptedOrigin, pop: list[Edge]
):
    _, two, one = pop
    for path in PATHS[:6]:
        for edge in (one, two):
            assert (await edge.get(path, HOST)).body == b"body"
        origin.on(path, Canned(204))
        assert (await one.request("DELETE", path, HOST)).status == 204
        origin.on(path, Canned(200, {"Cache-Control": "private"}, b"mine"))
        assert (await one.get(path, HOST)).body == b"mine"
        assert (await one.get(path, HOST)).body == b"mine"
        assert len(origin.seen(path)) == 4


async def test_a_shields_worker_that_does_not_own_a_key_asks_the_one_that_does_and_nobody_else(
    origin: ScriptedOrigin, tmp_path: Path
):
    """It is in a list of shields itself. Were it not known that a node asks, the owner would ask the key's first shield."""
    own, other = (ListenAddress("127.0.0.1", port) for port in free_ports(2))
    tier = TierSettings(listen=own, shields=(own, other), secrets=(SECRET.encode(),), check=None)
    settings = replace(settings_for(tmp_path / "shield", origin.url, disk=False), name="shield", tier=tier)
    ring = Ring((RingNode(str(own)), RingNode(str(other))))
    async with workers(settings, outward=Shielded, for_nodes=True) as (owner, worker):
        target = next(
            path
            for path in (owner.owned(f"/a{number}") for number in itertools.count())
            if ring.order(owner.key(path))[0].name == str(other)
        )
        config = node_file(origin.url, shields=(worker.for_nodes,), tier='check = "off"\n')
        async with Edge(tmp_path / "edge", config=config, outward=Shielded) as edge:
            assert (await edge.get(target, HOST)).body == b"body"
        assert len(origin.requests) == 1
        for each in (owner, worker):
            assert each.counted("perigee_shield_requests_total") == {}
        assert owner.counted("perigee_stored_responses").get("memory") == 1
