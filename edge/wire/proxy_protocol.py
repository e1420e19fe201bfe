"""The PROXY protocol, versions 1 and 2: who is really on the other end of a connection. PURE.

Owns: `parse_v1`, `body_length_v2`, `parse_v2`. Source: the HAProxy PROXY protocol specification, sections 2.1 and 2.2. Rules:
strict; what is malformed is `ClientFault`, and the connection ends unanswered; addresses only - TLVs are skipped, and what
they say of TLS is not believed. Who may send it is the listener's to know.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from edge.errors import ClientFault

SIGNATURE_V2 = b"\r\n\r\n\0\r\nQUIT\n"
"""Twelve bytes; no version 1 header is shorter."""
PREFIX_BYTES = len(SIGNATURE_V2)
HEADER_V2_BYTES = 16
MAX_V1_BYTES = 107
"""Section 2.1: the longest line there is."""
MAX_BODY_V2_BYTES = 4096
"""Addresses take 36 bytes, or 216 of a unix socket; the rest is TLVs. The field could say 65535."""

_V1 = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP4|TCP6) ([0-9A-Fa-f.:]{2,39}) [0-9A-Fa-f.:]{2,39} "
    rb"(?:0|[1-9][0-9]{0,4}) (?:0|[1-9][0-9]{0,4}))\r\n"
)
_LOCAL, _PROXY = 0, 1
_UNSPEC, _INET, _INET6, _UNIX = 0, 1, 2, 3


def parse_v1(line: bytes) -> str | None:
    """The client's address of a line with its CRLF; None where it says that it does not know. Raises ClientFault."""
    found = _V1.fullmatch(line) if len(line) <= MAX_V1_BYTES else None
    if found is None:
        raise ClientFault("malformed PROXY header")
    family, source = found.groups()
    if family is None:
        return None
    try:
        if family == b"TCP4":
            return str(IPv4Address(source.decode("ascii")))
        return _plain(IPv6Address(source.decode("ascii")))
    except AddressValueError:
        raise ClientFault("malformed PROXY header") from None


def body_length_v2(header: bytes) -> int:
    """How many bytes follow the first sixteen. Raises ClientFault."""
    if len(header) != HEADER_V2_BYTES or not header.startswith(SIGNATURE_V2) or header[12] >> 4 != 2:
        raise ClientFault("malformed PROXY header")
    length = int.from_bytes(header[14:16], "big")
    if length > MAX_BODY_V2_BYTES:
        raise ClientFault("PROXY header too long")
    return length


def parse_v2(header: bytes, body: bytes) -> str | None:
    """The client's address; None for what the proxy does on its own behalf, or does not know. Raises ClientFault."""
    command, family, transport = header[12] & 0x0F, header[13] >> 4, header[13] & 0x0F
    if command == _LOCAL:
        return None
    if command != _PROXY or family > _UNIX or transport > 2:
        raise ClientFault("malformed PROXY header")
    if family in {_UNSPEC, _UNIX}:
        return None
    size = 4 if family == _INET else 16
    if transport != 1 or len(body) < 2 * size + 4:
        raise ClientFault("malformed PROXY header")
    return str(IPv4Address(body[:size])) if family == _INET else _plain(IPv6Address(body[:size]))


def _plain(address: IPv6Address) -> str:
    """An IPv4 client is one, also on a socket for both."""
    return str(address.ipv4_mapped or address)
