"""Requests off the wire: every row of reliability 2.1 that is about parsing, whole, byte by byte and with a tail."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from edge.errors import ClientFault
from edge.semantics.message import Authority
from edge.wire.framing import CHUNKED, NO_BODY, Length
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.request import ParsedRequest, parse_host, parse_request_head
from tests.kit.request_heads import read, read_bytewise

HOST = b"Host: a.test\r\n"


@dataclass(frozen=True)
class Row:
    """status: the refusal, None = taken."""

    name: str
    section: str
    head: bytes
    status: int | None = 400


def get(name: str, section: str, lines: bytes, status: int | None = 400) -> Row:
    return Row(name, section, b"GET / HTTP/1.1\r\n" + HOST + lines + b"\r\n", status)


def post(name: str, section: str, lines: bytes, status: int | None = 400) -> Row:
    return Row(name, section, b"POST / HTTP/1.1\r\n" + HOST + lines + b"\r\n", status)


def line(name: str, section: str, first: bytes, status: int | None = 400) -> Row:
    return Row(name, section, first + b"\r\n" + HOST + b"\r\n", status)


def host(value: bytes, status: int | None = 400, name: str = "") -> Row:
    return Row(
        f"Host {name or value!r}", "9112 s3.2", b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n", status
    )


TE, CL = b"Transfer-Encoding: ", b"Content-Length: "

ROWS = [
    # framing: two parsers must not see two lengths
    post("CL then TE", "9112 s6.1", CL + b"4\r\n" + TE + b"chunked\r\n"),
    post("TE then CL", "9112 s6.1", TE + b"chunked\r\n" + CL + b"4\r\n"),
    post("CL 0 and TE", "9112 s6.1", CL + b"0\r\n" + TE + b"chunked\r\n"),
    Row("TE in HTTP/1.0", "9112 s6.1", b"POST / HTTP/1.0\r\n" + HOST + TE + b"chunked\r\n\r\n"),
    *[
        post(f"TE {value!r}", "9112 s6.1", TE + value + b"\r\n")
        for value in (
            b"identity", b"xchunked", b"chunkedx", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"chunked;q=1", b'"chunked"',
            b"chunked,", b",chunked", b"", b"chun ked", b"chunked\x0b", b"\x0bchunked", b"chunked\x00", b"\xa0chunked", b"chunked\xff",
        )
    ],
    post("TE twice", "9112 s6.1", TE + b"chunked\r\n" + TE + b"chunked\r\n"),
    post("TE twice, one identity", "9112 s6.1", TE + b"chunked\r\n" + TE + b"identity\r\n"),
    post("TE chunked", "9112 s7.1", TE + b"chunked\r\n", None),
    post("TE cHuNkEd", "9112 s7", TE + b"cHuNkEd\r\n", None),
    post("TE with white space around", "9112 s5", b"Transfer-Encoding:\t chunked \t\r\n", None),
    post("TE with a space before the colon", "9112 s5.1", b"Transfer-Encoding : chunked\r\n"),
    post("TE behind a fold", "9112 s5.2", b"Transfer-Encoding:\r\n chunked\r\n"),
    post("TE behind a bare CR", "9112 s2.2", b"X: a\rTransfer-Encoding: chunked\r\n"),
    post("TE behind a bare LF", "9112 s2.2", b"X: a\nTransfer-Encoding: chunked\r\n"),
    *[
        post(f"CL {value!r}", "9110 s8.6", CL + value + b"\r\n")
        for value in (
            b"4, 4", b"4,5", b"+4", b"-4", b"0x4", b"0_4", b"4e0", b"4.0", b"", b"4 4", b"4;", b'"4"', b"\xd9\xa4", b"four",
            b"18446744073709551616", b"1" * 60, b"1234567890123456",
        )
    ],
    post("CL twice, differing", "9112 s6.3", CL + b"4\r\n" + CL + b"5\r\n"),
    post("CL twice, the same", "9112 s6.3", CL + b"4\r\n" + CL + b"4\r\n"),
    post("CL", "9112 s6.2", CL + b"4\r\n", None),
    post("CL with leading zeros", "9110 s8.6", CL + b"004\r\n", None),
    post("CL, the largest", "9110 s8.6", CL + b"123456789012345\r\n", None),
    get("CL on GET", "9110 s9.3.1", CL + b"4\r\n", None),
    get("TE on GET", "9110 s9.3.1", TE + b"chunked\r\n", None),
    # lines
    get("space before the colon", "9112 s5.1", b"X : a\r\n"),
    get("tab before the colon", "9112 s5.1", b"X\t: a\r\n"),
    Row("white space before the first field", "9112 s2.2", b"GET / HTTP/1.1\r\n " + HOST + b"\r\n"),
    get("obs-fold", "9112 s5.2", b"X: a\r\n b\r\n"),
    get("obs-fold with a tab", "9112 s5.2", b"X: a\r\n\tb\r\n"),
    get("no colon", "9112 s5", b"nonsense\r\n"),
    get("empty name", "9112 s5", b": a\r\n"),
    get("name with a space", "9110 s5.1", b"X Y: a\r\n"),
    get("name with a bracket", "9110 s5.1", b"X(Y): a\r\n"),
    get("name with a high byte", "9110 s5.1", b"X\xe9: a\r\n"),
    get("bare CR in a value", "9112 s2.2", b"X: a\rb\r\n"),
    get("bare LF in a value", "9112 s2.2", b"X: a\nY: b\r\n"),
    get("NUL in a value", "9110 s5.5", b"X: a\0b\r\n"),
    get("NUL in a name", "9110 s5.1", b"X\0: b\r\n"),
    get("DEL in a value", "9110 s5.5", b"X: \x7f\r\n"),
    get("CR CR LF", "9112 s2.2", b"X: a\r\r\n"),
    get("high bytes in a value", "9110 s5.5", b"X: \xe9\xff\r\n", None),
    get("an empty value", "9110 s5.5", b"X:\r\n", None),
    Row("LF line ends", "9112 s2.2", b"GET / HTTP/1.1\nHost: a.test\n\n"),
    Row("LF after the request line", "9112 s2.2", b"GET / HTTP/1.1\nHost: a.test\r\n\r\n"),
    Row("CRLF LF at the end", "9112 s2.2", b"GET / HTTP/1.1\r\nHost: a.test\r\n\n\r\n\r\n"),
    Row("a leading empty line", "9112 s2.2", b"\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    Row("a leading space", "9112 s3", b" GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    # Expect
    post("Expect: 100-continue", "9110 s10.1.1", b"Expect: 100-continue\r\n" + CL + b"4\r\n", None),
    post("Expect: 100-Continue", "9110 s10.1.1", b"Expect: 100-Continue\r\n" + CL + b"4\r\n", None),
    post("Expect something else", "9110 s10.1.1", b"Expect: 200-ok\r\n", 417),
    post("Expect, obscured", "9110 s10.1.1", b"Expect: 100-continue, x\r\n" + CL + b"4\r\n", 417),
    post("Expect twice", "9110 s10.1.1", b"Expect: 100-continue\r\nExpect: 100-continue\r\n" + CL + b"4\r\n", 417),
    post("Expect, empty", "9110 s10.1.1", b"Expect:\r\n", 417),
    Row("Expect in HTTP/1.0", "9110 s10.1.1", b"POST / HTTP/1.0\r\n" + HOST + b"Expect: 100-continue\r\n" + CL + b"4\r\n\r\n", None),
    # Host
    Row("no Host", "9112 s3.2", b"GET / HTTP/1.1\r\n\r\n"),
    Row("no Host in HTTP/1.0", "9112 s3.2", b"GET / HTTP/1.0\r\n\r\n"),
    Row("two Hosts", "9112 s3.2", b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n"),
    Row("the same Host twice", "9112 s3.2", b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n"),
    Row("two Hosts in HTTP/1.0", "9112 s3.2", b"GET / HTTP/1.0\r\nHost: a.test\r\nHost: b.test\r\n\r\n"),
    *[host(value) for value in (
        b"", b"a.test, b.test", b"a.test b.test", b"a/b", b"a@b", b"a#b", b"a?b", b"a\\b", b"a<b", b'a"b', b"a\0b", b"a\tb", b"a.test:x", b"a.test:",
        b"a.test:80:80", b"a.test:0", b"a.test:65536", b"a.test:999999", b"a.test:-1", b"a.test:+80", b":80", b"a..b", b".a", b".", b"a.test..", b"-a",
        b"\xe9.test", b"%61.test", b"[::1", b"::1", b"[::1]x", b"[zz]", b"[::1%25eth0]", b"[...]", b"[:::]", b"[1.2.3.4]", b"http://a.test", b"a;b", b"a(b)", b"a'b",
    )],
    host(b"a" * 256, name="too long"),
    host(b"a" * 10_000, name="10k"),
    *[host(value, None) for value in (
        b"a.test", b"A.TEST", b"a.test:8080", b"a.test.", b"a.test.:80", b"a_b.test", b"a-b.test", b"1.2.3.4", b"[::1]", b"[2001:DB8::1]:8080", b"xn--bcher-kva.test", b"a",
    )],
    host(b"a" * 255, None, name="the longest"),
    # targets
    *[line(f"target {target!r}", "9112 s3.2", b"GET " + target + b" HTTP/1.1") for target in (
        b"@evil/", b".evil/", b":80/", b"*", b"?x", b"x", b"/a b", b"/a\tb", b"/a\x01", b"/\x7f", b"/\xe9", b"/a#b", b'/a"b', b"/a<b", b"/a>b", b"/a\\b", b"\\evil",
        b"file:///etc/passwd", b"ftp://a.test/", b"gopher://a.test/", b"https://a.test/", b"http:/a.test/", b"http:a.test", b"http://", b"http:///x",
        b"http://u@a.test/", b"http://u:p@a.test/", b"http://@a.test/", b"http://a.test:x/", b"http://a test/", b"http://[::1/", b"",
    )],
    line("two spaces", "9112 s3", b"GET  / HTTP/1.1"),
    line("a tab", "9112 s3", b"GET\t/ HTTP/1.1"),
    line("a space at the end", "9112 s3", b"GET / HTTP/1.1 "),
    line("no target", "9112 s3", b"GET HTTP/1.1"),
    *[line(f"target {target!r}", "9112 s3.2", b"GET " + target + b" HTTP/1.1", None) for target in (
        b"/", b"//", b"//evil/", b"/a?b?c", b"/%0d%0a", b"/%00", b"/%zz", b"/%2e%2e/", b"/../a", b"/a;b", b"/[a]{b}|^`", b"http://b.test/x", b"HTTP://b.test", b"http://b.test?x",
    )],
    line("OPTIONS *", "9112 s3.2.4", b"OPTIONS * HTTP/1.1", None),
    Row("OPTIONS * without Host", "9112 s3.2", b"OPTIONS * HTTP/1.0\r\n\r\n"),
    Row("absolute form without Host in HTTP/1.0", "9112 s3.2.2", b"GET http://b.test/ HTTP/1.0\r\n\r\n", None),
    # versions
    *[line(f"version {version!r}", "9112 s2.3", b"GET / " + version) for version in (
        b"HTTP/1.10", b"HTTP/01.1", b"http/1.1", b"HTTP/1.1x", b"HTTP/1", b"HTTP/1,1", b"HTTP 1.1", b"HTTP/1.1 HTTP/1.1", b"HTTPS/1.1", b"HTTP/-1.1", b"HTTP/1.", b"x",
    )],
    line("HTTP/0.9", "9112 s2.3", b"GET /"),
    line("HTTP/2.0", "9112 s2.3", b"GET / HTTP/2.0", 505),
    line("HTTP/1.2", "9112 s2.3", b"GET / HTTP/1.2", 505),
    line("HTTP/0.9 said aloud", "9112 s2.3", b"GET / HTTP/0.9", 505),
    line("h2 preface", "9113 s3.4", b"PRI * HTTP/2.0", 505),
    line("HTTP/1.0", "9112 s2.3", b"GET / HTTP/1.0", None),
    # methods
    *[line(f"method {method!r}", "9110 s9.1", method + b" / HTTP/1.1") for method in (b"G(T", b"G T", b"", b"G\xe9T", b"G:T", b"G\x00T", b"A" * 33)],
    line("a method of our own", "9110 s9.1", b"PURGE / HTTP/1.1", None),
    line("lower case is another method", "9110 s9.1", b"get / HTTP/1.1", None),
    line("the longest method", "9110 s9.1", b"A" * 32 + b" / HTTP/1.1", None),
    line("CONNECT", "9110 s9.3.6", b"CONNECT a.test:443 HTTP/1.1", 405),
    line("CONNECT with a path", "9110 s9.3.6", b"CONNECT / HTTP/1.1", 405),
    line("TRACE", "9110 s9.3.8", b"TRACE / HTTP/1.1", 405),
    Row("TLS hello", "9112 s3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name[:60])
def test_what_is_ambiguous_or_malformed_is_refused(row: Row):
    if row.status is None:
        assert read(row.head) == read(row.head + b"GET /next HTTP/1.1\r\n")
        return
    for tail in (b"", b"GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n", b"\n\n", b"x" * 100):
        with pytest.raises(ClientFault) as raised:
            read(row.head + tail)
        assert raised.value.status == row.status


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.head) < 1000], ids=lambda row: row.name[:60])
def test_it_does_not_matter_how_the_bytes_come(row: Row):
    if row.status is None:
        assert read_bytewise(row.head) == read(row.head)
        return
    with pytest.raises(ClientFault) as raised:
        read_bytewise(row.head)
    assert raised.value.status == row.status


def mutants() -> list[bytes]:
    """`Transfer-Encoding: chunked` with one byte put into each place where parsers have differed."""
    bytes_put = [
        bytes([n]) for n in (0, 1, 8, 9, 10, 11, 12, 13, 0x1F, 32, 0x22, 0x2C, 0x3B, 0x7F, 0x85, 0xA0, 0xFF)
    ]
    shapes = [
        b"%bTransfer-Encoding: chunked", b"Transfer%bEncoding: chunked", b"Transfer-Encoding%b: chunked", b"Transfer-Encoding:%bchunked",
        b"Transfer-Encoding: %bchunked", b"Transfer-Encoding: chunked%b", b"Transfer-Encoding: chun%bked", b"X: y%bTransfer-Encoding: chunked",
    ]  # fmt: skip
    return [shape.replace(b"%b", byte) for shape in shapes for byte in bytes_put]


@pytest.mark.parametrize("mutant", mutants(), ids=repr)
def test_a_byte_out_of_place_near_transfer_encoding_never_makes_two_readings(mutant: bytes):
    head = b"POST / HTTP/1.1\r\n" + HOST + mutant + b"\r\n\r\n"
    try:
        parsed = read(head)
    except ClientFault:
        return
    names = [name.lower() for name, _ in parsed.head.fields]
    assert b"transfer-encoding" not in names
    # taken: either it is the field, with white space around the value, or it is in no reading the field
    is_field = mutant.split(b":")[0] == b"Transfer-Encoding"
    assert (parsed.framing is CHUNKED) is is_field
    assert is_field or not any(
        b"chunked" in value
        and b"encoding" in name.lower()
        and b"transfer" in name.lower()
        and len(name) == 17
        for name, value in parsed.head.fields
    )


@pytest.mark.parametrize(
    "head,authority,target",
    [
        (b"GET /a?b HTTP/1.1\r\nHost: A.Test\r\n\r\n", Authority(b"http", b"a.test", 80), b"/a?b"),
        (
            b"GET /%3B%2f;/../ HTTP/1.1\r\nHost: a.test.\r\n\r\n",
            Authority(b"http", b"a.test", 80),
            b"/%3B%2f;/../",
        ),
        (b"GET / HTTP/1.1\r\nHost: a.test:08080\r\n\r\n", Authority(b"http", b"a.test", 8080), b"/"),
        (b"GET / HTTP/1.1\r\nHost: a.test.:80\r\n\r\n", Authority(b"http", b"a.test", 80), b"/"),
        (b"GET / HTTP/1.1\r\nHost: [2001:DB8:0::1]\r\n\r\n", Authority(b"http", b"[2001:db8::1]", 80), b"/"),
        (
            b"GET http://B.test:81/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
            Authority(b"http", b"b.test", 81),
            b"/x",
        ),
        (b"GET http://b.test?x HTTP/1.1\r\nHost: a.test\r\n\r\n", Authority(b"http", b"b.test", 80), b"/?x"),
        (b"GET http://b.test HTTP/1.1\r\nHost: a.test\r\n\r\n", Authority(b"http", b"b.test", 80), b"/"),
        (b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", Authority(b"http", b"a.test", 80), b"*"),
    ],
)
def test_the_target_uri_is_read_from_target_and_host(head: bytes, authority: Authority, target: bytes):
    parsed = read(head).head
    assert (parsed.authority, parsed.target) == (authority, target)


def test_the_connections_scheme_is_the_requests():
    head = b"GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
    assert parse_request_head(head, DEFAULT_LIMITS, b"https").head.authority == Authority(
        b"https", b"a.test", 443
    )
    with pytest.raises(ClientFault):
        parse_request_head(head, DEFAULT_LIMITS, b"http")
    assert parse_host(b"a.test:443", b"https").is_default_port


@pytest.mark.parametrize(
    "lines,expected",
    [
        (b"", {}),
        (CL + b"4\r\n", {"framing": Length(4)}),
        (CL + b"0\r\n", {"framing": NO_BODY}),
        (TE + b"chunked\r\n", {"framing": CHUNKED}),
        (b"Connection: close\r\n", {"keep_alive": False}),
        (b"Connection: x, Close\r\n", {"keep_alive": False}),
        (b"Connection: keep-alive\r\n", {}),
        (b"Expect: 100-continue\r\n", {}),
        (b"Expect: 100-continue\r\n" + CL + b"4\r\n", {"framing": Length(4), "expect_continue": True}),
        (b"Upgrade: websocket\r\nConnection: Upgrade\r\n", {"upgrade": b"websocket"}),
        (b"Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n", {"upgrade": b"websocket"}),
        (b"Upgrade: websocket\r\n", {}),
        (b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n", {}),
        (b"Upgrade: foo\r\nConnection: Upgrade\r\n", {}),
        (b"Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n", {}),
        (b"Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n", {}),
        (b"TE: trailers\r\nConnection: TE\r\n", {"accepts_trailers": True}),
        (b"TE: gzip, Trailers;q=1\r\n", {"accepts_trailers": True}),
        (b"TE: gzip\r\n", {}),
    ],
)
def test_what_belongs_to_the_hop_becomes_typed_values(lines: bytes, expected: dict[str, Any]):
    parsed = read(b"GET / HTTP/1.1\r\n" + HOST + lines + b"X-A: 1\r\n\r\n")
    plain = ParsedRequest(parsed.head, NO_BODY, True, line=b"GET / HTTP/1.1")
    assert parsed == replace(plain, **expected)
    assert list(parsed.head.fields) == [(b"X-A", b"1")]


@pytest.mark.parametrize(
    "start", [b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n" + CL + b"4\r\n", b"GET / HTTP/1.0\r\n"]
)
def test_only_a_get_without_a_body_may_ask_for_an_upgrade(start: bytes):
    asked = b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert read(start + HOST + asked).upgrade is None


@pytest.mark.parametrize(
    "lines,keep_alive",
    [
        (b"", False),
        (b"Connection: keep-alive\r\n", True),
        (b"Connection: keep-alive, close\r\n", False),
        (b"Upgrade: websocket\r\nConnection: Upgrade, keep-alive\r\n", True),
    ],
)
def test_http_1_0_keeps_alive_only_when_told_and_upgrades_never(lines: bytes, keep_alive: bool):
    parsed = read(b"GET / HTTP/1.0\r\n" + HOST + lines + b"\r\n")
    assert (parsed.keep_alive, parsed.upgrade, parsed.expect_continue, parsed.head.minor) == (
        keep_alive,
        None,
        False,
        0,
    )


def test_fields_that_come_again_to_the_byte_are_read_once_and_say_the_same():
    section = b"Host: a.example\r\nAccept: */*\r\nX-Unlike-Any-Other: 1\r\n\r\n"
    first, second = (
        parse_request_head(b"GET /%d HTTP/1.1\r\n" % n + section, DEFAULT_LIMITS) for n in range(2)
    )
    assert second.head.fields is first.head.fields
    assert (first.head.target, second.head.target) == (b"/0", b"/1")
    old = parse_request_head(b"GET / HTTP/1.0\r\n" + section, DEFAULT_LIMITS)
    assert (first.keep_alive, old.keep_alive) == (True, False)
    assert (
        parse_request_head(b"GET / HTTP/1.1\r\n" + section, DEFAULT_LIMITS, b"https").head.authority.port
        == 443
    )


def test_what_is_refused_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(ClientFault):
            parse_request_head(b"GET / HTTP/1.1\r\nHost: a.example\r\nBad Name: 1\r\n\r\n", DEFAULT_LIMITS)
