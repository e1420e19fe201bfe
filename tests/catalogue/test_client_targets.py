"""Host and request target: which resource is meant, when two programs could disagree. RFC 9112 s3.2, RFC 9110 s4.2, s7.2."""

import pytest

from tests.kit.origin import Canned
from tests.kit.yard import SMUGGLED, Yard, get, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTS = {
    "empty": b"",
    "blank": b" ",
    "list": b"a.test, b.test",
    "two words": b"a.test b.test",
    "slash": b"a.test/x",
    "leading slash": b"/a.test",
    "userinfo": b"u@a.test",
    "userinfo with password": b"u:p@a.test",
    "fragment": b"a.test#x",
    "query": b"a.test?x",
    "backslash": b"a.test\\x",
    "less than": b"a.test<x",
    "quote": b'a.test"x',
    "single quote": b"a.test'x",
    "semicolon": b"a.test;x",
    "percent": b"a%2etest",
    "percent NUL": b"a.test%00",
    "NUL": b"a.test\0x",
    "tab": b"a.test\tx",
    "DEL": b"a.test\x7f",
    "high bytes": b"\xc3\xa4.test",
    "port of letters": b"a.test:http",
    "port empty": b"a.test:",
    "port zero": b"a.test:0",
    "port too large": b"a.test:65536",
    "port of six digits": b"a.test:000080",
    "port negative": b"a.test:-80",
    "port plus": b"a.test:+80",
    "port and userinfo": b"a.test:80@b.test",
    "two ports": b"a.test:80:80",
    "port and junk": b"a.test:80x",
    "no host": b":80",
    "a URL": b"http://a.test",
    "two dots": b"a..test",
    "leading dot": b".a.test",
    "leading hyphen": b"-a.test",
    "nothing but a dot": b".",
    "asterisk": b"*",
    "bracket open": b"[::1",
    "bracket close": b"::1]",
    "no IPv6 address": b"[::zz]",
    "bare IPv6 address": b"::1",
    "IPv6 zone": b"[fe80::1%25eth0]",
    "IPvFuture": b"[v1.a]",
    "256 bytes": b"a" * 256,
    "10,000 bytes": b"a" * 10_000,
}

TARGETS = {
    "userinfo": b"@evil/",
    "leading dot": b".evil/",
    "port": b":80/",
    "asterisk": b"*",
    "query only": b"?x",
    "no slash": b"x",
    "dots": b"../x",
    "backslash": b"\\x",
    "authority form": b"a.test:80",
    "fragment": b"/x#y",
    "fragment only": b"#",
    "high byte": b"/\xe4",
    "utf-8": "/ä".encode(),
    "NUL": b"/\0",
    "DEL": b"/\x7f",
    "BEL": b"/\x07",
    "tab": b"/\tx",
    "CR": b"/\rx",
    "less than": b"/<x>",
    "quote": b'/"x"',
    "backslash in path": b"/a\\b",
    "dot segment": b"/../x",
    "dot segment in the middle": b"/a/../x",
    "dot segment at the end": b"/a/..",
    "single dot segment": b"/a/./x",
    "encoded dot segment": b"/%2e%2e/x",
    "half encoded dot segment": b"/a/.%2E/x",
    "file": b"file:///etc/passwd",
    "ftp": b"ftp://a.test/",
    "gopher": b"gopher://a.test/",
    "https on a plain port": b"https://a.test/",
    "javascript": b"javascript:x",
    "no scheme": b"://a.test/",
    "absolute with userinfo": b"http://u@a.test/",
    "absolute with userinfo and password": b"http://u:p@a.test/",
    "absolute with another host behind @": b"http://a.test@b.test/",
    "absolute without host": b"http:///x",
    "absolute with a port of letters": b"http://a.test:x/",
    "absolute with one slash": b"http:/a.test/",
    "absolute with backslashes": b"http:\\\\a.test\\",
    "absolute with fragment": b"http://a.test/#x",
    "absolute with dot segment": b"http://a.test/../x",
}

KEPT = {
    "encoded CR LF": b"/%0d%0aX-Evil:%20yes",
    "encoded NUL": b"/%00",
    "encoded slash": b"/a%2fb",
    "bad percent": b"/%zz",
    "lone percent": b"/%",
    "two slashes": b"//evil.test/x",
    "query of two marks": b"/x??a=b?",
    "at sign": b"/@evil",
    "semicolon": b"/a;b=c",
    "encoded semicolon": b"/a%3Bb=c",
    "plus": b"/a+b",
    "encoded letter": b"/%61",
    "brackets": b"/a[1]?b[]=c",
    "braces and bars": b"/a{b}|c^d`e",
    "a URL in the query": b"/x?u=http://evil.test/#".rstrip(b"#"),
    "three dots": b"/.../x",
    "dots in a name": b"/a..b/..c/x..",
    "dots and semicolon": b"/..;/x",
    "dots and encoded slash": b"/..%2fx",
    "all that is allowed": b"/!$&'()*+,;=:@-._~",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
async def test_a_malformed_host_is_refused(yard: Yard, host: bytes) -> None:
    await yard.refused(head("GET /host HTTP/1.1", host=host) + SMUGGLED, 400)


@pytest.mark.parametrize(
    "lines",
    [(), (b"Host: a.test", b"Host: a.test"), (b"Host: a.test", b"Host: b.test"), (b"Host: a.test", b"host:"),
     (b"host : a.test",), (b"Host_: a.test",)],
    ids=["none", "twice the same", "two", "one empty", "space before the colon", "another name"],
)  # fmt: skip
async def test_one_host_is_required(yard: Yard, lines: tuple[bytes, ...]) -> None:
    await yard.refused(head("GET /host HTTP/1.1", *lines, host=None) + SMUGGLED)


async def test_an_old_request_needs_a_host_all_the_same(yard: Yard) -> None:
    await yard.refused(head("GET /host HTTP/1.0", host=None) + SMUGGLED)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_a_malformed_target_is_refused(yard: Yard, target: bytes) -> None:
    before = len(yard.origin.requests)
    async with await yard.edge.client() as client:
        await client.send(get(target))
        answer = await client.read_answer()
        assert answer.status == 400, answer
    assert len(yard.origin.requests) == before


@pytest.mark.parametrize("target", KEPT.values(), ids=KEPT)
async def test_a_target_goes_on_byte_for_byte(yard: Yard, target: bytes) -> None:
    before = len(yard.origin.requests)
    async with await yard.edge.client() as client:
        await client.send(get(target))
        assert (await client.read_answer()).status == 200
    (request,) = yard.origin.requests[before:]
    assert request.target == target
    assert not yard.origin.malformed
    assert request.header("X-Evil") is None


@pytest.mark.parametrize(
    "case",
    [
        (b"http://b.test/abs", b"a.test", b"b.test", b"/abs"),
        (b"HTTP://B.Test/abs", b"a.test", b"b.test", b"/abs"),
        (b"http://b.test:8080/abs", b"a.test", b"b.test:8080", b"/abs"),
        (b"http://b.test:80/abs", b"a.test", b"b.test", b"/abs"),
        (b"http://b.test", b"a.test", b"b.test", b"/"),
        (b"http://b.test?q", b"a.test", b"b.test", b"/?q"),
        (b"http://[::1]/abs", b"a.test", b"[::1]", b"/abs"),
    ],
    ids=["another host", "letter case", "port", "default port", "no path", "query only", "IPv6"],
)
async def test_an_absolute_target_wins_over_host(yard: Yard, case: tuple[bytes, bytes, bytes, bytes]) -> None:
    target, host, seen_host, seen_target = case
    before = len(yard.origin.requests)
    async with await yard.edge.client() as client:
        await client.send(head(b"GET %b HTTP/1.1" % target, host=host))
        assert (await client.read_answer()).status == 200
    (request,) = yard.origin.requests[before:]
    assert (request.target, request.header_lines("Host")) == (seen_target, [seen_host])


async def test_an_absolute_target_and_host_are_one_resource(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"b's"), host="b.test")
    async with await yard.edge.client() as client:
        for first, host in (
            (f"http://b.test{target}", b"a.test"),
            (target, b"b.test"),
            (target, b"B.TEST:80"),
        ):
            await client.send(head(f"GET {first} HTTP/1.1", host=host))
            assert (await client.read_answer()).body == b"b's"
        await client.send(head(f"GET {target} HTTP/1.1", host=b"a.test"))
        assert (await client.read_answer()).body == b"fine"
    assert len(yard.origin.seen(target)) == 2


async def test_options_asterisk_is_passed_on(yard: Yard) -> None:
    before = len(yard.origin.requests)
    async with await yard.edge.client() as client:
        await client.send(head("OPTIONS * HTTP/1.1"))
        assert (await client.read_answer("OPTIONS")).status == 200
    assert yard.origin.requests[before].target == b"*"
