"""Whose answer is whose: what may select a response must be in its key. RFC 9111 s2, s4.1; CVE-2026-2836.

The origin here answers with what it was asked, so that a
response in the wrong hands shows.
"""

import pytest

from tests.kit.origin import Canned, OriginConnection, OriginRequest
from tests.kit.yard import Yard, get, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRESH = {"Cache-Control": "max-age=60"}

UNKEYED = [
    b"X-Forwarded-Host: evil.test",
    b"X-Forwarded-For: 6.6.6.6",
    b"X-Forwarded-Proto: gopher",
    b"X-Forwarded-Scheme: nothttps",
    b"X-Forwarded-Port: 666",
    b"X-Forwarded-Server: evil.test",
    b"X-Forwarded-Prefix: /evil",
    b"X-Forwarded-Path: /evil",
    b"X-Forwarded: for=evil",
    b"Forwarded: for=6.6.6.6;host=evil.test;proto=gopher",
    b"X-Host: evil.test",
    b"X-Original-Host: evil.test",
    b"X-HTTP-Host-Override: evil.test",
    b"X-Original-URL: /evil",
    b"X-Original-URI: /evil",
    b"X-Rewrite-URL: /evil",
    b"X-HTTP-DestinationURL: http://evil.test/",
    b"X-HTTP-Method-Override: DELETE",
    b"X-HTTP-Method: DELETE",
    b"X-Method-Override: DELETE",
    b"X-Real-IP: 6.6.6.6",
    b"X-Client-IP: 6.6.6.6",
    b"True-Client-IP: 6.6.6.6",
    b"CF-Connecting-IP: 6.6.6.6",
    b"Proxy: http://evil.test/",
    b"X-Scheme: evil",
    b"X-URL-Scheme: evil",
    b"Front-End-Https: evil",
    b"X-Middleware-Subrequest: evil",
    b"Perigee-Authority: http evil.test 80",
    b"Perigee-Hops: evil",
    b"Surrogate-Capability: evil",
    # A gateway (CGI, WSGI) makes these names the same as those with hyphens.
    b"X_Forwarded_Host: evil.test",
    b"X_Forwarded-For: evil",
    b"X_Original_URL: /evil",
    b"X_HTTP_Method_Override: evil",
]


@pytest.mark.parametrize("line", UNKEYED, ids=[line.split(b":")[0].decode() for line in UNKEYED])
async def test_what_is_not_in_the_key_does_not_reach_the_origin(yard: Yard, line: bytes) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, FRESH, b"stored"))
    name, value = line.split(b": ")
    for _ in range(2):
        async with await yard.edge.client() as client:
            await client.send(get(target, line))
            assert (await client.read_answer()).body == b"stored"
    request = yard.only(target)
    evil = [(n, v) for n, v in request.headers if v == value or b"evil" in v or b"6.6.6.6" in v]
    assert evil == []
    assert not [n for n, _ in request.headers if b"_" in n and n.lower() == name.lower()]


async def test_what_we_say_of_the_client_is_ours(yard: Yard) -> None:
    target = yard.target()
    await yard.edge.get(target, {"Host": "a.test", "X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"})
    request = yard.only(target)
    assert request.header("X-Forwarded-For") == b"127.0.0.1"
    assert request.header("X-Forwarded-Host") == b"a.test"
    assert request.header("X-Forwarded-Proto") == b"http"


FAT = {
    "CL": (b"Content-Length: 6", b"q=evil"),
    "TE": (b"Transfer-Encoding: chunked", b"6\r\nq=evil\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("framed", FAT.values(), ids=FAT)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_fat_get_does_not_poison(yard: Yard, method: str, framed: tuple[bytes, bytes]) -> None:
    target = yard.target()
    yard.origin.on(target, _echo_body)
    async with await yard.edge.client() as client:
        lines = (framed[0], b"Content-Type: application/x-www-form-urlencoded")
        await client.send(head(f"{method} {target} HTTP/1.1", *lines) + framed[1])
        assert (await client.read_answer(method)).status == 200
    assert (await yard.edge.get(target, {"Host": "a.test"})).body == b"<>"
    for request in yard.origin.seen(target):
        assert request.body == b""
        assert request.header("Content-Length") is None
        assert request.header("Transfer-Encoding") is None


async def _echo_body(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_response(200, FRESH, b"<" + request.body + b">")


async def _echo_method(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_response(200, FRESH, request.method)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PURGE", "GETS", "get"]
)
async def test_the_answer_to_another_method_is_not_that_to_get(yard: Yard, method: str) -> None:
    target = yard.target()
    yard.origin.on(target, _echo_method)
    async with await yard.edge.client() as client:
        for asked in (method, "GET", "GET", method, "GET"):
            await client.send(head(f"{asked} {target} HTTP/1.1"))
            answer = await client.read_answer(asked)
            assert (answer.status, answer.body) == (200, b"" if asked == "HEAD" else asked.encode())


async def test_head_makes_no_stored_body(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, FRESH, b"whole"))
    async with await yard.edge.client() as client:
        for _ in range(2):
            answer = await client.request("HEAD", target)
            assert (answer.body, answer.header("Content-Length")) == (b"", b"5")
        assert (await client.get(target)).body == b"whole"
        answer = await client.request("HEAD", target)
        assert (answer.body, answer.header("Content-Length")) == (b"", b"5")


@pytest.mark.parametrize("wanted", ["bytes=1-2", "bytes=0-0", "bytes=-1", "bytes=0-1,3-4", "bytes=2-"])
async def test_a_part_is_never_the_whole(yard: Yard, wanted: str) -> None:
    target = yard.target()
    yard.origin.on(target, _in_parts)
    async with await yard.edge.client() as client:
        part = await client.get(target, {"Range": wanted})
        assert part.status in {200, 206}
        whole = await client.get(target)
        assert (whole.status, whole.body) == (200, b"whole")
        part = await client.get(target, {"Range": "bytes=1-2"})
        assert (part.status, part.body, part.header("Content-Range")) == (206, b"ho", b"bytes 1-2/5")


async def _in_parts(request: OriginRequest, connection: OriginConnection) -> None:
    """An origin that does as Range says, for one range."""
    if request.header("Range") == b"bytes=1-2":
        await connection.send_response(206, FRESH | {"Content-Range": "bytes 1-2/5"}, b"ho")
    else:
        await connection.send_response(200, FRESH, b"whole")


PAIRS = {
    "encoded slash": (b"/a%2Fb", b"/a/b"),
    "letter case of an escape": (b"/a%2fb", b"/a%2Fb"),
    "encoded semicolon": (b"/a%3Bb", b"/a;b"),
    "encoded letter": (b"/%61", b"/a"),
    "encoded question mark": (b"/a%3Fb", b"/a?b"),
    "question mark at the end": (b"/a?", b"/a"),
    "slash at the end": (b"/a/", b"/a"),
    "two slashes": (b"//a", b"/a"),
    "letter case": (b"/A", b"/a"),
    "order of the query": (b"/a?x=1&y=2", b"/a?y=2&x=1"),
    "ampersand at the end": (b"/a?x=1&", b"/a?x=1"),
    "plus and space": (b"/a?x=1+2", b"/a?x=1%202"),
    "semicolon in the query": (b"/a?x=1;y=2", b"/a?x=1&y=2"),
    "parameter twice": (b"/a?x=1&x=1", b"/a?x=1"),
    "tracking parameter": (b"/a?utm_source=x", b"/a"),
    "path parameter": (b"/a;jsessionid=1", b"/a"),
    "host into path": (b"/b.test/a", b"/a"),
    "encoded NUL": (b"/a%00", b"/a"),
    "encoded CR LF": (b"/a%0d%0a", b"/a"),
    "length digits": (b"/11", b"/1"),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
async def test_two_spellings_are_two_resources(yard: Yard, pair: tuple[bytes, bytes]) -> None:
    prefix = yard.target().encode()
    one, other = prefix + pair[0], prefix + pair[1]
    before = len(yard.origin.requests)
    for target in (one, other):
        yard.origin.on(target.decode(), Canned(200, FRESH, target))
    async with await yard.edge.client() as client:
        for target in (one, other, one, other):
            await client.send(get(target))
            assert (await client.read_answer()).body == target
    assert [request.target for request in yard.origin.requests[before:]] == [one, other]


async def test_hosts_and_ports_are_apart_but_letter_case_and_default_port_are_not(yard: Yard) -> None:
    target = yard.target()
    hosts = (
        b"a.test",
        b"b.test",
        b"a.test:8080",
        b"a.test.b.test",
        b"[::1]",
        b"[::2]",
        b"1.2.3.4",
        b"xa.test",
    )
    for host in hosts:
        yard.origin.on(target, Canned(200, FRESH, host), host=host.decode())
    for host in hosts * 2:
        assert (await _ask(yard, target, host)).body == host
    for spelled in (b"A.TEST", b"a.test:80", b"A.test.", b"a.test:0080"):
        assert (await _ask(yard, target, spelled)).body == b"a.test"
    assert len(yard.origin.seen(target)) == len(hosts)


async def _ask(yard: Yard, target: str, host: bytes):
    async with await yard.edge.client() as client:
        await client.send(head(f"GET {target} HTTP/1.1", host=host))
        return await client.read_answer()
