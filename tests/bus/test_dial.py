"""Who we are to the servers, and that nobody listens in."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from edge.bus.connection import Bus
from edge.bus.durability import make_durable
from edge.bus.faults import BusLost
from edge.clock import SystemClock
from edge.measures import Measures
from tests.kit.buses import TRUSTED, bus_to
from tests.kit.nats import NatsServer
from tests.kit.nats_logins import credentials_login, nkey_login, tls_login
from tests.kit.waiting import PATIENCE


async def refused(server: NatsServer, **changes: Any) -> str:
    """Why no connection came about."""
    bus = Bus(server.address(**changes), name="n1", clock=SystemClock(), measures=Measures())
    try:
        with pytest.raises(BusLost) as raised:
            await bus.connect(within=0.3)
        return raised.value.detail
    finally:
        await bus.aclose()


async def test_an_nkey_lets_us_in_and_another_does_not(tmp_path: Path):
    login, seed = nkey_login(tmp_path)
    (tmp_path / "other").mkdir()
    _, wrong = nkey_login(tmp_path / "other")
    async with NatsServer(tmp_path, login=login) as server:
        async with bus_to(server.address(token=None, nkey=seed)) as bus:
            assert await bus.check(PATIENCE)
        assert "uthorization" in await refused(server, token=None, nkey=wrong)
        assert "uthorization" in await refused(server, token=None)


async def test_who_is_not_known_is_told_which_settings_say_who_he_is(tmp_path: Path):
    async with NatsServer(tmp_path) as server:
        assert "nats.token" in await refused(server, token="another")


async def test_a_credentials_file_lets_us_in(tmp_path: Path):
    login, creds = credentials_login(tmp_path)
    async with NatsServer(tmp_path, login=login) as server:
        async with bus_to(server.address(token=None, credentials=creds)) as bus:
            await make_durable(bus, TRUSTED, SystemClock())
        assert "uthorization" in await refused(server, token=None)


@pytest.mark.parametrize(
    "setting,content,says",
    [
        ("credentials", "", "nats.credentials: .* is no .creds file"),
        ("credentials", "-----BEGIN NATS USER JWT-----\n", "nats.credentials: .* is no .creds file"),
        ("nkey", "", "nats.nkey: .* has no seed of a user"),
        ("nkey", "SUNONSENSE", ""),
        ("credentials", None, "No such file"),
        ("nkey", None, "No such file"),
        ("ca_file", None, "No such file"),
        ("ca_file", "nonsense", ""),
    ],
)
async def test_a_file_that_says_nothing_of_us_is_told(
    tmp_path: Path, setting: str, content: str | None, says: str
):
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content, encoding="ascii")
    async with NatsServer(tmp_path / "server") as server:
        detail = await refused(server, **{setting: str(file)})
    assert re.search(says, detail)


async def test_both_sides_show_a_certificate(tmp_path: Path):
    tls = tls_login(tmp_path / "tls", "127.0.0.1")
    async with NatsServer(tmp_path / "server", more=tls.more) as server:
        url = server.url.replace("nats:", "tls:")
        ours = {"urls": (url,), "ca_file": tls.ca_file, "cert_file": tls.cert_file, "key_file": tls.cert_file}
        async with bus_to(server.address(**ours)) as bus:
            assert await bus.check(PATIENCE)
        assert await refused(server, **{**ours, "cert_file": None, "key_file": None})
        other = tls_login(tmp_path / "other", "127.0.0.1")
        assert "certificate" in await refused(server, **{**ours, "ca_file": other.ca_file})


async def test_a_server_with_another_name_is_refused(tmp_path: Path):
    tls = tls_login(tmp_path / "tls", "nats.test")
    async with NatsServer(tmp_path / "server", more=tls.more) as server:
        url = server.url.replace("nats:", "tls:")
        ours = {"urls": (url,), "ca_file": tls.ca_file, "cert_file": tls.cert_file, "key_file": tls.cert_file}
        assert "certificate" in await refused(server, **ours)


async def test_who_asked_for_tls_never_says_a_token_in_the_clear():
    heard = bytearray()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true}\r\n')
        heard.extend(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        address = NatsServer(Path()).address(urls=(f"tls://127.0.0.1:{port}",), token="secret")
        bus = Bus(address, name="n1", clock=SystemClock(), measures=Measures())
        with pytest.raises(BusLost):
            await bus.connect(within=0.3)
        await bus.aclose()
    assert heard.startswith(b"\x16"), "a TLS handshake"
    assert b"secret" not in heard
