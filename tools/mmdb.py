"""Writing a MaxMind DB file: for exports, and for tests, which look into it with the real reader. MaxMind DB 2.0.

Owns: `mmdb_bytes`. Networks may nest: the narrower one counts. In a tree of IPv6, IPv4 stands below ::/96, as readers want it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

Record = Mapping[str, object]

_MARKER = b"\xab\xcd\xefMaxMind.com"
_POINTER_BASE = 16
"""The data section starts this many bytes after the tree."""


class Short(int):
    """16 bits."""


class Long(int):
    """64 bits."""


Node = list["Node | int | None"]
"""Two branches: a node, the offset of a record, or nothing."""


def mmdb_bytes(
    networks: Mapping[str, Record],
    *,
    ip_version: int = 6,
    database_type: str = "Test-City",
    record_size: int = 28,
    built: int = 1_700_000_000,
) -> bytes:
    """The file. networks: by CIDR."""
    data = bytearray()
    offsets: dict[bytes, int] = {}
    root: Node = [None, None]
    for text in sorted(networks, key=lambda text: ip_network(text).prefixlen):
        encoded = encode(networks[text])
        if encoded not in offsets:
            offsets[encoded] = len(data)
            data += encoded
        _insert(root, _bits(ip_network(text), ip_version), offsets[encoded])
    nodes = _numbered(root)
    tree = b"".join(_pair(node, nodes, record_size) for node in nodes.order)
    metadata = {
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(built),
        "database_type": database_type,
        "description": {"en": "made by a test"},
        "ip_version": Short(ip_version),
        "languages": ["en"],
        "node_count": len(nodes.order),
        "record_size": Short(record_size),
    }
    return tree + bytes(_POINTER_BASE) + bytes(data) + _MARKER + encode(metadata)


def _bits(network: IPv4Network | IPv6Network, ip_version: int) -> list[int]:
    width = network.max_prefixlen
    number = int(network.network_address)
    bits = [number >> (width - 1 - at) & 1 for at in range(network.prefixlen)]
    if ip_version == 6 and width == 32:
        return [0] * 96 + bits
    assert ip_version == 6 or width == 32, f"{network} in a tree of IPv4"
    return bits


def _insert(root: Node, bits: list[int], record: int) -> None:
    at = root
    for bit in bits[:-1]:
        below = at[bit]
        if not isinstance(below, list):
            below = [below, below]  # what the wider network said holds on both sides
            at[bit] = below
        at = below
    at[bits[-1]] = record


class _Order:
    def __init__(self) -> None:
        self.order: list[Node] = []
        self.numbers: dict[int, int] = {}


def _numbered(root: Node) -> _Order:
    found = _Order()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.numbers[id(node)] = len(found.order)
        found.order.append(node)
        waiting += [branch for branch in node if isinstance(branch, list)]
    return found


def _pair(node: Node, nodes: _Order, record_size: int) -> bytes:
    count = len(nodes.order)
    left, right = (
        nodes.numbers[id(branch)]
        if isinstance(branch, list)
        else count
        if branch is None
        else count + _POINTER_BASE + branch
        for branch in node
    )
    if record_size == 24:
        return left.to_bytes(3) + right.to_bytes(3)
    if record_size == 28:
        middle = (left >> 24) << 4 | right >> 24
        return (left & 0xFFFFFF).to_bytes(3) + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3)
    return left.to_bytes(4) + right.to_bytes(4)


def encode(value: object) -> bytes:
    """A value of the data section."""
    match value:
        case bool():
            return _control(14, int(value))
        case str():
            encoded = value.encode()
            return _control(2, len(encoded)) + encoded
        case float():
            return _control(3, 8) + struct.pack(">d", value)
        case int():
            size = (value.bit_length() + 7) // 8
            kind = 5 if isinstance(value, Short) else 9 if isinstance(value, Long) else 6
            return _control(kind, size) + value.to_bytes(size)
        case list():
            return _control(11, len(value)) + b"".join(encode(each) for each in value)
        case Mapping():
            inner = b"".join(encode(name) + encode(each) for name, each in value.items())
            return _control(7, len(value)) + inner
        case _:
            raise AssertionError(value)


def _control(kind: int, size: int) -> bytes:
    more = b""
    if size >= 285:
        size, more = 30, (size - 285).to_bytes(2)
    elif size >= 29:
        size, more = 29, bytes([size - 29])
    if kind <= 7:
        return bytes([kind << 5 | size]) + more
    return bytes([size, kind - 7]) + more
