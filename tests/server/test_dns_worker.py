"""A worker of the DNS server with its real parts: a database, a network file's settings, real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import dns.asyncquery
import dns.edns
import dns.message
import pytest

from edge.errors import EdgeError
from edge.geo.network_view import Health, NetworkView, static_view
from edge.geo.view_message import said_of
from edge.metrics import flat
from edge.server.dns_command import DnsCommand
from edge.server.dns_worker import DnsWorker
from edge.settings.network import Network, PlaceOverride
from tests.kit.dns_process import network
from tests.kit.waiting import until
from tools.mmdb import mmdb_bytes

PLACES = {
    "10.0.0.0/8": {"country_code": "DE", "latitude": 50.0, "longitude": 8.0},
    "172.16.0.0/12": {"country_code": "US", "latitude": 41.0, "longitude": -74.0},
}


def settings(tmp_path: Path, text: str = "first") -> Network:
    (tmp_path / "places.mmdb").write_bytes(mmdb_bytes(PLACES))
    file = tmp_path / "network.toml"
    file.write_text(network(text, ["places.mmdb"]), encoding="utf-8")
    command = DnsCommand(str(file), str(tmp_path))
    return command.network(command.content())


class Running:
    def __init__(self, worker: DnsWorker, port: int) -> None:
        self.worker, self.port = worker, port

    async def told(self, subnet: str | None, name: str = "www.cdn.example.", kind: str = "A") -> list[str]:
        options: list[dns.edns.Option] = [] if subnet is None else [dns.edns.ECSOption(subnet, 24)]
        asked = dns.message.make_query(name, kind, use_edns=0, options=options)
        answer = await dns.asyncquery.udp(asked, "127.0.0.1", port=self.port, timeout=10)
        return [each.to_text() for each in answer.answer[-1]] if answer.answer else []


@asynccontextmanager
async def running(tmp_path: Path, said: Network) -> AsyncIterator[Running]:
    udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
    udp.bind(("127.0.0.1", 0))
    tcp.bind(("127.0.0.1", 0))
    folder = tmp_path / "copies"
    folder.mkdir()
    worker = DnsWorker(said, folder=folder, sockets=[udp, tcp], secret=bytes(16))
    assert worker.readiness()[0] is False
    try:
        await worker.start()
        yield Running(worker, udp.getsockname()[1])
    finally:
        await worker.aclose()
        udp.close()
        tcp.close()
        await asyncio.sleep(0)


async def test_clients_are_led_to_the_pop_near_their_network(tmp_path: Path):
    async with running(tmp_path, settings(tmp_path)) as server:
        assert await server.told("10.1.2.0") == ["192.0.2.1"]
        assert await server.told("172.16.5.0") == ["192.0.2.2"]
        is_ready, detail = server.worker.readiness()
        assert is_ready
        assert detail["databases"] == []
        explained = server.worker.explain("172.16.5.7", "shop")
        assert (explained["chosen"], explained["addresses"]) == ("nyc", ["192.0.2.2"])
        for address, site in (("nobody", "shop"), ("172.16.5.7", "nothing")):
            with pytest.raises(ValueError):
                server.worker.explain(address, site)


async def test_what_the_atlas_knows_and_does_not_is_among_the_numbers(tmp_path: Path):
    async with running(tmp_path, settings(tmp_path)) as server:
        await server.told("10.1.2.0")
        await server.told("203.0.113.0")
        said = server.worker.snapshot()
        assert flat(said, "perigee_atlas_unknown_total") == {(): 1}
        assert flat(said, "perigee_atlas_complaints") == {(): 0}
        assert flat(said, "perigee_atlas_database_built_seconds") == {("places.mmdb",): 1_700_000_000}


async def test_a_pop_that_is_down_is_in_no_answer_any_more(tmp_path: Path):
    async with running(tmp_path, settings(tmp_path)) as server:
        state = static_view(settings(tmp_path))
        down = tuple(
            replace(view, health=Health.DOWN) if view.pop.name == "fra" else view for view in state.pops
        )
        server.worker.show(said_of(NetworkView(down, state.default_pops), ()))
        assert await server.told("10.1.2.0") == ["192.0.2.2"]
        await server.worker.apply(settings(tmp_path, "second"))  # it is down still
        assert await server.told("10.1.2.0") == ["192.0.2.2"]
        server.worker.show(said_of(state, ()))
        assert await server.told("10.1.2.0") == ["192.0.2.1"]
        views = server.worker.measures.views.value
        server.worker.show(said_of(state, ()))  # nothing new
        assert server.worker.measures.views.value == views


async def test_new_settings_are_answered_from_at_once(tmp_path: Path):
    async with running(tmp_path, settings(tmp_path)) as server:
        assert await server.told(None, "text.cdn.example.", "TXT") == ['"first"']
        await server.worker.apply(settings(tmp_path, "second"))
        assert await server.told(None, "text.cdn.example.", "TXT") == ['"second"']


async def test_new_overrides_and_another_log_are_taken_without_a_restart(tmp_path: Path):
    said = settings(tmp_path)
    async with running(tmp_path, said) as server:
        await server.told("10.1.2.0")
        overrides = {ip_network("10.0.0.0/8"): PlaceOverride(pop="nyc")}
        other = replace(
            said,
            geo=replace(said.geo, overrides=overrides),
            dns=replace(said.dns, log=tmp_path / "other.log"),
        )
        await server.worker.apply(other)
        assert await server.told("10.1.2.0") == ["192.0.2.2"]
        await server.worker.apply(replace(other, dns=replace(other.dns, log=tmp_path / "no" / "folder.log")))
        assert await server.told("10.1.2.0") == ["192.0.2.2"]
        server.worker.reopen()
    assert (tmp_path / "routing.log").read_text().count("rloc=fra") == 1
    assert (tmp_path / "other.log").read_text().count("rloc=nyc") == 2


@pytest.mark.slow
async def test_another_database_is_answered_from_and_a_damaged_one_is_not(tmp_path: Path):
    said = settings(tmp_path)
    async with running(tmp_path, said) as server:
        assert await server.told("10.1.2.0") == ["192.0.2.1"]
        moved = {"10.0.0.0/8": PLACES["172.16.0.0/12"]}
        (tmp_path / "new").write_bytes(mmdb_bytes(moved))
        (tmp_path / "new").replace(tmp_path / "places.mmdb")

        async def has_moved() -> bool:
            return await server.told("10.1.2.0") == ["192.0.2.2"]

        await until(has_moved)
        (tmp_path / "places.mmdb").write_bytes(b"no database")

        async def complains() -> bool:
            return bool(server.worker.readiness()[1]["databases"])

        await until(complains)
        assert await server.told("10.1.2.0") == ["192.0.2.2"]


async def test_only_who_is_exempt_is_not_limited(tmp_path: Path):
    said = settings(tmp_path)
    rate = replace(said.dns.rate, responses=1, window=1.0, slip=1, exempt=(ip_network("127.0.0.0/8"),))
    async with running(tmp_path, replace(said, dns=replace(said.dns, rate=rate))) as server:
        for _ in range(5):
            assert await server.told("10.1.2.0") == ["192.0.2.1"]
        await server.worker.apply(replace(said, dns=replace(said.dns, rate=replace(rate, exempt=()))))
        told = [await server.told("10.1.2.0") for _ in range(5)]
        assert [] in told


async def test_a_log_that_cannot_be_opened_ends_the_start(tmp_path: Path):
    said = settings(tmp_path)
    with pytest.raises((EdgeError, OSError)):
        async with running(
            tmp_path, replace(said, dns=replace(said.dns, log=tmp_path / "no" / "folder.log"))
        ):
            pass
