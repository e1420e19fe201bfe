"""A node of a network as real processes: what a changed network file changes, and what it cannot."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.kit.answer import Answer
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.waiting import until
from tests.kit.world import World

pytestmark = pytest.mark.slow

STORED = Canned(200, {"Cache-Control": "max-age=60"}, b"hello")
NETWORK = """
[geo]
overrides = {{ "198.18.1.0/24" = "country:{country}" }}
[health]
interval = "1h"
opinion_life = "1h"
[[region]]
name = "world"
[[pop]]
name = "fra"
region = "world"
latitude = 50.1
longitude = 8.7
addresses = ["192.0.2.1"]
[[pop]]
name = "iad"
region = "world"
latitude = 38.9
longitude = -77.5
addresses = ["192.0.2.2"]
[[node]]
name = "{name}"
pop = "fra"
http = "127.0.0.1:1"
[[node]]
name = "iad-1"
pop = "iad"
http = "127.0.0.1:1"
[[route]]
site = "shop"
hosts = ["www.example.org"]
"""
NODE = """
[node]
name = "fra-1"
network = "network.toml"
trusted_proxies = ["127.0.0.0/8"]
[log]
access = "off"
[purge]
log = "off"
[[site]]
name = "shop"
hostnames = ["*"]
origins = ["{origin}"]
redirect = {{ answer = "307" }}
"""


def write(folder: Path, country: str, name: str = "fra-1") -> None:
    (folder / "network.toml").write_text(NETWORK.format(country=country, name=name), encoding="utf-8")


async def ask(world: World) -> Answer:
    return await world.get("/a", {"X-Forwarded-For": "198.18.1.9"})


async def test_clients_move_with_the_network_file_and_a_node_keeps_its_name_until_a_restart(tmp_path: Path):
    write(tmp_path, "DE")
    async with (
        ScriptedOrigin({"/a": STORED}) as origin,
        World(tmp_path, origin=None, config=NODE.format(origin=origin.url)) as world,
    ):
        assert (await ask(world)).status == 200
        write(tmp_path, "US")
        world.send_signal(signal.SIGHUP)

        async def is_sent_away() -> bool:
            return (await ask(world)).status == 307

        await until(is_sent_away)
        write(tmp_path, "DE", "fra-2")
        world.send_signal(signal.SIGHUP)

        async def complains() -> bool:
            said = await world.readiness()
            return 'has no node "fra-1"' in (said["settings"]["complaint"] or "")

        await until(complains)
        assert (await ask(world)).status == 307
        os.kill(world.worker_pids[0], signal.SIGKILL)  # its successor has what is in force, and what is known

        async def is_replaced() -> bool:
            return await world.metric("perigee_worker_restarts_total") == 1

        await until(is_replaced)
        assert (await ask(world)).status == 307
