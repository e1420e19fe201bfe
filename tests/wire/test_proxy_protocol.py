"""The PROXY protocol, sections 2.1 and 2.2 of its specification."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ClientFault
from edge.wire.proxy_protocol import (
    HEADER_V2_BYTES,
    MAX_BODY_V2_BYTES,
    SIGNATURE_V2,
    body_length_v2,
    parse_v1,
    parse_v2,
)


@pytest.mark.parametrize(
    ("line", "client"),
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1"),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
        (b"PROXY TCP6 2001:db8::1 2001:DB8::2 1 443\r\n", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 443\r\n", "192.0.2.1"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", None),
    ],
)
def test_version_1_says_who_the_client_is(line: bytes, client: str | None):
    assert parse_v1(line) == client


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"PROXY\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 2001:db8::1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.1 56 443\r\n",
        b"proxy TCP4 192.0.2.1 198.51.100.1 56 443\r\n",
        b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_version_1_line_is_refused(line: bytes):
    with pytest.raises(ClientFault):
        parse_v1(line)


def v2(command: int, family: int, body: bytes, *, length: int | None = None) -> tuple[bytes, bytes]:
    size = len(body) if length is None else length
    return SIGNATURE_V2 + bytes((command, family)) + size.to_bytes(2, "big"), body


INET = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1") + b"\0\1\0\2"
INET6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "::1") + b"\0\1\0\2"
)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (v2(0x21, 0x11, INET), "192.0.2.1"),
        (v2(0x21, 0x11, INET + b"\x04\0\1x"), "192.0.2.1"),  # a TLV behind it
        (v2(0x21, 0x21, INET6), "2001:db8::1"),
        (v2(0x20, 0x00, b""), None),  # LOCAL
        (v2(0x20, 0x11, INET), None),
        (v2(0x21, 0x00, b""), None),  # UNSPEC
        (v2(0x21, 0x31, b"\0" * 216), None),  # a unix socket
    ],
)
def test_version_2_says_who_the_client_is(header: tuple[bytes, bytes], client: str | None):
    assert body_length_v2(header[0]) == len(header[1])
    assert parse_v2(*header) == client


@pytest.mark.parametrize(
    "header",
    [
        v2(0x22, 0x11, INET),
        v2(0x21, 0x12, INET),  # UDP
        v2(0x21, 0x41, INET),
        v2(0x21, 0x13, INET),
        v2(0x21, 0x11, INET[:-1]),
        v2(0x21, 0x21, INET),
    ],
)
def test_a_malformed_version_2_header_is_refused(header: tuple[bytes, bytes]):
    with pytest.raises(ClientFault):
        parse_v2(*header)


@pytest.mark.parametrize(
    "header",
    [
        SIGNATURE_V2,
        v2(0x11, 0x11, INET)[0],
        b"\0" * HEADER_V2_BYTES,
        v2(0x21, 0x11, INET, length=MAX_BODY_V2_BYTES + 1)[0],
    ],
)
def test_a_header_that_is_none_or_too_long_is_refused(header: bytes):
    with pytest.raises(ClientFault):
        body_length_v2(header)


@given(st.binary(max_size=120), st.binary(max_size=60))
def test_nothing_but_a_fault_comes_of_any_bytes(head: bytes, body: bytes):
    header = SIGNATURE_V2 + head[:4].ljust(4, b"\x21")
    for parse in (
        lambda: parse_v1(b"PROXY " + head),
        lambda: body_length_v2(header),
        lambda: parse_v2(header, body),
    ):
        try:
            parse()
        except ClientFault:
            continue
