"""EDNS: the OPT record, client subnets and cookies as they stand on the wire. PURE.

Owns: `Edns`, `ClientSubnet` and their strict reading. Rules: an option that is known and malformed makes the whole query
malformed; unknown options are ignored (RFC 6891 s6.1.2). A client subnet has exactly the octets its prefix needs, zero
beyond the prefix, and scope 0 (RFC 7871 s6, s7.1.2). RFC 6891, 7871, 7873.
"""

from __future__ import annotations

from dataclasses import dataclass

ECS_OPTION = 8
COOKIE_OPTION = 10

OPT_HEAD_BYTES = 11
"""Root name, type, class, TTL, length."""

DO = 0x8000

NO_FAMILY, IPV4, IPV6 = 0, 1, 2
ADDRESS_BITS = {IPV4: 32, IPV6: 128}

CLIENT_COOKIE_BYTES = 8
MIN_COOKIE_BYTES = 16
MAX_COOKIE_BYTES = 40


class BadOption(ValueError):
    """An option that has a form, and not this one."""


@dataclass(frozen=True, slots=True)
class ClientSubnet:
    """family: 0 = none was given (only with prefix 0), 1 = IPv4, 2 = IPv6. address: ceil(prefix / 8) octets."""

    family: int
    prefix: int
    address: bytes

    def wire(self, scope: int) -> bytes:
        """The option of an answer: what was asked, with the scope."""
        body = b"%c%c%c%c" % (0, self.family, self.prefix, scope) + self.address
        return b"\0\x08" + len(body).to_bytes(2, "big") + body


@dataclass(frozen=True, slots=True)
class Edns:
    """What an OPT record said. size: the largest answer the sender takes, as it stands. cookie: the whole option.

    flags: DO and the unassigned ones.
    """

    size: int
    version: int
    flags: int
    subnet: ClientSubnet | None = None
    cookie: bytes | None = None

    @property
    def wants_dnssec(self) -> bool:
        """Whether DO is set: it is copied into the answer (RFC 3225)."""
        return bool(self.flags & DO)


def read_edns(message: bytes, at: int) -> tuple[Edns, int]:
    """The OPT record at `at`, whose owner is the root, and where it ends. Raises BadOption, also where it is cut off.

    The options of another version than 0 are not read: they may look different.
    """
    end_of_head = at + OPT_HEAD_BYTES
    if end_of_head > len(message):
        raise BadOption("the OPT record is cut off")
    size = int.from_bytes(message[at + 3 : at + 5], "big")
    version = message[at + 6]
    flags = int.from_bytes(message[at + 7 : at + 9], "big")
    end = end_of_head + int.from_bytes(message[at + 9 : end_of_head], "big")
    if end > len(message):
        raise BadOption("the OPT record is cut off")
    if version != 0:
        return Edns(size, version, flags), end
    subnet: ClientSubnet | None = None
    cookie: bytes | None = None
    at = end_of_head
    while at < end:
        if at + 4 > end:
            raise BadOption("an option is cut off")
        code = int.from_bytes(message[at : at + 2], "big")
        length = int.from_bytes(message[at + 2 : at + 4], "big")
        body = message[at + 4 : at + 4 + length]
        at += 4 + length
        if at > end:
            raise BadOption("an option is cut off")
        if code == ECS_OPTION:
            if subnet is not None:
                raise BadOption("two client subnets")
            subnet = _subnet(body)
        elif code == COOKIE_OPTION and cookie is None:  # RFC 7873 s5.2: the first one counts
            cookie = _cookie(body)
    return Edns(size, version, flags, subnet, cookie), end


def _subnet(body: bytes) -> ClientSubnet:
    if len(body) < 4:
        raise BadOption("a client subnet is cut off")
    family = int.from_bytes(body[:2], "big")
    prefix, scope, address = body[2], body[3], body[4:]
    if scope != 0:
        raise BadOption("a query's scope must be 0")
    if family == NO_FAMILY and prefix == 0 and not address:
        return ClientSubnet(family, prefix, address)
    bits = ADDRESS_BITS.get(family)
    if bits is None:
        raise BadOption(f"there is no address family {family}")
    if prefix > bits or len(address) != (prefix + 7) // 8:
        raise BadOption("a client subnet has not the octets of its prefix")
    if prefix % 8 and address[-1] & (0xFF >> prefix % 8):
        raise BadOption("a client subnet has bits beyond its prefix")
    return ClientSubnet(family, prefix, address)


def _cookie(body: bytes) -> bytes:
    if len(body) != CLIENT_COOKIE_BYTES and not MIN_COOKIE_BYTES <= len(body) <= MAX_COOKIE_BYTES:
        raise BadOption("a cookie has 8, or 16 to 40 octets")
    return body


def clamped(subnet: ClientSubnet, bits: int) -> ClientSubnet:
    """The same, no finer than `bits`."""
    if subnet.prefix <= bits:
        return subnet
    address = bytearray(subnet.address[: (bits + 7) // 8])
    if bits % 8:
        address[-1] &= 0xFF << (8 - bits % 8) & 0xFF
    return ClientSubnet(subnet.family, bits, bytes(address))


def network_address(subnet: ClientSubnet) -> bytes:
    """The first address in it: 4 or 16 octets. Not for family 0."""
    return subnet.address.ljust(ADDRESS_BITS[subnet.family] // 8, b"\0")
