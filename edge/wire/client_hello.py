"""The first message of a TLS handshake, read before a certificate is chosen. PURE. RFC 8446 s4.1.2, s5.1; RFC 6066 s3.

Owns: `read_client_hello`. Rules: it only looks: the same bytes go to OpenSSL, which decides whether the handshake is a good
one. What is read here chooses the context, and with it all that is asked of the client, so that nothing depends on two
readers having read the same: a connection is what its context made it. Nothing longer than the bound is waited for.
"""

from __future__ import annotations

from edge.values import value

HANDSHAKE, CLIENT_HELLO = 22, 1
MAX_RECORD_BYTES = 1 << 14
TICKET_NAME_BYTES = 16
"""How much of a ticket names the key that it was sealed with (RFC 5077 s4; OpenSSL keeps to it in TLS 1.3)."""

_SERVER_NAME, _ALPN, _TICKET, _PRE_SHARED_KEY = 0, 16, 35, 41
_HEADER = 5
_FIXED = 2 + 32
"""legacy_version and random."""


class NotTls(Exception):
    """What came is no TLS at all: plain HTTP on the wrong port, most often."""


class BadHello(Exception):
    """It is TLS, and not as it should be."""


class HelloTooLarge(Exception):
    """It is longer than it may be."""


@value(frozen=True, slots=True)
class ClientHello:
    """server_name: lower case; None = the client names none. protocols: of ALPN; () = it names none.

    ticket: how the ticket begins that it wants to resume with (`TICKET_NAME_BYTES`); b"" = none.
    """

    server_name: bytes | None = None
    protocols: tuple[bytes, ...] = ()
    ticket: bytes = b""


def read_client_hello(data: bytes, limit: int) -> ClientHello | None:
    """The hello at the start of a connection; None while it is incomplete. limit: bytes that it may have, records included.

    Raises NotTls (with the first bytes), BadHello, HelloTooLarge.
    """
    message = b""
    at = 0
    while True:
        record = data[at : at + _HEADER]
        if (record and record[0] != HANDSHAKE) or (len(record) > 1 and record[1] != 3):
            if at == 0:
                raise NotTls
            raise BadHello("another record within the hello")
        if len(record) < _HEADER:
            break
        size = int.from_bytes(record[3:5], "big")
        if not 0 < size <= MAX_RECORD_BYTES:
            raise BadHello("a record of no length that there is")
        fragment = data[at + _HEADER : at + _HEADER + size]
        message += fragment
        if message and message[0] != CLIENT_HELLO:
            raise BadHello("another message where the hello belongs")
        whole = 4 + int.from_bytes(message[1:4], "big") if len(message) >= 4 else None
        if whole is not None and whole > limit:
            raise HelloTooLarge
        if whole is not None and len(message) >= whole:
            return _read(message[4:whole])
        if len(fragment) < size:
            break
        at += _HEADER + size
    if len(data) > limit:
        raise HelloTooLarge
    return None


def _read(body: bytes) -> ClientHello:
    try:
        at = _FIXED
        at += 1 + body[at]  # legacy_session_id
        at += 2 + _number(body, at)  # cipher_suites
        at += 1 + body[at]  # legacy_compression_methods
        if at == len(body):
            return ClientHello()
        extensions = _vector(body, at)
        if at + 2 + len(extensions) != len(body):
            raise BadHello("something behind the extensions")
        return _extensions(extensions)
    except IndexError:
        raise BadHello("it ends too early") from None


def _extensions(block: bytes) -> ClientHello:
    name: bytes | None = None
    protocols: tuple[bytes, ...] = ()
    session = shared = b""
    at = 0
    while at < len(block):
        kind = _number(block, at)
        content = _vector(block, at + 2)
        at += 4 + len(content)
        if kind == _SERVER_NAME:
            name = _server_name(content)
        elif kind == _ALPN:
            protocols = _protocols(_vector(content, 0))
        elif kind == _TICKET:
            session = content
        elif kind == _PRE_SHARED_KEY:
            shared = _vector(_vector(content, 0), 0)  # of the first identity that it offers
    return ClientHello(name, protocols, (shared or session)[:TICKET_NAME_BYTES])


def _server_name(content: bytes) -> bytes | None:
    """RFC 6066 s3: one name of each kind, and there is one kind."""
    names = _vector(content, 0)
    if names[0] != 0:
        return None
    return _vector(names, 1).lower() or None


def _protocols(block: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    at = 0
    while at < len(block):
        size = block[at]
        protocol = block[at + 1 : at + 1 + size]
        if len(protocol) < size or not size:
            raise BadHello("a protocol of no length that there is")
        found.append(protocol)
        at += 1 + size
    return tuple(found)


def _number(block: bytes, at: int) -> int:
    if at + 2 > len(block):
        raise BadHello("it ends too early")
    return int.from_bytes(block[at : at + 2], "big")


def _vector(block: bytes, at: int) -> bytes:
    """Bytes behind a length of two bytes."""
    size = _number(block, at)
    content = block[at + 2 : at + 2 + size]
    if len(content) < size:
        raise BadHello("it ends too early")
    return content
