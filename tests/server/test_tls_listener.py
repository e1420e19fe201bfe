"""Handshakes: every end of one is counted, slow ones hold no place, and new certificates are used at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.exchange import Reply
from edge.semantics.message import EMPTY
from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, TlsRules
from edge.server.tls_listener import TlsListener
from edge.tls.contexts import Contexts
from edge.tls.tickets import TicketSecrets
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.certificates import Authority
from tests.kit.client import RawClient
from tests.kit.listening import Listening, listening, saying
from tests.kit.tls import SECRETS, VERSIONS, contexts_for, visit

READY = {b"/a": Reply(200, b"", EMPTY, b"ready", 5)}
NAME = "a.test"


@pytest.fixture
def contexts(authority: Authority) -> Contexts:
    return contexts_for(authority, NAME)


def handshakes(edge: Listening) -> dict[str, float]:
    return edge.counted("perigee_tls_handshakes_total")


def under_way(edge: Listening) -> int:
    assert isinstance(edge.listener, TlsListener)
    return edge.listener.handshakes


async def said_to(edge: Listening, data: bytes, *, end: bool = False) -> bytes:
    """All that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(data)
    if end:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("data", "end", "answer", "outcome"),
    [
        (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", False, b"", "not-tls"),
        (bytes(100), False, b"", "not-tls"),
        (b"", True, b"", "gone"),
        (b"\x16\x03\x01\x02\x00\x01", True, b"", "gone"),
        (b"\x16\x03\x01\x00\x05\x02aaaa", False, b"\x15\x03\x03\x00\x02\x02\x32", "malformed"),
        (b"\x16\x03\x01\x00\x04\x01\x00\xff\xff", False, b"\x15\x03\x03\x00\x02\x02\x32", "too-large"),
    ],
)
async def test_what_is_no_handshake(contexts: Contexts, data: bytes, end: bool, answer: bytes, outcome: str):
    async with listening({}, READY, contexts=lambda: contexts) as edge:
        assert await said_to(edge, data, end=end) == answer
        await edge.until(lambda: handshakes(edge) == {outcome: 1}, "the count")
        await edge.until(lambda: not edge.listener._per_client, "nobody to be counted")
        assert edge.measures.connections.value == 0
        assert under_way(edge) == 0
        if outcome == "too-large":
            assert edge.counted("perigee_bound_reached_total") == {"client_hello": 1}


async def refused(edge: Listening, context: ssl.SSLContext, name: str) -> str:
    """Why a client got no connection; "" = it did. asyncio's clients do not say by an alert what they do not like."""

    def talk() -> str:
        raw = socket.create_connection(("127.0.0.1", edge.port), timeout=20)
        try:
            with context.wrap_socket(raw, server_hostname=name) as client:
                client.sendall(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
                return "" if client.recv(100) else "it was ended"
        except (ssl.SSLError, ConnectionError) as error:
            raw.close()
            return getattr(error, "reason", None) or "it was ended"

    return await asyncio.to_thread(talk)


async def test_each_way_in_which_a_handshake_fails_has_its_name(authority: Authority, tmp_path: Path):
    policy = ClientPolicy(ClientAuth.REQUIRED, "ca.pem")
    rules = SiteRules(hostnames=(b"closed.test",), tls=TlsRules(client=policy))
    contexts = contexts_for(
        authority,
        "a.test",
        "closed.test",
        sites=[rules],
        authorities={"ca.pem": authority.file.read_bytes()},
    )
    (tmp_path / "other").mkdir()
    other = Authority.make(tmp_path / "other", "Another CA")
    old = authority.client()
    old.set_ciphers("AES128-SHA:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    h2 = authority.client()
    h2.set_alpn_protocols(["h2"])
    async with listening({}, READY, contexts=lambda: contexts) as edge:
        assert await refused(edge, authority.client(), "nobody.test") == "TLSV1_UNRECOGNIZED_NAME"
        assert await refused(edge, h2, "a.test")
        assert await refused(edge, old, "a.test")
        assert await refused(edge, other.client(), "a.test") == "CERTIFICATE_VERIFY_FAILED"
        assert await refused(edge, authority.client(), "closed.test")
        assert await refused(edge, authority.client(shown=other.pair()), "closed.test")
        expected = {
            "unrecognized-name": 1,
            "no-application-protocol": 1,
            "nothing-in-common": 1,
            "refused-by-client": 1,
            "no-client-certificate": 1,
            "bad-client-certificate": 1,
        }
        await edge.until(lambda: handshakes(edge) == expected, f"the counts, which are {handshakes(edge)}")
        await edge.until(lambda: not edge.listener._per_client, "nobody to be counted")


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
async def test_a_handshake_that_takes_too_long_gives_its_place_back(contexts: Contexts, said: bytes):
    async with listening({}, READY, contexts=lambda: contexts, max_connections=1) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(said)
        await edge.until(lambda: under_way(edge) == 1, "the handshake")
        edge.pass_time(DEFAULT_LIMITS.handshake_deadline - 0.01)
        assert under_way(edge) == 1
        edge.pass_time(0.02)
        with suppress(ConnectionResetError):  # what it said may be unread
            assert await reader.read() == b""
        writer.close()
        assert handshakes(edge) == {"overdue": 1}
        await edge.until(lambda: not edge.listener._per_client, "the place")
        assert edge.counted("perigee_bound_reached_total")["handshake_deadline"] == 1


async def test_a_head_has_its_own_time_after_the_handshake(authority: Authority, contexts: Contexts):
    limits = replace(DEFAULT_LIMITS, head_deadline=1.0, handshake_deadline=50.0)
    async with listening({}, READY, contexts=lambda: contexts, limits=limits) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        await edge.until(lambda: under_way(edge) == 1, "the connection")
        edge.pass_time(40.0)
        await writer.start_tls(authority.client(), server_hostname=NAME)
        writer.write(b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        assert b"ready" in await reader.read()
        writer.close()


async def test_connections_in_mid_handshake_count(contexts: Contexts):
    limits = replace(DEFAULT_LIMITS, connections_per_client=2)
    async with listening({}, READY, contexts=lambda: contexts, limits=limits) as edge:
        socks = [socket.create_connection(("127.0.0.1", edge.port)) for _ in range(3)]
        await edge.until(
            lambda: edge.counted("perigee_bound_reached_total") == {"connections_per_client": 1}, "the bound"
        )
        assert under_way(edge) == 2
        for sock in socks:
            sock.close()
        await edge.until(lambda: not edge.listener._per_client, "nobody to be counted")


async def test_new_certificates_are_used_by_new_handshakes_and_old_connections_live_on(authority: Authority):
    held = [contexts_for(authority, "old.test")]
    async with listening({}, READY, contexts=lambda: held[0]) as edge:
        async with await edge.client(authority.client(), "old.test") as old:
            assert (await old.get("/a")).status == 200
            held[0] = contexts_for(authority, "new.test")
            async with await edge.client(authority.client(), "new.test") as new:
                assert (await new.get("/a")).status == 200
            assert (await old.get("/a")).status == 200
        assert await refused(edge, authority.client(), "old.test") == "TLSV1_UNRECOGNIZED_NAME"


@VERSIONS
async def test_a_ticket_of_the_former_secret_is_opened_and_replaced(
    authority: Authority, version: ssl.TLSVersion
):
    contexts = contexts_for(authority, NAME)
    client = authority.client()
    client.minimum_version = client.maximum_version = version
    async with listening({}, READY, contexts=lambda: contexts) as edge:
        first = await asyncio.to_thread(visit, edge.port, client, NAME, "/a")
        contexts.take(TicketSecrets(b"n" * 32, SECRETS.current))
        second = await asyncio.to_thread(visit, edge.port, client, NAME, "/a", first.session)
        assert second.was_resumed
        contexts.take(TicketSecrets(b"m" * 32, b"n" * 32))
        third = await asyncio.to_thread(visit, edge.port, client, NAME, "/a", second.session)
        # TLS 1.2 keeps the ticket that it had, TLS 1.3 got one of the secret that was current then.
        assert third.was_resumed is (version is ssl.TLSVersion.TLSv1_3)
        forgotten = await asyncio.to_thread(visit, edge.port, client, NAME, "/a", first.session)
        assert not forgotten.was_resumed
        counted = handshakes(edge)
        assert sum(counted.values()) == 4 and counted["resumed"] == (2 if third.was_resumed else 1)


async def test_in_a_drain_who_is_in_mid_handshake_gets_his_answer(authority: Authority, contexts: Contexts):
    async with listening({b"/b": saying(b"late")}, READY, contexts=lambda: contexts) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        await edge.until(lambda: under_way(edge) == 1, "the handshake")
        draining = asyncio.ensure_future(edge.listener.drain(20))
        await edge.until(lambda: edge.listener.draining, "the drain")
        await writer.start_tls(authority.client(), server_hostname=NAME)
        writer.write(b"GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert b"late" in await reader.read()
        writer.close()
        assert await draining == 0


async def test_a_drain_waits_for_no_handshake_for_ever(contexts: Contexts):
    async with listening({}, READY, contexts=lambda: contexts) as edge:
        _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        await edge.until(lambda: under_way(edge) == 1, "the handshake")
        assert await edge.listener.drain(0) == 1
        writer.close()


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"])
async def test_a_proxy_says_who_its_client_is_before_the_handshake(
    authority: Authority, contexts: Contexts, header: bytes
):
    async with listening({b"/b": saying(b"x")}, contexts=lambda: contexts) as edge:
        edge.listener.proxies = (ip_network("127.0.0.0/8"),)
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(header)
        await writer.start_tls(authority.client(), server_hostname=NAME)
        async with RawClient(reader, writer, b"a.test") as client:
            assert (await client.get("/b")).body == b"x"
        assert edge.node.asked[0].peer == "192.0.2.7"
        await edge.until(lambda: not edge.listener._per_client, "nobody to be counted")
