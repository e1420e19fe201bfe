"""The first message of a handshake: what OpenSSL sends is read, whole, in pieces and in fragments, and nothing else is."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wire.client_hello import (
    MAX_RECORD_BYTES,
    BadHello,
    ClientHello,
    HelloTooLarge,
    NotTls,
    read_client_hello,
)

LIMIT = 16 * 1024


def said(name: str | None = None, protocols: list[str] | None = None) -> bytes:
    """What OpenSSL's client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def record(fragment: bytes, kind: int = 22) -> bytes:
    return bytes((kind, 3, 1)) + len(fragment).to_bytes(2, "big") + fragment


def vector(content: bytes, size: int = 2) -> bytes:
    return len(content).to_bytes(size, "big") + content


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(content)


def made(*extensions: bytes, tail: bytes = b"") -> bytes:
    """A hello by hand."""
    start = b"\x03\x03" + bytes(32) + vector(b"", 1) + vector(b"\x13\x01") + vector(b"\0", 1)
    body = start + (vector(b"".join(extensions)) if extensions else b"") + tail
    return b"\x01" + len(body).to_bytes(3, "big") + body


SNI = extension(0, vector(b"\0" + vector(b"WWW.Example.org")))


def test_what_openssl_says_is_read():
    assert read_client_hello(said("www.example.org", ["h2", "http/1.1"]), LIMIT) == ClientHello(
        b"www.example.org", (b"h2", b"http/1.1")
    )
    assert read_client_hello(said(), LIMIT) == ClientHello()


@pytest.mark.parametrize("size", [1, 3, 50, 200])
def test_a_hello_in_fragments_is_the_same(size: int):
    message = said("www.example.org")[5:]
    records = b"".join(record(message[at : at + size]) for at in range(0, len(message), size))
    assert read_client_hello(records, LIMIT) == ClientHello(b"www.example.org")


def test_every_beginning_of_a_hello_is_incomplete():
    whole = said("www.example.org")
    assert [read_client_hello(whole[:at], LIMIT) for at in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize(
    ("hello", "read"),
    [
        (made(), ClientHello()),
        (made(SNI), ClientHello(b"www.example.org")),
        (made(extension(0, vector(b"\1" + vector(b"x")))), ClientHello()),
        (made(extension(35, b"")), ClientHello()),
        (made(extension(35, bytes(range(40)))), ClientHello(ticket=bytes(range(16)))),
        (
            made(
                extension(35, b"s" * 40), extension(41, vector(vector(b"p" * 40) + bytes(4)) + vector(b"x"))
            ),
            ClientHello(ticket=b"p" * 16),
        ),
        (made(extension(16, vector(vector(b"http/1.1", 1)))), ClientHello(protocols=(b"http/1.1",))),
    ],
)
def test_extensions_that_count(hello: bytes, read: ClientHello):
    assert read_client_hello(record(hello) + b"behind it", LIMIT) == read


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\n", b"\x80\x2e", b"\0", b"\x15\x03\x03\0\x02", b"\x16\x02"]
)
def test_what_is_no_tls_is_known_by_its_first_bytes(first: bytes):
    with pytest.raises(NotTls):
        read_client_hello(first, LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        record(b"\x02" + made()[1:]),
        record(b"")[:5],
        bytes((22, 3, 1)) + (MAX_RECORD_BYTES + 1).to_bytes(2, "big"),
        record(made(SNI)[:20]) + record(b"x", kind=21),
        record(made(SNI, tail=b"x")),
        record(made(extension(0, b"\0"))),
        record(made(extension(0, vector(b"\0" + b"\0\x09x")))),
        record(made(extension(0, b""))),
        record(made(extension(16, vector(b"\x05x")))),
        record(made(extension(16, vector(b"\0")))),
        record(b"\x01\0\0\x02\x03\x03"),
        record(made(b"\0\0\0")),
    ],
    ids=range(12),
)
def test_what_is_tls_and_wrong_is_refused(data: bytes):
    with pytest.raises(BadHello):
        read_client_hello(data, LIMIT)


def test_a_hello_of_just_the_bound_is_read_and_one_byte_more_is_not():
    hello = made(SNI, extension(21, bytes(1000)))
    assert read_client_hello(record(hello), len(hello)) == ClientHello(b"www.example.org")
    with pytest.raises(HelloTooLarge):
        read_client_hello(record(hello)[:20], len(hello) - 1)


def test_what_comes_in_tiny_records_is_bounded_too():
    endless = record(b"\x01\0\x10\0") + record(b"x") * 3000
    with pytest.raises(HelloTooLarge):
        read_client_hello(endless[: LIMIT + 1], LIMIT)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_else(data: bytes):
    for start in (b"", b"\x16\x03\x01\0\x80\x01\0\0\x7c"):
        try:
            assert isinstance(read_client_hello(start + data, LIMIT), ClientHello | None)
        except (NotTls, BadHello, HelloTooLarge):
            continue
