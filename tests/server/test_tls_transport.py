"""HTTP over TLS: what a plain connection promises holds, ends are proper or cuts, and nothing waits without a bound."""

from __future__ import annotations

import _ssl
import asyncio
import ctypes
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from edge.errors import UpstreamFault
from edge.exchange import Exchange, Reply
from edge.semantics.message import EMPTY
from edge.semantics.rules import SiteRules
from edge.semantics.tls_rules import ClientAuth, ClientPolicy, TlsRules
from edge.tls.contexts import Contexts
from edge.wire.limits import DEFAULT_LIMITS
from tests.kit.answer import Ending
from tests.kit.bodies import body_of
from tests.kit.certificates import Authority
from tests.kit.listening import Listening, counting, listening, saying, streaming
from tests.kit.tls import VERSIONS, contexts_for

READY = {b"/a": Reply(200, b"", EMPTY, b"ready", 5)}
NAME = "a.test"


@pytest.fixture
def contexts(authority: Authority) -> Contexts:
    return contexts_for(authority, NAME)


def client_of(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    return context


def handshakes(edge: Listening) -> dict[str, float]:
    return edge.counted("perigee_tls_handshakes_total")


@VERSIONS
async def test_requests_are_answered_one_after_the_other(
    authority: Authority, contexts: Contexts, version: ssl.TLSVersion
):
    async with listening(
        {b"/b": saying(b"slow"), b"/up": counting}, READY, contexts=lambda: contexts
    ) as edge:
        async with await edge.client(client_of(authority, version), NAME) as client:
            assert (await client.get("/a")).body == b"ready"
            assert (await client.get("/b")).body == b"slow"
            answers = await client.pipeline([("GET", "/a", ()), ("GET", "/b", ()), ("GET", "/a", ())])
            assert [answer.body for answer in answers] == [b"ready", b"slow", b"ready"]
            body = body_of("up", 0, 300_000)
            assert (await client.request("POST", "/up", body=body)).body == b"300000"
        asked = edge.node.asked[0].request.head.authority
        assert (asked.scheme, asked.host) == (b"https", b"127.0.0.1")
        assert handshakes(edge) == {"full": 1}
        await edge.until(lambda: edge.listener.open_connections == 0, "all to be gone")


async def test_a_hello_that_comes_byte_by_byte_is_one(authority: Authority, contexts: Contexts):
    async with listening({}, READY, contexts=lambda: contexts) as edge:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = authority.client().wrap_bio(incoming, outgoing, server_hostname=NAME)
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for value in outgoing.read():
                    writer.write(bytes((value,)))
                    await writer.drain()
                    await asyncio.sleep(0)
                incoming.write(await reader.read(65536))
        client.write(b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        writer.write(outgoing.read())
        incoming.write(await reader.read())
        assert b"ready" in client.read(4096)
        with pytest.raises(ssl.SSLZeroReturnError):
            client.unwrap()
            client.read(1)
        writer.close()


@pytest.mark.parametrize("size", [20_000_000])
async def test_large_bodies_arrive_whole_however_slowly_they_are_read(
    authority: Authority, contexts: Contexts, size: int
):
    body = body_of("large", 0, size)
    pieces = [body[at : at + 100_000] for at in range(0, size, 100_000)]
    answers = {b"/bytes": saying(body), b"/stream": streaming(*pieces, length=size)}
    async with (
        listening(answers, contexts=lambda: contexts) as edge,
        await edge.client(authority.client(), NAME) as client,
    ):
        for target in ("/bytes", "/stream"):
            await client.send_request("GET", target)
            await client.read_head()
            await edge.until(lambda: any(c.sending.is_paused for c in edge.connections), "a full buffer")
            waiting = edge.connections[0].transport.get_write_buffer_size()
            assert 0 < waiting <= DEFAULT_LIMITS.write_buffer + 2 * 256 * 1024
            got = await client.read_rest()
            assert got.complete
            assert hashlib.sha256(got.body).digest() == hashlib.sha256(body).digest()


async def test_who_reads_nothing_is_cut_off(authority: Authority, contexts: Contexts):
    answers = {b"/large": saying(bytes(30_000_000))}
    async with (
        listening(answers, contexts=lambda: contexts) as edge,
        raw_tls(edge, authority.client()) as (client, _, outgoing, _, writer),
    ):
        client.write(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n")
        writer.write(outgoing.read())
        await edge.until(lambda: any(c.sending.is_paused for c in edge.connections), "a full buffer")
        for _ in range(3):
            edge.pass_time(DEFAULT_LIMITS.reader_stall / 2 + 0.1)
        await edge.until(lambda: edge.listener.open_connections == 0, "the cut")
        assert edge.counted("perigee_bound_reached_total") == {"reader_stall": 1}


@VERSIONS
async def test_a_body_that_the_end_delimits_has_a_proper_end(
    authority: Authority, contexts: Contexts, version: ssl.TLSVersion
):
    answers = {b"/whole": streaming(b"one", b"two"), b"/cut": streaming(b"one", UpstreamFault("gone"))}
    async with listening(answers, contexts=lambda: contexts) as edge:
        for target, is_proper in (("/whole", True), ("/cut", False)):
            said = await ends_of(edge, client_of(authority, version), target)
            assert said[1] is is_proper
            assert said[0].endswith(b"onetwo" if is_proper else b"one") or not is_proper


async def ends_of(edge: Listening, context: ssl.SSLContext, target: str) -> tuple[bytes, bool]:
    """What came in answer to an HTTP/1.0 request, and whether close_notify ended it."""

    def talk() -> tuple[bytes, bool]:
        got = b""
        raw = socket.create_connection(("127.0.0.1", edge.port), timeout=20)
        with context.wrap_socket(raw, server_hostname=NAME, suppress_ragged_eofs=False) as client:
            client.sendall(f"GET {target} HTTP/1.0\r\nHost: a.test\r\n\r\n".encode())
            try:
                while piece := client.recv(65536):
                    got += piece
                return got, True
            except (ssl.SSLEOFError, ConnectionResetError):
                return got, False

    return await asyncio.to_thread(talk)


@VERSIONS
async def test_who_half_closes_by_close_notify_gets_what_is_owed(
    authority: Authority, contexts: Contexts, version: ssl.TLSVersion
):
    gate = asyncio.Event()
    async with (
        listening({b"/b": streaming(gate, b"late", length=4)}, contexts=lambda: contexts) as edge,
        raw_tls(edge, client_of(authority, version)) as (client, incoming, outgoing, reader, writer),
    ):
        client.write(b"GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n")
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()
        writer.write(outgoing.read())
        await edge.asked(1)
        await edge.until(lambda: edge.connections[0]._half_closed, "close_notify to be seen")
        gate.set()
        incoming.write(await reader.read())
        assert client.read(65536).endswith(b"late") or client.read(65536).endswith(b"late")


async def test_who_ends_the_connection_without_a_word_is_gone(authority: Authority, contexts: Contexts):
    gate = asyncio.Event()
    async with (
        listening({b"/b": streaming(gate, b"late", length=4)}, contexts=lambda: contexts) as edge,
        raw_tls(edge, authority.client()) as (client, _, outgoing, _, writer),
    ):
        client.write(b"GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n")
        writer.write(outgoing.read())
        await edge.asked(1)
        writer.write_eof()
        await edge.until(lambda: edge.listener.open_connections == 0, "the end")
        assert edge.counted("perigee_requests_aborted_total") == {"client": 1}


@asynccontextmanager
async def raw_tls(
    edge: Listening, context: ssl.SSLContext
) -> AsyncIterator[
    tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO, asyncio.StreamReader, asyncio.StreamWriter]
]:
    """A client whose bytes the test moves, after the handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    while True:
        try:
            client.do_handshake()
            writer.write(outgoing.read())
            break
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
            incoming.write(await reader.read(65536))
    try:
        yield client, incoming, outgoing, reader, writer
    finally:
        writer.close()


async def test_a_record_that_was_changed_on_the_way_ends_the_connection(
    authority: Authority, contexts: Contexts
):
    async with (
        listening({}, READY, contexts=lambda: contexts) as edge,
        raw_tls(edge, authority.client()) as (client, _, outgoing, reader, writer),
    ):
        client.write(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
        record = bytearray(outgoing.read())
        record[-1] ^= 1
        writer.write(record)
        assert b"ready" not in await reader.read()
        await edge.until(lambda: edge.listener.open_connections == 0, "the end")
        assert edge.node.asked == []


async def test_a_request_that_ends_a_connection_ends_it_by_close_notify(
    authority: Authority, contexts: Contexts
):
    async with listening({}, READY, contexts=lambda: contexts) as edge:
        for request in (
            b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
            b"GET /a HTTP/9.9\r\n\r\n",
        ):
            async with raw_tls(edge, authority.client()) as (client, incoming, outgoing, reader, writer):
                client.write(request)
                writer.write(outgoing.read())
                incoming.write(await reader.read())
                got = client.read(65536)
                assert got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 505"))
                assert client.read(65536) == b""


async def test_reading_stops_where_it_does_on_a_plain_connection(authority: Authority, contexts: Contexts):
    gate = asyncio.Event()

    async def late(exchange: Exchange) -> Reply:
        await gate.wait()
        return await counting(exchange)

    limits = replace(DEFAULT_LIMITS, pipelined=1024)
    async with (
        listening({b"/up": late}, limits=limits, contexts=lambda: contexts) as edge,
        await edge.client(authority.client(), NAME) as client,
    ):
        size = 64_000_000
        await client.send(b"POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
        taken = await client.send_until_stuck(bytes(1_000_000), 64)
        assert taken < 40
        gate.set()
        for _ in range(64 - taken - 1):
            await client.send(bytes(1_000_000))
        assert (await client.read_answer("POST")).body == b"%d" % size


async def test_what_the_client_showed_is_told_with_each_request(authority: Authority):
    policy = ClientPolicy(ClientAuth.OPTIONAL, "ca.pem")
    rules = SiteRules(hostnames=(NAME.encode(),), tls=TlsRules(client=policy))
    contexts = contexts_for(
        authority, NAME, sites=[rules], authorities={"ca.pem": authority.file.read_bytes()}
    )
    shown = authority.pair(common_name="me")
    async with listening({b"/b": saying(b"x")}, contexts=lambda: contexts) as edge:
        for context in (authority.client(), authority.client(shown=shown)):
            async with await edge.client(context, NAME) as client:
                await client.get("/b")
        told = [exchange.tls for exchange in edge.node.asked]
        assert [each is not None and each.policy == policy for each in told] == [True, True]
        assert told[0] is not None and told[0].certificate is None
        assert told[1] is not None and told[1].certificate == ssl.PEM_cert_to_DER_cert(shown[0].decode())


async def test_the_socket_and_the_cipher_can_be_asked_for(authority: Authority, contexts: Contexts):
    async with (
        listening({}, READY, contexts=lambda: contexts) as edge,
        await edge.client(authority.client(), NAME) as client,
    ):
        await client.get("/a")
        transport = edge.connections[0].transport
        assert transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert transport.get_extra_info("peername")[0] == "127.0.0.1"
        assert transport.get_extra_info("nothing", 7) == 7
        assert transport.can_write_eof() and transport.is_reading()
        transport.write(b"")
        transport.abort()
        assert (await client.wait_ended())[0] in {Ending.CLOSED, Ending.RESET}


def call_openssl(client: ssl.SSLObject, function: str, *numbers: int) -> None:
    """What Python's ssl cannot do, by a client that means no good; the next records carry it."""
    behind_header_and_socket = id(client._sslobj) + object.__basicsize__ + 8  # type: ignore[attr-defined]
    connection = ctypes.c_void_p.from_address(behind_header_and_socket)
    assert getattr(ctypes.CDLL(_ssl.__file__), function)(connection, *numbers) == 1
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()


async def test_key_updates_are_answered(authority: Authority, contexts: Contexts):
    async with (
        listening({}, READY, contexts=lambda: contexts) as edge,
        raw_tls(edge, authority.client()) as (client, incoming, outgoing, reader, writer),
    ):
        call_openssl(client, "SSL_key_update", 1)  # and another in return: RFC 8446 s4.6.3
        client.write(b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        writer.write(outgoing.read())
        incoming.write(await reader.read())
        assert b"ready" in client.read(65536)


async def test_nothing_is_negotiated_twice(authority: Authority, contexts: Contexts):
    async with (
        listening({}, READY, contexts=lambda: contexts) as edge,
        raw_tls(edge, client_of(authority, ssl.TLSVersion.TLSv1_2)) as (
            client,
            incoming,
            outgoing,
            reader,
            writer,
        ),
    ):
        call_openssl(client, "SSL_renegotiate")
        writer.write(outgoing.read())
        incoming.write(await reader.read(65536))
        with pytest.raises(ssl.SSLError, match="NO_RENEGOTIATION"):
            client.do_handshake()


async def test_who_makes_openssl_talk_and_does_not_listen_is_cut_off(
    authority: Authority, contexts: Contexts
):
    limits = replace(DEFAULT_LIMITS, write_buffer=1024)
    async with (
        listening({}, READY, limits=limits, contexts=lambda: contexts) as edge,
        raw_tls(edge, client_of(authority, ssl.TLSVersion.TLSv1_2)) as (client, _, outgoing, _, writer),
    ):
        await edge.until(lambda: edge.listener.open_connections == 1, "the connection")
        transport = edge.connections[0].transport
        while transport.get_write_buffer_size() <= 2 * limits.write_buffer:
            transport.write(bytes(1_000_000))
        call_openssl(client, "SSL_renegotiate")
        writer.write(outgoing.read())
        await edge.until(lambda: edge.listener.open_connections == 0, "the cut")
        assert edge.counted("perigee_bound_reached_total") == {"write_buffer": 1}


async def test_a_tunnel_is_cut_and_not_ended_by_a_lost_connection(authority: Authority, contexts: Contexts):
    """Nothing behind us may take a cut for a proper end."""
    fates: list[str] = []

    class Far:
        async def read(self) -> bytes:
            await asyncio.Event().wait()
            return b""

        async def write(self, data: bytes) -> None:
            fates.append("data")

        def close(self) -> None:
            fates.append("closed")

    async def switching(exchange: Exchange) -> Reply:
        return Reply(101, b"", EMPTY, None, None, tunnel=Far())

    async with (
        listening({b"/ws": switching}, contexts=lambda: contexts) as edge,
        raw_tls(edge, authority.client()) as (client, _, outgoing, _, writer),
    ):
        client.write(
            b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello"
        )
        writer.write(outgoing.read())
        await edge.until(lambda: "data" in fates, "data behind the switch")
        writer.write_eof()
        await edge.until(lambda: "closed" in fates, "the end")
        await edge.until(lambda: edge.listener.open_connections == 0, "the end of the connection")
