"""Request heads: lines, fields, bytes that belong in none, versions, methods, and how long all of it may be.

RFC 9112 s2.2, s2.3, s3, s5; RFC 9110 s5.5, s15.5.15; RFC 6585 s5.
"""

import pytest

from tests.kit.yard import SMUGGLED, Yard, get, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {
    "space before the colon": b"A : b",
    "tab before the colon": b"A\t: b",
    "leading blank": b" A: b",
    "leading tab": b"\tA: b",
    "folded with a space": b"A: b\r\n c",
    "folded with a tab": b"A: b\r\n\tc",
    "folded to nothing": b"A: b\r\n ",
    "no colon": b"nonsense",
    "empty name": b": b",
    "nothing but a colon": b":",
    "name with a space": b"A B: c",
    "name with a slash": b"A/B: c",
    "name in brackets": b"[A]: c",
    "name with an at sign": b"A@: c",
    "name with a quote": b'"A": c',
    "name with a high byte": b"\xc3\xa4: c",
    "name with NUL": b"A\0: c",
    "name with DEL": b"A\x7f: c",
    "value with NUL": b"A: b\0c",
    "value with BEL": b"A: b\x07c",
    "value with backspace": b"A: b\x08c",
    "value with VT": b"A: b\x0bc",
    "value with FF": b"A: b\x0cc",
    "value with ESC": b"A: b\x1bc",
    "value with DEL": b"A: b\x7fc",
    "value with CR": b"A: b\rc",
    "value ended by CR CR LF": b"A: b\r",
    "value ended by LF": b"A: b\nC: d",
    "a request line again": b"GET / HTTP/1.1",
    "a folded first line": b" folded: behind Host",
}

RAW = {
    "request line ended by LF": b"GET /raw HTTP/1.1\nHost: a.test\r\n\r\n",
    "all lines ended by LF": b"GET /raw HTTP/1.1\nHost: a.test\n\n",
    "head ended by LF": b"GET /raw HTTP/1.1\r\nHost: a.test\r\n\n",
    "head ended by LF CR LF": b"GET /raw HTTP/1.1\r\nHost: a.test\n\r\n",
    "lines ended by CR": b"GET /raw HTTP/1.1\rHost: a.test\r\r",
    "request line ended by CR": b"GET /raw HTTP/1.1\rHost: a.test\r\n\r\n",
    "folded behind the request line": b"GET /raw HTTP/1.1\r\n Host: a.test\r\nHost: a.test\r\n\r\n",
    "two blank lines before": b"\r\n\r\nGET /raw HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "blank line of LF before": b"\nGET /raw HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "space before": b" GET /raw HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "NUL before": b"\0GET /raw HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "NUL behind the method": b"GET\0 /raw HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "byte order mark before": b"\xef\xbb\xbfGET /raw HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "a response": b"HTTP/1.1 200 OK\r\nHost: a.test\r\n\r\n",
    "the h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100c8010000c40303") + bytes(range(200)) + b"\r\n\r\n",
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a PROXY line": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\r\n",
    "binary": bytes(range(256)) + b"\r\n\r\n",
    "nothing but blank lines": b"\r\n" * 10_000,
}

FIRST_LINES = {
    "HTTP/2.0": b"GET /first HTTP/2.0",
    "HTTP/3.0": b"GET /first HTTP/3.0",
    "HTTP/1.2": b"GET /first HTTP/1.2",
    "HTTP/1.10": b"GET /first HTTP/1.10",
    "HTTP/01.1": b"GET /first HTTP/01.1",
    "HTTP/1.01": b"GET /first HTTP/1.01",
    "HTTP/11": b"GET /first HTTP/11",
    "HTTP/1": b"GET /first HTTP/1",
    "HTTP/1.": b"GET /first HTTP/1.",
    "HTTP/.1": b"GET /first HTTP/.1",
    "HTTP/1,1": b"GET /first HTTP/1,1",
    "HTTP/0.9": b"GET /first HTTP/0.9",
    "HTTP/1.x": b"GET /first HTTP/1.x",
    "lower case": b"GET /first http/1.1",
    "mixed case": b"GET /first Http/1.1",
    "another protocol": b"GET /first ICY/1.1",
    "HTTPS/1.1": b"GET /first HTTPS/1.1",
    "no version": b"GET /first",
    "empty version": b"GET /first ",
    "trailing space": b"GET /first HTTP/1.1 ",
    "trailing tab": b"GET /first HTTP/1.1\t",
    "trailing word": b"GET /first HTTP/1.1 x",
    "fullwidth digit": "GET /first HTTP/1.\uff11".encode(),
    "two versions": b"GET /first HTTP/1.1 HTTP/1.1",
    "two spaces behind the method": b"GET  /first HTTP/1.1",
    "two spaces before the version": b"GET /first  HTTP/1.1",
    "tab behind the method": b"GET\t/first HTTP/1.1",
    "tab before the version": b"GET /first\tHTTP/1.1",
    "VT behind the method": b"GET\x0b/first HTTP/1.1",
    "FF before the version": b"GET /first\x0cHTTP/1.1",
    "no method": b"/first HTTP/1.1",
    "empty method": b" /first HTTP/1.1",
    "method with a colon": b"GET: /first HTTP/1.1",
    "method with brackets": b"G[E]T /first HTTP/1.1",
    "method with a slash": b"GET/1 /first HTTP/1.1",
    "method with a quote": b'"GET" /first HTTP/1.1',
    "method with a high byte": b"G\xcbT /first HTTP/1.1",
    "method with NUL": b"G\0T /first HTTP/1.1",
    "method of 33 bytes": b"M" * 33 + b" /first HTTP/1.1",
    "method of 1000 bytes": b"M" * 1000 + b" /first HTTP/1.1",
}

BEYOND = {
    "request line of limit + 1": (get(b"/" + b"a" * (8192 - 14 + 1)), 414),
    "target of 100 KB": (get(b"/" + b"a" * 100_000), 414),
    "request line without end": (b"GET /" + b"a" * 100_000, 414),
    "method without end": (b"G" * 100_000, 414),
    "101 fields": (get("/beyond", *[b"A: b"] * 100), 431),
    "10,000 fields": (get("/beyond", *[b"A: b"] * 10_000), 431),
    "fields without end": (b"GET /beyond HTTP/1.1\r\nHost: a.test\r\n" + b"A: b\r\n" * 10_000, 431),
    "field of 1 MB": (get("/beyond", b"A: " + b"b" * 1_000_000), 431),
    "field without end": (b"GET /beyond HTTP/1.1\r\nHost: a.test\r\nA: " + b"b" * 100_000, 431),
    "name of 100 KB": (get("/beyond", b"A" * 100_000 + b": b"), 431),
    "cookie of 40 KB": (get("/beyond", b"Cookie: " + b"c" * 40_000), 431),
    "head of limit + 1": (get("/beyond", b"A: " + b"b" * (32768 - 43 + 1)), 431),
}
WITHIN = {
    "request line of the limit": get(b"/" + b"a" * (8192 - 14)),
    "100 fields": get("/within", *[b"A: b"] * 99),
    "head of the limit": get("/within", b"A: " + b"b" * (32768 - 43)),
    "method of 32 bytes": head(b"M" * 32 + b" /within HTTP/1.1"),
    "one blank line before": b"\r\n" + get("/within"),
    "high bytes in a value": get("/within", b"A: \xc3\xa4\xff"),
    "tab within a value": get("/within", b"A: b\tc"),
    "empty value": get("/within", b"A:"),
    "token of all characters": get("/within", b"!#$%&'*+-.^`|~09AZaz: b"),
}


@pytest.mark.parametrize("line", FIELDS.values(), ids=FIELDS)
async def test_a_malformed_field_is_refused(yard: Yard, line: bytes) -> None:
    await yard.refused(get("/field", line, b"Z: z") + SMUGGLED)


@pytest.mark.parametrize("line", FIELDS.values(), ids=FIELDS)
async def test_a_malformed_field_is_refused_as_the_first_and_the_last_line_too(
    yard: Yard, line: bytes
) -> None:
    await yard.refused(b"GET /field HTTP/1.1\r\n" + line + b"\r\nHost: a.test\r\n\r\n" + SMUGGLED)
    await yard.refused(get("/field", line) + SMUGGLED)


@pytest.mark.parametrize("data", RAW.values(), ids=RAW)
async def test_what_is_no_request_head_is_refused(yard: Yard, data: bytes) -> None:
    await yard.refused(data + SMUGGLED, 400, 505)


@pytest.mark.parametrize("line", FIRST_LINES.values(), ids=FIRST_LINES)
async def test_a_malformed_request_line_is_refused(yard: Yard, line: bytes) -> None:
    await yard.refused(head(line) + SMUGGLED, 400, 505)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
@pytest.mark.parametrize("target", ["/", "a.test:443", "http://a.test/"])
async def test_a_method_that_no_cache_offers_is_refused(yard: Yard, method: str, target: str) -> None:
    answer = await yard.refused(head(f"{method} {target} HTTP/1.1") + SMUGGLED, 405, 501)
    if answer.status == 405:
        assert answer.header("Allow") is not None


@pytest.mark.parametrize("case", BEYOND.values(), ids=BEYOND)
async def test_one_beyond_a_limit_is_refused(yard: Yard, case: tuple[bytes, int]) -> None:
    data, status = case
    await yard.refused(data, status)


@pytest.mark.parametrize("data", WITHIN.values(), ids=WITHIN)
@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "in pieces"])
async def test_what_is_odd_but_allowed_is_answered(yard: Yard, data: bytes, bytewise: bool) -> None:
    before = len(yard.origin.requests)
    async with await yard.edge.client() as client:
        for at in range(0, len(data), 997 if bytewise else len(data)):
            await client.send(data[at : at + (997 if bytewise else len(data))])
        assert (await client.read_answer()).status == 200
        assert (await client.get("/after")).status == 200
    assert len(yard.origin.requests) == before + 2


@pytest.mark.parametrize("bytewise", [True, False], ids=["bytewise", "whole"])
@pytest.mark.parametrize(
    "data",
    [
        get("/x", b"A : b"),
        get("/x", b"A: b\r\n c"),
        b"GET /x HTTP/1.1\n",
        get("/x", b"A: \0"),
        head("GET /x HTTP/2.0"),
    ],
    ids=["space before the colon", "folded", "LF", "NUL", "version"],
)
async def test_a_malformed_head_is_refused_however_it_is_cut(yard: Yard, data: bytes, bytewise: bool) -> None:
    await yard.refused(data, 400, 505, bytewise=bytewise)


async def test_an_error_to_head_has_no_body(yard: Yard) -> None:
    for lines in ((b"Host: b.test",), (b"A : b",), (b"Content-Length: x",), (b"Expect: x",)):
        answer, rest = await yard.closed(head("HEAD /x HTTP/1.1", *lines), "HEAD")
        assert answer.status in {400, 417}
        assert rest == b""
