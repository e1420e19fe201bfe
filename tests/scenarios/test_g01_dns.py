"""g01: what a resolver is told: the address, the scope, and what is counted and written of it - by a real server."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from tests.kit.dns_process import DnsProcess, network
from tools.mmdb import mmdb_bytes

pytestmark = pytest.mark.slow

PLACES = {
    "10.0.0.0/8": {"country_code": "DE"},
    "10.64.0.0/20": {"country_code": "US"},
    "2001:db8::/32": {"country_code": "US"},
}


def text(tmp_path: Path, **said: str) -> str:
    (tmp_path / "places.mmdb").write_bytes(mmdb_bytes(PLACES))
    written = network(databases=["places.mmdb"])
    for old, new in said.items():
        written = written.replace(f'{old} = "off"', f"{old} = {new}")
    return written


async def test_a_client_subnet_decides_and_its_scope_is_what_mattered(tmp_path: Path):
    async with DnsProcess(tmp_path, text(tmp_path)) as server:
        for subnet, address, scope in (("10.1.2.0", "192.0.2.1", 16), ("10.64.3.0", "192.0.2.2", 20)):
            answer = await server.ask("www.cdn.example.", subnet=subnet)
            assert [each.to_text() for each in answer.answer[0]] == [address]
            (option,) = answer.options
            assert isinstance(option, dns.edns.ECSOption)
            assert (option.address, option.srclen) == (subnet, 24)
            assert 10 <= option.scopelen <= scope
        static = await server.ask("ns1.cdn.example.", subnet="10.1.2.0")
        assert [option.scopelen for option in static.options if isinstance(option, dns.edns.ECSOption)] == [0]
        assert (await server.ask("www.cdn.example.")).options == ()
        page = await server.admin("/metrics")
        assert 'perigee_dns_answers_total{pop="fra",reason="routed"}' in page
        assert 'perigee_dns_answers_total{pop="nyc",reason="routed"} 1.0' in page
        assert 'perigee_dns_answers_total{pop="",reason="static"} 1.0' in page
        server.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
    lines = (tmp_path / "routing.log").read_text().splitlines()
    assert (
        "chi=10.64.3.0/24 rhi=127.0.0.1 fqdn=www.cdn.example. type=A rcode=NOERROR rtype=routed rloc=nyc"
        in lines[1]
    )


async def flood(port: int, asked: bytes, count: int) -> list[bytes]:
    """Every answer to `count` queries; what was not answered is known when a last query, by another name, is."""
    loop = asyncio.get_running_loop()
    got: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.connect(("127.0.0.1", port))
        for each in range(count):
            await loop.sock_sendall(sock, asked)
            if each % 50 == 49:
                await asyncio.sleep(0.002)  # a socket buffer is not what is tested
            while True:
                try:
                    got.append(sock.recv(2000))
                except BlockingIOError:
                    break
        while True:
            try:
                async with asyncio.timeout(0.3):
                    got.append(await loop.sock_recv(sock, 2000))
            except TimeoutError:
                return got


async def test_a_flood_from_one_network_is_not_made_larger(tmp_path: Path):
    async with DnsProcess(tmp_path, text(tmp_path, responses="50", errors="5")) as server:
        asked = dns.message.make_query("www.cdn.example.", "ANY", use_edns=0).to_wire()
        got = await flood(server.port, asked, 1500)
        assert 250 <= len(got) <= 1500 * 0.75
        assert sum(map(len, got)) <= 1500 * len(asked)
        slipped = [each for each in map(dns.message.from_wire, got) if each.flags & dns.flags.TC]
        assert len(slipped) > len(got) / 2
        # Who is real comes back by TCP and is answered.
        assert (await server.ask("www.cdn.example.", tcp=True)).answer
        page = await server.admin("/metrics")
        assert 'perigee_dns_limited_total{how="slip"}' in page


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
async def test_dig_comes_back_by_itself_when_it_is_told_to(tmp_path: Path):
    async with DnsProcess(
        tmp_path, text(tmp_path, responses="1", errors="1").replace("[dns.rate]", "[dns.rate]\nslip = 1")
    ) as server:
        asked = dns.message.make_query("www.cdn.example.", "A", use_edns=0).to_wire()
        await flood(server.port, asked, 20)
        for option in ("+nocookie", "+cookie"):
            line = [
                "dig",
                "@127.0.0.1",
                "-p",
                str(server.port),
                "www.cdn.example",
                "A",
                option,
                "+time=5",
                "+tries=1",
            ]
            process = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE)
            said = (await process.communicate())[0].decode()
            assert "192.0.2." in said, said
