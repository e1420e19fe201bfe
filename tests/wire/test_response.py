"""Responses off the wire: the rows of reliability 2.3 that are about parsing, whole, byte by byte and with a tail."""

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UpstreamFault
from edge.wire.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Length
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.response import ParsedResponse, find_response_head_end, parse_response_head

OK = b"HTTP/1.1 200 OK\r\n"
PROTOCOL = "http_protocol_error"
CODING = "http_response_transfer_coding"
SIZE = "http_response_header_section_size"


@dataclass(frozen=True)
class Row:
    """token: the fault, None = taken, with that framing and keep_alive."""

    name: str
    head: bytes
    token: str | None = PROTOCOL
    framing: Framing = NO_BODY
    keep_alive: bool = True
    method: bytes = b"GET"


CL, TE = b"Content-Length: ", b"Transfer-Encoding: "

ROWS = [
    # RFC 9112 s6.3
    Row("length", OK + CL + b"5\r\n\r\n", None, Length(5)),
    Row("length 0", OK + CL + b"0\r\n\r\n", None),
    Row("chunked", OK + TE + b"Chunked\r\n\r\n", None, CHUNKED),
    Row("neither", OK + b"\r\n", None, UNTIL_CLOSE, keep_alive=False),
    Row("HEAD, length", OK + CL + b"5\r\n\r\n", None, method=b"HEAD"),
    Row("HEAD, chunked", OK + TE + b"chunked\r\n\r\n", None, method=b"HEAD"),
    Row("HEAD, neither", OK + b"\r\n", None, method=b"HEAD"),
    Row("204", b"HTTP/1.1 204 No Content\r\n\r\n", None),
    Row("204, length", b"HTTP/1.1 204 No Content\r\n" + CL + b"5\r\n\r\n", None),
    Row("304, length", b"HTTP/1.1 304 Not Modified\r\n" + CL + b"5\r\n\r\n", None),
    Row("304, chunked", b"HTTP/1.1 304 Not Modified\r\n" + TE + b"chunked\r\n\r\n", None),
    Row("103", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", None),
    Row("two lengths", OK + CL + b"5\r\n" + CL + b"6\r\n\r\n"),
    Row("the same length twice", OK + CL + b"5\r\n" + CL + b"5\r\n\r\n"),
    *[Row(f"length {value!r}", OK + CL + value + b"\r\n\r\n") for value in (
        b"", b"5, 5", b"+5", b"-5", b"0x5", b"0_5", b"5e0", b"5.0", b"5 5", b"\xd9\xa5", b"18446744073709551616", b"1" * 16, b"five",
    )],
    Row("a bad length on HEAD", OK + CL + b"+5\r\n\r\n", method=b"HEAD"),
    Row("a bad length on 304", b"HTTP/1.1 304 Not Modified\r\n" + CL + b"5, 5\r\n\r\n"),
    Row("length and coding", OK + CL + b"5\r\n" + TE + b"chunked\r\n\r\n"),
    Row("coding and length", OK + TE + b"chunked\r\n" + CL + b"5\r\n\r\n"),
    *[Row(f"coding {value!r}", OK + TE + value + b"\r\n\r\n", CODING) for value in (
        b"", b"identity", b"gzip", b"gzip, chunked", b"chunked, chunked", b"chunked;q=1", b"xchunked", b'"chunked"',
    )],
    Row("coding twice", OK + TE + b"chunked\r\n" + TE + b"chunked\r\n\r\n", CODING),
    Row("coding in HTTP/1.0", b"HTTP/1.0 200 OK\r\n" + TE + b"chunked\r\n\r\n", CODING),
    # RFC 9112 s9.3
    Row("close", OK + b"Connection: close\r\n" + CL + b"5\r\n\r\n", None, Length(5), keep_alive=False),
    Row("close among others", OK + b"Connection: x, Close\r\n" + CL + b"5\r\n\r\n", None, Length(5), keep_alive=False),
    Row("HTTP/1.0", b"HTTP/1.0 200 OK\r\n" + CL + b"5\r\n\r\n", None, Length(5), keep_alive=False),
    Row("HTTP/1.0, keep-alive", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CL + b"5\r\n\r\n", None, Length(5)),
    Row("HTTP/1.0, keep-alive and close", b"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n" + CL + b"5\r\n\r\n", None, Length(5), keep_alive=False),
    # RFC 9112 s4
    Row("no reason", b"HTTP/1.1 200 \r\n" + CL + b"0\r\n\r\n", None),
    Row("no reason and no space", b"HTTP/1.1 200\r\n" + CL + b"0\r\n\r\n", None),
    Row("an odd reason", b"HTTP/1.1 200 \t\xe9 ~\r\n" + CL + b"0\r\n\r\n", None),
    Row("999", b"HTTP/1.1 999 Odd\r\n" + CL + b"0\r\n\r\n", None),
    *[Row(f"status line {line!r}", line + b"\r\n" + CL + b"0\r\n\r\n") for line in (
        b"HTTP/1.1 099 Low", b"HTTP/1.1 99 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 OK",
        b"HTTP/1.1", b"HTTP/1.2 200 OK", b"HTTP/2.0 200 OK", b"HTTP/2 200", b"http/1.1 200 OK", b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\x7fK", b"HTTP/11 200 OK", b" HTTP/1.1 200 OK",
        b"ICY 200 OK", b"<html>", b"", b"220 mail ESMTP", b"SSH-2.0-OpenSSH", b"\x16\x03\x01",
    )],
    # RFC 9112 s2.2, s5
    *[Row(f"field {line!r}", OK + line + b"\r\n" + CL + b"0\r\n\r\n") for line in (
        b"X : a", b"X\t: a", b" X: a", b"X: a\r\n b", b"nonsense", b": a", b"X(: a", b"X: a\0b", b"X: a\rb", b"X: a\nY: b", b"X\xe9: a", b"Content-Length : 5",
    )],
    Row("LF line ends", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    Row("high bytes", OK + b"X: \xe9\xff\r\n" + CL + b"0\r\n\r\n", None),
]  # fmt: skip


class NeverEnds(Exception):
    """The bytes are the beginning of a head, no more."""


def read(head: bytes, method: bytes = b"GET", limits: Limits = DEFAULT_LIMITS) -> ParsedResponse:
    end = find_response_head_end(head, limits)
    if end < 0:
        raise NeverEnds
    return parse_response_head(head[:end], method, limits)


def read_bytewise(head: bytes, method: bytes = b"GET", limits: Limits = DEFAULT_LIMITS) -> ParsedResponse:
    for size in range(1, len(head) + 1):
        end = find_response_head_end(head[:size], limits, size - 1)
        assert end == find_response_head_end(bytearray(head[:size]), limits)
        if end > 0:
            return parse_response_head(head[:end], method, limits)
    raise NeverEnds


@pytest.mark.parametrize("reader", [read, read_bytewise])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name[:60])
def test_a_response_is_read_strictly(row: Row, reader):
    for tail in (b"", b"hello", b"\n\n", OK + b"\r\n"):
        if row.token is None:
            parsed = reader(row.head + tail, row.method)
            assert (parsed.framing, parsed.keep_alive) == (row.framing, row.keep_alive)
        else:
            with pytest.raises(UpstreamFault) as raised:
                reader(row.head + tail, row.method)
            assert (raised.value.proxy_status, raised.value.status) == (row.token, 502)


def test_what_belongs_to_the_hop_is_taken_out_and_the_length_stays():
    parsed = read(
        b"HTTP/1.1 203 Fine\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n"
        b"Upgrade: h2c\r\nTrailer: X\r\nX-A: 1\r\nContent-Length: 5\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
    )
    assert list(parsed.head.fields) == [
        (b"X-A", b"1"),
        (b"Content-Length", b"5"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]
    assert (parsed.head.status, parsed.head.reason, parsed.head.minor, parsed.upgrade) == (
        203,
        b"Fine",
        1,
        None,
    )


@pytest.mark.parametrize(
    "lines,upgrade",
    [
        (b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n", b"websocket"),
        (b"", None),
        (b"Upgrade: a\r\nUpgrade: b\r\n", None),
    ],
)
def test_a_101_says_what_it_switches_to(lines: bytes, upgrade: bytes | None):
    assert read(b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n").upgrade == upgrade


SMALL = Limits(response_head=100, response_fields=3)


@pytest.mark.parametrize("reader", [read, read_bytewise])
@pytest.mark.parametrize(
    "name,head,is_good",
    [
        ("head at the limit", OK + b"X: " + b"a" * 76 + b"\r\n\r\n", True),
        ("head beyond it", OK + b"X: " + b"a" * 77 + b"\r\n\r\n", False),
        ("head without end", OK + b"X: " + b"a" * 500, False),
        ("status line without end", b"HTTP/1.1 200 " + b"a" * 500, False),
        ("fields at the limit", OK + b"a: 1\r\nb: 1\r\nc: 1\r\n\r\n", True),
        ("fields beyond it", OK + b"a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\n", False),
    ],
)
def test_each_bound_holds_at_the_limit_and_one_past_it(name: str, head: bytes, is_good: bool, reader):
    if name == "head at the limit":
        assert len(head) == SMALL.response_head
    if is_good:
        assert reader(head, limits=SMALL).head.status == 200
        return
    with pytest.raises(UpstreamFault) as raised:
        reader(head, limits=SMALL)
    assert raised.value.proxy_status == SIZE


@pytest.mark.parametrize(
    "head", [OK + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", OK + b"a: b\r\n" * 20_000 + b"\r\n"]
)
def test_the_default_bounds(head: bytes):
    with pytest.raises(UpstreamFault):
        read(head)


def test_what_is_no_http_is_refused_at_its_first_bytes():
    assert find_response_head_end(b"", DEFAULT_LIMITS) == -1
    for size in range(1, 8):
        assert find_response_head_end(b"HTTP/1."[:size], DEFAULT_LIMITS) == -1
        with pytest.raises(UpstreamFault):
            find_response_head_end(b"HTTP/1."[: size - 1] + b"x", DEFAULT_LIMITS)


PARTS = st.sampled_from(
    [b"HTTP/1.1", b"HTTP/1.0", b" ", b"200", b"101", b"304", b"OK", b"\r\n", b"\n", b"\r", b"Content-Length", b"Transfer-Encoding", b"chunked",
     b":", b": ", b"5", b"Connection", b"close", b"Upgrade", b"\0", b"\xff", b"\t", b","]
)  # fmt: skip
HEADS = st.one_of(
    st.binary(max_size=150),
    st.lists(PARTS, max_size=25).map(b"".join),
    st.lists(PARTS, max_size=20).map(lambda parts: OK + b"".join(parts) + b"\r\n\r\n"),
)
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST"])


@given(HEADS, METHODS)
def test_no_bytes_raise_anything_but_an_upstream_fault(head: bytes, method: bytes):
    for limits in (DEFAULT_LIMITS, SMALL):
        with contextlib.suppress(UpstreamFault, NeverEnds):
            parsed = read(head, method, limits)
            assert 100 <= parsed.head.status <= 999
    with contextlib.suppress(UpstreamFault):
        parse_response_head(OK + head + b"\r\n\r\n", method, DEFAULT_LIMITS)


@given(HEADS, METHODS)
def test_bytewise_and_whole_come_to_the_same(head: bytes, method: bytes):
    def outcome(reader) -> object:
        try:
            return reader(head, method)
        except UpstreamFault as fault:
            return fault.proxy_status
        except NeverEnds:
            return None

    assert outcome(read) == outcome(read_bytewise)
