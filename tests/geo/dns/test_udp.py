"""Queries through a real UDP socket, from dnspython and from dig."""

import asyncio
import shutil
import socket
import sys

import dns.asyncquery
import dns.message
import pytest

from edge.geo.dns.udp import UdpServer, packed
from edge.settings.dns import DnsSettings
from tests.kit.nameservers import FREE, Answering, Serving, serving


def query(name: str = "www", kind: str = "A") -> dns.message.Message:
    return dns.message.make_query(f"{name}.cdn.example.", kind, use_edns=0)


async def ask(server: Serving, asked: dns.message.Message) -> dns.message.Message:
    return await dns.asyncquery.udp(asked, "127.0.0.1", port=server.port, timeout=10)


async def test_a_client_is_answered():
    async with serving() as server:
        answer = await ask(server, query())
        assert [each.to_text() for each in answer.answer[0]] in (
            ["198.51.100.71", "198.51.100.72"],
            ["198.51.100.72", "198.51.100.71"],
        )
        assert server.measures.queries.of("udp").value == 1


async def test_many_at_once_take_several_rounds_of_a_batch():
    async with serving(DnsSettings(rate=FREE, batch=4)) as server:
        asked = [query(f"x{each}") for each in range(50)]
        answers = await asyncio.gather(*(ask(server, each) for each in asked))
        assert [each.id for each in answers] == [each.id for each in asked]
        assert server.measures.queries.of("udp").value == 50


async def test_what_is_no_query_does_not_keep_others_from_their_answers():
    async with serving() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rude:
            for junk in (b"", b"x", query().to_wire()[:20], bytes(1400), b"\xff" * 1500):
                rude.sendto(junk, ("127.0.0.1", server.port))
        # Its port is closed by now: the answers meet an ICMP error, which the next `recvfrom` may report.
        assert (await ask(server, query())).answer
        assert server.counted("perigee_dns_dropped_total") == {"short": 2, "response": 1}


async def test_what_came_before_the_end_is_answered():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        made = Answering()
        server = UdpServer(sock, made.responder, batch=64, measures=made.measures)
        server.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(sock.getsockname())
            client.send(query().to_wire())
            server.close()
            server.close()
            assert dns.message.from_wire(client.recv(2000)).answer


async def test_ipv6_clients_are_answered_by_their_own_address():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        made = Answering()
        server = UdpServer(sock, made.responder, batch=64, measures=made.measures)
        server.start()
        answer = await dns.asyncquery.udp(query(), "::1", port=sock.getsockname()[1], timeout=10)
        assert answer.answer
        assert made.recorded[0].source == bytes(15) + b"\1"
        server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is there on Linux only")
@pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.0.0.2"), ("::", "::1")])
async def test_a_wildcard_answers_from_the_address_that_was_asked(wildcard: str, asked: str):
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock, socket.socket(family, socket.SOCK_DGRAM) as client:
        try:
            sock.bind((wildcard, 0))
            client.connect((asked, sock.getsockname()[1]))  # so it hears of that address only
        except OSError:
            pytest.skip("this machine has no IPv6")
        client.setblocking(False)
        made = Answering()
        server = UdpServer(sock, made.responder, batch=2, measures=made.measures)
        server.start()
        loop = asyncio.get_running_loop()
        for _ in range(5):
            client.send(query().to_wire())
        async with asyncio.timeout(10):
            for _ in range(5):
                assert dns.message.from_wire(await loop.sock_recv(client, 2000)).answer
        server.close()
        assert made.measures.queries.of("udp").value == 5


def test_addresses_are_packed():
    assert packed("192.0.2.1") == b"\xc0\0\2\1"
    assert packed("fe80::1%eth0") == b"\xfe\x80" + bytes(13) + b"\1"


DIG = [
    (["www.cdn.example", "A", "+subnet=10.9.9.0/24"], ["CLIENT-SUBNET: 10.9.9.0/24/12", "198.51.100.2"]),
    (["www.cdn.example", "A", "+cookie", "+nsid"], ["COOKIE: ", "(good)"]),
    (["www.cdn.example", "A", "+edns=1", "+noednsnegotiation"], ["BADVERS"]),
    (["WwW.cDn.ExAmPlE", "A", "+noedns"], ["WwW.cDn.ExAmPlE."]),
    (["none.cdn.example", "A"], ["NXDOMAIN", "AUTHORITY: 1", "SOA"]),
    (["www.cdn.example", "ANY", "+notcp"], ["HINFO", "RFC8482"]),
    (["www.example.org", "A"], ["REFUSED"]),
    (["www.cdn.example", "A", "+opcode=notify", "+noedns"], ["NOTIMP"]),
    (["www.cdn.example", "A", "+tcp", "+dnssec"], ["flags: do", "198.51.100.7"]),
    (["sub.cdn.example", "A"], ["AUTHORITY: 2", "ns.sub.cdn.example.", "192.0.2.53"]),
]  # fmt: skip


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
@pytest.mark.parametrize(("asked", "said"), DIG, ids=[" ".join(row[0]) for row in DIG])
async def test_dig_understands_it(asked: list[str], said: list[str]):
    async with serving() as server:
        process = await asyncio.create_subprocess_exec(
            "dig",
            "@127.0.0.1",
            "-p",
            str(server.port),
            "+time=5",
            "+tries=1",
            *asked,
            stdout=asyncio.subprocess.PIPE,
        )
        printed = (await process.communicate())[0].decode()
        for each in said:
            assert each in printed, printed
        warned = [line for line in printed.splitlines() if "WARNING" in line and "recursion" not in line]
        assert warned == []
