"""Connections that begin with a PROXY header: who the client is, for the origin, the log and the bounds."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from edge.wire.proxy_protocol import SIGNATURE_V2
from tests.kit.edge import Edge
from tests.kit.origin import ScriptedOrigin

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n"
V2 = SIGNATURE_V2 + b"\x21\x11\0\x0c" + bytes((192, 0, 2, 7, 198, 51, 100, 1)) + b"\0\1\0\2"
LOCAL = SIGNATURE_V2 + b"\x20\0\0\0"
FROM_HERE = '[node]\nproxy_protocol = ["127.0.0.1"]\n'


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("header", "client"),
    [(V1, b"192.0.2.7"), (V2, b"192.0.2.7"), (LOCAL, b"127.0.0.1"), (b"PROXY UNKNOWN\r\n", b"127.0.0.1")],
)
@pytest.mark.parametrize("bytewise", [False, True])
async def test_the_origin_hears_of_the_client_and_not_of_the_proxy(
    tmp_path: Path, header: bytes, client: bytes, bytewise: bool
):
    async with ScriptedOrigin() as origin, Edge(tmp_path, origin=origin.url, config=FROM_HERE) as edge:
        async with await edge.client() as connection:
            await (connection.send_bytewise if bytewise else connection.send)(header + get("/a") + get("/b"))
            assert [(await connection.read_answer()).status, (await connection.read_answer()).status] == [
                404,
                404,
            ]
        assert [request.header("X-Forwarded-For") for request in origin.requests] == [client, client]


@pytest.mark.parametrize(
    "start",
    [get("/a"), b"PROXY TCP4 x\r\n" + get("/a"), SIGNATURE_V2 + b"\x21\x11\xff\xff", b"PROXY " + b"x" * 200],
)
async def test_a_listed_peer_without_a_proper_header_gets_nothing(tmp_path: Path, start: bytes):
    async with ScriptedOrigin() as origin, Edge(tmp_path, origin=origin.url, config=FROM_HERE) as edge:
        async with await edge.client() as connection:
            with contextlib.suppress(ConnectionError):
                await connection.send(start)
            _, rest = await connection.wait_ended()
        assert rest == b"" and not origin.requests
        assert sum(edge.counted("perigee_requests_refused_total").values()) == 1
        await edge.until(lambda: edge.worker.readiness()[0], "ready")


async def test_from_others_it_is_a_malformed_request(tmp_path: Path):
    config = '[node]\nproxy_protocol = ["192.0.2.1"]\n'
    async with ScriptedOrigin() as origin, Edge(tmp_path, origin=origin.url, config=config) as edge:
        async with await edge.client() as connection:
            await connection.send(V1 + get("/a"))
            assert (await connection.read_answer()).status == 400
        assert not origin.requests


async def test_a_header_that_does_not_come_is_waited_for_as_long_as_a_request_head(tmp_path: Path):
    config = FROM_HERE + '[limits]\nhead_deadline = "200ms"\n'
    async with ScriptedOrigin() as origin, Edge(tmp_path, origin=origin.url, config=config) as edge:
        async with await edge.client() as connection:
            await connection.send(V1[:20])
            await connection.wait_ended()
        assert edge.counted("perigee_bound_reached_total") == {"head_deadline": 1.0}


async def test_the_bound_on_connections_is_each_clients_own(tmp_path: Path):
    config = FROM_HERE + "[limits]\nconnections_per_client = 1\n"
    async with ScriptedOrigin() as origin, Edge(tmp_path, origin=origin.url, config=config) as edge:
        async with await edge.client() as one, await edge.client() as same, await edge.client() as other:
            await one.send(V1 + get("/a"))
            assert (await one.read_answer()).status == 404
            await same.send(V1 + get("/a"))
            await same.wait_ended()
            await other.send(V1.replace(b"192.0.2.7", b"192.0.2.8") + get("/a"))
            assert (await other.read_answer()).status == 404
        assert edge.counted("perigee_bound_reached_total") == {"connections_per_client": 1.0}
