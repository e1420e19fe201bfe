"""TLS towards origins: verified, named, 1.2 or later; and what goes wrong while connecting."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading

import pytest

from edge.errors import UpstreamFault
from edge.fill.dial import TlsContexts
from edge.semantics.rules import Timeouts
from tests.kit.certificates import Authority
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.upstreams import Bench, at, bench, fetch, whole

CLEAN = Canned(body=b"clean")


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority.make(tmp_path)


def upstream(on: Bench, origin: ScriptedOrigin, host: bytes = b"shop.test", **rules: object):
    on.names.table["shop.test"] = ["127.0.0.1"]
    return on.upstream(at(origin.port, host, b"https"), allow_private_names=True, retries=0, **rules)


async def test_a_certificate_of_the_sites_own_authority_is_good(authority: Authority):
    context = authority.server("shop.test")
    asked: list[str | None] = []
    context.sni_callback = lambda _ssl, name, _context: asked.append(name)
    async with ScriptedOrigin({"/a": CLEAN}, tls=context) as origin, bench() as on:
        up = upstream(on, origin, tls_ca_file=str(authority.file))
        assert await whole(await fetch(up, "/a")) == b"clean"
        assert (await fetch(up, "/a")).reused is True
        assert asked == ["shop.test"]
        await on.pool.aclose()
        await origin.wait_connections(0)


@pytest.mark.parametrize(
    "host,names,rules,is_good",
    [
        (b"shop.test", ["shop.test"], {}, True),
        (b"shop.test", ["other.test"], {}, False),
        (b"shop.test", ["*.shop.test"], {}, False),
        (b"shop.test", ["origin.internal"], {"tls_server_name": "origin.internal"}, True),
        (b"shop.test", ["shop.test"], {"tls_server_name": "origin.internal"}, False),
        (b"127.0.0.1", ["127.0.0.1"], {}, True),
        (b"127.0.0.1", ["shop.test"], {}, False),
        (b"shop.test", ["other.test"], {"tls_verify": False}, True),
    ],
)
async def test_the_certificate_must_name_the_origin(authority: Authority, host, names, rules, is_good):
    async with ScriptedOrigin({"/a": CLEAN}, tls=authority.server(*names)) as origin, bench() as on:
        up = upstream(on, origin, host, tls_ca_file=str(authority.file), **rules)
        if is_good:
            assert await whole(await fetch(up, "/a")) == b"clean"
            await on.pool.aclose()
            await origin.wait_connections(0)
        else:
            with pytest.raises(UpstreamFault) as raised:
                await fetch(up, "/a")
            assert (raised.value.status, raised.value.proxy_status) == (502, "tls_certificate_error")
            assert origin.requests == []


async def test_a_certificate_nobody_vouches_for_is_refused(authority: Authority, tmp_path):
    other = Authority.make(tmp_path, "Other CA")
    async with ScriptedOrigin({"/a": CLEAN}, tls=authority.server("shop.test")) as origin, bench() as on:
        for ca_file in (str(other.file), None):
            with pytest.raises(UpstreamFault) as raised:
                await fetch(upstream(on, origin, tls_ca_file=ca_file), "/a")
            assert raised.value.proxy_status == "tls_certificate_error"


async def test_a_certificate_that_has_expired_is_refused(authority: Authority):
    context = authority.server("shop.test", end=dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
    async with ScriptedOrigin({"/a": CLEAN}, tls=context) as origin, bench() as on:
        with pytest.raises(UpstreamFault, match="expired"):
            await fetch(upstream(on, origin, tls_ca_file=str(authority.file)), "/a")


async def test_tls_before_1_2_is_refused(authority: Authority):
    context = authority.server("shop.test")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with ScriptedOrigin({"/a": CLEAN}, tls=context) as origin, bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream(on, origin, tls_ca_file=str(authority.file)), "/a")
        # asyncio's server closes without sending its alert
        assert raised.value.proxy_status in {
            "tls_alert_received",
            "tls_protocol_error",
            "connection_terminated",
        }
        assert origin.requests == []


async def test_a_plain_server_behind_https_is_a_tls_error():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, bench() as on:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamFault) as raised:
            await fetch(on.upstream(at(port, b"127.0.0.1", b"https")), "/a")
        assert raised.value.proxy_status == "tls_protocol_error"
        await left.wait()


async def test_a_server_that_wants_a_certificate_of_ours_says_so(authority: Authority):
    context = authority.server("shop.test")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    async with ScriptedOrigin({"/a": CLEAN}, tls=context) as origin, bench() as on:
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream(on, origin, tls_ca_file=str(authority.file)), "/a")
        assert raised.value.proxy_status in {"tls_alert_received", "connection_terminated"}


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_a_ca_file_that_cannot_be_used_is_named(tmp_path, content: bytes | None):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    async with bench() as on:
        up = on.upstream(at(1, b"127.0.0.1", b"https"), tls_ca_file=str(file))
        with pytest.raises(UpstreamFault, match=r"ca\.pem") as raised:
            await fetch(up, "/a")
        assert raised.value.proxy_status == "proxy_configuration_error"


async def test_contexts_are_made_once(authority: Authority):
    contexts = TlsContexts()
    first = await contexts.get(verify=True, ca_file=str(authority.file))
    assert await contexts.get(verify=True, ca_file=str(authority.file)) is first
    assert await contexts.get(verify=False, ca_file=str(authority.file)) is not first


async def test_a_handshake_that_is_never_answered_is_a_504():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with bench() as on:
            up = on.upstream(
                at(listening.getsockname()[1], b"127.0.0.1", b"https"), timeouts=Timeouts(connect=0.05)
            )
            with pytest.raises(UpstreamFault) as raised:
                await fetch(up, "/a")
            assert (raised.value.status, raised.value.proxy_status) == (504, "connection_timeout")
            assert on.counted("perigee_upstream_connections_total") == {"failed": 1}


@pytest.mark.parametrize("polite", [True, False])
async def test_a_close_delimited_body_over_tls_needs_close_notify(authority: Authority, polite: bool):
    """A FIN can be forged by anybody on the way; close_notify cannot (RFC 8446 s6.1)."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = authority.server("shop.test")

    def serve() -> None:
        raw, _ = listening.accept()
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=True) as tls,
        ):
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
            if polite:
                tls.unwrap()
            else:
                tls.shutdown(socket.SHUT_WR)
                tls.recv(4096)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        async with bench() as on:
            on.names.table["shop.test"] = ["127.0.0.1"]
            port = listening.getsockname()[1]
            up = on.upstream(
                at(port, b"shop.test", b"https"), allow_private_names=True, tls_ca_file=str(authority.file)
            )
            fetched = await fetch(up, "/a")
            if polite:
                assert await whole(fetched) == b"hello"
                assert fetched.body.close_delimited
            else:
                with pytest.raises(UpstreamFault) as raised:
                    await whole(fetched)
                assert raised.value.proxy_status in {"http_response_incomplete", "tls_protocol_error"}
    finally:
        await asyncio.to_thread(thread.join, 5)
        listening.close()
