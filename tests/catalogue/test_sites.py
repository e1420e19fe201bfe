"""Where a request may go: to the sites of the settings and nowhere else. RFC 9110 s7.4.

That an address is judged again at every connect is tested with edge/fill/destination.py.
"""

from pathlib import Path

import pytest

from tests.kit.edge import Edge
from tests.kit.nameserver import NameServer
from tests.kit.origin import Canned, ScriptedOrigin
from tests.kit.yard import Yard, head

FRESH = {"Cache-Control": "max-age=60"}

SITES = """
[[site]]
name = "one"
hostnames = ["a.test", "*.a.test"]
origins = ["{origin}"]
"""


@pytest.mark.parametrize(
    "host",
    [
        b"b.test",
        b"xa.test",
        b"a.test.b.test",
        b"test",
        b"127.0.0.1",
        b"[::1]",
        b"localhost",
        b"metadata.internal",
    ],
)
async def test_a_host_that_no_site_names_is_421_before_any_look_up(tmp_path: Path, host: bytes) -> None:
    async with ScriptedOrigin() as origin, Edge(tmp_path, config=SITES.format(origin=origin.url)) as edge:
        for first in ("GET /x HTTP/1.1", "POST /x HTTP/1.1", f"GET http://{host.decode()}/x HTTP/1.1"):
            async with await edge.client() as client:
                await client.send(head(first, host=host))
                assert (await client.read_answer()).status == 421
        assert origin.connections == []


async def test_the_host_of_a_request_never_says_where_it_goes(tmp_path: Path) -> None:
    async with (
        ScriptedOrigin() as origin,
        ScriptedOrigin() as other,
        Edge(tmp_path, origin=origin.url) as edge,
    ):
        there = b"127.0.0.1:%d" % other.port
        yard = Yard(origin, edge)
        for lines in (
            (),
            (b"X-Forwarded-Host: " + there,),
            (b"X-Host: " + there,),
            (b"Forwarded: host=" + there,),
        ):
            async with await edge.client() as client:
                await client.send(head(f"GET {yard.target()} HTTP/1.1", *lines, host=there))
                assert (await client.read_answer()).status == 404
        for target in (b"http://%b/x" % there, b"//%b/x" % there):
            async with await edge.client() as client:
                await client.send(head(b"GET %b HTTP/1.1" % target))
                assert (await client.read_answer()).status == 404
        assert other.connections == []
        assert len(origin.requests) == 6


NAMED = """
resolver.nameservers = ["{nameserver}"]

[[site]]
name = "named"
hostnames = ["*"]
origins = ["http://origin.test:{port}"]
{more}
"""

INSIDE = ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
          "fe80::1", "fc00::1", "::ffff:127.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
async def test_an_origin_name_that_leads_inside_is_502_and_nothing_is_connected(
    tmp_path: Path, address: str
) -> None:
    kind = "AAAA" if ":" in address else "A"
    async with ScriptedOrigin() as origin, NameServer({("origin.test", kind): (60, [address])}) as names:
        config = NAMED.format(nameserver=names.address, port=origin.port, more="")
        async with Edge(tmp_path, config=config) as edge:
            answer = await edge.get("/x")
            assert (answer.status, answer.header("Proxy-Status")) == (
                502,
                b"edge;error=destination_ip_prohibited",
            )
        assert origin.connections == []


async def test_a_name_may_lead_inside_where_the_site_says_so(tmp_path: Path) -> None:
    origin = ScriptedOrigin({"/x": Canned(200, FRESH, b"inside")})
    async with origin, NameServer({("origin.test", "A"): (60, ["127.0.0.1"])}) as names:
        more = "origin.allow_private_names = true"
        config = NAMED.format(nameserver=names.address, port=origin.port, more=more)
        async with Edge(tmp_path, config=config) as edge:
            assert (await edge.get("/x")).body == b"inside"


LARGE = SITES + 'limits.max_request_body = "1KiB"\n'


@pytest.mark.parametrize("size,status", [(1024, 200), (1025, 413), (50_000, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["CL", "TE"])
async def test_an_upload_beyond_its_site_s_limit_is_413_however_it_is_framed(
    tmp_path: Path, size: int, status: int, chunked: bool
) -> None:
    async with ScriptedOrigin() as origin, Edge(tmp_path, config=LARGE.format(origin=origin.url)) as edge:
        origin.default = Canned(200, {}, b"taken")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size)) if chunked else bytes(size)
        line = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
        async with await edge.client() as client:
            await client.send(head("POST /x HTTP/1.1", line) + body)
            assert (await client.read_answer("POST")).status == status
        await origin.wait_in_flight(0)
        assert [request.complete for request in origin.requests if request.complete] == [True] * (
            status == 200
        )
